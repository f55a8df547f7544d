/* What a rule would have raised in the last week: the worker tries it, and the answer is shown. */

import { ApiError, get } from "./api.js";
import { settingsText } from "./rule_value.js";
import { amountText, counted, countText, make, momentText, shareText } from "./text.js";

/** Longer than the worker gives it. */
const PATIENCE_MS = 40_000;
const SINCE = "7d";
const KINDS = ["raised", "already", "new", "gone"];
const MOST = 24;

export class RuleTest {
  #path;
  #said;
  #found;
  #busy = false;

  /** `settings()`: what was entered, as `--set` takes it; null if it is wrong. */
  constructor(id, { try: button, tried, found }, settings) {
    this.#path = `api/rules/${encodeURIComponent(id)}/test`;
    this.#said = tried;
    this.#found = found;
    button.addEventListener("click", () => this.#begin(settings));
  }

  async #begin(settings) {
    const entered = this.#busy ? null : settings();
    if (entered === null) return;
    this.#busy = true;
    this.#found.hidden = true;
    this.#say("Testing, for half a minute at most …");
    try {
      const query = new URLSearchParams([...entered.map((one) => ["set", one]), ["since", SINCE]]);
      this.#show(await get(`${this.#path}?${query}`, PATIENCE_MS));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#say(error.message, "bad");
    } finally {
      this.#busy = false;
    }
  }

  #show(answer) {
    const { by_country: countries, by_hour: hours, examples } = answer;
    this.#say(summaryOf(answer));
    this.#found.replaceChildren(
      tableOf("By country", countries.map(({ country, ...counts }) => [country, counts])),
      tableOf("By hour", hours.map(({ hour, ...counts }) => [momentText(hour), counts])),
      ...(examples.length > 0 ? [make("p", "note", "Some of them, new ones first"), listOf(examples)] : []),
    );
    this.#found.hidden = countries.length === 0;
  }

  #say(text, tone = "") {
    this.#said.textContent = text;
    this.#said.dataset.tone = tone;
  }
}

function summaryOf({ parameters, records, raised, already, new: news, gone, failures, failure, unreadable }) {
  const parts = [
    `With ${settingsText(parameters) || "no parameters"}, of ${counted(records, "order")}: ${countText(raised)} raised`,
    ` (${shareText(raised, records)}). Of these ${countText(already)} are raised already by the rules as they are`,
    `, and ${countText(news)} would be new; ${countText(gone)} that it raises now would be gone.`,
    failures > 0 && ` ${countText(failures)} could not be judged; the first: ${failure}.`,
    unreadable > 0 && ` ${counted(unreadable, "record")} can't be read as orders.`,
  ];
  return parts.filter(Boolean).join("");
}

/** Rows of a name and counts, folded up. */
function tableOf(title, rows) {
  const details = make("details");
  const more = rows.length > MOST ? `, the first ${MOST} of ${rows.length}` : "";
  const table = make("table", "rule-counts");
  table.append(make("thead"), make("tbody"));
  table.tHead.append(rowOf("th", title, KINDS.map((kind) => kind[0].toUpperCase() + kind.slice(1))));
  table.tBodies[0].append(
    ...rows.slice(0, MOST).map(([name, counts]) => rowOf("td", name, KINDS.map((kind) => countText(counts[kind])))),
  );
  details.append(make("summary", "", `${title}${more}`), table);
  return details;
}

function rowOf(tag, name, texts) {
  const row = make("tr");
  const head = make("th", "", name);
  head.scope = tag === "th" ? "col" : "row";
  const cells = texts.map((text) => make(tag, "number", text));
  for (const cell of cells) if (tag === "th") cell.scope = "col";
  row.append(head, ...cells);
  return row;
}

function listOf(examples) {
  const list = make("ul");
  list.role = "list";
  for (const { order_id: id, amount, country, customer_id: customer, detail } of examples) {
    const link = make("a", "", id);
    link.href = `#/orders/${id}`;
    const item = make("li");
    item.append(link, ` ${[`${amountText(amount)} from ${country}`, `customer ${customer}`, detail].filter(Boolean).join(", ")}`);
    list.append(item);
  }
  return list;
}
