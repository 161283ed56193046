// The list of problems, and the details of those that are opened.
const STEP = 60, ANSWERS = 10; // problems and answers that are shown at first
const state = { run: 0, other: 0, rule: "majority", filter: "all", text: "", sort: "given", shown: STEP };
const mark = (right) => ({ 1: "✓", 0: "✗" }[right] ?? "?");
const tone = (right) => ({ 1: "yes", 0: "no" }[right] ?? "unknown");
const digit = (label) => (label === null ? "?" : label ? "1" : "0");

// Every run's problems: {index (of all), local (of the run's), id, question, answer, share, agreed, right(rule)}.
const lists = data.runs.map((run) => run.places.map((index, local) => {
  const [id, question, answer] = data.problems[index];
  return { index, local, id, question, answer, share: run.share[local], agreed: run.agreed[local],
    right: (rule) => run.right[rule]?.[local], haystack: `${id}\n${question}\n${answer ?? ""}`.toLowerCase() };
}));
const byIndex = lists.map((list) => new Map(list.map((problem) => [problem.index, problem])));
const verified = () => data.runs[state.run].rules.length > 1;

// Details: blocks of packed texts, each {candidates, chosen, classes, shown, total, scale}.
const blocks = new Map();
window.assayBlock = (key, texts) => blocks.set(key, texts);

function block(key) {
  if (!data.folder && !blocks.has(key)) blocks.set(key, JSON.parse(byId(`block-${key}`).textContent));
  if (blocks.has(key)) return Promise.resolve(blocks.get(key));
  const src = `${data.folder}/problems-${key}.js`;
  return new Promise((resolve, reject) => {
    document.head.append(el("script", { src, onload: () => resolve(blocks.get(key)),
      onerror: () => reject(new Error(`${src} is missing: the page and its folder ${data.folder} belong together`)) }));
  });
}

async function details(run, local) {
  const starts = data.runs[run].starts;
  const number = starts.findLastIndex((start) => start <= local);
  const text = (await block(`${run}-${number}`))[local - starts[number]];
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// The list

function filters() {
  const vote = (p) => p.right("majority") === "1", ruled = (p) => p.right(state.rule) === "1";
  const there = (p) => {
    const other = byIndex[state.other].get(p.index);
    return other && other.right(data.runs[state.other].right[state.rule] ? state.rule : "majority") === "1";
  };
  const other = data.runs[state.other].name;
  return [
    ["all", "all", () => true],
    ...(verified() ? [
      ["both", "solved by both", (p) => vote(p) && ruled(p)],
      ["vote", "by vote only", (p) => vote(p) && !ruled(p)],
      ["verifier", "by verifier only", (p) => !vote(p) && ruled(p)],
      ["neither", "by neither", (p) => !vote(p) && !ruled(p)],
    ] : [
      ["vote", "solved by vote", vote],
      ["neither", "not solved", (p) => !vote(p)],
    ]),
    ["nobody", "no candidate right", (p) => p.share === 0],
    ...(several && state.other !== state.run ? [
      ["gained", `solved here, not in ${other}`, (p) => byIndex[state.other].has(p.index) && ruled(p) && !there(p)],
      ["lost", `solved in ${other}, not here`, (p) => !ruled(p) && there(p)],
    ] : []),
  ];
}

const sorts = {
  given: (a, b) => a.local - b.local,
  id: (a, b) => a.id.localeCompare(b.id, undefined, { numeric: true }),
  hard: (a, b) => a.share - b.share || a.local - b.local,
  easy: (a, b) => b.share - a.share || a.local - b.local,
  split: (a, b) => a.agreed - b.agreed || a.local - b.local,
};

function refresh() {
  const list = lists[state.run], words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = list.filter((p) => words.every((word) => p.haystack.includes(word)));
  const known = filters();
  const [, , test] = known.find(([name]) => name === state.filter) ?? known[0];
  byId("filters").replaceChildren(...known.map(([name, text, counts]) => el("button", {
    type: "button", "data-filter": name, "aria-pressed": String(counts === test),
    onclick: () => { state.filter = name; state.shown = STEP; refresh(); },
  }, text, el("small", {}, String(matching.filter(counts).length)))));
  const kept = matching.filter(test).sort(sorts[state.sort]);
  byId("list").replaceChildren(...kept.slice(0, state.shown).map(row));
  byId("more").hidden = kept.length <= state.shown;
  byId("found").textContent = kept.length === list.length ? "" : `${kept.length} of ${list.length} problems`;
  return kept;
}

function row(problem) {
  const verdict = (rule) => el("span", { class: `verdict ${tone(problem.right(rule))}` },
    `${data.labels[rule]} ${mark(problem.right(rule))}`);
  const article = el("article", { class: "problem", "data-id": problem.id });
  const button = el("button", { type: "button", "aria-expanded": "false",
    onclick: () => (article.classList.contains("open") ? close(article) : open(article, problem)) },
  el("span", { class: "rate" },
    el("span", { class: "meter" }, el("i", { style: `width:${100 * problem.share}%` })),
    `${Math.round(100 * problem.share)} % right`),
  el("span", { class: "snippet" }, problem.question),
  el("span", { class: "verdicts" }, verdict("majority"), verified() ? verdict(state.rule) : null));
  article.append(button);
  return article;
}

function close(article) {
  article.classList.remove("open");
  article.firstChild.setAttribute("aria-expanded", "false");
  article.lastChild.remove();
}

function open(article, problem) {
  article.classList.add("open");
  article.firstChild.setAttribute("aria-expanded", "true");
  const place = el("div", { class: "detail" });
  article.append(place);
  fill(place, state.run, problem);
}

// One run's view of a problem; with several runs, buttons for those that hold it.
async function fill(place, run, problem) {
  const holders = data.runs.map((_, index) => index).filter((index) => byIndex[index].has(problem.index));
  const tabs = holders.length < 2 ? null : el("div", { class: "filters", role: "group", "aria-label": "runs" },
    ...holders.map((index) => el("button", { type: "button", "aria-pressed": String(index === run),
      onclick: () => fill(place, index, byIndex[index].get(problem.index)) }, data.runs[index].name)));
  const body = el("div", {}, el("p", { class: "note" }, "loading …"));
  place.replaceChildren(...[
    el("p", { class: "question" }, problem.question),
    el("p", { class: "pair" }, el("span", {}, "reference answer: ",
      el("b", { class: "answer" }, problem.answer ?? "unknown")),
    el("a", { href: `#problem-${encodeURIComponent(problem.id)}` }, problem.id)),
    tabs, body].filter(Boolean));
  try {
    const found = await details(run, problem.local);
    body.replaceChildren(...view(run, problem, found));
  } catch (error) {
    body.replaceChildren(el("p", { class: "note no" }, error.message));
  }
}

// One problem

function view(run, problem, { candidates, chosen, classes, shown, total, scale }) {
  const verdicts = data.runs[run].rules.map((rule) => {
    const index = chosen[rule], right = problem.right(rule);
    return el("span", { class: tone(right) }, `${data.labels[rule]}: `,
      el("span", { class: "answer" }, index < 0 ? "none" : candidates[index].answer), ` ${mark(right)}`);
  });
  const cards = el("div", { class: "cards" }), heading = el("h4", {});
  const more = el("button", { type: "button", class: "wide" });
  const scored = candidates.some(({ score }) => score !== null);
  let picked = null, all = false;
  const show = () => {
    const kept = candidates.filter((c) => picked === null || c.class === picked);
    const first = all ? kept : kept.slice(0, 6);
    heading.replaceChildren(picked === null ? "Candidates, best first" : "Candidates with this answer",
      shown < total ? ` (${shown} of ${total} are shown)` : "");
    if (candidates.some((candidate) => candidate.values)) {
      const [, , red, green] = scale;
      heading.append(` · verifier's value at each token: ${red}`, el("span", { class: "ramp" }), String(green));
    }
    cards.replaceChildren(...first.map((candidate) => card(candidate, scale, scored)));
    more.hidden = first.length === kept.length;
    more.textContent = `show all ${kept.length}`;
  };
  more.addEventListener("click", () => { all = true; show(); });
  show();
  return [
    el("p", { class: "pair" }, ...verdicts),
    el("h4", {}, "Answers ", el("small", {},
      el("i", { class: "swatch", style: "background:var(--majority)" }), "CoT ",
      el("i", { class: "swatch", style: "background:var(--best_of_n)" }), "PoT · choose one to see its candidates")),
    answers(classes, (answerClass) => {
      picked = picked === answerClass ? null : answerClass;
      all = false;
      show();
    }),
    heading, cards, more,
  ];
}

function answers(classes, choose) {
  const most = Math.max(...classes.map(({ votes }) => votes));
  const best = Math.max(1, ...classes.map(({ score }) => score ?? 0));
  const scored = classes.some(({ score }) => score !== null);
  const grid = el("div", { class: "classes" },
    ...["answer", "", "votes", scored ? "mean score" : ""].map((text) => el("span", { class: "head" }, text)));
  const add = (rows) => rows.forEach((each) => grid.append(...bars(each)));
  const bars = ({ class: number, answer, label, votes, cot, pot, score }) => {
    const share = (count) => `width:${100 * count / most}%`;
    return [
      el("button", { type: "button", class: "answer", onclick: () => choose(number) }, number < 0 ? "no answer" : answer),
      el("span", { class: tone(digit(label)) }, number < 0 ? "" : mark(digit(label))),
      el("span", { class: "bar" }, el("span", {}, el("i", { class: "cot", style: share(cot) }),
        el("i", { class: "pot", style: share(pot) })), el("b", {}, String(votes))),
      score === null ? el("span") : el("span", { class: "bar" }, el("span", {},
        el("i", { class: "score", style: `width:${100 * Math.max(0, score) / best}%` })),
      el("b", {}, score.toFixed(2))),
    ];
  };
  add(classes.slice(0, ANSWERS));
  if (classes.length > ANSWERS) {
    const rest = classes.slice(ANSWERS);
    grid.append(el("button", { type: "button", class: "rest", onclick: (event) => {
      event.target.remove();
      add(rest);
    } }, `${rest.length} other answers`));
  }
  return grid;
}

function card(candidate, scale, scored) {
  const times = candidate.samples.length;
  const readout = el("output", { class: "readout" });
  const facts = [
    el("b", {}, candidate.mode === "cot" ? "CoT" : "PoT"),
    candidate.answer === null ? el("span", { class: "unknown" }, "no answer")
      : el("span", { class: tone(digit(candidate.label)) }, `${candidate.answer} ${mark(digit(candidate.label))}`),
    candidate.score !== null ? el("span", {}, `score ${candidate.score.toFixed(3)}`)
      : scored ? el("span", { class: "unknown" }, "no score") : null,
    candidate.origin ? el("span", {}, candidate.origin) : null,
    el("small", {}, times > 1 ? `sampled ${times} times` : `sample ${candidate.samples[0]}`),
    readout,
  ];
  const told = candidate.outcome && candidate.outcome !== "ok"
    ? el("pre", { class: "fail" }, candidate.message || candidate.outcome.replace("_", " "))
    : candidate.output ? el("pre", { class: "out" }, candidate.output.trimEnd()) : null;
  const free = candidate.free ? el("details", {}, el("summary", {}, "the generator's own scores"),
    el("small", {}, Object.entries(candidate.free).map(([name, value]) => `${name} ${value}`).join(" · "))) : null;
  return el("section", { class: "candidate" }, el("header", {}, ...facts), solution(candidate, scale, readout), told, free);
}

// pieces: lengths of the tokens' texts in order; a negative one is text that no token covers.
// values: a character for each token, `step` above `low` for each place after a space.
function solution({ text, pieces, values }, scale, readout) {
  const pre = el("pre");
  if (!values) { pre.append(text); return pre; }
  const [low, step, red, green] = scale, tokens = [];
  let at = 0;
  for (const length of pieces) {
    const part = text.slice(at, at + Math.abs(length));
    at += Math.abs(length);
    if (length < 0) { pre.append(part); continue; }
    const value = low + step * (values.charCodeAt(tokens.length) - 32);
    const shade = Math.max(0, Math.min(1, (value - red) / (green - red)));
    const token = el("span", { class: "t", style: `--v:${shade.toFixed(3)}` }, part);
    token.value = value;
    tokens.push(token);
    pre.append(token);
  }
  pre.append(text.slice(at));
  let told = null;
  const tell = (token) => {
    told?.classList.remove("told");
    told = token;
    token.classList.add("told");
    token.title = token.value.toFixed(2);
    readout.textContent = `“${token.textContent.trim()}” ${token.title}`;
  };
  pre.addEventListener("pointerover", ({ target }) => { if (target.value !== undefined) tell(target); });
  pre.tabIndex = 0;
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", "solution; left and right arrows read the value at each token");
  pre.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !tokens.length) return;
    event.preventDefault();
    tell(tokens[Math.max(0, Math.min(tokens.length - 1, tokens.indexOf(told) + step))]);
  });
  return pre;
}

// Controls, keys and links

function setRun(run) {
  state.run = run;
  const rules = data.runs[run].rules;
  const scored = rules.filter((rule) => rule !== "majority");
  if (!scored.includes(state.rule)) state.rule = scored.includes("weighted") ? "weighted" : scored[0] ?? "majority";
  if (state.other === run) state.other = run === 0 ? Math.min(1, lists.length - 1) : 0;
  byId("run").value = String(run);
  byId("rule").replaceChildren(...scored.map((rule) => el("option", { value: rule }, data.labels[rule])));
  byId("rule").value = state.rule;
  byId("rule-choice").hidden = !scored.length;
  byId("other").replaceChildren(...data.runs.map(({ name }, index) => el("option",
    { value: String(index), hidden: index === run ? "" : null }, name)));
  byId("other").value = String(state.other);
}

// Opens the problem that the address names: #problem-ID.
function follow() {
  let id;
  try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
  if (!id.startsWith("problem-")) return;
  id = id.slice("problem-".length);
  const run = [state.run, ...lists.keys()].find((each) => lists[each].some((problem) => problem.id === id));
  if (run === undefined) return;
  Object.assign(state, { filter: "all", text: "" });
  byId("search").value = "";
  setRun(run);
  const index = lists[run].slice().sort(sorts[state.sort]).findIndex((problem) => problem.id === id);
  state.shown = Math.max(STEP, index + 1);
  const problem = refresh()[index], article = byId("list").children[index];
  open(article, problem);
  article.scrollIntoView();
}

function keys(event) {
  const article = event.target.closest(".problem");
  if (!article) return;
  if (event.key === "Escape" && article.classList.contains("open")) {
    close(article);
    article.firstChild.focus();
  }
  const onRow = event.target === article.firstChild;
  const next = { ArrowDown: article.nextSibling, ArrowUp: article.previousSibling }[event.key];
  if (onRow && next) {
    event.preventDefault();
    next.firstChild.focus();
  }
}

function problems() {
  const names = data.runs.map(({ name }, index) => [String(index), name]);
  choices("run", names, "0", (run) => { setRun(Number(run)); refresh(); });
  choices("other", names, "0", (run) => { state.other = Number(run); refresh(); });
  setRun(0);
  byId("other-choice").hidden = data.runs.length < 3; // of two, it is the other one
  byId("rule").addEventListener("change", (event) => { state.rule = event.target.value; refresh(); });
  byId("sort").addEventListener("change", (event) => { state.sort = event.target.value; refresh(); });
  byId("search").addEventListener("input", (event) => {
    Object.assign(state, { text: event.target.value, shown: STEP });
    refresh();
  });
  byId("more").addEventListener("click", () => { state.shown += STEP; refresh(); });
  byId("list").addEventListener("keydown", keys);
  addEventListener("hashchange", follow);
  refresh();
  follow();
}
if (data.problems.length) problems();
