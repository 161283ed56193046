"""What `assay run` tells and refuses before it trains: questions of the tests among the others.

And that it reads nothing twice.
"""

import dataclasses
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from assay import command_line
from assay.evaluation.choice import read_choice
from assay.generator.engines import Completion
from assay.pools.rows import scores_table
from assay.pools.run import Run
from assay.problems import sets
from assay.search.drivers import run as loop
from assay.search.drivers.run import LoopConfig, check_leaks, fine_tune
from assay.search.stages import engines
from assay.search.stages import grade as grading
from assay.search.stages import sample as sampling
from assay.search.stages import score as stages
from assay.settings.errors import UserError
from assay.settings.schema import load
from assay.verifier.training_problems import write_training_problems
from tests.search.characters import Characters

pytestmark = pytest.mark.usefixtures("undrawn")

LONG = "Tom buys 12 red apples and 30 green apples and gives 9 of them to his sister"


@pytest.fixture
def words(tmp_path):
    rows = {
        "train": [("x", "First, " + LONG), ("y", "Unseen?"), ("z", "What is 1 + 1?")],
        "test": [("a", "Now " + LONG), ("b", "Other?")],
        "same": [("c", "Unseen?")],
    }
    for name, items in rows.items():
        text = "".join(json.dumps({"id": i, "question": q, "answer": "1"}) + "\n" for i, q in items)
        (tmp_path / f"{name}.jsonl").write_text(text)
    return ["problems=jsonl", f"problems.path={tmp_path}", f"output={tmp_path / 'out'}"]


def test_overlaps_are_told_and_nothing_is_left_out(words, capsys):
    assert check_leaks(load(LoopConfig, words)) == frozenset()
    assert capsys.readouterr().out.splitlines() == [
        "contamination: 3 problems against 2 (13 words in a row)",
        "              problems   found   training problems",
        "  tests.test         2       1                   1",
        "  in all             2       1                   1",
        "  for example x and tests.test: a",
        "    “tom buys 12 red apples and 30 green apples and gives 9 of”",
    ]


def test_a_question_of_a_test_is_refused_or_left_out(words, capsys):
    words.append("tests={same: {split: same}}")
    with pytest.raises(
        UserError,
        match=r"tests\.same: c is among the training problems; contamination\.drop=true leaves",
    ):
        check_leaks(load(LoopConfig, words))
    words.append("contamination.drop=true")
    assert check_leaks(load(LoopConfig, words)) == {"First, " + LONG, "Unseen?"}
    assert capsys.readouterr().out.endswith("  left out of training: 2 problems\n")


def test_other_sets_are_compared_too(words, tmp_path, capsys):
    words += [f"contamination.against=[{tmp_path / 'same.jsonl'}]", "contamination.drop=true"]
    dropped = check_leaks(load(LoopConfig, words))
    assert dropped == {"First, " + LONG, "Unseen?"}
    assert "  same               1       1                   1\n" in capsys.readouterr().out


def test_where_nothing_would_be_left(words):
    words += ["pool.limit=1", "contamination.drop=true"]
    with pytest.raises(UserError, match="every problem of pool overlaps; none is left"):
        check_leaks(load(LoopConfig, words))


def test_what_is_left_out_is_trained_on_nowhere(words, monkeypatch):
    words += ["validation={split: train, limit: 2}"]
    config = load(LoopConfig, words)
    given = []
    monkeypatch.setattr(loop, "train_generator", lambda _, *problems: given.extend(problems))
    fine_tune(config, frozenset({"Unseen?"}))
    assert [[p.id for p in problems] for problems in given] == [["x", "z"], ["x"]]


def test_names_of_folders_are_no_names_of_tests(words, capsys):
    assert command_line.main(["run", *words, "tests={verifier: {split: test}}"]) == 2
    assert capsys.readouterr().err == (
        "assay: tests.verifier: this name is taken; choose another\n"
    )


def trained(folder):
    """A training that took no time, as `_costs` reads it."""
    folder.mkdir(parents=True)
    (folder / "assay.json").write_text("{}")
    return folder


def scored(config):
    """A run with a score for every candidate, by no model."""
    run = Run.open(config.run)
    run.register("scores/verifier", {"verifier": "v"}, {"verifier": {"name": config.verifier.name}})
    for part in run.missing("scores/verifier", run.parts("answers")):
        rows = run.read("answers", part, ["problem_id", "origin", "mode", "sample"]).to_pylist()
        scores = [{**row, "score": (row["sample"] + 1) / 10} for row in rows]
        run.write("scores/verifier", part, scores_table(scores, values=False), 1.0)
    return run


def test_every_split_is_loaded_once_and_every_pool_read_once(tmp_path, monkeypatch, capsys):
    embedded = Path(loop.__file__).resolve().parents[2] / "generator" / "embedded"
    output = tmp_path / "loop"
    words = [
        *(f"output={output}", "problems=gsm_symbolic", "train.limit=4", "pool.limit=3"),
        *("validation={split: test, offset: 9, limit: 2}", "problems_per_part=1", "workers=1"),
        "tests={test: {limit: 3}, hard: {split: hard, limit: 2}}",
        *("pool_modes={cot: 2, pot: 2}", "modes={cot: 2, pot: 2}", "sampling.max_new_tokens=8"),
        *("generator.model.device=cpu", "evaluate.draws=5", "evaluate.bootstrap=5"),
    ]
    splits, reads, finished = Counter(), Counter(), set()
    read_part = Run.read

    def load_problems(config):
        splits[config.split, config.offset, config.limit] += 1
        return sets.load_problems(config)

    def read(run, stage, part, *columns):
        if run.path.name in finished:
            reads[run.path.name, stage, part.filename] += 1
        return read_part(run, stage, part, *columns)

    def sample(config, **more):
        model = dataclasses.replace(config.generator, name=str(embedded))
        return sampling.sample(dataclasses.replace(config, generator=model), **more)

    def grade(config):
        run = grading.grade(config)
        if run.path.name == "train":  # which is not scored
            finished.add("train")
        return run

    def score(config):
        run = scored(config)
        finished.add(run.path.name)
        return run

    monkeypatch.setattr(Run, "read", read)
    monkeypatch.setattr(loop, "load_problems", load_problems)
    monkeypatch.setattr(sampling, "load_problems", load_problems)
    monkeypatch.setattr(loop, "train_generator", lambda *_: trained(output / "generator"))
    monkeypatch.setattr(loop, "sample", sample)
    monkeypatch.setattr(loop, "grade", grade)
    monkeypatch.setattr(loop, "verifier_training", lambda *_: None)
    monkeypatch.setattr(loop, "train_verifier", lambda *_: trained(output / "verifier"))
    monkeypatch.setattr(loop, "score", score)
    loop.run(load(loop.LoopConfig, words))
    shown = capsys.readouterr().out
    assert "One problem of test, solved:" in shown
    assert "hard: grade" in shown
    assert splits == dict.fromkeys(
        [("train", 0, 4), ("train", 0, 3), ("test", 9, 2), ("test", 0, 3), ("hard", 0, 2)], 1
    )
    assert not (output / "choice.json").exists()  # without held-out problems
    graded = {
        (run, stage) for run in ("train", "test", "hard") for stage in ("candidates", "answers")
    }
    scores = {(run, "scores/verifier") for run in ("test", "hard")}
    assert {key[:2] for key in reads} == graded | scores
    assert set(reads.values()) == {1}


class Guesses:
    """An engine that knows the answers of most problems, and gives two of three in words."""

    tokenizer = Characters()

    def __init__(self):
        splits = {s: sets.ProblemsConfig(name="gsm_symbolic", split=s) for s in ("train", "test")}
        problems = [
            problem
            for config in splits.values()
            for problem in sets.load_problems(dataclasses.replace(config, limit=16))
        ]
        self.answers = {problem.id: problem.answer for problem in problems}

    def sample(self, requests, params):
        for i, request in enumerate(requests):
            name, mode = request.key.split("/")[:2]
            for sample in range(request.count):
                known = (int(name[-2:]) + sample + (mode == "pot")) % 3
                answer = self.answers[name] if known else "0"
                text = f"print({answer})" if mode == "pot" else f"#### {answer}"
                yield Completion(i, sample, text, [7], -2.0 + known, "eos")


@pytest.fixture
def loop_words(tmp_path, monkeypatch):
    """A loop that takes no time: nothing is trained but the ranker, no model is asked."""
    output = tmp_path / "loop"
    embedded = Path(loop.__file__).resolve().parents[2] / "generator" / "embedded"
    (output / "generator").mkdir(parents=True)
    for file in embedded.iterdir():
        (output / "generator" / file.name).symlink_to(file)
    (output / "generator" / "assay.json").write_text('{"prompt": {"form": "plain"}}')

    def verified(config, pool):
        folder = output / "verifier"
        if not folder.exists():
            write_training_problems(trained(folder), [item.problem for item in pool], [])
        return folder

    def score(config):
        return stages.score(config) if config.ranker else scored(config)

    guesses = Guesses()
    monkeypatch.setattr(engines, "make_engine", lambda *_: guesses)
    monkeypatch.setattr(Figure, "savefig", lambda _, stream, **__: stream.write(b"<svg></svg>"))
    monkeypatch.setattr(loop, "train_generator", lambda *_: output / "generator")
    monkeypatch.setattr(loop, "verifier_training", lambda *_: None)
    monkeypatch.setattr(loop, "train_verifier", verified)
    monkeypatch.setattr(loop, "score", score)
    return [
        *(f"output={output}", "problems=gsm_symbolic", "train.limit=4", "pool.limit=3"),
        *("held.limit=10", "held_modes={cot: 1, pot: 1}", "workers=1", "ranker.importance=0"),
        *("tests={test: {split: test, limit: 2}}", "ranker.rounds=2", "ranker.folds=2"),
        *("pool_modes={cot: 1, pot: 1}", "modes={cot: 2, pot: 2}", "sampling.max_new_tokens=40"),
        *("generator.model.device=cpu", "evaluate.draws=5", "evaluate.bootstrap=5"),
        *("choose.draws=5", "choose.bootstrap=20"),
    ]


def test_held_out_problems_train_the_ranker_and_choose_the_rule(loop_words, tmp_path, capsys):
    assert command_line.main(["run", *loop_words]) == 0
    shown = capsys.readouterr().out
    output = tmp_path / "loop"
    steps = [line.split("] ")[1] for line in shown.splitlines() if line.startswith("[")]
    assert [step.removesuffix(" …") for step in steps if step.endswith("…")][3:] == [
        *("train the verifier", "held: sample", "held: run programs and grade", "held: score"),
        *("train the ranker", "choose the rule"),
        *("test: sample", "test: run programs and grade", "test: score", "test: rank"),
    ]
    assert "[13/13] test: rank" in shown
    assert "  held" in shown.split("[1/13]")[0]  # compared with the training problems, too
    held, test = (Run.open(str(output / name)) for name in ("held", "test"))
    # After the problems that training takes.
    assert [problem.id for problem in held.problems][:2] == [
        "gsm_symbolic-train-00004",
        "gsm_symbolic-train-00005",
    ]
    assert held.verifiers() == test.verifiers() == ["verifier", "ranker"]
    choice = read_choice(str(output / "choice.json"))
    assert (choice.n, choice.held_out["problems"]) == (2, 10)
    used = choice.scorers["ranker"]
    assert (used.path, used.reads) == (
        str(output / "ranker"),
        {"verifier": str(output / "verifier")},
    )
    assert f"by {choice.chosen.spec.label(2)})" in shown  # one problem, solved
    assert "held: sample" in shown.split("worker seconds")[1]
    last = shown.splitlines()[-1]
    assert last == f'solve:  assay solve generator={output / "generator"} "QUESTION"'

    # The same again does nothing twice, and chooses the same.
    record = (output / "choice.json").read_text()
    made = {path: path.stat().st_mtime_ns for path in output.rglob("part-*.parquet")}
    assert command_line.main(["run", *loop_words]) == 0
    assert made == {path: path.stat().st_mtime_ns for path in output.rglob("part-*.parquet")}
    assert (output / "choice.json").read_text() == record


def test_without_enough_right_candidates_there_is_no_ranker(loop_words, capsys):
    assert command_line.main(["run", *loop_words, "ranker.folds=5"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"no ranker: \d problems have (right|wrong) candidates", shown)
    assert "test: rank" not in shown


def test_a_loop_without_held_out_problems_goes_on_with_them(loop_words, tmp_path, capsys):
    """As runs from before there was a choice."""
    assert command_line.main(["run", *loop_words, "held.limit=0"]) == 0
    before = capsys.readouterr().out
    assert "[7/7] test: score" in before
    assert not (tmp_path / "loop" / "held").exists()
    assert before.splitlines()[-1].endswith(f'verifier={tmp_path / "loop" / "verifier"} "QUESTION"')
    assert command_line.main(["run", *loop_words, "train_ranker=false"]) == 0
    assert "[11/11] test: score" in capsys.readouterr().out
    assert set(read_choice(str(tmp_path / "loop" / "choice.json")).scorers) == {"verifier"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["held.limit=9"], "held.limit=9: expected 10 or more, or 0 for none"),
        (["choose.n=3"], "choose.n=3: held_modes give 2 candidates"),
        (["train.limit=0"], "held: another step takes all the problems of split train"),
        (["held.offset=2"], "held: gsm_symbolic-train-00002 is among the training problems"),
        (["held.split=test", "held.offset=1"], "test: gsm_symbolic-test-00001 is among the held"),
        (["mixture={hot: {}}"], "held: no rule can be chosen for a mixture"),
        (["tests={held: {split: test}}"], "tests.held: this name is taken; choose another"),
    ],
)
def test_held_out_problems_that_do_not_fit(loop_words, more, expected, capsys):
    assert command_line.main(["run", *loop_words, *more]) == 2
    assert expected in capsys.readouterr().err
