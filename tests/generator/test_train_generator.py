"""Fine-tuning: what is learnt, what is written, and going on as if nothing had happened."""

import errno
import functools
import json
import re
import shutil
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from assay.generator.coverage import Coverage, CoverageConfig, measure_coverage
from assay.generator.engines import Completion
from assay.generator.models import ModelConfig, load_model, load_tokenizer
from assay.generator.output import GeneratorFolder
from assay.generator.packing import pack
from assay.generator.rationales import RationalesConfig, build_examples
from assay.generator.train import TrainGeneratorConfig, train_generator
from assay.generator.trainer import GeneratorTrainer
from assay.pools import progress
from assay.problems.problem import Problem, Solution, write_problems
from assay.problems.prompts import PromptConfig, Prompter
from assay.settings.errors import UserError
from tests.warm import Warm, children

ROOT = Path(__file__).resolve().parents[2]


def sums(count, first=0):
    problems = []
    for i in range(first, first + count):
        a, b = i % 7, i % 5
        solutions = (
            Solution("cot", f"{a}+{b}={a + b}\n#### {a + b}"),
            Solution("pot", f"print({a} + {b})"),
        )
        problems.append(Problem(f"s{i}", f"{a}+{b}? ({i})", str(a + b), solutions=solutions))
    return problems


@pytest.fixture
def base(make_lm, byte_tokenizer, tmp_path):
    """A random Llama with dropout (whose random numbers a resumed training must go on with)."""
    path = tmp_path / "base"
    lm = make_lm("llama", vocab=len(byte_tokenizer), attention_dropout=0.1)
    with torch.no_grad():
        for parameter in lm.parameters():
            if parameter.ndim > 1:
                parameter.mul_(0.3)
    lm.to(torch.bfloat16).save_pretrained(path)
    byte_tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def configure(base, tmp_path):
    def make(output="out", **more):
        return TrainGeneratorConfig(
            model=ModelConfig(name=str(base), device="cpu"),
            prompt=PromptConfig(form="plain"),
            output=str(tmp_path / output),
            **{
                "learning_rate": 3e-3,
                "batch_size": 4,
                "pack_tokens": 128,
                "save_every_seconds": 0.0,
                **more,
            },
        )

    return make


def weights(path):
    return load_file(path / "model.safetensors")


def same_bits(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_what_is_written(configure, base, capfd, monkeypatch):
    monkeypatch.setattr(progress, "LOG_SECONDS", 1e-6)
    config = configure()
    path = train_generator(config, [*sums(20), Problem("x", "no solution?", "1")])
    record = json.loads((path / "assay.json").read_text())
    assert record["kind"] == "generator"
    assert record["prompt"]["form"] == "plain"
    assert record["counts"] == {"cot": 20, "pot": 20, "problems": 21, "without": 1, "too_long": 0}
    losses = [entry["loss"] for entry in record["history"]]
    assert len(losses) == record["steps"] >= 18
    assert sum(losses[-4:]) < sum(losses[:4])
    assert sorted(p.name for p in path.iterdir()) == [
        "assay.json",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    told = capfd.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert lines[0] == (
        "train generator: 20 solutions in words, 20 programs of 21 problems; "
        "1 problems have none that can be used"
    )
    epochs = [line.split(":")[0] for line in lines[1:] if line.startswith("epoch")]
    assert epochs == ["epoch 1 of 2", "epoch 2 of 2"]
    pattern = r"train generator: (\d+)/(\d+) steps \[\d\d:\d\d<.+, loss \d\.\d{4}\]"
    found = [re.fullmatch(pattern, line) for line in lines if line.startswith("train generator: ")]
    steps = [found.groups() for found in found[1:]]
    assert steps[-1] == (str(record["steps"]),) * 2
    assert len(steps) > 10

    trained = ModelConfig(name=str(path))
    assert (
        load_tokenizer(trained)("1+1")["input_ids"]
        == load_tokenizer(config.model)("1+1")["input_ids"]
    )
    # Trained in float32, although the base is stored in bfloat16.
    tensors = weights(path)
    assert {t.dtype for t in tensors.values()} == {torch.float32}
    assert any((t != t.to(torch.bfloat16).float()).any() for t in tensors.values())
    assert load_model(trained).config.model_type == "llama"


@pytest.mark.parametrize("order", ["shuffled", "given"])
def test_solutions_in_their_order_or_in_none(configure, monkeypatch, order):
    seen = []

    def recorded(self, model, inputs, *args, **kwargs):
        seen.append(inputs["input_ids"][0].tolist())
        return compute(self, model, inputs, *args, **kwargs)

    compute = GeneratorTrainer.compute_loss
    monkeypatch.setattr(GeneratorTrainer, "compute_loss", recorded)
    config = configure(order=order, batch_size=1, epochs=1)
    path = train_generator(config, sums(20))
    prompter = Prompter(config.prompt, load_tokenizer(config.model))
    rows = pack(build_examples(sums(20), prompter, config.rationales), config.pack_tokens)
    given = [row.input_ids for row in rows]
    assert (seen == given) == (order == "given")
    # The same key as before there was a choice, so that what was trained then is found again.
    key = json.loads((path / "assay.json").read_text())["key"]
    assert ("order" in key) == (order == "given")


def test_an_interrupted_curriculum_goes_on_where_it_was(configure, monkeypatch):
    whole = train_generator(configure("whole", order="given", epochs=1), sums(24))
    config = configure("cut", order="given", epochs=1)
    interrupt(monkeypatch, config, sums(24), steps=3)
    assert same_bits(weights(train_generator(config, sums(24))), weights(whole))


def test_a_finished_generator_is_found_again(configure, monkeypatch):
    config = configure(epochs=1)
    path = train_generator(config, sums(8))
    monkeypatch.setattr(GeneratorTrainer, "training_step", None)
    before = (path / "assay.json").read_bytes()
    assert train_generator(configure(epochs=1, save_every_seconds=9.0), sums(8)) == path
    assert (path / "assay.json").read_bytes() == before
    with pytest.raises(UserError, match=r"other settings \(learning_rate: 0.003 there, 0.1 asked"):
        train_generator(configure(epochs=1, learning_rate=0.1), sums(8))
    with pytest.raises(UserError, match=r"examples: .*16, sha256.* there, .*18, sha256"):
        train_generator(config, sums(9))
    with pytest.raises(UserError, match=r"rationales.modes: \[.cot., .pot.\] there"):
        train_generator(configure(epochs=1, rationales=RationalesConfig(modes=["pot"])), sums(8))


def test_a_folder_of_something_else_is_left_alone(configure, tmp_path):
    for name, content in (("notes.txt", "mine"), ("assay.json", '{"kind": "verifier"}')):
        folder = tmp_path / name.split(".")[0]
        folder.mkdir()
        (folder / name).write_text(content)
        with pytest.raises(UserError, match="other than a generator; choose another output"):
            train_generator(configure(folder.name), sums(3))
        assert (folder / name).read_text() == content
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="expected a folder to write, found a file"):
        train_generator(configure("file"), sums(3))


class Stop(BaseException):
    """Stands for Ctrl-C, or for the end of the process."""


def interrupt(monkeypatch, config, problems, steps):
    """Trains; the training step that follows `steps` others ends it."""
    count = 0
    step = GeneratorTrainer.training_step

    def counted(self, *args, **kwargs):
        nonlocal count
        if count == steps:
            raise Stop
        count += 1
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(GeneratorTrainer, "training_step", counted)
        with pytest.raises(Stop):
            train_generator(config, problems)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_interrupted_training_ends_with_the_same_bits(configure, monkeypatch, accumulate):
    more = {"gradient_accumulation_steps": accumulate, "per_device_train_batch_size": 1}
    monkeypatch.setattr("assay.generator.trainer._SAVING_SHARE", float("inf"))
    undisturbed = train_generator(configure("undisturbed", trainer=more), sums(24))
    config = configure("interrupted", trainer=more)
    for steps in (3, 14, 5):
        interrupt(monkeypatch, config, sums(24), steps)
    interrupted = train_generator(config, sums(24))
    assert same_bits(weights(interrupted), weights(undisturbed))
    histories = [
        json.loads((path / "assay.json").read_text())["history"]
        for path in (interrupted, undisturbed)
    ]
    assert histories[0] == histories[1]


def test_an_unfinished_training_of_other_settings_is_refused(configure, monkeypatch):
    interrupt(monkeypatch, configure(), sums(10), 3)
    with pytest.raises(UserError, match="seed: 0 there, 1 asked for"):
        train_generator(configure(seed=1), sums(10))


def test_a_full_disk_leaves_the_checkpoint_before(configure, monkeypatch, tmp_path):
    undisturbed = train_generator(configure("undisturbed"), sums(24))
    config = configure("full")
    monkeypatch.setattr("assay.generator.trainer._SAVING_SHARE", float("inf"))
    with monkeypatch.context() as patch:
        saved = 0
        save = torch.save

        def full(content, path, *args, **kwargs):
            nonlocal saved
            saved += 1
            if saved > 10:
                save({}, path)
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            save(content, path, *args, **kwargs)

        patch.setattr(torch, "save", full)
        with pytest.raises(
            UserError, match=r"No space left on device.*the checkpoint before it is"
        ):
            train_generator(config, sums(24))
    (checkpoint,) = (tmp_path / "full" / "training").glob("checkpoint-*")
    assert (checkpoint / "complete.json").exists()
    assert same_bits(weights(train_generator(config, sums(24))), weights(undisturbed))


def test_a_half_written_checkpoint_is_not_used(configure, monkeypatch, tmp_path):
    undisturbed = train_generator(configure("undisturbed"), sums(24))
    config = configure("half")
    monkeypatch.setattr("assay.generator.trainer._SAVING_SHARE", float("inf"))
    interrupt(monkeypatch, config, sums(24), 4)
    training = tmp_path / "half" / "training"
    (checkpoint,) = training.glob("checkpoint-*")
    half = training / "checkpoint-900"
    shutil.copytree(checkpoint, half)
    (half / "complete.json").unlink()
    (half / "optimizer.pt").write_bytes(b"half")
    assert same_bits(weights(train_generator(config, sums(24))), weights(undisturbed))


SCRIPT = """
    import json, sys
    from assay.pools import progress
    from assay.generator.models import ModelConfig
    from assay.generator.train import TrainGeneratorConfig, train_generator
    from assay.problems.problem import read_problems
    from assay.problems.prompts import PromptConfig

    progress.LOG_SECONDS = 1e-6
    base, problems, output, more = sys.argv[1:]
    config = TrainGeneratorConfig(
        model=ModelConfig(name=base, device="cpu"),
        prompt=PromptConfig(form="plain"),
        output=output,
        learning_rate=3e-3,
        pack_tokens=128,
        save_every_seconds=0.0,
        **json.loads(more),
    )
    train_generator(config, read_problems(problems))
"""


@pytest.fixture
def command(base, tmp_path):
    """What the interpreter is given to train in a process of its own."""
    write_problems(tmp_path / "problems.jsonl", sums(60))
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))

    def arguments(output, **more):
        problems = str(tmp_path / "problems.jsonl")
        return [str(script), str(base), problems, str(output), json.dumps(more)]

    return arguments


def finish(process):
    _, told = process.communicate(timeout=900)
    assert process.returncode == 0, told
    return told


def test_kill_9_and_the_same_command_end_with_the_same_bits(command, tmp_path):
    def start(output):
        return Warm(command(output, epochs=6, batch_size=2))

    def completed(output):
        return {p.parent.name for p in (output / "training").glob("checkpoint-*/complete.json")}

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(whole))
    for _ in range(3):
        before = completed(killed)
        process = start(killed)
        more = functools.partial(lambda seen: completed(killed) - seen, before)
        assert process.wait_until(more), process.error
        process.kill()
        process.wait()
        assert not (killed / "assay.json").exists()
    finish(start(killed))
    assert same_bits(weights(killed), weights(whole))


def test_two_processes_learn_what_one_does(command, base, tmp_path):
    settings = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**settings, "attention_dropout": 0.0}))
    one, two = tmp_path / "one", tmp_path / "two"
    # The last step of an epoch, where rows run out, would be filled up with rows seen before.
    whole = {"dataloader_drop_last": True}
    rows = {"per_device_train_batch_size": 4, **whole}
    finish(Warm(command(one, epochs=1, trainer=rows)))
    halves = {"per_device_train_batch_size": 2, **whole}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    told = finish(Warm([*launcher, *command(two, epochs=1, trainer=halves)], more=children()))
    assert told.count("solutions in words") == 1
    assert (
        told.count("train generator: 3/") == 1
    )  # one of the two processes tells of the third step
    records = [json.loads((path / "assay.json").read_text()) for path in (one, two)]
    losses = [[round(entry["loss"], 3) for entry in r["history"]] for r in records]
    assert losses[0] == pytest.approx(losses[1], abs=2e-3)
    reference = weights(one)
    for name, tensor in weights(two).items():
        assert torch.allclose(tensor, reference[name], atol=5e-4), name


def test_micro_batches_do_not_change_what_is_learnt(configure, base):
    """The loss is a mean over the step's response tokens, whatever the split."""
    paths = []
    for rows, parts in ((4, 1), (2, 2), (1, 4)):
        trainer = {"per_device_train_batch_size": rows, "gradient_accumulation_steps": parts}
        config = configure(f"split{rows}", epochs=1, trainer=trainer)
        settings = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps({**settings, "attention_dropout": 0.0}))
        paths.append(train_generator(config, sums(16)))
    first = weights(paths[0])
    for path in paths[1:]:
        for name, tensor in weights(path).items():
            assert torch.allclose(tensor, first[name], atol=2e-4), name


def test_a_folder_that_holds_its_slurm_job_is_its_own(tmp_path):
    folder = GeneratorFolder(tmp_path / "g", {"a": 1})
    (folder.path / "slurm").mkdir(parents=True)
    folder.begin()
    assert (folder.training / "settings.json").exists()
    (tmp_path / "h").mkdir()
    (tmp_path / "h/notes.txt").touch()
    with pytest.raises(UserError, match="already contains something other than a generator"):
        GeneratorFolder(tmp_path / "h", {"a": 1}).begin()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"trainer": {"gradient_chekpointing": True}},
            r"did you mean gradient_checkpointing\?",
        ),
        (
            {"trainer": {"output_dir": "x"}},
            "trainer.output_dir: is set by Assay; set output instead",
        ),
        (
            {"trainer": {"deepspeed": "zero3.json"}},
            "trainer.deepspeed: is set by Assay; set deepspeed instead",
        ),
        ({"report_to": ["wndb"]}, "report_to=wndb: expected one of aim, tensorboard, wandb"),
        ({"schedule": "zigzag"}, "trainer: .*zigzag"),
        ({"trainer": {"optim": "nope"}}, "trainer: .*nope"),
        ({"output": ""}, "output: expected a folder"),
        ({"epochs": 0}, "epochs=0: expected a number above 0"),
        ({"warmup_ratio": 1.0}, "warmup_ratio=1.0"),
        ({"order": "sorted"}, "order=sorted: expected shuffled or given"),
        ({"pack_tokens": 10}, "pack_tokens=10: every solution is longer"),
        ({"coverage": CoverageConfig(problems=8)}, "coverage.problems=8: there are only 8"),
    ],
)
def test_what_does_not_fit_is_told(configure, tmp_path, more, message):
    config = configure(**{k: v for k, v in more.items() if k != "output"})
    if "output" in more:
        config.output = more["output"]
    with pytest.raises(UserError, match=message):
        train_generator(config, sums(8))
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_is_told(configure):
    with pytest.raises(UserError, match=r"the loss is nan at step .*: try a smaller learning_rate"):
        train_generator(configure(learning_rate=1e30, warmup_ratio=0), sums(8))


def test_the_epoch_with_the_best_coverage_is_kept(configure, monkeypatch, capfd):
    """Measured after each of three epochs, the second is best: its weights are the result."""
    found = [Coverage(0.5, 0.2, 4, 8), Coverage(0.75, 0.1, 4, 8), Coverage(0.75, 0.1, 4, 8)]
    seen = []

    def measure(engine, prompter, problems, modes, config):
        seen.append({k: v.clone() for k, v in engine.model.state_dict().items()})
        assert [p.id for p in problems] == ["s12", "s13", "s14", "s15"]
        return found[len(seen) - 1]

    monkeypatch.setattr("assay.generator.train.measure_coverage", measure)
    config = configure(epochs=3, coverage=CoverageConfig(problems=4, samples=4))
    path = train_generator(config, sums(16))
    record = json.loads((path / "assay.json").read_text())
    assert [m["coverage"] for m in record["coverage"]] == [0.5, 0.75, 0.75]
    assert record["counts"]["problems"] == 12
    kept = weights(path)
    assert all(torch.equal(kept[name], seen[1][name]) for name in kept)
    assert "epoch 2 of 3: mean loss" in capfd.readouterr().err.split("pass@8 75.0%")[0]


def test_coverage_survives_an_interruption(configure, monkeypatch):
    config = configure(coverage=CoverageConfig(problems=3, samples=2, max_new_tokens=12))
    undisturbed = train_generator(config, sums(16))
    again = configure("again", coverage=config.coverage)
    for steps in (3, 7):
        interrupt(monkeypatch, again, sums(16), steps)
    interrupted = train_generator(again, sums(16))
    assert same_bits(weights(interrupted), weights(undisturbed))
    records = [json.loads((p / "assay.json").read_text()) for p in (undisturbed, interrupted)]
    assert records[0]["coverage"] == records[1]["coverage"]
    assert [m["epoch"] for m in records[0]["coverage"]] == [1.0, 2.0]


class Fixed:
    """An engine that says what it was told to."""

    def __init__(self, tokenizer, texts):
        self.tokenizer, self.texts = tokenizer, texts

    def sample(self, requests, params):
        for number, request in enumerate(requests):
            for i in range(request.count):
                yield Completion(number, i, self.texts[request.key][i], [], 0.0, "eos")


def test_coverage_by_hand(byte_tokenizer):
    """Two problems, two modes, two samples: 3 of 8 right, one problem of two solved."""
    problems = [Problem("a", "?", "5"), Problem("b", "?", "7")]
    texts = {
        "a/cot": [" 2+3=5\n#### 5", " #### 6"],
        "a/pot": ["\nprint(2+3)", "\nans = 10 / 2"],
        "b/cot": [" no answer", " #### 8"],
        "b/pot": ["\nprint(1/0)", "\n7"],
    }
    prompter = Prompter(PromptConfig(form="plain"), byte_tokenizer)
    engine = Fixed(byte_tokenizer, texts)
    found = measure_coverage(engine, prompter, problems, ["cot", "pot"], CoverageConfig(samples=2))
    assert found == Coverage(coverage=0.5, accuracy=3 / 8, problems=2, samples=4)
