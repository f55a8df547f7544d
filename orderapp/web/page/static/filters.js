/* What the list of orders is chosen by: country, status and a span of time, and the same orders as a
   file. All of it stands in the address; here it is shown and changed. */

import { FILTERS } from "./address.js";
import { markFields } from "./fields.js";
import { byId, setText } from "./text.js";

/** As the choices of time that are no number of seconds are called. */
const SPAN = "span";

/** What is chosen by the search. */
const NARROW = { customer_id: "Customer", trace_id: "Trace" };

export class Filters {
  #go;
  #form = byId("span");

  /** `go(change)` shows other orders. */
  constructor(go) {
    this.#go = (change) => go({ ...change, after: "" });
    for (const name of ["country", "status"]) {
      byId(`filter-${name}`).addEventListener("change", ({ target }) => this.#go({ [name]: target.value }));
    }
    for (const name of Object.keys(NARROW)) {
      byId(`filter-${name}`).addEventListener("click", () => {
        this.#go({ [name]: "" });
        byId("orders-title").focus();
      });
    }
    byId("filter-time").addEventListener("change", ({ target }) => this.#choose(target.value));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** What the address says. */
  show(wanted) {
    for (const name of ["country", "status"]) choose(byId(`filter-${name}`), wanted[name]);
    for (const [name, noun] of Object.entries(NARROW)) {
      const button = byId(`filter-${name}`);
      button.hidden = !wanted[name];
      const short = wanted[name].length > 12 ? `${wanted[name].slice(0, 8)}…` : wanted[name];
      setText(button, `${noun} ${short} ✕`);
      button.setAttribute("aria-label", `${noun} ${wanted[name]}: no longer only this one`);
    }
    const { from, to } = this.#form.elements;
    from.value = local(wanted.from);
    to.value = local(wanted.to);
    markFields([from, to], {});
    this.#form.hidden = !(wanted.from || wanted.to);
    byId("filter-time").value = this.#form.hidden ? "" : SPAN;
    const query = queryOf(wanted);
    for (const kind of ["csv", "json"]) byId(`export-${kind}`).href = `api/orders/export.${kind}${query}`;
  }

  #choose(value) {
    this.#form.hidden = value !== SPAN;
    if (value === SPAN) this.#form.elements.from.focus();
    // As a moment, not as an age: whoever follows a link sees the same orders later.
    else this.#go({ from: value && utc(Date.now() - value * 1000), to: "" });
  }

  #submit() {
    const { from, to } = this.#form.elements;
    const isWrong = from.value && to.value && from.value >= to.value;
    if (!markFields([from, to], isWrong ? { to: "This has to be later than the beginning." } : {})) return;
    this.#go({ from: utc(from.value), to: utc(to.value) });
  }
}

/** The filters as the API's parameters. */
export function queryOf(wanted) {
  const query = new URLSearchParams(FILTERS.map((name) => [name, wanted[name]]).filter(([, value]) => value));
  return query.size > 0 ? `?${query}` : "";
}

/** What the address names may not be among the choices yet. */
function choose(select, value) {
  const there = [...select.options].some((option) => option.value === value);
  if (!there) select.add(new Option(value, value));
  select.value = value;
}

/** A time as the API has it, as a field for local times takes it; empty for what is no time. */
function local(text) {
  const time = new Date(text);
  if (!text || Number.isNaN(time.getTime())) return "";
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** The reverse, to the second; also of milliseconds. */
function utc(time) {
  return time && new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}
