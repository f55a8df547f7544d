/* Where topics, services, the store and the page stand in the picture, and what connects them. */

/** Of a node in pixels, and between two columns and two rows. */
export const WIDTH = 162;
export const HEIGHT = 62;
const GAP = { x: 36, y: 18 };

/** The nodes, each with `column`, `x` and `y`; the edges; and the size of all. */
export function graphOf({ topics, services, store }) {
  const nodes = [
    ...services.map((found) => ({ kind: "service", id: `service/${found.name}`, found })),
    ...topics.map((found) => ({ kind: "topic", id: `topic/${found.name}`, found })),
    { kind: "store", id: "store", found: store },
    { kind: "page", id: "page", found: {} },
  ];
  const edges = edgesOf(topics, services);
  const columns = columnsOf(nodes, edges);
  const last = Math.max(...services.map(({ name }) => columns.get(`service/${name}`)));
  columns.set("store", last + 1);
  columns.set("page", last + 2);
  place(nodes, columns, edges);
  const right = Math.max(...nodes.map(({ x }) => x)) + WIDTH;
  const bottom = Math.max(...nodes.map(({ y }) => y)) + HEIGHT;
  return { nodes, edges, width: right + 2, height: bottom + 2 };
}

/** `kind`: `sends`, `reads`, `gives-up` (what a service could not process) or `stores`. */
function edgesOf(topics, services) {
  const edges = [];
  const declared = new Map(services.map(({ name, sends }) => [name, new Set(sends)]));
  for (const { name, sent_by: senders, read_by: readers } of topics) {
    const topic = `topic/${name}`;
    for (const sender of senders) {
      const kind = declared.get(sender)?.has(name) ? "sends" : "gives-up";
      if (kind === "gives-up" && readers.includes(sender)) continue; // its own, once more
      edges.push({ from: `service/${sender}`, to: topic, kind });
    }
    for (const reader of readers) edges.push({ from: topic, to: `service/${reader}`, kind: "reads" });
  }
  for (const { name, store } of services) {
    if (store === "writes") edges.push({ from: `service/${name}`, to: "store", kind: "stores" });
  }
  edges.push({ from: "store", to: "page", kind: "stores" });
  return edges;
}

/** The column of each node: one after all that lead to it, but for those that it leads back to. */
function columnsOf(nodes, edges) {
  const columns = new Map(nodes.map(({ id }) => [id, 0]));
  // What could not be processed comes from everywhere, and does not say where a node belongs.
  const side = new Set(edges.filter(({ kind }) => kind === "gives-up").map(({ to }) => to));
  const main = edges.filter(({ from, kind }) => kind !== "gives-up" && !side.has(from));
  const next = Map.groupBy(main, ({ from }) => from);
  const visit = (id, column, passed) => {
    if (passed.has(id) || (column > 0 && column <= columns.get(id))) return;
    columns.set(id, column);
    passed.add(id);
    for (const { to } of next.get(id) ?? []) visit(to, column + 1, passed);
    passed.delete(id);
  };
  const reached = new Set(edges.map(({ to }) => to));
  for (const { id } of nodes) if (!reached.has(id)) visit(id, 0, new Set());
  for (const id of side) {
    const [reader = 0] = edges.filter(({ from }) => from === id).map(({ to }) => columns.get(to));
    columns.set(id, Math.max(1, reader - 1));
  }
  return columns;
}

/** Beside what leads to it, as far as there is room. */
function place(nodes, columns, edges) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const rows = Map.groupBy(nodes, ({ id }) => columns.get(id));
  for (const column of [...rows.keys()].sort((a, b) => a - b)) {
    const wanted = new Map(rows.get(column).map(({ id }) => [id, meanOf(id, edges, byId)]));
    rows.get(column).sort((a, b) => wanted.get(a.id) - wanted.get(b.id));
    rows.get(column).forEach((node, row) => {
      node.column = column;
      node.x = 1 + column * (WIDTH + GAP.x);
      node.y = 1 + row * (HEIGHT + GAP.y);
    });
  }
}

/** The mean height of what leads to it and is placed already. */
function meanOf(id, edges, byId) {
  const heights = edges.filter(({ to }) => to === id).map(({ from }) => byId.get(from).y ?? null);
  const known = heights.filter((height) => height !== null);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : 0;
}

/** From the right of one node to the left of another; backwards around the bottom of both. */
export function pathOf(from, to) {
  const [x, y] = [from.x + WIDTH, from.y + HEIGHT / 2];
  const [right, down] = [to.x, to.y + HEIGHT / 2];
  if (to.x > from.x) {
    const bend = Math.max(24, (right - x) / 2);
    return `M${x} ${y}C${x + bend} ${y} ${right - bend} ${down} ${right - 5} ${down}`;
  }
  const bottom = Math.max(from.y, to.y) + HEIGHT + 12;
  return `M${from.x + WIDTH / 2} ${from.y + HEIGHT}V${bottom}H${to.x + WIDTH / 2}V${to.y + HEIGHT + 5}`;
}
