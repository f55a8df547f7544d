/* The page: events and answers go into `orders`, and from there, coalesced, on the screen. */

import { Access } from "./access.js";
import { FILTERS } from "./address.js";
import { readiness } from "./api.js";
import { ActivityChart } from "./chart.js";
import { Connection } from "./connection.js";
import { Filters } from "./filters.js";
import { OrderList } from "./list.js";
import { Orders } from "./orders.js";
import { Painter } from "./paint.js";
import { Presence } from "./presence.js";
import { Route } from "./route.js";
import { Sender } from "./send.js";
import { Stats } from "./stats.js";
import { Steady } from "./steady.js";
import { Story } from "./story.js";
import { Stream } from "./stream.js";
import { OrderTable } from "./table.js";
import { byId, setText, zoneText } from "./text.js";
import { Views } from "./views.js";

const READY_EVERY_MS = 5000;
/** While the worker starts, which takes some seconds. */
const STARTING_EVERY_MS = 1000;
/** An order that was heard of and is not known to be stored after this long is asked about. */
const SETTLE_MS = 2500;
/** Rows of the filter before stay so long at most while the answer is on its way. */
const EMPTY_AFTER_MS = 300;
/** From one drawing to the next while most rows are others in each: so long that one can be read. */
const RUSHING_GAP_MS = 500;

const connection = new Connection((live) => {
  painter.ask();
  if (live) sender.recovered();
});
const access = new Access();
access.onAnswer(() => {
  byId("environment").hidden = !access.environment;
  setText(byId("environment"), access.environment);
});
const orders = new Orders();
const table = new OrderTable({
  body: byId("rows"),
  template: byId("row"),
  refuge: byId("scroller"),
});
const list = new OrderList(orders, table);
const painter = new Painter(() => {
  list.draw(story.id, connection.live);
  route.drawSteps();
});
const story = new Story(orders, (ids) => take(new Set(ids)));
const chart = new ActivityChart();
const held = { paused: false, orders: 0 };
/** The list may lack something: ask for it once more, a moment later. */
let unsure = false;
/** The list could not be read: ask again, also during a pause. */
let failed = false;
let readinessTimer = 0;

/** Something is known of these orders; after a pause the list looks at all that is kept. */
function take(ids) {
  if (!held.paused) {
    list.take(ids);
    painter.ask(list.isRushing ? RUSHING_GAP_MS : undefined);
  }
  orders.prune([...list.ids, story.id]);
}

/** Ask for a list; what goes wrong is said at the top, and asked for again. */
async function ask(question) {
  try {
    await question;
    failed = false;
    connection.clear("list");
  } catch (error) {
    failed = true;
    complain("list", error);
  }
  painter.ask();
}

function complain(source, error) {
  connection.problem(source, error.message, error.kind === "store" ? "store" : source);
}

/** Something may have been missed. */
function refill() {
  if (!held.paused) ask(list.load());
  // What Kafka had before the stream began may have been stored after the list was read.
  unsure = true;
  story.refresh();
}

const stream = new Stream("api/events", {
  onOpen() {
    connection.opened();
    access.ask();
    checkReadiness();
    refill();
  },
  onHeard: () => connection.heard(),
  onLost: (detail) => connection.problem("stream", detail),
  onEvent(name, data) {
    if (name === "gap") refill();
    if (name !== "batch") return;
    const ids = orders.addBatch(data);
    unsure ||= data.skipped > 0 || [...ids].some((id) => !orders.get(id).known);
    take(ids);
    story.take(ids);
    if (held.paused) {
      held.orders += data.orders?.length ?? 0;
      connection.paused(true, held.orders);
    }
  },
});

const stats = new Stats({
  onAnswer: (answer) => chart.show(answer),
  onProblem(error) {
    if (error === null) connection.clear("figures");
    else complain("figures", error);
  },
});

byId("pause").addEventListener("click", () => {
  held.paused = !held.paused;
  stats.paused = held.paused;
  connection.clear("figures"); // a pause asks for none
  setText(byId("pause"), held.paused ? "Continue" : "Pause");
  connection.paused(held.paused, 0);
  if (held.paused) return;
  take(orders.ids);
  held.orders = 0;
  ask(list.load());
});
byId("retry").addEventListener("click", () => {
  stream.retry();
  ask(list.load());
});
byId("older").addEventListener("click", () => ask(list.next().then(turnPage)));
for (const name of ["newest", "arrived"]) {
  byId(name).addEventListener("click", () => {
    list.catchUp();
    turnPage("");
  });
}
byId("all-orders").addEventListener("click", () => {
  route.go(Object.fromEntries([...FILTERS, "after"].map((name) => [name, ""])));
  byId("orders-title").focus();
});
const steady = new Steady(byId("list"), document.querySelectorAll("body > header, main > :not(.columns)"));
new Presence(byId("list"), (inside) => {
  list.hold(inside);
  steady.hold(inside);
  if (!inside && !held.paused) list.catchUp();
  painter.ask();
});

function turnPage(after) {
  if (after !== null) route.go({ after });
  byId("orders-title").focus();
}

const filters = new Filters((change) => route.go(change));
const route = new Route(story, {
  onList(wanted) {
    filters.show(wanted);
    ask(list.open(wanted));
    setTimeout(() => painter.ask(), EMPTY_AFTER_MS);
  },
  onChange: () => painter.ask(),
  ids: () => list.ids,
  onView: (address, focus) => views.show(address, focus),
});
const views = new Views({ access, go: (change, focus) => route.go(change, focus) });

const sender = new Sender(access, (sent) => {
  take(orders.addBatch({ orders: [sent] }));
  route.go({ view: "orders", open: String(sent.order_id) });
});

async function checkReadiness() {
  if (!document.hidden) connection.readiness(await readiness());
  clearTimeout(readinessTimer);
  const wait = connection.starting ? STARTING_EVERY_MS : READY_EVERY_MS;
  readinessTimer = setTimeout(checkReadiness, wait);
}

setInterval(() => {
  const wanted = failed || (!held.paused && (unsure || list.waitsFor(SETTLE_MS)));
  if (document.hidden || !wanted) return;
  unsure = false;
  ask(list.load());
}, SETTLE_MS);

for (const element of document.querySelectorAll("[data-zone]")) setText(element, zoneText());
stats.run();
route.follow();
ask(list.load()); // also while the stream is refused
stream.run();
checkReadiness();
