"""The page: what is in it, that texts cannot become markup, and how it behaves in a browser."""

import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from search.evaluate import EvaluateConfig, evaluate
from search.page import write_page
from search.pool import PoolArrays

HOSTILE = (
    "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>\u2028 𝟙 {{x}}"
)


def make_problems():
    """Three problems: all agree; the vote is wrong and the verifier right; nobody answers."""

    def candidate(mode, sample, answer, number, label, score, **more):
        text = more.pop("text", f"{mode} {sample}")
        return {
            "mode": mode,
            "sample": sample,
            "text": text,
            "answer": answer,
            "answer_class": number,
            "label": label,
            "score": score,
            **more,
        }

    program = {"text": "print(18)", "outcome": "ok", "output": "18\n", "message": ""}
    failure = {"outcome": "error", "output": "", "message": "NameError: x (line 1)"}
    return [
        {
            "id": "easy",
            "question": HOSTILE,
            "answer": "18",
            "candidates": [
                candidate("cot", 0, "18", 0, True, 0.9, text=HOSTILE),
                candidate("cot", 1, "18", 0, True, 0.8),
                candidate("pot", 0, "18", 0, True, 0.7, **program),
                candidate("pot", 1, "18", 0, True, 0.7, **program),
            ],
        },
        {
            "id": "rescued",
            "question": "How many?",
            "answer": "5",
            "candidates": [
                candidate("cot", 0, "4", 0, False, 0.1),
                candidate("cot", 1, "4", 0, False, 0.2),
                candidate(
                    "pot",
                    0,
                    "5",
                    1,
                    True,
                    0.95,
                    text="𝟙 + 4 ok",
                    values=np.float16([0.5, 0.25, 0.75, 1.5]),
                    offsets=[(0, 1), (2, 3), (4, 5), (5, 5)],
                ),
                candidate("pot", 1, pd.NA, -1, pd.NA, float("nan"), **failure),
            ],
        },
        {
            "id": "silent",
            "question": "Why?",
            "answer": None,
            "candidates": [
                candidate(mode, s, None, -1, False, None)
                for mode in ("cot", "pot")
                for s in range(2)
            ],
        },
    ]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    problems = make_problems()
    rows = [
        {"problem_id": p["id"], **{k: c[k] for k in ("mode", "sample", "answer_class", "label")}}
        | {"score:v": c["score"], "tokens": 10}
        for p in problems
        for c in p["candidates"]
    ]
    frame = pd.DataFrame(rows).astype({"label": "boolean", "score:v": "float64"})
    evaluation = evaluate(PoolArrays.from_frame(frame), EvaluateConfig(draws=20, bootstrap=50))
    settings = {"command": "assay report", "sample": {"params": {"top_p": 1.0}, "stop": []}}
    path = tmp_path_factory.mktemp("report") / "index.html"
    return write_page(path, "A <run>", evaluation, settings, problems, seconds={"sample": 3.2})


def block(text, name):
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.S)
    return json.loads(found[1])


def test_it_needs_no_network(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "@import" not in text
    assert "fetch(" not in text


def test_tables_and_settings_are_in_the_markup(page):
    text = page.read_text(encoding="utf-8")
    assert "<title>A &lt;run&gt;</title>" in text
    assert "Accuracy at n = 2" in text
    for words in ("single sample", "majority vote", "top-2 vote", "pass@2 (ceiling)"):
        assert words in text
    assert "<dt>params.top_p</dt><dd>1.0</dd>" in text
    assert "<dt>command</dt><dd>assay report</dd>" in text
    assert "sample 3 s" in text


def test_texts_cannot_leave_their_block(page):
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text
    assert "document.title='broken'</script>" not in text
    details = block(text, "problem-0")
    assert details["candidates"][0]["text"] == HOSTILE
    assert block(text, "data")["problems"][0]["question"] == HOSTILE


def test_summaries_say_which_rule_was_right(page):
    easy, rescued, silent = block(page.read_text(encoding="utf-8"), "data")["problems"]
    assert set(easy["right"].values()) == {True}
    assert rescued["right"] == {
        "majority": False,
        "best_of_n": True,
        "weighted": True,
        "top_k": False,  # three votes: 4, 4 and 5
    }
    assert set(silent["right"].values()) == {False}
    assert [easy["share"], rescued["share"], silent["share"]] == [1.0, 0.25, 0.0]
    assert rescued["agreed"] == pytest.approx(2 / 3, abs=1e-4)
    assert silent["answer"] is None


def test_identical_candidates_are_written_once_best_first(page):
    details = block(page.read_text(encoding="utf-8"), "problem-0")
    found = [(c["mode"], c["samples"], c["score"]) for c in details["candidates"]]
    assert found == [("cot", [0], 0.9), ("cot", [1], 0.8), ("pot", [0, 1], 0.7)]
    assert details["chosen"]["best_of_n"] == 0


def test_tokens_count_as_javascript_does(page):
    details = block(page.read_text(encoding="utf-8"), "problem-1")
    first = details["candidates"][0]
    # "𝟙" takes two UTF-16 units; the spaces are in no token; the empty last token is left out
    assert first["text"] == "𝟙 + 4 ok"
    assert first["pieces"] == [2, -1, 1, -1, 1]
    assert first["values"] == [50, 25, 75]
    assert details["candidates"][-1] == {
        "mode": "pot",
        "samples": [1],
        "text": "pot 1",
        "answer": None,
        "class": -1,
        "label": None,
        "score": None,
        "outcome": "error",
        "message": "NameError: x (line 1)",
    }


def test_a_page_without_scores_or_problems(tmp_path):
    frame = pd.DataFrame(
        [("a", "cot", 0, 0, True)],
        columns=["problem_id", "mode", "sample", "answer_class", "label"],
    )
    evaluation = evaluate(PoolArrays.from_frame(frame), EvaluateConfig(draws=5, bootstrap=5))
    text = write_page(tmp_path / "p.html", "t", evaluation, {}, []).read_text(encoding="utf-8")
    assert "Accuracy at n = 1" in text
    assert "What the verifier adds" not in text
    assert 'id="problems"' not in text


DRIVER = """
<script>
const report = { errors: [] };
addEventListener("error", (event) => report.errors.push(event.message));
addEventListener("load", () => {
  const rows = () => [...document.querySelectorAll(".problem .snippet")].map((x) => x.textContent);
  const press = (name) => document.querySelector(`[data-filter="${name}"]`).click();
  report.all = rows();
  press("gained"); report.gained = rows();
  document.querySelector(".problem > button").click();
  report.cards = document.querySelectorAll(".candidate").length;
  const tokens = [...document.querySelectorAll(".t")];
  report.tokens = tokens.map((x) => [x.textContent, x.title]);
  report.colours = tokens.map((x) => getComputedStyle(x).backgroundColor);
  document.querySelectorAll(".classes button")[0].click();
  report.picked = document.querySelectorAll(".candidate").length;
  press("all");
  const search = document.getElementById("search");
  search.value = "WHY"; search.dispatchEvent(new Event("input")); report.search = rows();
  search.value = ""; search.dispatchEvent(new Event("input"));
  document.querySelector(".problem > button").click();
  report.hostile = document.querySelector(".candidate pre").textContent;
  report.title = document.title;
  report.curves = document.querySelectorAll(".curves svg .curve").length;
  document.body.replaceChildren(JSON.stringify(report));
});
</script>
"""


def test_in_a_browser(page, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    driven = tmp_path / "driven.html"
    text = page.read_text(encoding="utf-8")
    driven.write_text(text.replace("</title>", "</title>" + DRIVER, 1), encoding="utf-8")
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
    ]
    done = subprocess.run(
        [*command, "--virtual-time-budget=3000", "--dump-dom", driven.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    body = re.search(r"<body>(.*)</body>", done.stdout, re.S)[1]
    found = json.loads(body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert found["errors"] == []
    assert found["all"] == [HOSTILE, "How many?", "Why?"]
    assert found["gained"] == ["How many?"]
    assert found["cards"] == 4
    assert found["tokens"] == [["𝟙", "0.50"], ["+", "0.25"], ["4", "0.75"]]
    assert len(set(found["colours"])) == 3
    assert found["picked"] == 2
    assert found["search"] == ["Why?"]
    assert found["hostile"] == HOSTILE
    assert found["title"] == "A <run>"
    assert found["curves"] == 3 * 5
