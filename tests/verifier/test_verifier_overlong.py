"""Solutions longer than a verifier reads: what is read of them, in training and scoring."""

import json

import numpy as np
import pytest
import torch

from assay.problems.problem import Problem, Solution
from assay.verifier.config import ScoreConfig, TrainVerifierConfig, check_training
from assay.verifier.data import LabelledCandidate, VerifierProblem, fitting, make_groups
from assay.verifier.overlong import Piece, Reading, pieces
from assay.verifier.packing import Pack, divided, joint_steps, packed_batch
from assay.verifier.score import score
from assay.verifier.train import train_verifier
from tests.verifier.test_verifier_score import verifier_of
from tests.verifier.test_verifier_train import config_of, planted

# "Question: 7?\nAnswer:" is 20 bytes, so 20 tokens; a solution has one for " " and one for the end.
PROBLEM = Problem("p", "7?", answer="7", solutions=(Solution("cot", "x" * 60),))
SHORT, LONG = "y" * 10, "z" * 40


def candidates(*texts):
    return [LabelledCandidate("p", "cot", text, text == SHORT) for text in texts]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("skip", []),
        ("truncate", [Piece(20, 0, 12)]),
        ("truncate-question", []),
        ("windows", [Piece(20, s, min(s + 12, 42), 6 if s else 0) for s in (0, 6, 12, 18, 24, 30)]),
    ],
)
def test_pieces_by_hand(how, expected):
    assert pieces(20, 42, 32, how) == expected
    assert pieces(20, 12, 32, how) == [Piece(20, 0, 12)]
    assert pieces(32, 12, 32, how) == ([Piece(20, 0, 12)] if how == "truncate-question" else [])


@pytest.mark.parametrize("question", [1, 5, 29, 30, 31])
@pytest.mark.parametrize("solution", range(1, 70, 7))
def test_every_token_counts_in_one_window(question, solution):
    found = pieces(question, solution, 32, "windows")
    counted = [t for p in found for t in range(p.first + p.context, p.end)]
    assert counted == (list(range(solution)) if found else [])
    assert all(p.question + p.end - p.first <= 32 for p in found)


def test_training_learns_from_what_is_read(prompter):
    data = [VerifierProblem(PROBLEM, candidates(SHORT, LONG, LONG))]

    def groups(how, limit=32):
        return make_groups(data, prompter, Reading(limit, how), seed=0)

    found, counts = groups("skip")
    assert [len(s.ids) for s in found[0].sampled] == [12]
    assert found[0].references == ()
    told = {"candidates": 1, "too_long": 2, "overlong": 2, "references_too_long": 1, "drawn": 3}
    assert counts | told == counts

    (cut,), counts = groups("truncate")
    assert [len(s.ids) for s in cut.sampled] == [12, 12]
    assert [len(r) for r in cut.references] == [12]
    assert (counts["candidates"], counts["too_long"], counts["overlong"]) == (3, 0, 2)

    whole, behind = groups("truncate-question", 50)[0]
    assert (len(whole.prompt), len(behind.prompt)) == (20, 8)
    assert behind.prompt.tolist() == whole.prompt[-8:].tolist()
    assert [s.count for s in behind.sampled] == [2]
    assert behind.references == ()

    (windows,), counts = groups("windows")
    assert [(s.context, s.ends, s.candidates) for s in windows.sampled] == [
        (0, True, 1), (0, False, 2), *[(6, False, 0)] * 4, (6, True, 0),
    ]  # fmt: skip
    assert (counts["candidates"], counts["right"], counts["distinct"]) == (3, 1, 2)
    assert fitting(data, prompter, Reading(32), False)[0].candidates == candidates(SHORT)
    assert fitting(data, prompter, Reading(32, "windows"), False) == data


@pytest.mark.parametrize(("level", "tokens"), [("token", 12 + 2 * 42), ("solution", 3)])
def test_windows_count_every_token_once(prompter, level, tokens):
    data = [VerifierProblem(PROBLEM, candidates(SHORT, LONG, LONG))]
    groups, _ = make_groups(data, prompter, Reading(32, "windows"))
    rng = np.random.default_rng(0)
    (packs,) = joint_steps(groups, pack_tokens=64, batch_tokens=10**6, rng=rng)
    batch = packed_batch(packs, level)
    assert float(batch.value_weight.sum()) == tokens
    assert sum(pack.count for pack in packs) == 3


@pytest.mark.parametrize("how", ["truncate", "truncate-question", "windows"])
def test_scores_are_those_of_what_is_read(make_lm, tokenizer, prompter, how):
    verifier = verifier_of(make_lm())
    config = ScoreConfig(values=True, max_length=50, overlong=how)
    found = score(verifier, tokenizer, prompter, PROBLEM, candidates(SHORT, LONG), config)
    prompt = prompter.ids(PROBLEM, "cot")
    ids = prompter.response_ids("cot", LONG)
    expected = np.empty(0)
    for piece in pieces(len(prompt), len(ids), 50, how):
        row = torch.tensor([prompt[-piece.question :] + ids[piece.first : piece.end]])
        with torch.no_grad():
            hidden = verifier.hidden(row, torch.arange(row.shape[1])[None])
            values = verifier.values(hidden)[0].numpy()[piece.question :]
        expected = np.concatenate([expected, values[piece.context :]])
    assert len(expected) == (30 if how == "truncate" else 42)
    np.testing.assert_allclose(found.values[1].astype(float), expected, atol=2e-3)
    assert found.scores[1] == pytest.approx(expected[-1], abs=1e-5)
    assert len(found.offsets[1]) == len(expected)
    mean = ScoreConfig(aggregate="mean", max_length=50, overlong=how)
    assert np.isfinite(score(verifier, tokenizer, prompter, PROBLEM, candidates(LONG), mean).scores)


def test_by_default_as_trained(make_lm, tokenizer, prompter):
    skipped = score(
        verifier_of(make_lm()), tokenizer, prompter, PROBLEM, candidates(SHORT, LONG),
        ScoreConfig(max_length=50),
    )  # fmt: skip
    assert np.isnan(skipped.scores).tolist() == [False, True]


def test_a_pack_that_is_too_long_is_divided_with_the_same_losses(prompter, make_lm):
    verifier = verifier_of(make_lm())
    data = [VerifierProblem(PROBLEM, candidates(SHORT, LONG, LONG, "w" * 25))]
    groups, _ = make_groups(data, prompter, Reading(512))
    pack = Pack(groups[0].prompt, groups[0].sampled, groups[0].references)
    parts = divided(pack, 70)
    assert [(len(p.sampled), len(p.references), p.length) for p in parts] == [
        (1, 0, 32), (1, 0, 62), (1, 0, 47), (0, 1, 81),
    ]  # fmt: skip
    assert divided(pack, pack.length) == [pack]
    with torch.no_grad():
        whole = verifier(packed_batch([pack], "token"))
        sums = [verifier(packed_batch([part], "token")) for part in parts]
    assert float(sum(s.value for s in sums)) == pytest.approx(float(whole.value), rel=1e-5)
    assert float(sum(s.language for s in sums)) == pytest.approx(float(whole.language), rel=1e-5)


def test_training_tells_of_long_solutions_and_the_verifier_remembers(base_folder, tmp_path, capsys):
    data = [VerifierProblem(PROBLEM, candidates(SHORT, "u" * 12, LONG)), *planted(4, 4)]
    config = config_of(
        base_folder, tmp_path / "v", epochs=1, validation_fraction=0.0, max_length=48,
        overlong="truncate", micro_batch_tokens=40,
    )  # fmt: skip
    path = train_verifier(config, data)
    told = capsys.readouterr().err
    assert "candidates are longer than 48 tokens with their question (overlong=truncate)" in told
    assert "more than micro_batch_tokens=40: the memory must suffice" in told
    settings = json.loads((path / "verifier.json").read_text())
    assert (settings["max_length"], settings["overlong"]) == (48, "truncate")


def test_checkpointing_changes_no_weight_and_bfloat16_states_change_them_little(
    base_folder, tmp_path
):
    from safetensors.torch import load_file

    def weights(name, **settings):
        config = config_of(
            base_folder, tmp_path / name, epochs=1, validation_fraction=0.0,
            model={"dropout": 0.1}, **settings,
        )  # fmt: skip
        return load_file(train_verifier(config, planted(6, 4)) / "model.safetensors")

    plain, recomputed = weights("a"), weights("b", gradient_checkpointing=True)
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)
    start = load_file(base_folder / "model.safetensors")
    rounded = weights("c", optimizer_states="bfloat16")
    moved = torch.cat([(plain[n] - start[n]).flatten() for n in start if n in plain])
    off = torch.cat([(rounded[n] - plain[n]).flatten() for n in start if n in plain])
    assert 0 < float(off.norm() / moved.norm()) < 0.02


def test_states_of_16_bits_survive_a_checkpoint():
    from assay.verifier.optimizer import Bfloat16AdamW

    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = Bfloat16AdamW([{"params": [weight], "lr": 0.1}], (0.9, 0.95))
    weight.grad = torch.tensor([0.3, -0.2, 0.0])
    optimizer.step()
    # The first step of Adam moves each weight by its rate.
    assert weight.tolist() == pytest.approx([0.9, 1.1, 1.0], abs=1e-6)
    state = optimizer.state_dict()
    other = Bfloat16AdamW([{"params": [weight], "lr": 0.1}], (0.9, 0.95))
    other.load_state_dict(state)
    (held,) = other.state.values()
    assert held["exp_avg"].dtype == held["exp_avg_sq"].dtype == torch.bfloat16
    assert torch.equal(held["exp_avg"], optimizer.state[weight]["exp_avg"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"overlong": "cut"}, "overlong=cut: expected one of skip, truncate, truncate-question"),
        ({"optimizer_states": "int8"}, "optimizer_states=int8: expected one of float32, bfloat16"),
        ({"optimizer_states": "bfloat16", "betas": [0.9, 0.999]}, "expected none above 0.99"),
        ({"optimizer_states": "bfloat16", "deepspeed": "z.json"}, "DeepSpeed keeps states"),
        ({"max_length": -1}, "max_length=-1: expected 0 or more"),
    ],
)
def test_settings_that_do_not_fit(settings, told):
    from assay.settings.errors import UserError

    with pytest.raises(UserError, match=told):
        check_training(TrainVerifierConfig(output="v", **settings))
