/* One order's story, from its creation to its payment; asked for again when something is heard
   of it, and every half second until all is said; an id that no order has, for a while. */

import { get } from "./api.js";
import { showAxis } from "./bars.js";
import { showChips, spoken } from "./chips.js";
import { factItems } from "./facts.js";
import { Scale } from "./scale.js";
import { momentsOf, spansOf } from "./spans.js";
import { StoryActions } from "./story_actions.js";
import { isSettled, stepItems } from "./steps.js";
import { byId, replaceIfChanged, setText } from "./text.js";

/** After something was heard: more may follow at once, and the store needs its moment. */
const SOON_MS = 150;
const FAST_MS = 500;
const SLOW_MS = 5000;
const FAST_FOR_MS = 20_000;

export class Story {
  #orders;
  #onChange;
  #id = null;
  #timer = 0;
  #turn = 0;
  #opened = 0;
  #said = "";
  #settled = false;
  #actions = new StoryActions(() => this.#id);

  /** `onChange(ids)` when the answer told something new. */
  constructor(orders, onChange) {
    this.#orders = orders;
    this.#onChange = onChange;
  }

  get id() {
    return this.#id;
  }

  open(id) {
    if (this.#id === id) return;
    this.#id = id;
    this.#turn += 1; // an answer about another order may be on its way
    this.#opened = Date.now();
    this.#note("");
    this.#said = "";
    this.#settled = false;
    byId("story").hidden = false;
    setText(byId("story-title"), `Order ${id}`);
    byId("story-json").href = `api/orders/${encodeURIComponent(id)}`;
    byId("story-steps").replaceChildren();
    showAxis(null);
    byId("story-facts").replaceChildren();
    this.#actions.show(null);
    this.#showKnown();
    const sent = this.#orders.get(id);
    // What was sent just now is not stored yet.
    if (sent?.known && !sent.stored) this.#later(FAST_MS);
    else this.refresh();
  }

  close() {
    clearTimeout(this.#timer);
    this.#turn += 1;
    this.#id = null;
    byId("story").hidden = true;
  }

  /** Events were heard of these orders. */
  take(ids) {
    if (!ids.has(this.#id)) return;
    this.#showKnown();
    this.#later(SOON_MS);
  }

  #later(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), ms);
  }

  async refresh() {
    if (this.#id === null) return;
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    let unknown = false;
    try {
      const { order } = await get(`api/orders/${encodeURIComponent(this.#id)}`);
      if (turn !== this.#turn) return;
      this.#show(order);
      if (this.#settled) return;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#note(this.#problemText(error));
      unknown = error.status === 404 && !this.#orders.get(this.#id)?.known;
    }
    const fast = Date.now() - this.#opened < FAST_FOR_MS;
    // Of an id that no order has something may be heard, and then it is asked for again.
    if (fast || !unknown) this.#later(fast ? FAST_MS : SLOW_MS);
  }

  #problemText(error) {
    if (error.status !== 404) return error.message;
    const sent = this.#orders.get(this.#id)?.known;
    return sent ? "On its way: the worker has sent it, and has not stored it yet." : error.message;
  }

  #note(text) {
    const note = byId("story-note");
    if (note.textContent === text) return;
    note.hidden = !text;
    note.textContent = text;
    if (text) setText(byId("announcer"), text);
  }

  /** What is known already, while the whole is asked for. */
  #showKnown() {
    const order = this.#orders.get(this.#id);
    if (order?.known) {
      showChips(byId("story-chips"), order);
      this.#announce(order);
    } else {
      byId("story-chips").replaceChildren();
      delete byId("story-chips").dataset.chips;
    }
  }

  #announce(order) {
    const text = `Order ${this.#id}: ${spoken(order)}`;
    if (text === this.#said) return;
    this.#said = text;
    setText(byId("announcer"), text);
  }

  #show(found) {
    this.#note("");
    this.#onChange(this.#orders.addDocuments([found]));
    this.#showKnown();
    this.#settled = isSettled(found);
    const spans = spansOf(found);
    const moments = new Set(momentsOf(spans));
    const scale = moments.size > 1 ? new Scale(moments) : null;
    showAxis(scale);
    showItems(byId("story-steps"), stepItems(found, spans, scale));
    showItems(byId("story-facts"), factItems(found));
    this.#actions.show(found);
  }
}

function showItems(parent, items) {
  replaceIfChanged(parent, items, items.map((item) => item.textContent).join("\n"));
}
