"""The suite on sets of a few problems each, with an engine that writes what the test says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from assay import command_line
from assay.generator.engines import Completion
from assay.problems.sets import ProblemsConfig
from assay.search.drivers.suite.published import PUBLISHED, PUBLISHED_SETS, named, nearest
from assay.search.drivers.suite.results import SetResult, SuiteResult
from assay.search.drivers.suite.sets import SUITE, sets_table
from assay.search.drivers.suite.suite import SuiteConfig, problems_of
from assay.search.stages import engines
from assay.search.stages import score as scoring
from assay.search.stages.sample import Engines
from assay.settings.schema import load
from tests.search.characters import Characters

pytestmark = pytest.mark.usefixtures("undrawn")

OPEN = [
    {"id": "svamp-0", "question": "1 + 1?", "answer": "2"},
    {"id": "svamp-1", "question": "1 + 2?", "answer": "3"},
    {"id": "svamp-2", "question": "1 + 3?", "answer": "4"},
    {"id": "svamp-3", "question": "1 + 4?", "answer": "5"},
]
CHOICE = [
    {"id": "sat-0", "question": "1 + 1?", "answer": "B", "options": ["1", "2"]},
    {"id": "sat-1", "question": "1 + 2?", "answer": "A", "options": ["3", "4"]},
]
# (words, program) of each problem.
GREEDY = {
    "svamp-0": ("#### 2", "print(3)"),  # the program answers, wrongly: hybrid wrong
    "svamp-1": ("#### 3", "print(1 / 0)"),  # no answer: words, right
    "svamp-2": ("no idea", "print(4)"),  # hybrid right
    "svamp-3": ("#### 6", "x = 5"),  # prints nothing: words, wrong
    "sat-0": ("The answer is (B).", "print(1)"),  # multiple choice: words, right
    "sat-1": ("The answer is 4.", "print(3)"),  # words, wrong
}


class Written:
    """An engine: greedily `GREEDY`; three samples of four are right, in every mode."""

    tokenizer = Characters()

    def __init__(self, answers):
        self.answers = answers

    def sample(self, requests, params):
        for i, request in enumerate(requests):
            problem_id, _, mode = request.key.rpartition("/")
            for sample in range(request.first, request.first + request.count):
                if params.temperature == 0:
                    text = GREEDY[problem_id][mode == "pot"]
                else:
                    answer = self.answers[problem_id] if sample else "99"
                    text = f"print({answer!r})" if mode == "pot" else f"#### {answer}"
                yield Completion(i, sample, text, [7], -1.0, "eos")


@pytest.fixture
def evaluate(tmp_path, monkeypatch, capsys):
    """Runs the command; returns what it printed. `loads` counts engines, `data` holds the sets."""
    data, loads = tmp_path / "data", []
    data.mkdir()
    for name, rows in (("svamp", OPEN), ("sat", CHOICE)):
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make_engine(config, model):
        loads.append(model.name)
        return Written({row["id"]: row["answer"] for row in (*OPEN, *CHOICE)})

    monkeypatch.setattr(engines, "make_engine", make_engine)
    output = tmp_path / "out"
    words = ["evaluate-suite", f"data={data}", "sets=[sat,svamp]", f"output={output}", "workers=1"]
    words += ["generator=embedded", "prompt.form=plain"]

    def run(*more, code=0):
        assert command_line.main([*words, *more]) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    run.loads, run.output, run.data = loads, output, data
    return run


def test_greedy_decodings(evaluate):
    told = json.loads(evaluate("--json"))
    assert evaluate.loads == ["embedded"]  # once for both sets
    svamp, sat = told["sets"]  # in the paper's order
    assert (svamp["set"], svamp["problems"], sat["set"], sat["problems"]) == ("svamp", 4, "sat", 2)
    assert accuracies(svamp) == {"cot": 0.5, "pot": 0.25, "hybrid": 0.5}
    assert accuracies(sat) == {"cot": 0.5, "pot": 0.5, "hybrid": 0.5}
    assert (svamp["fall_back"]["rate"], svamp["fall_back"]["problems"]) == (0.5, 4)
    assert sat["fall_back"] is None
    assert svamp["no_answer"] == {"cot": 0.25, "pot": 0.5}
    assert svamp["runs"] == {"greedy": str(evaluate.output / "svamp")}
    assert {k: v["accuracy"] for k, v in told["average"].items()} == {
        "cot": 0.5,
        "pot": 0.375,
        "hybrid": 0.5,
    }
    assert told["published"][2] == {
        "model": "MAmmoTH-7B",
        "decoding": "hybrid",
        "source": "Yue et al. 2023, arXiv 2309.05653",
        "accuracy": {"svamp": 0.677, "sat": 0.427},
        "average": 0.552,
    }
    assert json.loads((evaluate.output / "suite.json").read_text()) == told


def accuracies(found):
    return {what: value["accuracy"] for what, value in found["accuracy"].items()}


def test_the_tables(evaluate):
    lines = evaluate().splitlines()
    assert max(len(line) for line in lines if str(evaluate.output) not in line) <= 110
    assert lines[0] == "  embedded, greedy; accuracy in % [95 % interval over problems]"
    assert lines[4].split()[:3] == ["SVAMP", "4", "50.0"]
    assert lines[5].split()[-1] == "–"
    assert lines[7].split()[:3] == ["average", "6", "50.0"]
    # The averages of the paper's rows are those of these two sets: (67.7 + 42.7) / 2.
    (row,) = [line for line in lines if line.startswith("  MAmmoTH-7B hybrid")]
    assert row.split() == ["MAmmoTH-7B", "hybrid", "67.7", "42.7", "55.2"]
    assert "  note: not the sizes of the paper: svamp 4 of 1,000, sat 2 of 220" in lines
    page = (evaluate.output / "suite.md").read_text()
    assert "|  | SVAMP | SAT | average |\n| --- | ---: | ---: | ---: |" in page
    assert "| MAmmoTH-7B hybrid | 67.7 | 42.7 | 55.2 |" in page


def test_csv(evaluate):
    text = evaluate("--csv")
    assert (evaluate.output / "suite.csv").read_text() == text
    frame = pd.read_csv(evaluate.output / "suite.csv").set_index(["source", "set", "decoding"])
    assert frame.loc[("embedded", "svamp", "pot"), "accuracy"] == 0.25
    assert frame.loc[("embedded", "average", "pot"), "accuracy"] == 0.375
    assert frame.loc[("MAmmoTH-Coder-7B", "svamp", "hybrid"), "accuracy"] == 0.714
    assert len(frame) == (3 + 6) * 3  # beside the tiny generator: the two models of 7B


def test_votes(evaluate):
    told = json.loads(evaluate("modes={cot: 4, pot: 4}", "--json"))
    assert evaluate.loads == ["embedded"]
    for one in told["sets"]:
        assert one["n"] == 8
        assert accuracies(one)["majority"] == 1.0  # six of eight are right
        assert accuracies(one)["pass"] == 1.0
        assert "best_of_n" not in one["accuracy"]
    lines = evaluate("modes={cot: 4, pot: 4}").splitlines()
    (title,) = [i for i, line in enumerate(lines) if "8 samples of each problem" in line]
    assert lines[title + 2].split() == ["majority", "vote", "pass@n"]
    assert lines[title + 4].split()[:2] == ["SVAMP", "100.0"]
    # Nothing is sampled again; the greedy candidates alone are still there.
    assert accuracies(json.loads(evaluate("--json"))["sets"][0])["hybrid"] == 0.5
    assert evaluate.loads == ["embedded"]


def test_votes_by_a_verifier(evaluate, monkeypatch):
    class Fooled:
        """Scores wrong answers highest, so that best-of-n falls below the votes."""

        loads = 0

        def __init__(self, model):
            Fooled.loads += 1

        def score(self, problem, rows, config):
            found = np.array([0.9 if "99" in row.text else 0.5 for row in rows], np.float32)
            return SimpleNamespace(scores=found, values=None, tokens=found, prompt_tokens=found)

    monkeypatch.setattr(scoring, "Scorer", Fooled)
    monkeypatch.setattr(scoring, "fingerprint", str)
    monkeypatch.setattr(scoring, "check", lambda _: None)
    monkeypatch.setattr(scoring, "model_shape", lambda model: None)
    words = ("modes={cot: 4, pot: 4}", "verifier=embedded")
    for one in json.loads(evaluate(*words, "--json"))["sets"]:
        found = accuracies(one)
        votes = {vote: found[vote] for vote in ("majority", "best_of_n", "weighted", "top_k")}
        # Two of eight are wrong: 1.8 against 3.0 in the weighted vote, 2 of the best 3.
        assert votes == {"majority": 1.0, "best_of_n": 0.0, "weighted": 1.0, "top_k": 0.0}
    assert Fooled.loads == 1  # once for both sets
    lines = evaluate(*words).splitlines()
    # Paths may be of any length.
    assert max(len(line) for line in lines if str(evaluate.output) not in line) <= 110
    (head,) = [line for line in lines if "best-of-n" in line]
    assert " ".join(head.split()) == "majority vote best-of-n weighted vote top-3 vote pass@n"


def test_more_sets_and_pages(evaluate):
    evaluate("sets=svamp")
    evaluate("sets=sat", "report=true")
    assert evaluate.loads == ["embedded"] * 2
    page = (evaluate.output / "suite.md").read_text()
    assert "- [sat](sat/report/index.html)" in page
    assert (evaluate.output / "sat" / "report" / "index.html").is_file()


def test_other_settings_are_refused(evaluate):
    evaluate()
    line = evaluate("prompt.form=alpaca", code=2)
    assert "svamp: candidates were made with other settings (prompt.form" in line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["sets=[gsm9k]"], "sets: gsm9k: expected some of gsm8k, math, "),
        (["problems.mine=x.jsonl"], "sets: mine: expected some of gsm8k"),
        (['generator.name=""'], "generator: expected a folder or hub id"),
        (['data=""'], "data: expected a folder that holds svamp.jsonl, or a hub data set"),
        (["modes={cot: 0}"], "modes.cot=0: expected cot or pot, and 1 or more samples"),
        (["modes={words: 2}"], "modes.words=2: expected cot or pot"),
        (["modes={cot: 2}", "sampling.temperature=0"], "samples that vote would all be the same"),
        (["verifier=runs/v"], "verifier: it scores samples; ask for some"),
        (["sets=[svamp,gsm8k]"], "expected gsm8k.jsonl in this folder"),
        (["modes={cot: 2}", "verifier=./none"], "model ./none: no such folder"),
        (["evaluate.n=[4]"], "evaluate.n, evaluate.verifier: all samples vote"),
        (["limit=-1"], "problems.limit and problems.offset: expected 0 or more"),
        (
            ["sets=[math,svamp]"],
            "expected math.jsonl in this folder, which holds sat.jsonl, svamp.jsonl",
        ),
    ],
)
def test_bad_input(evaluate, words, line):
    assert line in evaluate(*words, code=2)
    assert evaluate.loads == []
    assert not evaluate.output.exists()


# ---- Where the problems are ----


def test_a_folder_a_hub_data_set_and_a_set_elsewhere(tmp_path):
    folder = problems_of(SuiteConfig(data=str(tmp_path)), "sat")
    assert folder == ProblemsConfig(name="jsonl", path=str(tmp_path), split="sat", convention="sat")
    hub = SuiteConfig(
        data="me/nine",
        limit=5,
        problems={"gsm8k": ProblemsConfig(split="test"), "sat": ProblemsConfig(convention="math")},
    )
    assert problems_of(hub, "aqua") == ProblemsConfig(
        name="hub",
        path="me/nine",
        config="aqua",
        split="test",
        limit=5,
        shuffle=True,
        convention="aqua",
    )
    assert problems_of(hub, "gsm8k") == ProblemsConfig(
        split="test", limit=5, shuffle=True, convention="gsm8k"
    )
    assert problems_of(hub, "sat").convention == "math"


def test_a_set_elsewhere_by_words(evaluate, tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"id": "svamp-1", "question": "1 + 2?", "reference": "3"}) + "\n")
    words = ["sets=svamp", f"problems.svamp={file}", "problems.svamp.fields.answer=reference"]
    (found,) = json.loads(evaluate(*words, "--json"))["sets"]
    assert (found["problems"], accuracies(found)["hybrid"]) == (1, 1.0)


def test_rows_of_the_hub(evaluate, monkeypatch):
    import datasets

    asked = []

    def load_dataset(name, config, *, split, revision):
        asked.append((name, config, split))
        return {"svamp": OPEN, "sat": CHOICE}[config]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    told = json.loads(evaluate("data=me/nine", "--json"))
    assert set(asked) == {("me/nine", "svamp", "test"), ("me/nine", "sat", "test")}
    assert accuracies(told["sets"][0])["cot"] == 0.5


def test_the_configuration_that_comes_along():
    config = load(SuiteConfig, ["suite.yaml", "data=x"])
    assert (config.prompt.form, config.sampling.max_new_tokens) == ("alpaca", 1024)
    assert (config.output, config.modes, config.sets) == ("runs/suite", {}, [])


# ---- Averages and tables of numbers ----


def test_published_averages_are_plain_means():
    assert tuple(SUITE) == PUBLISHED_SETS
    for row in PUBLISHED:
        assert row.mean(PUBLISHED_SETS) == pytest.approx(row.average, abs=0.0501)
    assert PUBLISHED[2].of("sat") == 42.7
    assert len(PUBLISHED) == 18
    # The sum of every number of the paper's table, averages included.
    assert sum(sum(row.accuracies) + row.average for row in PUBLISHED) == pytest.approx(8564.0)


MODELS = [
    *("MAmmoTH-7B", "MAmmoTH-Coder-7B", "MAmmoTH-13B", "MAmmoTH-Coder-13B"),
    *("MAmmoTH-Coder-34B", "MAmmoTH-70B"),
]


@pytest.mark.parametrize(
    ("parameters", "models"),
    [
        (None, MODELS[:2]),
        (2.4e6, MODELS[:2]),
        (6.7e9, MODELS[:2]),
        (8.0e9, MODELS[:2]),
        (9.6e9, MODELS[2:4]),  # above the geometric mean of 7 and 13, 9.54
        (14.8e9, MODELS[2:4]),
        (32.8e9, MODELS[4:5]),
        (72.7e9, MODELS[5:]),
        (4e11, MODELS[5:]),
    ],
)
def test_the_published_models_of_the_nearest_size(parameters, models):
    found = nearest(parameters)
    assert [row.model for row in found] == [name for name in models for _ in range(3)]
    assert [row.decoding for row in found] == ["cot", "pot", "hybrid"] * len(models)


def test_published_models_by_name():
    found = named(["mammoth-coder-34b", "MAmmoTH-13B"])
    assert [(row.model, row.decoding) for row in found] == [
        *(("MAmmoTH-13B", decoding) for decoding in ("cot", "pot", "hybrid")),
        *(("MAmmoTH-Coder-34B", decoding) for decoding in ("cot", "pot", "hybrid")),
    ]
    assert [row.of("math") for row in found] == [12.9, 32.6, 34.2, 11.6, 42.8, 43.6]


def test_published_models_asked_for(evaluate):
    told = json.loads(evaluate("--json", "published=[MAmmoTH-70B]"))
    assert [(row["model"], row["accuracy"]["sat"]) for row in told["published"]] == [
        ("MAmmoTH-70B", 0.573),
        ("MAmmoTH-70B", 0.641),
        ("MAmmoTH-70B", 0.664),
    ]
    assert (
        "averages that the paper prints, over all nine sets: "
        "MAmmoTH-70B CoT 49.2, MAmmoTH-70B PoT 60.1, MAmmoTH-70B hybrid 63.4"
    ) in told["notes"]


def test_a_published_model_that_does_not_exist_is_told_before_anything_is_sampled(evaluate):
    told = evaluate("published=[MAmmoTH-8B]", code=2)
    assert told.startswith("assay: published: MAmmoTH-8B: expected some of MAmmoTH-7B, MAmmoTH-C")
    assert evaluate.loads == []


def test_a_printed_average_that_is_not_the_mean_of_its_row_is_told():
    right, wrong = PUBLISHED[:2]
    wrong = dataclasses.replace(wrong, average=46.3)
    one = {what: np.ones(2) for what in ("cot", "pot", "hybrid")}
    sets = [SetResult(name, one, np.zeros(2)) for name in SUITE]
    note = (
        "averages that the paper prints, which are not the means of its rows: MAmmoTH-7B PoT 46.3"
    )
    assert note in SuiteResult("x", sets, published=[right, wrong]).notes()
    exact = SuiteResult("x", sets, published=PUBLISHED)
    assert not any("averages" in note for note in exact.notes())
    assert sum(one.problems for one in SUITE.values()) == 11_323


def test_an_average_counts_sets_and_not_problems():
    sets = [
        SetResult("gsm8k", {"cot": np.ones(30)}, np.zeros(30)),
        SetResult("math", {"cot": np.zeros(90)}, np.zeros(90)),
    ]
    for one in sets:
        one.right["pot"] = one.right["hybrid"] = np.tile([0.0, 1.0], one.problems // 2)
    found = SuiteResult("x", sets)
    flat = found.average("cot")
    assert (flat.value, flat.low, flat.high) == pytest.approx((0.5, 0.5, 0.5))
    average = found.average("pot")
    # Standard error of the mean of two independent means: half of sqrt(1/120 + 1/360) = 0.0527.
    assert average.value == 0.5
    assert average.high - average.low == pytest.approx(2 * 1.96 * 0.0527, rel=0.1)


def test_the_table_of_sets(capsys):
    assert command_line.main(["evaluate-suite", "--show-sets"]) == 0
    text = capsys.readouterr().out
    assert text == sets_table() + "\n"
    assert max(map(len, text.splitlines())) <= 110
    for name in SUITE:
        assert any(line.split()[:1] == [name] for line in text.splitlines())
    page = Path(__file__).resolve().parents[2] / "docs" / "suite.md"
    assert text in page.read_text(encoding="utf-8")


def test_an_engine_is_kept_until_another_is_asked_for(monkeypatch):
    import pickle

    from assay.generator.models import ModelConfig
    from assay.search.stages.mixture import Origin

    loads = []
    monkeypatch.setattr(
        engines, "make_engine", lambda config, model: loads.append(model.name) or object()
    )
    kept = Engines()
    one, other = (Origin(generator=ModelConfig(name=name)) for name in ("one", "other"))
    assert kept.get(one) is kept.get(one)
    kept.get(other)
    kept.release()
    kept.get(other)
    assert loads == ["one", "other", "other"]
    # What goes to another process starts without an engine.
    pickle.loads(pickle.dumps(kept)).get(other)
    assert loads == ["one", "other", "other", "other"]
