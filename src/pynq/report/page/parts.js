// Small parts of the page. Text goes into the page as text, never as markup.

export function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// 0x4000_0000, as many digits as `widest` needs and 8 at least. Python's integers may be larger than ours: what
// is not exact is not shown as if it were.
export function hex(value, widest = value) {
  if (value === null || value === undefined) return "";
  if (!Number.isSafeInteger(value)) return `about ${value.toExponential(3)}`;
  const digits = Math.max(8, Math.ceil(Math.max(1, widest.toString(16).length) / 4) * 4);
  return `0x${value.toString(16).padStart(digits, "0").replace(/(?=(?:.{4})+$)(?!^)/g, "_")}`;
}

export function shortHex(value) {
  if (value === null || value === undefined) return "";
  return Number.isSafeInteger(value) ? `0x${value.toString(16)}` : `about ${value.toExponential(3)}`;
}

export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let unit = 0, value = count;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

export function hertz(value) {
  if (value === null || value === undefined) return "unknown";
  for (const [size, unit] of [[1e9, "GHz"], [1e6, "MHz"], [1e3, "kHz"]]) {
    if (value >= size) return `${+(value / size).toFixed(6)} ${unit}`;
  }
  return `${value} Hz`;
}

// The class or file name alone, with the whole as a hint.
export function lastPart(text) {
  return text ? el("span", { title: text }, text.slice(text.lastIndexOf(".") + 1)) : "";
}

// A button that chooses a block everywhere; `known` has the paths that there are.
export function blockLink(path, choose, known, text = path) {
  if (!known(path)) return el("span", { class: "path" }, text);
  return el("button", { type: "button", class: "link path", onclick: () => choose(path), title: `Show ${path}` }, text);
}

export function table(heads, rows, attributes = {}) {
  return el("div", { class: "scroll" }, el("table", attributes,
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));
}

export function empty(text) {
  return el("p", { class: "empty" }, text);
}
