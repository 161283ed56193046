import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from assay.generator.flops import ModelShape
from assay.problems.problem import Problem
from assay.problems.prompts import PromptConfig, Prompter
from assay.settings.errors import UserError
from assay.verifier.config import ScoreConfig, VerifierSettings
from assay.verifier.data import LabelledCandidate
from assay.verifier.model import Verifier
from assay.verifier.score import score

FAMILIES = ("llama", "qwen2", "mistral", "gemma", "gpt_neox", "gpt2")
PROBLEM = Problem(id="p", question="What is 2 + 3?")


def candidate(text, mode="cot", output=""):
    return LabelledCandidate("p", mode, text, True, output)


MIXED = [
    candidate("2 + 3 = 5"),
    candidate("it is a long way\nto the answer\n#### 5"),
    candidate("print(2 + 3)", "pot", "5\n"),
    candidate("5"),
    candidate("x = 2\ny = 3\nprint(x + y)", "pot", "5\n"),
    candidate(""),
    candidate("2 + 3 = 5"),
]


def verifier_of(lm, **settings):
    verifier = Verifier(lm, VerifierSettings("<|verifier|>", 260, **settings)).eval()
    with torch.no_grad():
        verifier.bias.fill_(0.3)
    return verifier


def naive(verifier, prompter, candidates, append=False):
    """Question and candidate in one padded row each, vocabulary logits and all."""
    rows, starts = [], []
    for c in candidates:
        prompt = prompter.ids(PROBLEM, c.mode)
        text = c.text
        if append and c.mode == "pot":
            text += f"\n# output: {c.output.strip()}"
        rows.append(torch.tensor(prompt + prompter.response_ids(c.mode, text)))
        starts.append(len(prompt))
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=1)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(r) for r in rows], batch_first=True)
    with torch.no_grad():
        logits = verifier.lm(input_ids=ids, attention_mask=mask, use_cache=False).logits[..., 260]
        values = verifier.gain * logits + verifier.bias
    return [
        value[start : len(row)].numpy()
        for value, row, start in zip(values, rows, starts, strict=True)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_the_naive_way(make_lm, tokenizer, prompter, family):
    verifier = verifier_of(make_lm(family))
    expected = naive(verifier, prompter, MIXED)
    scored = score(verifier, tokenizer, prompter, PROBLEM, MIXED, ScoreConfig(values=True))
    assert scored.scores.dtype == np.float32
    assert scored.scores.shape == (7,)
    np.testing.assert_allclose(scored.scores, [v[-1] for v in expected], atol=1e-4)
    assert scored.values is not None
    for found, wanted in zip(scored.values, expected, strict=True):
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, wanted, atol=4e-3, rtol=1e-3)
    assert np.ptp(scored.scores) > 0.1


@pytest.mark.parametrize("budget", [1, 100, 10**6])
def test_scores_do_not_depend_on_the_batch(make_lm, tokenizer, prompter, budget):
    verifier = verifier_of(make_lm())
    rng = np.random.default_rng(0)
    many = [candidate("".join(rng.choice(list("0123 +=\n"), 40))) for _ in range(20)] + MIXED
    together = score(verifier, tokenizer, prompter, PROBLEM, many, ScoreConfig()).scores
    config = ScoreConfig(micro_batch_tokens=budget)
    np.testing.assert_allclose(
        score(verifier, tokenizer, prompter, PROBLEM, many, config).scores, together, atol=1e-4
    )
    order = rng.permutation(len(many))
    shuffled = [many[i] for i in order]
    np.testing.assert_allclose(
        score(verifier, tokenizer, prompter, PROBLEM, shuffled, config).scores,
        together[order],
        atol=1e-4,
    )
    alone = [score(verifier, tokenizer, prompter, PROBLEM, [c], config).scores[0] for c in many]
    np.testing.assert_allclose(alone, together, atol=1e-4)


def test_equal_texts_have_equal_scores_at_the_price_of_one(
    make_lm, tokenizer, prompter, monkeypatch
):
    verifier = verifier_of(make_lm())
    tokens = []
    hidden = verifier.hidden

    def spy(ids, *args, **kwargs):
        tokens.append(ids.numel())
        return hidden(ids, *args, **kwargs)

    monkeypatch.setattr(verifier, "hidden", spy)
    scores = score(
        verifier, tokenizer, prompter, PROBLEM, [candidate("abc")] * 50, ScoreConfig()
    ).scores
    assert len(set(scores.tolist())) == 1
    prompt = len(prompter.ids(PROBLEM, "cot"))
    assert tokens == [prompt, len(" abc") + 1]


def test_the_vocabulary_is_never_computed(make_lm, tokenizer, prompter):
    lm = make_lm()
    lm.lm_head.forward = None
    scored = score(verifier_of(lm), tokenizer, prompter, PROBLEM, MIXED, ScoreConfig())
    assert np.isfinite(scored.scores).all()


def test_outputs_are_read_where_the_verifier_was_trained_so(make_lm, tokenizer, prompter):
    verifier = verifier_of(make_lm(), append_output=True)
    expected = naive(verifier, prompter, MIXED, append=True)
    scored = score(verifier, tokenizer, prompter, PROBLEM, MIXED, ScoreConfig())
    np.testing.assert_allclose(scored.scores, [v[-1] for v in expected], atol=1e-4)


def test_no_candidates(make_lm, tokenizer, prompter):
    scored = score(verifier_of(make_lm()), tokenizer, prompter, PROBLEM, [], ScoreConfig())
    assert scored.scores.shape == scored.tokens.shape == scored.prompt_tokens.shape == (0,)


def test_tokens_are_the_verifiers(make_lm, tokenizer, prompter):
    candidates = [candidate("ab"), candidate("p()", "pot", "7"), candidate("ab")]
    scored = score(verifier_of(make_lm()), tokenizer, prompter, PROBLEM, candidates, ScoreConfig())
    # " ab", "\np()", bytes, and the end token.
    assert scored.tokens.tolist() == [4, 5, 4]
    cot, pot = (len(prompter.ids(PROBLEM, mode)) for mode in ("cot", "pot"))
    assert scored.prompt_tokens.tolist() == [cot, pot, cot]
    assert cot < pot


def test_offsets_say_which_characters_a_token_stands_for(make_lm, tokenizer):
    prompter = Prompter(PromptConfig(form="plain"), tokenizer)
    verifier = verifier_of(make_lm(), append_output=True)
    candidates = [candidate("ab\nc"), candidate("p()", "pot", "7")]
    config = ScoreConfig(values=True)
    scored = score(verifier, tokenizer, prompter, PROBLEM, candidates, config)
    assert scored.values is not None
    assert scored.offsets is not None
    # The response is " ab\nc": its leading blank is no character of the candidate.
    assert scored.offsets[0].tolist() == [[0, 0], [0, 1], [1, 2], [2, 3], [3, 4], [4, 4]]
    # "\np()\n# output: 7": what is appended stands for nothing.
    assert scored.offsets[1].tolist()[:5] == [[0, 0], [0, 1], [1, 2], [2, 3], [3, 3]]
    assert scored.offsets[1].tolist()[-1] == [3, 3]
    assert [len(v) for v in scored.values] == [len(o) for o in scored.offsets]


def test_scoring_costs_what_is_claimed(make_lm, tokenizer, prompter):
    """The question once, each candidate once, no vocabulary; fused attention is not counted."""
    verifier = verifier_of(make_lm())
    shape = ModelShape.from_config(verifier.lm.config.to_dict())
    candidates = [candidate("2 + 3 = 5"), candidate("it is long"), candidate("5")]
    with FlopCounterMode(display=False) as counter:
        scored = score(verifier, tokenizer, prompter, PROBLEM, candidates, ScoreConfig())
    tokens = int(scored.prompt_tokens[0] + scored.tokens.sum())
    assert counter.get_total_flops() == tokens * shape.token_flops


def test_aggregates(make_lm, tokenizer, prompter):
    verifier = verifier_of(make_lm(), loss="bce")
    candidates = [candidate("a\nbc\nd")]
    expected = score(
        verifier, tokenizer, prompter, PROBLEM, candidates, ScoreConfig(values=True)
    ).values
    assert expected is not None
    # " a\nbc\nd" and the end: lines end at "a", "c" and the end token.
    steps = expected[0][[1, 4, 7]].astype(float)
    for name, value in [
        ("last", steps[-1]),
        ("mean", steps.mean()),
        ("min", steps.min()),
        ("product", steps.prod()),
    ]:
        found = score(
            verifier, tokenizer, prompter, PROBLEM, candidates, ScoreConfig(aggregate=name)
        ).scores
        assert found[0] == pytest.approx(value, abs=2e-3)


def test_what_cannot_be_scored(make_lm, tokenizer, prompter):
    verifier = verifier_of(make_lm(), level="solution")
    with pytest.raises(UserError, match=r"aggregate=mean: this verifier was trained at the last"):
        score(verifier, tokenizer, prompter, PROBLEM, MIXED, ScoreConfig(aggregate="mean"))
    with pytest.raises(UserError, match=r"aggregate=best: expected one of last"):
        score(verifier, tokenizer, prompter, PROBLEM, MIXED, ScoreConfig(aggregate="best"))


LONG = candidate("x" * 600)  # 600 tokens; the model reads 512
OVERLONG = {
    "between others": [MIXED[0], LONG, MIXED[3]],
    "twice": [LONG, MIXED[0], LONG],
    "first of a mode": [LONG, *MIXED],
    "all": [LONG, LONG],
    "a program": [MIXED[0], candidate("#" * 600, "pot", "5"), MIXED[2]],
    "of programs all": [MIXED[0], candidate("#" * 600, "pot", "5")],
}


@pytest.mark.parametrize("candidates", OVERLONG.values(), ids=OVERLONG)
@pytest.mark.parametrize("aggregate", ["last", "mean"])
def test_what_is_too_long_has_no_score(make_lm, tokenizer, prompter, candidates, aggregate):
    verifier = verifier_of(make_lm())
    config = ScoreConfig(values=True, aggregate=aggregate)
    found = score(verifier, tokenizer, prompter, PROBLEM, candidates, config)
    short = [i for i, c in enumerate(candidates) if len(c.text) < 600]
    long = [i for i, c in enumerate(candidates) if len(c.text) == 600]
    assert np.isnan(found.scores[long]).all()
    assert [len(found.values[i]) for i in long] == [0] * len(long)
    assert [found.offsets[i].shape for i in long] == [(0, 2)] * len(long)
    assert (found.tokens[long] > 600).all()
    if short:
        alone = [candidates[i] for i in short]
        expected = score(verifier, tokenizer, prompter, PROBLEM, alone, config)
        np.testing.assert_allclose(found.scores[short], expected.scores, atol=1e-5)
        assert [len(found.values[i]) for i in short] == [len(v) for v in expected.values]


def test_the_longest_that_can_be_read_has_a_score(make_lm, tokenizer, prompter):
    verifier = verifier_of(make_lm())
    room = verifier.max_length - len(prompter.ids(PROBLEM, "cot"))
    own = room - len(prompter.response_ids("cot", ""))
    candidates = [candidate("x" * own), candidate("x" * (own + 1))]
    found = score(verifier, tokenizer, prompter, PROBLEM, candidates, ScoreConfig())
    assert found.tokens.tolist() == [room, room + 1]
    assert np.isfinite(found.scores).tolist() == [True, False]


def test_a_question_that_is_too_long_has_no_scores(make_lm, tokenizer, prompter):
    verifier = verifier_of(make_lm())
    problem = Problem(id="q", question="2" * 700)
    found = score(verifier, tokenizer, prompter, problem, MIXED, ScoreConfig())
    assert np.isnan(found.scores).all()
    assert found.prompt_tokens.min() > 700


def test_a_verifier_in_training_is_scored_without_dropout(make_lm, tokenizer, prompter):
    verifier = verifier_of(make_lm(), dropout=0.5)
    expected = score(verifier, tokenizer, prompter, PROBLEM, MIXED, ScoreConfig()).scores
    verifier.train()
    found = score(verifier, tokenizer, prompter, PROBLEM, MIXED, ScoreConfig()).scores
    assert verifier.training
    assert np.array_equal(found, expected)
