/* A field of a rule's form: its state, or a parameter. It follows what is in force until somebody
   enters something. */

import { byId, setText } from "./text.js";
import { allowedText, choicesOf, readValue, writeValue } from "./rule_value.js";

export class RuleField {
  element;
  #input;
  #wrong;
  #schema;
  #isEntered = false;
  /** What is in force, as it is written. */
  #inForce = "";

  /** `id` is for its elements; `entered()` when something was. */
  constructor({ id, name, schema }, entered) {
    this.name = name;
    this.#schema = schema;
    this.element = byId("rule-field").content.firstElementChild.cloneNode(true);
    const part = (of) => this.element.querySelector(`[data-field="${of}"]`);
    const choices = choicesOf(schema);
    this.#input = part(choices ? "choice" : "text");
    part(choices ? "text" : "choice").remove();
    if (choices) this.#input.replaceChildren(...choices.map((one) => new Option(String(one))));
    this.#wrong = part("wrong");
    this.#input.id = id;
    this.#input.name = name;
    const label = this.element.querySelector("label");
    label.htmlFor = id;
    setText(label, name.replaceAll("_", " "));
    const hint = part("hint");
    hint.textContent = hintOf(schema);
    hint.id = `${id}-hint`;
    this.#wrong.id = `${id}-wrong`;
    const described = choices && !schema.description ? [] : [hint.id];
    this.#input.setAttribute("aria-describedby", [...described, this.#wrong.id].join(" "));
    this.#input.addEventListener("input", () => {
      this.#isEntered = true;
      entered();
    });
  }

  /** What differs from what is in force, as it was entered. */
  get isChanged() {
    return this.#isEntered && this.#input.value.trim() !== this.#inForce;
  }

  /** As it stands there; undefined if it is not allowed. */
  get value() {
    return readValue(this.#schema, this.#input.value);
  }

  get text() {
    return this.#input.value.trim();
  }

  show(value) {
    this.#inForce = writeValue(value);
    if (!this.#isEntered) this.#input.value = this.#inForce;
  }

  /** What was entered is no longer wanted, or is in force now. */
  settle() {
    this.#isEntered = false;
    this.mark("");
  }

  /** Say that it is wrong, or nothing. */
  mark(text) {
    this.#wrong.textContent = text;
    if (text) this.#input.setAttribute("aria-invalid", "true");
    else this.#input.removeAttribute("aria-invalid");
  }

  /** Whether it may be sent; says why not. */
  check() {
    const isRight = !this.isChanged || this.value !== undefined;
    const shown = this.text.length > 40 ? `${this.text.slice(0, 40)}…` : this.text;
    this.mark(isRight ? "" : `${shown || "Nothing"} is not allowed: give ${allowedText(this.#schema)}.`);
    return isRight;
  }

  focus() {
    this.#input.focus();
  }
}

function hintOf(schema) {
  const { description, default: usual } = schema;
  const written = usual === undefined ? "" : writeValue(usual) || "none";
  const parts = [
    description,
    choicesOf(schema) ? "" : capital(`${allowedText(schema)}.`),
    written && `Default: ${written}.`,
  ];
  return parts.filter(Boolean).join(" ");
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
