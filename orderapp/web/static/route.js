/* Which order's story is open: `#/orders/123`, so that it can be linked to. */

import { byId } from "./text.js";

const PATH = /^#\/orders\/(\d{1,16})$/;

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
      this.#opener = event.target.closest("a") ?? this.#opener;
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
    this.#quiet = true;
    location.hash = `#/orders/${id}`;
  }

  /** Open or close what the address says. */
  follow(focus = false) {
    const id = PATH.exec(location.hash)?.[1];
    if (id === undefined) {
      if (["", "#", "#/"].includes(location.hash)) this.#close();
      return; // a jump within the page
    }
    this.#story.open(String(Number(id)));
    this.#onChange();
    byId("story").scrollIntoView({ block: "nearest" });
    if (focus) byId("story-title").focus({ preventScroll: true });
  }

  #find(input) {
    const id = input.value.trim();
    const valid = /^\d{1,16}$/.test(id);
    if (valid) input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
    byId("sent").textContent = valid ? "" : "An order id is a number of up to 16 digits.";
    byId("sent").dataset.tone = valid ? "" : "bad";
    if (!valid) return;
    this.#opener = input;
    if (location.hash === `#/orders/${id}`) this.follow(true);
    else location.hash = `#/orders/${id}`;
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
