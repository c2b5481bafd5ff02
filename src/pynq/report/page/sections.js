// Interrupts, clocks, findings, and what there is to tell about one block.

import { el, hex, bytes, hertz, empty, table } from "./parts.js";
import { registerList } from "./registers.js";

export function interruptTree(facts, page) {
  if (!facts.interrupt_tree.length) return empty("No interrupts.");
  const item = (entry) => {
    const owner = entry.inputs ? entry.path : entry.path.slice(0, entry.path.lastIndexOf("/"));
    const marks = [];
    if (entry.index !== null && entry.index !== undefined) marks.push(el("span", { class: "badge" }, `input ${entry.index}`));
    if (entry.gic !== null && entry.gic !== undefined) marks.push(el("span", { class: "badge gic", title: "number at the processor's interrupt controller" }, `GIC ${entry.gic}`));
    const through = entry.through && entry.through.length ? el("span", { class: "soft" }, ` through ${entry.through.join(", ")}`) : null;
    return el("li", {}, marks, page.link(owner, entry.path), entry.sensitivity ? el("span", { class: "soft" }, ` ${entry.sensitivity}`) : null, through,
      entry.inputs && entry.inputs.length ? el("ul", {}, entry.inputs.map(item)) : entry.inputs ? el("span", { class: "soft" }, " no inputs") : null);
  };
  return el("ul", { class: "tree" }, el("li", {}, facts.ps ? page.link(facts.ps) : "The processor, outside of this design", el("ul", {}, facts.interrupt_tree.map(item))));
}

export function clockTable(facts, page) {
  if (!facts.clocks.length) return empty("No clock of the processor, or of a clocking block, is told of.");
  const rows = facts.clocks.map((clock) => [
    el("span", { class: "path" }, clock.name), el("span", { class: "number" }, hertz(clock.hertz)), clock.enabled ? "on" : "off",
    clock.source || "", clock.divisors.length ? clock.divisors.join(" × ") : "",
    clock.consumers.length ? el("details", {}, el("summary", {}, `${clock.consumers.length} pin${clock.consumers.length === 1 ? "" : "s"}`),
      el("div", { class: "pins" }, clock.consumers.map((pin) => page.link(pin.slice(0, Math.max(0, pin.lastIndexOf("/"))), pin)))) : "none"]);
  return table(["Clock", "Frequency", "State", "Source", "Divisors", "Drives"], rows);
}

export function findingList(facts, page) {
  const cards = facts.findings.map((found) => el("li", { class: `finding finding-${found.severity}` },
    el("div", { class: "finding-head" }, el("span", { class: `badge severity-${found.severity}` }, found.severity), el("span", { class: "rule" }, found.rule), el("span", {},
      found.subject.split(", ").slice(0, 12).map((subject, at) => [at ? ", " : "", page.link(page.owner(subject), subject)])),
      found.line ? el("span", { class: "place", title: `${found.file}:${found.line}` }, `line ${found.line}`) : null),
    el("p", {}, found.message, el("span", { class: "soft" }, ` — ${found.advice}`))));
  const notes = [...facts.notes.map((note) => `${note.file}:${note.line}: ${note.message}`), ...facts.warnings];
  if (!cards.length && !notes.length) return empty("Nothing was found.");
  return el("div", {}, el("ul", { class: "findings" }, cards), notes.map((note) => el("p", { class: "note" }, note)));
}

function pairs(rows) {
  return el("dl", {}, rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== 0).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function folding(title, ...content) {
  return el("details", { open: title.startsWith("!") }, el("summary", {}, title.replace(/^!/, "")), content);
}

// What is known of a block, of a hierarchy, or of an interface of the design itself.
export function details(node, facts, graph, page) {
  if (node.kind === "external") return external(node, graph, page);
  const path = node.id.replace(/\/$/, "");
  if (node.kind === "hierarchy") {
    const cells = facts.cells.filter((cell) => cell.path.startsWith(node.id));
    const own = facts.hierarchies.find((one) => one.path === path);
    return [el("h3", {}, path), pairs([["Hierarchy of", `${cells.length} blocks`], ["Driver", own && own.driver]]),
      folding("!Blocks", el("ul", { class: "plain" }, cells.map((cell) => el("li", {}, page.link(cell.path, cell.path.slice(node.id.length)), el("span", { class: "soft" }, ` ${cell.type || ""}`)))))];
  }
  const cell = facts.cells.find((one) => one.path === path);
  const ranges = facts.addresses.filter((entry) => entry.slave === path);
  const pins = facts.interrupts.filter((pin) => pin.pin.slice(0, pin.pin.lastIndexOf("/")) === path);
  const found = facts.findings.filter((one) => one.subject.split(", ").some((subject) => page.owner(subject) === path));
  const parameters = Object.entries(cell.parameters);
  const partners = new Map();
  for (const edge of graph.edges) {
    for (const [here, there, arrow] of [[edge.from, edge.to, "→"], [edge.to, edge.from, "←"]]) {
      if (here[0] !== node.id) continue;
      if (!partners.has(here[1])) partners.set(here[1], []);
      partners.get(here[1]).push([arrow, there]);
    }
  }
  const ends = (name) => (partners.get(name) || []).slice(0, 8).map(([arrow, there]) => el("div", {}, `${arrow} `, there[0][0] === "/" ? there[1] : page.link(there[0], `${there[0]}/${there[1]}`)));
  return [el("h3", {}, path), pairs([
    ["Type", el("span", { class: "path" }, cell.type || "none told")], ["Kind", cell.kind], ["Driver", cell.driver && cell.driver.replace(/^pynq\./, "")], ["Simulated by", cell.model && cell.model.slice(cell.model.lastIndexOf(".") + 1)],
    ["Line", cell.line && `${cell.line} of the description`]]),
  found.length ? el("ul", { class: "findings" }, found.map((one) => el("li", { class: `finding finding-${one.severity}` }, el("span", { class: `badge severity-${one.severity}` }, one.severity), one.message, el("p", { class: "soft" }, one.advice)))) : null,
  ranges.length ? folding("!Addresses", el("ul", { class: "plain" }, ranges.map((entry) => el("li", {}, el("span", { class: "number" }, hex(entry.base)), ` ${bytes(entry.size)}`, el("span", { class: "soft" }, ` for ${entry.master}, ${entry.slave_interface}`))))) : null,
  pins.length ? folding("!Interrupts", el("ul", { class: "plain" }, pins.map((pin) => el("li", {}, el("span", { class: "path" }, pin.pin.slice(path.length + 1)), el("span", { class: "soft" }, ` input ${pin.index} of ${pin.controllers[0] || "the PS"}${pin.gic === null ? "" : `, GIC ${pin.gic}`}`))))) : null,
  cell.registers ? folding(`Registers (${cell.registers})`, registerList(cell)) : null,
  cell.interfaces.length ? folding("!Interfaces", el("ul", { class: "plain interfaces" }, cell.interfaces.map((one) => el("li", {},
    el("span", { class: "path" }, one.name), el("span", { class: "soft" }, ` ${one.role.toLowerCase()} ${one.protocol || (one.type ? one.type.split(":").slice(-2)[0] : "")}${one.width_bits ? ` ${one.width_bits} bits` : ""}`), ends(one.name))))) : null,
  parameters.length ? folding(`Parameters (${parameters.length})`, table(["Name", "Value"], parameters.map(([name, value]) => [el("span", { class: "path" }, name), el("span", { class: "path" }, value)]))) : null];
}

function external(node, graph, page) {
  const ends = graph.edges.filter((edge) => edge.from[0] === node.id || edge.to[0] === node.id).map((edge) => (edge.from[0] === node.id ? edge.to : edge.from));
  return [el("h3", {}, node.name), pairs([["Interface or pin of the design", ""]]),
    el("ul", { class: "plain" }, ends.map((end) => el("li", {}, "connected to ", page.link(end[0], `${end[0]}/${end[1]}`))))];
}
