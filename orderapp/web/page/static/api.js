/* Requests to the worker; whatever goes wrong becomes an ApiError with a kind:
   "unreachable", "store" (503), "refused" (4xx) or "error". */

const TIMEOUT_MS = 5000;
/** Longer than the worker itself waits for Kafka. */
const SEND_TIMEOUT_MS = 16_000;

export class ApiError extends Error {
  constructor(kind, detail, { status = 0, errors = [] } = {}) {
    super(detail);
    this.kind = kind;
    this.status = status;
    this.errors = errors;
  }
}

/** What went wrong, from a status and an RFC 9457 body (or whatever stands between). */
export function problemOf(status, body) {
  const said = [body?.detail, body?.title].find((text) => typeof text === "string" && text);
  const errors = Array.isArray(body?.errors) ? body.errors : [];
  if ([502, 504].includes(status) || (status === 503 && !said)) {
    return new ApiError("unreachable", `Something before the worker answered ${status}.`);
  }
  const kind = status === 503 ? "store" : status >= 400 && status < 500 ? "refused" : "error";
  return new ApiError(kind, said ?? `The worker answered ${status}.`, { status, errors });
}

async function send(path, options, patience = TIMEOUT_MS) {
  let response;
  let text;
  try {
    const signal = AbortSignal.timeout(patience);
    response = await fetch(path, { cache: "no-store", signal, ...options });
    text = await response.text();
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new ApiError(
      "unreachable",
      late ? `No answer within ${patience / 1000} s.` : "There is no connection to the worker.",
    );
  }
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Not our JSON: something between this page and the worker answered.
  }
  const date = Date.parse(response.headers.get("Date"));
  return { status: response.status, ok: response.ok && body !== null, body, date };
}

export async function get(path, patience) {
  return (await getDated(path, patience)).body;
}

/** The answer's body, and its moment by the worker's clock (ms, NaN when it does not say). */
export async function getDated(path, patience) {
  const options = { headers: { Accept: "application/json" } };
  const { status, ok, body, date } = await send(path, options, patience);
  if (!ok) throw problemOf(status, body);
  return { body, date };
}

export const post = (...request) => change("POST", ...request);
export const put = (...request) => change("PUT", ...request);

async function change(method, path, body, headers, patience = SEND_TIMEOUT_MS) {
  const options = {
    method,
    headers: { Accept: "application/json", "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
  const answer = await send(path, options, patience);
  if (!answer.ok) throw problemOf(answer.status, answer.body);
  return answer.body;
}

/** What the worker says it misses, and whether it is still starting; nothing when it is ready, or
    does not say. */
export async function readiness() {
  try {
    const { status, body } = await send("readyz", {});
    if (status === 503 && Array.isArray(body?.missing)) {
      return { missing: body.missing.map(String), starting: body.starting === true };
    }
  } catch {
    // others tell
  }
  return { missing: [], starting: false };
}
