/* The view of what is broken on purpose: how much, by whom, and switched from here. */

import { REFUSED } from "./access.js";
import { ApiError, get, post, put } from "./api.js";
import { FaultRow, nameOf, valueText } from "./fault.js";
import { byId, make, momentText, replaceIfChanged, setText, zonedText } from "./text.js";
import { TokenField } from "./token.js";

const LOOK_EVERY_MS = 2000;

export class Faults {
  #access;
  #token;
  #rows = new Map();
  #answer = null;
  #busy = false;
  /** Answers about what was before are on their way. */
  #turn = 0;
  #timer = 0;
  #isShown = false;

  constructor({ access }) {
    this.#access = access;
    this.#token = new TokenField(access, byId("faults-token"));
    this.#token.show(access.changes === "token" && !access.token);
    access.onAnswer(() => {
      if (access.changes !== "token" || !access.token) this.#token.show(access.changes === "token");
      this.#draw();
    });
    byId("faults-off").addEventListener("click", () => this.#allOff());
  }

  show() {
    this.#isShown = true;
    return this.#look();
  }

  leave() {
    this.#isShown = false;
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  async #look() {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    try {
      if (!document.hidden) await this.#ask(turn);
    } catch (error) {
      if (turn === this.#turn) this.#problem(`${error.message} The page goes on trying.`);
    }
    if (turn === this.#turn && this.#isShown) {
      this.#timer = setTimeout(() => this.#look(), LOOK_EVERY_MS);
    }
  }

  async #ask(turn) {
    const answer = await get("api/faults");
    if (turn !== this.#turn) return;
    this.#answer = answer;
    this.#problem("");
    this.#draw();
  }

  #problem(text) {
    byId("faults-problem").hidden = !text;
    setText(byId("faults-problem"), text);
  }

  #draw() {
    if (this.#answer === null) return;
    const { faults, changes } = this.#answer;
    const why = this.#refusal(faults);
    byId("faults-refused").hidden = why === null;
    setText(byId("faults-why"), why);
    byId("faults-who").hidden = why !== null;
    byId("faults-off").hidden = why !== null;
    for (const fault of faults) {
      const row = this.#rows.get(fault.name) ?? this.#add(fault);
      const refused = why === null ? fault.refused : null;
      row.show(fault, { offered: why === null && !refused, refused });
    }
    this.#drawChanges(changes, new Map(faults.map((fault) => [fault.name, fault])));
  }

  /** Why nothing can be switched from here; null: something can. */
  #refusal(faults) {
    if (this.#access.changes === "refused") return REFUSED;
    const found = new Set(faults.map(({ refused }) => refused));
    return found.size === 1 ? [...found][0] : null;
  }

  #add(fault) {
    const row = new FaultRow(fault, (...wanted) => this.#switch(...wanted));
    this.#rows.set(fault.name, row);
    byId("faults-list").append(row.element);
    return row;
  }

  #drawChanges(changes, faults) {
    const items = changes.map(({ name, value, author, changed_at: at }) => {
      const time = make("time", "", momentText(at));
      time.dateTime = at;
      time.title = zonedText(at);
      const much = value > 0 ? valueText(faults.get(name), value) : "off";
      const item = make("li");
      item.append(time, make("b", "", nameOf(name)), ` to ${much}, by ${author || "nobody who said so"}`);
      return item;
    });
    replaceIfChanged(byId("faults-changes"), items, JSON.stringify(changes));
    byId("faults-unchanged").hidden = changes.length > 0;
  }

  #switch(row, value) {
    return this.#change((text, tone) => row.say(text, tone), async () => {
      const body = { value, author: author() };
      const headers = { "If-Match": `"${row.version}"`, ...this.#token.headers() };
      await put(`api/faults/${row.name}`, body, headers);
      row.settle();
    }, row);
  }

  #allOff() {
    return this.#change(say, () => post("api/faults/off", { author: author() }, this.#token.headers()));
  }

  /** Do it, and tell what came of it, at the `row` that it is about if there is one. */
  async #change(tell, work, row = null) {
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#timer);
    this.#turn += 1;
    say("");
    for (const other of this.#rows.values()) other.say("");
    tell("Switching …");
    try {
      await work();
      this.#token.show(false);
      await this.#look();
      tell("Done: it holds in this worker, and in the others within a second.", "good");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await this.#failed(error, tell, row);
    } finally {
      this.#busy = false;
    }
  }

  async #failed(error, tell, row) {
    if (row && [400, 422].includes(error.status)) row.wrong(error.message);
    else tell(error.message, "bad");
    if (error.status === 401) this.#token.ask();
    if (error.status === 403) this.#access.ask();
    await this.#look();
    if (error.status !== 412 || !row) return;
    row.settle(true);
    row.overtaken();
  }
}

const author = () => byId("faults-author").value.trim() || "page";

function say(text, tone = "") {
  byId("faults-says").textContent = text;
  byId("faults-says").dataset.tone = tone;
}
