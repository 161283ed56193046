// Curves: one chart for each modes; its lines are the rules of a run, or one rule in every run.
// Drawn here rather than by a library: lines, bands and one logarithmic axis are less than a library's
// own size in every page, and take the page's colours, in light, dark and print.
const shapes = [
  "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z",
  "M-3-3h6v6h-6z",
  "M0-4.3L4.3 0L0 4.3L-4.3 0z",
  "M0-4.2L4.2 3.2H-4.2z",
  "M0 4.2L4.2-3.2H-4.2z",
  "M-3.6-1.2h2.4v-2.4h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4z",
];
const ruleOrder = Object.keys(data.labels);
const axisNames = {
  n: "candidates per problem, n",
  tokens: "generated tokens per problem",
  flops: "FLOPs per problem",
  seconds: "seconds per problem, as measured",
};
// `lines`: the number of the run whose rules are drawn, or "rule:NAME" for one rule in every run.
const chart = { axis: "n", lines: "0", hidden: new Set() };

// The lines of a chart: {key, label, tone (its colour), shape, series}.
function linesOf(mix) {
  const [kind, name] = chart.lines.split(":");
  if (kind === "rule") {
    return data.runs.flatMap((run, index) => {
      const panel = run.panels.find((each) => each.mix === mix);
      const series = panel?.series.find((each) => each.rule === name);
      return series ? [{ key: String(index), label: run.name, tone: `run-${index % 8}`,
        shape: shapes[index % shapes.length], series }] : [];
    });
  }
  const panel = data.runs[Number(kind)].panels.find((each) => each.mix === mix);
  return (panel?.series ?? []).map((series) => ({ key: series.rule, label: data.labels[series.rule],
    tone: series.rule, series,
    shape: series.rule === "pass" ? null : shapes[(ruleOrder.indexOf(series.rule) + 5) % shapes.length] }));
}

function short(x) {
  for (const [unit, size] of [["Y", 1e24], ["Z", 1e21], ["E", 1e18], ["P", 1e15], ["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (x >= size) return `${Number((x / size).toPrecision(3))}${unit}`;
  }
  return String(Number(x.toPrecision(3)));
}

// Where an axis from `low` to `high` has its ticks: at the numbers of candidates, else at 1, 2, 5 × 10^k.
function ticks(lines, low, high) {
  if (chart.axis === "n") return [...new Set(lines.flatMap(({ series }) => series.n))].sort((a, b) => a - b);
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const digit of [1, 2, 5]) found.push(digit * 10 ** power);
  }
  return found.filter((x) => x >= low * 0.999 && x <= high * 1.001);
}

function drawChart(figure, mix, label, domain) {
  const width = Math.max(figure.clientWidth, 240), height = 250;
  const left = 34, right = width - 10, top = 12, bottom = height - 38;
  const every = linesOf(mix).filter(({ series }) => series[chart.axis]);
  const lines = every.filter(({ key }) => !chart.hidden.has(key));
  figure.replaceChildren(el("figcaption", {}, label));
  if (!every.length) return;
  const all = every.flatMap(({ series }) => series[chart.axis]);
  const low = Math.min(...all), high = Math.max(...all), span = Math.max(Math.log(high / low), 1e-9);
  const x = (cost) => left + 8 + Math.log(cost / low) / span * (right - left - 16);
  const y = (v) => bottom - (v - domain[0]) / (domain[1] - domain[0]) * (bottom - top);
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `accuracy against ${axisNames[chart.axis]}, ${label}` });
  const step = domain[1] - domain[0] > 0.55 ? 0.2 : 0.1;
  for (let v = Math.ceil(domain[0] / step - 1e-9) * step; v < domain[1] + 1e-9; v += step) {
    svg.append(el("line", { class: "grid", x1: left, x2: right, y1: y(v), y2: y(v) }),
      el("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, String(Math.round(100 * v))));
  }
  let edge = -Infinity; // of the label before: labels that would overlap are left out
  for (const tick of ticks(every, low, high)) {
    const text = short(tick);
    if (x(tick) - 4 * text.length < edge) continue;
    edge = x(tick) + 4 * text.length + 4;
    svg.append(el("text", { x: x(tick), y: bottom + 17, "text-anchor": "middle" }, text));
  }
  const halves = chart.axis === "n" && mix === "both" ? " (half CoT, half PoT)" : "";
  svg.append(el("text", { x: (left + right) / 2, y: height - 5, "text-anchor": "middle" },
    axisNames[chart.axis] + halves));
  const points = (series, values) =>
    values.map((v, i) => `${x(series[chart.axis][i]).toFixed(1)} ${y(v).toFixed(1)}`);
  for (const { tone, series } of lines) {
    const outline = points(series, series.high).concat(points(series, series.low).reverse());
    svg.append(el("path", { class: `band ${tone}`, d: `M${outline.join("L")}z` }));
  }
  for (const { tone, shape, series } of lines) {
    const line = points(series, series.value);
    svg.append(el("path", { class: `curve ${tone}`, d: `M${line.join("L")}` }));
    for (const point of shape ? line : []) {
      svg.append(el("path", { class: `mark ${tone}`, d: shape, transform: `translate(${point})` }));
    }
  }
  figure.append(svg, pointer(svg, lines, x, width, top, bottom));
}

// The numbers at the place that the reader points at: every line at the n of the nearest point.
function pointer(svg, lines, x, width, top, bottom) {
  const cursor = el("line", { class: "cursor", y1: top, y2: bottom, visibility: "hidden" });
  svg.append(cursor);
  const tip = el("div", { class: "tip", hidden: "" });
  const spots = lines.flatMap(({ series }) => series.n.map((n, i) => ({ n, x: x(series[chart.axis][i]) })));
  svg.addEventListener("pointermove", (event) => {
    if (!spots.length) return;
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) * width / box.width;
    const near = spots.reduce((best, spot) => (Math.abs(spot.x - at) < Math.abs(best.x - at) ? spot : best));
    cursor.setAttribute("visibility", "visible");
    cursor.setAttribute("x1", near.x);
    cursor.setAttribute("x2", near.x);
    const rows = lines.map((line) => [line, line.series.n.indexOf(near.n)]).filter(([, i]) => i >= 0);
    rows.sort(([one, i], [other, j]) => other.series.value[j] - one.series.value[i]);
    tip.replaceChildren(el("b", {}, `n = ${near.n}`), el("table", {}, ...rows.map(([{ label, tone, series }, i]) =>
      el("tr", {}, el("th", {}, el("i", { class: `key ${tone}` }), label),
        el("td", {}, percent(series.value[i])),
        el("td", {}, el("small", {}, `[${percent(series.low[i])}, ${percent(series.high[i])}]`)),
        chart.axis === "n" ? null : el("td", {}, el("small", {}, short(series[chart.axis][i])))))));
    tip.hidden = false;
    const place = near.x / width * box.width;
    const room = box.width - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(place > box.width / 2
      ? place - tip.offsetWidth - 10 : place + 10, room))}px`;
  });
  svg.addEventListener("pointerleave", () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); });
  return tip;
}

function drawLegend(lines, redraw) {
  byId("legend").replaceChildren(...lines.map(({ key, label, tone, shape }) => {
    const sample = el("svg", { viewBox: "0 0 26 12" }, el("path", { class: `curve ${tone}`, d: "M1 6H25" }),
      shape ? el("path", { class: `mark ${tone}`, d: shape, transform: "translate(13 6)" }) : null);
    return el("button", { type: "button", "aria-pressed": String(!chart.hidden.has(key)), onclick: () => {
      if (!chart.hidden.delete(key)) chart.hidden.add(key);
      redraw();
    } }, sample, label);
  }));
}

function curves() {
  const mixes = [...new Map(data.runs.flatMap((run) => run.panels.map(({ mix, label }) => [mix, label])))];
  const every = data.runs.flatMap((run) => run.panels.flatMap(({ series }) => series));
  const rules = ruleOrder.filter((rule) => every.some((series) => series.rule === rule));
  const ends = every.flatMap(({ low, high }) => [...low, ...high]);
  const domain = [Math.floor(Math.min(...ends) * 10) / 10, Math.ceil(Math.max(...ends) * 10) / 10];
  if (domain[1] <= domain[0]) domain[1] = domain[0] + 0.1;
  const figures = mixes.map(() => el("figure"));
  byId("curves").append(...figures);
  const draw = () => {
    const lines = [...new Map(mixes.flatMap(([mix]) => linesOf(mix)).map((line) => [line.key, line])).values()];
    drawLegend(lines, draw);
    mixes.forEach(([mix, label], i) => drawChart(figures[i], mix, label, domain));
  };
  const axes = Object.keys(axisNames).filter((axis) => every.some((series) => series[axis]));
  choices("axis", axes.map((axis) => [axis, axisNames[axis]]), "n", (axis) => { chart.axis = axis; draw(); });
  const common = rules.includes("weighted") ? "weighted" : "majority";
  if (several) chart.lines = `rule:${common}`;
  choices("lines", several ? [
    ...rules.map((rule) => [`rule:${rule}`, `runs, by ${data.labels[rule]}`]),
    ...data.runs.map((run, index) => [String(index), `rules, in ${run.name}`]),
  ] : [], chart.lines, (lines) => { chart.lines = lines; chart.hidden.clear(); draw(); });
  draw();
  // Drawn anew for each width, so that the lettering keeps its size on a phone.
  let drawnFor = byId("curves").clientWidth;
  new ResizeObserver(() => {
    if (byId("curves").clientWidth === drawnFor) return;
    drawnFor = byId("curves").clientWidth;
    draw();
  }).observe(byId("curves"));
}
curves();
