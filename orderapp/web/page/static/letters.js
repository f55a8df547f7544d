/* The view of dead letters: by error, one by one, and what is to be done with them. The list does
   not change under its reader: that it has changed is said. */

import { get } from "./api.js";
import { listTitle } from "./address.js";
import { Letter } from "./letter.js";
import { LetterRow } from "./letter_row.js";
import { Resolver } from "./resolve.js";
import { byId, counted, countText, make, setText } from "./text.js";

const PAGE = 50;
const LOOK_EVERY_MS = 5000;

export class Letters {
  #go;
  #letter;
  #resolver;
  #address = null;
  #answer = null;
  /** What was asked for when the list was drawn. */
  #drawn = "";
  #rows = [];
  #turn = 0;
  #timer = 0;

  constructor({ access, go }) {
    this.#go = go;
    this.#resolver = new Resolver(access, () => this.#resolved());
    this.#letter = new Letter({
      close: () => this.#go({ open: "" }),
      resolve: (action, place) => this.#resolver.open(action, { places: [place] }),
    });
    this.#listen();
  }

  /** Show what the address says; `focus` goes to the letter that it opens. */
  async show(address, focus) {
    const before = this.#address;
    this.#address = address;
    setText(byId("letters-title"), listTitle({ ...address, status: address.status || "open" }));
    this.#fill();
    if (address.open) this.#letter.open(address.open, focus);
    else this.#letter.close(byId("letters-title"));
    this.#mark();
    if (query(address) !== (before && query(before))) await this.#load();
    else this.#later();
  }

  /** Another view is shown. */
  leave() {
    this.#resolver.close();
    clearTimeout(this.#timer);
    this.#turn += 1;
    this.#address = null;
    this.#letter.close(null);
  }

  #listen() {
    const form = byId("letters-filters");
    form.addEventListener("change", () => this.#filter(form));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#filter(form);
    });
    byId("letters-news").addEventListener("click", async () => {
      byId("letters-title").focus();
      await this.#load();
    });
    byId("letters-newest").addEventListener("click", () => this.#turnPage(""));
    byId("letters-older").addEventListener("click", () => this.#turnPage(this.#answer.next));
    byId("letters-all").addEventListener("change", (event) => {
      for (const row of this.#rows) row.choose(event.target.checked);
      this.#showActions();
    });
    byId("letters-rows").addEventListener("change", () => this.#showActions());
    for (const action of ["replay", "drop"]) {
      byId(`letters-${action}`).addEventListener("click", () => this.#resolver.open(action, this.#choice()));
    }
  }

  #filter({ elements: { status, service, error, order_id: order } }) {
    this.#go({
      status: status.value,
      service: service.value,
      error: error.value.trim(),
      order_id: order.value.trim().replace(/^(?:#|pay-)/i, ""),
      after: "",
    });
  }

  #turnPage(after) {
    byId("letters-title").focus();
    this.#go({ after });
  }

  #fill() {
    const { elements } = byId("letters-filters");
    for (const name of ["status", "service"]) {
      const value = this.#address[name];
      const there = [...elements[name].options].some((option) => option.value === value);
      if (!there) elements[name].add(new Option(value, value));
      elements[name].value = value;
    }
    elements.error.value = this.#address.error;
    elements.order_id.value = this.#address.order_id;
  }

  async #load() {
    const turn = ++this.#turn;
    const answer = await this.#ask();
    if (turn !== this.#turn) return;
    if (answer) this.#draw(answer);
    this.#later();
  }

  /** Whether there is news; what is shown stays. */
  async #look() {
    const turn = this.#turn;
    const answer = document.hidden ? null : await this.#ask();
    if (turn !== this.#turn) return;
    const news = answer !== null && JSON.stringify(answer) !== JSON.stringify(this.#answer);
    // Into an empty list nothing is pushed aside, and one that was asked for before is no longer
    // the one that the title names.
    const isOld = this.#drawn !== query(this.#address);
    if (news && (isOld || !this.#answer?.letters.length)) this.#draw(answer);
    else if (news) byId("letters-news").hidden = false;
    this.#later();
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }

  /** The answer, null when there is none, which is said. */
  async #ask() {
    const turn = this.#turn;
    const problem = byId("letters-problem");
    try {
      const answer = await get(`api/dead-letters?${query(this.#address)}`);
      if (turn === this.#turn) problem.hidden = true;
      return answer;
    } catch (error) {
      if (turn !== this.#turn) return null;
      // What this address asks for there is not, and will not be.
      const way = error.status === 400 ? "Choose another filter." : "The page goes on trying.";
      problem.hidden = false;
      setText(problem, `${error.message} ${way}`);
      if (error.status === 400) this.#draw(NOTHING);
      return null;
    }
  }

  #draw(answer) {
    this.#answer = answer;
    this.#drawn = query(this.#address);
    byId("letters-news").hidden = true;
    const { counts, letters, total, next } = answer;
    setText(
      byId("letters-counts"),
      `Of these ${countText(counts.open)} are open, ${countText(counts.replayed)} replayed, ${countText(counts.dropped)} dropped.`,
    );
    this.#offerServices(letters);
    byId("letters-groups").replaceChildren(...answer.groups.map((group) => this.#group(group)));
    const { service } = this.#address;
    this.#rows = letters.map(
      (letter) => new LetterRow(letter, (place) => this.#addressOf(place), service),
    );
    byId("letters-rows").replaceChildren(...this.#rows.map((row) => row.element));
    byId("letters-scroller").hidden = letters.length === 0;
    byId("letters-empty").hidden = letters.length > 0 || answer === NOTHING;
    setText(byId("letters-empty"), this.#emptyText());
    setText(byId("letters-total"), counted(total, "dead letter"));
    byId("letters-newest").hidden = !this.#address.after;
    byId("letters-older").hidden = next === null;
    this.#mark();
    this.#showActions();
  }

  #offerServices(letters) {
    const { service } = byId("letters-filters").elements;
    const there = new Set([...service.options].map((option) => option.value));
    for (const name of new Set(letters.flatMap((letter) => letter.services))) {
      if (!there.has(name)) service.add(new Option(name, name));
    }
  }

  #emptyText() {
    const { service, error, order_id: order, status } = this.#address;
    if (service || error || order || this.#address.after) return "No dead letter matches.";
    return status === "all" ? "There are no dead letters." : `None is ${status || "open"}.`;
  }

  #group({ error, counts }) {
    const button = make("button", "group");
    const chosen = this.#address.error === error;
    button.type = "button";
    button.setAttribute("aria-pressed", String(chosen));
    const parts = Object.entries(counts).filter(([, count]) => count > 0);
    const text = parts.map(([state, count]) => `${countText(count)} ${state}`).join(", ");
    button.append(make("b", "", error), " ", make("small", "", text));
    button.addEventListener("click", () => {
      byId("letters-title").focus();
      this.#go({ error: chosen ? "" : error, after: "" });
    });
    const item = make("li");
    item.append(button);
    return item;
  }

  #mark() {
    for (const row of this.#rows) row.mark(this.#address.open);
  }

  #addressOf(place) {
    const { status, service, error, order_id, after } = this.#address;
    return { view: "dead-letters", open: place, status, service, error, order_id, after };
  }

  /** What the buttons would be about: those that are ticked, or all open ones that match; for the
      service alone that was chosen. */
  #choice() {
    const places = this.#rows.filter((row) => row.chosen).map((row) => row.place);
    const { service, error, order_id: order } = this.#address;
    const choice = service ? { service } : {};
    if (places.length > 0) return { ...choice, places };
    if (error) choice.error = error;
    if (order) choice.order_id = Number(order);
    return Object.keys(choice).length > 0 ? choice : { everything: true };
  }

  #showActions() {
    const open = this.#rows.filter((row) => row.canBeChosen);
    const chosen = open.filter((row) => row.chosen).length;
    const all = byId("letters-all");
    all.checked = chosen > 0 && chosen === open.length;
    all.indeterminate = chosen > 0 && chosen < open.length;
    all.disabled = open.length === 0;
    const number = chosen || this.#answer.counts.open;
    const which = chosen > 0 ? countText(chosen) : `all ${countText(number)} open`;
    for (const [action, name] of [["replay", "Replay"], ["drop", "Drop"]]) {
      const button = byId(`letters-${action}`);
      button.disabled = number === 0;
      setText(button, number === 0 ? name : `${name} ${which} …`);
    }
  }

  #resolved() {
    this.#letter.refresh();
    if (this.#address !== null) this.#load(); // else another view is shown
  }
}

const NOTHING = {
  letters: [], groups: [], next: null, total: 0, counts: { open: 0, replayed: 0, dropped: 0 },
};

/** What the API is asked for. */
function query({ status, service, error, order_id, after }) {
  const asked = new URLSearchParams({ limit: PAGE });
  const filters = { status: status || "open", service, error, order_id, after };
  for (const [name, value] of Object.entries(filters)) {
    if (value && value !== "all") asked.set(name, value);
  }
  return String(asked);
}
