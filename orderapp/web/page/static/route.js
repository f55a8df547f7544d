/* Which order's story is open: `#/orders/123`, so that it can be linked to. */

import { markFields } from "./fields.js";
import { byId } from "./text.js";

const PATH = /^#\/orders\/(.*)$/;
const REFUSAL = `An order id is a number up to ${Number.MAX_SAFE_INTEGER}.`;

/** An order's id, from that of its payment too (`pay-123`), as the worker writes it: without zeros
    in front. Null for what can't be one: a number beyond would be rounded to another order's. */
function readId(text) {
  const id = Number(/^(?:#|pay-)?(\d{1,16})$/i.exec(text.trim())?.[1] ?? NaN);
  return Number.isSafeInteger(id) ? String(id) : null;
}

export class Route {
  #story;
  #onChange;
  #opener = null;
  #quiet = false;

  constructor(story, onChange) {
    this.#story = story;
    this.#onChange = onChange;
    addEventListener("hashchange", () => {
      this.follow(!this.#quiet);
      this.#quiet = false;
    });
    byId("rows").addEventListener("click", (event) => {
      const link = event.target.closest("tr").querySelector("a");
      this.#opener = link;
      // The whole row is a target for a finger; but who marks a text does not want to leave it.
      if (!event.target.closest("a") && getSelection().isCollapsed) link.click();
    });
    byId("story-close").addEventListener("click", () => this.#leave());
    byId("story").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#leave();
    });
    byId("find").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#find(event.target.elements.order_id);
    });
  }

  /** Open a story and leave the focus where it is: who sends orders may send several. */
  go(id) {
    const hash = `#/orders/${id}`;
    this.#quiet = location.hash !== hash; // the same again is no change that anyone hears of
    if (this.#quiet) location.hash = hash;
    else this.follow(false);
  }

  /** Open or close what the address says. */
  follow(focus = false) {
    const id = PATH.exec(location.hash)?.[1];
    if (id === undefined) {
      if (["", "#", "#/"].includes(location.hash)) this.#close();
      return; // a jump within the page
    }
    const known = readId(id);
    if (known === null) {
      this.#say(true);
      this.#close();
      return;
    }
    this.#story.open(known);
    this.#onChange();
    byId("story").scrollIntoView({ block: "nearest" });
    if (focus) byId("story-title").focus({ preventScroll: true });
  }

  #find(input) {
    const id = readId(input.value);
    this.#say(false);
    if (!markFields([input], id === null ? { order_id: REFUSAL } : {})) return;
    this.#opener = input;
    if (location.hash === `#/orders/${id}`) this.follow(true);
    else location.hash = `#/orders/${id}`;
  }

  #say(refused) {
    byId("sent").textContent = refused ? REFUSAL : "";
    byId("sent").dataset.tone = refused ? "bad" : "";
  }

  #leave() {
    history.pushState(null, "", location.pathname);
    this.#close();
  }

  #close() {
    if (this.#story.id === null) return;
    const inside = byId("story").contains(document.activeElement);
    this.#story.close();
    this.#onChange();
    if (inside) (this.#opener?.isConnected ? this.#opener : byId("orders-title")).focus();
  }
}
