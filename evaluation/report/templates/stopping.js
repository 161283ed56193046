// Stopping rules: accuracy against the mean number of candidates, a line a rule, a point a threshold.
function stopping() {
  const charts = data.runs.flatMap((run) => run.stopping.map((chart) => ({ ...chart,
    label: several ? `${run.name}: ${chart.label}` : chart.label })));
  const rules = [...new Map(charts.flatMap(({ series }) => series).map(({ rule, label }) => [rule, label]))];
  const looks = new Map(rules.map(([rule, label], index) => [rule, { key: rule, label,
    tone: rule === "fixed" ? "pass" : `run-${index % 8}`, dashed: rule === "fixed", shape: shapes[index % shapes.length] }]));
  const figures = charts.map(() => el("figure"));
  byId("stopping").append(...figures);
  const hidden = new Set();
  const redraw = () => {
    drawLegend("stopping-legend", [...looks.values()], hidden, redraw);
    charts.forEach(({ label, series }, i) => {
      const every = series.flatMap(({ points }) => points);
      drawChart(figures[i], { caption: label, domain: reach(every),
        axis: costAxis(every.map(({ at }) => at), "mean candidates per problem"),
        lines: series.filter(({ rule }) => !hidden.has(rule)).map(({ rule, points }) => ({ ...looks.get(rule),
          points: points.map((point) => ({ ...point, more: `${short(point.at)} candidates` })) })) });
    });
  };
  drawnToFit("stopping", redraw);
}
if (byId("stopping")) stopping();
