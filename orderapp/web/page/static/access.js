/* What the people at this page may change, as the worker says it, and the token that they gave: it
   is kept in memory alone, and so ends with the page. */

import { get } from "./api.js";

/** What a view says that offers changes, where none are taken from here. */
export const REFUSED =
  "This worker takes changes on its own machine only. Use the command there; or start the worker with ORDERAPP_API_TOKEN, which this page then asks for.";

export class Access {
  /** `free`, with the `token`, or `refused`; free until the worker has said it. */
  changes = "free";
  token = "";
  /** What this deployment is called, null where nobody says it. */
  environment = null;
  #heard = [];

  /** Call `heard()` when the worker has said it. */
  onAnswer(heard) {
    this.#heard.push(heard);
  }

  async ask() {
    try {
      const { changes, environment } = await get("api/access");
      Object.assign(this, { changes, environment });
    } catch {
      return; // asked again with the next connection
    }
    for (const heard of this.#heard) heard();
  }

  get headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }
}
