/* Figures over all orders: asked for every two seconds, shown with their age when they are old. */

import { getDated } from "./api.js";
import {
  byId, counted, countText, make, replaceIfChanged, secondsText, setText, shareText, sumText, timeText,
} from "./text.js";

const EVERY_MS = 2000;
const STALE_MS = 7000;
const MOST_COUNTRIES = 8;
const MOST_CHOICES = 50;
/** Seconds that the oldest order may wait before it is marked. */
const SLOW_S = 5;
const STUCK_S = 60;

export class Stats {
  #onAnswer;
  #onProblem;
  #answered = null;
  #countedBefore = 0;
  #stopped = false;

  /** `onAnswer(stats)`; `onProblem(error)`, with null when all is well again. */
  constructor({ onAnswer, onProblem }) {
    this.#onAnswer = onAnswer;
    this.#onProblem = onProblem;
  }

  async run() {
    for (;;) {
      if (!document.hidden && !this.#stopped) await this.#ask();
      this.#showAge();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  set paused(paused) {
    this.#stopped = paused;
  }

  async #ask() {
    try {
      const { body: stats, date } = await getDated("api/stats");
      if (this.#stopped) return;
      this.#answered = Date.now();
      // Both by the worker's clock: this one may be wrong.
      this.#countedBefore = Math.max(0, date - Date.parse(stats.at)) || 0;
      showFigures(stats);
      showOpenLetters(stats);
      showFaults(stats);
      showServices(stats.services);
      showCountries(stats);
      this.#onAnswer(stats);
      this.#onProblem(null);
    } catch (error) {
      this.#onProblem(error);
    }
  }

  #showAge() {
    const silent = Date.now() - this.#answered;
    const age = silent + this.#countedBefore;
    const old = this.#answered !== null && age > STALE_MS;
    byId("figures-stale").hidden = !old;
    if (!old) return;
    // Totals can be older than the answer, in which the services' lag is new.
    const which = silent > STALE_MS ? "All figures and charts" : "Totals and charts";
    const at = timeText(new Date(Date.now() - age).toISOString());
    setText(byId("figures-stale"), `${which} are from ${at}, ${secondsText(age / 1000)} ago.`);
  }
}

function showFigures(stats) {
  const { orders, paid, declined, alerts, revenue } = stats;
  const rate = (span) => countText(stats.orders_per_second?.[span]);
  const figures = {
    orders: countText(orders),
    rate: `${rate("1m")} orders/s`,
    rates: `orders/s: ${rate("1m")} over 1 min, ${rate("5m")} over 5, ${rate("15m")} over 15`,
    revenue: sumText(revenue),
    mean: paid > 0 ? `${sumText(revenue / paid)} each` : "nothing paid yet",
    paid: countText(paid),
    "paid-share": `${shareText(paid, orders)} of orders`,
    declined: countText(declined),
    "declined-share": `${shareText(declined, orders)} of orders`,
    alerts: countText(alerts),
    "alerts-share": `${shareText(alerts, orders)} of orders`,
    "dead-letters": countText(stats.dead_letters),
    "dead-note": deadNote(stats),
  };
  for (const [name, text] of Object.entries(figures)) {
    setText(document.querySelector(`[data-figure="${name}"]`), text);
  }
}

/** A rate each, but for one. */
function showFaults({ faults = {} }) {
  const texts = Object.entries(faults).map(([name, value]) => {
    const much = name === "store_slow" ? secondsText(value) : shareText(value, 1);
    return `${name.replaceAll("_", " ")} (${much})`;
  });
  const text = `Broken on purpose: ${texts.join(", ")}.`;
  byId("broken").hidden = texts.length === 0;
  if (texts.length > 0) setText(byId("broken").querySelector("span"), text);
}

function showOpenLetters({ dead_letters: count }) {
  byId("open-letters").hidden = !(count > 0);
  setText(byId("open-letters"), `${countText(count)} open`);
}

function deadNote({ dead_letters: count, services }) {
  // The first to ask makes the worker count them.
  if (typeof count !== "number") return services ? "being counted" : "Kafka does not say";
  // Those of records that could not be read belong to no order on this page.
  return count > 0 ? "open: show them" : "none open";
}

function toneOf(lag, oldest) {
  if (typeof lag !== "number") return "calm";
  if (typeof oldest !== "number") return lag > 0 ? "wait" : "good";
  if (oldest >= STUCK_S) return "bad";
  return oldest >= SLOW_S ? "wait" : "good";
}

function serviceRow([name, { lag, oldest_seconds: oldest }]) {
  const row = make("tr");
  const head = make("th", "", name);
  head.scope = "row";
  const lagText = typeof lag === "number" ? countText(lag) : "unknown";
  const waits = typeof oldest === "number" ? secondsText(oldest) : lag === 0 ? "none" : "unknown";
  const chip = make("span", "chip", waits);
  chip.dataset.tone = toneOf(lag, oldest);
  const last = make("td", "number");
  last.append(chip);
  row.append(head, make("td", "number", lagText), last);
  return row;
}

function showServices(services) {
  const rows = Object.entries(services ?? {});
  replaceIfChanged(byId("services"), rows.map(serviceRow), JSON.stringify(rows));
  setText(
    byId("services-note"),
    services
      ? "Lag: records that Kafka has and the service has not done yet."
      : "Kafka does not answer, so that the lag is not known.",
  );
}

function countryItem({ country, revenue, orders, alerts }, most) {
  const item = make("li");
  const bar = make("span", "bar");
  bar.style.width = `${most > 0 ? Math.max(0.5, (100 * revenue) / most) : 0}%`;
  const track = make("span", "track");
  track.append(bar);
  const detail = `${counted(orders, "order")}, ${counted(alerts, "alert")}`;
  item.append(
    make("b", "", country || "not known"), " ", make("span", "sum", sumText(revenue)), track, " ",
    make("small", "", detail),
  );
  return item;
}

function showCountries({ countries, other_countries: others }) {
  const sorted = countries.filter(({ revenue }) => revenue > 0).sort((a, b) => b.revenue - a.revenue);
  const shown = sorted.slice(0, MOST_COUNTRIES);
  const most = shown[0]?.revenue ?? 0;
  const items = shown.map((country) => countryItem(country, most));
  replaceIfChanged(byId("countries"), items, JSON.stringify(shown));
  byId("countries-note").hidden = shown.length > 0 && sorted.length === shown.length;
  setText(byId("countries-note"), moreText(sorted.length - shown.length, Boolean(others)));
  showChoices(countries.slice(0, MOST_CHOICES).map(({ country }) => country));
}

function moreText(left, areMore) {
  if (left === 0) return "Nothing was paid yet.";
  return areMore ? `and more than ${left} other countries` : `and ${left} more countries`;
}

/** The countries to filter by, and to send an order from. */
function showChoices(names) {
  const select = byId("filter-country");
  const wanted = [...new Set([...names, select.value])].filter(Boolean).sort();
  const there = [...select.options].slice(1).map((option) => option.value);
  if (JSON.stringify(wanted) === JSON.stringify(there)) return;
  const chosen = select.value;
  select.replaceChildren(new Option("all", ""), ...wanted.map((name) => new Option(name, name)));
  select.value = chosen;
  byId("known-countries").replaceChildren(...wanted.map((name) => new Option(name, name)));
}
