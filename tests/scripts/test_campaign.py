"""The campaign, rehearsed on a CPU in pieces, and how it ends what runs too long."""

import gzip
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from assay.settings.errors import UserError
from scripts.gpu.campaign import DEFAULTS, REHEARSAL
from scripts.gpu.campaign_stages import Stages, drop_half_slices
from scripts.gpu.campaign_state import Campaign, OutOfTimeError, whole_slices
from tests.warm import children

ROOT = Path(__file__).resolve().parents[2]
SLEEPS = ["-c", "import time; time.sleep(60)"]


def campaign(folder, **given):
    return Campaign({**DEFAULTS, **REHEARSAL, "work": str(folder), **given}, rehearse=True)


def called(folder, *words):
    return subprocess.run(
        ["bash", "scripts/gpu/campaign.sh", "--rehearse", f"work={folder}", *words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | children(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_call_ends_when_its_seconds_are_over(tmp_path):
    begun = time.monotonic()
    with pytest.raises(OutOfTimeError):
        campaign(tmp_path, seconds="1").python("sleep", SLEEPS)
    assert time.monotonic() - begun < 50


def test_a_stage_is_cut_only_when_there_is_enough(tmp_path):
    folder = tmp_path / "candidates"
    folder.mkdir()
    (folder / "part-00000.cot.00000-00002.parquet").touch()
    late = campaign(tmp_path, seconds="3")
    with pytest.raises(OutOfTimeError):
        late.python("sleep", SLEEPS, until=0.5, enough=folder)
    (folder / "part-00001.pot.00000-00002.parquet").touch()
    with pytest.raises(OutOfTimeError):
        campaign(tmp_path, seconds="2").python("sleep", SLEEPS, until=0.5, enough=folder)
    (folder / "part-00000.pot.00000-00002.parquet").touch()
    assert campaign(tmp_path).python("sleep", SLEEPS, until=0.5, enough=folder) < 50


def test_slices_of_one_mode_are_dropped(tmp_path):
    names = [f"part-0000{i}.{mode}.00000-00002.parquet" for i, mode in
             [(0, "cot"), (0, "pot"), (1, "cot"), (2, "pot"), (3, "cot"), (3, "pot")]]  # fmt: skip
    for name in names:
        (tmp_path / name).touch()
    assert whole_slices(tmp_path) == {0, 3}
    drop_half_slices(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [*names[:2], *names[4:]]


def test_what_fails_is_named_by_its_last_line(tmp_path):
    with pytest.raises(UserError, match=r"^bad failed: no luck \(.*/logs/bad\.log\)$"):
        campaign(tmp_path).python("bad", ["-c", "import sys; print('so far'); sys.exit('no luck')"])


def test_a_stage_does_not_outlive_a_call_that_is_killed(tmp_path):
    code = (
        "from tests.scripts.test_campaign import campaign; "
        f"campaign({str(tmp_path)!r}).python('sleep', ['-c', 'import os, time; "
        "print(os.getpid(), flush=True); time.sleep(60)'])"
    )
    call = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    log = tmp_path / "logs" / "sleep.log"
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text().count("\n") == 2):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    call.kill()
    call.wait()
    stage = Path("/proc") / log.read_text().split()[-1]
    while stage.exists() and "Z" not in (stage / "stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_campaign_that_is_not_done_has_a_summary(tmp_path):
    begun = campaign(tmp_path)
    begun.state["command"] = "minutes=25"
    begun.stage("base", lambda: {"model": "embedded"})
    with pytest.raises(UserError):
        begun.python("bad", ["-c", "raise SystemExit('no luck')"])
    Stages(begun).summary_so_far()
    with tarfile.open(tmp_path / "summary.tar.gz") as archive:
        assert "summary/logs/bad.log" in archive.getnames()
    text = (tmp_path / "summary" / "result.md").read_text()
    assert text.startswith("# GSM8K with 135M parameters: not done\n\n`scripts/gpu/campaign.sh min")
    assert '- base: {"seconds": 0.0, "model": "embedded"}' in text


def test_time_counts_over_calls_and_decisions_stay(tmp_path):
    first = campaign(tmp_path, minutes="10")
    first.state["spent"] = 0.0
    assert first.decided("samples", lambda: 8) == 8
    first._before = 540.0
    first.save()
    second = campaign(tmp_path, minutes="10")
    assert 50 < second.left < 60
    assert second.decided("samples", lambda: 99) == 8
    done = []
    for _ in range(2):
        second.stage("once", lambda: done.append(1))
    assert done == [1]


def test_unknown_words_are_named(tmp_path):
    done = called(tmp_path, "minuts=3")
    assert done.returncode == 2
    assert done.stderr.startswith("campaign: unknown: minuts=3; expected key=value of work, model,")


@pytest.mark.full
def test_a_rehearsal_in_pieces(tmp_path):
    """All stages run; a call that is out of time is gone on with; the summary holds everything."""
    first = called(tmp_path, "seconds=10", "minutes=5", "bench_minutes=0.5")
    assert first.returncode == 3, first.stderr
    assert "not done yet" in first.stdout
    assert (tmp_path / "summary.tar.gz").exists()
    done = called(tmp_path, "minutes=5", "bench_minutes=0.5")
    assert done.returncode == 0, done.stderr
    state = json.loads((tmp_path / "campaign.json").read_text())
    assert list(state["done"]) == [
        *("base", "generator", "probe", "plan", "pool", "verifier", "greedy", "test", "bench"),
        "summary",
    ]
    assert all(rate > 0 for rate in state["rates"].values())
    with tarfile.open(tmp_path / "summary.tar.gz") as archive:
        names = set(archive.getnames())
    assert {
        "summary/result.md",
        "summary/campaign.json",
        "summary/report/table.txt",
        "summary/report/curves.svg",
        "summary/training/generator.json",
        "summary/training/verifier.json",
    } <= names
    assert (tmp_path / "summary.tar.gz").stat().st_size < 500_000
    with gzip.open(tmp_path / "summary" / "candidates.jsonl.gz", "rt") as stream:
        shown = [json.loads(line) for line in stream]
    assert len(shown) >= 4
    for candidate in shown[0]["candidates"]:
        assert len(candidate["values"]) == len(candidate["ends"]) > 0
    assert "| greedy | " in done.stdout
    again = called(tmp_path, "minutes=5", "bench_minutes=0.5")
    assert again.returncode == 0
    assert again.stdout.startswith("# GSM8K with 135M parameters")
