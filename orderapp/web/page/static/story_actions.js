/* What can be done with the order whose story is open: its id or a request for it copied, and its
   fields put into the form, to be sent again as a new order. */

import { byId, setText } from "./text.js";

const SAID_MS = 2000;

export class StoryActions {
  #order = null;

  constructor(id) {
    const address = () => new URL(`api/orders/${id()}`, document.baseURI).href;
    offer("story-copy-id", () => String(id()));
    offer("story-copy-curl", () => `curl ${address()}`);
    byId("story-again").addEventListener("click", () => this.#again());
  }

  /** The order as the API has it; null while it is not known. */
  show(order) {
    this.#order = order;
    byId("story-again").hidden = order === null;
  }

  #again() {
    const { elements } = byId("send");
    for (const name of ["customer_id", "amount", "country"]) {
      elements[name].value = this.#order[name];
    }
    if (byId("actions").hidden) byId("try").click();
    byId("actions").scrollIntoView({ block: "nearest" });
    if (!byId("send").hidden) elements.customer_id.focus();
  }
}

/** Browsers have a clipboard on this machine and over HTTPS only. */
function offer(id, text) {
  const button = byId(id);
  const name = button.textContent;
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      setText(button, "Copied");
    } catch {
      setText(button, "Not allowed");
    }
    setTimeout(() => setText(button, name), SAID_MS);
  });
}
