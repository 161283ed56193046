"""`assay choose-rule`: from a run to the record, and back."""

import dataclasses
import json

import pytest

from assay import command_line
from assay.evaluation.choice import UsedScorer, conditions_of, read_choice, write_choice
from assay.evaluation.choose_rule import choice_table, choose_for_run
from assay.pools.run import Run
from assay.selection.choosing import ChooseConfig
from assay.settings.errors import UserError
from tests.verifier.ranker_runs import make_run, problems_of

QUICK = ChooseConfig(bootstrap=100, draws=20)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("chosen")
    (folder / "v").mkdir()
    return make_run(folder / "held", problems_of(60), verifiers={"v": str(folder / "v")})


@pytest.fixture(scope="module")
def choice(run):
    return choose_for_run(Run.open(str(run.path)), QUICK)


def test_the_command_writes_the_record_beside_the_run(run, capsys):
    words = ["choose-rule", str(run.path), "bootstrap=100", "draws=20"]
    assert command_line.main(words) == 0
    shown = capsys.readouterr().out
    file = run.path.parent / "choice.json"
    assert shown.endswith(f"choice written to {file}\n")
    assert "  60 held-out problems · 16 candidates each (CoT + PoT)" in shown
    assert all(len(line) <= 80 for line in shown.splitlines()[:-1])
    content = json.loads(file.read_text())
    assert (content["format"], content["version"]) == ("assay rule choice", 1)
    # Beneath the record's folder, so that all may be moved together.
    assert content["scorers"]["v"]["path"] == "v"
    found = read_choice(str(file))
    assert found.scorers["v"].path == str(run.path.parent / "v")
    assert found.scorers["v"].key["verifier"] == "hash of v"
    assert command_line.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == content


def test_the_record_holds_every_rule_with_its_confidence(choice):
    names = [(each.spec.name, each.spec.scorer) for each in choice.rules]
    assert names == [
        *(("majority", ""), ("weighted", "v"), ("weighted_top_k", "v"), ("top_k", "v")),
        *(("logprob", ""), ("best_of_n", "v")),
    ]
    assert choice.majority.difference.value == 0
    assert choice.held_out["problems"] == 60
    assert choice.held_out["candidates"] == 16
    assert choice.best("", 0, {""}).spec.name in ("majority", "logprob")
    assert choice.best("top_k", 0, {"v"}).spec.scorer == "v"
    assert choice.best("top_k", 999, {"v"}) is None


def test_what_is_written_is_read(choice, tmp_path):
    write_choice(tmp_path / "choice.json", choice)
    found = read_choice(str(tmp_path / "choice.json"))
    assert (found.chosen, found.rules, found.conditions) == (
        choice.chosen,
        choice.rules,
        choice.conditions,
    )
    assert choice_table(found) == choice_table(choice)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "cannot be read"),
        ("[]", "expected what `assay choose-rule` writes"),
        ('{"format": "assay rule choice", "version": 9}', "expected version 1, found 9"),
        ('{"format": "assay rule choice", "version": 1}', "is damaged"),
    ],
)
def test_what_is_no_record_is_told(text, expected, tmp_path):
    file = tmp_path / "choice.json"
    file.write_text(text)
    with pytest.raises(UserError, match=f"{file}: {expected}"):
        read_choice(str(file))
    with pytest.raises(UserError, match="there is no such file"):
        read_choice(str(tmp_path / "none.json"))


def test_what_differs_is_named(choice):
    key = {
        "generator": "sha256:" + "a" * 60,
        "prompt": {"form": "plain"},
        "sampling": {"temperature": 0.7, "seed": 1},
        "engine": "transformers",
        "dtype": "auto",
        "problems_per_part": 8,
    }
    there = conditions_of(key, 32, ["cot", "pot"])
    assert there == {
        "n": 32,
        "modes": ["cot", "pot"],
        "sampling": {"temperature": 0.7},
        "generator": key["generator"],
        "prompt": {"form": "plain"},
    }
    held = dataclasses.replace(choice, conditions=there)
    assert held.differing(there) == []
    other = {**key, "engine": "vllm", "sampling": {"temperature": 1.0, "seed": 7}}
    here = conditions_of(other, 8, ["pot"])
    assert held.differing(here) == ["n=8", "modes=[pot]", "temperature=1.0"]
    here = conditions_of({**key, "generator": "sha256:" + "b" * 60}, 32, ["cot", "pot"])
    assert held.differing(here) == ["another generator"]
    here = conditions_of({**key, "prompt": {"form": "chat"}}, 32, ["cot", "pot"])
    assert held.differing(here) == ["prompt.form=chat"]


def test_scorers_of_rankers_have_the_verifiers_that_they_read(choice, tmp_path):
    for name in ("ranker", "v"):
        (tmp_path / name).mkdir()
    used = UsedScorer(str(tmp_path / "ranker"), {"ranker": "h"}, {"v": str(tmp_path / "v")})
    write_choice(tmp_path / "c.json", dataclasses.replace(choice, scorers={"ranker": used}))
    written = json.loads((tmp_path / "c.json").read_text())["scorers"]["ranker"]
    assert (written["path"], written["reads"]) == ("ranker", {"v": "v"})
    assert read_choice(str(tmp_path / "c.json")).scorers == {"ranker": used}


@pytest.mark.parametrize(
    ("config", "modes", "expected"),
    [
        (ChooseConfig(n=17), "", "held: n=17: the run has 16 candidates per problem"),
        (ChooseConfig(scorers=["w"]), "", "held: scorers: no scores by 'w': the run has v"),
        (ChooseConfig(), "words", "modes=words: expected cot, pot or both"),
    ],
)
def test_bad_input(run, config, modes, expected):
    with pytest.raises(UserError, match=expected):
        choose_for_run(run, config, modes)


def test_one_mode_alone(run):
    found = choose_for_run(run, QUICK, "pot")
    assert (found.n, found.modes) == (8, ["pot"])


def test_a_ranker_for_pools_of_another_size_does_not_compete(tmp_path):
    run = make_run(tmp_path / "held", problems_of(20), samples=4, verifiers={"v": "", "r": ""})
    config = {**run.record["stages"]["scores/r"]["config"], "about": {"pool_size": 8}}
    run.register("scores/r", run.key("scores/r"), config)
    scorers = {each.spec.scorer for each in choose_for_run(run, QUICK).rules}
    assert scorers == {"", "v", "r"}
    small = ChooseConfig(n=4, bootstrap=100, draws=20)
    assert {each.spec.scorer for each in choose_for_run(run, small).rules} == {"", "v"}
    with pytest.raises(UserError, match="they hold for pools of 8 candidates"):
        choose_for_run(run, ChooseConfig(n=4, scorers=["r"]))
