"""The record of the problems that a verifier was trained on."""

import pytest

from assay.problems.problem import Problem, question_hash
from assay.settings.errors import UserError
from assay.verifier.training_problems import read_training_problems, write_training_problems

ONE, TWO = Problem("1", "What is 1 + 1?"), Problem("2", "What is 2 + 2?")


def test_questions_are_known_again_by_their_hash(tmp_path):
    assert question_hash("What is 1 + 1?") == "72f8917549de2d6d"
    write_training_problems(tmp_path, [ONE, ONE], [TWO])
    assert read_training_problems(tmp_path) == {question_hash(ONE.question)}


def test_what_does_not_say_is_not_known(tmp_path):
    assert read_training_problems(tmp_path) is None
    assert read_training_problems(tmp_path / "nowhere") is None
    (tmp_path / "problems.json").write_text("[]")
    with pytest.raises(UserError, match=r"problems\.json: cannot be read"):
        read_training_problems(tmp_path)
