import numpy as np
import pytest
import torch

from assay.problems.problem import Problem, Solution
from assay.settings.errors import UserError
from assay.verifier.config import ScoreConfig, VerifierSettings
from assay.verifier.data import LabelledCandidate, VerifierProblem, make_groups
from assay.verifier.model import Verifier
from assay.verifier.overlong import Reading
from assay.verifier.packing import joint_steps, packed_batch, padded_batch
from assay.verifier.score import score
from assay.verifier.steps import line_ends, token_offsets

TEXT = "1 + 1 = 2\n\n  2 + 1 = 3 \nso 3"


def test_line_ends():
    # "a\nbc\n\nd" in bytes, the end token last; a blank before it.
    offsets = np.array([[0, 0], *([i, i + 1] for i in range(7)), [7, 7]])
    assert line_ends("a\nbc\n\nd", offsets) == [1, 4, 8]
    assert line_ends("", np.array([[0, 0]])) == [0]
    # One token for "bc\n": the line ends in it.
    merged = np.array([[0, 1], [1, 2], [2, 5], [5, 6], [6, 7], [7, 7]])
    assert line_ends("a\nbc\n\nd", merged) == [0, 2, 5]


def test_offsets_of_a_text_that_is_read_with_its_output(tokenizer, prompter):
    offsets = token_offsets(tokenizer, prompter, "pot", "p()", "p()\n# output: 7")
    # "\np()" first: the lead is no character of the text.
    assert offsets.tolist()[:5] == [[0, 0], [0, 1], [1, 2], [2, 3], [3, 3]]
    assert offsets.tolist()[-1] == [3, 3]
    tokenizer_without = type("Slow", (), {"is_fast": False})()
    with pytest.raises(UserError, match="need a fast tokenizer"):
        token_offsets(tokenizer_without, prompter, "cot", "x")


@pytest.mark.parametrize("batch_of", [packed_batch, padded_batch])
def test_training_reads_the_values_that_scoring_aggregates(make_lm, tokenizer, prompter, batch_of):
    """One candidate's value loss at level `step` is that of the values which `mean` averages."""
    verifier = Verifier(make_lm(), VerifierSettings("<|verifier|>", 260, level="step")).eval()
    with torch.no_grad():
        verifier.bias.fill_(0.4)
    problem = Problem("p", "What is 1 + 1 + 1?", "3", solutions=(Solution("cot", "3"),))
    candidate = LabelledCandidate("p", "cot", TEXT, True)
    data = [VerifierProblem(problem, [candidate])]
    groups, _ = make_groups(data, prompter, Reading(512), line_ends=True)
    ((pack,),) = joint_steps(
        groups, pack_tokens=999, batch_tokens=999, rng=np.random.default_rng(0)
    )
    batch = batch_of([pack], "step")
    assert len(batch.value_index) == 3
    with torch.no_grad():
        loss = float(verifier(batch).value)

    def scored(aggregate):
        config = ScoreConfig(aggregate=aggregate, values=True)
        return score(verifier, tokenizer, prompter, problem, [candidate], config)

    # Σ (v − 1)² from the three values' mean, minimum and last.
    mean, least, last = (float(scored(name).scores[0]) for name in ("mean", "min", "last"))
    values = scored("mean").values[0]
    assert len(values) == len(prompter.response_ids("cot", TEXT))
    steps = values[[9, 22, len(values) - 1]].astype(float)
    assert mean == pytest.approx(steps.mean(), abs=1e-3)
    assert least == pytest.approx(steps.min(), abs=1e-3)
    assert last == pytest.approx(steps[-1], abs=1e-3)
    assert loss == pytest.approx(((steps - 1) ** 2).sum(), rel=5e-3)
    assert np.ptp(steps) > 0.01
