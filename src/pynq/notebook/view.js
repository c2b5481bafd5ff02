// The live view of an overlay. Everything it shows is asked of the kernel (panel.py has the questions);
// names of a design become text, never markup.

let counter = 0;

const SHORT = { "read-write": "rw", "read-only": "ro", "write-only": "wo" };

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function bytes(size) {
  for (const [unit, factor] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]]) {
    if (size && size % factor === 0) return `${size / factor} ${unit}`;
  }
  return `${size} bytes`;
}

/** The element with the focus; in a shadow tree, as in marimo, the document knows its host only. */
const focused = (element) => element.getRootNode().activeElement ?? document.activeElement;

/** Whether the notebook around it is dark: its text is light. */
function isDark(element) {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  context.fillStyle = getComputedStyle(element).color; // in whatever form: painted, it is red, green and blue
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}

/** Questions and answers over the widget's messages; what comes unasked goes to `unasked`. */
class Line {
  constructor(model, unasked) {
    this.model = model;
    this.waiting = new Map();
    this.prefix = Math.random().toString(36).slice(2);
    this.receive = (answer) => {
      const done = this.waiting.get(answer.id);
      if (done) {
        this.waiting.delete(answer.id);
        if (answer.kind === "error") done.reject(new Error(answer.error));
        else done.resolve(answer);
      } else if (answer.id === null) unasked(answer);
    };
    model.on("msg:custom", this.receive);
  }

  ask(kind, question = {}) {
    const id = `${this.prefix}-${counter++}`;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.model.send({ ...question, kind, id });
    });
  }

  tell(kind, message) {
    this.model.send({ ...message, kind, id: "" });
  }

  close() {
    this.model.off("msg:custom", this.receive);
  }
}

/** The registers of one block: a row each, its fields below it when it is opened. */
class Registers {
  constructor(view, node) {
    this.view = view;
    this.node = node;
    this.rows = new Map();
    this.watched = new Set();
    this.element = make("div", { className: "registers" });
  }

  async open() {
    const found = await this.view.line.ask("registers", { path: this.node.path });
    if (!found.registers.length) {
      this.element.append(this.bytesBar(found.size));
      return;
    }
    const filter = make("input", {
      type: "search",
      placeholder: "find a register or field",
      "aria-label": "find a register or field",
      oninput: () => this.filter(filter.value.toLowerCase()),
    });
    this.element.append(
      make(
        "div",
        { className: "bar" },
        make("button", { type: "button", onclick: () => this.read(null) }, "Read all"),
        make("button", { type: "button", onclick: () => this.watchAll() }, "Watch all"),
        make("button", { type: "button", onclick: () => this.watchNone() }, "Stop"),
        filter,
      ),
    );
    const body = make("tbody");
    for (const register of found.registers) this.add(body, register);
    this.element.append(
      make(
        "table",
        {},
        make(
          "thead",
          {},
          make("tr", {}, ...["Offset", "Register", "Value", "", "Access", "Reset", "Description"].map((title) => make("th", { scope: "col" }, title))),
        ),
        body,
      ),
    );
    await this.read(null);
  }

  add(body, register) {
    const now = make("input", {
      className: "value",
      value: "",
      readOnly: !register.writable,
      "aria-label": `value of ${register.name}`,
      title: register.writable ? "Enter writes" : register.access,
      placeholder: register.readable ? "" : "write-only",
    });
    now.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && register.writable) this.write(register, null, now.value);
      event.stopPropagation();
    });
    const watch = make("input", {
      type: "checkbox",
      "aria-label": `watch ${register.name}`,
      title: "watch",
      disabled: !register.readable,
      onchange: () => {
        if (watch.checked) this.watched.add(register.attribute);
        else this.watched.delete(register.attribute);
        this.tellWatched();
      },
    });
    const fold = make("button", {
      type: "button",
      "aria-expanded": "false",
      title: "fields",
      onclick: () => {
        const open = fold.getAttribute("aria-expanded") === "false";
        fold.setAttribute("aria-expanded", String(open));
        for (const field of row.fields) field.element.hidden = !open;
      },
    });
    fold.textContent = register.fields.length === 1 ? "1 field" : `${register.fields.length} fields`;
    const element = make(
      "tr",
      { className: "register" },
      make("td", { className: "code" }, `0x${register.offset.toString(16).padStart(2, "0")}`),
      make("td", { className: "code" }, register.name),
      make("td", { className: "now" }, now),
      make(
        "td",
        { className: "tools" },
        watch,
        " ",
        make("button", { type: "button", disabled: !register.readable, title: `read ${register.name}`, onclick: () => this.read([register.attribute]) }, "read"),
        " ",
        register.fields.length ? fold : "",
      ),
      make("td", {}, SHORT[register.access] ?? register.access, register.sensitive ? make("div", { className: "mark" }, "reading changes it") : ""),
      make("td", { className: "code" }, register.reset ?? ""),
      make("td", { className: "dim" }, register.description),
    );
    const row = { register, element, now, watch, fields: [] };
    body.append(element);
    for (const field of register.fields) {
      const value = make("input", {
        className: "value small",
        readOnly: !field.writable,
        "aria-label": `value of ${register.name}.${field.name}`,
        title: field.writable ? "Enter writes" : "read-only",
      });
      value.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && field.writable) this.write(register, field, value.value);
        event.stopPropagation();
      });
      const meaning = make("span", { className: "dim" });
      const bits = field.width > 1 ? `[${field.lower + field.width - 1}:${field.lower}]` : `[${field.lower}]`;
      const line = make(
        "tr",
        { className: "field", hidden: true },
        make("td", { className: "code dim" }, bits),
        make("td", { className: "code" }, field.name),
        make("td", {}, value, " ", meaning),
        make("td"),
        make("td", {}, field.readable && field.writable ? "rw" : field.readable ? "ro" : "wo"),
        make("td"),
        make("td", { className: "dim" }, field.description),
      );
      row.fields.push({ field, element: line, value, meaning });
      body.append(line);
    }
    this.rows.set(register.attribute, row);
  }

  show(values) {
    for (const [name, text] of Object.entries(values)) {
      const row = this.rows.get(name);
      if (!row) continue;
      if (focused(row.now) !== row.now) {
        const changed = row.now.value !== "" && row.now.value !== text;
        row.element.classList.toggle("changed", changed);
        row.now.value = text;
      }
      const value = BigInt(text);
      for (const { field, value: cell, meaning } of row.fields) {
        if (!field.readable) continue;
        const part = (value >> BigInt(field.lower)) & ((1n << BigInt(field.width)) - 1n);
        const shown = field.width > 3 ? `0x${part.toString(16)}` : part.toString();
        if (focused(cell) !== cell) cell.value = shown;
        meaning.textContent = field.names[`0x${part.toString(16)}`] ?? "";
      }
    }
  }

  async read(names) {
    try {
      const answer = await this.view.line.ask("read", { path: this.node.path, names });
      this.show(answer.values);
      this.view.say("");
    } catch (error) {
      this.view.say(error.message);
    }
  }

  async write(register, field, value) {
    try {
      const question = { path: this.node.path, register: register.attribute, value };
      if (field) question.field = field.attribute;
      const answer = await this.view.line.ask("write", question);
      focused(this.element)?.blur();
      this.show(answer.values);
      this.view.say("");
    } catch (error) {
      this.view.say(error.message);
    }
  }

  watchAll() {
    for (const row of this.rows.values()) {
      if (row.register.readable && !row.register.sensitive) {
        row.watch.checked = true;
        this.watched.add(row.register.attribute);
      }
    }
    this.tellWatched();
  }

  watchNone() {
    for (const row of this.rows.values()) row.watch.checked = false;
    this.watched.clear();
    this.tellWatched();
  }

  tellWatched() {
    this.view.line.tell("watch", { path: this.node.path, names: [...this.watched], seconds: 0.5 });
  }

  filter(text) {
    for (const row of this.rows.values()) {
      const names = [row.register.name, row.register.description, ...row.fields.map(({ field }) => field.name)];
      const hit = names.some((name) => name.toLowerCase().includes(text));
      row.element.hidden = !hit;
      const open = row.element.querySelector("[aria-expanded='true']") !== null;
      for (const field of row.fields) field.element.hidden = !hit || !open;
    }
  }

  /** A block without a register map: bytes at an offset. */
  bytesBar(size) {
    const offset = make("input", { className: "value", value: "0x0", "aria-label": "offset" });
    const value = make("input", { className: "value", placeholder: "value", "aria-label": "value" });
    const ask = async (kind) => {
      try {
        const answer = await this.view.line.ask(kind, { path: this.node.path, offset: offset.value, width: 4, value: value.value });
        if (answer.value) value.value = answer.value;
        this.view.say("");
      } catch (error) {
        this.view.say(error.message);
      }
    };
    for (const input of [offset, value]) input.addEventListener("keydown", (event) => event.stopPropagation());
    return make(
      "div",
      { className: "bar" },
      `No registers are described; ${bytes(size)}. At offset`,
      offset,
      make("button", { type: "button", onclick: () => ask("peek") }, "read"),
      value,
      make("button", { type: "button", onclick: () => ask("poke") }, "write"),
    );
  }

  close() {
    if (this.watched.size) this.view.line.tell("watch", { path: this.node.path, names: [] });
  }
}

class View {
  constructor(model, el) {
    this.model = model;
    this.line = new Line(model, (news) => this.hear(news));
    this.nodes = new Map();
    this.tab = "Blocks";
    this.title = make("header");
    this.tree = make("div", { className: "tree" });
    this.pane = make("div", { className: "pane" });
    this.body = make("div", { className: "body" }, this.tree, this.pane);
    this.message = make("div", { className: "message", role: "status" });
    this.root = make("div", { className: "pynq-view" }, this.title, this.body, this.message);
    this.place = el;
    el.append(this.root);
    this.followTheme();
    this.refresh();
  }

  /** Colours like those around it. */
  followTheme() {
    this.root.dataset.theme = isDark(this.place) ? "dark" : "light";
  }

  say(text) {
    this.message.textContent = text;
  }

  async refresh() {
    const saved = this.model.get("outline");
    if (saved?.children) this.draw(saved);
    const silence = setTimeout(() => this.say("No kernel answers: run the cell again."), 10_000);
    try {
      const { outline } = await this.line.ask("outline");
      if (!this.closed && JSON.stringify(outline) !== JSON.stringify(saved)) this.draw(outline);
    } catch (error) {
      this.say(error.message);
    } finally {
      clearTimeout(silence);
    }
  }

  draw(outline) {
    this.outline = outline;
    const tabs = ["Blocks", "Diagram", "Activity"].map((name) =>
      make("button", { type: "button", role: "tab", "aria-selected": String(name === this.tab), onclick: () => this.turn(name) }, name),
    );
    this.title.replaceChildren(
      make("span", { className: "name" }, this.outline.name.split("/").pop()),
      make("span", { className: "dim" }, this.outline.device),
      make("span", { className: this.outline.loaded ? "dim" : "bad" }, this.outline.loaded ? "loaded" : this.outline.state),
      make("nav", { role: "tablist" }, ...tabs),
    );
    this.nodes.clear();
    this.tree.replaceChildren(this.list(this.outline.children));
    this.turn(this.tab);
    const focus = this.nodes.get(this.model.get("focus")) ?? [...this.nodes.values()].find(({ node }) => node.kind === "ip");
    if (focus) this.choose(focus.node.path);
  }

  list(nodes) {
    return make("ul", {}, ...nodes.map((node) => make("li", {}, this.entry(node))));
  }

  entry(node) {
    const choose = () => this.choose(node.path);
    let element;
    let shown;
    if (node.kind === "hierarchy") {
      shown = make("summary", { onclick: choose }, node.name);
      element = make("details", { open: true }, shown, this.list(node.children));
    } else {
      shown = make("button", { type: "button", className: "leaf", onclick: choose, title: node.type }, node.name);
      element = shown;
    }
    this.nodes.set(node.path, { node, shown });
    return element;
  }

  turn(name) {
    this.stopActivity();
    this.followTheme();
    this.tab = name;
    for (const button of this.title.querySelectorAll("[role=tab]")) {
      button.setAttribute("aria-selected", String(button.textContent === name));
    }
    this.tree.hidden = name === "Activity";
    this.tree.style.display = name === "Activity" ? "none" : "";
    if (name === "Blocks" && this.chosen) this.choose(this.chosen);
    if (name === "Diagram") this.drawDiagram();
    if (name === "Activity") this.showActivity();
  }

  async choose(path) {
    this.chosen = path;
    for (const [other, { shown }] of this.nodes) shown.setAttribute("aria-current", String(other === path));
    if (this.tab === "Diagram") {
      this.diagram?.select(path);
      return;
    }
    if (this.tab !== "Blocks") return;
    const { node } = this.nodes.get(path);
    this.registers?.close();
    this.registers = null;
    const about = [
      node.type,
      node.base ? `at ${node.base}, ${bytes(node.size)}` : "",
      node.driver ? `driver ${node.driver}` : "",
      node.interrupts.length ? `interrupts ${node.interrupts.join(", ")}` : "",
      node.gpio.length ? `GPIO ${node.gpio.join(", ")}` : "",
      node.region ? `holds ${node.region.split("/").pop()}` : "",
    ].filter(Boolean);
    this.pane.replaceChildren(make("h3", {}, node.path), ...about.map((line) => make("div", { className: "dim" }, line)));
    this.say("");
    if (node.kind === "hierarchy" || !node.base) return;
    const registers = new Registers(this, node);
    this.registers = registers;
    this.pane.append(registers.element);
    try {
      await registers.open();
    } catch (error) {
      this.say(error.message);
    }
  }

  async drawDiagram() {
    this.registers?.close();
    this.registers = null;
    this.pane.replaceChildren(make("div", { className: "dim" }, "laying out ..."));
    try {
      const found = await this.line.ask("diagram");
      const url = URL.createObjectURL(new Blob([found.module], { type: "text/javascript" }));
      const { mount } = await import(url);
      URL.revokeObjectURL(url);
      if (this.tab !== "Diagram") return;
      const place = make("div", { className: "diagram" });
      this.pane.replaceChildren(make("style", {}, found.style), place);
      this.diagram?.destroy();
      this.diagram = mount(place, found.graph, {
        elk: found.elk,
        theme: this.root.dataset.theme,
        onselect: (path) => {
          this.chosen = path;
          for (const [other, { shown }] of this.nodes) shown.setAttribute("aria-current", String(other === path));
        },
      });
      await this.diagram.ready;
    } catch (error) {
      this.say(error.message);
    }
  }

  showActivity() {
    this.registers?.close();
    this.registers = null;
    const channels = make("tbody");
    const pins = make("tbody");
    const table = (titles, body) => make("table", {}, make("thead", {}, make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)))), body);
    this.pane.replaceChildren(
      make("h3", {}, "DMA channels in use"),
      table(["Channel", "State", "Asked for", "Moved"], channels),
      make("h3", { style: "margin-top:12px" }, "Interrupts"),
      table(["Pin", "Goes to", "Level", "Edges", "Delivered", "Waiting"], pins),
    );
    const code = (text) => make("td", { className: "code" }, text);
    const look = async () => {
      try {
        const found = await this.line.ask("activity");
        channels.replaceChildren(
          ...found.channels.map((one) =>
            make("tr", {}, code(one.name), make("td", {}, make("span", { className: `state ${one.state}` }, one.state)), code(one.nbytes ? bytes(one.nbytes) : ""), code(one.transferred ? bytes(one.transferred) : "")),
          ),
        );
        if (!found.channels.length) channels.append(make("tr", {}, make("td", { colSpan: 4, className: "dim" }, "no DMA driver has been used yet")));
        pins.replaceChildren(
          ...found.interrupts.map((one) =>
            make("tr", {}, code(one.path), make("td", {}, one.way), make("td", {}, one.level === null ? "?" : one.level ? "high" : "low"), code(one.edges ?? "?"), code(String(one.delivered)), code(one.waiting ? String(one.waiting) : "")),
          ),
        );
        if (!found.interrupts.length) pins.append(make("tr", {}, make("td", { colSpan: 6, className: "dim" }, "no interrupt reaches the processor")));
        this.say("");
      } catch (error) {
        this.say(error.message);
      }
      if (this.tab === "Activity" && !this.closed) this.timer = setTimeout(look, 500);
    };
    look();
  }

  stopActivity() {
    clearTimeout(this.timer);
  }

  hear(news) {
    if (news.kind !== "watching" || !this.registers || news.path !== this.registers.node.path) return;
    if (news.error) {
      this.say(news.error);
      this.registers.watchNone();
    } else this.registers.show(news.values);
  }

  close() {
    this.closed = true;
    this.stopActivity();
    this.registers?.close();
    this.diagram?.destroy();
    this.line.close();
  }
}

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};
