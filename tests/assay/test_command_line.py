"""The front door: help, and one clear line with exit code 2 for what a user gets wrong."""

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from assay import command_line
from assay.commands import GROUPS

ROOT = Path(__file__).resolve().parents[2]


def line_of(capsys, *words):
    """The one line on stderr of a command that fails with exit code 2."""
    assert command_line.main(list(words)) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    return lines[0]


def test_help_lists_every_command(capsys):
    assert command_line.main([]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in command_line.COMMANDS)
    # Under one heading each.
    assert sorted(chain(*GROUPS.values())) == sorted(command_line.COMMANDS)
    headings = [line for line in text.splitlines()[4:] if line and not line.startswith(" ")]
    assert headings == [
        *("solve", "run stages", "train", "evaluate", "move pools"),
        *("clusters and planning", "sandbox"),
    ]
    assert "\n\nmove pools\n  import " in text


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    assert command_line.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"usage: assay {name}" in text
    assert "keys, with their defaults:" in text


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from assay import command_line; command_line.main(['--help']);"
        "assert not {'torch', 'transformers', 'numpy', 'omegaconf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_unknown_command(capsys):
    assert line_of(capsys, "smaple") == "assay: smaple: unknown command; did you mean sample?"


def test_unknown_key(capsys):
    line = line_of(capsys, "sample", "runs/x", "samplng.temperature=1")
    assert "samplng.temperature: unknown key" not in line
    assert "samplng: unknown key; did you mean sampling?" in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["grade"], "run: expected the folder of the run"),
        (["grade", "nowhere"], "nowhere: not a run (it has no run.json)"),
        (["evaluate", "nowhere"], "nowhere: not a run"),
        (["solve"], "expected either a question"),
        (["solve", "1 + 1?", "generator=./nowhere"], "model ./nowhere: no such folder"),
        (["solve", "1 + 1?", "generator=embedded", "rule=best"], "rule=best: expected one of"),
        (["solve", "1 + 1?", "generator=embedded", "rule=top_k"], "needs a verifier"),
        (["solve", "1 + 1?", "generator=embedded", "verifier=embedded"], "verifier"),
        (["solve", "1 + 1?", "generator=embedded", "n=-1"], "n=-1: expected 1 or more"),
        (["solve", "problems=nowhere.jsonl", "generator=embedded"], "nowhere.jsonl"),
        (["run"], "output: expected a folder"),
        (["run", "nowhere.yaml"], "nowhere.yaml: no such configuration file"),
        (["fetch", "gpt-9"], "expected one of smollm2-135m-instruct"),
        (["train-verifier", "v"], "pools: expected at least one graded run"),
        (["sample", "r", "problems=gsm_symbolic", "modes.cot=x"], "modes.cot"),
        (["sample", "r", "problems=gsm_symbolic", "modes.code=1"], "modes.code: expected one of"),
        (["sample", "r", "problems=gsm_symbolic", "shard=2/2"], "expected i/m"),
        (["score", "r"], "verifier: expected a verifier's folder"),
        (["import"], "files: expected a file"),
        (["import", "x.jsonl"], "run: expected the folder of a new run"),
        (["import", "x.jsonl", "run=r"], "x.jsonl: cannot be read"),
        (["export", "nowhere", "output=x.jsonl"], "nowhere: not a run"),
        (["compare", "nowhere", "rules=[weighted,majority]"], "nowhere: not a run"),
    ],
)
def test_bad_input_is_one_clear_line(words, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert expected in line_of(capsys, *words)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["solve", "caf\udce9?"], "caf�?"),
        (["solve", "1 + 1?", "generator=caf\udce9"], "generator=caf�"),
        (["import", "caf\udce9.jsonl", "run=r"], "caf�.jsonl"),
        (["grade", "\udcff"], "�"),
        (["caf\udce9"], "caf�"),
        (["evaluate", "r", "--csv\udcff"], "--csv�"),
        (["solve", "half \ud83d a pair"], "half � a pair"),
    ],
)
def test_words_that_are_no_utf_8(words, shown, capsys):
    assert line_of(capsys, *words) == f"assay: {shown}: expected UTF-8 text"


def test_a_byte_that_is_no_utf_8_on_a_real_command_line():
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"assay", b"solve", b"caf\xe9?"],
        env=os.environ | {"PYTHONUTF8": "1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (2, "assay: caf�?: expected UTF-8 text\n")


def test_a_malformed_line_is_named(capsys, tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "a", "question": "1 + 1?", "answer": "2"}\n{"id": \n')
    line = line_of(capsys, "sample", str(tmp_path / "r"), f"problems={path}")
    assert "p.jsonl" in line
    assert "line 2" in line


def test_an_empty_problem_file(capsys, tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text("\n")
    assert "no problems" in line_of(capsys, "sample", str(tmp_path / "r"), f"problems={path}")


def test_a_folder_that_is_no_verifier(capsys, tmp_path):
    line = line_of(capsys, "solve", "1 + 1?", "generator=embedded", f"verifier={tmp_path}")
    assert str(tmp_path) in line


def test_a_full_disk_is_one_line_and_loses_nothing(capsys, monkeypatch, tmp_path):
    import assay.storage.files

    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"id": "a", "question": "1 + 1?", "answer": "2"}) + "\n")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(assay.storage.files.os, "fsync", full)
    line = line_of(capsys, "sample", str(tmp_path / "r"), f"problems={path}", "generator=embedded")
    assert "No space left on device" in line
    assert not list((tmp_path / "r").glob("*"))


def test_a_question_with_an_equals_sign_is_a_question():
    command = command_line.COMMANDS["solve"]
    assert command_line.layers(command, ["If x=3, what is x?", "n=4", "--show"]) == [
        {"question": "If x=3, what is x?"},
        "n=4",
        "show=true",
    ]
    assert command_line.layers(command, ["x=3, so what is x?"]) == [
        {"question": "x=3, so what is x?"}
    ]


def test_a_key_with_dashes_takes_the_word_after_it():
    from assay.pools.exchange.importing import ImportConfig

    def joined(*words):
        return command_line.with_values(list(words), ImportConfig)

    assert joined("a.jsonl", "--format", "qwen", "--join", "b.jsonl") == [
        "a.jsonl",
        "--format=qwen",
        "--join",
        "b.jsonl",
    ]
    assert joined("--scores-name", "prm", "--format=hf", "x") == [
        "--scores-name=prm",
        "--format=hf",
        "x",
    ]
    assert joined("--format", "--join") == ["--format", "--join"]


@pytest.mark.slow
def test_solve_answers_a_question(capsys):
    words = ["solve", "Tom has 3 apples.", "generator=embedded", "prompt.form=plain", "n=4"]
    assert command_line.main([*words, "sampling.max_new_tokens=60"]) == 0
    text = capsys.readouterr().out
    assert "Tom has 3 apples." in text
    assert "answer" in text
