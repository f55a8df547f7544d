/* The page: what the feed brings goes into the table, the counters and the connection line. */

import { Feed } from "./feed.js";
import { OrderTable, alertsOf, paymentOf } from "./table.js";

const STALE_AFTER_S = 5;

/** For each state of the connection: its short name, and what it means for the reader. */
const STATES = {
  live: ["Live", ""],
  "not-ready": ["Worker not ready", "The orders below come from the store; new ones may not arrive."],
  store: ["Store away", "The orders below may be out of date. The page goes on trying."],
  unreachable: ["Worker not reachable", "The orders below may be out of date. The page goes on trying."],
  error: ["Worker answers with an error", "The orders below may be out of date. The page goes on trying."],
  paused: ["Paused", ""],
};

const byId = (id) => document.getElementById(id);
const connection = document.querySelector(".connection");
const table = new OrderTable({
  body: byId("rows"),
  template: byId("row"),
  refuge: byId("scroller"),
});
let updated = null;

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showOrders(orders) {
  updated = Date.now();
  byId("empty").hidden = orders.length > 0;
  byId("scroller").hidden = orders.length === 0;
  table.show(orders);
  showCounts(orders);
  showAge();
}

function showCounts(orders) {
  const paid = (name) => orders.filter((order) => paymentOf(order)[0] === name).length;
  const counts = {
    orders: orders.length,
    alerts: orders.filter((order) => alertsOf(order).length > 0).length,
    paid: paid("paid"),
    declined: paid("declined"),
    waiting: paid("waiting"),
  };
  for (const [name, count] of Object.entries(counts)) setText(byId(`count-${name}`), `${count}`);
}

function showState(state, detail) {
  const [name, meaning] = STATES[state];
  const problem = byId("problem");
  const calm = !detail && !meaning;
  if (connection.dataset.state !== state) {
    connection.dataset.state = state;
    setText(byId("state"), name);
    setText(byId("announcer"), `${name}. ${detail}`);
  }
  setText(byId("problem-title"), `${name}.`);
  setText(byId("problem-detail"), detail);
  setText(byId("problem-hint"), updated === null ? "" : meaning);
  if (calm && problem.contains(document.activeElement)) byId("pause").focus();
  problem.hidden = calm;
  showAge();
}

function ageText(seconds) {
  if (seconds < 2) return "updated just now";
  if (seconds < 120) return `updated ${seconds} s ago`;
  if (seconds < 7200) return `updated ${Math.floor(seconds / 60)} min ago`;
  return `updated ${Math.floor(seconds / 3600)} h ago`;
}

function showAge() {
  if (updated === null) return;
  // Wall clock, not performance.now(): that one may stop while the machine sleeps.
  const seconds = Math.max(0, Math.floor((Date.now() - updated) / 1000));
  const stale = seconds >= STALE_AFTER_S;
  setText(byId("age"), ageText(seconds) + (stale ? " (stale)" : ""));
  byId("age").classList.toggle("stale", stale);
}

const limit = byId("limit");
const pause = byId("pause");
const feed = new Feed({ limit: limit.value, onOrders: showOrders, onState: showState });

limit.addEventListener("change", () => {
  feed.limit = limit.value;
});
pause.addEventListener("click", () => {
  feed.paused = !feed.paused;
  setText(pause, feed.paused ? "Resume updates" : "Pause updates");
});
byId("retry").addEventListener("click", () => feed.refresh());
setInterval(showAge, 1000);
feed.start();
