"""The embedded model's corpus tells the truth: every example's response gives its answer."""

import importlib
import random
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "scripts" / "pretrain_tiny"
EQUATION = re.compile(r"([\d.]+(?:[+*/-][\d.]+)+)=([\d.]+)")


@pytest.fixture(scope="module")
def corpus() -> ModuleType:
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("corpus")
    finally:
        sys.path.remove(str(FOLDER))


def draw(corpus: ModuleType, stage: int, seed: int, count: int = 600) -> list:
    rng = random.Random(seed)
    return [corpus.sample(rng, stage) for _ in range(count)]


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_every_response_gives_the_known_answer(corpus: ModuleType, stage: int) -> None:
    for example in draw(corpus, stage, seed=7):
        assert corpus.final_answer(example.mode, example.response) == example.answer, example


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_python_prints_what_the_safe_reader_reads(corpus: ModuleType, stage: int) -> None:
    programs = [e for e in draw(corpus, stage, seed=11, count=200) if e.mode == "pot"]
    source = "".join(e.response + "\n" for e in programs)
    printed = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(printed) == len(programs)
    for example, text in zip(programs, printed, strict=True):
        assert abs(float(text) - float(example.answer)) < 1e-6, example


def test_every_equation_in_words_is_true(corpus: ModuleType) -> None:
    checked = 0
    for example in draw(corpus, 3, seed=3):
        if example.mode != "cot":
            continue
        for line in example.response.splitlines()[:-1]:
            bare = re.sub(r"[$£€]|(?<=\d) [a-z ]+(?= [-+*/=x×]|$)", "", line)
            bare = re.sub(r"(?<=\d) ?[x×] ?(?=\d)", "*", bare)
            for left, value in EQUATION.findall(bare.replace(" ", "")):
                assert corpus.evaluate(left) == Fraction(value), line
                checked += 1
    assert checked > 300


def test_the_same_seed_writes_the_same_corpus(corpus: ModuleType) -> None:
    assert draw(corpus, 3, seed=5, count=50) == draw(corpus, 3, seed=5, count=50)
    assert draw(corpus, 3, seed=5, count=50) != draw(corpus, 3, seed=6, count=50)


def test_prompts_and_responses_have_the_plain_form(corpus: ModuleType) -> None:
    for example in draw(corpus, 3, seed=1, count=200):
        assert example.prompt.startswith("Question: ")
        if example.mode == "pot":
            assert example.prompt.endswith(" Let's write a program.\nAnswer:")
            assert example.response.startswith("\nx1 = ")
        else:
            assert example.prompt.endswith("\nAnswer:")
            assert example.response.startswith(" ")
            assert re.search(r"\n#### -?[\d.]+$", example.response)


def test_a_program_names_earlier_results(corpus: ModuleType) -> None:
    story = corpus.Story("", (corpus.Step("{}", "48 / 2"), corpus.Step("{}", "$48 + $24")))
    assert corpus.as_program(story) == "\nx1 = 48 / 2\nx2 = 48 + x1\nprint(x2)"


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("\nx1 = 48 / 2\nx2 = 48 + x1\nprint(x2)", 72),
        ("\nx1 = (3 + 4) * 0.5\nprint(x1)", Fraction(7, 2)),
        ("\nprint(x1)", None),
        ("\nx1 = 1 / 0\nprint(x1)", None),
        ("\nimport os\nprint(x1)", None),
        ("\nx1 = 2 ** 9\nprint(x1)", None),
        ("\nx1 = 3", None),
    ],
)
def test_programs_are_read_and_never_executed(
    corpus: ModuleType, program: str, printed: Fraction | None
) -> None:
    assert corpus.run_program(program) == printed


def test_the_benchmark_is_not_in_the_corpus() -> None:
    for file in FOLDER.glob("*.py"):
        assert not re.search(r"^\s*(import|from) reasoning_gym", file.read_text(), re.M), file
