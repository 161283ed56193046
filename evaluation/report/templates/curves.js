// Accuracy against what it costs: candidates, tokens, FLOPs, seconds.
const halfOfEach = (mix) => (mix === "both" && data.halves ? " (half CoT, half PoT)" : "");

// The axis for numbers of candidates, whose ticks are `ns`.
function candidatesAxis(ns, mix) {
  const all = [...new Set(ns)].sort((a, b) => a - b);
  const low = all[0], span = Math.max(Math.log(all[all.length - 1] / low), 1e-9);
  return { title: data.axes.n + halfOfEach(mix), aria: "accuracy against candidates",
    ticks: all.map((n) => [n, short(n)]), place: (n) => Math.log(n / low) / span };
}

// A logarithmic axis for costs, with ticks at 1, 2, 5 × 10^k.
function costAxis(values, title) {
  const low = Math.min(...values), high = Math.max(...values);
  const span = Math.max(Math.log(high / low), 1e-9), ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const x of [1, 2, 5].map((digit) => digit * 10 ** power)) {
      if (x >= low * 0.999 && x <= high * 1.001) ticks.push([x, short(x)]);
    }
  }
  return { title, ticks, aria: `accuracy against ${title}`, place: (cost) => Math.log(cost / low) / span };
}

const pointsOf = (series, axis = "n") => series.n.map((n, i) => ({ at: series[axis][i], name: `n = ${n}`,
  value: series.value[i], low: series.low[i], high: series.high[i],
  more: axis === "n" ? "" : short(series[axis][i]) }));

function curves() {
  const all = data.runs.flatMap((run) => run.panels.flatMap(({ series }) => series));
  const domain = reach(all.flatMap((series) => pointsOf(series)));
  let axis = "n";
  const redraw = chartSet("curves", (run) => run.panels, (figure, { mix, label }, lines, every) => {
    const costed = every.filter(({ series }) => series[axis]);
    if (!costed.length) return unknown(figure, label);
    const values = costed.flatMap(({ series }) => series[axis]);
    drawChart(figure, {
      caption: label, domain,
      axis: axis === "n" ? candidatesAxis(values, mix) : costAxis(values, data.axes[axis]),
      lines: lines.filter(({ series }) => series[axis]).map((line) => ({ ...line, points: pointsOf(line.series, axis) })),
    });
  });
  const axes = Object.keys(data.axes).filter((name) => all.some((series) => series[name]));
  choices("axis", axes.map((name) => [name, data.axes[name]]), "n", (name) => { axis = name; redraw(); });
  drawnToFit("curves", redraw);
}
curves();
