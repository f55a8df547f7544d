/* What the page shows, as its address says it: `#/orders/123?country=DE&status=paid&after=…`,
   `#/dead-letters/3:17?service=payment`, `#/flow/topic/orders?partition=3&offset=17`,
   `#/rules/CUSTOMER_SPEND`. */

import { momentText } from "./text.js";

/** What the list of orders is chosen by; the API's parameters have the same names. */
export const FILTERS = ["country", "status", "customer_id", "trace_id", "from", "to"];
/** What each view can be asked for. */
const NAMES = {
  orders: [...FILTERS, "after"],
  "dead-letters": ["status", "service", "error", "order_id", "after"],
  flow: ["partition", "offset", "since"],
  rules: [],
  faults: [],
};
/** What each view calls one, and many. */
const NOUNS = {
  orders: ["Order", "orders"],
  "dead-letters": ["Dead letter", "dead letters"],
  flow: ["Flow:", "flow"],
  rules: ["Rule", "rules"],
  faults: ["Fault", "break it"],
};
const PATH = new RegExp(
  String.raw`^#(?:/(?:(${Object.keys(NAMES).join("|")})(?:/([^?]*))?)?(?:\?(.*))?)?$`,
);

/** The view, what is open in it (as it stands there), its filters and the page's cursor, each empty
    if it is not there; null for a jump within the page. */
export function readAddress(hash) {
  const found = PATH.exec(hash || "#");
  if (found === null) return null;
  const [, view = "orders", open = "", rest = ""] = found;
  const query = new URLSearchParams(rest);
  return { view, open, ...Object.fromEntries(NAMES[view].map((name) => [name, query.get(name) ?? ""])) };
}

export function writeAddress({ view, open, ...rest }) {
  const query = new URLSearchParams(Object.entries(rest).filter(([, value]) => value));
  const home = view === "orders" ? "#/" : `#/${view}`;
  const path = `${open ? `#/${view}/${open}` : home}${query.size > 0 ? `?${query}` : ""}`;
  return path === "#/" ? location.pathname + location.search : path;
}

/** What it shows, for a window's title. */
export function titleOf(address) {
  const { view, open } = address;
  return `${open ? `${NOUNS[view][0]} ${open}` : listTitle(address)}: orderapp`;
}

/** `Orders: DE, paid, from 30 Nov, 18:00:00`. */
export function listTitle({ view, open: _, after, from, to, customer_id: who, trace_id: trace, ...filters }) {
  const name = NOUNS[view][1];
  const words = Object.values(filters).map((value) => value.replaceAll("_", " "));
  const times = [from && `from ${momentText(from)}`, to && `until ${momentText(to)}`];
  const whose = [who && `customer ${who}`, trace && `trace ${trace}`];
  const filter = [...words, ...whose, ...times].filter(Boolean).join(", ");
  const title = after ? `Older ${name}` : name[0].toUpperCase() + name.slice(1);
  return `${title}${filter && `: ${filter}`}`;
}
