/* What the views share that show and change something live: it is asked for while they are on
   show, and changed one at a time, by the version that was seen, with the token where there is
   one. */

import { ApiError, get } from "./api.js";
import { byId, make, momentText, replaceIfChanged, setText, zonedText } from "./text.js";
import { TokenField } from "./token.js";

const LOOK_EVERY_MS = 2000;
const DONE = "Done: it holds in this worker, and in the others within a second.";

export class Live {
  /** What was answered last. */
  answer = null;
  /** What can be changed, by name: each has `say(text, tone)`, `wrong(text)`, `settle(keep)`, and
      `overtaken()`. */
  rows = new Map();
  #access;
  #name;
  #draw;
  #token;
  #busy = false;
  /** Answers about what was before are on their way. */
  #turn = 0;
  #timer = 0;
  #isShown = false;

  /** `name`: what is asked for, and how the ids of its elements begin; `draw()` shows `answer`. */
  constructor({ access, name, draw }) {
    this.#access = access;
    this.#name = name;
    this.#draw = draw;
    this.#token = new TokenField(access, this.part("token"));
    this.#token.show(access.changes === "token" && !access.token);
    access.onAnswer(() => {
      if (access.changes !== "token" || !access.token) this.#token.show(access.changes === "token");
      if (this.answer !== null) draw();
    });
  }

  part(name) {
    return byId(`${this.#name}-${name}`);
  }

  get author() {
    return this.part("author").value.trim() || "page";
  }

  /** The headers of a change: of this version, if it is about one. */
  headers(version) {
    return { ...(version && { "If-Match": `"${version}"` }), ...this.#token.headers() };
  }

  show() {
    this.#isShown = true;
    return this.look();
  }

  leave() {
    this.#isShown = false;
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  async look() {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    try {
      if (!document.hidden) await this.#ask(turn);
    } catch (error) {
      if (turn === this.#turn) this.#problem(`${error.message} The page goes on trying.`);
    }
    if (turn === this.#turn && this.#isShown) {
      this.#timer = setTimeout(() => this.look(), LOOK_EVERY_MS);
    }
  }

  async #ask(turn) {
    const answer = await get(`api/${this.#name}`);
    if (turn !== this.#turn) return;
    this.answer = answer;
    this.#problem("");
    this.#draw();
  }

  #problem(text) {
    this.part("problem").hidden = !text;
    setText(this.part("problem"), text);
  }

  /** Why nothing can be changed from here; null: something can. */
  drawRefusal(why) {
    this.part("refused").hidden = why === null;
    setText(this.part("why"), why);
    this.part("who").hidden = why !== null;
  }

  /** The last changes: `textsOf(change)` gives what it was about, and what it was. */
  drawChanges(changes, textsOf) {
    const items = changes.map((change) => {
      const { author, changed_at: at } = change;
      const time = make("time", "", momentText(at));
      time.dateTime = at;
      time.title = zonedText(at);
      const [about, what] = textsOf(change);
      const item = make("li");
      item.append(time, make("b", "", about), ` to ${what}, by ${author || "nobody who said so"}`);
      return item;
    });
    replaceIfChanged(this.part("changes"), items, JSON.stringify(changes));
    this.part("unchanged").hidden = changes.length > 0;
  }

  /** Do it, and tell what came of it, at the `row` that it is about if there is one. */
  async change(work, row = null) {
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#timer);
    this.#turn += 1;
    this.#say("");
    for (const other of this.rows.values()) other.say("");
    const tell = row === null ? (...said) => this.#say(...said) : (...said) => row.say(...said);
    tell("At work …");
    try {
      await work();
      row?.settle();
      this.#token.show(false);
      await this.look();
      tell(DONE, "good");
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
    const looked = this.look();
    if (error.status !== 412 || !row) return; // who tries again at once need not wait for it
    await looked;
    row.settle(true);
    row.overtaken();
  }

  #say(text, tone = "") {
    this.part("says").textContent = text;
    this.part("says").dataset.tone = tone;
  }
}
