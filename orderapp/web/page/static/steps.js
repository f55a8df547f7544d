/* The steps of a story with their times, and what it waits for. */

import { bar } from "./bars.js";
import { gaveUp } from "./orders.js";
import { spanText } from "./spans.js";
import { datedText, make, preciseText, secondsText, zonedText } from "./text.js";

/** For each step its name and its tone. */
const STEPS = {
  created: ["Created", "calm"],
  accepted: ["Accepted", "info"],
  waited: ["Waited in Kafka", "calm"],
  judged: ["Judged", "info"],
  paid: ["Paid", "good"],
  declined: ["Declined", "bad"],
  stored: ["Stored", "info"],
  dead_letter: ["Dead letter", "dead"],
};

/** What a rule in the shadow has found. */
const SHADOW = ["Judged in the shadow", "calm"];

/** The steps, which have these spans, drawn to `scale` where there is one. */
export function stepItems(order, spans, scale) {
  return [...spans.map(stepItem(order, scale)), ...missing(order).map(waitingItem)];
}

function stepItem({ timeline, fraud }, scale) {
  const start = Date.parse(timeline.find(({ at }) => at)?.at ?? "");
  return (span) => {
    const { step, at, detail, shadow } = span;
    const [name, tone] = shadow ? SHADOW : (STEPS[step] ?? [String(step), "calm"]);
    const item = make("li");
    const alert = step === "judged" && !shadow && fraud?.verdict === "ALERT";
    // The others have judged it; one could not, so that it is not clear.
    const isOpen = step === "judged" && !shadow && fraud?.verdict === "UNKNOWN";
    item.dataset.tone = alert ? "wait" : isOpen ? "bad" : tone;
    item.append(make("b", "", name));
    if (at) item.append(" ", timeOf(at, start));
    if (detail) item.append(" ", make("span", "detail", detail));
    const took = spanText(span);
    if (took) item.append(" ", make("span", "took", took));
    if (scale && Number.isFinite(span.to)) item.append(bar(span, scale));
    return item;
  };
}

function timeOf(at, start) {
  const since = (Date.parse(at) - start) / 1000;
  const after = since > 0 ? ` +${secondsText(since)}` : "";
  const sameDay = new Date(at).toDateString() === new Date(start).toDateString();
  const time = make("time", "", `${sameDay ? preciseText(at) : datedText(at)}${after}`);
  time.dateTime = at;
  time.title = zonedText(at);
  return time;
}

/** Nothing more is to be told of an order, unless somebody replays it. */
export function isSettled(order) {
  return missing(order).length === 0;
}

/** What is still to come: its name and, if there is one, a reason. */
function missing({ order_status: status, fraud, dead_letter: letter, timeline }) {
  const found = [];
  if (fraud?.verdict === "PENDING") found.push(["Waits for fraud's verdict"]);
  // That fraud gave the order up, or a rule could not judge it, is a step of its own.
  const isJudged = timeline.some(({ step, shadow }) => step === "judged" && !shadow);
  if (fraud?.verdict === "UNKNOWN" && !isJudged && !gaveUp(letter).includes("fraud")) {
    found.push(["Fraud's verdict is not known", fraud.reason]);
  }
  if (status === "stored") found.push(["Waits for its payment"]);
  return found;
}

function waitingItem([text, reason]) {
  const item = make("li", "waiting");
  item.append(make("b", "", text));
  if (reason) item.append(" ", make("span", "detail", reason));
  return item;
}
