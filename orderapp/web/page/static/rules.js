/* The view of fraud's rules: how each is in force, what was counted of it, and what changes it. */

import { REFUSED } from "./access.js";
import { put } from "./api.js";
import { Live } from "./live.js";
import { RuleRow } from "./rule.js";
import { settingsText } from "./rule_value.js";
import { byId, setText } from "./text.js";

export class Rules {
  #access;
  #live;
  /** The rule that the address names, and whether it is still to be shown to whoever came. */
  #open = "";
  #isNew = false;

  constructor({ access }) {
    this.#access = access;
    this.#live = new Live({ access, name: "rules", draw: () => this.#draw() });
  }

  show({ open }) {
    this.#isNew = open !== this.#open && open !== "";
    this.#open = open;
    if (this.#live.answer !== null) this.#draw();
    this.#live.show();
  }

  leave() {
    this.#open = "";
    this.#live.leave();
  }

  #draw() {
    const { rules, changes } = this.#live.answer;
    const isRefused = this.#access.changes === "refused";
    this.#live.drawRefusal(isRefused ? REFUSED : null);
    for (const rule of rules) {
      const row = this.#live.rows.get(rule.id) ?? this.#add(rule);
      row.show(rule, !isRefused);
      row.mark(rule.id === this.#open);
    }
    this.#live.drawChanges(changes, ({ id, state, parameters }) => [
      id, [state, settingsText(parameters)].filter(Boolean).join(", "),
    ]);
    this.#showOpen();
  }

  #showOpen() {
    const row = this.#live.rows.get(this.#open);
    byId("rules-unknown").hidden = !this.#open || row !== undefined;
    setText(byId("rules-unknown"), `There is no rule ${this.#open} in this worker.`);
    if (this.#isNew) row?.focus();
    this.#isNew = false;
  }

  #add(rule) {
    const row = new RuleRow(rule, (...wanted) => this.#set(...wanted));
    this.#live.rows.set(rule.id, row);
    byId("rules-list").append(row.element);
    return row;
  }

  #set(row, wanted) {
    return this.#live.change(() => {
      const body = { ...wanted, author: this.#live.author };
      return put(`api/rules/${encodeURIComponent(row.id)}`, body, this.#live.headers(row.version));
    }, row);
  }
}
