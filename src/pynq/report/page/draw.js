// A scene that ELK has laid out, as the text of an SVG picture. No DOM: the same in every engine.

import { shorten } from "./fold.js";

export function escapeText(text) {
  return String(text)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

// Absolute places of boxes and wires. ELK's are relative to the hierarchy that holds them.
export function placeScene(scene, laid) {
  const boxes = new Map(scene.boxes.map((box) => [box.id, box]));
  const wires = new Map(scene.wires.map((wire) => [wire.id, wire]));
  const ports = new Map();
  for (const box of scene.boxes) for (const one of box.ports.values()) ports.set(one.id, one);
  const walk = (node, x, y) => {
    for (const edge of node.edges || []) {
      const wire = wires.get(edge.id);
      wire.lines = (edge.sections || []).map((part) =>
        [part.startPoint, ...(part.bendPoints || []), part.endPoint].map((at) => [at.x + x, at.y + y]));
    }
    for (const child of node.children || []) {
      const box = boxes.get(child.id);
      Object.assign(box, { x: x + child.x, y: y + child.y, width: child.width, height: child.height });
      for (const one of child.ports || []) {
        Object.assign(ports.get(one.id), { x: box.x + one.x, y: box.y + one.y });
      }
      walk(child, box.x, box.y);
    }
  };
  walk(laid, 0, 0);
  scene.width = laid.width;
  scene.height = laid.height;
  return scene;
}

const fixed = (value) => String(Math.round(value * 10) / 10);

// A line with rounded corners.
function pathData(points) {
  const bend = 5;
  let data = `M${fixed(points[0][0])} ${fixed(points[0][1])}`;
  for (let at = 1; at < points.length - 1; at++) {
    const [before, here, after] = [points[at - 1], points[at], points[at + 1]];
    const toward = (other) => {
      const length = Math.hypot(other[0] - here[0], other[1] - here[1]) || 1;
      const part = Math.min(bend, length / 2) / length;
      return [here[0] + (other[0] - here[0]) * part, here[1] + (other[1] - here[1]) * part];
    };
    const [one, two] = [toward(before), toward(after)];
    data += `L${fixed(one[0])} ${fixed(one[1])}Q${fixed(here[0])} ${fixed(here[1])} ${fixed(two[0])} ${fixed(two[1])}`;
  }
  const last = points[points.length - 1];
  return `${data}L${fixed(last[0])} ${fixed(last[1])}`;
}

function arrow(points, size) {
  const end = points[points.length - 1], before = points[points.length - 2];
  const angle = Math.atan2(end[1] - before[1], end[0] - before[0]);
  const corner = (turn) => [end[0] + size * Math.cos(angle + turn), end[1] + size * Math.sin(angle + turn)];
  const [one, two] = [corner(Math.PI - 0.45), corner(Math.PI + 0.45)];
  return `M${fixed(end[0])} ${fixed(end[1])}L${fixed(one[0])} ${fixed(one[1])}L${fixed(two[0])} ${fixed(two[1])}Z`;
}

function wireTitle(wire) {
  const most = 12;
  const name = (end) => (end[0][0] === "/" ? end[1] : `${end[0]}/${end[1]}`);
  const lines = wire.edges.slice(0, most).map((edge) => `${name(edge.from)} → ${name(edge.to)}`);
  if (wire.edges.length > most) lines.push(`and ${wire.edges.length - most} more`);
  return lines.join("\n");
}

function drawWire(wire) {
  if (!wire.lines || !wire.lines.length) return "";
  const data = wire.lines.map(pathData).join("");
  const heads = wire.last ? wire.lines.map((line) => arrow(line, wire.kind === "axi" || wire.kind === "stream" ? 8 : 6)) : [];
  return `<g class="pd-wire pd-k-${wire.kind}" data-wire="${wire.id}"><title>${escapeText(wireTitle(wire))}</title>` +
    `<path class="pd-reach" d="${data}"/><path class="pd-line" d="${data}"/>` +
    (heads.length ? `<path class="pd-head" d="${heads.join("")}"/>` : "") + "</g>";
}

function boxTitle(box) {
  const node = box.node;
  const lines = (box.group || [node.id]).map((id) => id.replace(/^\/|\/$/g, ""));
  if (node.type) lines.push(node.version ? `${node.type} ${node.version}` : node.type);
  if (node.driver) lines.push(`driver ${node.driver}`);
  if (node.kind === "hierarchy") lines.push(`${box.cells} blocks; click to ${box.open ? "fold" : "unfold"}`);
  return lines.join("\n");
}

function drawBox(box) {
  const node = box.node, { x, y, width, height } = box;
  const classes = ["pd-box", `pd-${node.kind}`, `pd-role-${node.role}`];
  if (box.open) classes.push("pd-open");
  if (node.driver) classes.push("pd-driven");
  const text = (at, down, size, role, content, anchor = "start") =>
    `<text class="pd-${role}" x="${fixed(at)}" y="${fixed(down)}" font-size="${size}" text-anchor="${anchor}">${escapeText(content)}</text>`;
  const round = node.kind === "external" ? height / 2 : node.kind === "hierarchy" ? 7 : 4;
  let out = `<g class="${classes.join(" ")}" data-id="${escapeText(node.id)}"><title>${escapeText(boxTitle(box))}</title>` +
    `<rect class="pd-shape" x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(height)}" rx="${fixed(round)}"/>`;
  const middle = !box.open && !box.labelled;
  let down = y + 5, left = x + 10;
  if (middle) down = y + (height - box.header) / 2 + 5;
  if (node.kind === "hierarchy") {
    out += foldSign(x + 9, down + 3, box.open);
    left = x + 25;
  }
  const centred = node.kind === "external" || node.role === "interconnect";
  for (const line of box.lines) {
    down += line.size + 3.5;
    out += centred && !box.open
      ? text(x + width / 2, down - 0.5, line.size, line.role, line.text, "middle")
      : text(left, down - 0.5, line.size, line.role, line.text);
  }
  if (node.finding) {
    out += `<circle class="pd-finding pd-s-${escapeText(node.finding)}" cx="${fixed(x + width - 11)}" cy="${fixed(y + 12)}" r="5"/>`;
  }
  for (const one of box.ports.values()) {
    if (box.open) continue;
    out += `<circle class="pd-port pd-k-${one.kind}" cx="${fixed(one.x)}" cy="${fixed(one.y)}" r="2.6"/>`;
    if (!one.label) continue;
    const east = one.x > x + width / 2;
    out += text(one.x + (east ? -7 : 7), one.y + 3.6, 10, "label", shorten(one.label, 18), east ? "end" : "start");
  }
  return out + "</g>";
}

// The square with a plus or a minus.
function foldSign(x, y, open) {
  const bars = `M${fixed(x + 2.5)} ${fixed(y + 5.5)}h6` + (open ? "" : `M${fixed(x + 5.5)} ${fixed(y + 2.5)}v6`);
  return `<rect class="pd-fold" x="${fixed(x)}" y="${fixed(y)}" width="11" height="11" rx="2"/><path class="pd-sign" d="${bars}"/>`;
}

// Open hierarchies lie below the wires, everything else above them.
export function drawScene(scene) {
  const below = scene.boxes.filter((box) => box.open), above = scene.boxes.filter((box) => !box.open);
  const rank = { axi: 3, stream: 3, bus: 2, interrupt: 1 };
  const wires = [...scene.wires].sort((one, two) => (rank[one.kind] || 0) - (rank[two.kind] || 0));
  return [...below.map(drawBox), ...wires.map(drawWire), ...above.map(drawBox)].join("\n");
}

// Style rules for viewers that know neither variables nor themes: the light colours in their places.
export function plainCss(css) {
  const values = new Map();
  const light = css.replace(/\/\*[^]*?\*\//g, "").replace(/light-dark\(([^,)]*),[^)]*\)/g, "$1");
  for (const found of light.matchAll(/(--pd-[a-z-]+):\s*([^;}]+);/g)) values.set(found[1], found[2].trim());
  return light.replace(/(?:color-scheme|--pd-[a-z-]+):[^;}]*;/g, "").replace(/var\((--[a-z-]+)\)/g, (all, name) => values.get(name) || all);
}

// A whole SVG file.
export function svgFile(scene, css, title) {
  const [width, height] = [Math.ceil(scene.width), Math.ceil(scene.height)];
  return `<svg xmlns="http://www.w3.org/2000/svg" class="pynq-diagram" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img"><title>${escapeText(title)}</title><style>${plainCss(css).replace(/</g, "&lt;")}</style>` +
    `<rect class="pd-ground" width="100%" height="100%"/>\n${drawScene(scene)}\n</svg>\n`;
}
