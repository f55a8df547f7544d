/* Which view is on show: orders, or another one, whose files are loaded when it is first asked
   for. */

import { offerCommands } from "./clipboard.js";
import { byId, make } from "./text.js";

/** For each view its title's id, what it is about, and of those that are loaded the place that
    they get, their files, and what shows them: `show(address, focus)`, and `leave()` when another
    one is shown. */
const VIEWS = {
  orders: { title: "orders-title", about: "orders" },
  "dead-letters": {
    title: "letters-title",
    about: "dead letters",
    place: "letters",
    files: ["letters.html", "letters.css", "bytes.css", "dialog.css"],
    script: async () => (await import("./letters.js")).Letters,
  },
  flow: {
    title: "flow-title",
    about: "flow",
    place: "flow",
    files: ["flow.html", "flow.css", "bytes.css"],
    script: async () => (await import("./flow.js")).Flow,
  },
  rules: {
    title: "rules-title",
    about: "rules",
    place: "rules",
    files: ["rules.html", "live.css", "dialog.css", "rules.css"],
    script: async () => (await import("./rules.js")).Rules,
  },
  faults: {
    title: "faults-title",
    about: "faults",
    place: "faults",
    files: ["faults.html", "live.css"],
    script: async () => (await import("./faults.js")).Faults,
  },
};

export class Views {
  #context;
  /** By name, what shows a view, as a promise. */
  #loading = new Map();
  #view = "orders";
  /** What shows it; null for orders, and until it is there. */
  #shown = null;
  #asked = 0;

  /** `context`: `access`, and `go(change, focus)`, for the views. */
  constructor(context) {
    this.#context = context;
  }

  async show(address, focus) {
    const turn = ++this.#asked;
    const { view } = address;
    if (view !== this.#view) this.#shown?.leave();
    this.#shown = view === this.#view ? this.#shown : null;
    this.#view = view;
    this.#choose(view);
    if (!VIEWS[view].script) return;
    const shown = await this.#loaded(view);
    if (turn !== this.#asked) return;
    this.#shown = shown;
    shown?.show(address, focus);
  }

  async #loaded(view) {
    if (!this.#loading.has(view)) this.#loading.set(view, load(VIEWS[view], this.#context));
    try {
      return await this.#loading.get(view);
    } catch {
      failed(byId(VIEWS[view].place));
      return null;
    }
  }

  #choose(view) {
    for (const part of document.querySelectorAll("[data-view]")) {
      part.hidden = part.dataset.view !== view;
    }
    for (const link of document.querySelectorAll("[data-leads]")) {
      if (link.dataset.leads === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const { title, about } = VIEWS[view];
    const skip = document.querySelector(".skip");
    skip.href = `#${title}`;
    skip.textContent = `Skip to the ${about}`;
  }
}

function failed(place) {
  const again = make("button", "", "Load the page again");
  again.addEventListener("click", () => location.reload());
  place.replaceChildren(
    make("p", "", "This view could not be loaded: there is no connection to the worker."), again,
  );
}

async function load({ place, files: [page, ...styles], script }, context) {
  byId(place).replaceChildren(make("p", "note", "Loading …"));
  const [View, found] = await Promise.all([
    script(), text(`static/${page}`), ...styles.map((name) => style(`static/${name}`)),
  ]);
  const parsed = new DOMParser().parseFromString(found, "text/html");
  byId(place).replaceChildren(...parsed.body.children);
  offerCommands(byId(place));
  return new View(context);
}

async function text(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.text();
}

/** Views may share one. */
function style(path) {
  if (document.querySelector(`link[href="${path}"]`)) return null;
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: path });
  const loaded = new Promise((resolve, reject) => {
    link.onload = resolve;
    link.onerror = reject;
  });
  document.head.append(link);
  return loaded;
}
