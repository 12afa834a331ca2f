// The picture: boxes for lines, arrows forwards and backwards, and groups that open. dagre says where they stand.
const SVG = "http://www.w3.org/2000/svg";
const LETTER = 7.9, HEIGHT = 60, SMALLEST_SCALE = 0.72;

function svgElement(tag, attributes, parent, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

// What stands for a line while some groups are closed: the outermost closed one, or the line itself.
function standsFor(node, opened) {
  return node.groups.find((group) => !opened.has(group)) ?? node.name;
}

function shownBoxes(data, opened) {
  const boxes = new Map();
  for (const node of data.nodes) {
    const name = standsFor(node, opened);
    if (!boxes.has(name)) {
      const label = name.slice((node.groups.filter((group) => opened.has(group)).at(-1) ?? "").length).replace(/^\./, "");
      boxes.set(name, { name, label, lines: [], parent: node.groups.filter((group) => opened.has(group)).at(-1) });
    }
    boxes.get(name).lines.push(node);
  }
  for (const box of boxes.values()) {
    box.group = box.lines[0].name !== box.name;
    const [node] = box.lines;
    box.texts = box.group ? [box.label, `${box.lines.length} lines`, "open"] : [box.label, node.value, node.gradient];
    box.width = Math.max(84, 24 + LETTER * Math.max(...box.texts.map((text) => text.length)));
  }
  return boxes;
}

function shownArrows(data, opened) {
  const arrows = new Map();
  const byName = new Map(data.nodes.map((node) => [node.name, node]));
  for (const [source, target] of data.edges) {
    const ends = [source, target].map((name) => standsFor(byName.get(name), opened));
    if (ends[0] === ends[1] && source !== target) continue;
    const key = ends.join("\n");
    if (!arrows.has(key)) arrows.set(key, { source: ends[0], target: ends[1], pairs: [] });
    arrows.get(key).pairs.push([source, target]);
  }
  return [...arrows.values()];
}

function laidOut(data, opened) {
  const boxes = shownBoxes(data, opened);
  const arrows = shownArrows(data, opened);
  const order = new Map([...boxes.keys()].map((name, i) => [name, i]));
  const graph = new dagre.Graph({ compound: true });
  graph.setGraph({ nodesep: 16, ranksep: 44, marginx: 10, marginy: 10 }).setDefaultEdgeLabel(() => ({}));
  for (const box of boxes.values()) graph.setNode(box.name, { width: box.width, height: HEIGHT });
  for (const group of opened) {
    const members = [...boxes.values()].filter((box) => box.lines[0].groups.includes(group));
    if (!members.length) continue;
    graph.setNode(group, { label: group });
    const outer = members[0].lines[0].groups;
    const parent = outer[outer.indexOf(group) - 1];
    if (parent) graph.setParent(group, parent);
  }
  for (const box of boxes.values()) if (box.parent) graph.setParent(box.name, box.parent);
  for (const arrow of arrows) {
    // What a line hands to the next step of a loop goes up again: it is drawn at the side and moves no box.
    arrow.later = order.get(arrow.source) >= order.get(arrow.target);
    if (!arrow.later) graph.setEdge(arrow.source, arrow.target);
  }
  dagre.layout(graph);
  for (const box of boxes.values()) Object.assign(box, graph.node(box.name));
  for (const arrow of arrows) arrow.points = arrow.later ? [] : graph.edge(arrow.source, arrow.target).points.slice(1, -1);
  spread(boxes, arrows);
  const frames = graph.nodes().filter((name) => graph.children(name).length).map((name) => ({ name, ...graph.node(name) }));
  return { boxes, arrows, frames, width: graph.graph().width, height: graph.graph().height };
}

// Arrows that end at one box end side by side, in the order in which they come.
function spread(boxes, arrows) {
  const across = (box, i, count) => box.x + (i - (count - 1) / 2) * Math.min(26, (box.width - 30) / count);
  for (const box of boxes.values()) {
    for (const [end, other, at] of [["source", "target", 0], ["target", "source", -1]]) {
      const own = arrows.filter((arrow) => !arrow.later && arrow[end] === box.name);
      const towards = (arrow) => (arrow.points.at(at) ?? boxes.get(arrow[other])).x;
      own.sort((a, b) => towards(a) - towards(b));
      own.forEach((arrow, i) => { arrow[end + "X"] = across(box, i, own.length); });
    }
  }
}

function pathOf(arrow, boxes) {
  const from = boxes.get(arrow.source), to = boxes.get(arrow.target);
  if (arrow.later) {
    const [x0, y0, x1, y1] = [from.x + from.width / 2, from.y + 12, to.x + to.width / 2, to.y - 12];
    const out = Math.max(x0, x1) + 30;
    return { forth: `M${x0} ${y0}C${out} ${y0} ${out} ${y1} ${x1} ${y1}`, back: `M${x1} ${y1}C${out} ${y1} ${out} ${y0} ${x0} ${y0}`, middle: [out, (y0 + y1) / 2] };
  }
  const points = [{ x: arrow.sourceX, y: from.y + HEIGHT / 2 }, ...arrow.points, { x: arrow.targetX, y: to.y - HEIGHT / 2 }];
  const curve = (list) => list.slice(1).reduce((path, { x, y }, i) => {
    const middle = (list[i].y + y) / 2;
    return `${path}C${list[i].x} ${middle} ${x} ${middle} ${x} ${y}`;
  }, `M${list[0].x} ${list[0].y}`);
  const { x, y } = points[Math.floor(points.length / 2)], before = points[Math.floor(points.length / 2) - 1];
  return { forth: curve(points), back: curve(points.toReversed()), middle: [(x + before.x) / 2, (y + before.y) / 2] };
}

// Draws everything anew and returns what changes from step to step.
function drawGraph(svg, data, opened, pick, toggle) {
  const { boxes, arrows, frames, width, height } = laidOut(data, opened);
  const stage = svg.parentElement;
  const room = Math.max(...arrows.filter((arrow) => arrow.later).map((arrow) => pathOf(arrow, boxes).middle[0] + 12), width);
  const scale = Math.max(Math.min(1, (stage.clientWidth - 4) / room), SMALLEST_SCALE);
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${room} ${height}`);
  Object.assign(svg.style, { width: `${room * scale}px`, height: `${height * scale}px` });
  const definitions = svgElement("defs", {}, svg);
  for (const [kind, size] of [["forth", 7], ["back", 7]]) {
    const marker = svgElement("marker", { id: `${svg.dataset.id}-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: size, markerHeight: size, markerUnits: "userSpaceOnUse", orient: "auto" }, definitions);
    svgElement("path", { d: "M0 0.5L8 4L0 7.5Z", fill: "context-stroke" }, marker);
  }
  for (const frame of frames) {
    const g = svgElement("g", { class: "frame", role: "button", tabindex: 0, "aria-expanded": true, "aria-label": `${frame.name}: close this box` }, svg);
    svgElement("rect", { x: frame.x - frame.width / 2, y: frame.y - frame.height / 2 - 4, width: frame.width, height: frame.height + 8, rx: 8 }, g);
    svgElement("text", { x: frame.x - frame.width / 2 + 9, y: frame.y - frame.height / 2 + 12 }, g, `− ${frame.name}`);
    press(g, () => toggle(frame.name));
  }
  for (const arrow of arrows) {
    const { forth, back, middle } = pathOf(arrow, boxes);
    arrow.forth = svgElement("path", { class: `arrow forth${arrow.later ? " later" : ""}`, d: forth, "marker-end": `url(#${svg.dataset.id}-forth)` }, svg);
    if (arrow.pairs.some((pair) => pair.every((name) => data.differentiated.has(name)))) {
      arrow.back = svgElement("path", { class: `arrow back${arrow.later ? " later" : ""}`, d: back, transform: "translate(8 0)", "marker-end": `url(#${svg.dataset.id}-back)` }, svg);
    }
    arrow.middle = middle;
  }
  for (const box of boxes.values()) drawBox(svg, box, pick, toggle);
  const labels = svgElement("g", { class: "labels", "aria-hidden": true }, svg);
  return { boxes, arrows, labels, scale };
}

function drawBox(svg, box, pick, toggle) {
  const [node] = box.lines;
  const kind = box.group ? "group" : node.kind;
  const g = svgElement("g", { class: `box ${kind}${box.lines.some((line) => line.wrong) ? " wrong" : ""}`, transform: `translate(${box.x} ${box.y})` }, svg);
  const rect = { x: -box.width / 2, y: -HEIGHT / 2, width: box.width, height: HEIGHT };
  if (box.group) svgElement("rect", { ...rect, x: rect.x + 4, y: rect.y + 4, class: "behind", rx: 6 }, g);
  svgElement("rect", { ...rect, rx: kind === "parameter" || kind === "input" ? HEIGHT / 2 : 6 }, g);
  svgElement("text", { y: -11, class: "name" }, g, box.texts[0]);
  svgElement("text", { y: 6, class: box.group ? "shape" : "value" }, g, box.texts[1]);
  if (!box.group) svgElement("text", { y: 6, class: "shape" }, g, node.shape);
  svgElement("text", { y: 22, class: box.group ? "shape" : "gradient" }, g, box.texts[2]);
  box.element = g;
  if (box.group) {
    Object.entries({ role: "button", tabindex: 0, "aria-expanded": false, "aria-label": `${box.name}, ${box.lines.length} lines: open this box` }).forEach((pair) => g.setAttribute(...pair));
    press(g, () => toggle(box.name));
  } else if (node.kind !== "input") {
    Object.entries({ role: "button", tabindex: 0, "aria-label": `${node.name}, ${node.shape}: what made its gradient` }).forEach((pair) => g.setAttribute(...pair));
    press(g, () => pick(node.name));
  }
}

function press(element, action) {
  element.addEventListener("click", action);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });
}
