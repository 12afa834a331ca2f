// The loss along one weight: the curve, the tangent, the secant of a step h, and how far the secant's slope is off.
// Returns what chooses a weight by name, where there is a curve for it.
const WIDE = 420, TALL = 230, LEFT = 52, BOTTOM = 34, TOP = 16, RIGHT = 12;

function superscript(number) {
  return [...String(number)].map((letter) => (letter === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[letter])).join("");
}

function written(x, digits = 6) {
  const size = Math.abs(x), plain = x === 0 || (size >= 1e-4 && size < 1e6);
  const [mantissa, exponent] = (plain ? String(Number(x.toPrecision(digits))) : x.toExponential(digits - 1)).split("e");
  return mantissa.replace("-", "−") + (exponent ? `×10${superscript(Number(exponent))}` : "");
}

function axes(svg, x, y, names) {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${WIDE} ${TALL}`);
  const place = {
    x: (value) => LEFT + ((value - x[0]) / (x[1] - x[0])) * (WIDE - LEFT - RIGHT),
    y: (value) => TALL - BOTTOM - ((value - y[0]) / (y[1] - y[0])) * (TALL - BOTTOM - TOP),
  };
  for (const value of names.xTicks) {
    svgElement("line", { class: "grid", x1: place.x(value), x2: place.x(value), y1: TOP, y2: TALL - BOTTOM }, svg);
    svgElement("text", { x: place.x(value), y: TALL - BOTTOM + 15, "text-anchor": "middle" }, svg, names.tick(value));
  }
  for (const value of names.yTicks) {
    svgElement("line", { class: "grid", x1: LEFT, x2: WIDE - RIGHT, y1: place.y(value), y2: place.y(value) }, svg);
    svgElement("text", { x: LEFT - 6, y: place.y(value) + 4, "text-anchor": "end" }, svg, names.tick(value));
  }
  svgElement("text", { x: (LEFT + WIDE) / 2, y: TALL - 4, "text-anchor": "middle" }, svg, names.x);
  svgElement("text", { x: LEFT, y: 10, "text-anchor": "start" }, svg, names.y);
  return place;
}

function line(svg, place, xs, ys, name) {
  const kept = xs.map((x, i) => [place.x(x), place.y(ys[i])]).filter((point) => point.every(Number.isFinite));
  return svgElement("polyline", { class: name, points: kept.map((point) => point.map((value) => value.toFixed(1)).join()).join(" ") }, svg);
}

function ticks([low, high], count) {
  const rough = (high - low) / count, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((candidate) => candidate >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Math.abs(value) < step / 1e6 ? 0 : value);
  return found;
}

function showWeights(section, weights, root) {
  const find = (name) => section.querySelector(`.${name}`);
  const [curve, error] = [find("curve"), find("error")];
  const [which, move, size] = [find("which"), find("move"), find("size")];
  section.classList.add("live");
  move.max = weights[0].weights.length - 1;
  size.max = weights[0].steps.length - 1;

  function draw() {
    const w = weights[which.value], moved = w.weights[move.value], loss = w.losses[move.value], i = Number(size.value), h = w.steps[i];
    const tangent = (x) => w.loss + w.gradient * (x - w.value), secant = (x) => w.loss + w.forward[i] * (x - w.value);
    drawCurve(w, moved, loss, h, tangent, secant);
    drawError(w, i);
    find("moved").textContent = written(moved, 4);
    find("h").textContent = written(h, 2);
    const gap = loss - tangent(moved);
    find("read-curve").textContent = `At w = ${written(moved, 4)} the loss is ${written(loss)}; the tangent says ${written(tangent(moved))}` + (gap ? `, ${written(Math.abs(gap), 2)} ${gap > 0 ? "too little" : "too much"}.` : ".");
    find("read-error").textContent = `The gradient is ${written(w.gradient)}. With h = ${written(h, 2)}, (L(w+h) − L(w−h)) / 2h is ${written(w.central[i])}, off by ${written(Math.abs(w.central[i] - w.gradient), 2)}; (L(w+h) − L(w)) / h is ${written(w.forward[i])}, off by ${written(Math.abs(w.forward[i] - w.gradient), 2)}.`;
  }

  function drawCurve(w, moved, loss, h, tangent, secant) {
    const x = [w.weights[0], w.weights.at(-1)], low = Math.min(...w.losses), high = Math.max(...w.losses), margin = 0.12 * (high - low) || 1;
    const y = [low - margin, high + margin];
    const place = axes(curve, x, y, { x: `${w.label}`, y: "loss", xTicks: ticks(x, 4), yTicks: ticks(y, 4), tick: (value) => written(value, 3) });
    const clip = svgElement("clipPath", { id: `${root.id}-clip` }, curve);
    svgElement("rect", { x: LEFT, y: TOP, width: WIDE - LEFT - RIGHT, height: TALL - TOP - BOTTOM }, clip);
    const inside = svgElement("g", { "clip-path": `url(#${root.id}-clip)` }, curve);
    line(inside, place, w.weights, w.losses, "loss");
    line(inside, place, x, x.map(secant), "secant");
    line(inside, place, x, x.map(tangent), "tangent");
    if (w.value + h <= x[1]) for (const at of [w.value, w.value + h]) svgElement("circle", { class: "secant", cx: place.x(at), cy: place.y(secant(at)), r: 3 }, inside);
    svgElement("line", { class: "gap", x1: place.x(moved), x2: place.x(moved), y1: place.y(loss), y2: place.y(tangent(moved)) }, inside);
    svgElement("circle", { class: "here", cx: place.x(moved), cy: place.y(loss), r: 5 }, inside);
  }

  function drawError(w, i) {
    const exponents = w.steps.map(Math.log10);
    const off = (quotients) => quotients.map((quotient) => Math.log10(Math.max(Math.abs(quotient - w.gradient), 1e-17)));
    const [central, forward] = [off(w.central), off(w.forward)];
    const all = [...central, ...forward];
    const x = [Math.min(...exponents) - 0.3, Math.max(...exponents) + 0.3], low = Math.floor(Math.min(...all));
    // Along a weight that does nothing every quotient is exact.
    const y = [low, Math.max(Math.ceil(Math.max(...all)), low + 1)];
    const even = (range, step) => ticks(range, 20).filter((value) => Number.isInteger(value) && value % step === 0);
    const place = axes(error, x, y, { x: "step h", y: "error of the difference quotient", xTicks: even(x, 3), yTicks: even(y, 3), tick: (value) => (value ? `10${superscript(value)}` : "1") });
    line(error, place, exponents, forward, "forward");
    line(error, place, exponents, central, "central");
    for (const [name, series] of [["forward", forward], ["central", central]]) svgElement("circle", { class: name, cx: place.x(exponents[i]), cy: place.y(series[i]), r: 5 }, error);
  }

  function start() {
    move.value = Math.round((move.max * 3) / 4);
    draw();
  }

  which.addEventListener("change", start);
  for (const input of [move, size]) input.addEventListener("input", draw);
  size.value = 1;
  start();
  return (name) => {
    const found = weights.findIndex((weight) => weight.name === name);
    if (found < 0 || found === Number(which.value)) return;
    which.value = found;
    start();
  };
}
