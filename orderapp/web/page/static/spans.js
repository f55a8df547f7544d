/* A story's steps as spans of time: each from when on it was waited for. All services read an order
   from Kafka by themselves, so that theirs begin together. */

import { attemptsOf, attemptsText } from "./attempts.js";
import { counted, durationText } from "./text.js";

/** The steps with `from` and `to` (ms; NaN: not known), how often each was tried (`tries`), when the
    first try had failed (`failed`), or when each one was (`attempts`, where that is known); and
    among them how long the order waited in Kafka. */
export function spansOf({ timeline, payment, dead_letter: letter }) {
  const [created, accepted] = ["created", "accepted"].map((name) => {
    return Date.parse(timeline.find(({ step }) => step === name)?.at);
  });
  const spans = timeline.map((step) => {
    const to = Date.parse(step.at);
    const since = { created: to, accepted: created }[step.step] ?? accepted;
    // Clocks differ; and Kafka's has no fractions of a millisecond.
    return { ...step, ...triesOf(step, payment, letter), from: since < to ? since : to, to };
  });
  const done = spans.filter(({ step }) => !["created", "accepted"].includes(step));
  const begun = done.map(({ to, failed, attempts }) => attempts?.[0].from ?? failed ?? to);
  const first = Math.min(...begun.filter((time) => time >= accepted));
  if (Number.isFinite(first) && first > accepted) {
    const at = spans.findIndex(({ step }) => step === "accepted") + 1;
    spans.splice(at, 0, { step: "waited", at: null, from: accepted, to: first });
  }
  return spans;
}

function triesOf({ step }, payment, letter) {
  if (step === "paid" || step === "declined") {
    return { tries: payment?.attempts, attempts: attemptsOf(payment) };
  }
  if (step !== "dead_letter") return {};
  const failed = Date.parse(letter?.first_failure);
  return { tries: letter?.attempts, ...(failed && { failed }) };
}

/** All moments of some spans, in ms. */
export function momentsOf(spans) {
  const times = ({ from, to, failed, attempts }) => {
    return [from, to, failed ?? to, ...(attempts ?? []).flatMap((one) => [one.from, one.to])];
  };
  return spans.flatMap(times).filter(Number.isFinite);
}

/** How long it took, where the step's own time does not say it. */
export function spanText({ step, from, to, tries, failed, attempts }) {
  const took = durationText(to - from);
  if (step === "waited") return `at most ${took}`;
  if (step === "accepted" && to > from) return `in ${took}`;
  if (failed) return `failed first after ${durationText(failed - from)}, ${counted(tries, "attempt")} in ${took}`;
  if (attempts) return attemptsText(attempts, tries);
  return tries > 1 ? `${counted(tries, "attempt")} and the waits between them: ${took}` : "";
}
