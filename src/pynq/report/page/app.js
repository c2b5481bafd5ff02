// The page: puts the sections in their places and joins them to the diagram.

import { el, blockLink } from "./parts.js";
import { addressMaps } from "./addresses.js";
import { registerSection, blocksTable } from "./registers.js";
import { interruptTree, clockTable, findingList, details } from "./sections.js";
import { mount } from "./diagram.js";

const PROCESSORS = { zynq: "Zynq-7000", zynqmp: "Zynq UltraScale+", versal: "Versal" };
const FORMATS = { hwh: "hand-off file", tcl: "block-design script", litex: "register list of LiteX", devicetree: "device tree", ipxact: "IP-XACT" };

function start() {
  const { facts, graph, made } = JSON.parse(document.getElementById("data").textContent);
  const nodes = new Set(graph.nodes.map((node) => node.id));
  const known = (path) => nodes.has(path) || nodes.has(`${path}/`) || nodes.has(`/${path}`);
  let diagram = null;
  const page = {
    choose(path) {
      if (!known(path)) return;
      document.getElementById("diagram").scrollIntoView({ block: "start" });
      diagram.select(path);
    },
    link: (path, text = path) => blockLink(path, page.choose, known, text),
    isProcessor: (path) => path === facts.ps,
    // The block that a pin or interface belongs to.
    owner(path) {
      for (let part = path; part; part = part.slice(0, Math.max(0, part.lastIndexOf("/")))) if (known(part)) return part;
      return path;
    },
  };
  header(facts);
  const worst = ["error", "warning", "note"].find((severity) => facts.findings.some((one) => one.severity === severity));
  const sections = [
    ["diagram", "Diagram", null, () => null],
    ["addresses", "Addresses", null, () => addressMaps(facts, page)],
    ["interrupts", "Interrupts", facts.interrupts.length, () => interruptTree(facts, page)],
    ["clocks", "Clocks", facts.clocks.length, () => clockTable(facts, page)],
    ["registers", "Registers", facts.cells.reduce((sum, cell) => sum + cell.registers, 0), () => registerSection(facts, page)],
    ["blocks", "Blocks and drivers", facts.cells.length, () => blocksTable(facts, page)],
    ["findings", "Findings", facts.findings.length + facts.notes.length + facts.warnings.length, () => findingList(facts, page)],
  ];
  const nav = document.getElementById("nav"), main = document.getElementById("main");
  for (const [id, title, count, content] of sections) {
    nav.append(el("a", { href: `#${id}` }, title, count === null ? null : el("span", { class: `count${id === "findings" && worst ? ` severity-${worst}` : ""}` }, String(count))));
    main.append(el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), content()));
  }
  nav.append(themeButton());
  const place = el("div", { class: "diagram-place" }), side = el("aside", { class: "side", hidden: true, "aria-live": "polite", "aria-label": "The chosen block" });
  document.getElementById("diagram").append(el("div", { class: "diagram-row" }, place, side), hint());
  diagram = mount(place, graph, {
    elk: { text: `(${pynqElk})(self, self);`, run: pynqElk },
    onselect: (path, node) => {
      side.hidden = !node;
      const close = el("button", { type: "button", class: "close", title: "Close", "aria-label": "Close", onclick: () => diagram.select(null) }, "×");
      side.replaceChildren(...(node ? [close, ...details(node, facts, graph, page).filter(Boolean)] : []));
      side.scrollTop = 0;
    },
  });
  window.pynqDiagram = diagram;
  window.addEventListener("beforeprint", () => place.parentElement.style.setProperty("--ratio", diagram.toPaper(true)));
  window.addEventListener("afterprint", () => diagram.toPaper(false));
  main.append(el("footer", {}, made));
}

function hint() {
  return el("p", { class: "hint" }, "Click a block for what is known of it, a hierarchy to unfold it. Drag moves, Ctrl and the wheel zoom, or two fingers; with the keyboard: arrows, Enter, + and −.");
}

function header(facts) {
  const chips = [["Part", facts.part], ["Board", facts.board], ["Processor", PROCESSORS[facts.processor] || "none in this design"], ["Tool", facts.tool && (facts.format === "hwh" || facts.format === "tcl" ? `Vivado ${facts.tool}` : facts.tool)],
    ["Made", facts.timestamp], ["Read from", FORMATS[facts.format] || facts.format], ["Bitstream", facts.bitstream || "none beside it"]];
  document.getElementById("head").append(el("h1", {}, facts.name || "(no name)"), el("p", { class: "path soft" }, facts.description || ""),
    el("dl", { class: "chips" }, chips.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))));
}

function themeButton() {
  const ways = ["auto", "light", "dark"];
  let at = 0;
  const button = el("button", { type: "button", class: "theme", title: "Colours: as the browser says, light, dark" }, "Colours: auto");
  button.addEventListener("click", () => {
    at = (at + 1) % ways.length;
    button.textContent = `Colours: ${ways[at]}`;
    const parts = [document.documentElement, document.querySelector(".pynq-diagram")];
    for (const part of parts) {
      if (at) part.dataset.theme = ways[at];
      else delete part.dataset.theme;
    }
  });
  return button;
}

start();
