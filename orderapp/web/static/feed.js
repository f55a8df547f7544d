/* Asks the worker for the latest orders: one request at a time, every second while all is
   well, less often after errors, and not at all while nobody looks. */

const EVERY_MS = 1000;
const SLOWEST_MS = 10_000;
const TIMEOUT_MS = 5000;
const READINESS_EVERY_MS = 5000;

/** What is wrong, in one of the kinds "unreachable", "store" and "error". */
class Problem extends Error {
  constructor(kind, detail) {
    super(detail);
    this.kind = kind;
  }
}

/** Order ids may be larger than a JavaScript number can hold: keep their digits as text. */
function exactIds(key, value, context) {
  if (key !== "order_id" || typeof value !== "number") return value;
  return context?.source ?? String(value);
}

async function ask(path) {
  let response;
  let text;
  try {
    response = await fetch(path, {
      cache: "no-store",
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new Problem(
      "unreachable",
      late ? `No answer within ${TIMEOUT_MS / 1000} s.` : "There is no connection to it.",
    );
  }
  let body = null;
  try {
    body = JSON.parse(text, exactIds);
  } catch {
    // Not our JSON: something between this page and the worker answered.
  }
  return { status: response.status, body };
}

async function askOrders(limit) {
  const { status, body } = await ask(`/api/analytics?limit=${limit}`);
  if (status === 200 && Array.isArray(body?.orders)) {
    return body.orders.filter((order) => order?.order_id !== undefined);
  }
  const said = typeof body?.error === "string" ? body.error : "";
  if (status === 503 && said) throw new Problem("store", said);
  if ([502, 503, 504].includes(status)) {
    throw new Problem("unreachable", `Something before it answered ${status}.`);
  }
  throw new Problem("error", said || `It answered ${status} with something else than orders.`);
}

/** What the worker says it misses; nothing when it is ready, or does not say. */
async function askMissing() {
  try {
    const { status, body } = await ask("/readyz");
    return status === 503 && Array.isArray(body?.missing) ? body.missing.map(String) : [];
  } catch {
    return []; // the next request for orders tells more
  }
}

export class Feed {
  #limit;
  #onOrders;
  #onState;
  #timer = 0;
  #asking = false;
  #wanted = false;
  #paused = false;
  #failures = 0;
  #missing = [];
  #readinessAsked = -Infinity;

  /** `onOrders(orders)` after each answer, `onState(kind, detail)` after each attempt. */
  constructor({ limit, onOrders, onState }) {
    this.#limit = limit;
    this.#onOrders = onOrders;
    this.#onState = onState;
  }

  start() {
    document.addEventListener("visibilitychange", () => this.#next());
    addEventListener("online", () => this.#next());
    this.#next();
  }

  /** Ask now, also while paused, or as soon as the request under way has ended. */
  refresh() {
    this.#wanted = true;
    this.#next();
  }

  get paused() {
    return this.#paused;
  }

  set paused(paused) {
    this.#paused = paused;
    if (paused) this.#onState("paused", "");
    this.#next();
  }

  set limit(limit) {
    this.#limit = limit;
    this.refresh();
  }

  async #next() {
    clearTimeout(this.#timer);
    if (this.#asking || document.hidden || (this.#paused && !this.#wanted)) return;
    this.#asking = true;
    this.#wanted = false;
    try {
      await this.#round();
    } finally {
      this.#asking = false;
      this.#timer = setTimeout(() => this.#next(), this.#wanted ? 0 : this.#delay());
    }
  }

  async #round() {
    let kind = "live";
    let detail = "";
    try {
      const orders = await askOrders(this.#limit);
      this.#failures = 0;
      this.#onOrders(orders);
      await this.#checkReadiness();
      if (this.#missing.length > 0) {
        kind = "not-ready";
        detail = `Missing: ${this.#missing.join(", ")}.`;
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#failures += 1;
      this.#readinessAsked = -Infinity;
      ({ kind, message: detail } = error);
    }
    if (this.#paused) this.#onState("paused", kind === "live" ? "" : detail);
    else this.#onState(kind, detail);
  }

  async #checkReadiness() {
    const now = performance.now();
    if (now - this.#readinessAsked < READINESS_EVERY_MS) return;
    this.#readinessAsked = now;
    this.#missing = await askMissing();
  }

  #delay() {
    if (this.#failures === 0) return EVERY_MS;
    // A random part, so that the pages of a whole office do not come back in step.
    const backoff = Math.min(EVERY_MS * 2 ** this.#failures, SLOWEST_MS);
    return backoff * (0.8 + 0.2 * Math.random());
  }
}
