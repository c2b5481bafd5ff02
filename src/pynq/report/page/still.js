// The diagram as the text of an SVG file, for engines without a page.

import { elkInPlace } from "./elk.js";
import { ancestors, fold, indexGraph, unfoldedTo, SHOWN } from "./fold.js";
import { placeScene, svgFile } from "./draw.js";

// `options`: {depth, layers, externals, unfold: paths of hierarchies that are open besides}.
export function stillPicture(graph, options, css, run) {
  const index = indexGraph(graph), unfolded = unfoldedTo(graph, options.depth || 0);
  for (const path of options.unfold || []) {
    if (!index.nodes.has(`${path}/`)) continue;
    for (const id of [...ancestors(index, `${path}/`), `${path}/`]) unfolded.add(id);
  }
  const state = { unfolded, layers: new Set(options.layers || SHOWN), externals: options.externals !== false };
  const scene = fold(graph, index, state);
  return svgFile(placeScene(scene, elkInPlace(run).layout(scene.elk)), css, graph.name || "block diagram");
}
