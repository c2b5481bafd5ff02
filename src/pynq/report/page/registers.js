// Registers of every block, with search.

import { el, shortHex, bytes, empty, table } from "./parts.js";

const MOST = 150; // matches shown at once

function fieldRows(register) {
  if (!register.fields.length) return null;
  return el("table", { class: "fields" }, el("thead", {}, el("tr", {}, ["Bits", "Field", "Access", "Reset", "Description"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, register.fields.map((field) => el("tr", {},
      el("td", { class: "number" }, field.width_bits > 1 ? `${field.offset_bits + field.width_bits - 1}:${field.offset_bits}` : `${field.offset_bits}`),
      el("td", { class: "path" }, field.name), el("td", {}, field.access), el("td", { class: "number" }, shortHex(field.reset)),
      el("td", {}, field.description)))));
}

function registerRow(register, base, name) {
  const fields = register.fields.length;
  const body = el("details", { class: "register" }, el("summary", {},
    el("span", { class: "number" }, `+${shortHex(register.offset + base)}`), el("span", { class: "path register-name" }, name),
    el("span", { class: "access" }, register.access), el("span", { class: "number" }, register.reset === null ? "" : `reset ${shortHex(register.reset)}`),
    el("span", { class: "words" }, register.description || (fields ? `${fields} field${fields === 1 ? "" : "s"}` : ""))));
  // Fields are made when somebody looks: there are thousands.
  body.addEventListener("toggle", () => {
    if (body.open && body.children.length === 1) body.append(fieldRows(register) || empty("No fields."));
  });
  return body;
}

export function registerList(cell) {
  const parts = [];
  for (const block of cell.blocks) {
    if (!block.registers.length) continue;
    parts.push(el("div", { class: "block" }, el("h4", {}, `${block.interface} ${block.name}`, el("span", { class: "soft" }, ` ${bytes(block.range)}`)),
      block.registers.map((register) => registerRow(register, block.offset, register.name))));
  }
  return parts;
}

export function registerSection(facts, page) {
  const cells = facts.cells.filter((cell) => cell.registers);
  if (!cells.length) return empty("The description tells no registers.");
  const all = [];
  for (const cell of cells) {
    for (const block of cell.blocks) {
      for (const register of block.registers) {
        const words = [cell.path, register.name, shortHex(register.offset + block.offset), register.access, register.description, ...register.fields.flatMap((field) => [field.name, field.access, field.description])];
        all.push({ cell, block, register, words: null, text: () => words.join("\n").toLowerCase() });
      }
    }
  }
  const results = el("div", { class: "results", hidden: true, "aria-live": "polite" });
  const list = el("div", {}, cells.map((cell) => {
    const made = el("details", { class: "block-registers" }, el("summary", {}, el("span", { class: "path" }, cell.path), el("span", { class: "soft" }, ` ${cell.registers} register${cell.registers === 1 ? "" : "s"}`)));
    made.addEventListener("toggle", () => {
      if (made.open && made.children.length === 1) made.append(...registerList(cell));
    });
    return made;
  }));
  const search = el("input", { type: "search", id: "register-search", class: "search", placeholder: "Name, offset, field, access, description", "aria-label": "Search registers" });
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    results.hidden = !words.length;
    list.hidden = Boolean(words.length);
    if (!words.length) return;
    const hits = all.filter((one) => {
      one.words = one.words || one.text();
      return words.every((word) => one.words.includes(word));
    });
    results.replaceChildren(el("p", { class: "hint" }, `${hits.length} of ${all.length} registers${hits.length > MOST ? `; the first ${MOST}` : ""}`),
      ...hits.slice(0, MOST).map((hit) => {
        const row = registerRow(hit.register, hit.block.offset, `${hit.cell.path}.${hit.register.name}`);
        const deep = hit.register.fields.some((field) => words.some((word) => field.name.toLowerCase().includes(word)));
        if (deep && hits.length < 20) row.open = true;
        return row;
      }));
  });
  return el("div", {}, search, results, list);
}

export function blocksTable(facts, page) {
  const ranges = new Map();
  for (const entry of facts.addresses) {
    if (entry.master !== facts.ps && facts.ps) continue;
    if (!ranges.has(entry.slave)) ranges.set(entry.slave, []);
    ranges.get(entry.slave).push(entry);
  }
  const rows = facts.cells.map((cell) => [
    page.link(cell.path), el("span", { class: "path" }, cell.type || cell.kind),
    (ranges.get(cell.path) || []).map((entry) => el("div", { class: "number" }, shortHex(entry.base))),
    el("span", { title: cell.driver || "" }, cell.driver ? cell.driver.replace(/^pynq\./, "") : ""),
    el("span", { title: cell.model || "" }, cell.model ? cell.model.slice(cell.model.lastIndexOf(".") + 1) : "")]);
  return table(["Block", "Type", "Address", "Driver", "On the simulated board"], rows, { class: "blocks" });
}
