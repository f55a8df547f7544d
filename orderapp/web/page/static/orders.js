/* What is known of orders, from the API's documents and from events, in whichever order they
   come: an alert or a payment may be heard of before its order. */

const KEPT = 2000;

export class Orders {
  #all = new Map();

  get(id) {
    return this.#all.get(String(id));
  }

  /** The ids of all that is known. */
  get ids() {
    return this.#all.keys();
  }

  /** Take the API's documents; gives their ids. */
  addDocuments(documents) {
    return documents.map((found) => {
      const order = this.#entry(found.order_id);
      Object.assign(order, {
        ...facts(found),
        partition: found.kafka_partition,
        offset: found.kafka_offset,
        trace: found.trace_id,
        stored: true,
      });
      // An event may be ahead of the store, never the other way round.
      if (found.alerts?.length >= order.alerts.length) order.alerts = found.alerts;
      order.payment = found.payment ?? order.payment;
      order.deadLetter = found.dead_letter ?? order.deadLetter;
      return order.id;
    });
  }

  /** Take one batch of events; gives the ids that it touches. */
  addBatch({ orders = [], alerts = [], payments = [], dead_letters: letters = [] }) {
    const touched = new Set();
    const touch = (item) => {
      const order = this.#entry(item.order_id);
      touched.add(order.id);
      return order;
    };
    for (const item of orders) {
      const order = touch(item);
      if (!order.known) Object.assign(order, facts(item), { arrived: Date.now() });
      order.partition ??= item.partition;
      order.offset ??= item.offset;
    }
    for (const item of alerts) {
      const order = touch(item);
      const heard = order.alerts.some(({ reason }) => reason === item.reason);
      if (!heard) order.alerts = [...order.alerts, item];
    }
    for (const item of payments) touch(item).payment = item;
    for (const item of letters) {
      if (item.order_id !== null && item.order_id !== undefined) touch(item).deadLetter = item;
    }
    return touched;
  }

  /** Forget the oldest, except those on show. */
  prune(shown) {
    if (this.#all.size <= KEPT) return;
    const kept = new Set(shown);
    for (const id of this.#all.keys()) {
      if (this.#all.size <= KEPT / 2) return;
      if (!kept.has(id)) this.#all.delete(id);
    }
  }

  #entry(orderId) {
    const id = String(orderId);
    let order = this.#all.get(id);
    if (order === undefined) {
      order = { id, known: false, stored: false, alerts: [], payment: null, deadLetter: null };
      this.#all.set(id, order);
    }
    return order;
  }
}

function facts(item) {
  return {
    known: true,
    customer: item.customer_id,
    amount: item.amount,
    country: item.country,
    // A sender may leave it out; the store then has Kafka's own.
    createdAt: item.created_at ?? new Date().toISOString(),
  };
}

/** The services that gave an order up; none without a dead letter. */
export function gaveUp(letter) {
  return String(letter?.service ?? "").split(",").filter(Boolean);
}

/** Those of them for which nothing was done yet: as the API knows it, and an event is new. */
export function openFor(letter) {
  return letter?.open_for ?? gaveUp(letter);
}

/** `accepted` (by Kafka, not known to be stored), then as the API says it. */
export function statusOf(order) {
  if (order.payment) return String(order.payment.status).toLowerCase();
  if (openFor(order.deadLetter).includes("payment")) return "dead_letter";
  return order.stored ? "stored" : "accepted";
}

/** Whether an order belongs in a list with these filters. */
export function matches(order, { country, status, from, to, customer_id: who, trace_id: trace }) {
  if (!order.known || (country && order.country !== country)) return false;
  if ((from || to) && !isBetween(Date.parse(order.createdAt), from, to)) return false;
  if ((who && String(order.customer) !== who) || (trace && order.trace !== trace)) return false;
  if (!status) return true;
  if (status === "alert") return order.alerts.length > 0;
  const became = statusOf(order);
  // What Kafka has accepted is stored in a moment.
  return became === status || (status === "stored" && became === "accepted");
}

function isBetween(time, from, to) {
  return !(time < Date.parse(from) || time >= Date.parse(to));
}

/** Newest first, as the API sorts. */
export function byAge(one, other) {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? 1 : -1;
  return Number(other.id) - Number(one.id);
}
