/* Asks everything of a worker, with the client for TypeScript; see `test_clients.py`. */

import * as api from "./index.js";

const [key, ...stored] = process.argv.slice(2) as [string, ...string[]];
const orders = new api.OrdersApi(); // with the server that the description names
const worker = new api.WorkerApi();

type Told = { orderId: number; amount: number; createdAt: Date };
const told = ({ orderId, amount, createdAt }: Told) => (
  { order_id: orderId, amount, created_at: createdAt.getTime() }
);

async function problem(call: Promise<unknown>) {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof api.ResponseError)) throw error;
    const body: api.ProblemDetails = api.ProblemDetailsFromJSON(await error.response.json());
    const fields = (body.errors ?? []).map(({ field }: api.FieldError) => field);
    return { status: error.response.status, told: body.status, fields };
  }
  throw new Error("no error");
}

async function firstBatch({ body }: Response, orderId: number) {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines.filter((one) => one.startsWith("data: "))) {
      const batch: api.EventBatch = api.EventBatchFromJSON(JSON.parse(line.slice(6)));
      const found = (batch.orders ?? []).find((order) => order.orderId === orderId);
      if (found) return told(found);
    }
  }
  throw new Error("the stream has ended");
}

// The response and not only its body: Node ends a stream that nobody reads yet as soon as its
// response is garbage.
const events = (await new api.EventsApi().getApiEventsRaw({})).raw;
const newOrder: api.NewOrder = { customerId: 1234, amount: 350.07, country: "DE" };
const sent = await orders.postApiOrdersRaw({ newOrder, idempotencyKey: key });
const accepted: api.Accepted = await sent.value();
const again = await orders.postApiOrders({ newOrder, idempotencyKey: key });
const page = await orders.getApiOrders({ limit: 1 });
const rest = await orders.getApiOrders({ limit: 1, after: page.next! });
const details = await Promise.all(
  stored.map(async (id) => (await orders.getApiOrdersOrderId({ orderId: Number(id) })).order),
);
const stats = await new api.StatsApi().getApiStats();
const described = (await worker.getOpenapiJson()) as Record<string, string>;
const topics = (await worker.getAsyncapiJson()) as Record<string, string>;
const wrong: api.NewOrder = { customerId: 1234, amount: 1.005, country: "DE" };

console.log(JSON.stringify({
  posted: told(accepted.order),
  status: sent.raw.status,
  location: sent.raw.headers.get("Location"),
  link: accepted.links.self,
  again: again.order.orderId,
  event: await firstBatch(events, accepted.order.orderId),
  stored: details.map(told),
  offsets: details.map((order) => order.kafkaOffset),
  payments: details.map((order) => order.payment?.status),
  alerts: details.map((order) => order.alerts.length),
  verdicts: details.map((order) => order.fraud.verdict),
  steps: details[0]!.timeline.filter(({ step }) => step === "created").map(({ at }) => at instanceof Date),
  listed: (await new api.AnalyticsApi().getApiAnalytics({ limit: 2 })).orders.length,
  pages: [page.orders.length, rest.orders.length],
  counted: stats.orders >= stored.length,
  services: Object.keys(stats.services ?? {}).sort(),
  limits: (await new api.RulesApi().getApiRules()).rules
    .filter(({ schemas }) => "limit" in schemas)
    .map(({ schemas }) => (schemas["limit"] as { default: number }).default),
  health: [(await worker.getHealthz()).status, (await worker.getReadyz()).status],
  descriptions: [described["openapi"], topics["asyncapi"]],
  texts: [
    (await worker.getDocs()).startsWith("<!doctype html>"),
    (await worker.getMetrics()).includes("orderapp_"),
  ],
  problems: [
    await problem(orders.getApiOrdersOrderId({ orderId: 9 })),
    await problem(orders.postApiOrders({ newOrder: wrong })),
    await problem(orders.getApiOrders({ after: "x" })),
  ],
}));
process.exit(0); // the stream has no end
