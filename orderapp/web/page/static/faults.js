/* The view of what is broken on purpose: how much, by whom, and switched from here. */

import { REFUSED } from "./access.js";
import { post, put } from "./api.js";
import { FaultRow, nameOf, valueText } from "./fault.js";
import { Live } from "./live.js";
import { byId } from "./text.js";

export class Faults {
  #access;
  #live;

  constructor({ access }) {
    this.#access = access;
    this.#live = new Live({ access, name: "faults", draw: () => this.#draw() });
    byId("faults-off").addEventListener("click", () => this.#allOff());
  }

  show() {
    this.#live.show();
  }

  leave() {
    this.#live.leave();
  }

  #draw() {
    const { faults, changes } = this.#live.answer;
    const why = this.#refusal(faults);
    this.#live.drawRefusal(why);
    byId("faults-off").hidden = why !== null;
    for (const fault of faults) {
      const row = this.#live.rows.get(fault.name) ?? this.#add(fault);
      const refused = why === null ? fault.refused : null;
      row.show(fault, { offered: why === null && !refused, refused });
    }
    const byName = new Map(faults.map((fault) => [fault.name, fault]));
    this.#live.drawChanges(changes, ({ name, value }) => [
      nameOf(name), value > 0 ? valueText(byName.get(name), value) : "off",
    ]);
  }

  /** Why nothing can be switched from here; null: something can. */
  #refusal(faults) {
    if (this.#access.changes === "refused") return REFUSED;
    const found = new Set(faults.map(({ refused }) => refused));
    return found.size === 1 ? [...found][0] : null;
  }

  #add(fault) {
    const row = new FaultRow(fault, (...wanted) => this.#switch(...wanted));
    this.#live.rows.set(fault.name, row);
    byId("faults-list").append(row.element);
    return row;
  }

  #switch(row, value) {
    return this.#live.change(() => {
      const body = { value, author: this.#live.author };
      return put(`api/faults/${row.name}`, body, this.#live.headers(row.version));
    }, row);
  }

  #allOff() {
    return this.#live.change(() => post("api/faults/off", { author: this.#live.author }, this.#live.headers()));
  }
}
