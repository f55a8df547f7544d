/* What the page shows, as its address says it: `#/orders/123?country=DE&status=paid&after=…`. */

const PATH = /^#(?:\/(?:orders\/([^?]*))?(?:\?(.*))?)?$/;

/** The order whose story is open (as it stands there), the filter and the page's cursor, each empty
    if it is not there; null for a jump within the page. */
export function readAddress(hash) {
  const found = PATH.exec(hash || "#");
  if (found === null) return null;
  const query = new URLSearchParams(found[2] ?? "");
  const { country, status, after } = { country: "", status: "", after: "", ...Object.fromEntries(query) };
  return { order: found[1] ?? "", country, status, after };
}

export function writeAddress({ order, ...rest }) {
  const query = new URLSearchParams(Object.entries(rest).filter(([, value]) => value));
  const path = `#/${order ? `orders/${order}` : ""}${query.size > 0 ? `?${query}` : ""}`;
  return path === "#/" ? location.pathname + location.search : path;
}

/** What it shows, for a window's title. */
export function titleOf({ order, ...list }) {
  return `${order ? `Order ${order}` : listTitle(list)}: orderapp`;
}

/** `Orders: DE, paid`. */
export function listTitle({ country, status, after }) {
  const filter = [country, status.replaceAll("_", " ")].filter(Boolean).join(", ");
  return `${after ? "Older orders" : "Orders"}${filter && `: ${filter}`}`;
}
