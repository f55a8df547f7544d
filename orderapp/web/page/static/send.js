/* The form that sends an order. One idempotency key for one order: while no answer has come,
   pressing again cannot make a second one. */

import { ApiError, post } from "./api.js";
import { markFields } from "./fields.js";
import { byId } from "./text.js";
import { TokenField } from "./token.js";

const RISKY = { customer_id: 1234, amount: 350, country: "DE" };

/** What each field may be, in the API's words (a test compares them), and how it is read. In
    `1,000` or `1.000` people mean a thousand or one; it is not for us to guess. */
const FIELDS = {
  customer_id: {
    allowed: "a whole number from 1000 to 9999",
    read: (text) => (/^[1-9]\d{3}$/.test(text) ? Number(text) : null),
  },
  amount: {
    allowed: "a number from 0 to 1000000, with at most 2 decimals",
    read(text) {
      const amount = /^\d+([.,]\d{1,2})?$/.test(text) ? Number(text.replace(",", ".")) : NaN;
      return amount <= 1_000_000 ? amount : null;
    },
  },
  country: {
    allowed: "text of 1 to 64 characters",
    read: (text) => (text && [...text].length <= 64 ? text : null),
  },
};

export class Sender {
  #access;
  #token;
  #form = byId("send");
  #inputs = Object.keys(FIELDS).map((name) => this.#form.elements[name]);
  #onSent;
  #pending = null;
  #last = RISKY;
  #busy = false;
  /** What was said comes from a worker that was away or not ready. */
  #mayPass = false;

  /** `onSent(order)` with the order as the worker made it. */
  constructor(access, onSent) {
    this.#access = access;
    this.#token = new TokenField(access, byId("token-field"));
    this.#onSent = onSent;
    access.onAnswer(() => this.#offer());
    byId("try").addEventListener("click", () => this.#open(byId("actions").hidden));
    byId("actions").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#open(false);
    });
    byId("risky").addEventListener("click", () => this.#send(RISKY));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** The worker is there, and ready: what it was not then is over. */
  recovered() {
    if (this.#mayPass) this.#say("");
  }

  #open(open) {
    byId("actions").hidden = !open;
    byId("try").setAttribute("aria-expanded", String(open));
    if (open) byId("actions").querySelector("button:not([hidden])").focus();
    else byId("try").focus();
  }

  #offer() {
    const { changes } = this.#access;
    this.#form.hidden = changes === "refused";
    byId("send-refused").hidden = changes !== "refused";
    this.#token.show(changes === "token");
    byId("token-note").hidden = changes !== "token";
  }

  #submit() {
    if (this.#token.isFocused) {
      this.#send(this.#last); // Enter after the token sends what it was asked for
      return;
    }
    const order = {};
    const wrong = {};
    for (const { name, value } of this.#inputs) {
      order[name] = FIELDS[name].read(value.trim());
      if (order[name] === null) wrong[name] = `Not sent: ${FIELDS[name].allowed}.`;
    }
    this.#say("");
    if (markFields(this.#inputs, wrong)) this.#send(order);
  }

  async #send(body) {
    if (this.#busy) return;
    this.#busy = true;
    this.#last = body;
    this.#say("Sending …");
    try {
      const answer = await post("api/orders", body, this.#headers(body));
      this.#pending = null;
      markFields(this.#inputs, {});
      this.#offer();
      this.#say(`Order ${answer.order.order_id} is accepted.`, "good");
      this.#onSent(answer.order);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#failed(error);
    } finally {
      this.#busy = false;
    }
  }

  #headers(body) {
    const text = JSON.stringify(body);
    if (this.#pending?.text !== text) this.#pending = { text, key: newKey() };
    return { "Idempotency-Key": this.#pending.key, ...this.#token.headers() };
  }

  #failed(error) {
    this.#say(error.message, "bad");
    this.#mayPass = ["unreachable", "store"].includes(error.kind);
    if (error.kind === "refused") this.#pending = null;
    markFields(this.#inputs, Object.fromEntries(error.errors.map((one) => [one.field, one.detail])));
    if (error.status === 401) {
      this.#token.ask();
      byId("token-note").hidden = false;
    }
    if (error.status === 403) this.#access.ask();
  }

  #say(text, tone = "") {
    this.#mayPass = false;
    byId("sent").textContent = text;
    byId("sent").dataset.tone = tone;
  }
}

/** `randomUUID` is missing where the page comes from another machine by plain HTTP. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
}
