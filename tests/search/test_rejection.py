"""Rejection sampling by commands: what a generator learns of its own pools, and what is refused."""

import json
import random
import re

import pytest

from assay import command_line
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.problems.problem import Problem, Solution, write_problems

THINGS = ("pens", "eggs", "cups", "keys")
SAMPLED = ["generator.device=cpu", "prompt.form=plain", "modes.cot=0", "workers=1"]
TRAINED = [
    *("model=embedded", "model.device=cpu", "prompt.form=plain", "rationales.modes=[pot]"),
    *("learning_rate=2e-3", "schedule=linear", "epochs=2", "batch_size=8"),
]


def questions(count, seed):
    """Questions of one step, of four kinds."""
    rng = random.Random(seed)
    problems = []
    for i in range(count):
        a, b, c = rng.randint(20, 60), rng.randint(2, 9), rng.randint(2, 9)
        name, thing = rng.choice(["Ann", "Bob", "Eve", "Tom"]), rng.choice(THINGS)
        question, expression, answer = rng.choice(
            [
                (f"{name} has {a} % and buys {b} more. How many % are there?", f"{a} + {b}", a + b),
                (f"{name} has {a} % and loses {b}. How many % are left?", f"{a} - {b}", a - b),
                (
                    f"There are {b} boxes with {c} % each. How many % are there?",
                    f"{b} * {c}",
                    b * c,
                ),
                (
                    f"{name} shares {b * c} % among {b}. How many % does each get?",
                    f"{b * c} / {b}",
                    c,
                ),
            ]
        )
        solution = Solution("pot", f"x1 = {expression}\nprint(x1)")
        asked = question.replace("%", thing)
        problems.append(Problem(f"{seed}-{i}", asked, str(answer), solutions=(solution,)))
    return problems


@pytest.fixture
def assay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        return command_line.main(list(map(str, words)))

    return run


@pytest.fixture
def pooled(assay):
    """Samples and grades; returns the share of right candidates."""

    def make(name, problems, generator, samples, *more):
        words = [f"generator={generator}", f"modes.pot={samples}", *SAMPLED, *more]
        limits = ["sampling.temperature=0.7", "sampling.max_new_tokens=48"]
        assert assay("sample", name, *problems, *words, *limits) == 0
        assert assay("grade", name, "workers=1") == 0
        return float(load_frame(Run.open(name))["label"].astype(float).mean())

    return make


def test_two_rounds_raise_accuracy(assay, pooled, tmp_path, capsys):
    for name, count, seed in (("references", 16, 3), ("pool", 24, 1), ("test", 40, 2)):
        write_problems(tmp_path / f"{name}.jsonl", questions(count, seed))
    assert assay("train-generator", "g0", *TRAINED, "problems=references.jsonl") == 0
    before = pooled("t0", ["problems=test.jsonl"], "g0", 2)
    pools = []
    for number in (1, 2):
        pools.append(f"p{number}")
        pooled(pools[-1], ["problems=pool.jsonl"], f"g{number - 1}", 4)
        words = ["problems=references.jsonl", f"pools=[{','.join(pools)}]"]
        assert assay("train-generator", f"g{number}", *TRAINED, *words) == 0
    after = pooled("t2", ["problems=test.jsonl"], "g2", 2)
    assert before < 0.85
    assert after >= before + 0.1
    record = json.loads((tmp_path / "g2" / "assay.json").read_text())
    taken = record["rejection"]["modes"]["pot"]["taken"]
    assert record["rejection"]["pools"] == ["p1", "p2"]
    assert record["counts"]["pot"] == 16 + taken
    told = capsys.readouterr().err
    assert re.search(r"rejection sampling: 192 candidates of \d+ problems in 2 pools", told)
    # The same command again finds the finished one.
    written = (tmp_path / "g2" / "model.safetensors").stat().st_mtime_ns
    assert assay("train-generator", "g2", *TRAINED, *words) == 0
    assert (tmp_path / "g2" / "model.safetensors").stat().st_mtime_ns == written
    # Other choices are other data.
    assert assay("train-generator", "g2", *TRAINED, *words, "rejection.references=0") == 2
    assert "examples" in capsys.readouterr().err


@pytest.mark.full
def test_two_rounds_of_gsm_symbolic(assay, pooled):
    """On questions that the base does not know: some minutes."""
    references = ["problems=gsm_symbolic", "problems.limit=100"]
    pool = ["problems=gsm_symbolic", "problems.limit=400", "sampling.max_new_tokens=160"]
    test = ["problems=gsm_symbolic", "problems.split=test", "problems.limit=200"]
    assert assay("train-generator", "g0", *TRAINED, *references) == 0
    accuracy = [pooled("t0", test, "g0", 4)]
    pools = []
    for number in (1, 2):
        pools.append(f"p{number}")
        pooled(pools[-1], pool, f"g{number - 1}", 8)
        words = [*references, f"pools=[{','.join(pools)}]"]
        assert assay("train-generator", f"g{number}", *TRAINED, *words) == 0
        accuracy.append(pooled(f"t{number}", test, f"g{number}", 4))
    assert accuracy[2] > accuracy[0] + 0.05


@pytest.fixture
def imported(assay, tmp_path):
    """A graded pool of two problems that somebody else sampled."""
    rows = [
        {
            "id": p.id,
            "question": p.question,
            "answer": p.answer,
            "solutions": [],
            "candidates": texts,
        }
        for p, texts in zip(questions(2, 5), (["print(1)"], ["print(2)"]), strict=True)
    ]
    for row, problem in zip(rows, questions(2, 5), strict=True):
        row["candidates"] = [
            {"mode": "pot", "text": problem.solutions[0].text},
            {"mode": "pot", "text": f"x = {problem.answer}\nprint(x)"},
            {"mode": "pot", "text": "print(-1)"},
        ]
        row["solutions"] = [{"mode": "pot", "text": problem.solutions[0].text}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "pool.jsonl").write_text(text)
    assert assay("import", "pool.jsonl", "run=pool") == 0
    assert assay("grade", "pool", "workers=1") == 0
    return rows


def test_the_pools_own_references_and_contamination(assay, imported, tmp_path, capsys):
    words = ["train-generator", "g", *TRAINED, "pools=[pool]", "epochs=1"]
    assert assay(*words) == 0
    told = capsys.readouterr().err
    # Two references, and the other way to each answer.
    assert "2 solutions of 2 problems taken" in told
    assert "2 are what a reference solution computes" in told
    assert "train generator: 0 solutions in words, 4 programs of 2 problems" in told
    # Questions of an evaluation set are not learnt, neither their references nor their candidates.
    (tmp_path / "eval.jsonl").write_text(
        json.dumps({"id": "e", "question": imported[0]["question"], "answer": "1"}) + "\n"
    )
    clean = ["contamination.against=[eval.jsonl]", "contamination.drop=true", "output=clean"]
    assert assay(*words, *clean) == 0
    told = capsys.readouterr().err
    assert "contamination: 2 problems against 1" in told
    assert "train generator: 0 solutions in words, 2 programs of 1 problems" in told


def test_held_out_questions_are_not_learnt(assay, imported, tmp_path, capsys):
    held = {key: imported[0][key] for key in ("id", "question", "answer", "solutions")}
    (tmp_path / "held.jsonl").write_text(json.dumps(held) + "\n")
    words = ["train-generator", "g", *TRAINED, "pools=[pool]", "epochs=1", "problems=two.jsonl"]
    write_problems(tmp_path / "two.jsonl", questions(3, 9))
    coverage = ["coverage.problems=1", "coverage.samples=1", "validation=held.jsonl"]
    assert assay(*words, *coverage) == 0
    # Three references, and the two ways to the other problem.
    assert "0 solutions in words, 5 programs of 4 problems" in capsys.readouterr().err


def test_a_pool_of_test_problems(assay, pooled, tmp_path, capsys):
    write_problems(tmp_path / "test.jsonl", questions(1, 2))
    pooled("tested", ["problems=test.jsonl", "problems.split=test"], "embedded", 1)
    assert assay("train-generator", "g", *TRAINED, "pools=[tested]") == 2
    assert "tested holds problems of the split test" in capsys.readouterr().err


def test_a_folder_that_is_no_run(assay, tmp_path, capsys):
    assert assay("train-generator", "g", *TRAINED, "pools=[nowhere]") == 2
    assert "nowhere" in capsys.readouterr().err
