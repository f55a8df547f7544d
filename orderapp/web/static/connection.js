/* The honest line at the top: connected or not, since when nothing was heard, what is wrong. */

import { byId, make, secondsText, setText } from "./text.js";

const STALE_S = 20;

/** Most important first: the short name and what it means for the reader. */
const PROBLEMS = {
  stream: ["Connection lost", "What is below may be out of date. The page goes on trying."],
  store: ["Store away", "New events still arrive; lists and figures may be out of date."],
  list: ["Orders not available", "New events still arrive. The page goes on trying."],
  figures: ["Figures not available", "Orders still arrive; figures and charts are out of date."],
  ready: ["Worker not ready", "New orders may not arrive."],
};

export class Connection {
  #problems = new Map();
  #heard = null;
  #connected = false;
  #paused = false;
  #waiting = 0;

  constructor() {
    setInterval(() => this.#showAge(), 1000);
  }

  heard() {
    this.#heard = Date.now();
  }

  opened() {
    this.#connected = true;
    this.heard();
    this.clear("stream");
  }

  /** `kind` of PROBLEMS; the same problem again only changes its text. */
  problem(kind, detail) {
    if (kind === "stream") this.#connected = false;
    this.#problems.set(kind, detail);
    this.#show();
  }

  clear(kind) {
    this.#problems.delete(kind);
    this.#show();
  }

  /** `waiting`: how many orders have come since the page was paused. */
  paused(paused, waiting) {
    this.#paused = paused;
    this.#waiting = waiting;
    this.#show();
  }

  #current() {
    const worst = Object.keys(PROBLEMS).find((kind) => this.#problems.has(kind));
    if (worst) return [worst, PROBLEMS[worst][0]];
    if (this.#paused) return ["paused", "Paused"];
    return this.#connected ? ["live", "Live"] : ["connecting", "Connecting"];
  }

  #show() {
    const [state, name] = this.#current();
    const root = byId("connection");
    if (root.dataset.state !== state) {
      root.dataset.state = state;
      setText(byId("state"), name);
      setText(byId("announcer"), [name, this.#problems.get(state)].filter(Boolean).join(". "));
    }
    this.#showProblems();
    this.#showAge();
  }

  #showProblems() {
    const known = Object.keys(PROBLEMS).filter((kind) => this.#problems.has(kind));
    const texts = known.map((kind) => [PROBLEMS[kind], this.#problems.get(kind)]);
    const notice = byId("notice");
    const signature = JSON.stringify(texts);
    if (notice.dataset.shown === signature) return;
    notice.dataset.shown = signature;
    if (known.length === 0 && notice.contains(document.activeElement)) byId("pause").focus();
    notice.hidden = known.length === 0;
    byId("problems").replaceChildren(
      ...texts.map(([[name, meaning], detail]) => {
        const item = make("li");
        item.append(make("strong", "", `${name}.`), ` ${detail} `, make("small", "", meaning));
        return item;
      }),
    );
  }

  #showAge() {
    const age = byId("age");
    if (this.#paused) {
      const orders = this.#waiting === 1 ? "order" : "orders";
      setText(age, `${this.#waiting} ${orders} since`);
      age.classList.remove("stale");
      return;
    }
    if (this.#heard === null) return;
    // Wall clock, not performance.now(): that one may stop while the machine sleeps.
    const seconds = Math.max(0, Math.floor((Date.now() - this.#heard) / 1000));
    const stale = seconds >= STALE_S || !this.#connected;
    setText(age, seconds < 2 && !stale ? "heard just now" : `heard ${secondsText(Math.max(1, seconds))} ago`);
    age.classList.toggle("stale", stale);
  }
}
