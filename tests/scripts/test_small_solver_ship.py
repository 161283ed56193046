"""The small solver's chain after the generator: what is shipped, fetched and used, in small."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assay import command_line
from assay.problems.problem import Problem
from assay.search.solving import small_solver
from assay.settings.errors import UserError
from scripts.small_solver.sets import pool_problems
from scripts.small_solver.ship import ship

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("ASSAY_SHARED_DATA", ROOT.parent / "shared" / "data"))
EMBEDDED = ROOT / "generator" / "embedded"
SIZES = {"POOL": "12", "SAMPLES": "4", "HELD": "20", "TESTS": "3", "TEST_SAMPLES": "4", "N": "4"}


def test_half_of_the_pool_is_real():
    real = [Problem(f"r{i}", f"real {i}?", "1", source="gsm8k") for i in range(30)]
    made = [Problem(f"m{i}", f"made {i}?", "1", source="1/prices") for i in range(30)]
    pool = pool_problems([*real, *made], 21)
    assert sum(problem.source == "gsm8k" for problem in pool) == 11
    assert len({problem.id for problem in pool}) == 21
    assert pool == pool_problems([*real, *made], 21)
    # There are no more than there are.
    assert len(pool_problems([*real[:3], *made], 21)) == 21


def test_what_is_shipped(tmp_path, monkeypatch):
    chain, model, out = (tmp_path / name for name in ("chain", "model", "out"))
    (chain / "packed" / "generator").mkdir(parents=True)
    (chain / "packed" / "generator" / "adapter_model.safetensors").write_bytes(b"7" * 1000)
    with pytest.raises(UserError, match=r"README.md: not there yet"):
        ship(chain, model, out)
    (chain / "README.md").write_text("the card")
    (chain / "choice.json").write_text('{"path": "verifier"}')
    monkeypatch.setattr("scripts.small_solver.ship.weights_digest", lambda path: "abc")
    sizes = dict(ship(chain, model, out))
    assert sizes["generator/adapter_model.safetensors"] == 1000
    assert set(sizes) == {*sizes, "README.md", "choice.json", "solver.json"}
    assert (out / "choice.json").read_text() == '{"path": "verifier"}'
    assert json.loads((out / "solver.json").read_text()) == {"name": "small-solver", "base": "abc"}
    # What is too large leaves what was there.
    monkeypatch.setattr("scripts.small_solver.ship.LIMIT", 999)
    (chain / "README.md").write_text("another")
    with pytest.raises(UserError, match=r"generator: 1,000 bytes; a shipped model may have 999"):
        ship(chain, model, out)
    assert (out / "README.md").read_text() == "the card"


@pytest.fixture
def trained(tmp_path):
    """The embedded base as a folder, training data, and an adapter that learnt a little of it."""
    if not (SHARED / "gsm8k" / "train.jsonl").exists():
        pytest.skip(f"no GSM8K in {SHARED}")
    shutil.copytree(EMBEDDED, tmp_path / "models" / small_solver.BASE)
    base = tmp_path / "models" / small_solver.BASE
    words = ["--gsm8k", SHARED / "gsm8k", "--evaluation", SHARED / "eval", "--tokens", "15000"]
    python(tmp_path, "-m", "scripts.small_solver.corpus", "--out", tmp_path / "data", *words)
    assay = ["-m", "assay", "train-generator", "scripts/small_solver/generator.yaml"]
    settings = [f"output={tmp_path / 'adapter'}", f"model.name={base}", "lora.rank=4"]
    data = f"problems.path={tmp_path / 'data' / 'train.jsonl'}"
    python(tmp_path, *assay, *settings, data, "learning_rate=2e-3", "trainer.bf16=false")
    return base


def python(tmp_path, *words, **more):
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.full
def test_from_the_adapter_to_an_answer(trained, tmp_path, monkeypatch, capsys):
    chain = tmp_path / "chain"
    words = [chain, tmp_path / "adapter", trained, SHARED / "gsm8k", SHARED / "eval"]
    script = ["scripts/small_solver/chain.sh", *words, tmp_path / "data" / "train.jsonl"]

    def run(**more):
        environment = {**os.environ, **SIZES, "PYTHON": sys.executable, **more}
        words = list(map(str, script))
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    run(UNTIL="pool")
    assert not (chain / "trained").exists()
    run()
    written = {path: path.stat().st_mtime_ns for path in chain.rglob("*.parquet")}
    run()
    assert written == {path: path.stat().st_mtime_ns for path in chain.rglob("*.parquet")}

    packed = tmp_path / "packed"
    ship = ["-m", "scripts.small_solver.ship", "all", "--chain", chain, "--model", trained]
    told = python(tmp_path, *ship, "--to", packed)
    assert "verifier/head.safetensors" in told
    assert str(tmp_path) not in (packed / "choice.json").read_text()
    # As a user gets it: the same bits as in the chain, so that the choice holds.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(small_solver, "PACKED", packed)
    assert command_line.main(["fetch", "small-solver"]) == 0
    home = tmp_path / small_solver.HOME
    for name in ("generator", "verifier"):
        ours = (home / name / "model.safetensors").read_bytes()
        assert ours == (chain / name / "model.safetensors").read_bytes()
    capsys.readouterr()
    assert command_line.main(["solve", "Tom has 12 apples and buys 3. How many are there?"]) == 0
    told = capsys.readouterr().out
    assert "answer:" in told or "no candidate has an answer" in told
    record = json.loads((home / "solver.json").read_text())
    assert record["same_base"] is True
