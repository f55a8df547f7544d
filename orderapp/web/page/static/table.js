/* The rows, one for each order. A row is made once and then only changed where its order
   changed, so that focus, selection and scroll position stay; unless most orders are others and
   nobody is there: then the rows stay, and their orders change, which costs half. */

import { showChips } from "./chips.js";
import { amountText, momentText, setText, zonedText } from "./text.js";

/** More new rows at once than this nobody follows, and to highlight them would only flicker. */
const MOST_FOLLOWED = 5;

class Row {
  #fields = {};
  #alerts = Infinity;

  constructor(template, id) {
    this.element = template.content.firstElementChild.cloneNode(true);
    for (const field of this.element.querySelectorAll("[data-field]")) {
      this.#fields[field.dataset.field] = field;
    }
    this.name(id);
  }

  /** Be the row of another order. */
  name(id) {
    if (this.element.dataset.orderId === id) return;
    this.element.dataset.orderId = id;
    this.element.classList.remove("fresh");
    this.#fields.id.textContent = id;
    this.#fields.id.href = `#/orders/${id}`;
    this.#alerts = Infinity;
  }

  /** `held`: nothing may move, so that the line of an alert waits. */
  show(order, open, held) {
    const fields = this.#fields;
    this.#showTime(String(order.createdAt));
    setText(fields.amount, amountText(order.amount));
    setText(fields.country, order.country);
    setText(fields.customer, order.customer);
    setText(fields.place, `${order.partition ?? "–"}:${order.offset ?? "–"}`);
    const alerts = held ? order.alerts.slice(0, this.#alerts) : order.alerts;
    this.#alerts = alerts.length;
    showChips(fields.chips, { ...order, alerts });
    if (open) fields.id.setAttribute("aria-current", "true");
    else fields.id.removeAttribute("aria-current");
  }

  #showTime(utc) {
    const { time } = this.#fields;
    setText(time, momentText(utc)); // today's are yesterday's after midnight
    if (time.dateTime === utc) return;
    time.dateTime = utc;
    time.title = zonedText(utc);
  }
}

export class OrderTable {
  #body;
  #template;
  #refuge;
  #rows = new Map();

  /** `refuge` takes the focus when the row that had it leaves the table. */
  constructor({ body, template, refuge }) {
    this.#body = body;
    this.#template = template;
    this.#refuge = refuge;
  }

  /** `openId`: the order whose story is open. `held`: the rows have to stay where they are. Gives
      whether more rows are new than anybody follows; the first fill is not meant to be followed. */
  show(orders, openId, held) {
    const focused = this.#body.contains(document.activeElement) ? document.activeElement : null;
    const fresh = orders.filter(({ id }) => !this.#rows.has(id)).length;
    const rushing = fresh > MOST_FOLLOWED && this.#rows.size > 0;
    if (rushing && !held && !focused) this.#rename(orders);
    this.#drop(new Set(orders.map((order) => order.id)));
    const added = [];
    let next = this.#body.firstElementChild;
    for (const order of orders) {
      const row = this.#rows.get(order.id) ?? this.#add(order.id, added, next);
      row.show(order, order.id === openId, held);
      if (row.element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.element, next);
    }
    for (const element of added.length <= MOST_FOLLOWED ? added : []) {
      element.classList.add("fresh");
    }
    if (focused && document.activeElement !== focused) {
      (focused.isConnected ? focused : this.#refuge).focus({ preventScroll: true });
    }
    return rushing;
  }

  #add(id, added, next) {
    const row = new Row(this.#template, id);
    // Above a row that was there before: an arrival, not the first fill.
    if (next !== null) added.push(row.element);
    this.#rows.set(id, row);
    return row;
  }

  /** Give the rows that there are to the orders, from the top. */
  #rename(orders) {
    const rows = [...this.#body.children].map((element) => this.#rows.get(element.dataset.orderId));
    this.#rows.clear();
    for (const [at, row] of rows.entries()) {
      const order = orders[at];
      if (order === undefined) {
        row.element.remove();
        continue;
      }
      row.name(order.id);
      this.#rows.set(order.id, row);
    }
  }

  #drop(kept) {
    for (const [id, row] of this.#rows) {
      if (kept.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
  }
}
