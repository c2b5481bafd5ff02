// What has to hold of every diagram that was laid out: run by tests, in V8 and in browsers.

function sceneProblems(scene) {
  const found = [];
  const within = (inner, outer) => inner.x >= outer.x - 0.5 && inner.y >= outer.y - 0.5 &&
    inner.x + inner.width <= outer.x + outer.width + 0.5 && inner.y + inner.height <= outer.y + outer.height + 0.5;
  const everything = { x: 0, y: 0, width: scene.width, height: scene.height };
  const levels = new Map();
  for (const box of scene.boxes) {
    const parent = scene.byKey.get(box.node.parent);
    if (!within(box, parent || everything)) found.push(`${box.node.id} is outside of ${box.node.parent || "the picture"}`);
    if (!levels.has(box.node.parent)) levels.set(box.node.parent, []);
    levels.get(box.node.parent).push(box);
    for (const line of box.lines) {
      if (textWidth(line.text, line.size) > box.width) found.push(`${box.node.id}: ${line.text} is wider than the block`);
    }
    for (const one of box.ports.values()) {
      if (!(one.x >= box.x - 0.5 && one.x <= box.x + box.width + 0.5 && one.y >= box.y - 0.5 && one.y <= box.y + box.height + 0.5)) {
        found.push(`${box.node.id}: port ${one.key} is off the block`);
      }
    }
  }
  for (const level of levels.values()) {
    level.sort((one, two) => one.x - two.x);
    level.forEach((one, at) => {
      for (let next = at + 1; next < level.length && level[next].x < one.x + one.width - 0.5; next++) {
        const two = level[next];
        if (one.y < two.y + two.height - 0.5 && two.y < one.y + one.height - 0.5) found.push(`${one.node.id} and ${two.node.id} overlap`);
      }
    });
  }
  for (const wire of scene.wires) {
    if (!wire.lines || !wire.lines.length) found.push(`no way for ${wire.kind} ${wire.edges[0].net}`);
    for (const points of wire.lines || []) {
      for (let at = 1; at < points.length; at++) {
        const [one, two] = [points[at - 1], points[at]];
        if (Math.abs(one[0] - two[0]) > 0.5 && Math.abs(one[1] - two[1]) > 0.5) {
          found.push(`a slanted wire: ${wire.kind} ${wire.edges[0].net}`);
          break;
        }
      }
    }
  }
  return found;
}
