/* The view of the flow: a picture and tables of what is connected with what, and one topic or
   service. It asks while it is open and visible, and only then. */

import { get } from "./api.js";
import { Picture } from "./flow_picture.js";
import { Proof } from "./flow_proof.js";
import { ServicePart } from "./flow_service.js";
import { healthText, healthTone, orUnknown } from "./flow_text.js";
import { TopicPart } from "./flow_topic.js";
import { byId, countText, make, replaceIfChanged, setText, timeText } from "./text.js";

const EVERY_MS = 2000;

export class Flow {
  #picture = new Picture(byId("flow-picture"));
  #parts;
  #proof;
  #address = null;
  #answer = null;
  #timer = 0;
  #turn = 0;

  constructor({ access, go }) {
    this.#proof = new Proof(access);
    this.#parts = { topic: new TopicPart(go), service: new ServicePart() };
    const close = () => go({ open: "", partition: "", offset: "", since: "" });
    byId("flow-close").addEventListener("click", close);
    byId("flow-detail").addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    document.addEventListener("visibilitychange", () => {
      if (this.#address === null || document.hidden) return;
      this.#look();
      this.#proof.enter();
    });
  }

  /** Show what the address says; `focus` goes to what it opens. */
  show(address, focus) {
    const before = this.#address;
    this.#address = address;
    if (before === null) {
      this.#look();
      this.#proof.enter();
    }
    this.#open(address, before, focus);
  }

  /** Another view is shown. */
  leave() {
    clearTimeout(this.#timer);
    this.#turn += 1;
    this.#address = null;
    this.#parts.topic.leave();
    this.#proof.leave();
  }

  async #look() {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    if (!document.hidden) {
      try {
        const answer = await get("api/topology");
        if (turn === this.#turn) this.#draw(answer);
      } catch (error) {
        if (turn === this.#turn) this.#complain(error);
      }
    }
    if (turn === this.#turn) this.#timer = setTimeout(() => this.#look(), EVERY_MS);
  }

  #complain(error) {
    byId("flow-problem").hidden = false;
    setText(byId("flow-problem"), `${error.message} The page goes on trying.`);
  }

  #draw(answer) {
    this.#answer = answer;
    byId("flow-problem").hidden = true;
    setText(byId("flow-at"), `as of ${timeText(answer.at)}`);
    const reasons = answer.unknown.map((reason) => make("li", "", `Not known: ${reason}`));
    replaceIfChanged(byId("flow-unknown"), reasons, JSON.stringify(answer.unknown));
    this.#picture.show(answer);
    fill("flow-services", answer.services, serviceRow);
    fill("flow-topics", answer.topics, topicRow);
    this.#openedPart()?.update(answer);
  }

  #openedPart() {
    return this.#address && this.#parts[kindOf(this.#address.open)[0]];
  }

  #open(address, before, focus) {
    const [kind, name] = kindOf(address.open);
    const part = this.#parts[kind];
    byId("flow-detail").hidden = !part;
    for (const one of ["topic", "service"]) byId(`flow-${one}`).hidden = one !== kind;
    if (!part) {
      this.#parts.topic.leave();
      if (before?.open) this.#backTo(before.open);
      return;
    }
    setText(byId("flow-detail-title"), `${kind === "topic" ? "Topic" : "Service"} ${name}`);
    part.open(name, address);
    if (this.#answer) part.update(this.#answer);
    if (focus || (before !== null && before.open !== address.open)) {
      byId("flow-detail").scrollIntoView({ block: "nearest" });
      byId("flow-detail-title").focus({ preventScroll: true });
    }
  }

  /** The focus goes back to where it came from. */
  #backTo(open) {
    const goal = `#/flow/${open}`;
    const links = [...byId("flow-picture").querySelectorAll("a")];
    const link = links.find((one) => one.getAttribute("href") === goal);
    (link ?? byId("flow-title")).focus();
  }
}

/** `topic/orders` as its two parts; none of any other. */
function kindOf(open) {
  const [, kind = "", name = ""] = /^(topic|service)\/(.+)$/.exec(open) ?? [];
  return [kind, name];
}

function fill(id, found, rowOf) {
  replaceIfChanged(byId(id), found.map(rowOf), JSON.stringify(found));
}

function rowWith(head, ...cells) {
  const row = make("tr");
  const name = make("th");
  name.scope = "row";
  name.append(head);
  row.append(name, ...cells);
  return row;
}

function linkTo(kind, name) {
  const link = make("a", "", name);
  link.href = `#/flow/${kind}/${name}`;
  return link;
}

function serviceRow(service) {
  const health = make("td");
  const chip = make("span", "chip", healthText(service));
  chip.dataset.tone = healthTone(service);
  health.append(chip);
  const { lag, members, reads, sends, store } = service;
  const goals = store === "writes" ? [...sends, "the store"] : sends;
  return rowWith(
    linkTo("service", service.name), health,
    make("td", "number", reads.length > 0 ? orUnknown(lag) : "–"),
    make("td", "number", reads.length > 0 ? orUnknown(members && members.length) : "–"),
    make("td", "", reads.join(", ") || "–"), make("td", "", goals.join(", ") || "–"),
  );
}

function topicRow(topic) {
  const { name, records, partitions, sent_by: senders, read_by: readers, followed_by: all } = topic;
  const read = [...readers, ...(all.length > 0 ? [`all of it by ${all.join(", ")}`] : [])];
  return rowWith(
    linkTo("topic", name), make("td", "number", countText(topic.per_second)),
    make("td", "number", orUnknown(records)), make("td", "number", countText(partitions)),
    make("td", "", senders.join(", ") || "–"), make("td", "", read.join(", ") || "–"),
  );
}
