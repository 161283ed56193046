"""The page in headless Chromium, opened from disk: no errors, what is pressed does what it says."""

import html
import json
import re
import shutil
import subprocess

import pytest

from assay.evaluation.report import page as page_module
from assay.evaluation.report.page import PageRun, write_page
from tests.evaluation.page_runs import HOSTILE, evaluated, make_problems
from tests.evaluation.test_report_sections import evaluated as evaluated_findings
from tests.evaluation.test_report_sections import make_frame as make_findings

# Runs `drive` when the page is there, and writes what it reports as the body. Scripts that load one
# after the other hold back the load event, after which Chromium dumps the page.
DRIVER = """
<script>
const report = { errors: [] };
addEventListener("error", (event) => report.errors.push(event.message ?? event.target.src), true);
addEventListener("unhandledrejection", (event) => report.errors.push(String(event.reason)));
console.error = (...words) => report.errors.push(words.join(" "));
const all = (selector) => [...document.querySelectorAll(selector)];
const rows = () => all(".problem .snippet").map((x) => x.textContent);
const press = (selector) => document.querySelector(selector).click();
const key = (name) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
const choose = (id, value) => {
  document.getElementById(id).value = value;
  document.getElementById(id).dispatchEvent(new Event(id === "search" ? "input" : "change"));
};
const until = async (test) => {
  for (let i = 0; i < 2000; i++) {
    if (test()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`never: ${test}`);
};
let done = false;
const hold = () => {
  if (done) return;
  const script = document.createElement("script");
  script.onload = hold;
  script.src = "data:text/javascript,";
  document.head.append(script);
};
hold();
addEventListener("DOMContentLoaded", async () => {
  try { await drive(); } catch (error) { report.errors.push(String(error)); }
  document.body.replaceChildren(JSON.stringify(report));
  done = true;
});
async function drive() { %s }
</script>
"""


@pytest.fixture
def browse(tmp_path):
    """(page, JavaScript that fills `report`, fragment of the address) -> the report."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")

    def run(page, script, fragment=""):
        driven = page.path.with_name("driven.html")
        text = page.path.read_text(encoding="utf-8")
        driver = DRIVER.replace("%s", script)
        driven.write_text(text.replace("</title>", "</title>" + driver, 1), encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/p"]
        done = subprocess.run(
            [browser, *options, "--dump-dom", driven.as_uri() + fragment],
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
        return json.loads(html.unescape(re.search(r"<body>(.*)</body>", done.stdout, re.S)[1]))

    return run


@pytest.fixture(params=["one file", "folder"])
def page(request, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "BLOCK", 0)
    problems = make_problems()
    run = PageRun("one", evaluated(problems), {}, problems)
    path = tmp_path / "with space" / "index.html"
    return write_page(path, "A <run>", [run], single=request.param == "one file")


def test_list_filters_candidates_and_tokens(page, browse):
    found = browse(
        page,
        """
        report.all = rows();
        for (const name of ["both", "vote", "verifier", "neither", "nobody"]) {
          press(`[data-filter="${name}"]`);
          report[name] = rows();
        }
        press('[data-filter="verifier"]');
        press(".problem > button");
        await until(() => all(".candidate").length);
        report.cards = all(".candidate").length;
        report.colours = all(".t").map((x) => getComputedStyle(x).backgroundColor);
        for (const token of all(".t")) {
          token.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
        }
        report.tokens = all(".t").map((x) => [x.textContent, x.title]);
        report.readout = document.querySelector(".readout").textContent;
        press(".classes button");
        report.picked = all(".candidate").length;
        press('[data-filter="all"]');
        choose("search", "WHY"); report.search = rows();
        choose("search", "18 EASY"); report.answer = rows();
        choose("search", ""); choose("sort", "hard"); report.hard = rows();
        choose("sort", "id"); report.id = rows();
        press(".problem > button");
        await until(() => all(".candidate").length);
        report.hostile = document.querySelector(".candidate pre").textContent;
        report.origin = document.querySelector(".candidate header").textContent;
        report.title = document.title;
        report.curves = all("#curves svg .curve").length;
        const svg = document.querySelector("#curves svg"), box = svg.getBoundingClientRect();
        svg.dispatchEvent(new PointerEvent("pointermove", { clientX: box.right - 5 }));
        const tip = document.querySelector(".tip:not([hidden])");
        report.tip = [tip.firstChild.textContent, tip.querySelector("tr").textContent];
        """,
    )
    assert found["errors"] == []
    assert found["all"] == [HOSTILE, "How many?", "Why?"]
    assert found["both"] == [HOSTILE]
    assert found["vote"] == []
    assert found["verifier"] == ["How many?"]
    assert found["neither"] == found["nobody"] == ["Why?"]
    assert found["cards"] == 4
    assert found["tokens"] == [["𝟙", "0.50"], ["+", "0.25"], ["4", "0.75"]]
    assert found["readout"] == "“4” 0.75"
    assert len(set(found["colours"])) == 3
    assert found["picked"] == 2
    assert found["search"] == ["Why?"]
    assert found["answer"] == [HOSTILE]
    assert found["hard"] == ["Why?", "How many?", HOSTILE]
    assert found["id"] == [HOSTILE, "How many?", "Why?"]
    assert found["hostile"] == HOSTILE
    assert "T = 0.7" in found["origin"]
    assert found["title"] == "A <run>"
    assert found["curves"] == 3 * 5
    # CoT only: "easy" is right, of the three problems.
    assert found["tip"] == ["n = 2", "majority vote33.3[0.0, 100.0]"]


def test_a_link_opens_a_problem_and_keys_move(page, browse):
    found = browse(
        page,
        """
        await until(() => all(".candidate").length);
        report.open = all(".problem.open").map((x) => x.dataset.id);
        document.querySelector("pre[tabindex]").focus();
        key("ArrowRight"); key("ArrowRight");
        report.readout = document.querySelector(".readout").textContent;
        key("Escape");
        report.closed = all(".problem.open").length;
        report.focus = document.activeElement.querySelector(".snippet").textContent;
        key("ArrowDown");
        report.below = document.activeElement.querySelector(".snippet").textContent;
        location.hash = "#problem-easy";
        await until(() => all(".problem.open").length);
        report.then = all(".problem.open").map((x) => x.dataset.id);
        """,
        "#problem-rescued",
    )
    assert found["errors"] == []
    assert found["open"] == ["rescued"]
    assert found["readout"] == "“+” 0.25"
    assert found["closed"] == 0
    assert (found["focus"], found["below"]) == ("How many?", "Why?")
    assert found["then"] == ["easy"]


def test_blocks_are_loaded_when_they_are_needed(tmp_path, monkeypatch, browse):
    monkeypatch.setattr(page_module, "BLOCK", 0)
    problems = make_problems()
    run = PageRun("one", evaluated(problems), {}, problems)
    page = write_page(tmp_path / "index.html", "t", [run], single=False)
    (page.data / "problems-0-2.js").unlink()
    found = browse(
        page,
        """
        const loaded = () => all("script[src*=problems]").map((x) => x.src.split("/").pop());
        report.before = loaded();
        all(".problem > button")[1].click();
        await until(() => all(".candidate").length);
        report.after = loaded();
        report.errors_before = report.errors.length;
        all(".problem > button")[2].click();
        await until(() => all(".note.no").length);
        report.missing = document.querySelector(".note.no").textContent;
        """,
    )
    assert found["before"] == []
    assert found["after"] == ["problems-0-1.js"]
    assert found["errors_before"] == 0
    assert found["missing"].startswith(f"{page.data.name}/problems-0-2.js is missing")


def test_without_a_verifier(tmp_path, browse):
    problems = make_problems()
    for problem in problems:
        for each in problem["candidates"]:
            each["score"] = None
            for name in ("values", "starts", "ends"):
                each.pop(name, None)
    run = PageRun("one", evaluated(problems, scored=False), {}, problems)
    found = browse(
        write_page(tmp_path / "index.html", "t", [run]),
        """
        report.hidden = document.getElementById("rule-choice").hidden;
        report.filters = all("[data-filter]").map((x) => x.textContent);
        all(".problem > button")[1].click();
        await until(() => all(".candidate").length);
        report.texts = [".t", ".ramp", ".score"].map((x) => all(`.detail ${x}`).length);
        report.verdicts = document.querySelectorAll(".detail .pair")[1].textContent;
        """,
    )
    assert found["errors"] == []
    assert found["hidden"] is True
    assert found["filters"] == ["all3", "solved by vote1", "not solved2", "no candidate right1"]
    assert found["texts"] == [0, 0, 0]
    assert found["verdicts"] == "majority vote: 4 ✗"


def test_several_runs(tmp_path, browse):
    second = make_problems()[1:]
    for each in second[0]["candidates"][:2]:
        each.update(answer="5", answer_class=1, label=True)
    runs = [PageRun("one", evaluated(make_problems()), {}, make_problems())]
    runs.append(PageRun("two", evaluated(second), {}, second))
    runs[0].evaluation.frame["flops"] = 2e9 * runs[0].evaluation.frame["n"]
    page = write_page(tmp_path / "index.html", "t", runs)
    found = browse(
        page,
        """
        const lines = () => all("#curves-legend button").map((x) => x.textContent);
        report.lines = lines();
        choose("curves-lines", "0"); report.rules = lines();
        choose("curves-lines", "rule:majority");
        report.axes = all("#axis option").map((x) => x.value);
        report.curves = all("#curves svg .curve").length;
        choose("axis", "flops"); report.costed = all("#curves svg .curve").length;
        report.first = rows();
        choose("rule", "best_of_n");
        press('[data-filter="lost"]'); report.lost = rows();
        choose("run", "1");
        report.second = all(".filters small").map((x) => x.textContent);
        press('[data-filter="all"]');
        press(".problem > button");
        await until(() => all(".candidate").length);
        report.two = document.querySelector(".classes").textContent;
        press(".detail .filters button");
        await until(() => document.querySelector(".classes")?.textContent !== report.two);
        await until(() => all(".candidate").length);
        report.one = document.querySelector(".classes button").textContent;
        """,
    )
    assert found["errors"] == []
    assert found["lines"] == ["one", "two"]
    assert found["rules"] == [
        "shortest",
        "majority vote",
        "best-of-n",
        "weighted vote",
        "top-k vote",
        "weighted top-k vote",
        "pass@n (ceiling)",
    ]
    assert found["axes"] == ["n", "tokens", "flops"]
    assert (found["curves"], found["costed"]) == (6, 3)
    assert found["first"] == [HOSTILE, "How many?", "Why?"]
    assert found["lost"] == []
    # all, both, vote, verifier, neither, nobody, gained, lost
    assert found["second"][:6] == ["2", "1", "0", "0", "1", "1"]
    assert found["one"] == "4"


def test_difficulty_calibration_and_over_optimisation(tmp_path, browse):
    evaluation = evaluated_findings(make_findings())
    page = write_page(tmp_path / "index.html", "t", [PageRun("one", evaluation, {}, [])])
    found = browse(
        page,
        """
        const count = (selector) => all(selector).length;
        report.captions = all("#difficulty figcaption").map((x) => x.textContent);
        report.difficulty = count("#difficulty svg .curve");
        report.pressed = all("#difficulty-legend button").map(
          (x) => [x.textContent, x.ariaPressed]);
        all("#difficulty-legend button")[0].click();
        report.more = count("#difficulty svg .curve");
        choose("difficulty-n", "2");
        report.at = all("#difficulty figcaption").map((x) => x.textContent);
        report.bars = count("#calibration .count");
        report.rings = count("#over .ring");
        const svg = document.querySelector("#calibration svg"), box = svg.getBoundingClientRect();
        svg.dispatchEvent(new PointerEvent("pointermove", { clientX: box.right - 5 }));
        report.tip = document.querySelector("#calibration .tip").textContent;
        """,
    )
    assert found["errors"] == []
    assert found["captions"] == ["CoT only, n = 4", "PoT only, n = 4", "both, n = 8"]
    # majority, best-of-n, weighted, top-k, pass; shortest and weighted top-k wait to be asked for
    assert (found["difficulty"], found["more"]) == (3 * 5, 3 * 6)
    assert [name for name, pressed in found["pressed"] if pressed == "false"] == [
        "shortest",
        "weighted top-k vote",
    ]
    assert found["at"] == ["CoT only, n = 2", "PoT only, n = 2", "both, n = 2"]
    assert found["bars"] == len(evaluation.quality.bins)
    assert found["rings"] == 3
    last = evaluation.quality.bins[-1]
    assert found["tip"].startswith(f"scores {last.low:g} to {last.high:g}")
    assert f"{last.count} candidates" in found["tip"]


def test_runs_of_which_one_lacks_modes(tmp_path, browse):
    """The charts of modes that a run has nothing for say so, whichever run is chosen."""
    runs = [
        PageRun(name, evaluated_findings(make_findings(modes=modes)), {}, [])
        for name, modes in (("all", ("cot", "pot")), ("words", ("cot",)))
    ]
    found = browse(
        write_page(tmp_path / "index.html", "t", runs),
        """
        choose("difficulty-lines", "1");
        choose("curves-lines", "1");
        report.texts = all("#difficulty figure").map((x) => x.querySelector(".note")?.textContent);
        report.curves = all("#curves figure").map((x) => x.querySelector(".note")?.textContent);
        report.over = all("#over-legend button").map((x) => x.textContent);
        """,
    )
    assert found["errors"] == []
    assert found["texts"] == found["curves"] == [None, "not known", "not known"]
    assert found["over"] == ["all", "all: pass@n", "words", "words: pass@n"]
