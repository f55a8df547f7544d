/* The facts of the order whose story is open, with links to what belongs to it. */

import { amountText, make, words, zonedText } from "./text.js";

export function factItems(order) {
  const facts = [
    ["Created", zonedText(order.created_at)],
    ["Amount", amountText(order.amount)],
    ["Country", order.country],
    ["Customer", ordersLink("customer_id", order.customer_id)],
    ["Kafka", `partition ${order.kafka_partition}, offset ${order.kafka_offset}`],
    ["Trace", traceLink(order)],
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

/** To the orders that have the same. */
function ordersLink(name, value) {
  const link = make("a", "", value);
  link.href = `#/?${new URLSearchParams({ [name]: value })}`;
  return link;
}

/** To where it is shown, if this worker says it; never to what is no page. */
function traceLink({ trace_id: id, trace_url: url }) {
  if (!/^https?:\/\//i.test(url ?? "")) return id;
  const link = make("a", "", id);
  link.href = url;
  link.rel = "noreferrer";
  return link;
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
