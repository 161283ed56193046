"""The public API: what it gives, that it is light and quiet, and that docs/api.md is true."""

import doctest
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import assay
from assay import api, command_line
from assay.generator.engines import Completion
from assay.generator.models import ModelConfig
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.problems.problem import Problem
from assay.search.solving import solver
from assay.verifier.config import ScoreConfig, VerifierModelConfig
from assay.verifier.model import Verifier
from assay.verifier.scorers.own import Readable, Scorer
from tests.search.characters import Characters

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "api.md"


# The names


def modules_after(code):
    """The top-level modules, and ours, that are there after `code`."""
    code = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {*done.stdout.split()}


def test_importing_assay_imports_nothing_else():
    before = modules_after("import typing")
    assert {m for m in modules_after("import assay") if m.startswith("assay")} == {"assay"}
    heavy = {"torch", "transformers", "pandas", "numpy", "pyarrow", "scipy", "sympy", "omegaconf"}
    assert not modules_after("import assay") - before - {"assay"} & heavy
    assert not modules_after("import assay; dir(assay)") & heavy


def test_comparing_answers_and_running_programs_need_no_models():
    code = "import assay; assay.extract('#### 1'); assay.classes(['1', '2']); assay.Sandbox"
    assert not modules_after(code) & {"torch", "transformers", "pandas", "pyarrow", "omegaconf"}


def test_every_public_name_is_there_and_documented():
    assert sorted(assay.__all__) == assay.__all__
    assert {*assay.__all__} <= {*dir(assay)}
    text = PAGE.read_text(encoding="utf-8")
    rooms = {"verifier", "search"}  # as examples of what is not public
    assert {*re.findall(r"\bassay\.([a-zA-Z]\w*)", text)} - rooms == {*assay.__all__}
    for name in assay.__all__:
        value = getattr(assay, name)
        assert value is getattr(api, name)
        assert value.__doc__, name


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'assay' has no attribute 'Solvr'"):
        assay.Solvr  # noqa: B018
    with pytest.raises(ImportError):
        from assay import equivalence  # noqa: F401


@pytest.mark.slow
def test_type_checkers_see_the_names(tmp_path):
    assert (ROOT / "assay" / "py.typed").is_file()
    mine = tmp_path / "mine.py"
    mine.write_text(
        "import assay\n"
        "reveal_type(assay.equivalent('1', '1'))\n"
        "reveal_type(assay.Solver().solve('?').votes)\n"
        "reveal_type(assay.Run.open('x'))\n"
        "assay.Nothing\n"
    )
    # From the root, so that what is known of the project and its dependencies is not found anew.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", str(mine)], cwd=ROOT, capture_output=True, text=True
    )
    lines = [line for line in done.stdout.splitlines() if "mine.py:" in line]
    assert [line.split(": ", 2)[2] for line in lines] == [
        'Revealed type is "bool | None"',
        'Revealed type is "dict[str, int]"',
        'Revealed type is "assay.api.Run"',
        'Module has no attribute "Nothing"  [attr-defined]',
    ], done.stdout + done.stderr


# The page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a graded run `runs/test` and a verifier `runs/v`, whose head is not trained."""
    folder = tmp_path_factory.mktemp("api")
    torch.manual_seed(0)
    model, tokenizer = Verifier.from_base(VerifierModelConfig(base=ModelConfig(name="embedded")))
    with torch.no_grad():
        model.gain.fill_(1.0)
    model.save_pretrained(folder / "runs" / "v", tokenizer)
    problems = folder / "problems.jsonl"
    rows = [{"id": str(i), "question": f"What is {i} + 1?", "answer": str(i + 1)} for i in (1, 2)]
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = str(folder / "runs" / "test")
    words = [f"problems={problems}", "generator=embedded", "prompt.form=plain", "workers=1"]
    sizes = ["modes.cot=2", "modes.pot=2", "sampling.max_new_tokens=30"]
    assert command_line.main(["sample", run, *words, *sizes]) == 0
    assert command_line.main(["grade", run]) == 0
    return folder


@pytest.mark.slow
def test_the_examples_of_the_page(folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    capfd.readouterr()
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    out, err = capfd.readouterr()
    assert result.failed == 0, out
    assert result.attempted > 20
    assert (out, err) == ("", "")
    # Only its own folder was read, and nothing was written.
    assert sorted(path.name for path in folder.iterdir()) == ["problems.jsonl", "runs"]


def test_a_run(folder, capfd):
    path = folder / "runs" / "test"
    capfd.readouterr()
    frame = assay.Run.open(path).frame(texts=True)
    assert frame.equals(load_frame(Run.open(str(path)), texts=True))
    assert len(frame) == 8
    assert "text" in frame
    assert "text" not in assay.Run.open(path).frame()
    with pytest.raises(assay.UserError):
        assay.Run.open(folder)
    assert capfd.readouterr() == ("", "")


def test_a_verifier(folder, capfd):
    name = str(folder / "runs" / "v")
    verifier = assay.load_verifier(folder / "runs" / "v")
    words = ["It is 4.\n#### 4", "It is 5.\n#### 5", "word " * 2000]
    scores = verifier.score("What is 2 + 2?", words)
    assert scores.shape == (3,)
    assert scores.dtype == np.float32
    assert np.isnan(scores).tolist() == [False, False, True]
    wanted = Scorer(ModelConfig(name=name)).score(
        Problem("x", "What is 2 + 2?"), [Readable("cot", text, "") for text in words], ScoreConfig()
    )
    np.testing.assert_array_equal(scores, wanted.scores)
    assert verifier.score("What is 2 + 2?", []).shape == (0,)
    program = verifier.score("What is 2 + 2?", ["print(2 + 2)"], mode="pot", outputs=["4\n"])
    assert program.shape == (1,)
    with pytest.raises(assay.UserError, match="outputs: expected 3, one a solution, found 1"):
        verifier.score("What is 2 + 2?", words, mode="pot", outputs=["4\n"])
    with pytest.raises(assay.UserError, match="not a verifier"):
        assay.load_verifier(str(folder))
    assert capfd.readouterr() == ("", "")


# Solving

TEXTS = {
    "cot": ["It is\n#### 0.5", "It is\n#### 7", "no idea"],
    "pot": ["print(7 / 2)", "print(1 / 2)", "print(1 / 0)"],
}


class Written:
    """An engine that always says `TEXTS`."""

    tokenizer = Characters()

    def sample(self, requests, params):
        self.temperature = params.temperature
        for i, request in enumerate(requests):
            mode = request.key.rpartition("/")[2]
            for sample in range(request.count):
                yield Completion(i, sample, TEXTS[mode][sample], [7], -1.0, "eos")


@pytest.fixture
def engine(monkeypatch):
    made = Written()
    monkeypatch.setattr(solver, "make_engine", lambda config, model: made)
    return made


def test_solving(engine, capfd):
    form = {"prompt": {"form": "plain"}, "sampling": {"temperature": 0.25}}
    solved = assay.Solver("any", n=6, settings=form).solve("What is a half?")
    assert engine.temperature == 0.25
    assert (solved.question, solved.answer, solved.rule) == ("What is a half?", "0.5", "majority")
    assert list(solved.votes.items()) == [("0.5", 2), ("7", 1), ("3.5", 1)]
    assert [(one.mode, one.answer, one.outcome) for one in solved.candidates] == [
        ("cot", "0.5", ""),
        ("cot", "7", ""),
        ("cot", None, ""),
        ("pot", "3.5", "ok"),
        ("pot", "0.5", "ok"),
        ("pot", None, "error"),
    ]
    assert [one.output for one in solved.candidates[3:5]] == ["3.5\n", "0.5\n"]
    assert solved.solution in (solved.candidates[0], solved.candidates[4])
    assert all(math.isnan(one.score) for one in solved.candidates)
    assert capfd.readouterr() == ("", "")


def test_many_questions(engine):
    form = {"prompt": {"form": "plain"}}
    many = assay.Solver("any", n=2, modes=["cot"], settings=form).solve_all(["a?", "b?", "a?"])
    assert [(one.question, len(one.candidates)) for one in many] == [
        ("a?", 2),
        ("b?", 2),
        ("a?", 2),
    ]


def test_multiple_choice(engine):
    of_words = assay.Solver("any", n=1, modes=["cot"], settings={"prompt": {"form": "plain"}})
    assert of_words.solve("a?", ["0.25", "0.5"]).answer == "B"


def test_a_question_that_nobody_answers(engine, monkeypatch):
    monkeypatch.setitem(TEXTS, "cot", ["no idea", "none"])
    solved = assay.Solver("any", n=2, modes=["cot"], settings={"prompt": {"form": "plain"}})
    nothing = solved.solve("a?")
    assert (nothing.answer, nothing.solution, nothing.votes) == (None, None, {})
    assert len(nothing.candidates) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"n": 0}, "n=0: expected 1 or more"),
        ({"rule": "weighted"}, "rule=weighted: needs a verifier"),
        ({"rule": "best"}, "rule=best: expected one of majority"),
        ({"modes": []}, "modes: expected at least one of cot, pot"),
        ({"settings": {"samplng": {}}}, "samplng: unknown key; did you mean sampling?"),
        ({"generator": "/nowhere"}, "/nowhere"),
    ],
)
def test_settings_that_do_not_fit(given, expected):
    with pytest.raises(assay.UserError, match=re.escape(expected)):
        assay.Solver(**given)


# Curves


def random_pool(seed=0, shape=(40, 8)):
    random = np.random.default_rng(seed)
    classes = random.integers(-1, 3, size=shape)
    labels = classes == 1
    return classes, labels, random.normal(size=shape) + labels


def test_the_accuracy_of_rules_on_whole_pools():
    classes, labels, scores = random_pool()
    evaluation = assay.evaluate(classes, labels, scores=scores, n=[8])
    # By the plainest loops: a problem counts by the share of its best that are right.
    accuracy = {"single": [], "pass": [], "majority": [], "best_of_n": [], "weighted": []}
    for own, right, score in zip(classes, labels, scores, strict=True):
        answers = sorted({*own[own >= 0].tolist()})
        accuracy["single"].append(right.mean())
        accuracy["pass"].append(right.any())
        counts = {answer: (own == answer).sum() for answer in answers}
        best = [answer for answer in answers if counts[answer] == max(counts.values())]
        accuracy["majority"].append(np.mean([right[own == answer].any() for answer in best]))
        accuracy["best_of_n"].append(right[np.argmax(np.where(own >= 0, score, -np.inf))])
        sums = {a: np.maximum(score, 0)[own == a].sum() for a in answers}
        accuracy["weighted"].append(right[own == max(sums, key=lambda a: sums[a])].any())
    for rule, values in accuracy.items():
        at = 1 if rule == "single" else 8
        known = {*zip(evaluation.frame["rule"], evaluation.frame["n"], strict=True)}
        if (rule, at) in known:
            assert evaluation.mean(rule, "cot", at) == pytest.approx(np.mean(values), abs=0.02)
    assert evaluation.mean("pass", "cot", 8) == np.mean(accuracy["pass"])
    assert evaluation.mean("best_of_n", "cot", 8) == pytest.approx(np.mean(accuracy["best_of_n"]))


def test_rows_keep_their_order_and_types_of_arrays_do_not_matter():
    classes, labels, scores = random_pool(1, (120, 4))
    first = assay.evaluate(classes, labels, scores=scores, rules=["weighted"], n=[2, 4])
    lists = assay.evaluate(
        classes.tolist(),
        labels.astype(float),
        scores=scores.tolist(),
        rules=("weighted",),
        n=(2, 4),
    )
    assert first.frame.equals(lists.frame)
    values = first.per_problem["pass", "cot", 4]
    assert values.tolist() == labels.any(axis=1).astype(float).tolist()


def test_modes_places_without_candidates_and_labels_that_are_unknown():
    classes = [[0, 0, 1, -1], [0, 1, 5, 5]]
    modes = [["cot", "cot", "pot", "pot"], ["cot", "pot", "", ""]]
    labels = [[True, True, False, False], [None, True, None, None]]
    evaluation = assay.evaluate(classes, labels, modes=modes, n=[1])
    assert evaluation.mean("single", "cot", 1) == 0.5
    assert evaluation.mean("single", "pot", 1) == 0.5
    assert evaluation.problems("cot") == 2
    assert any("without a label" in note for note in evaluation.notes)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"labels": np.zeros((40, 7))}, "labels: expected shape (40, 8) as classes has, found"),
        ({"scores": np.zeros(40)}, "scores: expected shape (40, 8) as classes has, found (40,)"),
        ({"modes": "pot"}, "modes: expected shape (40, 8) as classes has, found ()"),
        (
            {"classes": [0, 1]},
            "classes: expected an array of shape (problems, samples), found",
        ),
        ({"classes": np.zeros((0, 8))}, "classes: expected an array of shape"),
        ({"modes": np.full((40, 8), "tot")}, "unknown mode 'tot'"),
        (
            {"modes": np.where(np.arange(40) == 7, "", "cot")[:, None].repeat(8, 1)},
            "modes: expected a candidate or more a problem, row 7 has none",
        ),
        ({"rules": ["best"]}, "rules=best, expected one of"),
        ({"rules": ["weighted"]}, "weighted"),
        ({"n": [9]}, "n=9 is more than the 8 candidates"),
        ({"settings": {"bootstrp": 3}}, "bootstrp: unknown key; did you mean bootstrap?"),
        ({"labels": np.full((40, 8), np.nan)}, "no candidate has a label"),
    ],
)
def test_arrays_that_do_not_fit(given, expected):
    classes, labels, _ = random_pool()
    with pytest.raises(assay.UserError, match=re.escape(expected)):
        assay.evaluate(**{"classes": classes, "labels": labels, **given})
