/* Orders and alerts over time, as bars (uPlot, a global of its own file). */

import { series } from "./series.js";
import { byId, counted, countText, minutesText, setText, timeText, zoneText } from "./text.js";

const HEIGHT = 190;
/** How far a key moves among the bars. */
const MOVES = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
  Home: -Infinity,
  End: Infinity,
};
const NOWHERE = { left: -10, top: -10 };
/** Orders between two lines: whole numbers, up to more than a minute can bring. */
const GRID = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((zeros) => [1, 2, 5].map((n) => n * 10 ** zeros));
/** Pixels of a digit of the axes, and of what stands around a number. */
const DIGIT = 7;
const AROUND = 18;

/** Alerts are counted at their own time, not at their order's. */
const said = (orders, alerts) => `${counted(orders, "order")}, ${counted(alerts, "alert")}`;

export class ActivityChart {
  #box = byId("activity");
  #plot = null;
  #shown = null;
  #summary = "";

  constructor() {
    this.#box.addEventListener("keydown", (event) => this.#onKey(event));
    this.#box.addEventListener("focus", () => this.#onFocus());
    this.#box.addEventListener("blur", () => this.#plot?.setCursor(NOWHERE));
    new ResizeObserver(() => this.#resize()).observe(this.#box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#rebuild());
    addEventListener("themechange", () => this.#rebuild());
  }

  show(stats) {
    const now = Date.parse(stats.at) / 1000 || Date.now() / 1000;
    this.#shown = series(stats.activity, now);
    if (this.#plot === null) this.#rebuild();
    else this.#plot.setData(this.#shown.columns);
    this.#describe();
  }

  #describe() {
    const { columns, step } = this.#shown;
    const sum = (column) => column.reduce((one, other) => one + other, 0);
    const minutes = Math.round(((columns[0].length - 1) * step) / 60);
    const text = `${said(sum(columns[1]), sum(columns[2]))}, in ${minutes} minutes`;
    this.#summary = text;
    const bar = step < 60 ? `per ${step} s` : "per minute";
    setText(byId("activity-step"), `${bar}, times in ${zoneText()}`);
    this.#readOut(this.#plot?.cursor.idx);
  }

  /** What a bar says, or all of them together; aloud only where the reader has moved. */
  #readOut(index) {
    setText(byId("activity-readout"), this.#textOf(index));
    if (document.activeElement !== this.#box) this.#setValue(index);
  }

  #textOf(index) {
    if (index === null || index === undefined) return this.#summary;
    const [times, orders, alerts] = this.#plot.data;
    const bar = said(orders[index], alerts[index]);
    const soFar = index === times.length - 1 ? " so far" : "";
    return `${timeText(times[index] * 1000)}, ${this.#shown.step} s${soFar}: ${bar}`;
  }

  #setValue(index) {
    const last = this.#shown.columns[0].length - 1;
    this.#box.setAttribute("aria-valuemax", last);
    this.#box.setAttribute("aria-valuenow", index ?? last);
    this.#box.setAttribute("aria-valuetext", this.#textOf(index));
  }

  #onFocus() {
    if (this.#plot !== null && this.#box.matches(":focus-visible")) this.#moveTo(Infinity);
  }

  #onKey(event) {
    const move = MOVES[event.key];
    if (this.#plot === null || move === undefined) return;
    event.preventDefault();
    this.#moveTo((this.#plot.cursor.idx ?? this.#plot.data[0].length) + move);
  }

  #moveTo(wanted) {
    const [times] = this.#plot.data;
    const index = Math.max(0, Math.min(wanted, times.length - 1));
    this.#plot.setCursor({ left: this.#plot.valToPos(times[index], "x"), top: 0 });
    this.#setValue(index);
  }

  #resize() {
    if (this.#plot !== null && this.#box.clientWidth > 0) {
      this.#plot.setSize({ width: this.#box.clientWidth, height: HEIGHT });
    }
  }

  #rebuild() {
    if (this.#shown === null) return;
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(), this.#shown.columns, this.#box);
  }

  #options() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: color("--muted"), font: "12px system-ui, sans-serif" };
    const bars = {
      width: 0,
      points: { show: false },
      paths: uPlot.paths.bars({ size: [0.86, 28], align: 1, radius: 0.15 }),
    };
    return {
      width: this.#box.clientWidth,
      height: HEIGHT,
      padding: [10, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, setScale: false } },
      scales: {
        x: { range: () => this.#range() },
        y: { range: (_, __, most) => [0, Math.max(4, Math.ceil(most * 1.08))] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          grid: { show: false },
          ticks: { stroke: color("--line"), size: 4 },
          values: (_, times) => times.map((time) => minutesText(time * 1000)),
          incrs: [60, 120, 300, 600, 900],
        },
        {
          ...axis,
          size: (_, labels) => AROUND + DIGIT * Math.max(3, ...(labels ?? []).map((text) => text.length)),
          grid: { stroke: color("--line"), width: 1 },
          ticks: { show: false },
          incrs: GRID,
          values: (_, counts) => counts.map(countText),
        },
      ],
      series: [
        {},
        { ...bars, fill: color("--chart-orders") },
        // An edge, as the two colours are not far apart for every eye.
        { ...bars, fill: color("--chart-alerts"), stroke: color("--surface"), width: 1.5 },
      ],
      hooks: {
        setCursor: [(plot) => this.#readOut(plot.cursor.idx)],
        draw: [(plot) => pale(plot, color("--surface"))],
      },
    };
  }

  #range() {
    const { columns, step } = this.#shown;
    return [columns[0][0], columns[0].at(-1) + step];
  }
}

/** The last bar is still filling: it is paler, so that it does not look like a fall. */
function pale({ ctx, bbox, data: [times], valToPos }, surface) {
  const left = valToPos(times.at(-1), "x", true);
  ctx.save();
  ctx.globalAlpha = 0.45;
  ctx.fillStyle = surface;
  ctx.fillRect(left, bbox.top, bbox.left + bbox.width - left, bbox.height);
  ctx.restore();
}
