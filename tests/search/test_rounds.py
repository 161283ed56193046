"""Sampling until a rule has decided: rounds, resuming, and the decisions of a replay."""

import dataclasses

import numpy as np
import pytest

from assay import command_line
from assay.evaluation.of_run import estimable
from assay.generator.engines import Completion
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.problems.problem import Problem
from assay.search.stages import rounds
from assay.search.stages.grade import GradeConfig, grade
from assay.search.stages.sample import SampleConfig, sample
from assay.selection.decisions import Seen, stops
from assay.selection.orders import sampled_order
from assay.selection.pool import PoolArrays
from assay.selection.until import UntilConfig, decided, resolved, rounds_of
from assay.settings.errors import UserError
from assay.settings.schema import load
from tests.search.characters import Characters

PROBLEMS = [Problem(id=f"p{i}", question=f"{i} + 1?", answer=str(i + 1)) for i in range(5)]


class Drawn:
    """An engine whose answers depend on problem, mode and sample alone; p0 is sure, p4 never."""

    tokenizer = Characters()

    def __init__(self):
        self.asked = []
        self.ends_after = None

    def get(self, origin):
        return self

    def sample(self, requests, params):
        for i, request in reversed(list(enumerate(requests))):
            name, mode = request.key.split("/")
            place = int(name[1:])
            for index in reversed(range(request.first, request.first + request.count)):
                if self.ends_after is not None and len(self.asked) >= self.ends_after:
                    raise KeyboardInterrupt
                self.asked.append((name, mode, index))
                rng = np.random.default_rng([place, mode == "pot", index])
                answer = place + 1 if rng.random() > place / 5 else int(rng.integers(100, 999))
                text = f"#### {answer}" if mode == "cot" else f"print({answer})"
                yield Completion(i, index, text, [7] * (1 + index), -1.0, "eos")


def config(folder, **until):
    return SampleConfig(
        run=str(folder),
        modes={"cot": 12, "pot": 12},
        problems_per_part=2,
        workers=1,
        until=UntilConfig(**{"rule": "beta", "threshold": 0.9, "round": 4, **until}),
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    engine, settings = Drawn(), config(tmp_path_factory.mktemp("rounds") / "run")
    sample(settings, engine, PROBLEMS)
    return engine, grade(GradeConfig(run=settings.run))


@pytest.mark.parametrize("rule", ["beta", "doubling", "window", "certain"])
def test_a_replay_of_its_own_samples_decides_the_same(tmp_path, rule, run):
    if rule == "beta":
        _, found = run
    else:
        threshold = {"doubling": 0.75, "window": 3, "certain": 0}[rule]
        settings = config(tmp_path / "run", rule=rule, threshold=threshold)
        sample(settings, Drawn(), PROBLEMS)
        found = grade(GradeConfig(run=settings.run))
    until = UntilConfig(**found.key("candidates")["until"])
    pool = PoolArrays.from_frame(load_frame(found))
    drawn = pool.present.sum(axis=1)
    order = sampled_order(pool, "both", 24)
    rows = np.arange(len(drawn))[:, None]
    classes = np.where(order >= 0, pool.classes[rows, order], -1)
    # What was not drawn a replay does not see either: it has stopped before.
    seen = Seen(classes.T, np.zeros(classes.T.shape, bool), None, 24, 4)
    ends = stops(until.rule, [until.threshold], seen).ends[0]
    assert ends.tolist() == drawn.tolist()
    # The sure problem is decided before others are.
    assert drawn[0] < drawn.max()


def test_a_sample_is_drawn_once_and_is_that_of_a_fixed_number(run, tmp_path):
    engine, found = run
    assert len(set(engine.asked)) == len(engine.asked) == len(load_frame(found))
    fixed = dataclasses.replace(config(tmp_path / "fixed"), until=UntilConfig())
    whole = sample(fixed, Drawn(), PROBLEMS)
    texts = {
        (row["problem_id"], row["mode"], row["sample"]): row["text"]
        for part in whole.parts("candidates")
        for row in whole.read("candidates", part).to_pylist()
    }
    for part in found.parts("candidates"):
        for row in found.read("candidates", part).to_pylist():
            assert texts[row["problem_id"], row["mode"], row["sample"]] == row["text"]


def test_what_is_cut_short_goes_on_without_drawing_anew(run, tmp_path):
    whole, found = run
    engine = Drawn()
    settings = config(tmp_path / "cut")
    for stop in (7, 25, 40, None):
        engine.ends_after = stop
        if stop is None:
            cut = sample(settings, engine, PROBLEMS)
        else:
            with pytest.raises(KeyboardInterrupt):
                sample(settings, engine, PROBLEMS)
    names = {part.filename for part in found.parts("candidates")}
    assert {part.filename for part in cut.parts("candidates")} == names
    for part in found.parts("candidates"):
        assert cut.read("candidates", part) == found.read("candidates", part)
    # A kill loses the round of one mode that was being drawn.
    assert len(engine.asked) - len(whole.asked) <= 3 * 2 * 2
    before = len(engine.asked)
    sample(settings, engine, PROBLEMS)
    assert len(engine.asked) == before


def test_shards_make_the_run_of_one(run, tmp_path):
    _, found = run
    settings = config(tmp_path / "shards")
    for shard in ("1/2", "0/2"):
        sharded = sample(dataclasses.replace(settings, shard=shard), Drawn(), PROBLEMS)
    assert [p.filename for p in sharded.parts("candidates")] == [
        p.filename for p in found.parts("candidates")
    ]


def test_another_rule_is_another_run(run):
    _, found = run
    with pytest.raises(UserError, match=r"other settings \(until.threshold: 0.9 there, 0.8"):
        sample(config(found.path, threshold=0.8), Drawn(), PROBLEMS)


def test_estimates_are_of_the_first_round(run, capsys):
    _, found = run
    frame, (note,) = estimable(load_frame(found), found)
    assert set(frame.groupby(["problem_id", "mode"]).size()) == {2}
    assert note.startswith("sampled until beta 0.9 in rounds of 4, at most 24: ")
    assert note.endswith("everything else here is of the first 4 of each problem")
    assert command_line.main(["evaluate", str(found.path), "draws=5", "bootstrap=20"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "sampled until beta 0.9" in told
    assert command_line.main(["evaluate", str(found.path), "n=[8]"]) == 2
    assert "n=8 is more than the 4 candidates" in capsys.readouterr().err
    for command in ("adapt", "scale"):
        words = [command, str(found.path), "draws=5", "bootstrap=2"]
        assert command_line.main(words) == 0
        assert "sampled until beta 0.9" in " ".join(capsys.readouterr().out.split())


def test_rounds():
    assert resolved(UntilConfig("beta"), 64, 2) == UntilConfig("beta", 0.95, 8, 64)
    assert rounds_of(UntilConfig("beta", 0.95, 8, 20)) == [(0, 8), (8, 16), (16, 20)]
    # Four that agree are 1 − 1/32; a tie goes on.
    classes = np.array([[0, 0, 0, 0], [0, 0, 0, -1], [0, 1, 0, 1]])
    assert decided(UntilConfig("beta", 0.95, 4, 8), classes).tolist() == [True, False, False]
    assert decided(UntilConfig("beta", 0.95, 4, 4), classes).tolist() == [True] * 3


@pytest.mark.parametrize(
    ("until", "told"),
    [
        ({"rule": "gamma"}, "until.rule=gamma: expected one of certain, beta"),
        ({"rule": "best"}, "until.rule=best: expected one of certain"),
        ({"threshold": 1.5}, "until.threshold=1.5: expected a number above 0"),
        ({"rule": "window", "threshold": 0.9}, "the size of a window"),
        ({"round": 3}, "until.round=3: expected a multiple of 2"),
        ({"most": 7}, "until.most=7: expected a multiple of 2"),
        ({"round": 40}, "until.round=40: expected at most 24"),
    ],
)
def test_what_is_refused(tmp_path, until, told):
    with pytest.raises(UserError) as error:
        sample(config(tmp_path / "run", **until), Drawn(), PROBLEMS)
    assert told in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_mixture_and_unequal_modes_are_refused():
    until = UntilConfig("beta")
    with pytest.raises(UserError, match="until: not with a mixture"):
        rounds.until_of(until, {"cot": 4}, {"hot": {}})
    with pytest.raises(UserError, match="as many of each mode, or until"):
        rounds.until_of(until, {"cot": 4, "pot": 8}, {})


def test_it_is_written_as_one_word():
    words = ["until={rule: beta, threshold: 0.9, round: 4, most: 64}"]
    assert load(SampleConfig, words).until == UntilConfig("beta", 0.9, 4, 64)


def test_a_run_on_disk_is_whole(run):
    """Parts cover all 12 samples of each mode of every slice; those not drawn are without rows."""
    _, found = run
    opened = Run.open(found.path)
    assert not opened.missing("candidates", opened.wanted_parts({"cot": 12, "pot": 12}, 2))
    empty = [p for p in opened.parts("candidates") if not len(opened.read("candidates", p))]
    assert not empty or all(part.end == 12 for part in empty)
