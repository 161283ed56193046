"""The ablations' files against the schema, their plan, their tables, and a run in little."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from assay.generator.models import ModelConfig
from assay.settings.errors import UserError
from assay.settings.schema import load
from assay.verifier.config import TrainVerifierConfig
from scripts.ablations import candidates, config, page, run
from tests import warm

ROOT = Path(__file__).parents[2]

NAMES = ("dropout", "inputs", "joint", "last", "level", "output", "problems", "samples", "sizes")
SMALL = [
    *("train.limit=12", "generator.epochs=1", "pool.limit=6", "pool_modes.cot=2"),
    *("pool_modes.pot=4", "tests.test.limit=5", "modes.cot=4", "modes.pot=4"),
    *("sampling.max_new_tokens=60", "verifier.epochs=1", "verifier.validations=1"),
    *("bootstrap=100", "workers=1", "seeds=1", "only=level"),
]


def test_the_files_are_those_that_the_issue_asks_for():
    assert tuple(config.read_ablations("")) == NAMES


@pytest.mark.parametrize("scale", ["small", "full", "large"])
@pytest.mark.parametrize("name", NAMES)
def test_every_variant_fits_the_schema(name, scale):
    (ablation,) = config.read_ablations(name).values()
    assert ablation.title
    assert ablation.paper
    assert ablation.variants[ablation.baseline] == config.Variant()
    for variant in ablation.variants.values():
        loop = config.loop_config(scale, variant.set)
        assert list(loop.tests) == ["test"]
    for generator in ablation.generators.values():
        config.loop_config(scale, generator.set)


def test_variants_differ_from_the_baseline_in_what_they_say():
    def verifier(name, column):
        variant = config.read_ablations(name)[name].variants[column]
        return config.loop_config("small", variant.set).verifier

    assert verifier("level", "token level").model.level == "token"
    assert verifier("level", "solution level").model.level == "solution"
    assert verifier("last", "token level, last × 40").model.last_weight == 40
    assert verifier("inputs", "and likelihood").model.head_inputs == "hidden+logprob"
    assert verifier("output", "with its output").append_output
    assert verifier("joint", "joint").lm_weight == 1.0
    assert verifier("joint", "verification only").lm_weight == 0.0
    assert verifier("samples", "4").samples_per_problem == 4
    both = verifier("dropout", "solution, 0.2").model
    assert (both.level, both.dropout) == ("solution", 0.2)


@pytest.mark.parametrize("scale", ["small", "full", "large"])
def test_every_scale_starts_from_the_papers_verifier(scale):
    """Whatever the quick start's own recipe is."""
    found, paper = config.loop_config(scale).verifier, TrainVerifierConfig()
    for name in ("loss", "lm_weight", "append_output", "calibrate"):
        assert getattr(found, name) == getattr(paper, name)
    for name in ("head", "head_inputs", "level", "last_weight", "dropout"):
        assert getattr(found.model, name) == getattr(paper.model, name)


def test_unknown_keys_are_refused():
    with pytest.raises(UserError, match=r"verifier\.leval: unknown key; did you mean"):
        config.loop_config("small", {"verifier": {"leval": "token"}})
    with pytest.raises(UserError, match=r"variants\.a\.sat: unknown key; did you mean"):
        load(config.Ablation, [{"variants": {"a": {"sat": {}}}}])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seeds=0"], "seeds=0: expected 1 or more"),
        (["scale=big"], "scale=big: expected one of full, large, small"),
        (["seeds=many"], "seeds=many: expected a whole number"),
    ],
)
def test_bad_options(words, message):
    with pytest.raises(UserError, match=message):
        config.parse(words)


def test_bad_ablations():
    with pytest.raises(UserError, match="only=levels: expected some of dropout, inputs"):
        config.read_ablations("level,levels")


def test_a_variant_cannot_change_the_candidates(tmp_path, monkeypatch):
    folder = tmp_path / "ablations"
    folder.mkdir()
    monkeypatch.setattr(config, "CONFIGS", tmp_path)
    monkeypatch.setattr("assay.settings.files.CONFIGS", tmp_path)
    told = "baseline: a\nvariants: {a: {set: {sampling: {temperature: 1.0}}}}\n"
    (folder / "heat.yaml").write_text(told)
    with pytest.raises(
        UserError, match=r"heat\.yaml: a: set\.sampling\.temperature: expected keys"
    ):
        config.read_ablations("heat")
    (folder / "heat.yaml").write_text("baseline: b\nvariants: {a: {}}\n")
    with pytest.raises(UserError, match=r"baseline: 'b' is none of the variants \(a\)"):
        config.read_ablations("heat")
    (folder / "heat.yaml").write_text("baseline: a\nvariants: {a: {generator: tiny}}\n")
    with pytest.raises(UserError, match="'tiny' is none of its generators"):
        config.read_ablations("heat")


def test_words_are_the_scripts_own_or_the_loops():
    options, others = config.parse(["only=level", "verifier.epochs=1", "workers=2"])
    assert (options.only, options.workers, others) == ("level", 2, ["verifier.epochs=1"])


class FakeSource:
    """320 problems to train on and 4 to test on, of the embedded model."""

    generator = ROOT / "generator" / "embedded"
    config = config.loop_config("small")
    training = tuple(f"problem {i}" for i in range(320))
    test = pd.DataFrame({"problem_id": ["a", "b", "c", "d"]})


def plan(only, seeds=2):
    options = config.Options(seeds=seeds, output="runs/x")
    made = {"large": FakeSource(), "small": FakeSource()}
    chosen = config.read_ablations(only)
    return run.plan(options, chosen, run.resolved(options, [], chosen), made)


def test_equal_trainings_are_done_once():
    jobs = plan("level,dropout,joint")
    folders = {key: job.folder for key, job in jobs.items()}
    assert folders["level", "token level", 0] == folders["dropout", "token, 0", 0]
    assert folders["level", "solution level", 1] == folders["dropout", "solution, 0", 1]
    assert folders["level", "token level", 0] != folders["level", "token level", 1]
    # Token and solution level, both with and without dropout, and verification only: twice.
    assert len(set(folders.values())) == 10
    assert [seed for _, _, seed in jobs] == [0] * 8 + [1] * 8


def test_smaller_training_sets_are_parts_of_larger_ones():
    jobs = plan("problems")
    drawn = {(column, seed): set(job.data()) for (_, column, seed), job in jobs.items()}
    assert [len(drawn[column, 0]) for column in ("40", "80", "160", "all")] == [40, 80, 160, 320]
    assert drawn["40", 0] < drawn["80", 0] < drawn["160", 0] < drawn["all", 0]
    assert drawn["40", 0] != drawn["40", 1]
    assert drawn["all", 0] == drawn["all", 1]
    costs = [jobs["problems", column, 0].cost for column in ("40", "all")]
    assert costs[1] / costs[0] == pytest.approx(8, rel=0.01)


def test_layers_are_cut(tmp_path):
    from transformers import AutoModelForCausalLM

    folder = candidates.cut(ModelConfig(), [0, 5], tmp_path / "cut")
    whole = AutoModelForCausalLM.from_pretrained(ROOT / "generator" / "embedded")
    small = AutoModelForCausalLM.from_pretrained(folder)
    assert small.config.num_hidden_layers == 2
    for ours, theirs in zip(
        small.model.layers, (whole.model.layers[i] for i in (0, 5)), strict=True
    ):
        assert (ours.mlp.up_proj.weight == theirs.mlp.up_proj.weight.float()).all()
    assert [layer.self_attn.layer_idx for layer in small.model.layers] == [0, 1]
    assert (folder / "tokenizer.json").exists()
    with pytest.raises(UserError, match="expected layers 0 to 5 of embedded"):
        candidates.cut(ModelConfig(), [6], tmp_path / "other")


def test_cells_and_tables():
    found = {"value": 0.725, "low": 0.7, "high": 0.75}
    assert page.cell(found) == "72.5 [70.0, 75.0]"
    assert page.cell({**found, "low": -0.01}, True) == "+72.5 [−1.0, +75.0]"
    assert page.cell(dict.fromkeys(found)) == "– [–, –]"
    assert page.cell(dict.fromkeys(found, -0.0001), True) == "+0.0 [+0.0, +0.0]"
    assert list(page.table(["", "a"], [["AUC", "90.0"], ["n", "8"]])) == [
        "|     |    a |",
        "| --- | ---: |",
        "| AUC | 90.0 |",
        "| n   |    8 |",
    ]


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the script in this process, on one thread; returns what it printed."""

    def start(*words):
        monkeypatch.setattr(sys, "argv", ["run.py", *SMALL, *words])
        capsys.readouterr()
        run.main()
        return capsys.readouterr().out

    monkeypatch.setattr(run, "cores", lambda: 1)
    return start


@pytest.mark.slow
def test_in_little(tmp_path, command):
    first = command(f"output={tmp_path / 'a'}")
    assert "2 trainings, 0 of them done" in first
    assert "[2/2] level: " in first
    results = json.loads((tmp_path / "a" / "ablations.json").read_text())
    variants = results["ablations"]["level"]["variants"]
    assert list(variants) == ["token level", "solution level"]
    token, solution = variants.values()
    assert token["problems"] == 6
    assert token["differences"] == {}
    gained = solution["differences"]["AUC"]
    assert gained["value"] == pytest.approx(
        solution["measures"]["AUC"]["value"] - token["measures"]["AUC"]["value"]
    )
    assert gained["low"] <= gained["value"] <= gained["high"]
    text = (tmp_path / "a" / "ablations.md").read_text()
    assert "## Token level against solution level" in text
    assert first.rstrip().endswith("ablations.json")

    # Killed before the second training was recorded: that one alone is done again.
    folders = [Path(variant["folders"][0]) for variant in variants.values()]
    kept, lost = (folder / "result.json" for folder in folders)
    before = kept.stat().st_mtime_ns
    lost.unlink()
    again = command(f"output={tmp_path / 'a'}")
    assert "2 trainings, 1 of them done" in again
    assert kept.stat().st_mtime_ns == before
    assert (tmp_path / "a" / "ablations.md").read_text() == text

    # Another output takes generator and candidates from the first: the same verifiers come out.
    command(f"output={tmp_path / 'b'}", f"reuse={tmp_path / 'a' / 'large'}")
    assert not (tmp_path / "b" / "large").exists()
    copied = json.loads((tmp_path / "b" / "ablations.json").read_text())["ablations"]
    for name, variant in copied["level"]["variants"].items():
        assert variant["measures"] == variants[name]["measures"]

    # As a process of its own, too, it is found and refuses what it cannot do.
    words = [*SMALL, f"output={tmp_path / 'b'}", f"reuse={tmp_path / 'a' / 'large'}"]
    short = warm.run([str(ROOT / "scripts" / "ablations" / "run.py"), *words, "pool.limit=9"])
    assert "pool.limit=9: " in short.error
    assert "holds candidates of 6 problems" in short.error
    assert short.returncode == 2
