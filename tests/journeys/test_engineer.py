"""The engineer's way: a verifier for a 7B model, long solutions, several nodes.

Typed as the docs tell it (docs/plan.md, docs/verifier.md, docs/clusters.md), on a processor.
"""

import json
import subprocess

import pytest

from assay import command_line

# What the engineer has: solutions of another sampler, some of them long.
LONG = "We count on. " * 60
PROBLEMS = [
    {
        "id": f"p{i}",
        "question": f"What is {i} + {i + 1}?",
        "answer": str(2 * i + 1),
        "solutions": [{"mode": "cot", "text": f"{i} + {i + 1} = {2 * i + 1}."}],
        "candidates": [
            {"mode": "cot", "text": text}
            for text in (
                f"The answer is {2 * i + 1}.",
                f"The answer is {2 * i + 2}.",
                f"{LONG}The answer is {2 * i + 1}.",
                f"{LONG}The answer is {2 * i}.",
            )
        ],
    }
    for i in range(1, 7)
]  # fmt: skip


def assay(*words):
    assert command_line.main(list(words)) == 0


def line_of(capsys, *words):
    """The one line of a command that is refused."""
    capsys.readouterr()
    assert command_line.main(list(words)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("engineer")


@pytest.fixture(scope="module")
def pool(folder):
    """`assay import`, `assay grade`."""
    file = folder / "sampled.jsonl"
    file.write_text("".join(json.dumps(problem) + "\n" for problem in PROBLEMS))
    assay("import", str(file), f"run={folder}/pool")
    assay("grade", f"{folder}/pool", "workers=1")
    return folder / "pool"


def test_plans_before_anything_is_there(capsys):
    base = ("configs/math/verifier.yaml", "model.base=Qwen2.5-7B", "hardware=4x8xH100-80G")
    sizes = ("pool_problems=12000", "pool_samples={cot: 100}", "cot_tokens=3000")
    assay("plan", *base, *sizes, "longest_tokens=16000", "max_length=0")
    told = capsys.readouterr().out
    assert "assay train-verifier configs/math/verifier.yaml on 4x8xH100-80G: $2.50" in told
    assert "12,000 problems with 100 cot each, as pool_problems= and pool_samples= say" in told
    assert "the longest solution with its question, 16,0" in told
    assert "· checkpointing" in told
    assay("plan", *base, *sizes, "longest_tokens=16000")
    told = capsys.readouterr().out
    assert "! max_length=4096 binds: solutions of up to 16,000 tokens are longer" in told
    sampling = ("configs/math/chat.yaml", "generator=Qwen2.5-7B", "hardware=8xH100-80G")
    assay("plan", *sampling, "run=r", "cot_tokens=8000")
    assert (
        "! sampling.max_new_tokens=4096 binds: solutions (cot) of 8,000" in capsys.readouterr().out
    )


def test_plans_on_the_own_pool(pool, capsys):
    assay("plan", "model.base=Qwen2.5-7B", f"pools=[{pool}]", "hardware=8xH100-80G")
    assert f"{pool}: 6 problems with 4 cot each, of 11" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["prompt.form=chatt"], "prompt.form=chatt: expected one of auto, alpaca, chat"),
        (["prompt.form=template", "prompt.template=Hello"], "text that contains {question}"),
        (["prompt.form=chat"], "this model's tokenizer has no chat template"),
        (["engine.name=vllm"], "engine.name=vllm: needs the package vllm"),
        (["engine.name=vlm"], "engine.name=vlm: expected one of transformers, vllm, server"),
        (
            ["engine={name: vllm, vllm: {tensor_parallel: 4}}", "slurm.setup=true", "slurm.gpus=6"],
            "slurm.gpus=6: a process takes 4 GPUs",
        ),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_submitted(words, told, folder, capsys):
    run = folder / "wrong"
    line = line_of(
        capsys, "sample", str(run), "problems=gsm_symbolic", "generator=embedded",
        "generator.device=cpu", "launcher=slurm", "slurm.array=16", *words,
    )  # fmt: skip
    assert told in line
    assert not run.exists()


def test_what_another_environment_may_have_is_noted(folder, capsys):
    words = ["sample", f"{folder}/noted", "problems=gsm_symbolic", "problems.limit=2"]
    words += ["generator=embedded", "generator.device=cpu", "prompt.form=plain", "launcher=slurm"]
    assay(*words, "engine.name=vllm", "slurm.setup=source elsewhere", "slurm.submit=false")
    told = capsys.readouterr().out
    assert told.startswith("note: engine.name=vllm: needs the package vllm, which is not installed")
    assert "sample: 1 of 1 tasks" in told


def test_a_chain_checks_its_last_stage_before_its_first_one(folder, capsys):
    chain = folder / "chain.yaml"
    chain.write_text(
        "launcher: slurm\n"
        "slurm: {submit: false}\n"
        "sample: {problems: {name: gsm_symbolic, limit: 2}, prompt: {form: plain}}\n"
        f"score: {{verifier: {folder}/nowhere}}\n"
    )
    line = line_of(capsys, "launch", str(folder / "chained"), str(chain))
    assert line == f"assay: score: {folder}/nowhere: not a verifier (it has no verifier.json)"
    assert not (folder / "chained").exists()


def test_a_training_on_four_nodes_is_one_job(pool, folder, capsys, monkeypatch):
    slurm = 'slurm={nodes: 4, gpus: 8, partition: gpu, cpus: 64, time: "24:00:00", submit: false, '
    words = ["train-verifier", f"{folder}/v", f"pools=[{pool}]", "model.base=embedded"]
    words += ["model.base.device=cpu", "prompt.form=plain", "launcher=slurm"]
    monkeypatch.chdir(folder)
    assay(*words, slurm + "setup: source .venv/bin/activate}")
    told = capsys.readouterr().out
    script = folder / "v/slurm/train-verifier.sh"
    assert told == (
        f"train-verifier: 4 nodes, 32 processes; to submit it: sbatch --parsable {script}\n"
    )
    assert (
        script.read_text()
        == f"""\
#!/bin/bash
#SBATCH --job-name=train-verifier-v
#SBATCH --output={folder}/v/slurm/train-verifier-%j.log
#SBATCH --open-mode=append
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --partition=gpu
#SBATCH --gres=gpu:8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --requeue
set -eo pipefail
cd {folder}
source .venv/bin/activate
port=$((20000 + SLURM_JOB_ID % 20000))
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
exec srun --kill-on-bad-exit=1 --cpus-per-task=64 torchrun --nnodes=4 --nproc_per_node=8 \
--rdzv_id=$SLURM_JOB_ID --rdzv_backend=c10d --rdzv_endpoint="$first:$port" \
-m assay train-verifier {folder}/v/slurm/train-verifier.yaml
"""
    )
    subprocess.run(["bash", "-n", str(script)], check=True)
    # Without lines that make another environment, this one has to be able to.
    line = line_of(capsys, *words, slurm[:-2] + "}")
    assert "slurm.gpus=8: torch was built without CUDA in this environment" in line
    line = line_of(capsys, *words, "deepspeed=configs/deepspeed/zero9.json")
    assert "deepspeed=configs/deepspeed/zero9.json: expected a JSON file" in line
    line = line_of(capsys, *words, "report_to=wandb")
    assert "report_to=wandb: needs the package wandb, which is not installed" in line


def test_the_generators_training_is_checked_and_submitted_alike(folder, capsys):
    words = ["train-generator", f"{folder}/g", "model=embedded", "problems=gsm_symbolic"]
    words += ["problems.limit=40", "prompt.form=plain", "launcher=slurm", "slurm.submit=false"]
    setup = ["slurm.nodes=2", "slurm.gpus=4", "slurm.setup=true"]
    line = line_of(capsys, *words, *setup, "batch_size=4")
    assert "fewer than the 8 processes; make it" in line
    assay(*words, *setup, "batch_size=80", "pack_tokens=256")
    assert "train-generator: 2 nodes, 8 processes; to submit it: " in capsys.readouterr().out
    script = (folder / "g/slurm/train-generator.sh").read_text()
    assert "torchrun --nnodes=2 --nproc_per_node=4 --rdzv_id=$SLURM_JOB_ID" in script


def test_long_solutions_in_training_and_scoring(pool, folder, capsys):
    words = ["train-verifier", f"{folder}/verifier", f"pools=[{pool}]", "model.base=embedded"]
    words += ["model.base.device=cpu", "prompt.form=plain", "max_length=128", "overlong=windows"]
    words += ["gradient_checkpointing=true", "optimizer_states=bfloat16", "micro_batch_tokens=512"]
    assay(*words, "validation_fraction=0.2", "validations=1")
    told = capsys.readouterr()
    line = "10 of 20 candidates are longer than 128 tokens with their question (overlong=windows)"
    assert line in told.err
    assert line in told.out
    assay("score", str(pool), f"verifier={folder}/verifier", "workers=1")
    assert (
        "12 of 24 candidates are longer than 128 tokens with their question (overlong=windows)"
    ) in capsys.readouterr().out
    assay("score", str(pool), f"verifier={folder}/verifier", "name=skip", "scoring.overlong=skip")
    assert "12 of 24 candidates without a score (longer" in capsys.readouterr().out


def test_help_that_fits_a_screen_and_all_of_it(capsys):
    assay("sample", "--help")
    short = capsys.readouterr().out
    assert "problems=gsm8k" in short
    assert "problems.weights" not in short
    assert "all keys: assay sample --help all" in short
    assert "prompt.form=auto" in short
    assay("sample", "--help", "problems")
    group = capsys.readouterr().out
    assert "problems.shuffle=false" in group
    assert "engine.name" not in group
    assay("sample", "--help", "all")
    assert "slurm.array=1" in capsys.readouterr().out
    assay("quickstart", "--help")
    assert "output=runs/quickstart" in capsys.readouterr().out
    assert "--help lora" in _help(capsys, "train-verifier")


def _help(capsys, command):
    assay(command, "--help")
    return capsys.readouterr().out
