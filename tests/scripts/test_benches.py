"""Every benchmark runs to its end, at the smallest size, and names the processor.

The figures mean nothing at these sizes; what is checked is that a script still fits the code that
it measures. Scripts that need CUDA are rehearsed on the CPU (`test_campaign.py` and
`test_gpu_sampling.py` do those that have a rehearsal of their own).
"""

import json
import logging
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from assay import command_line
from scripts.bench import answers, machine, processes
from tests.warm import children

ROOT = Path(__file__).resolve().parents[2]
# Modules that other scripts import, and scripts with tests of their own.
PARTS = {"machine", "programs", "rewrites", "campaign_machine", "campaign_plan"}
PARTS |= {"campaign_stages", "campaign_state", "campaign_summary"}

SMALLEST = {
    "bench/adaptive.py": "--problems 5 --candidates 8 --draws 4 --round 2 --dirichlet",
    "bench/confidence.py": "embedded 2 3",
    "bench/curves.py": "--problems 5 --candidates 8 --draws 4 --bootstrap 20",
    "bench/rounding.py": "",
    "bench/sampling.py": "cases=[1x2] tokens=4 repeats=1",
    "bench/verifier_score.py": "model=tiny candidates=4 question=10 solution=12 repeats=1 rows=[2]",
    "bench/verifier_train.py": "model=embedded samples=2 repeats=1",
    "bench/report.py": "problems=2 candidates=4 tokens=10",
    "gpu/attention.py": ("device=cpu dtype=float32 tokens=512 packs=2 heads=2 size=16 repeats=1"),
}


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a script in this process, as `python SCRIPT WORDS`; returns what it printed."""

    def start(script, *words):
        path = ROOT / "scripts" / script
        # Scripts put the project in the place of their folder.
        monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
        monkeypatch.setattr(sys, "argv", [str(path), *words])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return start


@pytest.mark.parametrize("script", SMALLEST)
def test_the_smallest_size(run, script, monkeypatch):
    if script == "bench/verifier_train.py":
        # It measures memory in a process of its own for each side.
        monkeypatch.setattr(sys, "executable", children()["PYTHON"])
    told = run(script, *SMALLEST[script].split())
    assert machine.processor() in told.splitlines()[0]
    # More than that line, and no value that could not be computed.
    assert len(told.splitlines()) >= 3
    assert not re.search(r"\b(nan|None)\b", told)


def test_answers(run, tmp_path, monkeypatch):
    """On seventeen whole numbers a set: a ballot is of sixteen values and the reference."""
    (tmp_path / "eval").mkdir()
    (tmp_path / "gsm8k_model_solutions").mkdir()
    monkeypatch.setattr(logging.root.manager, "disable", logging.NOTSET)  # undone when it ends
    for name in (*answers.SETS, "math500"):
        rows = [
            {"question": "Which? ( A ) 1 ( B ) 2", "answer": answer, "options": options}
            for answer, options in (
                [("A", ["1", "2"])]
                if name in ("aqua", "sat", "mmlu_mathematics")
                else [(str(number), []) for number in range(12, 29)]
            )
        ]
        (tmp_path / "eval" / f"{name}.jsonl").write_text(
            "".join(f"{json.dumps(r)}\n" for r in rows)
        )
    said = {"is_correct": True, "solution": "6 * 3 = 18\nA: 18"}
    row = {"ground_truth": "So it is 18.\n#### 18", **dict.fromkeys(answers.MODELS, said)}
    path = tmp_path / "gsm8k_model_solutions" / "example_model_solutions.jsonl"
    path.write_text(json.dumps(row) + "\n")
    words = ["--data", str(tmp_path), "--pairs", "2", "--votes", "1", "--answers", "6"]
    told = run("bench/answers.py", *words)
    assert "{'agree': 4}" in told
    assert " 6 answers" in told


def test_curves_of_two_modes(run):
    words = SMALLEST["bench/curves.py"].split()
    assert "3 curve(s)" in run("bench/curves.py", *words, "--modes", "both")


def test_processes(tmp_path, monkeypatch, capsys):
    """Its commands run in this process, after a verifier was trained on candidates of the same."""

    def execute(commands):
        for words in commands:
            assert command_line.main(words) == 0, capsys.readouterr().err
        return 1.0

    given = {"generator": "embedded", "problems": "2", "samples": "2"}
    pool, verifier = tmp_path / "pool", str(tmp_path / "verifier")
    execute([*processes.commands("sample", pool, 1, given), ["grade", str(pool), "workers=1"]])
    settings = ["epochs=1", "validation_fraction=0", "model.base=embedded"]
    execute([["train-verifier", verifier, f"pools=[{pool}]", *settings]])
    monkeypatch.setattr(processes, "execute", execute)
    words = [f"{name}={value}" for name, value in given.items()]
    words += [f"verifier={verifier}", "repeats=1", "processes=1", f"work={tmp_path / 'work'}"]
    words += ["solutions=none"]
    monkeypatch.setattr(sys, "argv", ["processes.py", *words])
    capsys.readouterr()
    processes.main()
    lines = capsys.readouterr().out.splitlines()
    (first,) = [i for i, line in enumerate(lines) if line.startswith(machine.processor())]
    assert [line.split()[:3] for line in lines[first + 2 :]] == [
        ["sample", "1", "4"],
        ["grade", "1", "4"],
        ["score", "1", "4"],
    ]


def test_sandbox():
    """As a process of its own: those that it starts import it by its name.

    They are as many as there are processors, here one.
    """
    one = {min(os.sched_getaffinity(0))}
    words = ["programs=4", "repeats=1", "slow=false", "forks=2"]
    done = subprocess.run(
        [sys.executable, "scripts/bench/sandbox.py", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: os.sched_setaffinity(0, one),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert machine.processor() in done.stdout.splitlines()[0]
    assert "Assay beside an interpreter each" in done.stdout


def test_every_script_is_run_somewhere():
    """A script that is added is added here, or has a test of its own that names it."""
    tests = "".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "tests" / "scripts").glob("test_*.py")
    )
    for folder in ("bench", "gpu"):
        for file in sorted((ROOT / "scripts" / folder).glob("*.py")):
            if file.stem not in PARTS and f"{folder}/{file.name}" not in SMALLEST:
                named = re.search(rf"scripts.{folder}( import .*|[./]){file.stem}\b", tests)
                assert named or f"{folder}/{file.name}" in tests, file


def test_the_processors_name(monkeypatch, tmp_path):
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "CPUINFO", info)
    info.write_text("processor\t: 0\nmodel name\t: AMD EPYC 9V74  80-Core Processor\n")
    assert machine.processor() == "AMD EPYC 9V74 80-Core Processor"
    assert machine.machine().startswith("AMD EPYC 9V74 80-Core Processor, ")
    # Some Arm systems name none.
    info.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    assert machine.processor() == "aarch64"
    info.unlink()
    assert machine.processor() == "aarch64"
