"""Rankers trained on runs and used on others, by their commands."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from assay import command_line
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.search.stages.score import ScoreRunConfig, score
from assay.search.stages.train_ranker import train_ranker
from assay.settings.errors import UserError
from assay.storage.parquet import to_frame
from assay.verifier.ranker.config import TrainRankerConfig
from assay.verifier.ranker.measure import auc_within
from assay.verifier.ranker.model_file import Ranker
from assay.verifier.training_problems import write_training_problems
from tests.verifier.ranker_runs import make_run, problems_of

# Small, and quick to fit.
SMALL = {"rounds": 20, "leaves": 4, "importance": 1}


def config_of(output, *pools, **more):
    settings = {**SMALL, "pools": [str(pool) for pool in pools], **more}
    return TrainRankerConfig(output=str(output), **settings)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A pool of 60 problems and a test of 20 others, scored by a verifier; a ranker of the pool."""
    folder = tmp_path_factory.mktemp("ranker")
    (folder / "v").mkdir()
    write_training_problems(folder / "v", problems_of(5, first=900), [])
    verifiers = {"v": str(folder / "v")}
    make_run(folder / "pool", problems_of(60), verifiers=verifiers, values=True)
    make_run(folder / "test", problems_of(20, 60), verifiers=verifiers, values=True, seed=1)
    trained = train_ranker(config_of(folder / "r", folder / "pool", verifiers=["v"]))
    score(ScoreRunConfig(run=str(folder / "test"), ranker=str(folder / "r")))
    return folder, trained


def ranked_auc(frame, column="score:r"):
    """The AUC within problems and modes of a run's scores."""
    groups = frame.groupby(["problem_id", "mode"]).ngroup().to_numpy()
    return auc_within(frame[column].to_numpy(float), frame["label"].to_numpy(bool), groups)


def test_a_ranker_is_better_than_what_it_reads_and_calibrated(base):
    folder, trained = base
    rows = {row["name"]: row for row in trained.ranker.about["measures"]}
    assert set(rows) == {"log-probability", "v", "ranker"}
    assert rows["ranker"]["auc_within"] > rows["log-probability"]["auc_within"] + 0.03
    assert rows["ranker"]["auc_within"] > rows["v"]["auc_within"] + 0.03
    assert rows["ranker"]["calibration_error"] < 0.06
    test = load_frame(Run.open(str(folder / "test")))
    assert ranked_auc(test) > 0.7
    assert test["score:r"].mean() == pytest.approx(test["label"].mean(), abs=0.08)
    about = trained.ranker.about
    assert (about["problems"], about["candidates"]) == (60, 960)
    # Groups come before single features.
    assert about["importance"][0]["features"] > 1
    assert "ranker" in (folder / "r" / "README.md").read_text()


def test_a_loaded_ranker_scores_as_the_fitted_one(base):
    folder, trained = base
    run = Run.open(str(folder / "test"))
    frame = load_frame(run, texts=True)
    loaded = Ranker.load(folder / "r")
    assert loaded.hash == Ranker.load(folder / "r" / "ranker.json").hash == trained.ranker.hash
    ours, theirs = (r.score(frame, run.problems) for r in (trained.ranker, loaded))
    for name in ("margins", "scores", "probabilities"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_allclose(frame["score:r"], ours.scores, rtol=1e-6)
    part = to_frame(run.read("scores/r", run.parts("scores/r")[0]))
    assert part["probability"].tolist() == pytest.approx(part["score"].tolist(), rel=1e-6)
    assert (part["margin"].rank() == part["score"].rank()).all()


def test_candidates_are_scored_alike_alone_and_among_others(base):
    folder, trained = base
    run = Run.open(str(folder / "test"))
    frame = load_frame(run, texts=True)
    whole = trained.ranker.score(frame, run.problems).margins
    some = frame.iloc[::7]
    np.testing.assert_array_equal(trained.ranker.score(some, run.problems).margins, whole[::7])


def test_scores_of_its_own_problems_are_out_of_fold(tmp_path):
    """A model that can learn labels by heart, of labels that say nothing, gains nothing."""
    run = make_run(tmp_path / "pool", problems_of(40), seed=3)
    rng = np.random.default_rng(0)
    for part in run.parts("answers"):
        table = run.read("answers", part).to_pylist()
        for row in table:
            row["label"] = bool(rng.random() < 0.5)
        schema = run.read("answers", part).schema
        run.write("answers", part, pa.Table.from_pylist(table, schema=schema), 0.1)
    greedy = {"rounds": 60, "leaves": 64, "min_leaf": 1, "l2": 0.0, "monotone": False}
    greedy |= {"learning_rate": 0.3, "importance": 0}
    trained = train_ranker(config_of(tmp_path / "r", tmp_path / "pool", **greedy))
    frame = load_frame(Run.open(str(tmp_path / "pool")), texts=True)
    assert abs(ranked_auc(frame) - 0.5) < 0.06
    told = trained.ranker.about["measures"][-1]["auc_within"]
    assert told == pytest.approx(ranked_auc(frame), abs=1e-3)
    by_heart = replace(trained.ranker, seen={}).score(frame, run.problems).scores
    assert ranked_auc(frame.assign(heart=by_heart), "heart") > 0.8


def test_a_verifier_that_memorised_its_training_problems_does_not_look_good(tmp_path, capsys):
    known, fresh = problems_of(40), problems_of(60, 40)
    (tmp_path / "v").mkdir()
    write_training_problems(tmp_path / "v", known, [])
    memorised = {problem.question for problem in known}
    make_run(
        *(tmp_path / "pool", known + fresh),
        verifiers={"v": str(tmp_path / "v")},
        memorised=memorised,
        samples=4,
    )
    pool = Run.open(str(tmp_path / "pool"))
    refused = config_of(tmp_path / "r", tmp_path / "pool", verifiers=["v"])
    with pytest.raises(UserError, match=r"v was trained on 40 of its 100 problems.*seen=drop"):
        train_ranker(refused)
    assert not (tmp_path / "r").exists()
    honest = train_ranker(replace(refused, seen="drop")).ranker
    assert "40 problems left out that a verifier was trained on" in capsys.readouterr().err
    assert len(honest.seen) == 60
    frame = load_frame(pool, texts=True)
    fresh_only = frame[frame["problem_id"].isin([problem.id for problem in fresh])]
    rows = {row["name"]: row["auc_within"] for row in honest.about["measures"]}
    assert rows["v"] == pytest.approx(ranked_auc(fresh_only, "score:v"))
    # Without the record it would look perfect, and trust the verifier where it knows nothing.
    (tmp_path / "v" / "problems.json").unlink()
    only_known = make_run(
        *(tmp_path / "known", known),
        verifiers={"v": str(tmp_path / "v")},
        memorised=memorised,
        samples=4,
    )
    fooled = train_ranker(config_of(tmp_path / "f", only_known.path, verifiers=["v"])).ranker
    assert "v does not say which problems it was trained on" in capsys.readouterr().err
    assert fooled.about["measures"][-1]["auc_within"] > 0.99
    worth = {
        name: ranked_auc(fresh_only.assign(s=r.score(fresh_only, fresh).scores), "s")
        for name, r in (("honest", honest), ("fooled", fooled))
    }
    assert worth["honest"] > worth["fooled"] + 0.05


def test_scoring_goes_on_where_it_was_and_by_shards(base, tmp_path, monkeypatch):
    folder, _ = base
    verifiers = {"v": str(folder / "v")}
    runs = [
        make_run(tmp_path / name, problems_of(60, 100), verifiers=verifiers, values=True)
        for name in "ab"
    ]
    whole, parted = (str(run.path) for run in runs)
    score(ScoreRunConfig(run=whole, ranker=str(folder / "r"), name="x"))
    write, written = Run.write, []

    def killed(self, stage, part, *more):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(part)
        write(self, stage, part, *more)

    monkeypatch.setattr(Run, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        score(ScoreRunConfig(run=parted, ranker=str(folder / "r"), name="x"))
    monkeypatch.setattr(Run, "write", write)
    for shard in ("1/2", "0/2"):
        score(ScoreRunConfig(run=parted, ranker=str(folder / "r"), name="x", shard=shard))
    columns = ["problem_id", "mode", "sample", "score:x"]
    ours, theirs = (load_frame(Run.open(path))[columns] for path in (whole, parted))
    assert ours.equals(theirs)
    assert len(written) == 2


def test_the_same_training_again_changes_nothing(base):
    folder, trained = base
    file = folder / "r" / "ranker.json"
    before = file.read_bytes()
    config = config_of(folder / "r", folder / "pool", verifiers=["v"])
    assert train_ranker(config).ranker.hash == trained.ranker.hash
    assert file.read_bytes() == before
    with pytest.raises(UserError, match=r"holds another ranker \(rounds: 20 there, 21 asked for"):
        train_ranker(replace(config, rounds=21))
    with pytest.raises(UserError, match="something other than a ranker"):
        train_ranker(replace(config, output=str(folder / "v"), name="x"))


def test_a_verifier_is_found_under_another_name(base, tmp_path):
    folder, _ = base
    make_run(tmp_path / "run", problems_of(20, 60), verifiers={"v": "none"}, values=True, seed=1)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    run = Run.open(str(tmp_path / "run"))
    run.register("scores/w", record["stages"]["scores/v"]["key"], {})
    for part in run.parts("scores/v"):
        run.write("scores/w", part, run.read("scores/v", part), 0.1)
    # A verifier of the same name is another one here.
    (tmp_path / "run" / "scores" / "v").rename(tmp_path / "gone")
    run.register("scores/v", {"verifier": "hash of another", "aggregate": "last"}, {})
    score(ScoreRunConfig(run=str(run.path), ranker=str(folder / "r")))
    ours, theirs = (load_frame(Run.open(str(p))) for p in (run.path, folder / "test"))
    np.testing.assert_array_equal(ours["score:r"], theirs["score:r"])


def test_bad_input_is_told_in_one_line(base, tmp_path, capsys):
    folder, _ = base
    pool, ranker = folder / "pool", folder / "r"

    def told(*words):
        capsys.readouterr()
        assert command_line.main([str(word) for word in words]) == 2
        return capsys.readouterr().err.strip()

    train = ("train-ranker", tmp_path / "new")
    assert "pools: expected at least one graded run" in told(*train)
    assert "model=forest: expected one of trees, logistic" in told(
        *train, f"pools=[{pool}]", "model=forest"
    )
    assert "no scores by 'w' (the run has: v, r)" in told(
        *train, f"pools=[{pool}]", "verifiers=[w]"
    )
    assert "r is a ranker; expected verifiers" in told(*train, f"pools=[{pool}]", "verifiers=[r]")
    assert "60 problems with labelled candidates are too few for 31 folds" in told(
        *train, f"pools=[{pool}]", "folds=31"
    )
    assert "n=8: belongs to features=pool" in told(*train, f"pools=[{pool}]", "n=8")
    plain = make_run(tmp_path / "plain", problems_of(3))
    assert "no scores by the verifier 'v' that the ranker reads (the run has: none)" in told(
        "score", plain.path, f"ranker={ranker}"
    )
    scored = make_run(tmp_path / "scored", problems_of(3), verifiers={"v": ""})
    assert "features that it was trained with are missing: last:v, mean:v, min:v" in told(
        "score", scored.path, f"ranker={ranker}"
    )
    assert "by the verifier of this name is read" not in told("score", pool)
    assert "not a ranker (it has no ranker.json)" in told("score", pool, f"ranker={folder / 'v'}")
    assert "read by the ranker; name another" in told(
        "score", folder / "test", f"ranker={ranker}", "name=v"
    )
    content = json.loads((ranker / "ranker.json").read_text())
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps({**content, "calibration": "isotonic"}))
    assert "was changed since it was written" in told("score", pool, f"ranker={changed}")
    changed.write_text(json.dumps({**content, "whole": {}}))
    assert "is damaged" in told("score", pool, f"ranker={changed}")
    changed.write_text("[]")
    assert "changed.json: not a ranker" in told("score", pool, f"ranker={changed}")


def test_scores_within_pools_are_shown_for_whole_pools_alone(base, tmp_path, capsys):
    folder, _ = base
    verifiers = {"v": str(folder / "v")}
    run = make_run(tmp_path / "run", problems_of(20, 60), verifiers=verifiers, values=True, seed=1)
    config = config_of(
        tmp_path / "p", folder / "pool", verifiers=["v"], features="pool", n=8, importance=0
    )
    ranker = train_ranker(config).ranker
    assert ranker.pool_size == 8
    # Four subsets of four words and four programs of each of 60 problems.
    assert ranker.about["candidates"] == 4 * 8 * 60
    assert "vote_share" in ranker.features
    score(ScoreRunConfig(run=str(run.path), ranker=str(tmp_path / "p")))
    capsys.readouterr()

    def told(*words, code=0):
        assert command_line.main(["evaluate", str(run.path), *words]) == code
        printed = capsys.readouterr()
        return " ".join((printed.out + printed.err).split())

    shown = told("verifier=p", "bootstrap=20", "draws=5")
    assert "best-of-n" in shown
    assert "shown at n = 16 alone" in shown
    assert "p was trained for 8 candidates of a problem, not 16" in shown
    evaluation = json.loads(told("verifier=p", "bootstrap=20", "draws=5", "--json"))
    cells = {(row["modes"], row["n"]) for row in evaluation["accuracy"] if row["rule"] == "top_k"}
    assert cells == {("both", 16)}
    refused = told("verifier=p", "n=8", code=2)
    assert "n=8: scores by p read how a candidate stands among all of its problem" in refused
    # The verifier's own scores are shown at every n as before.
    assert {row["n"] for row in json.loads(told("verifier=v", "--json"))["accuracy"]} >= {1, 4, 16}
    # A part's scores are of whole pools, whichever parts are done.
    frame = load_frame(Run.open(str(run.path)), texts=True)
    found = ranker.score(frame, run.problems).scores
    np.testing.assert_allclose(frame["score:p"], found, rtol=1e-6)
    half = ranker.score(frame[frame["mode"] == "cot"], run.problems).scores
    assert not np.allclose(half, found[(frame["mode"] == "cot").to_numpy()])


def test_the_page_tells_what_the_ranker_reads(base, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    folder, _ = base
    monkeypatch.setattr(Figure, "savefig", lambda figure, stream, **_: stream.write(b"<svg></svg>"))
    words = ["report", str(folder / "test"), "verifier=r", f"output={tmp_path / 'report'}"]
    assert command_line.main([*words, "bootstrap=20", "draws=5"]) == 0
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "What the ranker reads" in page
    assert "log-probability<small>2 features</small>" in page
