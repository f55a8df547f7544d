/* The last check of all orders, and the last hour's latency and lag. What is shown as well is never
   shown without its age. */

import { get, post } from "./api.js";
import { REFUSED } from "./access.js";
import { HourChart } from "./flow_chart.js";
import { TokenField } from "./token.js";
import { byId, counted, countText, make, replaceIfChanged, secondsText, setText, timeText, words, zonedText } from "./text.js";

const EVERY_MS = 10_000;
const RUNNING_MS = 1500;
const RESULTS = {
  agree: ["good", "All agree"],
  dead_letters: ["wait", "All agree, but dead letters are open"],
  lost: ["bad", "All that is left agrees, but records were lost"],
  disagree: ["bad", "Something does not agree"],
};
const FAILURES = {
  too_large: "there are more records than a worker checks by itself: run the command reconcile",
  too_long: "it took too long: run the command reconcile",
  kafka_away: "Kafka did not answer",
  failed: "the log of the worker says why",
};

export class Proof {
  #access;
  #token;
  #chart = new HourChart(byId("flow-hour"));
  #found = null;
  /** When that was answered, by this page's clock. */
  #answered = 0;
  #timer = 0;
  #clock = 0;
  #turn = 0;

  constructor(access) {
    this.#access = access;
    this.#token = new TokenField(access, byId("proof-token"));
    byId("proof-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
  }

  enter() {
    this.#look();
    clearInterval(this.#clock);
    this.#clock = setInterval(() => this.#showResult(), 1000);
  }

  leave() {
    clearTimeout(this.#timer);
    clearInterval(this.#clock);
    this.#turn += 1;
  }

  async #look() {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    if (!document.hidden) {
      const [found, hour] = await Promise.allSettled([get("api/reconcile"), get("api/history")]);
      if (turn !== this.#turn) return;
      if (found.status === "fulfilled") this.#take(found.value);
      if (hour.status === "fulfilled") this.#showHour(hour.value);
      setText(byId("flow-hour-problem"), hour.status === "rejected" ? hour.reason.message : " ");
    }
    if (turn !== this.#turn) return;
    this.#timer = setTimeout(() => this.#look(), this.#found?.running ? RUNNING_MS : EVERY_MS);
  }

  #take(found) {
    this.#found = found;
    this.#answered = Date.now();
    this.#showResult();
    this.#showDetails();
  }

  async #begin() {
    const says = byId("proof-says");
    const { changes, token } = this.#access;
    if (changes === "refused") {
      setText(says, REFUSED);
      return;
    }
    if (changes === "token" && !token && !this.#token.isShown) {
      this.#token.show(true);
      this.#token.focus();
      return;
    }
    try {
      this.#take(await post("api/reconcile", {}, this.#token.headers()));
      this.#token.show(false);
      setText(says, " ");
      this.#look();
    } catch (error) {
      setText(says, error.status === 403 ? REFUSED : error.message);
      if (error.status === 401) this.#token.ask();
    }
  }

  /** Every second: the age goes on, also when the worker does not answer any more. */
  #showResult() {
    if (this.#found === null) return;
    const { last, running, waiting, every_seconds: every } = this.#found;
    const chip = byId("proof-result");
    if (last === null) {
      chip.dataset.tone = "calm";
      setText(chip, "Not checked yet");
      setText(byId("proof-age"), "since this worker has started");
    } else {
      const age = last.age_seconds + (Date.now() - this.#answered) / 1000;
      const [tone, text] = RESULTS[last.result] ?? ["calm", last.result];
      chip.dataset.tone = last.is_old && tone === "good" ? "wait" : tone;
      setText(chip, last.is_old ? `${text}, but that is old` : text);
      setText(byId("proof-age"), `${counted(last.orders, "order")}, checked ${secondsText(Math.floor(age))} ago`);
      byId("proof-age").title = zonedText(last.at);
    }
    const turns = every ? `Checked every ${secondsText(every)} while the services are idle.` : "Checked when somebody asks for it.";
    const now = running ? "A check is running." : waiting ? "A check is due, and waits until the services are idle." : "";
    setText(byId("proof-turns"), `${turns} ${now}`.trim());
    byId("proof-check").disabled = running;
  }

  #showDetails() {
    const { last, failed } = this.#found;
    const lines = (last?.disagreements ?? []).map(({ name, count, examples }) => {
      const more = count > examples.length ? ", …" : "";
      return `${words(name).replaceAll("_", " ")}: ${countText(count)} (${examples.join(", ")}${more})`;
    });
    if (last?.lost > 0) lines.push(`up to ${counted(last.lost, "record")} were deleted unread`);
    if (failed) lines.push(`A check at ${timeText(failed.at)} came to no result: ${FAILURES[failed.why] ?? failed.why}.`);
    replaceIfChanged(byId("proof-lines"), lines.map((line) => make("li", "", line)), JSON.stringify(lines));
  }

  #showHour(hour) {
    for (const [name, found] of [["stored", hour.stored], ["paid", hour.paid]]) {
      const [half, most] = found ? [found.p50, found.p99] : [null, null];
      setText(byId(`hour-${name}-p50`), half === null ? "–" : secondsText(half));
      setText(byId(`hour-${name}-p99`), most === null ? "–" : secondsText(most));
      setText(byId(`hour-${name}-orders`), found ? countText(found.orders) : "not in this worker");
    }
    const since = zonedText(hour.since);
    setText(byId("flow-hour-note"), `Latency: of the orders that this worker has done since ${since}. Lag: of all workers, once a minute.`);
    this.#chart.show(hour.minutes);
  }
}
