"""The whole chain of the small solver, on the embedded base and a hundredth of the data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("ASSAY_SHARED_DATA", ROOT.parent / "shared" / "data"))


@pytest.mark.full
def test_from_nothing_to_the_tables_and_again(tmp_path):
    if not (SHARED / "gsm8k" / "train.jsonl").exists():
        pytest.skip(f"no GSM8K in {SHARED}")
    evaluation = tmp_path / "eval"
    evaluation.mkdir()
    svamp = (SHARED / "eval" / "svamp.jsonl").read_text("utf-8").split("\n")[:20]
    (evaluation / "svamp.jsonl").write_text("\n".join(svamp) + "\n", "utf-8")
    words = ["scripts/small_solver/train.sh", tmp_path / "work", "embedded", SHARED / "gsm8k"]
    settings = {"TOKENS": "15000", "PROBLEMS": "3", "SAMPLES": "2", "PYTHON": sys.executable}

    def run():
        return subprocess.run(
            [*map(str, words), str(evaluation)],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=900,
        )

    done = run()
    assert done.returncode == 0, done.stderr[-2000:]
    work = tmp_path / "work"
    assert (work / "contamination.txt").read_text().rstrip().endswith(" 0")
    record = json.loads((work / "generator" / "assay.json").read_text())
    assert record["counts"]["cot"] == 0
    assert record["counts"]["pot"] > 100
    assert (work / "generator" / "adapter_model.safetensors").exists()
    for name in ("plain", "svamp", "gsm8k"):
        assert "majority vote" in (work / "tables" / "generator" / name / "table.txt").read_text()
    # All is found again.
    written = {path: path.stat().st_mtime_ns for path in (work / "generator").iterdir()}
    again = run()
    assert again.returncode == 0, again.stderr[-2000:]
    assert written == {path: path.stat().st_mtime_ns for path in (work / "generator").iterdir()}
