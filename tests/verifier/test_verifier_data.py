import numpy as np
import pytest

from assay.problems.problem import Problem
from assay.verifier.data import (
    LabelledCandidate,
    VerifierProblem,
    balanced,
    fingerprint_of,
    fitting,
    make_groups,
    read_text,
    split,
)
from assay.verifier.overlong import Reading


def text_of(tokenizer, ids):
    return tokenizer.decode(ids.tolist())


def test_groups_hold_one_mode_behind_its_prompt(toy_data, prompter, tokenizer):
    groups, told = make_groups(toy_data, prompter, Reading(512))
    assert [(g.problem_id, g.mode) for g in groups] == [
        ("one", "cot"),
        ("one", "pot"),
        ("two", "cot"),
        ("two", "pot"),
    ]
    assert text_of(tokenizer, groups[0].prompt) == "Question: 2 + 3?\nAnswer:"
    assert text_of(tokenizer, groups[1].prompt).endswith("Let's write a program.\nAnswer:")
    assert [text_of(tokenizer, s.ids) for s in groups[0].sampled] == [
        " 2 + 3 = 5\n#### 5</s>",
        " #### 6</s>",
        " it is 5</s>",
    ]
    assert [s.count for s in groups[0].sampled] == [1, 2, 1]
    assert [s.label for s in groups[0].sampled] == [True, False, True]
    # References of the group's own mode alone; the second problem has no program.
    assert [[text_of(tokenizer, r) for r in g.references] for g in groups] == [
        [" 2 + 3 = 5\n#### 5</s>"],
        ["\nprint(2 + 3)</s>"],
        [" 6</s>"],
        [],
    ]
    long = {"overlong": 0, "references_too_long": 0, "too_long": 0}
    assert told == {"problems": 2, "drawn": 9, "candidates": 9, "right": 5, "distinct": 8, **long}


def test_lines_end_where_scoring_reads(toy_data, prompter):
    groups, _ = make_groups(toy_data, prompter, Reading(512), line_ends=True, append_output=True)
    # " 2 + 3 = 5\n#### 5</s>" in bytes: the first line ends at byte 9.
    assert [s.line_ends.tolist() for s in groups[0].sampled] == [[9, 17], [7], [8]]
    # "\nx = 1\nprint(x)\n# output: 1</s>": what is appended is the end's, no line of its own.
    ends = [s.line_ends.tolist() for s in groups[1].sampled]
    assert ends == [[len("\nprint(5)\n# output: 5")], [5, len("\nx = 1\nprint(x)\n# output: 1")]]
    assert make_groups(toy_data, prompter, Reading(512))[0][0].sampled[0].line_ends is None


def test_deduplicated(toy_data, prompter):
    groups, told = make_groups(toy_data, prompter, Reading(512), deduplicate=True)
    assert [s.count for s in groups[0].sampled] == [1, 1, 1]
    assert told["candidates"] == told["distinct"] == 8


def test_without_references(toy_data, prompter):
    groups, _ = make_groups(toy_data, prompter, Reading(512), references=False)
    assert all(group.references == () for group in groups)


def test_solutions_that_are_too_long_are_left_out_and_counted(toy_data, prompter):
    # The longest cot candidate of "two" has 37 + 21 tokens with its question.
    groups, told = make_groups(toy_data[1:], prompter, Reading(40))
    assert told["too_long"] == 3
    assert groups == []
    assert fitting(toy_data, prompter, Reading(40), False) != toy_data
    assert fitting(toy_data, prompter, Reading(512), False) == toy_data


def test_samples_per_problem_are_a_seeded_draw(toy_data, prompter):
    def drawn(seed):
        groups, told = make_groups(
            toy_data, prompter, Reading(512), samples_per_problem=2, seed=seed
        )
        assert told["candidates"] == 4
        return [s.ids.tolist() for g in groups for s in g.sampled]

    assert drawn(0) == drawn(0)
    assert any(drawn(0) != drawn(seed) for seed in range(1, 9))


@pytest.mark.parametrize(
    ("labels", "balance", "kept"),
    [
        # (right, wrong) of CoT and of PoT
        (((3, 5), (6, 1)), 0, ((3, 5), (6, 1))),
        (((3, 5), (6, 1)), 1, ((3, 3), (1, 1))),
        (((3, 5), (6, 1)), 2, ((3, 3), (2, 1))),
        (((0, 5), (6, 0)), 2, ((0, 2), (2, 0))),
        (((0, 1), (0, 0)), 3, ((0, 1), (0, 0))),
    ],
)
def test_balance_cuts_the_commoner_label_down(labels, balance, kept, prompter):
    candidates = [
        LabelledCandidate("p", mode, f"{mode} {label} {i}", label)
        for mode, counts in zip(("cot", "pot"), labels, strict=True)
        for label, count in zip((True, False), counts, strict=True)
        for i in range(count)
    ]
    data = [VerifierProblem(Problem(id="p", question="?"), candidates)]
    everything, _ = make_groups(data, prompter, Reading(512))
    groups = balanced(everything, balance, np.random.default_rng(0))
    found = {
        (group.mode, label): sum(s.count for s in group.sampled if s.label is label)
        for group in groups
        for label in (True, False)
    }
    expected = {
        (mode, label): count
        for mode, counts in zip(("cot", "pot"), kept, strict=True)
        for label, count in zip((True, False), counts, strict=True)
        if sum(counts)
    }
    assert found == expected


def test_balance_draws_anew_from_all_that_there_is(prompter):
    """Equal solutions are drawn as often as they are there, and none more often."""
    texts = ["a"] * 5 + ["b", "c"]
    candidates = [LabelledCandidate("p", "cot", text, True) for text in texts]
    candidates.append(LabelledCandidate("p", "cot", "x", False))
    groups, _ = make_groups(
        [VerifierProblem(Problem(id="p", question="?"), candidates)], prompter, Reading(512)
    )
    counts = []
    for seed in range(300):
        (group,) = balanced(groups, 3, np.random.default_rng(seed))
        assert sum(s.count for s in group.sampled if s.label) == 3
        assert sum(s.count for s in group.sampled if not s.label) == 1
        of = {bytes(s.ids): s.count for s in group.sampled if s.label}
        counts.append([of.get(bytes(s.ids), 0) for s in groups[0].sampled if s.label])
    assert np.max(counts, axis=0).tolist() == [3, 1, 1]
    assert np.allclose(np.mean(counts, axis=0), [3 * 5 / 7, 3 / 7, 3 / 7], atol=0.15)


@pytest.mark.parametrize(
    ("mode", "output", "append", "expected"),
    [
        ("pot", "5\n", True, "print(5)\n# output: 5"),
        ("pot", "a\n 7 \n\n", True, "print(5)\n# output: 7"),
        ("pot", "", True, "print(5)\n# output: none"),
        ("pot", "x" * 500, True, "print(5)\n# output: " + "x" * 80),
        ("pot", "5\n", False, "print(5)"),
        ("cot", "5\n", True, "print(5)"),
    ],
)
def test_the_text_that_is_read(mode, output, append, expected):
    assert read_text(mode, "print(5)", output, append) == expected


def test_outputs_are_read_with_sampled_programs_not_with_references(toy_data, prompter, tokenizer):
    groups, _ = make_groups(toy_data, prompter, Reading(512), append_output=True)
    assert text_of(tokenizer, groups[1].sampled[0].ids) == "\nprint(5)\n# output: 5</s>"
    assert text_of(tokenizer, groups[1].references[0]) == "\nprint(2 + 3)</s>"


def problems(count):
    return [VerifierProblem(Problem(id=str(i), question="?"), []) for i in range(count)]


def test_split():
    data = problems(40)
    training, held_out = split(data, 0.1, seed=3)
    assert len(held_out) == 4
    assert sorted([*training, *held_out], key=lambda x: int(x.problem.id)) == data
    assert split(data, 0.1, seed=3) == (training, held_out)
    assert split(data, 0.1, seed=4)[1] != held_out
    assert split(data, 0.0, seed=3) == (data, [])
    assert len(split(problems(2), 0.001, seed=0)[1]) == 1
    assert split(problems(1), 0.5, seed=0)[1] == []


def test_the_fingerprint_sees_every_field(toy_data):
    candidate = toy_data[0].candidates[0]
    changes = [
        LabelledCandidate("one", "cot", candidate.text, False),
        LabelledCandidate("one", "pot", candidate.text, True),
        LabelledCandidate("one", "cot", candidate.text + " ", True),
        LabelledCandidate("one", "cot", candidate.text, True, output="5"),
        LabelledCandidate("one", "cot", candidate.text, True, answer_class=0),
    ]
    prints = {fingerprint_of(toy_data), fingerprint_of(toy_data[:1])}
    prints |= {fingerprint_of([VerifierProblem(toy_data[0].problem, [c])]) for c in changes}
    assert len(prints) == 7
    assert fingerprint_of(toy_data) == fingerprint_of(list(toy_data))


def test_ids_are_integers(toy_data, prompter):
    groups, _ = make_groups(toy_data, prompter, Reading(512))
    assert groups[0].prompt.dtype == np.int64
