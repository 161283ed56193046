"""`assay solve` by a chosen rule: its probability, abstaining, and where it does not hold."""

import dataclasses
import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from assay import command_line
from assay.evaluation.choice import UsedScorer, conditions_of, write_choice
from assay.evaluation.choose_rule import choose_for_run
from assay.generator.engines import Completion, SamplingParams
from assay.generator.models import EMBEDDED, ModelConfig, fingerprint
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.problems.problem import Problem
from assay.problems.prompts import PromptConfig, prompt_key
from assay.search.solving import scoring, setup, solver
from assay.search.solving.config import SolveConfig
from assay.search.solving.decide import choose
from assay.search.solving.scoring import PoolScorer, Source
from assay.search.solving.setup import set_up
from assay.search.solving.show import members_in, show, show_one
from assay.search.stages.score import ScoreRunConfig, score
from assay.search.stages.train_ranker import train_ranker
from assay.selection.choosing import ChooseConfig
from assay.selection.confidence import Confidence
from assay.selection.request import EvaluateConfig
from assay.selection.rule_spec import RuleSpec
from assay.settings.errors import UserError
from assay.settings.schema import load
from assay.verifier.ranker.config import TrainRankerConfig
from tests.search.characters import Characters
from tests.verifier.ranker_runs import make_run, problems_of

SAMPLING = SamplingParams(temperature=0.5, max_new_tokens=60)
# 1 / (1 + exp(−1)) = 73 % at any vote
STEADY = Confidence(("votes", "lead"), (0.0, 0.0), (1.0, 1.0), (0.0, 0.0), 1.0)


class Written:
    """An engine that answers 2, in words and as programs; "hard" is not answered."""

    tokenizer = Characters()

    def sample(self, requests, params):
        self.params = params
        for i, request in enumerate(requests):
            words = "no idea" if request.key.startswith("hard") else "#### 2"
            text = "print(2)" if request.key.endswith("/pot") and words[0] == "#" else words
            for sample in range(request.count):
                yield Completion(i, sample, text, [7], -1.0, "eos")


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("held")
    return make_run(folder / "held", problems_of(40), samples=2, verifiers={"v": str(folder / "v")})


@pytest.fixture(scope="module")
def choice(held):
    """That of the run, as if it had been sampled by EMBEDDED; the majority is chosen, at 73 %."""
    found = choose_for_run(held, ChooseConfig(bootstrap=50, draws=20))
    key = {
        "generator": fingerprint(ModelConfig(name=str(EMBEDDED))),
        "prompt": prompt_key(PromptConfig(form="plain")),
        "sampling": dataclasses.asdict(SAMPLING),
    }
    steady = dataclasses.replace(found.majority, confidence=STEADY)
    conditions = conditions_of(key, 4, ["cot", "pot"])
    return dataclasses.replace(found, conditions=conditions, chosen=steady)


@pytest.fixture
def words(tmp_path, choice, monkeypatch):
    """The command with models beside which a choice lies, and an engine that needs none."""
    (tmp_path / "generator").symlink_to(EMBEDDED)
    write_choice(tmp_path / "choice.json", choice)
    monkeypatch.setattr(solver, "make_engine", lambda config, model: Written())
    return [f"generator={tmp_path / 'generator'}", "prompt.form=plain"]


def config_of(words, *more):
    return load(SolveConfig, [*words, *more])


def test_all_is_as_the_rule_was_chosen_for(words):
    found = set_up(config_of(words))
    assert (found.n, found.counts) == (4, {"cot": 2, "pot": 2})
    assert found.sampling == SAMPLING
    assert (found.spec, found.source, found.why_not) == (RuleSpec("majority"), None, "")
    assert found.known is not None


def test_the_probability_and_the_rule_are_told(words, choice, capsys):
    assert command_line.main(["solve", "1 + 1?", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  answer: 2   (100 % of the votes, by majority vote)" in lines
    assert "  probability that it is right: 73 %, of problems like the held-out ones" in lines
    accuracy = 100 * choice.majority.accuracy.value
    assert lines[-1] == f"  majority vote: {accuracy:.1f} % on 40 held-out problems"


def test_an_answer_below_the_confidence_wanted_is_withheld(words, capsys):
    assert command_line.main(["solve", "1 + 1?", *words, "min_confidence=0.8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("  no answer: 73 % is below min_confidence 80 %")
    assert lines[place + 1] == "  leading: 2   (100 % of the votes, by majority vote)"
    assert not any(line.startswith("  answer:") for line in lines)
    assert command_line.main(["solve", "1 + 1?", *words, "min_confidence=0.7"]) == 0
    assert "  answer: 2 " in capsys.readouterr().out


def test_of_a_file_the_answers_withheld_are_null(words, tmp_path, capsys):
    rows = [{"id": name, "question": "1 + 1?", "answer": "2"} for name in ("easy", "hard")]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for least, answer, right in (("0.8", None, None), ("0.5", "2", True)):
        output = tmp_path / f"{least}.jsonl"
        given = [f"problems={tmp_path / 'p.jsonl'}", f"output={output}", f"min_confidence={least}"]
        assert command_line.main(["solve", *words, *given]) == 0
        easy, hard = map(json.loads, output.read_text().splitlines())
        assert (easy["answer"], easy["right"], easy["abstained"]) == (answer, right, answer is None)
        assert (easy["leading"], easy["leading_right"], easy["confidence"]) == ("2", True, 0.7311)
        assert (easy["rule"], easy["scorer"]) == ("majority", None)
        assert (hard["answer"], hard["leading"], hard["confidence"]) == (None, None, None)
        lines = capsys.readouterr().out.splitlines()
        if answer is None:
            assert lines[0] == "easy  no answer: 73 % is below min_confidence 80 %; leading: 2"
            assert "2 of 2 problems not answered" in lines
        else:
            assert "1 of 1 right (100.0 %)" in lines
            assert "1 of 2 problems not answered" in lines


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("sampling.temperature=1.0", "does not hold here (temperature=1.0)"),
        ("n=8", "does not hold here (n=8)"),
        ("modes=[pot]", "does not hold here (modes=[pot])"),
        ("engine.quantize=int8", "does not hold here (quantize=int8)"),
    ],
)
def test_elsewhere_there_is_no_probability(words, more, told, tmp_path, capsys):
    assert command_line.main(["solve", "1 + 1?", *words, more]) == 0
    shown = capsys.readouterr().out
    assert f"  no probability: {tmp_path / 'choice.json'} {told}" in shown
    assert "probability that it is right" not in shown
    assert command_line.main(["solve", "1 + 1?", *words, more, "min_confidence=0.8"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("assay: min_confidence=0.8: needs a rule chosen on held-out problems")
    assert told in line


def test_of_another_generator_the_choice_is_not_used(words, choice, tmp_path):
    other = {**choice.conditions, "generator": "sha256:other"}
    write_choice(tmp_path / "choice.json", dataclasses.replace(choice, conditions=other))
    found = set_up(config_of(words))
    assert (found.n, found.known) == (32, None)
    assert found.why_not == f"{tmp_path / 'choice.json'} is of another generator"


def test_without_a_choice_nothing_is_said_of_it(words, tmp_path, capsys):
    (tmp_path / "choice.json").unlink()
    assert command_line.main(["solve", "1 + 1?", *words, "n=2"]) == 0
    assert "probability" not in capsys.readouterr().out
    assert command_line.main(["solve", "1 + 1?", *words, "choice=nowhere.json"]) == 2
    assert "choice=nowhere.json: there is no such file" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"there is no choice\.json beside the generator"):
        set_up(config_of(words, "min_confidence=0.5"))


def test_any_rule_may_be_named_and_has_its_own_confidence(words, choice):
    found = set_up(config_of(words, "rule=logprob"))
    assert found.spec == RuleSpec("logprob")
    assert found.known == next(each for each in choice.rules if each.spec.name == "logprob")
    found = set_up(config_of(words, "rule=shortest"))
    assert (found.spec.name, found.known) == ("shortest", None)
    assert "knows nothing of rule=shortest" in found.why_not
    with pytest.raises(UserError, match="rule=best: expected one of majority, weighted"):
        set_up(config_of(words, "rule=best"))


@pytest.fixture
def by_verifier(words, choice, tmp_path, monkeypatch):
    """The choice is the weighted vote by v, whose fingerprint is its folder's name."""
    (tmp_path / "v").mkdir()
    monkeypatch.setattr(setup, "fingerprint", fingerprint)
    monkeypatch.setattr(scoring, "fingerprint", lambda model: Path(model.name).name)
    weighted = next(each for each in choice.rules if each.spec == RuleSpec("weighted", "v"))
    key = {"verifier": "v", "aggregate": "min", "dtype": "auto", "values": True}
    found = dataclasses.replace(
        choice, chosen=weighted, scorers={"v": UsedScorer(str(tmp_path / "v"), key)}
    )
    write_choice(tmp_path / "choice.json", found)
    return found


def test_the_scorer_that_the_rule_goes_by_is_found(words, by_verifier, tmp_path):
    found = set_up(config_of(words))
    assert found.spec == RuleSpec("weighted", "v")
    assert found.source == Source("v", ModelConfig(name=str(tmp_path / "v")), aggregate="min")
    assert found.known == by_verifier.chosen
    # A rule that needs no scores takes none.
    assert set_up(config_of(words, "rule=majority")).source is None
    assert set_up(config_of(words, "verifier=none")).spec.scorer == ""
    named = set_up(config_of(words, "rule=top_k"))
    assert (named.spec.scorer, named.known is not None) == ("v", True)


def test_by_another_verifier_there_is_the_weighted_vote_and_no_probability(
    words, by_verifier, tmp_path
):
    found = set_up(config_of(words, f"verifier={tmp_path / 'w'}"))
    assert (found.spec, found.known) == (RuleSpec("weighted", "w"), None)
    assert found.why_not == f"{tmp_path / 'choice.json'} knows nothing of this verifier"
    # One that was trained anew under the same name is another one, too.
    key = {"verifier": "older", "aggregate": "min"}
    used = {"v": UsedScorer(str(tmp_path / "v"), key)}
    write_choice(tmp_path / "choice.json", dataclasses.replace(by_verifier, scorers=used))
    found = set_up(config_of(words))
    assert (found.spec, found.known) == (RuleSpec("weighted", "v"), None)
    assert found.why_not == f"{tmp_path / 'choice.json'} is of another v"


def members_of(run, problem_id, scorer):
    frame = load_frame(run, texts=True)
    return members_in(frame[frame["problem_id"] == problem_id], scorer)


def test_what_is_not_known_is_withheld(held):
    members = [dataclasses.replace(m, score=math.nan) for m in members_of(held, "p001", "v")]
    solved = choose(Problem("p001", "?"), members, RuleSpec("weighted", "v"), STEADY, 0.5)
    # No candidate has a score: the majority chose, whose probability is another one.
    assert (solved.rule, solved.answer, solved.abstained) == ("majority", None, True)
    assert math.isnan(solved.confidence)
    told = "no answer: its probability of being right is not known"
    assert told in show(solved, least=0.5)


def test_one_problem_of_a_run_is_solved_by_the_choice(held, choice):
    text = show_one(held, EvaluateConfig(), None, choice)
    assert "by majority vote)" in text
    assert "probability that it is right: 73 %" in text
    assert "by weighted vote by v)" in show_one(held, EvaluateConfig())


def test_a_ranker_scores_fresh_candidates_as_it_scores_a_runs(tmp_path, monkeypatch):
    """The run's scores by `assay score ranker=` are the reference."""
    folders = {"v": str(tmp_path / "v")}
    make_run(tmp_path / "held", problems_of(40), verifiers=folders, values=True)
    test = make_run(tmp_path / "test", problems_of(3, 60), verifiers=folders, values=True, seed=1)
    training = TrainRankerConfig(
        output=str(tmp_path / "ranker"), pools=[str(tmp_path / "held")], verifiers=["v"], rounds=5
    )
    train_ranker(training)
    score(ScoreRunConfig(run=str(test.path), ranker=str(tmp_path / "ranker")))
    frame = load_frame(Run.open(str(test.path)), texts=True)
    rows = iter(frame.to_dict("records"))

    class Known:
        """The verifier's scores and values, from the run."""

        def __init__(self, model):
            assert model.name == folders["v"]

        def score(self, problem, candidates, config):
            own = [next(rows) for _ in candidates]
            assert [row["text"] for row in own] == [c.text for c in candidates]
            offsets = [np.stack([row["starts:v"], row["ends:v"]], axis=1) for row in own]
            scores = np.array([row["score:v"] for row in own])
            return SimpleNamespace(
                scores=scores, values=[row["values:v"] for row in own], offsets=offsets
            )

    monkeypatch.setattr(scoring, "Scorer", Known)
    reads = {"v": ModelConfig(name=folders["v"])}
    scorer = PoolScorer(Source("ranker", ranker=str(tmp_path / "ranker"), reads=reads))
    members = [members_of(test, problem.id, "v") for problem in test.problems]
    candidates = [[m.candidate for m in own] for own in members]
    graded = [[m.graded for m in own] for own in members]
    found = scorer.score(test.problems, candidates, graded)
    expected = [own["score:ranker"].tolist() for _, own in frame.groupby("problem_id", sort=False)]
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, abs=1e-6)


def test_from_a_sampled_run_to_an_answer_with_its_probability(tmp_path, capsys):
    """What is recorded of a run is what a solver finds of itself: nothing differs."""
    shutil.copytree(EMBEDDED, tmp_path / "generator")
    generator = f"generator={tmp_path / 'generator'}"
    given = [
        *("problems=gsm_symbolic", "problems.limit=10", generator, "prompt.form=plain"),
        *("sampling.max_new_tokens=8", "sampling.seed=3", "modes.cot=1", "modes.pot=1"),
    ]
    run = str(tmp_path / "held")
    assert command_line.main(["sample", run, *given]) == 0
    assert command_line.main(["grade", run]) == 0
    assert command_line.main(["choose-rule", run, "bootstrap=20"]) == 0
    capsys.readouterr()
    words = ["solve", "Ann has 5 pens. She buys 4 pens. How many pens does she have?"]
    assert command_line.main([*words, generator, "prompt.form=plain"]) == 0
    shown = capsys.readouterr().out
    assert "no probability" not in shown
    assert "on 10 held-out problems of gsm_symbolic" in shown
