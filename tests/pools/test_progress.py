"""Lines of progress in a job's log: of a training, its steps, losses and the time left."""

import re
import time

import pytest

from assay.pools import progress
from assay.pools.progress import TrainingBar, progress_bar

STEP = 0.03


@pytest.fixture
def lines(capsys, monkeypatch):
    """The lines on stderr so far, one allowed every hundredth of a second."""
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.01)
    return lambda: capsys.readouterr().err.splitlines()


def train(steps, done=0, shown=True):
    with TrainingBar(steps, "train", done=done, shown=shown) as bar:
        for step in range(done + 1, steps + 1):
            time.sleep(STEP)
            bar.add({"value loss": 1.0 / step, "language loss": 2.0})


def test_a_training_tells_steps_losses_and_time_left(lines):
    train(4)
    found = lines()
    assert 3 <= len(found) <= 5
    pattern = r"train: [1-4]/4 steps \[00:00<[\d:?]+, value loss \d\.\d{4}, language loss 2\.0000\]"
    assert all(re.fullmatch(pattern, line) for line in found)
    # The mean of 1, 1/2, 1/3 and 1/4.
    assert found[-1].startswith("train: 4/4 steps")
    assert "value loss 0.5208" in found[-1]


def test_losses_are_means_over_the_last_twenty_steps(lines, monkeypatch):
    monkeypatch.setattr(progress, "LOG_SECONDS", 1e-6)
    with TrainingBar(25, "train") as bar:
        for step in range(25):
            bar.add({"loss": float(step)})
    # The mean of 5, …, 24.
    assert "loss 14.5000]" in lines()[-1]


def test_a_training_that_goes_on_counts_from_where_it_was(lines):
    train(100, done=97)
    found = [re.match(r"train: (\d+)/100 steps", line)[1] for line in lines()]
    assert found[:3] == ["98", "99", "100"]


def test_the_time_left_does_not_count_earlier_steps_as_speed(lines):
    with TrainingBar(10_000, "train", done=9_000) as bar:
        for _ in range(2):
            time.sleep(0.1)
            bar.add({"loss": 1.0})
    minutes, seconds = re.search(r"<(\d+):(\d+),", lines()[-1]).groups()
    # 998 steps of a tenth of a second; had 9002 been done in 0.2 s, 0 s would be left.
    assert 60 <= 60 * int(minutes) + int(seconds) <= 600


def test_steps_may_be_told_by_their_number(lines):
    with TrainingBar(9, "train") as bar:
        for step in (3, 6, 9):
            time.sleep(STEP)
            bar.add({"loss": 1.0}, step=step)
    assert [re.match(r"train: (\d)/9", line)[1] for line in lines()][:3] == ["3", "6", "9"]


def test_what_a_validation_found_stands_in_the_next_lines(lines):
    with TrainingBar(2, "train") as bar:
        bar.note("AUC 0.8")
        time.sleep(STEP)
        bar.add({"loss": 1.0})
    assert lines()[0].startswith("train (AUC 0.8): 1/2 steps [")


def test_other_processes_print_nothing(lines):
    train(3, shown=False)
    assert lines() == []


def test_short_jobs_print_nothing(capsys):
    train(3)
    with progress_bar(2, "export", " problems") as bar:
        bar.update(2)
    assert capsys.readouterr().err == ""


def test_a_line_of_its_own_is_printed_at_once(capsys):
    with TrainingBar(3, "train") as bar:
        bar.write("epoch 1 of 2: mean loss 0.500")
        assert capsys.readouterr().err == "epoch 1 of 2: mean loss 0.500\n"
