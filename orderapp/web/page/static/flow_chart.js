/* The last hour as lines: lag of the services together, and p99 until stored and until paid. */

import { countText, make, secondsText, timeText } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const SIZE = { width: 360, height: 64 };
const LINES = [
  ["Lag of all services", (minute) => lagOf(minute), countText],
  ["p99 until stored", ({ stored }) => stored?.p99 ?? null, secondsText],
  ["p99 until paid", ({ paid }) => paid?.p99 ?? null, secondsText],
];

/** Null where it is not known of any. */
export function lagOf({ lag }) {
  const known = Object.values(lag ?? {}).filter((one) => one !== null);
  return known.length > 0 ? known.reduce((sum, one) => sum + one, 0) : null;
}

export class HourChart {
  #place;

  constructor(place) {
    this.#place = place;
  }

  show(minutes) {
    const shown = JSON.stringify(minutes);
    if (this.#place.dataset.shown === shown) return;
    this.#place.dataset.shown = shown;
    this.#place.replaceChildren(...LINES.map((line) => figure(minutes, ...line)));
  }
}

function figure(minutes, name, valueOf, textOf) {
  const values = minutes.map(valueOf);
  const known = values.filter((value) => value !== null);
  const most = Math.max(0, ...known);
  const made = make("figure");
  const last = known.length > 0 ? `${textOf(known.at(-1))} last, ${textOf(most)} at most` : "not known yet";
  made.append(make("figcaption", "", `${name}: ${last}`), drawing(name, minutes, values, most, textOf));
  return made;
}

function drawing(name, minutes, values, most, textOf) {
  const svg = element("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img" });
  const title = element("title", {});
  const points = minutes.map(({ at }, index) =>
    values[index] === null ? null : `${timeText(at)}: ${textOf(values[index])}`);
  const said = points.filter((point) => point !== null).slice(-10).join("; ");
  title.textContent = `${name}, minute by minute. ${said}`;
  svg.append(title, element("path", { class: "base", d: `M0 ${SIZE.height - 1}H${SIZE.width}` }));
  values.forEach((value, index) => {
    if (value === null) return;
    const height = most > 0 ? Math.max(1, (value / most) * (SIZE.height - 4)) : 1;
    const x = SIZE.width - (values.length - index) * 6;
    svg.append(element("rect", { x, y: SIZE.height - 1 - height, width: 4, height, class: "minute" }));
  });
  return svg;
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
