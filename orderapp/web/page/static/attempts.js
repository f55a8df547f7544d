/* The attempts at a payment, one by one: when they were, and in words. */

import { counted, countText, durationText } from "./text.js";

/** Of more than these the first and the last ones are told. */
const MOST = 8;
const [FIRST, LAST] = [4, 3];

/** When the attempts that are known began and ended: `{ from, to }`, in ms. The last one was
    answered. Undefined where that is not known, and where a clock was put back meanwhile. */
export function attemptsOf(payment) {
  const attempts = (payment?.attempt_times ?? []).map(({ began, ended }) => {
    return { from: Date.parse(began), to: Date.parse(ended) };
  });
  const times = attempts.flatMap(({ from, to }) => [from, to]);
  const isRising = times.every((time, at) => time >= (times[at - 1] ?? 0));
  return attempts.length > 1 && isRising ? attempts : undefined;
}

/** `2 attempts: failed after 1.0 s, waited 98 ms, answered after 104 ms` */
export function attemptsText(attempts, tries) {
  const told = attempts.map(({ from, to }, at) => {
    const waited = at > 0 ? `waited ${durationText(from - attempts[at - 1].to)}, ` : "";
    const became = at < attempts.length - 1 ? "failed" : "answered";
    return `${waited}${became} after ${durationText(to - from)}`;
  });
  const left = told.length > MOST ? told.length - FIRST - LAST : 0;
  if (left) told.splice(FIRST, left, `${left} more failed`);
  const earlier = tries - attempts.length;
  if (earlier > 0) told.unshift(`${countText(earlier)} earlier ones failed`);
  return `${counted(tries, "attempt")}: ${told.join(", ")}`;
}
