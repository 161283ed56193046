"""The stages on an OpenAI-compatible server, from the command line."""

import json
import math
import signal
import threading
import time

import pytest

from assay import command_line
from assay.pools.frame import load_frame
from assay.pools.run import Run
from tests.warm import Warm


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "problems.jsonl"
    rows = [
        {"id": f"p{i}", "question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def threes(body):
    """Always answers 3."""
    text = "It is 3.\n#### 3"
    return {
        "choices": [
            {"index": i, "text": text, "finish_reason": "stop"} for i in range(body.get("n", 1))
        ]
    }


def test_sample_grade_evaluate(model_server, problems, tmp_path, capsys):
    server = model_server(threes)
    run = tmp_path / "run"
    words = [f"problems={problems}", "engine.name=server", "modes={cot: 6, pot: 0}"]

    def sample(*more, url=server.url):
        code = command_line.main(["sample", str(run), *words, f"engine.server.urls=[{url}]", *more])
        return code, capsys.readouterr().err

    assert sample() == (0, "")
    key = Run.open(run).key("candidates")
    assert key["server"] == {"model": "tiny", "api": "completions", "extra": {}}
    assert key["engine"] == "server"
    assert "127.0.0.1" not in json.dumps(key)

    asked = len(server.requests)
    moved = model_server(threes)
    assert sample("modes.cot=8", url=moved.url) == (0, "")
    assert (asked, len(moved.requests)) == (5, 5)
    code, error = sample(url=model_server(models=({"id": "other"},)).url)
    assert code == 2
    assert "server" in error
    assert len(error.splitlines()) == 1

    assert command_line.main(["grade", str(run)]) == 0
    frame = load_frame(Run.open(run), texts=True)
    assert len(frame) == 40
    assert frame["label"].mean() == pytest.approx(0.2)
    assert all(math.isnan(value) for value in frame["logprob"])
    assert set(frame["stop"]) == {"eos"}
    capsys.readouterr()
    assert command_line.main(["evaluate", str(run)]) == 0
    assert "20.0" in capsys.readouterr().out
    assert command_line.main(["report", str(run)]) == 0


def test_solve(model_server, problems, tmp_path, capsys):
    server = model_server(threes)
    words = ["generator=embedded", "engine.name=server", f"engine.server.urls=[{server.url}]"]
    output = tmp_path / "answers.jsonl"
    words += [f"problems={problems}", f"output={output}", "modes=[cot]", "n=3"]
    assert command_line.main(["solve", *words]) == 0
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["answer"] for row in rows] == ["3"] * 5


def test_what_is_missing_is_one_line(problems, tmp_path, capsys):
    words = ["sample", str(tmp_path / "run"), f"problems={problems}", "engine.name=server"]
    assert command_line.main(words) == 2
    assert capsys.readouterr().err.startswith("assay: engine.server.urls: expected base URLs")
    assert command_line.main([*words, "engine.server.urls=[http://127.0.0.1:9]"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("assay: engine server: http://127.0.0.1:9/v1: ")
    assert line.endswith("; is it running?")


def test_an_interrupt_ends_it_at_once(model_server, problems, tmp_path):
    asked = threading.Event()

    def hang(body):
        asked.set()
        return "hang"

    server = model_server(hang)
    words = ["sample", str(tmp_path / "run"), f"problems={problems}", "engine.name=server"]
    process = Warm(["-m", "assay", *words, f"engine.server.urls=[{server.url}]"])
    try:
        assert asked.wait(300)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert time.monotonic() - start < 60
    assert process.returncode == 130
    assert error.strip().startswith("assay: interrupted")
    assert len(error.strip().splitlines()) == 1
