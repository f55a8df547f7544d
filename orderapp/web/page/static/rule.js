/* One rule: how it is in force, by whom, what was counted of it, and what changes it. */

import { offerCopy } from "./clipboard.js";
import { ruleCommand, ruleTestCommand } from "./command.js";
import { RuleField } from "./rule_field.js";
import { RuleTest } from "./rule_test.js";
import { settingsText, writeValue } from "./rule_value.js";
import { byId, countText, make, momentText, replaceIfChanged, setText, shareText } from "./text.js";

const STATES = { type: "string", enum: ["off", "shadow", "active"] };
const TONES = { off: "calm", shadow: "info", active: "good" };
const MOST_VERSIONS = 5;

export class RuleRow {
  element;
  #parts = {};
  #rule;
  #state;
  #parameters;
  /** The version that was on show when somebody began to enter something; 0: nobody has. */
  #seen = 0;

  /** `change(row, body)` is asked for. */
  constructor(rule, change) {
    this.id = rule.id;
    this.#rule = rule;
    this.element = byId("rule").content.firstElementChild.cloneNode(true);
    for (const part of this.element.querySelectorAll("[data-field]")) {
      this.#parts[part.dataset.field] = part;
    }
    this.#label();
    const field = (id, name, schema) => new RuleField({ id: `rule-${rule.id}-${id}`, name, schema }, () => this.#entered());
    this.#state = field("is", "state", STATES);
    this.#parameters = Object.entries(rule.schemas).map(([name, schema]) => field(`set-${name}`, name, schema));
    this.#parts.fields.append(...this.#fields.map(({ element }) => element));
    this.element.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(change);
    });
    this.#parts.discard.addEventListener("click", () => this.#discard());
    new RuleTest(rule.id, this.#parts, () => this.#tested());
    for (const name of ["command", "test"]) {
      const command = this.#parts[name];
      offerCopy(this.#parts[`${name}-copy`], () => command.textContent, command);
    }
  }

  get #fields() {
    return [this.#state, ...this.#parameters];
  }

  /** The version that a change is about: what was seen. */
  get version() {
    return this.#seen || this.#rule.version;
  }

  show(rule, offered) {
    this.#rule = rule;
    const { state, parameters } = rule;
    this.#parts.state.dataset.tone = TONES[state];
    setText(this.#parts.state, state);
    setText(this.#parts.by, byText(rule));
    setText(this.#parts.values, settingsText(parameters) || "It has no parameters.");
    this.element.dataset.offered = String(offered);
    this.element.querySelector("form").hidden = !offered;
    this.#state.show(state);
    for (const field of this.#parameters) field.show(parameters[field.name]);
    this.#showCounted();
    this.#showCommands();
  }

  /** It is the one that the address names. */
  mark(isOpen) {
    this.element.dataset.open = String(isOpen);
  }

  focus() {
    this.element.scrollIntoView({ block: "start" });
    this.element.querySelector("h3").focus({ preventScroll: true });
  }

  /** What was entered is so now; `keep`: it is to be looked at again. */
  settle(keep = false) {
    this.#seen = keep ? this.#rule.version : 0;
    for (const field of this.#fields) {
      if (keep) field.mark("");
      else field.settle();
    }
    this.#showCommands();
  }

  say(text, tone = "") {
    this.#parts.says.textContent = text;
    this.#parts.says.dataset.tone = tone;
  }

  /** The worker has refused it; its text begins with the parameter, if it is about one. */
  wrong(text) {
    const field = this.#parameters.find(({ name }) => text.startsWith(`${this.id}: ${name}=`));
    this.say(field ? "Not changed." : text, "bad");
    field?.mark(text);
    field?.focus();
  }

  /** Somebody else was quicker. */
  overtaken() {
    const { author, state, parameters, version } = this.#rule;
    const now = [state, settingsText(parameters)].filter(Boolean).join(", ");
    const who = author || "somebody";
    this.say(`Not changed: ${who} has set it to ${now} meanwhile (version ${version}). Press again to change that.`, "bad");
  }

  #label() {
    const title = this.element.querySelector("h3");
    title.id = `rule-${this.id}`;
    setText(this.#parts.id, this.id);
    setText(this.#parts.text, this.#rule.text);
    this.element.setAttribute("aria-labelledby", title.id);
    this.#parts.set.setAttribute("aria-label", `Change ${this.id}`);
    this.#parts.try.setAttribute("aria-label", `Test ${this.id} on the last 7 days`);
    this.#parts.discard.setAttribute("aria-label", `Discard what was entered for ${this.id}`);
    for (const name of ["command", "test"]) {
      this.#parts[name].id = `rule-${this.id}-${name}`;
      this.#parts[`${name}-copy`].setAttribute("aria-describedby", this.#parts[name].id);
    }
  }

  #entered() {
    this.#seen ||= this.#rule.version;
    this.#showCommands();
  }

  #discard() {
    this.settle();
    this.say("");
    this.show(this.#rule, true);
    this.#state.focus();
  }

  /** The parameters that were entered, as `--set` takes them; null if one is wrong. */
  #tested() {
    this.say("");
    if (!this.#isRight(this.#parameters, "Not tested")) return null;
    const changed = this.#parameters.filter(({ isChanged }) => isChanged);
    return changed.map(({ name, value }) => `${name}=${writeValue(value)}`);
  }

  #isRight(fields, otherwise) {
    const wrong = fields.filter((field) => !field.check());
    if (wrong.length === 0) return true;
    this.say(`${otherwise}: look at ${wrong.map(({ name }) => name).join(", ")}.`, "bad");
    wrong[0].focus();
    return false;
  }

  #submit(change) {
    const changed = this.#fields.filter(({ isChanged }) => isChanged);
    if (!this.#isRight(this.#fields, "Not changed")) return;
    if (changed.length === 0) this.say("It is so already: nothing was changed.");
    else change(this, this.#body(changed));
  }

  #body(changed) {
    const parameters = changed.filter((field) => field !== this.#state);
    return {
      ...(this.#state.isChanged && { state: this.#state.value }),
      parameters: Object.fromEntries(parameters.map(({ name, value }) => [name, value])),
    };
  }

  #showCommands() {
    const changed = this.#fields.filter(({ isChanged }) => isChanged);
    this.#parts.discard.hidden = changed.length === 0;
    const values = this.#parameters.map(({ name, text, isChanged }) => [
      name, isChanged ? text : writeValue(this.#rule.parameters[name]),
    ]);
    const state = this.#state.isChanged ? this.#state.value : this.#rule.state;
    const version = changed.length > 0 ? this.version : null;
    setText(this.#parts.command, ruleCommand(this.id, { state, values, version }));
    setText(this.#parts.test, ruleTestCommand(this.id, values));
  }

  #showCounted() {
    const { counted } = this.#rule;
    const rows = (counted ?? []).slice(0, MOST_VERSIONS);
    this.#parts.counted.hidden = rows.length === 0;
    replaceIfChanged(this.#parts.counts, rows.map(countsRow), JSON.stringify(rows));
    const why = counted === null ? "This worker has no fraud, and so has counted nothing." : "Not asked since this worker's start.";
    this.#parts.uncounted.hidden = rows.length > 0;
    setText(this.#parts.uncounted, why);
  }
}

function byText({ version, author, changed_at: at }) {
  if (!at) return `Version ${version}, as its file has it.`;
  return `Version ${version}, by ${author || "nobody who said so"}, ${momentText(at)}.`;
}

/** The share is of those that were judged. */
function countsRow({ version, state, orders, raised, failed }) {
  const row = make("tr");
  const head = make("th", "", `${version}, ${state}`);
  head.scope = "row";
  const share = orders > 0 ? ` (${shareText(raised, orders)})` : "";
  row.append(
    head, make("td", "number", countText(orders)), make("td", "number", `${countText(raised)}${share}`),
    make("td", "number", countText(failed)),
  );
  if (failed > 0) row.lastChild.dataset.tone = "bad";
  return row;
}
