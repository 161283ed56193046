"""Expected costs against all subsets, a run's costs by hand, and the comparison at equal FLOPs."""

import dataclasses
import itertools
import json

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.costs import candidate_costs, costs, equal_flops, with_costs
from assay.evaluation.evaluate import EvaluateRunConfig, run_evaluate
from assay.evaluation.of_run import evaluate_run
from assay.evaluation.report.axes import AXES
from assay.evaluation.report.curve_figures import plot_curves
from assay.evaluation.report.report import ReportConfig, run_report
from assay.evaluation.report.style import FigureStyle
from assay.evaluation.table import table
from assay.generator.flops import ModelShape
from assay.pools.rows import Candidate, candidates_table, scores_table
from assay.pools.run import Part, Run
from assay.problems.problem import Problem
from assay.search.stages.grade import GradeConfig, grade
from assay.selection.curves import splits
from assay.selection.evaluate import evaluate
from assay.selection.names import SCORED_RULES
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError

# 2 layers, 8 wide: token_flops 2304, logit_flops 1600, 64 for each key, 16 for a value.
SHAPE = ModelShape("llama", 8, 2, 4, 2, 2, 16, True, 100)
# 1 layer, 4 wide, no gate: token_flops 2 × (4·4·2·2 + 2·4·8) = 256, 16 for each key, 8 for a value.
SMALL = ModelShape("gpt2", 4, 1, 2, 2, 2, 8, False, 50)
PRICES = (
    "tokens",
    "sampling_flops",
    "prompt_flops",
    "scoring_flops",
    "question_flops",
    "sampling_seconds",
    "grading_seconds",
    "scoring_seconds",
)

SVG = FigureStyle(formats=["svg"])


def evaluation_of(frame, n=()):
    pool = frame.assign(answer_class=0, label=True, sample=range(len(frame)))
    if "score:v" not in pool:
        pool["score:v"] = 0.5
    return evaluate(PoolArrays.from_frame(pool), EvaluateConfig(n=list(n), draws=2, bootstrap=2))


def make_candidates():
    """Two problems; in each mode four or three candidates of two origins with prices at random."""
    rng = np.random.default_rng(0)
    rows = []
    for problem, counts in (("a", (4, 3)), ("b", (3, 4))):
        for mode, count in zip(("cot", "pot"), counts, strict=True):
            question = rng.integers(1, 9)
            prompts = {"": rng.integers(10, 90), "hot": rng.integers(10, 90)}
            for sample in range(count):
                origin = "hot" if sample == 0 else ""
                own = dict.fromkeys(PRICES, 0.0) | {
                    name: float(rng.integers(1, 99)) for name in PRICES
                }
                own |= {"prompt_flops": prompts[origin], "question_flops": question}
                rows.append({"problem_id": problem, "mode": mode, "origin": origin, **own})
    return pd.DataFrame(rows)


def brute_force(candidates, mix, n, name):
    """The mean over problems, over the ways to split n, over all subsets."""
    found = []
    for _, own in candidates.groupby("problem_id"):
        for way in splits(mix, n):
            pools = []
            for mode, drawn in zip(("cot", "pot"), way, strict=True):
                rows = own[own["mode"] == mode].to_dict("records")
                pools.append(list(itertools.combinations(rows, min(drawn, len(rows)))))
            subsets = [list(cot) + list(pot) for cot, pot in itertools.product(*pools)]
            found.append(np.mean([price(subset, name) for subset in subsets]))
    return np.mean(found)


def price(subset, name):
    if name == "prompt_flops":
        return sum({(c["mode"], c["origin"]): c[name] for c in subset}.values())
    if name == "question_flops":
        return sum({c["mode"]: c[name] for c in subset}.values())
    return sum(c[name] for c in subset)


def test_expectations_equal_all_subsets():
    candidates = make_candidates()
    evaluation = evaluation_of(candidates, n=(1, 2, 3, 4, 5))
    found = costs(candidates, evaluation)
    assert len(found) == 2 * sum(len(evaluation.ns(mix)) for mix in evaluation.mixes)
    assert found["n"].max() == 5
    frame = evaluation.frame.query("rule == 'pass'").set_index(["modes", "n"])["tokens"]
    assert dict(frame) == pytest.approx(dict(found.groupby(["modes", "n"])["tokens"].first()))
    for row in found.to_dict("records"):
        expected = {name: brute_force(candidates, row["modes"], row["n"], name) for name in PRICES}
        generator = expected["sampling_flops"] + expected["prompt_flops"]
        verifier = expected["scoring_flops"] + expected["question_flops"]
        seconds = expected["sampling_seconds"] + expected["grading_seconds"]
        if not row["verifier"]:
            verifier = expected["scoring_seconds"] = 0.0
        assert row["tokens"] == pytest.approx(expected["tokens"], rel=1e-12)
        assert row["generator_flops"] == pytest.approx(generator, rel=1e-12)
        assert row["verifier_flops"] == pytest.approx(verifier, rel=1e-12)
        assert row["flops"] == pytest.approx(generator + verifier, rel=1e-12)
        assert row["seconds"] == pytest.approx(seconds + expected["scoring_seconds"], rel=1e-12)


def test_what_is_not_drawn_may_be_unknown():
    candidates = make_candidates()
    candidates.loc[candidates["mode"] == "pot", "sampling_flops"] = np.nan
    found = costs(candidates, evaluation_of(candidates, n=(1,)))
    assert found.groupby("modes")["flops"].apply(lambda x: x.notna().all()).to_dict() == {
        "both": False,
        "cot": True,
        "pot": False,
    }


@pytest.fixture
def make_run(tmp_path):
    """A run of one problem, two CoT candidates of 2 and 4 tokens behind a prompt of 3; scored."""

    def make(
        *, generator=SHAPE, verifier=SMALL, counts=True, values=False, seconds=(6.0, 1.0, 3.0)
    ):
        problems = [Problem(id="p", question="1 + 1?", answer="2")]
        run = Run.open_or_create(tmp_path / "run", problems)
        config = {"generator": {"name": str(tmp_path / "generator")}}
        shape = generator.to_dict() if generator else None
        run.register("candidates", {"problems_per_part": 1}, config, shape=lambda: shape)
        part = Part(0, "cot", 0, 2)
        rows = [
            Candidate("p", "cot", i, f"#### {2 + i}", [1], tokens, 3, -1.0, "eos")
            for i, tokens in enumerate((2, 4))
        ]
        run.write("candidates", part, candidates_table(rows), seconds[0])
        run = grade(GradeConfig(run=str(run.path)))
        run.write("answers", part, run.read("answers", part), seconds[1])
        own = verifier.to_dict() if verifier else None
        config = {"verifier": {"name": "nobody/v"}}
        run.register("scores/v", {"verifier": "v"}, config, shape=lambda: own)
        scores = [
            {"problem_id": "p", "mode": "cot", "sample": i, "score": 1.0 - i, "starts": [],
             "ends": [], "values": np.zeros(length, np.float16)}
            | ({"verifier_tokens": length, "verifier_prompt_tokens": 2} if counts else {})
            for i, length in enumerate((1, 2))
        ]  # fmt: skip
        if not values:
            scores = [{name: row[name] for name in row if name != "values"} for row in scores]
        run.write("scores/v", part, scores_table(scores, values=values), seconds[2])
        return Run.open(run.path)

    return make


def test_a_run_by_hand(make_run):
    candidates, notes = candidate_costs(make_run(), "v")
    assert notes == []
    found = candidates.to_dict("list")
    # 1 token read behind 3, seeing 4 keys; and 3 tokens seeing 4 + 5 + 6; logits for each.
    assert found["sampling_flops"] == [
        2304 + 64 * 4 + 1600,
        3 * 2304 + 64 * 15 + 3 * 1600,
    ] == [4160, 12672]  # fmt: skip
    assert found["prompt_flops"] == [3 * 2304 + 64 * 6 + 1600] * 2 == [8896] * 2
    # The verifier's question has 2 tokens, its candidates 1 and 2: seeing 3, and 3 + 4 keys.
    assert found["scoring_flops"] == [256 + 16 * 3 + 8, 2 * 256 + 16 * 7 + 2 * 8] == [312, 640]
    assert found["question_flops"] == [2 * 256 + 16 * 3] * 2 == [560] * 2
    assert found["sampling_seconds"] == [2.0, 4.0]  # by tokens: 2 and 4 of 6 s
    assert found["grading_seconds"] == [0.5, 0.5]
    assert found["scoring_seconds"] == [1.0, 2.0]  # by the verifier's tokens: 1 and 2 of 3 s


def test_rules_pay_for_what_they_use(make_run):
    run = make_run()
    frame = evaluate_run(run, EvaluateConfig(draws=2, bootstrap=2)).frame
    found = {(row["rule"], row["n"]): row for row in frame.to_dict("records")}
    one = 8896 + (4160 + 12672) / 2
    two = 8896 + 4160 + 12672
    scored = two + 560 + 312 + 640
    flops = {key: row["flops"] for key, row in found.items()}
    assert flops == {
        **dict.fromkeys([(rule, 1) for rule, n in flops if n == 1], one),
        **dict.fromkeys([(r, 2) for r in ("majority", "shortest", "logprob", "pass")], two),
        **dict.fromkeys([(rule, 2) for rule in SCORED_RULES], scored),
    }
    assert found["majority", 1]["seconds"] == 3.5
    assert found["majority", 2]["seconds"] == 7.0
    assert found["weighted", 2]["seconds"] == 10.0


def test_the_table_shows_costs(make_run, capsys):
    run = make_run()
    shown = table(evaluate_run(run, EvaluateConfig(draws=2, bootstrap=2))).splitlines()
    assert "  MFLOPs + scoring    0.0257 + 0.0015" in shown
    assert "  seconds + scoring     7.00 + 3.00" in shown
    assert max(map(len, shown)) <= 80
    run_evaluate(EvaluateRunConfig(run=str(run.path), draws=2, bootstrap=2, json=True))
    told = json.loads(capsys.readouterr().out)
    assert told["accuracy"][0]["flops"] == 8896 + (4160 + 12672) / 2
    assert told["equal_flops"] == []  # majority's largest n costs less than the verifier's least


def test_the_report_draws_against_costs(make_run, capsys):
    run = make_run()
    run_report(ReportConfig(run=str(run.path), draws=2, bootstrap=2, x="flops"))
    capsys.readouterr()
    assert AXES["flops"] in (run.path / "report" / "curves.svg").read_text()
    accuracy = pd.read_csv(run.path / "report" / "accuracy.csv")
    assert accuracy["flops"].notna().all()
    told = json.loads((run.path / "report" / "evaluation.json").read_text())
    assert told["equal_flops"] == []


def test_several_verifiers_cost_each_their_own(make_run, capsys):
    run = make_run()
    run.register("scores/w", {"verifier": "w"}, {}, shape=SHAPE.to_dict)
    part = Part(0, "cot", 0, 2)
    run.write("scores/w", part, run.read("scores/v", part), 8.0)
    run_evaluate(EvaluateRunConfig(run=str(run.path), draws=2, bootstrap=2))
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("  MFLOPs + scoring")
    assert [line.split() for line in lines[start : start + 6]] == [
        ["MFLOPs", "+", "scoring"],
        ["v", "0.0257", "+", "0.0015"],
        # 5 tokens of 2304 with a number at 3 of them, and 1 + 2 + 3 + 3 + 4 keys of 64: 12400.
        ["w", "0.0257", "+", "0.0124"],
        ["seconds", "+", "scoring"],
        ["v", "7.00", "+", "3.00"],
        ["w", "7.00", "+", "8.00"],
    ]


def test_scores_with_values_tell_the_tokens(make_run):
    candidates, notes = candidate_costs(make_run(counts=False, values=True), "v")
    # 3 tokens before: the generator's prompt stands for the verifier's.
    assert candidates["scoring_flops"].tolist() == [256 + 16 * 4 + 8, 2 * 256 + 16 * 9 + 2 * 8]
    assert candidates["scoring_seconds"].tolist() == [1.0, 2.0]
    assert [note[:16] for note in notes] == ["FLOPs of scoring"]


def test_scores_without_tokens_and_values(make_run):
    candidates, notes = candidate_costs(make_run(counts=False), "v")
    assert candidates["scoring_flops"].tolist() == [
        2 * 256 + 16 * 9 + 2 * 8,
        4 * 256 + 16 * (4 + 5 + 6 + 7) + 4 * 8,
    ]
    assert len(notes) == 1


def test_older_runs_read_the_model_where_it_is(make_run, tmp_path):
    (tmp_path / "generator").mkdir()
    run = make_run(generator=None)
    assert run.shapes("candidates") == {}
    _, notes = candidate_costs(run, "v")
    assert notes == ["FLOPs left out: the shape of the generator is not known"]
    config = {
        "model_type": "llama",
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 100,
    }
    (tmp_path / "generator" / "config.json").write_text(json.dumps(config))
    candidates, notes = candidate_costs(run, "v")
    assert notes == []
    assert candidates["sampling_flops"].tolist() == [4160, 12672]


def test_older_runs_of_servers(make_run):
    """What is served is unknown where only the default tokenizer stands for it."""
    run = make_run(generator=None)
    config = {"generator": {"name": "embedded"}, "engine": {"name": "server"}}
    run.register("candidates", {"problems_per_part": 1}, config)
    candidates, _ = candidate_costs(run, "v")
    assert candidates["sampling_flops"].isna().all()
    config["engine"]["name"] = "transformers"
    run.register("candidates", {"problems_per_part": 1}, config)
    candidates, _ = candidate_costs(run, "v")
    assert candidates["sampling_flops"].notna().all()


def test_unknown_shapes_and_seconds_are_said(make_run, tmp_path):
    run = make_run(generator=None, verifier=None, seconds=(0.0, 0.0, 0.0))
    evaluation = evaluate_run(run, EvaluateConfig(draws=2, bootstrap=2))
    assert evaluation.frame[["flops", "seconds"]].isna().all(axis=None)
    assert [note.split(":")[0] for note in evaluation.notes] == [
        "FLOPs left out",
        "seconds left out",
    ]
    shown = table(evaluation)
    assert "FLOPs per problem" not in shown
    assert "seconds per problem" not in shown
    for x, message in (
        ("flops", "x=flops: FLOPs left out: the shape of the generator"),
        ("seconds", "x=seconds: seconds left out"),
        ("time", "x=time: expected one of n, tokens, flops, seconds"),
    ):
        with pytest.raises(UserError, match=message):
            plot_curves(evaluation, tmp_path / "curves", x=x)
    plot_curves(evaluation, tmp_path / "curves", style=SVG, x="tokens")
    assert "generated tokens per problem" in (tmp_path / "curves.svg").read_text()


def test_an_unknown_verifier_leaves_the_vote_known(make_run):
    evaluation = evaluate_run(make_run(verifier=None), EvaluateConfig(draws=2, bootstrap=2))
    frame = evaluation.frame
    known = frame[frame["flops"].notna()]
    assert set(known[known["n"] == 2]["rule"]) == {"majority", "shortest", "logprob", "pass"}
    assert set(frame[frame["flops"].isna()]["rule"]) == set(SCORED_RULES)
    assert "  MFLOPs per problem  0.0257" in table(evaluation).splitlines()
    assert evaluation.notes == (
        "FLOPs of scoring left out: the shape of verifier 'v' is not known",
    )


@pytest.fixture(scope="module")
def priced():
    """40 problems, 8 candidates; n candidates cost 100 n, and a verifier as much again."""
    rng = np.random.default_rng(0)
    rows = []
    for p in range(40):
        for sample in range(8):
            right = bool(rng.random() < 0.5)
            rows.append((f"p{p:02d}", "cot", sample, int(not right), right, rng.random() + right))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=names))
    evaluation = evaluate(pool, EvaluateConfig(draws=50, bootstrap=200))
    frame = evaluation.frame
    twice = frame["rule"].isin(SCORED_RULES) & (frame["n"] > 1)
    return evaluation, frame.assign(flops=100.0 * frame["n"] * (1 + twice))


def test_equal_flops_where_a_point_is_hit(priced):
    evaluation = dataclasses.replace(priced[0], frame=priced[1])
    found = equal_flops(evaluation)
    assert found["rule"].unique().tolist() == list(SCORED_RULES)
    # 2 n ≤ 8: at n = 8 the verifier costs more than any majority vote of the pool.
    assert found["n"].unique().tolist() == [2, 4]
    for row in found.to_dict("records"):
        assert row["majority_n"] == pytest.approx(2 * row["n"], rel=1e-12)
        exact = evaluation.difference(
            (row["rule"], "cot", row["n"]), ("majority", "cot", 2 * row["n"])
        )
        assert (row["difference"], row["low"], row["high"]) == pytest.approx(
            (exact.value, exact.low, exact.high), abs=1e-12
        )


def test_equal_flops_between_points(priced):
    """400 · √2 FLOPs lie half way between 4 and 8 candidates on a logarithmic axis."""
    evaluation, frame = priced
    middle = frame["rule"].eq("weighted") & frame["n"].eq(4)
    evaluation = dataclasses.replace(
        evaluation, frame=frame.assign(flops=frame["flops"].mask(middle, 400 * 2**0.5))
    )
    row = equal_flops(evaluation).query("rule == 'weighted' and n == 4").iloc[0]
    assert row["majority_n"] == pytest.approx(4 * 2**0.5)
    of = {n: evaluation.per_problem["majority", "cot", n].mean() for n in (4, 8)}
    own = evaluation.per_problem["weighted", "cot", 4].mean()
    assert row["difference"] == pytest.approx(own - (of[4] + of[8]) / 2, abs=1e-12)


def test_equal_flops_with_one_point(priced):
    evaluation, frame = priced
    one = frame[(frame["rule"] != "majority") | (frame["n"] == 8)]
    assert equal_flops(dataclasses.replace(evaluation, frame=one)).empty


def test_equal_flops_in_the_table(priced):
    shown = table(dataclasses.replace(priced[0], frame=priced[1])).splitlines()
    header = "  at equal FLOPs (0.0008 MFLOPs: verifier at n = 4, majority at n = 8.0)"
    assert header in shown
    assert equal_flops(priced[0]).empty


def test_shapes_are_no_part_of_the_key(make_run):
    run = make_run()
    assert ModelShape(**run.shapes("candidates")[""]) == SHAPE
    run.register("candidates", {"problems_per_part": 1}, {})
    assert ModelShape(**Run.open(run.path).shapes("candidates")[""]) == SHAPE
    run.register("candidates", {"problems_per_part": 1}, {}, "hot", SMALL.to_dict)
    both = {"": SHAPE.to_dict(), "hot": SMALL.to_dict()}
    assert Run.open(run.path).shapes("candidates") == both
    assert len(run.parts("scores/v")) == 1
    for part in run.parts("candidates"):
        (run.path / "candidates" / part.filename).unlink()
    run.register("candidates", {"problems_per_part": 2}, {})
    assert run.shapes("candidates") == {"hot": SMALL.to_dict()}


def test_with_costs_keeps_everything_else(make_run):
    run = make_run()
    evaluation = evaluate_run(run, EvaluateConfig(draws=2, bootstrap=2))
    again = with_costs(evaluation, run)
    pd.testing.assert_frame_equal(again.frame, evaluation.frame)
    assert again.per_problem is evaluation.per_problem
