/* Chips: what became of an order, in a word, a mark and a colour. */

import { openFor, statusOf } from "./orders.js";
import { make, words } from "./text.js";

const TONES = new Map([
  ["accepted", "calm"],
  ["stored", "info"],
  ["paid", "good"],
  ["declined", "bad"],
  ["dead_letter", "dead"],
]);

function chip([text, tone, reason]) {
  const element = make("span", "chip", text);
  element.dataset.tone = tone;
  return reason ? [element, " ", make("span", "reason", reason), " "] : [element, " "];
}

/** Put an order's chips into an element, unless it has just these. */
export function showChips(element, order) {
  const status = statusOf(order);
  const parts = [[status.replaceAll("_", " "), TONES.get(status) ?? "calm"]];
  for (const { reason } of order.alerts) parts.push(["alert", "wait", words(reason)]);
  // Another service gave it up; what payment gave up is paid by a replay, or its status.
  if (openFor(order.deadLetter).some((name) => name !== "payment") && status !== "dead_letter") {
    parts.push(["dead letter", "dead"]);
  }
  const signature = JSON.stringify(parts);
  if (element.dataset.chips === signature) return;
  element.dataset.chips = signature;
  element.replaceChildren(...parts.flatMap(chip));
}

/** The same in words, for those who listen. */
export function spoken(order) {
  const alerts = order.alerts.map(({ reason }) => `, alert ${words(reason)}`).join("");
  return `${statusOf(order).replaceAll("_", " ")}${alerts}`;
}
