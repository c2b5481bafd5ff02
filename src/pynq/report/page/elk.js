// Talks to ELK: in a Worker where there are any, else in the page itself.

// What ELK's worker expects of the global scope that it runs in, for running it in an ordinary function.
export function elkScope(answer) {
  const scope = { importScripts() {}, location: "elk:/worker", postMessage: answer, Math, Date, Error, Object, Array };
  scope.setTimeout = (call, delay) => setTimeout(call, delay);
  return scope;
}

// Runs ELK where it is asked, and answers before it returns: for engines without a page, and as a last resort.
export function elkInPlace(run) {
  let last = null;
  const scope = elkScope((data) => { last = data; });
  run(scope, scope);
  const ask = (message) => {
    last = null;
    scope.onmessage({ data: message });
    if (last && last.error) throw elkFault(last.error);
    return last && last.data;
  };
  ask({ id: 0, cmd: "register", algorithms: ["layered"] });
  return { layout: (graph) => ask({ id: 1, cmd: "layout", graph, layoutOptions: {}, options: {} }) };
}

function elkFault(error) {
  const text = typeof error === "string" ? error : error.message || error.value || error.text || JSON.stringify(error);
  return new Error(`ELK could not lay the diagram out: ${text}`);
}

// `source`: ELK's text, or a function that makes a Worker of it, or {text, run}, where `run(self, globalThis)`
// is the same code as a function. Gives {layout(graph) -> Promise, stop()}.
export function startElk(source) {
  const text = typeof source === "string" ? source : source.text;
  const waiting = new Map();
  let count = 0, worker = null, place = null, alive = false, address = null;
  const inPage = () => {
    if (!place) {
      if (worker) worker.terminate();
      worker = null;
      const run = source.run || new Function("self", "globalThis", "window", "document", text);
      place = elkInPlace(run);
    }
    return place;
  };
  const finish = (id, end) => {
    const entry = waiting.get(id);
    waiting.delete(id);
    if (entry) end(entry);
  };
  const runHere = (id) => finish(id, (entry) => {
    try {
      entry.resolve(inPage().layout(entry.graph));
    } catch (error) {
      entry.reject(error);
    }
  });
  try {
    if (typeof source === "function") {
      worker = source();
    } else {
      address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      worker = new Worker(address);
    }
    worker.onmessage = ({ data }) => {
      alive = true;
      finish(data.id, (entry) => (data.error ? entry.reject(elkFault(data.error)) : entry.resolve(data.data)));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (alive || typeof source === "function") {
        const fault = elkFault(event.message || "its worker failed");
        for (const id of [...waiting.keys()]) finish(id, (entry) => entry.reject(fault));
        return;
      }
      for (const id of [...waiting.keys()]) runHere(id); // the browser refuses such workers
    };
    worker.postMessage({ id: -1, cmd: "register", algorithms: ["layered"] });
  } catch (error) {
    if (typeof source === "function") throw error;
    worker = null;
  }
  return {
    layout(graph) {
      return new Promise((resolve, reject) => {
        const id = count++;
        waiting.set(id, { resolve, reject, graph });
        if (worker) worker.postMessage({ id, cmd: "layout", graph, layoutOptions: {}, options: {} });
        else setTimeout(() => runHere(id), 0);
      });
    },
    stop() {
      if (worker) worker.terminate();
      if (address) URL.revokeObjectURL(address);
      worker = null;
      waiting.clear();
    },
  };
}
