// What of a graph is to be seen: hierarchies fold, kinds of wires are left out, parallel ones become one.
// In: the graph of report/graph.py and a state; out: a scene, whose `elk` is what ELK lays out. No DOM.

export const KINDS = ["axi", "stream", "bus", "interrupt", "clock", "reset", "wire"];
export const SHOWN = ["axi", "stream", "bus", "interrupt"];
const SMALL = new Set(["glue", "reset", "clocking"]); // roles that show only with a wire that shows

const NAME_SIZE = 13, TYPE_SIZE = 10.5, PORT_SIZE = 10;
const PORT_PITCH = 17;

// Widths of characters as parts of the font's size, generous: a wide font has to fit as well.
const NARROW = new Set("iljItf.,:;'|!()[] "), WIDE = new Set("mwMW@%");

export function textWidth(text, size) {
  let sum = 0;
  for (const char of text) {
    const code = char.codePointAt(0);
    if (NARROW.has(char)) sum += 0.37;
    else if (WIDE.has(char)) sum += 0.97;
    else if (char >= "A" && char <= "Z") sum += 0.73;
    else if (code > 0x2000) sum += 1.05;
    else sum += 0.62;
  }
  return sum * size;
}

// A name in at most `most` characters, shortened in its middle.
export function shorten(text, most) {
  const chars = [...text];
  if (chars.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  return chars.slice(0, head).join("") + "…" + chars.slice(chars.length - (most - 1 - head)).join("");
}

// The nodes by id, the children of each hierarchy ("" is the top), and how many cells are below it.
export function indexGraph(graph) {
  const nodes = new Map(), children = new Map([["", []]]), cells = new Map();
  for (const node of graph.nodes) nodes.set(node.id, node);
  for (const node of graph.nodes) {
    if (!children.has(node.parent)) children.set(node.parent, []);
    children.get(node.parent).push(node);
    if (node.kind !== "cell") continue;
    for (let up = node.parent; up !== ""; up = nodes.get(up).parent) cells.set(up, (cells.get(up) || 0) + 1);
  }
  return { nodes, children, cells };
}

// The hierarchies above a node, the outermost first.
export function ancestors(index, id) {
  const found = [];
  for (let up = index.nodes.get(id).parent; up !== ""; up = index.nodes.get(up).parent) found.unshift(up);
  return found;
}

// Which hierarchies are open so that `depth` levels of them are.
export function unfoldedTo(graph, depth) {
  const open = new Set();
  for (const node of graph.nodes) {
    if (node.kind === "hierarchy" && node.id.split("/").length - 1 <= depth) open.add(node.id);
  }
  return open;
}

// What stands for a node: the outermost folded hierarchy above it, or itself.
function standIn(index, unfolded, id) {
  for (const up of ancestors(index, id)) if (!unfolded.has(up)) return up;
  return id;
}

// The port of a drawn node that an end of an edge joins. Hierarchies, interconnects and the design's own
// interfaces have one for each kind and direction: a trunk that branches reads better than a comb.
function portOf(node, folded, name, kind, out) {
  const bus = kind === "axi" || kind === "stream" || kind === "bus";
  if (folded || node.kind === "external" || node.role === "interconnect" || SMALL.has(node.role)) {
    return { key: `${kind} ${out}`, label: "" };
  }
  // What has a name of its own is a port of its own; the many clock and reset pins of a block are one.
  return bus ? { key: `port ${name}`, label: name } : { key: `${kind} ${out}`, label: name };
}

// The design's own interfaces that lead to the same block are one where there are many of them: those in the
// values are drawn as the one in the key.
function gatherExternals(graph, index, state) {
  const partners = new Map();
  for (const edge of graph.edges) {
    if (!state.layers.has(edge.kind)) continue;
    for (const [here, there, way] of [[edge.from, edge.to, "out"], [edge.to, edge.from, "in"]]) {
      if (here[0][0] !== "/") continue;
      if (!partners.has(here[0])) partners.set(here[0], new Set());
      partners.get(here[0]).add(JSON.stringify([standIn(index, state.unfolded, there[0]), edge.kind, way]));
    }
  }
  const groups = new Map();
  for (const [id, found] of partners) {
    if (found.size !== 1) continue;
    const [key] = found;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(id);
  }
  return new Map([...groups.values()].filter((ids) => ids.length > 3).map((ids) => [ids[0], ids]));
}

// The scene of a state {unfolded: Set, layers: Set, externals: boolean}.
export function fold(graph, index, state) {
  const bundles = new Map(), touched = new Set();
  const groups = gatherExternals(graph, index, state), gathered = new Map();
  for (const [first, ids] of groups) for (const id of ids) gathered.set(id, first);
  const shown = (id) => gathered.get(id) || standIn(index, state.unfolded, id);
  for (const edge of graph.edges) {
    if (!state.layers.has(edge.kind)) continue;
    if (!state.externals && (edge.from[0][0] === "/" || edge.to[0][0] === "/")) continue;
    const from = shown(edge.from[0]), to = shown(edge.to[0]);
    if (from === to && from.endsWith("/")) continue;
    const one = portOf(index.nodes.get(from), from.endsWith("/"), edge.from[1], edge.kind, true);
    const two = portOf(index.nodes.get(to), to.endsWith("/"), edge.to[1], edge.kind, false);
    const key = JSON.stringify([from, one.key, to, two.key, edge.kind]);
    if (!bundles.has(key)) bundles.set(key, { from, to, one, two, kind: edge.kind, edges: [] });
    bundles.get(key).edges.push(edge);
    touched.add(from).add(to);
  }
  const scene = { boxes: [], byKey: new Map(), wires: [], hidden: [], gathered, elk: null };
  const place = (parent, container) => {
    for (const node of index.children.get(parent) || []) {
      const alone = !touched.has(node.id);
      if (node.kind === "external" && alone) continue;
      if (node.kind === "cell" && alone && SMALL.has(node.role)) {
        scene.hidden.push(node.id);
        continue;
      }
      const open = node.kind === "hierarchy" && state.unfolded.has(node.id);
      const box = { node, open, id: `n${scene.boxes.length}`, ports: new Map(), children: [], edges: [] };
      box.cells = index.cells.get(node.id) || 0;
      box.group = groups.get(node.id) || null;
      scene.boxes.push(box);
      scene.byKey.set(node.id, box);
      container.push(box);
      if (open) place(node.id, box.children);
    }
  };
  const top = { children: [], edges: [] };
  place("", top.children);
  join(scene, index, bundles, top);
  // One block only may come before all others: ELK refuses wires between two such.
  const isProcessor = (box) => box.node.role === "processor";
  const first = top.children.find(isProcessor) || scene.boxes.find(isProcessor);
  scene.elk = {
    id: "root",
    layoutOptions: rootOptions(scene),
    children: top.children.map((box) => elkNode(box, first)),
    edges: top.edges,
  };
  return scene;
}

function port(box, key, side, kind, label) {
  if (!box.ports.has(key)) {
    box.ports.set(key, { id: `${box.id}p${box.ports.size}`, side, kind, label, key });
  }
  const made = box.ports.get(key);
  if (made.label !== label) made.label = "";
  return made;
}

// Bundles as wires from drawn port to drawn port; where one goes through the border of an open hierarchy, it
// has a pin there, which all that leaves the same port shares.
function join(scene, index, bundles, top) {
  const pieces = new Map();
  for (const bundle of bundles.values()) {
    const source = scene.byKey.get(bundle.from), target = scene.byKey.get(bundle.to);
    const start = port(source, bundle.one.key, "E", bundle.kind, bundle.one.label);
    const end = port(target, bundle.two.key, "W", bundle.kind, bundle.two.label);
    const out = ancestors(index, bundle.from), into = ancestors(index, bundle.to);
    let common = 0;
    while (common < out.length && common < into.length && out[common] === into[common]) common++;
    const way = [];
    for (const up of out.slice(common).reverse()) {
      const box = scene.byKey.get(up);
      way.push([box, port(box, `out ${start.id}`, "E", bundle.kind, "")]);
    }
    for (const down of into.slice(common)) {
      const box = scene.byKey.get(down);
      way.push([box, port(box, `in ${start.id}`, "W", bundle.kind, "")]);
    }
    way.push([target, end]);
    let before = start;
    way.forEach(([, next], step) => {
      const key = `${before.id}>${next.id}`;
      let wire = pieces.get(key);
      if (!wire) {
        // The hierarchy that the piece is drawn in: on the way out the one it leaves, then the common one,
        // then the one it has entered.
        const outs = out.length - common;
        let holder = top;
        if (step < outs) holder = way[step][0];
        else if (step > outs) holder = way[step - 1][0];
        else if (common) holder = scene.byKey.get(out[common - 1]);
        wire = { id: `e${pieces.size}`, kind: bundle.kind, edges: [], last: step === way.length - 1, holder };
        wire.froms = bundle.from;
        pieces.set(key, wire);
        scene.wires.push(wire);
        holder.edges.push({ id: wire.id, sources: [before.id], targets: [next.id] });
      }
      wire.edges.push(...bundle.edges);
      before = next;
    });
  }
}

const SPACING = {
  "elk.spacing.nodeNode": "16",
  "elk.spacing.edgeNode": "10",
  "elk.spacing.edgeEdge": "8",
  "elk.layered.spacing.nodeNodeBetweenLayers": "26",
  "elk.layered.spacing.edgeNodeBetweenLayers": "12",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "8",
};

function rootOptions(scene) {
  return {
    "elk.algorithm": "layered",
    "elk.direction": "RIGHT",
    "elk.edgeRouting": "ORTHOGONAL",
    "elk.hierarchyHandling": "INCLUDE_CHILDREN",
    "elk.layered.nodePlacement.strategy": scene.wires.length > 180 ? "BRANDES_KOEPF" : "NETWORK_SIMPLEX",
    "elk.layered.thoroughness": scene.boxes.length > 150 ? "4" : "10",
    "elk.layered.mergeHierarchyEdges": "true",
    "elk.aspectRatio": "1.7",
    "elk.padding": "[top=16,left=16,bottom=16,right=16]",
    "elk.spacing.componentComponent": "24",
    ...SPACING,
  };
}

// Text and size of a block that is not open.
function measure(box) {
  const node = box.node;
  const west = [], east = [];
  for (const one of box.ports.values()) (one.side === "W" ? west : east).push(one);
  const longest = (ports) => Math.max(0, ...ports.map((one) => textWidth(shorten(one.label, 18), PORT_SIZE)));
  const rows = Math.max(west.length, east.length);
  const name = shorten(node.name, 30) + (box.group ? ` and ${box.group.length - 1} more` : "");
  const lines = [{ text: name, size: NAME_SIZE, role: "name" }];
  if (node.kind === "hierarchy") {
    lines.push({ text: `${box.cells} block${box.cells === 1 ? "" : "s"}`, size: TYPE_SIZE, role: "type" });
  } else if (node.role === "external" || node.role === "interconnect" || SMALL.has(node.role)) {
    lines[0].size = TYPE_SIZE;
  } else if (node.type && node.type !== node.name) {
    lines.push({ text: shorten(node.type, 34), size: TYPE_SIZE, role: "type" });
  }
  const title = Math.max(...lines.map((line) => textWidth(line.text, line.size)));
  const marks = (node.kind === "hierarchy" ? 18 : 0) + (node.finding ? 16 : 0);
  box.lines = lines;
  box.header = lines.reduce((sum, line) => sum + line.size + 4.5, 0) + 10;
  const labels = longest(west) + longest(east);
  box.labelled = labels > 0;
  const inner = labels + (longest(west) && longest(east) ? 18 : 10) + 10;
  box.width = Math.ceil(Math.max(title + marks + 22, labels ? inner : 0));
  // Where ports have no labels they may stand beside the title.
  const needed = labels ? box.header + rows * PORT_PITCH + 2 : Math.max(box.header, rows * 11 + 8);
  box.height = Math.ceil(needed);
}

function elkNode(box, first) {
  const node = box.node;
  measure(box);
  // The processor and what only passes on have their ports where the way is short; blocks have slaves in the
  // west and masters in the east.
  const loose = node.kind !== "cell" || node.role === "interconnect" || SMALL.has(node.role);
  const made = {
    id: box.id,
    layoutOptions: {
      "elk.portConstraints": loose ? "FREE" : "FIXED_SIDE",
      "elk.portAlignment.default": "CENTER",
    },
    individualSpacings: { "elk.spacing.portPort": box.labelled ? String(PORT_PITCH) : "10" },
    ports: [...box.ports.values()].map((one) => ({
      id: one.id,
      width: 0,
      height: 0,
      layoutOptions: { "elk.port.side": side(node, one) },
    })),
  };
  if (box.labelled) {
    const surround = `[top=${box.header + PORT_PITCH / 2 - 2},left=0,bottom=${PORT_PITCH / 2},right=0]`;
    made.individualSpacings["elk.spacing.portsSurrounding"] = surround;
    made.layoutOptions["elk.portAlignment.default"] = "BEGIN";
    made.layoutOptions["elk.nodeSize.constraints"] = "PORTS MINIMUM_SIZE";
    made.layoutOptions["elk.nodeSize.minimum"] = `(${box.width}, ${box.height})`;
  }
  if (box === first) made.layoutOptions["elk.layered.layering.layerConstraint"] = "FIRST";
  if (box.open) {
    Object.assign(made.layoutOptions, SPACING, {
      "elk.padding": `[top=${box.header + 14},left=22,bottom=16,right=22]`,
      "elk.nodeSize.constraints": "MINIMUM_SIZE",
      "elk.nodeSize.minimum": `(${box.width}, ${box.height})`,
    });
    made.children = box.children.map((child) => elkNode(child, first));
    made.edges = box.edges;
  } else {
    made.width = box.width;
    made.height = box.height;
  }
  return made;
}

function side(node, one) {
  if (node.role === "processor") return "EAST";
  return one.side === "W" ? "WEST" : "EAST";
}
