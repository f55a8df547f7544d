/* One topic: its messages, as Kafka has them. They are read when somebody asks, and stay. */

import { get } from "./api.js";
import { bytesText, headerFact, noteOf } from "./bytes.js";
import { byId, counted, countText, make, momentText, setText, zonedText } from "./text.js";

const LIMIT = 20;
/** The worker asks Kafka, which has 8 s. */
const PATIENCE_MS = 12_000;
/** Characters of a value in the line that opens it. */
const LINE = 120;

export class TopicPart {
  #go;
  #asked = "";
  #name = "";
  #turn = 0;

  constructor(go) {
    this.#go = go;
    const form = byId("flow-ask");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { partition, offset, since } = form.elements;
      this.#ask(partition.value, offset.value.trim(), since.value && new Date(since.value).toISOString());
    });
    byId("flow-newest").addEventListener("click", () => this.#ask("", "", ""));
  }

  open(name, { partition, offset, since }) {
    const query = new URLSearchParams({ limit: LIMIT });
    for (const [key, value] of Object.entries({ partition, offset, since })) {
      if (value) query.set(key, value);
    }
    const asked = `api/topics/${encodeURIComponent(name)}/messages?${query}`;
    if (asked === this.#asked) return;
    if (name !== this.#name) byId("flow-ask").elements.partition.replaceChildren(new Option("all", ""));
    this.#name = name;
    this.#asked = asked;
    this.#fill(partition, offset, since);
    this.#load(asked);
  }

  update({ topics }) {
    const topic = topics.find(({ name }) => name === this.#name);
    setText(byId("flow-detail-text"), topic ? topic.text : "There is no such topic.");
  }

  /** Nothing is asked for any more. */
  leave() {
    this.#turn += 1;
    this.#asked = "";
  }

  /** The same once more reads anew. */
  #ask(partition, offset, since) {
    this.#asked = "";
    this.#go({ partition, offset, since });
  }

  #fill(partition, offset, since) {
    const { elements } = byId("flow-ask");
    offer(elements.partition, partition);
    elements.partition.value = partition;
    elements.offset.value = offset;
    const time = new Date(since);
    elements.since.value = Number.isNaN(time.getTime()) ? "" : localText(time);
  }

  async #load(asked) {
    const turn = ++this.#turn;
    const problem = byId("flow-messages-problem");
    setText(byId("flow-messages-note"), "Reading …");
    byId("flow-messages").replaceChildren();
    problem.hidden = true;
    try {
      const answer = await get(asked, PATIENCE_MS);
      if (turn === this.#turn) this.#draw(answer);
    } catch (error) {
      if (turn !== this.#turn) return;
      setText(byId("flow-messages-note"), " ");
      problem.hidden = false;
      setText(problem, error.message);
    }
  }

  #draw({ messages, partitions, complete }) {
    for (const { partition } of partitions) offer(byId("flow-ask").elements.partition, String(partition));
    const held = partitions.reduce((sum, { begin, end }) => sum + end - begin, 0);
    const cut = complete ? "" : " They are large, so that not all that are wanted were read.";
    const note = messages.length === 0
      ? "There is no message here."
      : `${counted(messages.length, "message")} of ${countText(held)}.${cut}`;
    setText(byId("flow-messages-note"), note);
    byId("flow-messages").replaceChildren(...messages.map((one) => this.#item(one)));
  }

  #item(message) {
    const item = make("li");
    const details = make("details");
    const summary = make("summary");
    const { partition, offset, at, key, value } = message;
    const time = make("time", "", momentText(at));
    time.dateTime = at;
    time.title = zonedText(at);
    summary.append(
      make("b", "", `${partition}:${offset}`), " ", time, " ",
      make("span", "message-key", key === null ? "no key" : bytesText(key).slice(0, 40)), " ",
      make("span", "message-value", bytesText(value).slice(0, LINE)),
    );
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) this.#unfold(details, message);
    });
    item.append(details);
    return item;
  }

  #unfold(details, { partition, offset, value, headers, header_count: count }) {
    const text = make("pre", "bytes", bytesText(value));
    text.tabIndex = 0;
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", `Value of ${partition}:${offset}`);
    const note = make("p", "note", value ? noteOf(value, true) : "null: no value at all");
    details.append(note, text);
    if (value && value.shown < value.length && value.shown < 4 * 4096) {
      details.append(this.#moreButton(partition, offset, note, text));
    }
    const list = make("dl", "headers");
    list.append(...headers.map(headerFact));
    const left = count - headers.length;
    details.append(make("p", "note", left > 0 ? `${counted(count, "header")}, the first:` : counted(count, "header")), list);
  }

  #moreButton(partition, offset, note, text) {
    const button = make("button", "", "Show more of it");
    button.type = "button";
    button.addEventListener("click", async () => {
      button.disabled = true;
      const query = new URLSearchParams({ partition, offset, limit: 1 });
      try {
        const { messages } = await get(`api/topics/${encodeURIComponent(this.#name)}/messages?${query}`, PATIENCE_MS);
        const [found] = messages.filter((one) => one.offset === offset);
        setText(note, found ? noteOf(found.value, true) : "It is not there any more.");
        if (found) text.textContent = bytesText(found.value);
        text.focus();
        button.remove();
      } catch (error) {
        setText(note, error.message);
        button.disabled = false;
      }
    });
    return button;
  }
}

function offer(select, value) {
  const there = [...select.options].some((option) => option.value === value);
  if (!there) select.add(new Option(value, value));
}

/** As the field for a time has it: local, to the second. */
function localText(time) {
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}
