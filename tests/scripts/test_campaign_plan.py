"""What the campaign decides by arithmetic, and what it finds on a machine."""

import hashlib
import json

import pytest

from assay.generator import fetch
from assay.problems.annotations import strip_annotations
from assay.problems.sets import ProblemsConfig, load_problems
from assay.search.stages.sample import SampleConfig
from assay.search.stages.train import GeneratorTrainingConfig, VerifierTrainingConfig
from assay.settings.errors import UserError
from assay.settings.schema import load
from scripts.gpu import campaign_machine
from scripts.gpu.campaign_machine import check_machine, made_up, model_file
from scripts.gpu.campaign_plan import (
    LADDER,
    Rates,
    Size,
    choose,
    epochs_that_fit,
    seconds_of,
    shrink,
)
from scripts.gpu.campaign_summary import headline

RATES = Rates(sample=0.002, grade=0.0005, train=0.001, score=0.0005, start=100)


def test_the_settings_are_the_papers():
    generator = load(GeneratorTrainingConfig, ["configs/gsm8k_135m/generator.yaml"])
    assert generator.rationales.modes == ["cot", "pot"]
    assert 2 <= generator.epochs <= 3
    sample = load(SampleConfig, ["configs/gsm8k_135m/sample.yaml"])
    assert (sample.sampling.temperature, sample.sampling.calculator) == (0.7, True)
    verifier = load(VerifierTrainingConfig, ["configs/gsm8k_135m/verifier.yaml"])
    assert (verifier.model.dropout, verifier.model.level, verifier.lm_weight) == (0.2, "token", 1.0)
    assert (verifier.annotations, generator.rationales.annotations) == ("keep", "keep")


def test_seconds_by_hand():
    # (30 + 40 + 2 · 10) candidates sampled and graded, 30 trained on, 40 scored, and the start.
    expected = 1.15 * (100 + 90 * 0.0025 + 30 * 0.001 + 40 * 0.0005)
    assert seconds_of(Size(10, 3, 4), 10, RATES) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (10_000, Size(7473, 100, 100)),
        (965, Size(3000, 32, 100)),
        (964, Size(3000, 32, 64)),
        (200, Size(200, 8, 8)),
        (-50, Size(200, 8, 8)),
    ],
)
def test_the_largest_size_that_fits_is_taken(seconds, expected):
    # (3000, 32, 100): 1.15 · (100 + 230538 · 0.0025 + 96000 · 0.001 + 131900 · 0.0005) = 964 s.
    assert seconds_of(Size(3000, 32, 100), 1319, RATES) == pytest.approx(964.04, abs=0.01)
    assert choose(RATES, seconds, 7473, 1319) == expected


def test_no_rung_asks_for_more_problems_than_there_are():
    assert choose(RATES, 10_000, 500, 1319) == Size(500, 100, 100)


def test_the_rungs_fall():
    costs = [seconds_of(size, 1319, RATES) for size in LADDER]
    assert costs == sorted(costs, reverse=True)
    assert Size(3000, 32, 100) in LADDER


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1000, 100), (115, 100), (114, 98), (57.5, 50), (1, 4), (-9, 4)]
)
def test_samples_shrink_to_an_even_number(seconds, expected):
    assert shrink(100, 1.0, seconds, least=4) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(400, (3, 1.0)), (344, (2, 1.0)), (120, (1, 1.0)), (57.5, (1, 0.5)), (0.1, (1, 0.02))],
)
def test_epochs_then_problems_are_given_up(seconds, expected):
    assert epochs_that_fit(100, seconds, 3) == pytest.approx(expected)


def test_pieces_of_a_model_come_in_any_call(tmp_path, monkeypatch):
    whole = bytes(range(200)) * 7
    source = next(iter(fetch.KNOWN.values()))
    known = {"x": fetch.Source(**{**vars(source), "sha256": hashlib.sha256(whole).hexdigest()})}
    monkeypatch.setattr(campaign_machine, "KNOWN", known)
    carried, work = tmp_path / "carried", tmp_path / "work"
    carried.mkdir()
    work.mkdir()
    model = str(carried / "x.gguf")
    with pytest.raises(UserError, match=r"nor pieces x\.gguf\.\*"):
        model_file(model, work)
    first = carried / "x.gguf.aa"
    first.write_bytes(whole[:900])
    with pytest.raises(UserError, match=r"x\.gguf\.aa \(900 bytes\)"):
        model_file(model, work)
    first.unlink()
    (carried / "x.gguf.ab").write_bytes(whole[900:])
    joined = model_file(model, work)
    assert joined == str(work / "pieces" / "x.gguf")
    assert (work / "pieces" / "x.gguf").read_bytes() == whole


GIVEN = {"device": "cpu", "model": "embedded", "data": ""}


def test_all_that_is_missing_is_named_at_once(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(campaign_machine.PACKAGES, "no-such", ("no_such_package", "1.0"))
    (tmp_path / "train.jsonl").touch()
    given = {**GIVEN, "model": str(tmp_path / "x.gguf"), "data": str(tmp_path)}
    with pytest.raises(UserError) as raised:
        check_machine(given, tmp_path)
    packages, model, data = (
        str(raised.value).split("; ", 3)[:1] + str(raised.value).split("; ")[-2:]
    )
    assert packages.startswith("packages no-such: ")
    assert "`pip install --no-deps --target=site 'no-such>=1.0'`" in packages
    assert model.endswith("no such folder or file, nor pieces x.gguf.*")
    assert data == f"data={tmp_path}: expected GSM8K's test.jsonl there"
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["no-such", "missing"] in table
    assert ["train.jsonl", str(tmp_path)] in table
    assert ["test.jsonl", "missing"] in table


def test_an_older_version_is_told_and_taken(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(campaign_machine.PACKAGES, "numpy", ("numpy", "99.0"))
    check_machine(GIVEN, tmp_path)
    assert "Assay asks for 99.0; going on" in capsys.readouterr().out


def test_made_up_problems_have_right_solutions(tmp_path):
    made_up(tmp_path, train=12, test=5)
    train, test = (
        load_problems(ProblemsConfig("gsm8k", str(tmp_path), split=split))
        for split in ("train", "test")
    )
    assert [len(train), len(test)] == [12, 5]
    assert not {p.question for p in train} & {p.question for p in test}
    for problem in train:
        assert [solution.mode for solution in problem.solutions] == ["cot", "pot"]
        words = strip_annotations(problem.solutions[0].text)
        assert words.endswith(f"#### {problem.answer}")


def test_the_headline_compares_with_greedy():
    row = {"rule": "best_of_n", "n": 50, "accuracy": 0.18, "low": 0.16, "high": 0.2}
    evaluation = {
        "sizes": {"cot": 50, "both": 100},
        "accuracy": [
            {**row, "modes": "cot"},
            {**row, "modes": "both", "n": 100, "accuracy": 0.3, "low": 0.28, "high": 0.32},
        ],
    }
    assert headline(json.loads(json.dumps(evaluation)), {"cot": 0.1, "pot": 0.2}) == (
        "| accuracy, % [95 % interval] | cot, n = 50 | both, n = 100 |\n"
        "|---|---|---|\n"
        "| greedy | 10.0 | 20.0 |\n"
        "| majority | – | – |\n"
        "| best of n | 18.0 [16.0, 20.0], 1.80 × greedy | 30.0 [28.0, 32.0], 1.50 × greedy |\n"
        "| weighted | – | – |\n"
        "| top k | – | – |"
    )
