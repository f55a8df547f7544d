/* What can be done with the order whose story is open: its id or a request for it copied, and its
   fields put into the form, to be sent again as a new order. */

import { offerCopy } from "./clipboard.js";
import { byId } from "./text.js";

export class StoryActions {
  #order = null;

  constructor(id) {
    const address = () => new URL(`api/orders/${id()}`, document.baseURI).href;
    offerCopy(byId("story-copy-id"), () => String(id()));
    offerCopy(byId("story-copy-curl"), () => `curl ${address()}`);
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
