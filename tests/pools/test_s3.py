"""Runs in an S3 store: moto's server on this machine."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from assay import command_line
from assay.pools.run import Run
from assay.storage.files import create_file
from assay.storage.places import names_below, place

pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")

ROOT = Path(__file__).resolve().parents[2]
REGISTERS = """
import sys
from assay.problems.problem import Problem
from assay.pools.run import Run

path, number = sys.argv[1], int(sys.argv[2])
problems = [Problem(id=f"p{i}", question=f"What is {i} + {i}?", answer="1") for i in range(3)]
place(path).exists()  # the driver is there
print("ready", flush=True)
sys.stdin.readline()
run = Run.open_or_create(path, problems)
run.register("candidates", {"problems_per_part": 1}, {})
for stage in range(3):
    run.register(f"scores/{number}-{stage}", {"number": number, "stage": stage}, {})
""".replace("from assay.pools.run", "from assay.storage.places import place\nfrom assay.pools.run")


@pytest.fixture(scope="module")
def bucket():
    store = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "any")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        import s3fs

        name = f"b-{uuid.uuid4().hex[:12]}"
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)
        yield f"s3://{name}"
    store.stop()


def test_a_file_is_created_once(bucket):
    create_file(place(bucket) / "once", "1")
    with pytest.raises(FileExistsError):
        create_file(place(bucket) / "once", "2")
    assert (place(bucket) / "once").read_text() == "1"


def test_processes_that_make_one_run_and_register_at_once_lose_nothing(bucket):
    path = f"{bucket}/run"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REGISTERS, path, str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0] * 4
    assert set(Run.open(path).record["stages"]) == {
        "candidates", *(f"scores/{number}-{stage}" for number in range(4) for stage in range(3)),
    }  # fmt: skip


def test_import_grade_report_and_export_as_in_a_folder(bucket, tmp_path):
    pool = tmp_path / "pool.jsonl"
    rows = [
        {
            "id": f"p{i}", "question": f"What is {i} + 1?", "answer": str(i + 1),
            "candidates": [
                {"mode": "cot", "sample": j, "text": f"It is {i + j}. #### {i + j}"}
                for j in range(3)
            ],
        }
        for i in range(4)
    ]  # fmt: skip
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for run in (f"{bucket}/pool", str(tmp_path / "run")):
        words = [f"run={run}", "problems_per_part=1"]
        assert command_line.main(["import", str(pool), *words]) == 0
        assert command_line.main(["grade", run]) == 0
        assert command_line.main(["report", run, "draws=20", "bootstrap=20"]) == 0
        assert command_line.main(["export", run, f"output={run}-out/pool.jsonl"]) == 0
    assert (place(bucket) / "pool").names() == names_below(tmp_path / "run")
    out = place(f"{bucket}/pool-out/pool.jsonl").read_text().splitlines()
    labels = [[each["label"] for each in json.loads(line)["candidates"]] for line in out]
    assert labels == [[False, True, False]] * 4
    # Lost in the middle: it alone is made again.
    part = place(bucket) / "pool/answers/part-00002.cot.00000-00003.parquet"
    before = (place(bucket) / "pool/answers").sizes()
    part.unlink()
    assert command_line.main(["grade", f"{bucket}/pool"]) == 0
    after = (place(bucket) / "pool/answers").sizes()
    assert [name for name in before if after[name] != before[name]] == [part.name]
