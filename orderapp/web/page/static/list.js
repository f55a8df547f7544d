/* The list of orders: filters, pages, and which orders are on show. The newest page is live;
   an older one stays as it is, but for what becomes of its orders. */

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
  #older = false;
  /** When the live page was left, and what has arrived since. */
  #left = 0;
  #arrived = new Set();
  #loaded = false;
  /** A filter was chosen, and whether anything matches is not said yet. */
  #asked = false;
  #turn = 0;
  #filter = { country: "", status: "" };

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

  setFilter(filter) {
    this.#filter = { ...this.#filter, ...filter };
    this.#older = false;
    this.#ids = [];
    this.#loaded = false;
    this.#asked = true;
    return this.load();
  }

  /** Ask for the newest page again; on an older page nothing moves. */
  async load() {
    if (this.#older) return;
    await this.#fetch(null, false);
  }

  async toNewest() {
    this.#older = false;
    await this.#fetch(null, false);
  }

  async toOlder() {
    // The live page has moved on since its cursor was made.
    if (!this.#older) await this.#fetch(null, false);
    if (this.#next !== null) await this.#fetch(this.#next, true);
  }

  /** Something is known of these orders; those that belong here come in, others leave. */
  take(ids) {
    const shown = new Set(this.#ids);
    for (const id of ids) {
      const order = this.#orders.get(id);
      if (shown.has(id) || !matches(order, this.#filter)) continue;
      if (!this.#older) shown.add(id);
      else if (order.arrived > this.#left && this.#arrived.size < MOST_COUNTED) this.#arrived.add(id);
    }
    if (!this.#older) this.#ids = this.#sorted([...shown]);
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
    this.#table.show(this.#ids.map((id) => this.#orders.get(id)), openId);
    const empty = this.#ids.length === 0;
    byId("scroller").hidden = empty;
    byId("empty").hidden = !empty;
    this.#drawEmpty();
    if (this.#loaded) this.#announce(empty);
    this.#drawPages(live);
  }

  async #fetch(after, older) {
    const turn = ++this.#turn;
    let cursor = after;
    let ids = [];
    for (let pages = 0; pages < MOST_EMPTY_PAGES && ids.length === 0; pages += 1) {
      const answer = await get(`api/orders?${this.#query(cursor)}`);
      if (turn !== this.#turn) return; // a later question has been asked
      ids = this.#orders.addDocuments(answer.orders);
      cursor = answer.next;
      if (cursor === null) break;
    }
    this.#next = cursor;
    this.#overflowed = false;
    this.#loaded = true;
    if (older && !this.#older) {
      this.#left = Date.now();
      this.#arrived.clear();
    }
    this.#older = older;
    // What came by event in the meantime stays on the newest page.
    const heard = this.#ids.filter((id) => !this.#orders.get(id).stored);
    this.#ids = older ? ids : this.#sorted([...new Set([...ids, ...heard])], ids);
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
    if (!this.#loaded) {
      setText(byId("empty-title"), "Loading …");
      return;
    }
    const filtered = Boolean(this.#filter.country || this.#filter.status);
    setText(byId("empty-title"), filtered ? "No order matches" : "No orders yet");
    setText(
      byId("empty-text"),
      filtered
        ? this.#next === null
          ? "There is none with this country and status."
          : "None was found among the newest; older ones are still to be searched."
        : "A running producer sends the first one soon. Or send one yourself, above.",
    );
  }

  /** Once for each choice: under some filters orders come and go. */
  #announce(empty) {
    if (this.#asked && empty) setText(byId("announcer"), byId("empty-title").textContent);
    this.#asked = false;
  }

  #drawPages(live) {
    byId("older").hidden = this.#next === null && !this.#overflowed;
    byId("newest").hidden = !this.#older;
    const { size } = this.#arrived;
    const more = size < MOST_COUNTED ? "" : " or more";
    const arrived = size > 0 ? `; ${countText(size)}${more} new since` : "";
    const newest = live ? "Newest first, live" : "Newest first, not live now";
    setText(byId("page-note"), this.#older ? `Older orders, not live${arrived}` : newest);
  }
}
