import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from assay.generator.models import ModelConfig
from assay.problems.problem import Problem, Solution, question_hash
from assay.problems.prompts import PromptConfig
from assay.settings.errors import UserError
from assay.storage.files import differences
from assay.verifier.checkpoint import VerifierFolder
from assay.verifier.config import TrainVerifierConfig, VerifierModelConfig
from assay.verifier.data import LabelledCandidate, VerifierProblem
from assay.verifier.model import Verifier, load_verifier
from assay.verifier.train import train_verifier
from assay.verifier.training_problems import read_training_problems
from tests import warm

ROOT = Path(__file__).resolve().parents[2]


def config_of(base, output, *, model=None, **settings):
    standard = {
        "learning_rate": 3e-3,
        "head_learning_rate": 1e-2,
        "batch_tokens": 3000,
        "pack_tokens": 256,
        "micro_batch_tokens": 1024,
        "validation_fraction": 0.2,
        "validations": 1,
    }
    return TrainVerifierConfig(
        model=VerifierModelConfig(base=ModelConfig(name=str(base)), **(model or {})),
        prompt=PromptConfig(form="plain"),
        output=str(output),
        **{**standard, **settings},
    )


def planted(problems, candidates, *, labels="visible", seed=0):
    """Solutions of random letters, with a word in the middle that says whether they are right."""
    rng = np.random.default_rng(seed)
    data = []
    for i in range(problems):
        problem = Problem(
            id=str(i),
            question=f"What is {rng.integers(100)} + {rng.integers(100)}?",
            answer="1",
            solutions=(Solution("cot", "a fine sum"),),
        )
        rows = []
        for _ in range(candidates):
            right = bool(rng.integers(2))
            before, after = ("".join(rng.choice(list("abcdef "), rng.integers(2, 8))) for _ in "12")
            text = f"{before}{'fine' if right else 'poor'}{after}"
            label = right if labels == "visible" else bool(rng.integers(2))
            rows.append(LabelledCandidate(problem.id, "cot", text, label))
        data.append(VerifierProblem(problem, rows))
    return data


def record_of(path):
    return json.loads((Path(path) / "assay.json").read_text())


def weights_of(path):
    return load_file(Path(path) / "model.safetensors") | load_file(Path(path) / "head.safetensors")


def assert_equal_weights(one, other):
    one, other = weights_of(one), weights_of(other)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize("head", ["token", "linear"])
def test_a_signal_in_the_text_is_found(base_folder, tmp_path, head):
    data = planted(150, 12)
    started = time.process_time()
    config = config_of(base_folder, tmp_path / "v", model={"head": head}, epochs=3)
    path = train_verifier(config, data)
    assert time.process_time() - started < 60
    record = record_of(path)
    assert record["kind"] == "verifier"
    assert record["data"]["candidates"] == 120 * 12
    last = record["validations"][-1]
    assert last["candidates"] == 30 * 12
    assert last["auc"] > 0.95
    assert last["auc_within"] > 0.95
    assert last["best_of_n"] > 0.95
    assert last["mse"] < 0.1
    assert last["calibration_error"] < 0.15
    assert record["kept"]["auc_within"] >= last["auc_within"]
    history = record["history"]
    # A third of the tokens stand before the word that tells: 0.25 is the best there.
    assert history[-1]["value_loss"] < 0.15 < 0.2 < history[0]["value_loss"]
    assert history[-1]["language_loss"] < history[0]["language_loss"]
    assert history[-1]["candidates"] == 3 * 120 * 12


def test_nothing_is_found_in_shuffled_labels(base_folder, tmp_path):
    """2400 held-out candidates, half of them right: where scores know nothing of labels, the AUC's
    standard error is √((1200 + 1200 + 1) / (12 · 1200 · 1200)) = 0.012; 0.05 is four of them.
    """
    data = planted(250, 16, labels="shuffled")
    config = config_of(base_folder, tmp_path / "v", validation_fraction=0.6)
    last = record_of(train_verifier(config, data))["validations"][-1]
    assert last["candidates"] == 2400
    assert last["share_right"] == pytest.approx(0.5, abs=0.03)
    assert last["auc"] == pytest.approx(0.5, abs=0.05)
    assert last["auc_within"] == pytest.approx(0.5, abs=0.05)
    assert last["mse"] == pytest.approx(0.25, abs=0.02)
    assert last["calibration_error"] < 0.1


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ({"level": "solution"}, {}),
        ({"level": "step"}, {}),
        ({"dropout": 0.1}, {}),
        ({}, {"loss": "bce"}),
        ({}, {"lm_weight": 0.0}),
        ({"last_weight": 20.0}, {}),
        (
            {"head_inputs": "hidden+logprob", "level": "solution"},
            {"loss": "bce", "lm_weight": 0.0, "calibrate": True},
        ),
    ],
)
def test_variants_learn_too(base_folder, tmp_path, model, settings):
    config = config_of(base_folder, tmp_path / "v", model=model, **settings, epochs=2)
    record = record_of(train_verifier(config, planted(80, 12)))
    assert record["validations"][-1]["auc"] > 0.8
    if settings.get("calibrate"):
        assert record["calibration"]["candidates"] == 16 * 12
        assert record["calibration"]["scale"] > 0
    else:
        assert record["calibration"] is None
    if settings.get("lm_weight") == 0.0:
        assert {row["language_loss"] for row in record["history"]} == {0.0}


def test_the_joint_objective_trains_the_language_model(base_folder, tmp_path):
    """The reference is learned by heart; the sampled solutions are not."""
    data = planted(60, 12)
    config = config_of(base_folder, tmp_path / "v", validation_fraction=0.0, epochs=3)
    verifier, _, prompter = load_verifier(ModelConfig(name=str(train_verifier(config, data))))

    def surprise(text):
        prompt = prompter.ids(data[0].problem, "cot")
        ids = torch.tensor([prompt + prompter.response_ids("cot", text)])
        with torch.no_grad():
            logits = verifier.lm(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
        chosen = logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None])
        return -float(chosen.mean())

    assert surprise("a fine sum") < 0.5
    assert surprise(data[0].candidates[0].text) > 3


def test_only_the_right_things_move(base_folder, tmp_path):
    config = config_of(base_folder, tmp_path / "v", validation_fraction=0.0)
    data = planted(20, 8)
    path = train_verifier(config, data)
    asked = {question_hash(item.problem.question) for item in data}
    assert read_training_problems(path) == asked
    head = load_file(path / "head.safetensors")
    assert set(head) == {"gain", "bias"}
    assert abs(float(head["gain"]) - 1) > 1e-3
    base = load_file(base_folder / "model.safetensors")
    trained = load_file(path / "model.safetensors")
    row = json.loads((path / "verifier.json").read_text())["reserved_token_id"]
    assert not torch.equal(trained["lm_head.weight"][row], base["lm_head.weight"][row])
    assert not (path / "training").exists()


def test_the_same_settings_give_the_same_weights(base_folder, tmp_path):
    data = planted(20, 6)
    for name in ("one", "two"):
        train_verifier(config_of(base_folder, tmp_path / name, model={"dropout": 0.2}), data)
    assert_equal_weights(tmp_path / "one", tmp_path / "two")
    train_verifier(config_of(base_folder, tmp_path / "three", model={"dropout": 0.2}, seed=1), data)
    with pytest.raises(AssertionError):
        assert_equal_weights(tmp_path / "one", tmp_path / "three")


def test_micro_batches_change_nothing_but_rounding(base_folder, tmp_path):
    data = planted(20, 6)
    for tokens in (1, 100_000):
        config = config_of(base_folder, tmp_path / str(tokens), micro_batch_tokens=tokens)
        train_verifier(config, data)
    one, other = weights_of(tmp_path / "1"), weights_of(tmp_path / "100000")
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=2e-3, rtol=1e-2)


class Stop(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("model", [{}, {"dropout": 0.2}])
def test_an_interrupted_training_goes_on_to_the_same_weights(
    base_folder, tmp_path, monkeypatch, model
):
    data = planted(30, 8)
    settings = {"model": model, "epochs": 2, "validations": 2}
    train_verifier(config_of(base_folder, tmp_path / "whole", **settings), data)
    config = config_of(base_folder, tmp_path / "cut", **settings, save_every_seconds=0.0)
    real = VerifierFolder.save_state
    saves = []

    def save(folder, state):
        real(folder, state)
        saves.append(state["progress"]["step"])
        if len(saves) % 3 == 0:
            raise Stop

    monkeypatch.setattr(VerifierFolder, "save_state", save)
    for _ in range(50):
        try:
            train_verifier(config, data)
            break
        except Stop:
            continue
    steps = record_of(tmp_path / "whole")["steps"]
    assert steps >= 6
    # No step was done twice; the last state is written once more before the verifier is.
    assert sorted(set(saves)) == list(range(1, steps + 1))
    assert len(saves) <= steps + 2
    assert_equal_weights(tmp_path / "whole", tmp_path / "cut")
    one, other = record_of(tmp_path / "whole"), record_of(tmp_path / "cut")
    assert one["validations"] == other["validations"]
    assert len(one["history"]) == len(other["history"])


def test_killed_while_writing_the_verifier(base_folder, tmp_path, monkeypatch):
    def cut(verifier, path, tokenizer):
        (path / "config.json").write_text("{")
        raise Stop

    config, data = config_of(base_folder, tmp_path / "v"), planted(10, 4)
    with monkeypatch.context() as patch:
        patch.setattr(Verifier, "save_pretrained", cut)
        with pytest.raises(Stop):
            train_verifier(config, data)
    train_verifier(config, data)
    assert record_of(tmp_path / "v")["kind"] == "verifier"
    load_verifier(ModelConfig(name=str(tmp_path / "v")))


def test_ctrl_c_saves_the_step_and_is_passed_on(base_folder, tmp_path, monkeypatch):
    data = planted(30, 8)
    config = config_of(base_folder, tmp_path / "v")
    from assay.verifier import train

    real = train._Loop._step

    def step(loop, *arguments):
        if loop.progress.step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return real(loop, *arguments)

    monkeypatch.setattr(train._Loop, "_step", step)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_verifier(config, data)
    assert signal.getsignal(signal.SIGINT) is handler
    state = torch.load(tmp_path / "v" / "training" / "state.pt", weights_only=True)
    assert state["progress"]["step"] == 2
    monkeypatch.undo()
    train_verifier(config, data)
    train_verifier(config_of(base_folder, tmp_path / "whole"), data)
    assert_equal_weights(tmp_path / "v", tmp_path / "whole")


def test_a_finished_output_is_not_trained_again(base_folder, tmp_path, monkeypatch):
    data = planted(10, 4)
    config = config_of(base_folder, tmp_path / "v")
    train_verifier(config, data)
    from assay.verifier import train

    monkeypatch.setattr(train, "make_groups", None)
    config.save_every_seconds = 5.0
    assert train_verifier(config, data) == tmp_path / "v"


def test_other_settings_are_refused_by_name(base_folder, tmp_path):
    data = planted(10, 4)
    train_verifier(config_of(base_folder, tmp_path / "v"), data)
    with pytest.raises(UserError, match=r"learning_rate: 0.003 there, 0.001 asked for"):
        train_verifier(config_of(base_folder, tmp_path / "v", learning_rate=1e-3), data)
    with pytest.raises(UserError, match=r"model.dropout: 0.0 there, 0.1 asked for"):
        train_verifier(config_of(base_folder, tmp_path / "v", model={"dropout": 0.1}), data)
    with pytest.raises(UserError, match=r"other settings \(data: "):
        train_verifier(config_of(base_folder, tmp_path / "v"), data[:-1])


def test_an_unfinished_training_of_other_settings_is_refused(base_folder, tmp_path, monkeypatch):
    data = planted(10, 4)

    def save(folder, state):
        VerifierFolder.__dict__["real"](folder, state)
        raise Stop

    monkeypatch.setattr(VerifierFolder, "real", VerifierFolder.save_state, raising=False)
    monkeypatch.setattr(VerifierFolder, "save_state", save)
    with pytest.raises(Stop):
        train_verifier(config_of(base_folder, tmp_path / "v", save_every_seconds=0.0), data)
    with pytest.raises(UserError, match=r"seed: 0 there, 7 asked for"):
        train_verifier(config_of(base_folder, tmp_path / "v", seed=7), data)


def test_a_foreign_training_state_is_named(base_folder, tmp_path):
    file = tmp_path / "v" / "training" / "state.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"state\.pt: not a training state"):
        train_verifier(config_of(base_folder, tmp_path / "v"), planted(10, 4))


def test_a_folder_with_something_else_is_left_alone(base_folder, tmp_path):
    with pytest.raises(UserError, match="already contains something other than a verifier"):
        train_verifier(config_of(base_folder, base_folder), planted(10, 4))
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "assay.json").write_text('{"kind": "generator"}')
    with pytest.raises(UserError, match="something other than a verifier; choose another output"):
        train_verifier(config_of(base_folder, tmp_path / "g"), planted(10, 4))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected a folder to write, found a file"):
        train_verifier(config_of(base_folder, tmp_path / "file"), planted(10, 4))


def test_a_disk_that_does_not_take_the_state(base_folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for keep, file in (("last", "state"), ("best", r"best-\d+")):
        config = config_of(base_folder, tmp_path / "v", save_every_seconds=0.0, keep=keep)
        with pytest.raises(
            UserError, match=rf"{file}\.pt: cannot be written \(No space left on device\)"
        ):
            train_verifier(config, planted(10, 4))
    assert list((tmp_path / "v" / "training").iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "hinge"}, "loss=hinge: expected one of mse, bce"),
        ({"epochs": 0}, "epochs=0: expected 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: expected a number above 0"),
        ({"lm_weight": -1.0}, "lm_weight=-1.0: expected 0 or more"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0: expected"),
        ({"betas": [0.9]}, r"betas=\[0.9\]: expected two"),
        ({"adaptation_epochs": -1}, "adaptation_epochs=-1: expected 0 or more"),
        ({"keep": "first"}, "keep=first: expected one of best, last"),
        ({"keep_by": "loss"}, "keep_by=loss: expected one of auc_within, auc, best_of_n, weighted"),
    ],
)
def test_settings_that_do_not_fit(base_folder, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        train_verifier(config_of(base_folder, tmp_path / "v", **settings), planted(4, 2))


def test_no_candidates_and_no_output(base_folder, tmp_path):
    empty = [VerifierProblem(Problem(id="1", question="?"), [])]
    with pytest.raises(UserError, match="no labelled candidates"):
        train_verifier(config_of(base_folder, tmp_path / "v"), empty)
    with pytest.raises(UserError, match="output: expected the folder to write"):
        train_verifier(config_of(base_folder, ""), planted(2, 2))


def test_differences():
    assert differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "d": 2}) == [
        "a.b: 1 there, 3 asked for",
        "c: 2 there, null asked for",
        "d: null there, 2 asked for",
    ]


SCRIPT = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
import test_verifier_train as t
from assay.pools import progress
progress.LOG_SECONDS = 1e-6
config = t.config_of({base!r}, sys.argv[1], epochs=2, validations=2, model={{"dropout": 0.1}},
                     save_every_seconds=0.0)
t.train_verifier(config, t.planted(120, 10))
"""


def script(tmp_path, base):
    file = tmp_path / "train.py"
    here = str(Path(__file__).parent)
    file.write_text(SCRIPT.format(root=str(ROOT), here=here, base=str(base)))
    return file


def test_kill_9_and_again_gives_the_same_weights(base_folder, tmp_path):
    file = script(tmp_path, base_folder)

    def start(output):
        return warm.Warm([str(file), str(output)])

    assert start(tmp_path / "whole").wait(900) == 0
    state = tmp_path / "cut" / "training" / "state.pt"
    seen = set()
    for _ in range(4):
        process = start(tmp_path / "cut")
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None:
            if state.exists() and state.stat().st_mtime_ns > before:
                time.sleep(0.02 * len(seen))
                process.kill()
                process.wait()
            time.sleep(0.005)
        if state.exists():
            seen.add(torch.load(state, weights_only=True)["progress"]["step"])
    assert len(seen) >= 3
    assert start(tmp_path / "cut").wait(900) == 0
    assert_equal_weights(tmp_path / "whole", tmp_path / "cut")


def test_two_processes_do_the_steps_of_one(base_folder, tmp_path):
    """Data-parallel over two processes on the CPU: the same weights up to rounding."""
    file = script(tmp_path, base_folder)
    file.write_text(file.read_text().replace('"dropout": 0.1', '"dropout": 0.0'))
    more = {"ACCELERATE_USE_CPU": "true", **warm.children()}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    for launcher, name in (([], "one"), (torchrun, "two")):
        done = warm.run([*launcher, str(file), str(tmp_path / name)], more=more)
        assert done.returncode == 0, done.error
    # One of the two processes tells, and after a validation what that found.
    steps = record_of(tmp_path / "two")["steps"]
    losses = r"value loss \d\.\d{4}, language loss \d+\.\d{4}"
    assert len(re.findall(rf"train verifier: 2/{steps} steps \[\S+, {losses}\]", done.error)) == 1
    assert re.search(
        rf"train verifier \(held out: AUC within .*\): {steps}/{steps} steps", done.error
    )
    one, two = record_of(tmp_path / "one"), record_of(tmp_path / "two")
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["steps"] == two["steps"]
    # Each process scores its half of the held-out problems; the measures are those of all.
    for row, other in zip(one["validations"], two["validations"], strict=True):
        assert row["candidates"] == other["candidates"] == 240
        assert row["share_right"] == pytest.approx(other["share_right"])
        assert row["auc"] == pytest.approx(other["auc"], abs=0.02)
    assert two["kept"]["auc_within"] == max(row["auc_within"] for row in two["validations"])
    for row, other in zip(one["history"][:5], two["history"][:5], strict=True):
        assert row["value_loss"] == pytest.approx(other["value_loss"], abs=1e-3)
        assert row["language_loss"] == pytest.approx(other["language_loss"], abs=1e-2)
