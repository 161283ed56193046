// Charts: lines with bands or whiskers over one axis. Drawn here rather than by a library: this is less
// than a library's own size in every page, and takes the page's colours, in light, dark and print.
const shapes = [
  "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z",
  "M-3-3h6v6h-6z",
  "M0-4.3L4.3 0L0 4.3L-4.3 0z",
  "M0-4.2L4.2 3.2H-4.2z",
  "M0 4.2L4.2-3.2H-4.2z",
  "M-3.6-1.2h2.4v-2.4h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4z",
];
const ruleOrder = Object.keys(data.labels);

function short(x) {
  for (const [unit, size] of [["Y", 1e24], ["Z", 1e21], ["E", 1e18], ["P", 1e15], ["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (x >= size) return `${Number((x / size).toPrecision(3))}${unit}`;
  }
  return String(Number(x.toPrecision(3)));
}

// How a rule's line, or a run's, looks: {key, label, tone (its colour), shape (of its marks), dashed}.
const ruleLook = (rule) => ({ key: rule, label: data.labels[rule], tone: rule, dashed: rule === "pass",
  shape: rule === "pass" ? null : shapes[(ruleOrder.indexOf(rule) + 5) % shapes.length] });
const runLook = (index) => ({ key: `run-${index}`, label: data.runs[index].name, tone: `run-${index % 8}`,
  shape: shapes[index % shapes.length] });

// From what to what the accuracies of some points reach, in tenths.
function reach(points) {
  const ends = points.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]);
  const low = Math.floor(Math.min(...ends) * 10 + 1e-9) / 10, high = Math.ceil(Math.max(...ends) * 10 - 1e-9) / 10;
  return [low, Math.max(high, low + 0.1)];
}

// Draws `lines` into a figure, instead of what it holds.
// A line: its look and `points`, each {at, value, low, high, name, more}: values are fractions, points of
// one name belong together, `more` is a word of its own in the box of numbers; `whiskers` instead of a band.
// `axis`: {title, ticks: [[at, text], …], place: at -> 0 … 1}. `lead` is drawn below the lines.
function drawChart(figure, { caption, lines, axis, domain, yTitle, lead, height = 250 }) {
  const width = Math.max(figure.clientWidth, 240);
  const left = 34, right = width - 10, top = yTitle ? 26 : 12, bottom = height - 38;
  figure.replaceChildren(el("figcaption", {}, caption));
  const x = (at) => left + 8 + axis.place(at) * (right - left - 16);
  const y = (v) => bottom - (v - domain[0]) / (domain[1] - domain[0]) * (bottom - top);
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${axis.aria ?? axis.title}, ${caption}` });
  const step = domain[1] - domain[0] > 0.55 ? 0.2 : 0.1;
  for (let v = Math.ceil(domain[0] / step - 1e-9) * step; v < domain[1] + 1e-9; v += step) {
    svg.append(el("line", { class: "grid", x1: left, x2: right, y1: y(v), y2: y(v) }),
      el("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, String(Math.round(100 * v))));
  }
  if (yTitle) svg.append(el("text", { x: 0, y: 11 }, yTitle));
  let edge = -Infinity; // of the label before: labels that would overlap are left out
  for (const [tick, text] of axis.ticks) {
    if (x(tick) - 3 * text.length < edge) continue;
    edge = x(tick) + 3 * text.length + 6;
    svg.append(el("text", { x: x(tick), y: bottom + 17, "text-anchor": "middle" }, text));
  }
  svg.append(el("text", { x: (left + right) / 2, y: height - 5, "text-anchor": "middle" }, axis.title));
  lead?.(svg, x, y);
  const at = (point, value) => `${(x(point.at) + (point.shift ?? 0)).toFixed(1)} ${y(value).toFixed(1)}`;
  const known = (points) => points.filter(({ low, high }) => low !== null && high !== null);
  for (const { tone, points, whiskers } of lines) {
    const ends = known(points);
    if (whiskers) {
      for (const point of ends) svg.append(el("path", { class: `whiskers ${tone}`, d: `M${at(point, point.low)}L${at(point, point.high)}` }));
    } else if (ends.length) {
      const outline = ends.map((point) => at(point, point.high)).concat(ends.map((point) => at(point, point.low)).reverse());
      svg.append(el("path", { class: `band ${tone}`, d: `M${outline.join("L")}z` }));
    }
  }
  for (const { tone, shape, dashed, points } of lines) {
    const line = points.map((point) => at(point, point.value));
    svg.append(el("path", { class: `curve ${tone}${dashed ? " dashed" : ""}`, d: `M${line.join("L")}` }));
    for (const [i, place] of line.entries()) {
      if (shape) svg.append(el("path", { class: `mark ${tone}`, d: shape, transform: `translate(${place})` }));
      if (points[i].ring) svg.append(el("circle", { class: `ring ${tone}`, r: 7.5, transform: `translate(${place})` }));
    }
  }
  figure.append(svg, pointer(svg, lines, x, width, top, bottom));
}

// In place of a chart: this run has nothing to draw there.
function unknown(figure, caption) {
  figure.replaceChildren(el("figcaption", {}, caption), el("p", { class: "note" }, "not known"));
}

// The numbers at the place that the reader points at: every line at the nearest point's name.
function pointer(svg, lines, x, width, top, bottom) {
  const cursor = el("line", { class: "cursor", y1: top, y2: bottom, visibility: "hidden" });
  svg.append(cursor);
  const tip = el("div", { class: "tip", hidden: "" });
  const spots = lines.flatMap(({ points }) => points.map(({ name, at }) => ({ name, x: x(at) })));
  svg.addEventListener("pointermove", (event) => {
    if (!spots.length) return;
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) * width / box.width;
    const near = spots.reduce((best, spot) => (Math.abs(spot.x - at) < Math.abs(best.x - at) ? spot : best));
    cursor.setAttribute("visibility", "visible");
    cursor.setAttribute("x1", near.x);
    cursor.setAttribute("x2", near.x);
    const rows = lines.flatMap((line) => line.points.filter(({ name }) => name === near.name).map((point) => ({ line, point })));
    rows.sort((one, other) => other.point.value - one.point.value);
    tip.replaceChildren(el("b", {}, near.name), el("table", {}, ...rows.map(({ line, point }) =>
      el("tr", {}, el("th", {}, el("i", { class: `key ${line.tone}` }), line.label),
        el("td", {}, percent(point.value)),
        el("td", {}, point.low === null ? null : el("small", {}, `[${percent(point.low)}, ${percent(point.high)}]`)),
        point.more ? el("td", {}, el("small", {}, point.more)) : null))));
    tip.hidden = false;
    const place = near.x / width * box.width;
    const room = box.width - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(place > box.width / 2
      ? place - tip.offsetWidth - 10 : place + 10, room))}px`;
  });
  svg.addEventListener("pointerleave", () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); });
  return tip;
}

// A button for each line, pressed where it is drawn; `hidden` holds the keys of the others.
function drawLegend(id, looks, hidden, redraw) {
  byId(id).replaceChildren(...looks.map(({ key, label, tone, shape, dashed }) => {
    const sample = el("svg", { viewBox: "0 0 26 12" }, el("path", { class: `curve ${tone}${dashed ? " dashed" : ""}`, d: "M1 6H25" }),
      shape ? el("path", { class: `mark ${tone}`, d: shape, transform: "translate(13 6)" }) : null);
    return el("button", { type: "button", "aria-pressed": String(!hidden.has(key)), onclick: () => {
      if (!hidden.delete(key)) hidden.add(key);
      redraw();
    } }, sample, label);
  }));
}

// Charts of the rules of a run, or of one rule in every run, one for each modes, with their legend and
// the choice of what is drawn. `id` names the element they go into, and with it its `id-legend` and
// `id-lines`. `panelsOf(run)` gives [{mix, label, series: [{rule, …}]}]; `draw(figure, panel, lines, every)`
// draws lines, each a look with its `series`; `every` has the hidden ones too. Returns what draws anew.
function chartSet(id, panelsOf, draw) {
  const panels = data.runs.map(panelsOf);
  const mixes = [...new Map(panels.flat().map(({ mix, label }) => [mix, label]))];
  const there = new Set(panels.flat().flatMap(({ series }) => series.map(({ rule }) => rule)));
  const rules = ruleOrder.filter((rule) => there.has(rule));
  const onRequest = () => new Set(data.runs[0].onRequest);
  let shown = several ? `rule:${rules.includes("weighted") ? "weighted" : "majority"}` : "0";
  let hidden = several ? new Set() : onRequest();
  const linesOf = (mix) => {
    const [kind, name] = shown.split(":");
    const seriesOf = (run) => panels[run].find((panel) => panel.mix === mix)?.series ?? [];
    if (kind !== "rule") return seriesOf(Number(kind)).map((series) => ({ ...ruleLook(series.rule), series }));
    return data.runs.flatMap((_, run) => seriesOf(run).filter(({ rule }) => rule === name)
      .map((series) => ({ ...runLook(run), series })));
  };
  const figures = mixes.map(() => el("figure"));
  byId(id).append(...figures);
  const redraw = () => {
    const looks = [...new Map(mixes.flatMap(([mix]) => linesOf(mix)).map((line) => [line.key, line])).values()];
    drawLegend(`${id}-legend`, looks, hidden, redraw);
    mixes.forEach(([mix, label], i) => {
      const every = linesOf(mix);
      draw(figures[i], { mix, label }, every.filter(({ key }) => !hidden.has(key)), every);
    });
  };
  choices(`${id}-lines`, several ? [
    ...rules.map((rule) => [`rule:${rule}`, `runs, by ${data.labels[rule]}`]),
    ...data.runs.map((run, index) => [String(index), `rules, in ${run.name}`]),
  ] : [], shown, (chosen) => {
    shown = chosen;
    hidden = chosen.startsWith("rule:") ? new Set() : onRequest();
    redraw();
  });
  return redraw;
}

// Draws, and again for each width, so that the lettering keeps its size on a phone.
function drawnToFit(id, redraw) {
  redraw();
  let drawnFor = byId(id).clientWidth;
  new ResizeObserver(() => {
    if (byId(id).clientWidth === drawnFor) return;
    drawnFor = byId(id).clientWidth;
    redraw();
  }).observe(byId(id));
}
