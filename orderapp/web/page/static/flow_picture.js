/* The picture of the flow: drawn anew when something is connected otherwise, and else only its
   figures change, so that the focus stays. */

import { graphOf, HEIGHT, pathOf, WIDTH } from "./flow_graph.js";
import { healthText, healthTone, rateText, workersText } from "./flow_text.js";
import { counted, countText, setText } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
/** Characters of a name that fit. */
const FIT = 20;
/** Messages/s from which on a line is thicker. */
const THICK = [1, 10, 100];

export class Picture {
  #place;
  #drawn = "";
  #graph = null;
  #texts = new Map();
  #lines = [];

  constructor(place) {
    this.#place = place;
  }

  show(answer) {
    this.#graph = graphOf(answer);
    const { nodes, edges } = this.#graph;
    const shape = JSON.stringify([nodes.map(({ id, x, y }) => [id, x, y]), edges]);
    if (shape !== this.#drawn) this.#draw(shape);
    const rates = new Map(answer.topics.map(({ name, per_second: rate }) => [`topic/${name}`, rate]));
    for (const node of nodes) this.#update(node);
    for (const { from, to, line } of this.#lines) {
      const rate = rates.get(from) ?? rates.get(to) ?? 0;
      line.dataset.thick = THICK.filter((least) => rate >= least).length;
    }
  }

  #draw(shape) {
    const { nodes, edges, width, height } = this.#graph;
    const svg = element("svg", { viewBox: `0 0 ${width} ${height + 16}`, role: "group" });
    svg.setAttribute("aria-labelledby", "flow-svg-title");
    svg.setAttribute("aria-describedby", "flow-svg-desc");
    svg.append(
      text("title", { id: "flow-svg-title" }, "The flow of messages"),
      text("desc", { id: "flow-svg-desc" }, descriptionOf(nodes)),
      arrow(),
    );
    const byId = new Map(nodes.map((node) => [node.id, node]));
    this.#lines = edges.map(({ from, to, kind }) => {
      const line = element("path", {
        d: pathOf(byId.get(from), byId.get(to)), class: "edge", "data-kind": kind,
        "marker-end": "url(#flow-arrow)",
      });
      svg.append(line);
      return { from, to, line };
    });
    this.#texts = new Map(nodes.map((node) => [node.id, drawNode(svg, node)]));
    this.#place.replaceChildren(svg);
    this.#drawn = shape;
  }

  #update({ id, kind, found }) {
    const { box, figures, link } = this.#texts.get(id);
    const { tone, name, said } = sayOf(kind, found);
    box.dataset.tone = tone;
    figures.forEach((line, index) => setText(line, said[index] ?? " "));
    link.setAttribute("aria-label", `${name}: ${said.join(", ")}`);
  }
}

/** What a node says, in two lines. */
function sayOf(kind, found) {
  if (kind === "topic") {
    const said = [rateText(found), counted(found.records, "record")];
    return { tone: "topic", name: `topic ${found.name}`, said };
  }
  if (kind === "service") {
    const work = [`lag ${countText(found.lag)}, ${workersText(found)}`];
    const said = [healthText(found), ...(found.lag === null ? [] : work)];
    return { tone: healthTone(found), name: `service ${found.name}`, said };
  }
  if (kind === "store") {
    const said = [found.answers ? "answers" : "does not answer"];
    return { tone: found.answers ? "good" : "bad", name: `store ${nameOf(kind, found)}`, said };
  }
  return { tone: "calm", name: "page", said: ["orders, live"] };
}

const nameOf = (kind, { name, kind: store }) =>
  ({ store: store === "sqlite" ? "SQLite" : "Couchbase", page: "this page" })[kind] ?? name;

function drawNode(svg, { id, kind, found, x, y }) {
  const name = nameOf(kind, found);
  const goal = { store: "#flow-store", page: "#/" }[kind] ?? `#/flow/${id}`;
  const link = kind === "store" ? element("g", { role: "img" }) : element("a", { href: goal });
  link.classList.add("node");
  link.dataset.kind = kind;
  const box = element("rect", { x, y, width: WIDTH, height: HEIGHT, rx: kind === "topic" ? 31 : 8 });
  const shown = name.length > FIT ? `${name.slice(0, FIT - 1)}…` : name;
  const middle = x + WIDTH / 2;
  const figures = [39, 54].map((down) =>
    text("text", { x: middle, y: y + down, class: "node-figures" }, ""));
  link.append(box, text("text", { x: middle, y: y + 22, class: "node-name" }, shown), ...figures);
  svg.append(link);
  return { link, box, figures };
}

function descriptionOf(nodes) {
  const names = (kind) => nodes.filter((node) => node.kind === kind).map(({ found }) => found.name);
  return `From the left to the right: the services ${names("service").join(", ")}, and the topics ${names("topic").join(", ")} that they send to and read. The store and this page are at the end. The tables below say the same.`;
}

function arrow() {
  const marker = element("marker", {
    id: "flow-arrow", viewBox: "0 0 8 8", refX: 3, refY: 4, markerWidth: 8, markerHeight: 8,
    markerUnits: "userSpaceOnUse", orient: "auto",
  });
  marker.append(element("path", { d: "M0 0 8 4 0 8Z", class: "arrow" }));
  return marker;
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function text(name, attributes, content) {
  const made = element(name, attributes);
  made.textContent = content;
  return made;
}
