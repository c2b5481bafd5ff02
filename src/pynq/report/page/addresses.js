// Address maps, one column a master. Heights are logarithmic: 4 KiB is to be seen beside 1 GiB.

import { el, hex, bytes, empty } from "./parts.js";

const heightOf = (size) => 19 + 2.6 * Math.max(0, Math.log2(Math.max(size, 1)) - 12);
const gapHeight = (size) => 9 + 0.7 * Math.max(0, Math.log2(Math.max(size, 1)) - 12);

// What one master sees in one place through several of its interfaces is one entry.
function merged(entries) {
  const found = new Map();
  for (const entry of entries) {
    const key = entry.gap ? `gap ${entry.base}` : JSON.stringify([entry.base, entry.high, entry.slave]);
    const same = found.get(key);
    if (!same) found.set(key, { ...entry, interfaces: [entry.interface], slaves: [entry.slave_interface] });
    else {
      if (!same.interfaces.includes(entry.interface)) same.interfaces.push(entry.interface);
      if (!same.slaves.includes(entry.slave_interface)) same.slaves.push(entry.slave_interface);
    }
  }
  return [...found.values()];
}

// Entries that overlap stand beside each other: a run of them, each with its lane.
function runs(entries) {
  const found = [];
  for (const entry of entries) {
    const last = found[found.length - 1];
    if (last && !entry.gap && !last.gap && entry.base <= last.high) {
      let lane = last.lanes.findIndex((high) => high < entry.base);
      if (lane < 0) lane = last.lanes.push(-1) - 1;
      last.lanes[lane] = entry.high;
      last.entries.push([entry, lane]);
      last.high = Math.max(last.high, entry.high);
    } else {
      found.push({ gap: entry.gap, high: entry.high, lanes: [entry.high], entries: [[entry, 0]] });
    }
  }
  return found;
}

export function addressMaps(facts, page) {
  if (!facts.address_maps.length) return empty("No master has an address map: the design has none, or is a part of one.");
  const drivers = new Map(facts.cells.map((cell) => [cell.path, cell.driver]));
  // Masters with the same map are one column, as the many of a card are.
  const groups = new Map();
  for (const map of facts.address_maps) {
    const key = JSON.stringify(map.entries.map((entry) => [entry.base, entry.high, entry.slave]));
    if (!groups.has(key)) groups.set(key, { map, masters: [] });
    groups.get(key).masters.push(map.master);
  }
  return el("div", {}, el("p", { class: "hint" }, "Lowest address at the top. Heights grow with the logarithm of the size; hatched: nothing answers."),
    el("div", { class: "maps" }, [...groups.values()].map(({ map, masters }) => column(map, masters, drivers, page))));
}

function column(map, masters, drivers, page) {
  const widest = Math.max(...map.entries.map((entry) => entry.high));
  const bar = el("div", { class: "map-bar" });
  for (const run of runs(merged(map.entries))) {
    const row = el("div", { class: run.gap ? "map-gap" : "map-run" });
    if (run.gap) {
      const [entry] = run.entries[0];
      row.style.height = `${gapHeight(entry.size)}px`;
      row.title = `nothing answers: ${hex(entry.base, widest)} to ${hex(entry.high, widest)}, ${bytes(entry.size)}`;
      row.append(el("span", {}, bytes(entry.size)));
    }
    const lanes = run.lanes.map(() => el("div", { class: "map-lane" }));
    for (const [entry, lane] of run.gap ? [] : run.entries) lanes[lane].append(block(entry, widest, drivers, page));
    if (!run.gap) row.append(...lanes);
    bar.append(row);
  }
  const names = masters.map((master) => master || "through the design's own interfaces");
  const title = names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  return el("figure", { class: "map" }, el("figcaption", { title: names.join("\n") }, title), bar);
}

function block(entry, widest, drivers, page) {
  const range = `${hex(entry.base, widest)} to ${hex(entry.high, widest)}, ${bytes(entry.size)}`;
  const driver = drivers.get(entry.slave);
  const lines = [`${entry.slave} (${entry.slaves.join(", ")}${entry.block ? `, ${entry.block}` : ""})`, range, `through ${entry.interfaces.join(", ")}`];
  if (driver) lines.push(`driver ${driver}`);
  const made = el("button", { type: "button", class: `map-block ${entry.kind === "MEMORY" ? "map-memory" : "map-registers"}`, title: lines.join("\n"),
    "aria-label": lines.join(", "), onclick: () => page.choose(entry.slave) },
    el("span", { class: "map-base" }, hex(entry.base, widest)), el("span", { class: "map-name" }, el("bdi", { dir: "ltr" }, entry.slave, page.isProcessor(entry.slave) ? el("span", { class: "soft" }, ` ${entry.block || entry.slave_interface}`) : null)), el("span", { class: "map-size" }, bytes(entry.size)));
  made.style.height = `${heightOf(entry.size)}px`;
  return made;
}
