"use strict";
// The page's behaviour. All texts come from models and data sets: they are only ever set as text,
// never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  function el(tag, attributes = {}, ...children) {
    const svg = ["svg", "g", "path", "line", "text", "rect", "circle"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const percent = (x) => (100 * x).toFixed(1);

  // Theme: the reader's system decides (in the head, before anything is drawn) until the button is
  // pressed. Paper is white, and nobody can open what is folded there.
  const root = document.documentElement;
  const setTheme = (dark) => { root.dataset.theme = dark ? "dark" : "light"; };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches));
  byId("theme").addEventListener("click", () => setTheme(root.dataset.theme !== "dark"));
  let onScreen = root.dataset.theme;
  addEventListener("beforeprint", () => {
    onScreen = root.dataset.theme;
    setTheme(false);
    for (const folded of document.querySelectorAll("details")) folded.open = true;
  });
  addEventListener("afterprint", () => { root.dataset.theme = onScreen; });

  // Curves
  const hidden = new Set();
  const shapes = {
    majority: "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z",
    best_of_n: "M-3-3h6v6h-6z",
    weighted: "M0-4.3L4.3 0L0 4.3L-4.3 0z",
    top_k: "M0-4.2L4.2 3.2H-4.2z",
  };

  function drawPanel(figure, panel, domain) {
    const width = Math.max(figure.clientWidth, 240), height = 250;
    const left = 34, right = width - 10, top = 12, bottom = height - 38;
    const logs = panel.ns.map(Math.log2), span = Math.max(logs.at(-1) - logs[0], 1e-9);
    const x = (n) => left + 8 + (Math.log2(n) - logs[0]) / span * (right - left - 16);
    const y = (v) => bottom - (v - domain[0]) / (domain[1] - domain[0]) * (bottom - top);
    const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `accuracy against n, ${panel.label}` });
    const step = domain[1] - domain[0] > 0.55 ? 0.2 : 0.1;
    for (let v = domain[0]; v < domain[1] + 1e-9; v += step) {
      svg.append(el("line", { class: "grid", x1: left, x2: right, y1: y(v), y2: y(v) }),
        el("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, String(Math.round(100 * v))));
    }
    let edge = -Infinity; // of the label before: labels that would overlap are left out
    for (const n of panel.ns) {
      if (x(n) - 4 * String(n).length < edge) continue;
      edge = x(n) + 4 * String(n).length + 4;
      svg.append(el("text", { x: x(n), y: bottom + 17, "text-anchor": "middle" }, String(n)));
    }
    svg.append(el("text", { x: (left + right) / 2, y: height - 5, "text-anchor": "middle" }, panel.axis));
    const shown = panel.series.filter((series) => !hidden.has(series.rule));
    const points = (values) => values.map((v, i) => `${x(panel.ns[i]).toFixed(1)} ${y(v).toFixed(1)}`);
    for (const series of shown) {
      const outline = points(series.high).concat(points(series.low).reverse());
      svg.append(el("path", { class: `band ${series.rule}`, d: `M${outline.join("L")}z` }));
    }
    for (const series of shown) {
      svg.append(el("path", { class: `curve ${series.rule}`, d: `M${points(series.value).join("L")}` }));
      if (shapes[series.rule]) {
        for (const point of points(series.value)) {
          svg.append(el("path", { class: `mark ${series.rule}`, d: shapes[series.rule],
            transform: `translate(${point})` }));
        }
      }
    }
    const cursor = el("line", { class: "cursor", y1: top, y2: bottom, visibility: "hidden" });
    svg.append(cursor);
    const tip = el("div", { class: "tip", hidden: "" });
    const leave = () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = (event.clientX - box.left) * width / box.width;
      const i = panel.ns.reduce((best, n, j) =>
        Math.abs(x(n) - at) < Math.abs(x(panel.ns[best]) - at) ? j : best, 0);
      cursor.setAttribute("visibility", "visible");
      cursor.setAttribute("x1", x(panel.ns[i]));
      cursor.setAttribute("x2", x(panel.ns[i]));
      const rows = [...shown].sort((a, b) => b.value[i] - a.value[i]).map((series) => el("tr", {},
        el("th", {}, el("i", { class: `key ${series.rule}` }), series.label),
        el("td", {}, percent(series.value[i])),
        el("td", {}, el("small", {}, `[${percent(series.low[i])}, ${percent(series.high[i])}]`))));
      tip.replaceChildren(el("b", {}, `n = ${panel.ns[i]}`), el("table", {}, ...rows));
      tip.hidden = false;
      const place = x(panel.ns[i]) / width * box.width;
      const room = box.width - tip.offsetWidth;
      tip.style.left = `${Math.max(0, Math.min(place > box.width / 2
        ? place - tip.offsetWidth - 10 : place + 10, room))}px`;
    });
    svg.addEventListener("pointerleave", leave);
    figure.replaceChildren(el("figcaption", {}, panel.label), svg, tip);
  }

  const lows = data.panels.flatMap((p) => p.series.flatMap((s) => s.low));
  const highs = data.panels.flatMap((p) => p.series.flatMap((s) => s.high));
  const domain = [Math.floor(Math.min(...lows) * 10) / 10, Math.ceil(Math.max(...highs) * 10) / 10];
  if (domain[1] <= domain[0]) domain[1] = domain[0] + 0.1;
  const figures = data.panels.map(() => el("figure"));
  byId("curves").append(...figures);
  const drawAll = () => data.panels.forEach((panel, i) => drawPanel(figures[i], panel, domain));
  drawAll();
  // Drawn anew for each width, so that the lettering keeps its size on a phone.
  let drawnFor = byId("curves").clientWidth;
  new ResizeObserver(() => {
    if (byId("curves").clientWidth === drawnFor) return;
    drawnFor = byId("curves").clientWidth;
    drawAll();
  }).observe(byId("curves"));
  for (const { rule, label } of data.panels[0].series) {
    const line = el("svg", { viewBox: "0 0 26 12" },
      el("path", { class: `curve ${rule}`, d: "M1 6H25" }),
      shapes[rule] ? el("path", { class: `mark ${rule}`, d: shapes[rule], transform: "translate(13 6)" }) : null);
    byId("legend").append(el("button", { type: "button", "aria-pressed": "true", onclick: (event) => {
      const button = event.currentTarget;
      if (hidden.delete(rule)) button.setAttribute("aria-pressed", "true");
      else { hidden.add(rule); button.setAttribute("aria-pressed", "false"); }
      drawAll();
    } }, line, label));
  }

  // Problems
  if (!data.problems.length) return;
  const STEP = 60;
  const state = { filter: "all", text: "", sort: "given", rule: data.rules.at(-1).rule, shown: STEP };
  if (data.rules.some(({ rule }) => rule === "weighted")) state.rule = "weighted";
  const verified = data.rules.length > 1;
  const mark = (right) => (right === null ? "?" : right ? "✓" : "✗");
  const tone = (right) => (right === null ? "unknown" : right ? "yes" : "no");
  const label = (rule) => data.rules.find((each) => each.rule === rule).label;

  const filters = [
    ["all", "all", () => true],
    ["wrong", "wrong", (p) => !p.right[state.rule]],
    ["nobody", "no candidate right", (p) => p.share === 0],
    ["vote", "vote right, most candidates wrong", (p) => p.right.majority && p.share < 0.5],
    ...(verified ? [
      ["gained", "verifier right, majority wrong", (p) => p.right[state.rule] && !p.right.majority],
      ["lost", "verifier wrong, majority right", (p) => !p.right[state.rule] && p.right.majority],
    ] : []),
  ];
  const sorts = {
    given: (a, b) => a.index - b.index,
    hard: (a, b) => a.share - b.share || a.index - b.index,
    easy: (a, b) => b.share - a.share || a.index - b.index,
    split: (a, b) => a.agreed - b.agreed || a.index - b.index,
  };
  data.problems.forEach((problem, index) => {
    problem.index = index;
    problem.haystack = `${problem.id}\n${problem.question}\n${problem.answer ?? ""}`.toLowerCase();
  });

  function refresh() {
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = data.problems.filter((p) => words.every((word) => p.haystack.includes(word)));
    byId("filters").replaceChildren(...filters.map(([name, text, test]) => el("button", {
      type: "button", "data-filter": name, "aria-pressed": String(name === state.filter),
      onclick: () => { state.filter = name; state.shown = STEP; refresh(); },
    }, text, el("small", {}, String(matching.filter(test).length)))));
    const test = filters.find(([name]) => name === state.filter)[2];
    const kept = matching.filter(test).sort(sorts[state.sort]);
    byId("list").replaceChildren(...kept.slice(0, state.shown).map(row));
    byId("more").hidden = kept.length <= state.shown;
    byId("found").textContent = kept.length === data.problems.length ? ""
      : `${kept.length} of ${data.problems.length} problems`;
  }

  function verdict(rule, right) {
    return el("span", { class: `verdict ${tone(right)}` }, `${label(rule)} ${mark(right)}`);
  }

  function row(problem) {
    const button = el("button", { type: "button", "aria-expanded": "false", onclick: () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) button.nextSibling.remove();
      else button.after(detail(problem));
    } },
    el("span", { class: "rate" },
      el("span", { class: "meter" }, el("i", { style: `width:${100 * problem.share}%` })),
      `${Math.round(100 * problem.share)} % right`),
    el("span", { class: "snippet" }, problem.question),
    el("span", { class: "verdicts" }, verdict("majority", problem.right.majority),
      verified ? verdict(state.rule, problem.right[state.rule]) : null));
    return el("article", { class: "problem" }, button);
  }

  function detail(problem) {
    // Read only now: the candidates of one problem are parsed when a reader asks for them.
    const { candidates, chosen } = JSON.parse(byId(`problem-${problem.index}`).textContent);
    const verdicts = data.rules.map(({ rule }) => {
      const index = chosen[rule];
      const answer = index === undefined || index < 0 ? "none" : candidates[index].answer;
      return el("span", { class: tone(problem.right[rule]) },
        `${label(rule)}: `, el("span", { class: "answer" }, answer), ` ${mark(problem.right[rule])}`);
    });
    const valued = candidates.some((candidate) => candidate.values);
    const cards = el("div", { class: "cards" });
    const heading = el("h4", {});
    const more = el("button", { type: "button", class: "wide" }, "show all");
    let picked = null, all = false;
    const show = () => {
      const kept = candidates.filter((c) => picked === null || c.class === picked);
      const first = all ? kept : kept.slice(0, 6);
      heading.replaceChildren(picked === null ? "Candidates, best first" : "Candidates with this answer");
      if (valued) {
        heading.append(" · verifier's value at each token: 0", el("span", { class: "ramp" }), "1");
      }
      cards.replaceChildren(...first.map(card));
      more.hidden = first.length === kept.length;
      more.textContent = `show all ${kept.length}`;
    };
    more.addEventListener("click", () => { all = true; show(); });
    const classes = answerClasses(candidates, (answerClass) => {
      picked = picked === answerClass ? null : answerClass;
      all = false;
      show();
    });
    show();
    return el("div", { class: "detail" },
      el("p", { class: "question" }, problem.question),
      el("p", { class: "pair" }, el("span", {}, "reference answer: ",
        el("b", { class: "answer" }, problem.answer ?? "unknown")), el("small", {}, problem.id)),
      el("p", { class: "pair" }, ...verdicts),
      el("h4", {}, "Answers ", el("small", {},
        el("i", { class: "swatch", style: "background:var(--majority)" }), "CoT ",
        el("i", { class: "swatch", style: "background:var(--best_of_n)" }), "PoT · choose one to see its candidates")),
      classes, heading, cards, more);
  }

  function answerClasses(candidates, choose) {
    const groups = new Map();
    for (const candidate of candidates) {
      if (!groups.has(candidate.class)) {
        groups.set(candidate.class, { answer: candidate.answer, label: candidate.label, cot: 0, pot: 0, sum: 0, scored: 0 });
      }
      const group = groups.get(candidate.class), times = candidate.samples.length;
      group[candidate.mode] += times;
      if (candidate.score !== null) { group.sum += candidate.score * times; group.scored += times; }
    }
    const ordered = [...groups].sort(([a, one], [b, other]) =>
      (a < 0) - (b < 0) || other.cot + other.pot - one.cot - one.pot);
    const most = Math.max(...ordered.map(([, group]) => group.cot + group.pot));
    const scored = ordered.some(([, group]) => group.scored);
    const grid = el("div", { class: "classes" },
      ...["answer", "", "votes", scored ? "mean score" : ""].map((text) => el("span", { class: "head" }, text)));
    for (const [answerClass, group] of ordered) {
      const votes = group.cot + group.pot, mean = group.scored ? group.sum / group.scored : null;
      const share = (count) => `width:${100 * count / most}%`;
      grid.append(
        el("button", { type: "button", class: "answer", onclick: () => choose(answerClass) },
          answerClass < 0 ? "no answer" : group.answer),
        el("span", { class: tone(group.label) }, answerClass < 0 ? "" : mark(group.label)),
        el("span", { class: "bar" }, el("span", {}, el("i", { class: "cot", style: share(group.cot) }),
          el("i", { class: "pot", style: share(group.pot) })), el("b", {}, String(votes))),
        mean === null ? el("span") : el("span", { class: "bar" }, el("span", {},
          el("i", { class: "score", style: `width:${100 * Math.max(0, Math.min(1, mean))}%` })),
        el("b", {}, mean.toFixed(2))));
    }
    return grid;
  }

  function card(candidate) {
    const times = candidate.samples.length;
    const facts = [
      el("b", {}, candidate.mode === "cot" ? "CoT" : "PoT"),
      candidate.origin ? el("span", {}, candidate.origin) : null,
      el("span", { class: tone(candidate.label) }, candidate.answer === null ? "no answer"
        : `${candidate.answer} ${mark(candidate.label)}`),
      candidate.score === null ? null : el("span", {}, `score ${candidate.score.toFixed(3)}`),
      el("small", {}, times > 1 ? `sampled ${times} times` : `sample ${candidate.samples[0]}`),
    ];
    const told = candidate.outcome && candidate.outcome !== "ok"
      ? el("pre", { class: "fail" }, candidate.message || candidate.outcome.replace("_", " "))
      : candidate.output ? el("pre", { class: "out" }, candidate.output.trimEnd()) : null;
    return el("section", { class: "candidate" }, el("header", {}, ...facts), solution(candidate), told);
  }

  // pieces: lengths of the tokens' texts in order; a negative one is text that no token covers.
  function solution({ text, pieces, values }) {
    const pre = el("pre");
    if (!values) { pre.append(text); return pre; }
    let at = 0, token = 0;
    for (const length of pieces) {
      const part = text.slice(at, at + Math.abs(length));
      at += Math.abs(length);
      if (length < 0) { pre.append(part); continue; }
      const value = values[token++] / 100;
      pre.append(el("span", { class: "t", title: value.toFixed(2),
        style: `--v:${Math.max(0, Math.min(1, value))}` }, part));
    }
    pre.append(text.slice(at));
    return pre;
  }

  byId("rule-choice").hidden = !verified;
  for (const { rule, label: text } of data.rules) {
    if (rule !== "majority") byId("rule").append(el("option", { value: rule }, text));
  }
  byId("rule").value = state.rule;
  byId("rule").addEventListener("change", (event) => { state.rule = event.target.value; refresh(); });
  byId("sort").addEventListener("change", (event) => { state.sort = event.target.value; refresh(); });
  byId("search").addEventListener("input", (event) => {
    state.text = event.target.value;
    state.shown = STEP;
    refresh();
  });
  byId("more").addEventListener("click", () => { state.shown += STEP; refresh(); });
  refresh();
})();
