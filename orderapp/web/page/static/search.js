/* What can be searched for at the top of the page, as people copy it from anywhere. */

/** What is found by each form; a number of four digits is a customer's, and `#1234` an order's. */
const FORMS = [
  [/^(?:customer[\s:#]*)?([1-9]\d{3})$/i, (id) => ({ customer_id: id })],
  [/^(?:trace[\s:#]*)?(?:[\da-f]{2}-)?([\da-f]{32})(?:-[\da-f]{16}-[\da-f]{2})?$/i, (id) => ({ trace_id: id.toLowerCase() })],
];

export const SEARCHED =
  "Search for an order or payment (123, #1234, pay-123), a customer (1000 to 9999) or a trace (32 hex digits).";

/** An order's id, from that of its payment too (`pay-123`), as the worker writes it: without zeros
    in front. Null for what can't be one: a number beyond would be rounded to another order's. */
export function readId(text) {
  const id = Number(/^(?:#|pay-)?(\d{1,16})$/i.exec(text.trim())?.[1] ?? NaN);
  return Number.isSafeInteger(id) ? String(id) : null;
}

/** The filter of the list, or the order that is to be open; null for what is neither. */
export function readSearch(text) {
  for (const [form, found] of FORMS) {
    const id = form.exec(text.trim())?.[1];
    if (id) return found(id);
  }
  const open = readId(text);
  return open === null ? null : { open };
}
