/* How things are said. Everything from an order goes in as text, never as markup. */

/** Everywhere: times in a column stay one under the other, and fit. */
const hourCycle = "h23";
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle });
const minutes = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle });
const precise = new Intl.DateTimeFormat(undefined, {
  hourCycle,
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});
const dated = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
  hourCycle,
});
const zoned = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "long",
  hourCycle,
});
const dayed = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle,
});
const money = new Intl.NumberFormat(undefined, {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 2 });
const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export const countText = (value) =>
  isNumber(value) ? (value < 1_000_000 ? plain : short).format(value) : "–";
export function sumText(value) {
  if (!isNumber(value)) return "–";
  if (value < 10_000) return money.format(value);
  return (value < 1_000_000 ? whole : short).format(value);
}
export const amountText = (value) => (isNumber(value) ? money.format(value) : value);
export const shareText = (part, all) => (all > 0 ? share.format(part / all) : "–");

/** Local time of day of a text or of milliseconds; a text that is no time as it is. */
export function timeText(text, format = clock) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? String(text) : format.format(time);
}

/** The time of day alone if it was today; with the date, and if need be the year, otherwise. */
export function momentText(text) {
  const time = new Date(text);
  const today = new Date();
  if (time.toDateString() === today.toDateString()) return timeText(text);
  return timeText(text, time.getFullYear() === today.getFullYear() ? dayed : dated);
}

export const minutesText = (text) => timeText(text, minutes);
export const preciseText = (text) => timeText(text, precise);
export const datedText = (text) => timeText(text, dated);
export const zonedText = (text) => timeText(text, zoned);

/** The short name of the zone that times are shown in. */
export const zoneText = () =>
  new Intl.DateTimeFormat(undefined, { timeZoneName: "short" })
    .formatToParts()
    .find(({ type }) => type === "timeZoneName").value;

/** A span of time, in the unit that fits. */
export function secondsText(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

export const durationText = (ms) => (ms < 1 ? "under 1 ms" : secondsText(ms / 1000));

/** `HIGH_AMOUNT` as words; anything else as it is. */
export function words(code) {
  const text = String(code);
  return /^[A-Z][A-Z_]*$/.test(text) ? text.toLowerCase().replaceAll("_", " ") : text;
}

/** `1 order`, `2 orders`. */
export const counted = (count, noun) => `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;

/** Change an element's text only if it differs, so that nothing moves without a reason. */
export function setText(element, value) {
  const text = value === undefined || value === null || value === "" ? "–" : String(value);
  if (element.textContent !== text) element.textContent = text;
}

/** Keep a selection and a reader's place while nothing has changed: `shown` says all of it. */
export function replaceIfChanged(parent, children, shown) {
  if (parent.dataset.shown === shown && parent.childElementCount === children.length) return;
  parent.dataset.shown = shown;
  parent.replaceChildren(...children);
}

/** An element with a class and a text. */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = String(text);
  return element;
}

export const byId = (id) => document.getElementById(id);
