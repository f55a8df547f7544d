/* One service: its group, and how far that is, by partition. */

import { fact } from "./bytes.js";
import { healthText, memberText, orUnknown } from "./flow_text.js";
import { byId, countText, make, replaceIfChanged, secondsText, setText } from "./text.js";

export class ServicePart {
  #name = "";

  open(name) {
    this.#name = name;
    setText(byId("flow-detail-text"), " ");
  }

  update({ services }) {
    const service = services.find(({ name }) => name === this.#name);
    const text = service ? whatOf(service) : "There is no such service.";
    setText(byId("flow-detail-text"), text);
    const facts = service ? factsOf(service) : [];
    replaceIfChanged(byId("flow-facts"), facts.map(fact), JSON.stringify(facts));
    const parts = service?.partitions ?? [];
    replaceIfChanged(byId("flow-partitions"), parts.map(rowOf), JSON.stringify(parts));
  }
}

function whatOf({ reads }) {
  if (reads.length === 0) return "It reads no topic, so that Kafka knows nothing of it.";
  return "Next offset: all before it is done. Lag: records that wait.";
}

function factsOf(service) {
  const { group, lag, oldest_seconds: oldest, members, reads, sends, follows } = service;
  const own = reads.length === 0 ? [] : [
    ["Group", group ?? "not known"],
    ["Lag", orUnknown(lag)],
    ["Oldest waits", oldest === null ? "–" : secondsText(oldest)],
    ["Workers", members === null ? "not known" : members.map(memberText).join(", ") || "none"],
  ];
  return [
    ["Health", healthText(service)],
    ...own,
    ["Reads", reads.join(", ") || "–"],
    ["Sends", sends.join(", ") || "–"],
    ["Reads all of", follows.join(", ") || "–"],
  ];
}

function rowOf({ topic, partition, committed, lag, member }) {
  const row = make("tr");
  const head = make("th", "", topic);
  head.scope = "row";
  const worker = make("td", "", memberText(member));
  if (member) worker.title = member;
  row.append(
    head, make("td", "number", partition), make("td", "number", committed === null ? "–" : countText(committed)),
    make("td", "number", countText(lag)), worker,
  );
  return row;
}
