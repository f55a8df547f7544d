/* Goes where links, forms and the browser's Back lead: which view is on show, which order's story is
   open, and which orders are listed. All of it is in the address, so that it can be linked to. */

import { FILTERS, listTitle, readAddress, titleOf, writeAddress } from "./address.js";
import { markFields } from "./fields.js";
import { readId, readSearch, SEARCHED } from "./search.js";
import { byId, setText } from "./text.js";

const REFUSAL = `An order id is a number up to ${Number.MAX_SAFE_INTEGER}.`;

export class Route {
  #story;
  #onList;
  #onChange;
  #opener = null;
  #onView;
  #ids;
  #shown = readAddress("");
  /** What was shown when orders were last on show. */
  #orders = this.#shown;

  /** `onList(address)` when the address names other orders than before;
      `onView(address, focus)` whenever something else is shown; `ids()` are the orders listed. */
  constructor(story, { onList, onChange, onView, ids }) {
    this.#ids = ids;
    this.#story = story;
    this.#onList = onList;
    this.#onChange = onChange;
    this.#onView = onView;
    addEventListener("hashchange", () => this.follow(true));
    byId("rows").addEventListener("click", (event) => this.#onRow(event));
    byId("story-close").addEventListener("click", () => this.go({ open: "" }));
    byId("story").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.go({ open: "" });
    });
    for (const [name, step] of [["newer", -1], ["older", 1]]) {
      byId(`story-${name}`).addEventListener("click", () => this.#step(step));
    }
    addEventListener("keydown", (event) => this.#onSlash(event));
    byId("find").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#find(event.target.elements.order_id);
    });
  }

  /** Show something else, and leave the rest and, but for `focus`, the focus as it is: who sends
      orders may send several. */
  go(change, focus = false) {
    const stays = (change.view ?? this.#shown.view) === this.#shown.view;
    const address = writeAddress({ ...(stays && this.#shown), ...change });
    if (address !== (location.hash || location.pathname + location.search)) {
      history.pushState(null, "", address);
    }
    this.follow(focus);
  }

  /** Show what the address says. */
  follow(focus = false) {
    const wanted = readAddress(location.hash);
    if (wanted === null) return;
    const before = this.#shown;
    this.#shown = wanted;
    document.title = titleOf(wanted);
    this.#onView(wanted, focus && wanted.open !== before.open);
    if (wanted.view === "orders") this.#followOrders(wanted, focus);
    else this.#close();
  }

  #followOrders(wanted, focus) {
    const before = this.#orders;
    this.#orders = wanted;
    setText(byId("orders-title"), listTitle(wanted));
    if ([...FILTERS, "after"].some((name) => wanted[name] !== before[name])) {
      this.#onList(wanted);
    }
    if (wanted.open) this.#open(wanted.open, focus && wanted.open !== before.open);
    else this.#close();
  }

  #open(order, focus) {
    const id = readId(order);
    byId("order_id-wrong").textContent = id === null ? REFUSAL : "";
    if (id === null) {
      this.#close();
      return;
    }
    this.#story.open(id);
    this.drawSteps(); // at once: who goes on by keyboard does not wait for the next frame
    this.#onChange();
    byId("story").scrollIntoView({ block: "nearest" });
    if (focus) byId("story-title").focus({ preventScroll: true });
  }

  /** The whole row is a target for a finger; but who marks a text does not want to leave it. */
  #onRow(event) {
    const link = event.target.closest("tr").querySelector("a");
    const isLink = event.target.closest("a") !== null;
    this.#opener = link;
    if (isLink && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    if (isLink || getSelection().isCollapsed) this.go({ open: link.textContent }, true);
  }

  #find(input) {
    const found = readSearch(input.value);
    if (!markFields([input], found === null ? { order_id: SEARCHED } : {})) return;
    this.#opener = input;
    if (found.open) {
      this.go({ view: "orders", open: found.open });
      byId("story-title").focus({ preventScroll: true });
      return;
    }
    const none = Object.fromEntries([...FILTERS, "after", "open"].map((name) => [name, ""]));
    this.go({ view: "orders", ...none, ...found });
    byId("orders-title").focus();
  }

  /** The list has changed, or another order is open. */
  drawSteps() {
    for (const [name, step] of [["newer", -1], ["older", 1]]) {
      byId(`story-${name}`).disabled = this.#neighbour(step) === undefined;
    }
  }

  /** To the order above or below in the list. */
  #step(step) {
    const id = this.#neighbour(step);
    if (id !== undefined) this.go({ open: id });
    // Who has come to an end would have the focus nowhere.
    if (this.#neighbour(step) === undefined) byId("story-title").focus({ preventScroll: true });
  }

  #neighbour(step) {
    const ids = this.#ids();
    const at = ids.indexOf(this.#story.id);
    return at < 0 ? undefined : ids[at + step];
  }

  /** `/` leads to the search, wherever no text is entered. */
  #onSlash(event) {
    const { key, ctrlKey, metaKey, altKey, target } = event;
    if (key !== "/" || ctrlKey || metaKey || altKey || target.closest("input, select, dialog")) return;
    event.preventDefault();
    byId("order_id").focus();
    byId("order_id").select();
  }

  #close() {
    if (this.#story.id === null) return;
    const inside = byId("story").contains(document.activeElement);
    this.#story.close();
    this.#onChange();
    if (inside) (this.#opener?.isConnected ? this.#opener : byId("orders-title")).focus();
  }
}
