/* Bytes of records, as the API shows them: JSON, text or hex, and of many only the first. */

import { make } from "./text.js";

const numbers = new Intl.NumberFormat();

/** Two digits for each byte of what is no text. */
export function bytesText(found) {
  if (found === null) return "null";
  return found.form === "hex" ? found.text.replace(/(..)(?=.)/g, "$1 ") : found.text;
}

/** How it is shown; of what is shown whole, as text, only where that is asked for (`always`). */
export function noteOf({ form, length, shown, schema_id: schema }, always) {
  const name = form === "json" ? "JSON" : form;
  const parts = always ? [`${name}, ${numbers.format(length)} bytes`] : form === "hex" ? ["hex"] : [];
  if (schema !== null) parts.push(`Schema Registry's schema ${schema}`);
  if (shown < length) parts.push(`the first ${numbers.format(shown)} are shown`);
  return parts.join(", ");
}

/** A name and its value, for a list of descriptions. */
export function fact([name, value]) {
  const item = make("div");
  const shown = make("dd");
  shown.append(value instanceof Node ? value : String(value));
  item.append(make("dt", "", name), shown);
  return item;
}

/** A record's header, with what its value is where that is not plain. */
export function headerFact({ name, value }) {
  const note = value && noteOf(value, false);
  return fact([name, note ? `${bytesText(value)} (${note})` : bytesText(value)]);
}
