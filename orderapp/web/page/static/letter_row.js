/* A dead letter in the list. */

import { writeAddress } from "./address.js";
import { countText, make, momentText, zonedText } from "./text.js";

const TONES = { open: "dead", replayed: "info", dropped: "done" };

export class LetterRow {
  #box = null;
  #link;

  /** `addressOf(place)` is what the page's address says of it; `service`: the only one that is
      listed, or empty. */
  constructor(letter, addressOf, service) {
    this.place = letter.place;
    this.element = make("tr");
    this.element.setAttribute("role", "row");
    this.#link = make("a", "", letter.place);
    this.#link.href = writeAddress(addressOf(letter.place));
    this.element.append(
      this.#cell("choose", this.#choice(letter, service)),
      this.#cell("place", this.#link, "th"),
      this.#cell("failed", timeOf(letter.last_failure)),
      this.#cell("service", letter.services.join(", ") || "–"),
      this.#cell("error", ...errorOf(letter)),
      this.#cell("attempts", countText(letter.attempts)),
      this.#cell("order", orderLink(letter.order_id)),
      this.#cell("state", stateChip(letter)),
    );
  }

  get canBeChosen() {
    return this.#box !== null;
  }

  get chosen() {
    return this.#box?.checked === true;
  }

  choose(chosen) {
    if (this.#box) this.#box.checked = chosen;
  }

  mark(open) {
    if (open === this.place) this.#link.setAttribute("aria-current", "true");
    else this.#link.removeAttribute("aria-current");
  }

  #choice({ place, state, open_for: openFor }, service) {
    if (state !== "open" || (service && !openFor.includes(service))) return "";
    this.#box = Object.assign(make("input"), { type: "checkbox" });
    this.#box.setAttribute("aria-label", `choose ${place}`);
    return this.#box;
  }

  #cell(name, ...parts) {
    const isHead = parts.at(-1) === "th";
    const cell = make(isHead ? "th" : "td", name === "attempts" ? "number" : "");
    cell.dataset.letter = name;
    cell.setAttribute("role", isHead ? "rowheader" : "cell");
    if (isHead) cell.scope = "row";
    cell.append(...(isHead ? parts.slice(0, -1) : parts));
    return cell;
  }
}

export function timeOf(at) {
  if (!at) return "–";
  const time = make("time", "", momentText(at));
  time.dateTime = at;
  time.title = zonedText(at);
  return time;
}

export function orderLink(id) {
  if (id === null) return "none";
  const link = make("a", "", id);
  link.href = `#/orders/${id}`;
  return link;
}

export function stateChip({ state, services, open_for: openFor, resolved_at: at }) {
  const partly = state === "open" && openFor.length < services.length;
  const chip = make("span", "chip", partly ? `open for ${openFor.join(", ")}` : state);
  chip.dataset.tone = TONES[state] ?? "calm";
  if (at) chip.title = zonedText(at);
  return chip;
}

function errorOf({ error_class: name, error_text: text }) {
  return [make("b", "", name ?? "damaged"), " ", make("span", "error-text", text)];
}
