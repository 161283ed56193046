// Difficulty, calibration, over-optimisation.
function difficulty() {
  const ns = [...new Set(data.runs.flatMap((run) => run.difficulty.flatMap((panel) => panel.ns)))].sort((a, b) => a - b);
  let n = ns[ns.length - 1];
  const fifths = ["hardest", "2", "3", "4", "easiest"];
  const axis = { title: "fifth of the problems", ticks: fifths.map((name, i) => [i, name]), place: (i) => (i + 0.5) / 5,
    aria: "accuracy by difficulty" };
  const panelsOf = (run) => run.difficulty.map((panel) => ({ ...panel,
    series: panel.series.map((series) => ({ ...series, ns: panel.ns })) }));
  const redraw = chartSet("difficulty", panelsOf, (figure, { label }, drawn, every) => {
    // One mode alone has fewer candidates than both: its charts stop at the largest n it has.
    const at = Math.max(...every.flatMap(({ series }) => series.ns).filter((each) => each <= n));
    if (!Number.isFinite(at)) return unknown(figure, label);
    drawChart(figure, { caption: `${label}, n = ${at}`, axis, domain: [0, 1], lines: drawn.map((line, index) => {
      const { value, low, high, ns: own } = line.series, row = own.indexOf(at);
      if (row < 0) return { ...line, points: [] };
      return { ...line, whiskers: true, points: fifths.flatMap((_, i) => (value[row][i] === null ? [] : [{
        at: i, name: i === 0 ? "fifth 1, the hardest" : i === 4 ? "fifth 5, the easiest" : `fifth ${i + 1}`,
        value: value[row][i], low: low[row][i], high: high[row][i],
        // Beside each other, so that whiskers can be told apart.
        shift: 5 * (index - (drawn.length - 1) / 2),
      }])) };
    }) });
  });
  choices("difficulty-n", ns.map((each) => [String(each), String(each)]), String(n), (chosen) => { n = Number(chosen); redraw(); });
  drawnToFit("difficulty", redraw);
}

// For each run the share right in each bin of scores, and below it how many candidates the bin holds.
function calibration() {
  const scored = data.runs.map((run, index) => ({ ...run, index })).filter((run) => run.calibration.length);
  const figures = scored.map(() => el("figure"));
  byId("calibration").append(...figures);
  const axis = { title: "verifier's score", ticks: [0, 0.2, 0.4, 0.6, 0.8, 1].map((at) => [at, String(at)]), place: (at) => at,
    aria: "share of right candidates against the verifier's score" };
  drawnToFit("calibration", () => scored.forEach(({ name, index, calibration: bins }, i) => {
    const most = Math.max(...bins.map((bin) => bin[6]));
    const points = bins.map(([low, high, at, value, least, greatest, count]) => ({
      at, value, low: least, high: greatest, name: `scores ${low} to ${high}`, more: `${count.toLocaleString("en")} candidates` }));
    drawChart(figures[i], {
      caption: several ? name : "", axis, domain: [0, 1], height: 300, yTitle: "right (%)",
      lines: [{ ...runLook(index), label: "right", whiskers: true, points }],
      lead: (svg, x, y) => {
        for (const [low, high, , , , , count] of bins) {
          const share = 0.3 * count / most;
          svg.append(el("rect", { class: "count", x: x(low) + 1, width: x(high) - x(low) - 2, y: y(share), height: y(0) - y(share) }));
        }
        svg.append(el("line", { class: "ideal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }));
      },
    });
  }));
}

// Best-of-n against n under the ceiling: of one run beside the majority vote, else one line a run.
function overOptimisation() {
  const scored = data.runs.map((run, index) => ({ run, index })).filter(({ run }) => Object.keys(run.over).length);
  const mixes = [...new Map(scored.flatMap(({ run }) => run.panels.map(({ mix, label }) => [mix, label])))];
  const figures = mixes.map(() => el("figure"));
  byId("over").append(...figures);
  const linesOf = (mix) => scored.flatMap(({ run, index }) => {
    const panel = run.panels.find((each) => each.mix === mix);
    const of = (rule) => (panel?.series ?? []).filter((series) => series.rule === rule);
    const points = (series) => pointsOf(series).map((point, i) => ({ ...point,
      ring: series.rule === "best_of_n" && series.n[i] === run.over[mix] }));
    if (!several) return ["best_of_n", "majority", "pass"].flatMap((rule) => of(rule).map((series) => ({ ...ruleLook(rule), points: points(series) })));
    return [...of("best_of_n").map((series) => ({ ...runLook(index), points: points(series) })),
      ...of("pass").map((series) => ({ ...runLook(index), label: `${run.name}: pass@n`, key: `pass-${index}`, dashed: true, shape: null, points: points(series) }))];
  });
  const domain = reach(mixes.flatMap(([mix]) => linesOf(mix).flatMap(({ points }) => points)));
  const hidden = new Set();
  const redraw = () => {
    const looks = [...new Map(mixes.flatMap(([mix]) => linesOf(mix)).map((line) => [line.key, line])).values()];
    drawLegend("over-legend", looks, hidden, redraw);
    mixes.forEach(([mix, label], i) => {
      const every = linesOf(mix);
      drawChart(figures[i], { caption: label, domain, lines: every.filter(({ key }) => !hidden.has(key)),
        axis: candidatesAxis(every.flatMap(({ points }) => points.map(({ at }) => at)), mix) });
    });
  };
  drawnToFit("over", redraw);
}
if (byId("difficulty")) difficulty();
if (byId("calibration")) calibration();
if (byId("over")) overOptimisation();
