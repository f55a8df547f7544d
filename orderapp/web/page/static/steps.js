/* The parts of a story: its steps with their times, what it waits for, the order's facts. */

import { gaveUp } from "./orders.js";
import { amountText, datedText, make, preciseText, secondsText, words, zonedText } from "./text.js";

/** For each step its name and its tone. */
const STEPS = {
  created: ["Created", "calm"],
  accepted: ["Accepted", "info"],
  judged: ["Judged", "info"],
  paid: ["Paid", "good"],
  declined: ["Declined", "bad"],
  stored: ["Stored", "info"],
  dead_letter: ["Dead letter", "dead"],
};

/** What a rule in the shadow has found. */
const SHADOW = ["Judged in the shadow", "calm"];

export function stepItems(order) {
  return [...order.timeline.map(stepItem(order)), ...missing(order).map(waitingItem)];
}

function stepItem({ timeline, fraud }) {
  const start = Date.parse(timeline.find(({ at }) => at)?.at ?? "");
  return ({ step, at, detail, shadow }) => {
    const [name, tone] = shadow ? SHADOW : (STEPS[step] ?? [String(step), "calm"]);
    const item = make("li");
    const alert = step === "judged" && !shadow && fraud?.verdict === "ALERT";
    // The others have judged it; one could not, so that it is not clear.
    const isOpen = step === "judged" && !shadow && fraud?.verdict === "UNKNOWN";
    item.dataset.tone = alert ? "wait" : isOpen ? "bad" : tone;
    item.append(make("b", "", name));
    if (at) item.append(" ", timeOf(at, start));
    if (detail) item.append(" ", make("span", "detail", detail));
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

export function factItems(order) {
  const facts = [
    ["Created", zonedText(order.created_at)],
    ["Amount", amountText(order.amount)],
    ["Country", order.country],
    ["Customer", order.customer_id],
    ["Kafka", `partition ${order.kafka_partition}, offset ${order.kafka_offset}`],
    ["Trace", order.trace_id],
    ["Found by", ruleLinks(order)],
    ["Dead letter", letterLink(order.dead_letter)],
  ];
  return facts
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => {
      const item = make("div");
      const shown = make("dd", name === "Trace" ? "code" : "");
      shown.append(...[value].flat());
      item.append(make("dt", "", name), shown);
      return item;
    });
}

/** To where the rules can be changed that have found it, those in the shadow too. */
function ruleLinks({ alerts, shadow }) {
  const ids = [...new Set([...alerts, ...shadow].map(({ reason }) => reason))];
  if (ids.length === 0) return null;
  return ids.flatMap((id, at) => {
    const link = make("a", "", words(id));
    link.href = `#/rules/${encodeURIComponent(id)}`;
    return at > 0 ? [", ", link] : [link];
  });
}

/** To where it can be replayed; its state may not be known. */
function letterLink(letter) {
  if (!letter) return null;
  const link = make("a", "", letter.state ?? "given up");
  link.href = `#/dead-letters/${letter.place}`;
  return link;
}
