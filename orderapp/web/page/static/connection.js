/* The one state that the page is in, from which all follows that it says of itself: the line at
   the top, the notice, whether the list is called live. */

import { byId, counted, make, secondsText, setText } from "./text.js";

const STALE_S = 20;

/** Most important first: the short name and what it means for the reader. */
const PROBLEMS = {
  stream: ["Connection lost", "What is below may be out of date. The page goes on trying."],
  starting: ["Starting", "The worker looks for Kafka, makes the topics and gets its partitions."],
  ready: ["Worker not ready", "New orders may not arrive."],
  store: ["Store away", "Lists and figures may be out of date."],
  list: ["Orders not available", "The page goes on trying."],
  figures: ["Figures not available", "Figures and charts are out of date."],
};
/** With these nothing is known of the others, or they follow from it. */
const ALONE = ["stream", "starting"];
/** Orders arrive in the list. */
const LIVE = ["store", "figures", "live"];

export class Connection {
  #problems = new Map();
  #heard = null;
  #connected = false;
  /** Whether the worker has said, since it is connected, if it is ready. */
  #asked = false;
  #paused = false;
  #waiting = 0;
  #wasLive = false;
  #onLive;

  /** `onLive(live)` when orders begin or cease to arrive in the list. */
  constructor(onLive) {
    this.#onLive = onLive;
    setInterval(() => this.#showAge(), 1000);
  }

  heard() {
    this.#heard = Date.now();
  }

  opened() {
    this.#connected = true;
    this.#asked = false;
    this.heard();
    this.clear("stream");
  }

  /** What the worker misses, and whether it is still starting. */
  readiness({ missing, starting }) {
    this.#asked = true;
    const isStore = missing.every((one) => one.startsWith("store:"));
    const kind = starting ? "starting" : isStore ? "store" : "ready";
    if (missing.length === 0) this.clear("ready");
    else this.problem("ready", `Missing: ${missing.join(", ")}.`, kind);
  }

  get live() {
    return LIVE.includes(this.#current()[0]) && !this.#paused && !this.#problems.has("list");
  }

  get starting() {
    return this.#current()[0] === "starting";
  }

  /** What `source` has met, until `clear(source)`: `kind` of PROBLEMS. Two sources may have met
      the same, and each can only say that it is over for itself. */
  problem(source, detail, kind = source) {
    if (source === "stream") this.#connected = false;
    this.#problems.set(source, { kind, detail });
    this.#show();
  }

  clear(source) {
    this.#problems.delete(source);
    this.#show();
  }

  /** `waiting`: how many orders have come since the page was paused. */
  paused(paused, waiting) {
    this.#paused = paused;
    this.#waiting = waiting;
    this.#show();
  }

  /** Each kind of problem that there is, with its detail, the most important first. */
  #found() {
    const met = [...this.#problems.values()];
    const found = Object.keys(PROBLEMS)
      .map((kind) => met.find((problem) => problem.kind === kind))
      .filter(Boolean);
    return ALONE.includes(found[0]?.kind) ? found.slice(0, 1) : found;
  }

  /** State, name and, of a problem, its detail. */
  #current() {
    const [worst] = this.#found();
    if (worst) return [worst.kind, PROBLEMS[worst.kind][0], worst.detail];
    if (this.#paused) return ["paused", "Paused"];
    return this.#connected && this.#asked ? ["live", "Live"] : ["connecting", "Connecting"];
  }

  #show() {
    const [state, name, detail] = this.#current();
    const root = byId("connection");
    if (root.dataset.state !== state) {
      root.dataset.state = state;
      setText(byId("state"), name);
      setText(byId("announcer"), [name, detail].filter(Boolean).join(". "));
    }
    this.#showProblems();
    this.#showAge();
    if (this.live === this.#wasLive) return;
    this.#wasLive = this.live;
    this.#onLive(this.live);
  }

  #showProblems() {
    const texts = this.#found().map(({ kind, detail }) => [PROBLEMS[kind], detail]);
    const notice = byId("notice");
    notice.dataset.state = this.#current()[0];
    const signature = JSON.stringify(texts);
    if (notice.dataset.shown === signature) return;
    notice.dataset.shown = signature;
    if (texts.length === 0 && notice.contains(document.activeElement)) byId("pause").focus();
    notice.hidden = texts.length === 0;
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
    if (this.#paused && this.#connected) {
      setText(age, `${counted(this.#waiting, "order")} since`);
      age.classList.remove("stale");
      return;
    }
    if (this.#heard === null) return;
    // Wall clock, not performance.now(): that one may stop while the machine sleeps.
    const seconds = Math.max(0, Math.floor((Date.now() - this.#heard) / 1000));
    const stale = seconds >= STALE_S || !this.#connected;
    const ago = seconds < 120 ? `${Math.max(1, seconds)} s` : secondsText(seconds);
    setText(age, seconds < 2 && !stale ? "heard just now" : `heard ${ago} ago`);
    age.classList.toggle("stale", stale);
  }
}
