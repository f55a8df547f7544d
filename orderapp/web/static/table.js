/* The rows, one for each order id. A row is made once and then only changed where its order
   changed, so that focus, selection and scroll position stay. Everything from an order goes
   in as text, never as markup. */

const clock = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** The payment state as the page calls it, and its colour. */
const PAYMENTS = new Map([
  ["PAID", ["paid", "good"]],
  ["DECLINED", ["declined", "bad"]],
]);

export function alertsOf(order) {
  return Array.isArray(order.alerts) ? order.alerts : [];
}

export function paymentOf(order) {
  if (!order.payment) return ["waiting", "wait"];
  const status = String(order.payment.status);
  return PAYMENTS.get(status) ?? [status.toLowerCase(), "calm"];
}

function localTime(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? String(text) : clock.format(time);
}

function setText(element, value) {
  const text = value === undefined || value === null || value === "" ? "–" : String(value);
  if (element.textContent !== text) element.textContent = text;
}

function setChip(element, text, tone) {
  setText(element, text);
  if (element.dataset.tone !== tone) element.dataset.tone = tone;
}

class Row {
  #fields = {};

  constructor(template, id) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.orderId = id;
    for (const field of this.element.querySelectorAll("[data-field]")) {
      this.#fields[field.dataset.field] = field;
    }
    this.#fields.id.textContent = id;
    this.#fields.id.href = `/api/orders/${encodeURIComponent(id)}`;
    this.#fields.id.title = `Order ${id} as JSON`;
  }

  show(order) {
    const fields = this.#fields;
    const { amount } = order;
    this.#showTime(String(order.created_at ?? ""));
    setText(fields.customer, order.customer_id);
    setText(fields.amount, typeof amount === "number" ? amount.toFixed(2) : amount);
    setText(fields.country, order.country);
    setText(fields.place, `${order.kafka_partition ?? "–"}:${order.kafka_offset ?? "–"}`);
    const reasons = alertsOf(order).map((alert) => String(alert.reason));
    setChip(fields.fraud, ...(reasons.length > 0 ? ["alert", "bad"] : ["no alert", "calm"]));
    setText(fields.reason, reasons.join(", "));
    fields.reason.hidden = reasons.length === 0;
    setChip(fields.payment, ...paymentOf(order));
  }

  #showTime(utc) {
    const { time } = this.#fields;
    if (time.dateTime === utc) return;
    time.dateTime = utc;
    time.title = utc;
    setText(time, localTime(utc));
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

  show(orders) {
    const focused = this.#body.contains(document.activeElement) ? document.activeElement : null;
    const byId = new Map(orders.map((order) => [String(order.order_id), order]));
    this.#drop(byId);
    let next = this.#body.firstElementChild;
    for (const [id, order] of byId) {
      const row = this.#rows.get(id) ?? this.#add(id, next);
      row.show(order);
      if (row.element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.element, next);
    }
    if (focused && document.activeElement !== focused) {
      (focused.isConnected ? focused : this.#refuge).focus({ preventScroll: true });
    }
  }

  #add(id, next) {
    const row = new Row(this.#template, id);
    // Above a row that was there before: an arrival, not the first fill or a longer table.
    row.element.classList.toggle("fresh", next !== null);
    this.#rows.set(id, row);
    return row;
  }

  #drop(kept) {
    for (const [id, row] of this.#rows) {
      if (kept.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
  }
}
