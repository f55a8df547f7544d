/* One dead letter: why it was given up, and its headers, key and value as they lie in Kafka. */

import { get } from "./api.js";
import { bytesText, fact, headerFact, noteOf } from "./bytes.js";
import { orderLink, stateChip } from "./letter_row.js";
import { byId, countText, make, setText, zonedText } from "./text.js";

/** The worker asks Kafka, which has 8 s. */
const PATIENCE_MS = 12_000;

export class Letter {
  #close;
  #resolve;
  #place = null;
  #turn = 0;

  /** `close()`; `resolve(action, place)`. */
  constructor({ close, resolve }) {
    this.#close = close;
    this.#resolve = resolve;
    byId("letter-close").addEventListener("click", close);
    byId("letter").addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
  }

  open(place, focus) {
    if (place !== this.#place) {
      this.#place = place;
      byId("letter").hidden = false;
      setText(byId("letter-title"), `Dead letter ${place}`);
      byId("letter-body").hidden = true;
      this.#note("Loading …");
      this.refresh();
    }
    if (focus) byId("letter-title").focus({ preventScroll: true });
  }

  /** The focus goes back to where it came from, else to `refuge`. */
  close(refuge) {
    if (this.#place === null) return;
    const inside = byId("letter").contains(document.activeElement);
    const opener = [...document.querySelectorAll('#letters-rows [data-letter="place"] a')].find(
      (link) => link.textContent === this.#place,
    );
    this.#place = null;
    this.#turn += 1;
    byId("letter").hidden = true;
    if (inside) (opener ?? refuge)?.focus();
  }

  async refresh() {
    if (this.#place === null) return;
    const turn = ++this.#turn;
    try {
      const { letter } = await get(`api/dead-letters/${encodeURIComponent(this.#place)}`, PATIENCE_MS);
      if (turn === this.#turn) this.#show(letter);
    } catch (error) {
      if (turn !== this.#turn) return;
      byId("letter-body").hidden = true;
      const again = make("button", "quiet", "Try again");
      again.addEventListener("click", () => this.refresh());
      // A place that there is not stays so.
      this.#note(error.message, [400, 404].includes(error.status) ? [] : [" ", again]);
    }
  }

  #note(text, more = []) {
    const note = byId("letter-note");
    note.hidden = !text;
    note.replaceChildren(text, ...more);
  }

  #show(letter) {
    this.#note(letter.damage ? `Its headers are damaged: ${letter.damage}` : "");
    byId("letter-body").hidden = false;
    byId("letter-actions").replaceChildren(...this.#actions(letter));
    byId("letter-facts").replaceChildren(...factsOf(letter).map(fact));
    showBytes("value", letter.value);
    showBytes("key", letter.key);
    const left = letter.header_count - letter.headers.length;
    setText(byId("letter-headers-note"), left > 0 ? `and ${countText(left)} more` : " ");
    byId("letter-headers").replaceChildren(...letter.headers.map(headerFact));
  }

  #actions({ place, state, objection }) {
    const parts = [];
    const offer = (action, name) => {
      const button = make("button", "", name);
      button.type = "button";
      button.addEventListener("click", () => this.#resolve(action, place));
      parts.push(button);
    };
    if (state === "open" && !objection) offer("replay", "Replay …");
    if (state === "open") offer("drop", "Drop …");
    if (objection) parts.push(make("span", "note", `It can't be replayed: ${objection}`));
    return parts;
  }
}

function factsOf(letter) {
  const { original_topic: topic, original_partition: partition, original_offset: offset } = letter;
  const { resolution } = letter;
  const sent = letter.original_timestamp;
  return [
    ["State", stateChip(letter)],
    ["Order", letter.order_id === null ? null : orderLink(letter.order_id)],
    ["Given up by", letter.services.join(", ")],
    ["Error", letter.error_class && `${letter.error_class}: ${letter.error_text}`],
    ["Attempts", letter.attempts],
    ["First failure", letter.first_failure && zonedText(letter.first_failure)],
    ["Last failure", zonedText(letter.last_failure)],
    ["Done", resolution && `${resolution.action} for ${resolution.services.join(", ")}, ${zonedText(resolution.at)}`],
    ["Came from", topic && `${topic}, partition ${partition}, offset ${offset}`],
    ["Sent", sent > 0 ? zonedText(sent) : null],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
}

function showBytes(name, found) {
  const text = byId(`letter-${name}`);
  text.textContent = bytesText(found);
  setText(byId(`letter-${name}-note`), found ? noteOf(found, true) : " ");
}
