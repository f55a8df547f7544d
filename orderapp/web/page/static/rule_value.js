/* Values of a rule's parameters: read as people write them, held against their JSON Schema, and
   written as `--set` takes them. */

const WHOLE = /^-?\d{1,16}$/;
const NUMBER = /^-?\d+([.,]\d+)?(e[+-]?\d{1,3})?$/i;

const isNumber = ({ type }) => type === "integer" || type === "number";
const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 20 }).format;

/** The choices of what is chosen rather than written; null of all else. */
export function choicesOf(schema) {
  if (Array.isArray(schema.enum)) return schema.enum;
  return schema.type === "boolean" ? [true, false] : null;
}

/** What a value may be: `a whole number from 1 to 999`. */
export function allowedText(schema) {
  const { type, items } = schema;
  if (choicesOf(schema)) return `one of ${choicesOf(schema).join(", ")}`;
  if (type === "array" && isPlain(items)) return `a list, with commas; each ${allowedText(items)}`;
  if (isNumber(schema)) return `a ${type === "integer" ? "whole " : ""}number${boundsText(schema)}`;
  if (type !== "string") return "a value as JSON has it";
  const { minLength: least = 0, maxLength: most } = schema;
  return most === undefined ? "a text" : `a text of ${least} to ${most} characters`;
}

function boundsText({ type, minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below }) {
  const step = type === "integer" ? 1 : 0;
  const least = minimum ?? (step && above !== undefined ? above + step : undefined);
  const most = maximum ?? (step && below !== undefined ? below - step : undefined);
  if (least !== undefined && most !== undefined) return ` from ${exact(least)} to ${exact(most)}`;
  const parts = [
    least !== undefined && `from ${exact(least)} on`, most !== undefined && `up to ${exact(most)}`,
    least === undefined && above !== undefined && `above ${exact(above)}`,
    most === undefined && below !== undefined && `below ${exact(below)}`,
  ].filter(Boolean);
  return parts.length > 0 ? ` ${parts.join(", ")}` : "";
}

function isPlain(schema) {
  return isNumber(schema ?? {}) || schema?.type === "string";
}

/** What somebody has written; undefined if it is not allowed. */
export function readValue(schema, text) {
  const value = parsed(schema, text.trim());
  return value !== undefined && fits(schema, value) ? value : undefined;
}

function parsed(schema, text) {
  const { type, items } = schema;
  const choices = choicesOf(schema);
  if (choices) return choices.find((choice) => String(choice) === text);
  if (type === "array" && isPlain(items)) {
    return text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => parsed(items, part));
  }
  if (type === "integer") return WHOLE.test(text) ? Number(text) : undefined;
  if (type === "number") return NUMBER.test(text) ? Number(text.replace(",", ".")) : undefined;
  if (type === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The bounds that can be shown; the worker checks all of them. */
function fits(schema, value) {
  if (Array.isArray(value)) return value.every((one) => one !== undefined && fits(schema.items ?? {}, one));
  if (typeof value === "number") {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    const { exclusiveMinimum: above = -Infinity, exclusiveMaximum: below = Infinity } = schema;
    return value >= minimum && value <= maximum && value > above && value < below;
  }
  if (typeof value !== "string" || schema.enum) return true;
  const length = [...value].length;
  return length >= (schema.minLength ?? 0) && length <= (schema.maxLength ?? Infinity);
}

/** A value as it stands in a field, and behind `--set`. */
export function writeValue(value) {
  if (Array.isArray(value) && value.every((one) => typeof one !== "object")) return value.join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `limit=300 safe_countries=CA,US`. */
export function settingsText(parameters) {
  return Object.entries(parameters).map(([name, value]) => `${name}=${writeValue(value)}`).join(" ");
}
