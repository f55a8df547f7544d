/* Which view is on show: orders, or dead letters, whose files are loaded when they are first asked
   for. */

import { byId, make } from "./text.js";

/** For each view its title's id and what it is about. */
const TITLES = {
  orders: ["orders-title", "orders"],
  "dead-letters": ["letters-title", "dead letters"],
};

export class Views {
  #context;
  #loading = null;
  #letters = null;
  #asked = 0;

  /** `context`: `access`, and `go(change, focus)`, for the views. */
  constructor(context) {
    this.#context = context;
  }

  async show(address, focus) {
    const turn = ++this.#asked;
    this.#choose(address.view);
    if (address.view === "orders") {
      this.#letters?.leave();
      return;
    }
    try {
      this.#loading ??= load(byId("letters"), this.#context);
      this.#letters = await this.#loading;
    } catch {
      this.#failed();
      return;
    }
    if (turn === this.#asked) this.#letters.show(address, focus);
  }

  #choose(view) {
    for (const part of document.querySelectorAll("[data-view]")) {
      part.hidden = part.dataset.view !== view;
    }
    for (const link of document.querySelectorAll("[data-leads]")) {
      if (link.dataset.leads === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const [title, name] = TITLES[view];
    const skip = document.querySelector(".skip");
    skip.href = `#${title}`;
    skip.textContent = `Skip to the ${name}`;
  }

  #failed() {
    const again = make("button", "", "Load the page again");
    again.addEventListener("click", () => location.reload());
    byId("letters").replaceChildren(
      make("p", "", "This view could not be loaded: there is no connection to the worker."), again,
    );
  }
}

async function load(place, context) {
  place.replaceChildren(make("p", "note", "Loading …"));
  const [{ Letters }, page] = await Promise.all([
    import("./letters.js"), text("static/letters.html"), style("static/letters.css"),
  ]);
  const parsed = new DOMParser().parseFromString(page, "text/html");
  place.replaceChildren(...parsed.body.children);
  return new Letters(context);
}

async function text(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.text();
}

function style(path) {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: path });
  const loaded = new Promise((resolve, reject) => {
    link.onload = resolve;
    link.onerror = reject;
  });
  document.head.append(link);
  return loaded;
}
