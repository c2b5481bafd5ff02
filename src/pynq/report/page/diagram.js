// The block diagram in a page or a notebook: pan, zoom, fold, search, choose.

import { startElk } from "./elk.js";
import { fold, indexGraph, unfoldedTo, ancestors, KINDS, SHOWN } from "./fold.js";
import { placeScene, drawScene } from "./draw.js";

const SVG = "http://www.w3.org/2000/svg";
const LEGIBLE = 0.92; // the smallest text has 10 units: 9 pixels at first sight
const NAMES = { axi: "AXI", stream: "Streams", bus: "Other buses", interrupt: "Interrupts", clock: "Clocks",
  reset: "Resets", wire: "Wires" };

function make(name, classes, parent, text) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

// Puts a diagram of `graph` into `element` and returns its handle. Options: `elk` (ELK's text, a function that
// makes a Worker of it, or {text, run}), `toolbar` (true), `theme` ("light", "dark"; else the browser's),
// `unfold` (paths), `onselect` (path, node).
export function mount(element, graph, options) {
  const index = indexGraph(graph), elk = startElk(options.elk);
  const state = { unfolded: new Set((options.unfold || []).map((path) => `${path}/`)), layers: new Set(SHOWN), externals: true };
  let scene = null, chosen = null, found = [], view = { x: 0, y: 0, scale: 1 }, turn = 0, gone = false, touchedView = false, paper = false;

  const root = make("div", "pynq-diagram", element);
  if (options.theme) root.dataset.theme = options.theme;
  const bar = make("div", "pd-bar", root);
  const frame = make("div", "pd-frame", root);
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", "Block diagram: arrow keys choose a block, Enter folds, plus and minus zoom");
  const svg = document.createElementNS(SVG, "svg");
  const ground = document.createElementNS(SVG, "g");
  svg.append(ground);
  frame.append(svg);
  const message = make("div", "pd-message", frame);
  message.setAttribute("role", "status");

  const handle = {
    onselect: options.onselect || null,
    ready: null,
    fold: (path, folded) => setFold(`${path}/`, folded),
    unfoldAll: (depth = 99) => show(() => { state.unfolded = unfoldedTo(graph, depth); }),
    foldAll: () => show(() => state.unfolded.clear()),
    select: (path) => reveal(path),
    search,
    setLayer,
    setTheme(theme) {
      if (theme) root.dataset.theme = theme;
      else delete root.dataset.theme;
    },
    fit: () => fit(false),
    toPaper,
    get scene() { return scene; },
    get view() { return { ...view }; },
    destroy() {
      gone = true;
      elk.stop();
      watcher.disconnect();
      root.remove();
    },
  };

  // -- layout and picture ------------------------------------------------------------------------------------
  // Changes what is seen, keeping the block `anchor` where it is on the screen.
  function show(change, anchor) {
    if (change) change();
    const mine = ++turn, next = fold(graph, index, state);
    root.dataset.busy = "yes";
    const before = anchor && scene && scene.byKey.get(anchor);
    const kept = before && [before.x * view.scale + view.x, before.y * view.scale + view.y];
    return elk.layout(next.elk).then((laid) => {
      if (gone || mine !== turn) return;
      scene = placeScene(next, laid);
      const picture = new DOMParser().parseFromString(`<svg xmlns="${SVG}">${drawScene(scene)}</svg>`, "image/svg+xml");
      ground.replaceChildren(...[...picture.documentElement.childNodes].map((node) => document.importNode(node, true)));
      mark();
      const after = kept && scene.byKey.get(anchor);
      if (after) settle(after, kept[0] - after.x * view.scale, kept[1] - after.y * view.scale);
      else if (!touchedView) fit(true);
      tell(scene.boxes.length ? "" : "Nothing to draw: the design has no blocks.");
      const hidden = scene.hidden.length;
      note.textContent = hidden ? `${hidden} helper block${hidden === 1 ? "" : "s"} without shown wires left out` : "";
      delete root.dataset.busy;
    }, (error) => {
      if (gone || mine !== turn) return;
      delete root.dataset.busy;
      tell(error.message);
    });
  }

  function tell(text) {
    message.textContent = text;
    message.hidden = !text;
  }

  function setView(next) {
    view = next;
    if (paper) return;
    ground.setAttribute("transform", `translate(${view.x.toFixed(2)} ${view.y.toFixed(2)}) scale(${view.scale.toFixed(4)})`);
  }

  // The view near (x, y) that shows the box whole, if there is room, and no more emptiness than it must.
  function settle(box, x, y) {
    const along = (start, room, size, low, length) => {
      const [from, to] = [low * view.scale, (low + length) * view.scale];
      let at = start;
      if (to + at > room) at = room - to - 10;
      if (from + at < 0) at = 10 - from;
      const whole = size * view.scale;
      return whole <= room ? (room - whole) / 2 : Math.min(0, Math.max(room - whole, at));
    };
    setView({ ...view,
      x: along(x, frame.clientWidth, scene.width, box.x, box.width),
      y: along(y, frame.clientHeight, scene.height, box.y, box.height) });
  }

  // The whole diagram, but at first sight never so small that it can't be read.
  function fit(legible) {
    if (!scene) return;
    const width = frame.clientWidth, height = frame.clientHeight;
    if (!width || !height) return;
    let scale = Math.min(width / scene.width, height / scene.height, 1.25);
    if (legible) scale = Math.max(scale, LEGIBLE);
    const place = (room, size) => (size * scale <= room ? (room - size * scale) / 2 : 0);
    setView({ x: place(width, scene.width), y: place(height, scene.height), scale });
    const ps = legible && scene.boxes.find((box) => box.node.role === "processor" && !ancestors(index, box.node.id).length);
    // The way into a diagram is its processor.
    if (ps && scene.height * scale > height) {
      const middle = height / 2 - (ps.y + ps.height / 2) * scale;
      setView({ ...view, y: Math.min(0, Math.max(height - scene.height * scale, middle)) });
    }
  }

  // On paper the frame has a size of its own, of which nobody is told: there the picture scales itself.
  // Returns its width over its height.
  function toPaper(on) {
    paper = on && scene !== null;
    if (!scene) return 1;
    const width = Math.max(scene.width, 900), height = Math.max(scene.height, 1);
    if (on) {
      svg.setAttribute("viewBox", `${(scene.width - width) / 2} 0 ${width} ${height}`);
      ground.removeAttribute("transform");
    } else {
      svg.removeAttribute("viewBox");
      setView(view);
    }
    return width / height;
  }

  function zoom(factor, x = frame.clientWidth / 2, y = frame.clientHeight / 2) {
    const scale = Math.min(6, Math.max(0.05, view.scale * factor)), by = scale / view.scale;
    touchedView = true;
    setView({ x: x - (x - view.x) * by, y: y - (y - view.y) * by, scale });
  }

  // -- folding, choosing, searching --------------------------------------------------------------------------
  function setFold(id, folded) {
    if (!index.nodes.has(id)) return Promise.resolve();
    return show(() => {
      if (folded === undefined ? state.unfolded.has(id) : folded) state.unfolded.delete(id);
      else for (const one of [...ancestors(index, id), id]) state.unfolded.add(one);
    }, id);
  }

  function setLayer(kind, on) {
    return show(() => (kind === "pins" ? (state.externals = on) : on ? state.layers.add(kind) : state.layers.delete(kind)));
  }

  function nodeOf(path) {
    for (const id of [path, `${path}/`, `/${path}`]) if (index.nodes.has(id)) return index.nodes.get(id);
    return null;
  }

  // Chooses a block, opens what it lies in, and moves the view where it is out of sight.
  function reveal(path, quiet = false) {
    const node = path === null || path === undefined ? null : nodeOf(path);
    chosen = node ? node.id : null;
    if (!node) {
      mark();
      if (!quiet && handle.onselect) handle.onselect(null, null);
      return Promise.resolve();
    }
    touchedView = true;
    const closed = ancestors(index, node.id).filter((up) => !state.unfolded.has(up));
    let work = Promise.resolve();
    if (closed.length) work = show(() => closed.forEach((up) => state.unfolded.add(up)), closed[0]);
    else if (scene && scene.hidden.includes(node.id)) work = show(() => KINDS.forEach((kind) => { if (usedBy(node.id).has(kind)) state.layers.add(kind); }));
    syncBar();
    return work.then(() => {
      mark();
      // First: what shows the block's details may take room away.
      if (!quiet && handle.onselect) handle.onselect(node.id.replace(/^\/|\/$/g, ""), node);
      bring(node.id);
    });
  }

  function usedBy(id) {
    return new Set(graph.edges.filter((edge) => edge.from[0] === id || edge.to[0] === id).map((edge) => edge.kind));
  }

  function bring(id) {
    const box = scene && scene.byKey.get(scene.gathered.get(id) || id);
    if (!box) return;
    const width = frame.clientWidth, height = frame.clientHeight;
    const left = box.x * view.scale + view.x, top = box.y * view.scale + view.y;
    const right = left + Math.min(box.width * view.scale, width), bottom = top + Math.min(box.height * view.scale, height);
    if (left >= 0 && top >= 0 && right <= width && bottom <= height && view.scale >= 0.5) return;
    touchedView = true;
    const scale = Math.max(view.scale, LEGIBLE);
    setView({ scale, x: width / 2 - (box.x + Math.min(box.width / 2, width / 2 / scale)) * scale, y: height / 2 - (box.y + Math.min(box.height / 2, height / 2 / scale)) * scale });
  }

  // Marks every drawn block whose path or type has the words in it; returns how many blocks have, drawn or not.
  function search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (node) => words.every((word) => `${node.id} ${node.type || ""} ${node.driver || ""}`.toLowerCase().includes(word));
    found = words.length ? graph.nodes.filter(has).map((node) => node.id) : [];
    mark();
    return found.length;
  }

  function mark() {
    if (!scene) return;
    const lit = new Set();
    for (const id of found) {
      const closed = ancestors(index, id).find((up) => !state.unfolded.has(up));
      lit.add(closed || scene.gathered.get(id) || id);
    }
    const own = chosen && (scene.gathered.get(chosen) || chosen);
    for (const part of ground.querySelectorAll(".pd-box")) {
      part.classList.toggle("pd-found", lit.has(part.dataset.id));
      part.classList.toggle("pd-chosen", part.dataset.id === own);
    }
    ground.classList.toggle("pd-searching", found.length > 0);
    const open = own && state.unfolded.has(own);
    for (const part of ground.querySelectorAll(".pd-wire")) {
      const wire = own && !open && scene.wires.find((one) => one.id === part.dataset.wire);
      const mine = wire && wire.edges.some((edge) => [edge.from[0], edge.to[0]].some((id) => id === own || (own.endsWith("/") && id.startsWith(own))));
      part.classList.toggle("pd-lit", Boolean(mine));
    }
  }

  // -- toolbar -----------------------------------------------------------------------------------------------
  const checks = new Map();
  const used = new Set(graph.edges.map((edge) => edge.kind));
  const note = make("span", "pd-note-text");
  function button(text, title, call) {
    const made = make("button", "pd-button", bar, text);
    made.type = "button";
    made.title = title;
    made.setAttribute("aria-label", title);
    made.addEventListener("click", call);
  }
  function check(key, text, on) {
    const label = make("label", `pd-check pd-k-${key}`, bar);
    const box = make("input", "", label);
    box.type = "checkbox";
    box.checked = on;
    make("span", "pd-swatch", label);
    label.append(text);
    box.addEventListener("change", () => setLayer(key, box.checked));
    checks.set(key, box);
  }
  function syncBar() {
    for (const [key, box] of checks) if (key !== "pins") box.checked = state.layers.has(key);
  }
  if (options.toolbar !== false) {
    const box = make("input", "pd-search", bar);
    box.type = "search";
    box.placeholder = "Find a block";
    box.setAttribute("aria-label", "Find a block");
    box.addEventListener("input", () => search(box.value));
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && found.length) reveal(found[Math.max(0, found.indexOf(chosen) + 1) % found.length].replace(/^\/|\/$/g, ""));
    });
    for (const kind of KINDS) if (used.has(kind)) check(kind, NAMES[kind], state.layers.has(kind));
    if (graph.nodes.some((node) => node.kind === "external")) check("pins", "Pins", true);
    if (graph.nodes.some((node) => node.kind === "hierarchy")) {
      button("Unfold all", "Unfold every hierarchy", () => { touchedView = false; handle.unfoldAll(); });
      button("Fold all", "Fold every hierarchy", () => { touchedView = false; handle.foldAll(); });
    }
    button("−", "Zoom out", () => zoom(1 / 1.25));
    button("+", "Zoom in", () => zoom(1.25));
    button("Fit", "Show the whole diagram", () => fit(false));
    bar.append(note);
  } else {
    bar.hidden = true;
  }

  // -- mouse and keys ----------------------------------------------------------------------------------------
  let drag = null;
  const fingers = new Map();
  const spread = () => {
    const [one, two] = [...fingers.values()], at = frame.getBoundingClientRect();
    return { x: (one[0] + two[0]) / 2 - at.left, y: (one[1] + two[1]) / 2 - at.top, apart: Math.hypot(one[0] - two[0], one[1] - two[1]) };
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 2 && drag) {
      drag.moved = true; // no click
      return;
    }
    drag = { x: event.clientX, y: event.clientY, view: { ...view }, moved: false };
  });
  frame.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (fingers.size === 2 && fingers.has(event.pointerId)) {
      const before = spread();
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      const after = spread();
      setView({ ...view, x: view.x + after.x - before.x, y: view.y + after.y - before.y });
      zoom(after.apart / Math.max(before.apart, 1), after.x, after.y);
      return;
    }
    const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved && Math.hypot(x, y) < 4) return;
    if (!drag.moved) frame.setPointerCapture(event.pointerId);
    drag.moved = touchedView = true;
    setView({ ...drag.view, x: drag.view.x + x, y: drag.view.y + y });
  });
  for (const end of ["pointerup", "pointercancel"]) {
    frame.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      const was = drag, left = [...fingers.values()][0];
      drag = left ? { x: left[0], y: left[1], view: { ...view }, moved: true } : null;
      if (was && !was.moved && end === "pointerup") click(event);
    });
  }
  function click(event) {
    const part = event.target.closest ? event.target.closest(".pd-box") : null;
    if (!part) {
      reveal(null);
      return;
    }
    const id = part.dataset.id, path = id.replace(/^\/|\/$/g, "");
    const sign = event.target.classList.contains("pd-fold") || event.target.classList.contains("pd-sign");
    const open = state.unfolded.has(id);
    chosen = id;
    touchedView = true;
    mark();
    if (handle.onselect) handle.onselect(path, index.nodes.get(id));
    if (id.endsWith("/") && (sign || !open)) setFold(id);
    else bring(id);
  }
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const at = frame.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.004)), event.clientX - at.left, event.clientY - at.top);
  }, { passive: false });
  frame.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.target !== frame || event.ctrlKey || event.metaKey || event.altKey) return;
    if (ways[event.key]) step(...ways[event.key]);
    else if (event.key === "Enter" || event.key === " ") { if (chosen && chosen.endsWith("/")) setFold(chosen); }
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(1 / 1.25);
    else if (event.key === "0") fit(false);
    else if (event.key === "Escape") reveal(null);
    else return;
    event.preventDefault();
  });
  // Chooses the nearest block in a direction.
  function step(right, down) {
    if (!scene || !scene.boxes.length) return;
    const from = chosen && scene.byKey.get(chosen);
    const middle = (box) => [box.x + box.width / 2, box.open ? box.y + 10 : box.y + box.height / 2];
    let best = null, least = Infinity;
    for (const box of scene.boxes) {
      if (box === from) continue;
      if (!from) { best = best || box; continue; }
      const [x, y] = middle(box), [x0, y0] = middle(from);
      const along = (x - x0) * right + (y - y0) * down, across = Math.abs((x - x0) * down) + Math.abs((y - y0) * right);
      if (along > 1 && along + 2.5 * across < least) [best, least] = [box, along + 2.5 * across];
    }
    if (best) reveal(best.node.id.replace(/^\/|\/$/g, ""));
  }

  const watcher = new ResizeObserver(() => { if (!touchedView) fit(true); });
  watcher.observe(frame);
  handle.ready = show();
  return handle;
}
