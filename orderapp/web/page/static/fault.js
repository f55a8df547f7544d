/* One fault: how much of it there is, who has set that, and what switches it. */

import { byId, momentText, setText, shareText } from "./text.js";

/** What a fault is switched on to, if nobody says how much: always, or so many seconds. */
const FIRST = { rate: "1", seconds: "2" };

export const nameOf = (name) => name.replaceAll("_", " ");
const isSpan = ({ most }) => most > 1;
export const valueText = (fault, value) => (isSpan(fault) ? `${value} s` : shareText(value, 1));
const readText = (text) => (/^\d+([.,]\d+)?$/.test(text) ? Number(text.replace(",", ".")) : NaN);

export class FaultRow {
  #fields = {};
  #input;
  #fault;
  /** The version that was on show when somebody began to enter a value; 0: nobody has. */
  #seen = 0;

  /** `change(row, value)` is asked for. */
  constructor(fault, change) {
    this.name = fault.name;
    this.#fault = fault;
    this.element = byId("fault").content.firstElementChild.cloneNode(true);
    for (const field of this.element.querySelectorAll("[data-field]")) {
      this.#fields[field.dataset.field] = field;
    }
    this.#input = this.element.querySelector("input");
    this.#label(fault);
    this.#input.addEventListener("input", () => {
      this.#seen ||= this.#fault.version;
    });
    this.element.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const value = readText(this.#input.value.trim());
      if (value <= this.#fault.most) change(this, value);
      else this.wrong(`Not switched: ${this.#allowed()}.`);
    });
    this.#fields.off.addEventListener("click", () => change(this, 0));
  }

  /** The version that a change is about: what was seen. */
  get version() {
    return this.#seen || this.#fault.version;
  }

  show(fault, { offered, refused }) {
    this.#fault = fault;
    const on = fault.value > 0;
    this.element.dataset.on = String(on);
    this.#fields.state.dataset.tone = on ? "bad" : "calm";
    setText(this.#fields.state, on ? `on: ${valueText(fault, fault.value)}` : "off");
    setText(this.#fields.meaning, meaningOf(fault));
    setText(this.#fields.by, byText(fault));
    this.element.querySelector("form").hidden = !offered;
    this.#fields.refused.hidden = !refused;
    setText(this.#fields.refused, refused);
    const verb = on ? "Change" : "Switch on";
    setText(this.#fields.set, verb);
    this.#fields.set.setAttribute("aria-label", `${verb} ${nameOf(this.name)}`);
    if (!on && document.activeElement === this.#fields.off) this.#fields.set.focus();
    this.#fields.off.hidden = !on;
    if (!this.#seen) this.#input.value = on ? String(fault.value) : this.#first();
  }

  /** What was entered is so now, or is to be looked at again. */
  settle(keep = false) {
    this.#seen = 0;
    if (keep) this.#seen = this.#fault.version;
    this.#input.removeAttribute("aria-invalid");
  }

  say(text, tone = "") {
    this.#fields.says.textContent = text;
    this.#fields.says.dataset.tone = tone;
  }

  wrong(text) {
    this.say(text, "bad");
    this.#input.setAttribute("aria-invalid", "true");
    this.#input.focus();
  }

  /** Somebody else was quicker. */
  overtaken() {
    const { value, author } = this.#fault;
    const now = value > 0 ? `switched it to ${valueText(this.#fault, value)}` : "switched it off";
    this.say(`Not switched: ${author || "somebody"} has ${now} meanwhile. Press again to change that.`, "bad");
  }

  #label({ name }) {
    const title = this.element.querySelector("h3");
    title.id = `fault-${name}`;
    setText(this.#fields.name, nameOf(name));
    setText(this.#fields.unit, isSpan(this.#fault) ? `Seconds, 0 to ${this.#fault.most}` : "Rate, 0 to 1");
    this.#fields.says.id = `fault-${name}-says`;
    this.#input.setAttribute("aria-describedby", `${title.id} ${this.#fields.says.id}`);
    this.#fields.off.setAttribute("aria-label", `Off: ${nameOf(name)}`);
    this.element.setAttribute("aria-labelledby", title.id);
  }

  #allowed() {
    const { most } = this.#fault;
    return isSpan(this.#fault) ? `seconds from 0 to ${most}` : `a rate from 0, never, to ${most}, always`;
  }

  #first() {
    return isSpan(this.#fault) ? FIRST.seconds : FIRST.rate;
  }
}

/** The API's text goes on after a value. */
function meaningOf(fault) {
  const { text, value } = fault;
  if (isSpan(fault)) return value > 0 ? `${value} ${text}` : text[0].toUpperCase() + text.slice(1);
  return `${value > 0 ? valueText(fault, value) : "A share"} ${text}`;
}

function byText({ name, value, version, author, changed_at: at }) {
  if (version > 1) return `Switched by ${author || "nobody who said so"}, ${momentText(at)}.`;
  return value > 0 ? `Set by ORDERAPP_FAULT_${name.toUpperCase()}.` : "As the settings have it.";
}
