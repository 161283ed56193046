"""The benchmark of sampling on a GPU, rehearsed on a CPU."""

import json
import os
import subprocess
from pathlib import Path

from tests.warm import children

ROOT = Path(__file__).resolve().parents[2]


def rehearsed(*words):
    return subprocess.run(
        ["bash", "scripts/gpu/sampling.sh", "--rehearse", *words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | children(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_compares_and_writes_what_it_found(tmp_path):
    output = tmp_path / "results" / "sampling"
    done = rehearsed("systems=assay,generate", f"output={output}")
    assert done.returncode == 0, done.stderr
    record = json.loads(output.with_suffix(".json").read_text())
    rows = record["rows"]
    assert [(row["work"], row["system"]) for row in rows] == [
        *(("1x6", "assay"), ("1x6", "generate"), ("3x2", "assay"), ("3x2", "generate"))
    ]
    assert not any(row["failed"] for row in rows)
    assert all(row["tokens_per_second"] > 0 for row in rows)
    text = output.with_suffix(".md").read_text()
    assert done.stdout == text + "\n"
    assert "| tiny | 1 × 6 | generate |" in text
    assert record["about"]["words"] == f"--rehearse systems=assay,generate output={output}"


def test_what_is_unknown_is_told():
    done = rehearsed("models=gpt9")
    assert done.returncode == 1
    assert done.stderr.strip() == ("models=gpt9: expected one of smollm2-135m, llama-1b, tiny")
