"""MathInstruct's sources: what is taken, how often, and how a row becomes a prompt."""

import json
from collections import Counter

import pytest

from assay.problems import ProblemsConfig, PromptConfig, Prompter, load_problems
from assay.problems.mathinstruct import SourcesConfig, mixed, source_counts, source_of, told_sources
from assay.settings.errors import UserError

ROWS = [
    ("data/CoT/gsm_train.json", "Tom has 3 apples.", "He has 3. The answer is 3"),
    ("data/PoT/gsm_gpt4.json", "Ann has 4. Let's write a Python program.", "print(4)"),
    ("data/PoT/gsm_gpt4.json", "Ann has 5. Let's write a program.", "print(5)"),
    ("data/PoT/gsm_gpt4.json", "Ann has 6. Let's write a program.", "print(6)"),
    ("data/PoT/gsm_gpt4.json", "Ann has 7. Let's write a program.", "print(7)"),
    ("data/CoT/MATH_train.json", "What is $x$?", "It is \\boxed{2}."),
]


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "MathInstruct.json"
    content = [{"source": s, "instruction": i, "output": o} for s, i, o in ROWS]
    path.write_text(json.dumps(content))
    return path


def load(path, include=(), exclude=(), weights=None, **more):
    sources = SourcesConfig(include=list(include), exclude=list(exclude))
    return load_problems(
        ProblemsConfig(
            name="mathinstruct", path=str(path), sources=sources, weights=weights or {}, **more
        )
    )


def ids(problems):
    return [problem.id.removeprefix("mathinstruct-00000") for problem in problems]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/PoT/gsm_gpt4.json", "PoT/gsm_gpt4"),
        ("CoT/MATH_train.json", "CoT/MATH_train"),
        ("my/data/CoT/sub/x.json", "CoT/sub/x"),
        ("elsewhere", "elsewhere"),
    ],
)
def test_names_of_sources(path, name):
    assert source_of(path) == name


def test_filters(rows):
    assert ids(load(rows)) == ["0", "1", "2", "3", "4", "5"]
    assert ids(load(rows, ["CoT/*"])) == ["0", "5"]
    assert ids(load(rows, ["PoT/*"])) == ["1", "2", "3", "4"]
    assert ids(load(rows, ["*/gsm_*"], ["PoT/*"])) == ["0"]
    assert ids(load(rows, exclude=["CoT/MATH_train"])) == ["0", "1", "2", "3", "4"]


def test_weights(rows):
    assert ids(load(rows, weights={"CoT/*": 0})) == ["1", "2", "3", "4"]
    assert ids(load(rows, weights={"CoT/*": 2})) == ["0", "0-2", "1", "2", "3", "4", "5", "5-2"]
    half = ids(load(rows, weights={"PoT/gsm_gpt4": 0.5}))
    assert (half[0], len(half), half[-1]) == ("0", 4, "5")
    assert half == sorted(half)
    # The last pattern that fits counts.
    assert ids(load(rows, weights={"*": 0, "CoT/MATH_*": 1})) == ["5"]
    more = Counter(p.question for p in load(rows, ["PoT/*"], weights={"PoT/*": 2.5}))
    assert sorted(more.values()) == [2, 2, 3, 3]


def test_draws_are_seeded_and_of_one_source_alone(rows):
    draws = {tuple(ids(load(rows, weights={"PoT/*": 0.5}, seed=seed))) for seed in range(20)}
    assert 2 < len(draws) <= 6
    one = ids(load(rows, weights={"PoT/*": 0.5}, seed=3))
    assert ids(load(rows, weights={"PoT/*": 0.5, "CoT/*": 0}, seed=3)) == one[1:-1]
    assert ids(load(rows, weights={"PoT/*": 0.5}, seed=3, limit=2, offset=1)) == one[1:3]


def test_many_rows_have_the_shares_asked_for():
    sources = ["CoT/a", "PoT/b"] * 1000
    taken = mixed(sources, SourcesConfig(), {"CoT/a": 0.3, "PoT/b": 1.75}, seed=1)
    assert Counter(sources[row] for row, _ in taken) == {"CoT/a": 300, "PoT/b": 1750}
    assert len(set(taken)) == len(taken)


def test_counts(rows):
    problems = load(rows)
    assert source_counts(problems) == {"CoT/MATH_train": 1, "CoT/gsm_train": 1, "PoT/gsm_gpt4": 4}
    assert told_sources(problems) == (
        "sources\n"
        "  CoT/MATH_train          1   16.7%\n"
        "  CoT/gsm_train           1   16.7%\n"
        "  PoT/gsm_gpt4            4   66.7%\n"
        "  in all                  6\n"
    )
    assert told_sources([]) == ""


def test_the_request_for_a_program_stands_once(rows):
    prompter = Prompter(PromptConfig(form="alpaca"))
    text = prompter.text(load(rows)[1], "pot")
    assert text.endswith("### Instruction:\nAnn has 4. Let's write a program.\n\n### Response:")
    assert text.lower().count("program") == 1


def test_the_response_is_the_output_as_it_is(rows):
    solutions = [problem.solutions for problem in load(rows)]
    assert [[(s.mode, s.text) for s in own] for own in solutions] == [
        [("pot" if "/PoT/" in source else "cot", output)] for source, _, output in ROWS
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"include": ["PoT/gsm"]},
            "sources.include: PoT/gsm matches no source; there are CoT/MATH",
        ),
        ({"exclude": ["x"]}, "problems.sources.exclude: x matches no source"),
        ({"weights": {"x": 1}}, "problems.weights: x matches no source"),
        ({"weights": {"CoT/*": -1}}, r"problems.weights.CoT/\*=-1: expected a number from 0"),
        ({"weights": {"*": 0}}, "no problems there"),
    ],
)
def test_bad_choices(rows, settings, message):
    with pytest.raises(UserError, match=message):
        load(rows, **settings)


def test_other_sets_have_no_sources(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"question": "Q"}\n')
    with pytest.raises(UserError, match="only mathinstruct has sources"):
        load_problems(ProblemsConfig(name="jsonl", path=str(path), weights={"CoT/*": 1}))
