/* The form that sends an order. One idempotency key for one order: while no answer has come,
   pressing again cannot make a second one. */

import { ApiError, post } from "./api.js";
import { byId } from "./text.js";

const RISKY = { customer_id: 1234, amount: 350, country: "DE" };

export class Sender {
  #form = byId("send");
  #onSent;
  #pending = null;
  #last = RISKY;
  #busy = false;

  /** `onSent(order)` with the order as the worker made it. */
  constructor(onSent) {
    this.#onSent = onSent;
    byId("risky").addEventListener("click", () => this.#send(RISKY));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  #submit() {
    const { customer_id: customer, amount, country, token } = this.#form.elements;
    if (document.activeElement === token) {
      this.#send(this.#last); // Enter after the token sends what it was asked for
      return;
    }
    this.#send({
      customer_id: toNumber(customer.value, /^\d+$/),
      amount: toNumber(amount.value, /^\d+([.,]\d{1,2})?$/),
      country: country.value.trim(),
    });
  }

  async #send(body) {
    if (this.#busy) return;
    this.#busy = true;
    this.#last = body;
    this.#say("Sending …");
    try {
      const answer = await post("api/orders", body, this.#headers(body));
      this.#pending = null;
      this.#mark([]);
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
    const headers = { "Idempotency-Key": this.#pending.key };
    const token = this.#form.elements.token.value;
    if (token) headers.Authorization = `Bearer ${token}`;
    return headers;
  }

  #failed(error) {
    this.#say(error.message, "bad");
    if (error.kind === "refused") this.#pending = null;
    this.#mark(error.errors.map(({ field }) => field));
    if (error.status === 401) this.#askToken();
  }

  #askToken() {
    byId("token-field").hidden = false;
    byId("token-note").hidden = false;
    this.#form.elements.token.setAttribute("aria-invalid", "true");
    this.#form.elements.token.focus();
  }

  /** Mark the fields that the worker did not like, and go to the first. */
  #mark(names) {
    const inputs = [...this.#form.querySelectorAll("input")];
    for (const input of inputs) {
      if (names.includes(input.name)) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    inputs.find((input) => names.includes(input.name))?.focus();
  }

  #say(text, tone = "") {
    byId("sent").textContent = text;
    byId("sent").dataset.tone = tone;
  }
}

/** A number, or the text as it is: the worker says what is wrong with it. In `1,000` or `1.000`
    people mean a thousand or one; it is not for us to guess. */
function toNumber(text, form) {
  const trimmed = text.trim();
  return form.test(trimmed) ? Number(trimmed.replace(",", ".")) : text;
}

/** `randomUUID` is missing where the page comes from another machine by plain HTTP. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
}
