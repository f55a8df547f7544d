/* The list of orders: filters, pages, and which orders are on show. The newest page is live while
   nobody is in it; then, and on an older one, all stays where it is, and what arrives is counted. */

import { FILTERS } from "./address.js";
import { get } from "./api.js";
import { byAge, matches } from "./orders.js";
import { byId, countText, setText } from "./text.js";

const PAGE = 25;
/** A search is bounded, so that a page may be empty although there are older ones. */
const MOST_EMPTY_PAGES = 5;
const MOST_COUNTED = 1000;

export class OrderList {
  #orders;
  #table;
  #ids = [];
  #next = null;
  /** Orders have left the live page at its end. */
  #overflowed = false;
  /** The cursor of the page on show, empty for the newest. */
  #after = "";
  #held = false;
  /** Since when new orders are counted instead of shown, and which they are. */
  #since = 0;
  #arrived = new Set();
  #loaded = false;
  /** Why the worker gives no such list, and will not. */
  #refused = "";
  /** A filter was chosen, and whether anything matches is not said yet. */
  #asked = false;
  #turn = 0;
  #filter = {};
  /** Whether orders come faster than anybody reads. */
  isRushing = false;

  constructor(orders, table) {
    this.#orders = orders;
    this.#table = table;
  }

  get ids() {
    return this.#ids;
  }

  get filter() {
    return this.#filter;
  }

  /** Show a page of the orders that fit `wanted`'s filters; the newest one without a cursor. */
  open({ after, ...wanted }) {
    if (FILTERS.some((name) => wanted[name] !== (this.#filter[name] ?? ""))) {
      this.#filter = Object.fromEntries(FILTERS.map((name) => [name, wanted[name]]));
      this.#ids = [];
      this.#asked = true;
    }
    if (!after || !this.#after) this.#countAnew();
    this.#after = after;
    this.#loaded = false;
    this.#refused = "";
    return this.#fetch();
  }

  /** While `held` no row moves. */
  hold(held) {
    this.#held = held;
    if (held && !this.#after) this.#countAnew();
  }

  /** Show what has arrived on the newest page in the meantime. */
  catchUp() {
    if (this.#after || this.#refused) return;
    this.#countAnew();
    this.#ids = this.#sorted([...this.#orders.ids]);
  }

  get #still() {
    return Boolean(this.#after) || (this.#held && this.#ids.length > 0);
  }

  /** Ask for the page again; on one that holds still nothing moves. */
  async load() {
    if (this.#refused) return;
    if (!this.#after || !this.#loaded) await this.#fetch(this.#loaded);
  }

  /** The cursor of the next older page, null if there is none. */
  async next() {
    // The live page has moved on since its cursor was made.
    if (!this.#after) await this.#fetch();
    return this.#next;
  }

  /** Something is known of these orders; those that belong here come in, others leave. */
  take(ids) {
    if (this.#refused) return;
    const still = this.#still;
    const shown = new Set(this.#ids);
    for (const id of ids) {
      const order = this.#orders.get(id);
      if (shown.has(id) || !matches(order, this.#filter)) continue;
      if (!still) shown.add(id);
      else if (order.arrived > this.#since && this.#arrived.size < MOST_COUNTED) this.#arrived.add(id);
    }
    if (!still) this.#ids = this.#sorted([...shown]);
  }

  /** Whether an order waits to be heard of as stored for longer than `ms`. */
  waitsFor(ms) {
    const before = Date.now() - ms;
    return this.#ids.some((id) => {
      const order = this.#orders.get(id);
      return !order.stored && !order.payment && order.arrived < before;
    });
  }

  /** `live`: new orders arrive by themselves. */
  draw(openId, live) {
    this.isRushing = this.#table.show(this.#ids.map((id) => this.#orders.get(id)), openId, this.#held);
    const empty = this.#ids.length === 0;
    byId("scroller").hidden = empty;
    byId("empty").hidden = !empty;
    this.#drawEmpty();
    if (this.#loaded) this.#announce(empty);
    this.#drawPages(live);
  }

  /** `yielding`: to a list that holds still; its orders are brought up to date nevertheless. */
  async #fetch(yielding = false) {
    const turn = ++this.#turn;
    let cursor = this.#after;
    let ids = [];
    for (let pages = 0; pages < MOST_EMPTY_PAGES && ids.length === 0; pages += 1) {
      const answer = await get(`api/orders?${this.#query(cursor)}`).catch((error) => {
        if (error.status !== 400) throw error;
        return turn === this.#turn ? this.#refuse(error) : null;
      });
      if (answer === null || turn !== this.#turn) return; // a later question has been asked
      ids = this.#orders.addDocuments(answer.orders);
      cursor = answer.next;
      if (cursor === null) break;
    }
    if (yielding && this.#still) return;
    this.#next = cursor;
    this.#overflowed = false;
    this.#loaded = true;
    if (!this.#after) this.#countAnew();
    // What came by event in the meantime stays on the newest page.
    const heard = this.#ids.filter((id) => !this.#orders.get(id).stored);
    this.#ids = this.#after ? ids : this.#sorted([...new Set([...ids, ...heard])], ids);
  }

  #refuse({ message }) {
    this.#refused = message;
    this.#ids = [];
    this.#next = null;
    this.#loaded = true;
    return null;
  }

  #countAnew() {
    this.#since = Date.now();
    this.#arrived.clear();
  }

  #sorted(ids, certain = []) {
    const sure = new Set(certain);
    const found = ids
      .map((id) => this.#orders.get(id))
      .filter((order) => order && (sure.has(order.id) || matches(order, this.#filter)));
    this.#overflowed ||= found.length > PAGE;
    return found.sort(byAge).slice(0, PAGE).map((order) => order.id);
  }

  #query(after) {
    const query = new URLSearchParams({ limit: PAGE });
    for (const [name, value] of Object.entries({ ...this.#filter, after })) {
      if (value) query.set(name, value);
    }
    return query;
  }

  #drawEmpty() {
    byId("empty-text").hidden = !this.#loaded;
    byId("all-orders").hidden = !this.#refused;
    if (this.#refused) {
      setText(byId("empty-title"), "There is no such list");
      setText(byId("empty-text"), this.#refused);
      return;
    }
    if (!this.#loaded) {
      setText(byId("empty-title"), "Loading …");
      return;
    }
    const filtered = Object.values(this.#filter).some(Boolean);
    setText(byId("empty-title"), filtered ? "No order matches" : "No orders yet");
    setText(
      byId("empty-text"),
      filtered
        ? this.#next === null
          ? `There is none that fits all that was chosen.${orderToo(this.#filter)}`
          : "None was found among the newest; older ones are still to be searched."
        : "A running producer sends the first one soon.",
    );
  }

  /** Once for each choice: under some filters orders come and go. */
  #announce(empty) {
    if (this.#asked && empty) setText(byId("announcer"), byId("empty-title").textContent);
    this.#asked = false;
  }

  #drawPages(live) {
    byId("older").hidden = this.#next === null && !this.#overflowed;
    byId("newest").hidden = !this.#after;
    const { size } = this.#arrived;
    byId("arrived").hidden = size === 0;
    const more = size < MOST_COUNTED ? "" : "+";
    setText(byId("arrived"), `${countText(size)}${more} new order${size === 1 ? "" : "s"}`);
    if (this.#refused) {
      setText(byId("page-note"), "");
      return;
    }
    const how = !live ? "not live now" : this.#held ? "held while you are in the list" : "live";
    setText(byId("page-note"), this.#after ? "Older orders, not live" : `Newest first, ${how}`);
  }
}

/** A number of four digits may have been meant as an order's. */
function orderToo({ customer_id: id }) {
  return id ? ` The order with the number ${id} is found by #${id}.` : "";
}
