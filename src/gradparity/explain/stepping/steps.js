// Steps through both passes of one figure. Everything that a step says stands in the page already: this shows one at a time.
const PACE = 1500;

function stepThrough(root) {
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  data.differentiated = new Set(data.nodes.filter((node) => node.gradient).map((node) => node.name));
  const find = (selector) => root.querySelector(selector);
  const svg = find(".stage svg"), stage = find(".stage"), scrub = find(".scrub"), play = find("[data-do=play]"), way = find(".way-back");
  const panels = [...root.querySelectorAll(".step")];
  const stepOf = (name, back) => data.steps.findIndex((step) => step.node === name && step.back === back);
  const groupsOf = new Map(data.nodes.map((node) => [node.name, node.groups]));
  const opened = new Set(data.open), visited = [];
  let chooseWeight = () => {};
  let at = 0, drawn = null, drawnFor = "", timer = 0;

  // A group is open while the step is within it, whatever else is open.
  function redraw() {
    const open = new Set([...opened, ...groupsOf.get(data.steps[at].node)]);
    const state = [...open].sort().join("\n") + stage.clientWidth;
    if (state === drawnFor) return;
    drawnFor = state;
    const focused = svg.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    drawn = drawGraph(svg, data, open, pick, toggle);
    if (focused) [...svg.querySelectorAll("[tabindex]")].find((e) => e.getAttribute("aria-label") === focused)?.focus();
  }

  function paint() {
    const { node: current, back, flow } = data.steps[at];
    const met = new Map(flow);
    for (const box of drawn.boxes.values()) {
      const reached = (backward) => box.lines.some((line) => { const i = stepOf(line.name, backward); return i >= 0 ? i <= at : !backward && line.kind !== "value"; });
      const own = box.lines.some((line) => line.name === current), meets = !own && box.lines.some((line) => met.has(line.name));
      for (const [name, on] of Object.entries({ current: own, meets, valued: reached(false), graded: reached(true), backwards: back })) box.element.classList.toggle(name, on);
    }
    drawn.labels.replaceChildren();
    for (const arrow of drawn.arrows) {
      const flows = (here, there) => arrow.pairs.some(([s, t]) => (here ? s === current && met.has(t) : t === current && met.has(s)));
      const gone = arrow.pairs.some(([s, t]) => data.differentiated.has(t) && stepOf(s, true) >= 0 && stepOf(s, true) <= at);
      arrow.forth.classList.toggle("flows", !back && flows(false));
      arrow.back?.classList.toggle("gone", gone);
      arrow.back?.classList.toggle("flows", back && flows(true));
      if (back && flows(true)) label(arrow, arrow.pairs.map(([, t]) => met.get(t)).find(Boolean));
    }
    const box = [...drawn.boxes.values()].find((found) => found.lines.some((line) => line.name === current));
    stage.scrollTo({ left: box.x * drawn.scale - stage.clientWidth / 2, top: box.y * drawn.scale - stage.clientHeight / 2, behavior: "smooth" });
  }

  function label(arrow, text) {
    if (text) svgElement("text", { x: arrow.middle[0] + 8, y: arrow.middle[1] + 4 }, drawn.labels, text);
  }

  function show(step) {
    at = Math.max(0, Math.min(step, data.steps.length - 1));
    panels.forEach((panel, i) => panel.classList.toggle("current", i === at));
    scrub.value = at;
    const { back } = data.steps[at], first = data.steps.findIndex((other) => other.back === back);
    const words = `${back ? "Backward" : "Forward"} ${at - first + 1} of ${data.steps.filter((other) => other.back === back).length}`;
    find(".where").textContent = words;
    find(".said").textContent = panels[at].dataset.say;
    scrub.setAttribute("aria-valuetext", panels[at].dataset.say);
    root.classList.toggle("at-backward", back);
    if (back) chooseWeight(data.steps[at].node);
    redraw();
    paint();
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    play.setAttribute("aria-label", "Play");
    play.classList.remove("playing");
  }

  function start() {
    if (at === data.steps.length - 1) show(0);
    play.setAttribute("aria-label", "Pause");
    play.classList.add("playing");
    timer = setInterval(() => { if (at < data.steps.length - 1) show(at + 1); else stop(); }, Number(root.dataset.pace) || PACE);
  }

  function go(step) {
    stop();
    visited.length = 0;
    way.hidden = true;
    show(step);
  }

  // From anywhere to what made a gradient, and back.
  function pick(name) {
    const back = stepOf(name, true), target = back >= 0 ? back : stepOf(name, false);
    if (target < 0 || target === at) return;
    stop();
    visited.push(at);
    way.hidden = false;
    show(target);
  }

  function goBack() {
    if (!visited.length) return;
    show(visited.pop());
    way.hidden = !visited.length;
  }

  function toggle(group) {
    if (opened.has(group)) opened.delete(group); else opened.add(group);
    if (!opened.has(group) && groupsOf.get(data.steps[at].node).includes(group)) {
      const outside = data.steps.findIndex((step, i) => i > at && !groupsOf.get(step.node).includes(group));
      return go(outside < 0 ? data.steps.length - 1 : outside);
    }
    redraw();
    paint();
  }

  const actions = { first: () => go(0), previous: () => go(at - 1), play: () => (timer ? stop() : start()), next: () => go(at + 1), last: () => go(data.steps.length - 1), back: goBack };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]"), link = event.target.closest("[data-go]");
    if (button) actions[button.dataset.do]();
    if (link) { event.preventDefault(); pick(link.dataset.go); }
  });
  scrub.addEventListener("input", () => go(Number(scrub.value)));
  root.addEventListener("keydown", (event) => {
    const action = { ArrowLeft: "previous", ArrowRight: "next", Home: "first", End: "last", Escape: "back", " ": "play" }[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, summary") || (event.key === " " && event.target.closest("button, a"))) return;
    event.preventDefault();
    actions[action]();
  });
  new ResizeObserver(() => { redraw(); paint(); }).observe(stage);
  scrub.max = data.steps.length - 1;
  scrub.style.setProperty("--turn", `${(100 * data.steps.findIndex((step) => step.back)) / (data.steps.length - 1)}%`);
  root.classList.add("live");
  if (data.weights.length) chooseWeight = showWeights(find(".weights"), data.weights, root);
  show(0);
}

for (const root of document.querySelectorAll(".gradparity-steps:not(.live)")) stepThrough(root);
