"""The commands of the sandbox: layers, programs from files, and the hostile suite in a terminal."""

import io
import json
from pathlib import Path

import pytest

import assay.sandbox.check
import assay.sandbox_commands
from assay import command_line
from assay.sandbox import Outcome, capabilities
from assay.sandbox.hostile import ATTACKS
from assay.sandbox_commands import MOST_ROWS, conclusion, read_sources
from assay.settings.errors import UserError

ALL = dict.fromkeys(capabilities(), True)


def run(capsys, *words):
    """Exit code, standard output and error stream of `assay sandbox …`."""
    code = command_line.main(["sandbox", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refusal(capsys, *words):
    """The one line that refuses a command."""
    code, _, err = run(capsys, *words)
    assert code == 2
    (line,) = err.splitlines()
    return line


# The layers


def test_every_layer_has_a_row_that_says_what_it_does(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    rows = [line.split(maxsplit=2) for line in out.splitlines()[2:-2]]
    assert [(name, active) for name, active, _ in rows] == [
        (name, "yes" if on else "no") for name, on in capabilities().items()
    ]
    assert all(len(told) > 10 for _, _, told in rows)
    assert out.splitlines()[-1] == conclusion(capabilities())


def test_layers_as_json(capsys):
    code, out, _ = run(capsys, "--json")
    assert code == 0
    assert json.loads(out) == capabilities()


def test_a_required_layer_that_does_not_exist(capsys):
    assert "'moat'" in refusal(capsys, "require=[moat]")


def test_what_missing_layers_mean():
    assert conclusion(ALL) == "full isolation: every layer is active"
    # What seccomp forbids, a namespace would only forbid again.
    assert conclusion({**ALL, "network_namespace": False}) == (
        "isolated: network_namespace missing here, but the other layers forbid the same"
    )
    line = conclusion({**ALL, "landlock": False})
    assert line.startswith("not fully isolated: landlock missing here, without which ")
    assert f"of the {len(ATTACKS)} attacks" in line
    assert line.endswith("(reading, numpy)")
    # Either of the two is enough to keep a program from writing.
    assert "writing" not in line
    assert "writing" in conclusion({**ALL, "landlock": False, "seccomp": False})


# Programs from files


def test_programs_from_files(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("print(6)\nprint(6 * 7)\n\n")
    (tmp_path / "b.py").write_text("print(1)\nprint(1 / 0)\n")
    (tmp_path / "c.py").write_text("while True: pass\n")
    (tmp_path / "d.txt").write_text("So:\n```python\nx = 5\n```\n")
    files = ["a.py", "b.py", "./c.py", tmp_path / "d.txt"]
    code, out, _ = run(capsys, "run", *files, "limits.cpu_seconds=0.3", "workers=1")
    assert code == 0
    rows = [line.split(maxsplit=3) for line in out.splitlines()[2:6]]
    assert [row[1] for row in rows] == ["ok", "error", "timeout", "no_output"]
    assert [row[0] for row in rows[:3]] == ["a.py", "b.py", "./c.py"]
    assert rows[3][0].endswith("d.txt")
    assert rows[0][3] == "42"
    assert rows[1][3].startswith("ZeroDivisionError: division by zero (l")
    assert rows[2][3] == "more than 0.3 s of CPU time"
    last = out.splitlines()[-1]
    assert last.startswith("4 programs: 1 ok, 1 no_output, 1 error, 1 timeout · 0.")


def test_programs_from_jsonl_and_the_file_of_outcomes(capsys, tmp_path):
    candidates, outcomes = tmp_path / "c.jsonl", tmp_path / "deep" / "o.jsonl"
    rows = [{"id": "x", "code": "print('é', 1)"}, {"code": "raise ValueError('\\ud800')"}]
    candidates.write_text("\n\n".join(map(json.dumps, rows)))
    code, out, _ = run(capsys, "run", candidates, "key=code", f"output={outcomes}")
    assert code == 0
    assert "c.jsonl:1 " in out
    assert "c.jsonl:3 " in out
    assert out.endswith(f"outcomes written to {outcomes}\n")
    first, second = map(json.loads, outcomes.read_text().splitlines())
    assert 0 <= first["seconds"] < 1
    assert {k: v for k, v in first.items() if k != "seconds"} == {
        "file": str(candidates),
        "line": 1,
        "id": "x",
        "outcome": "ok",
        "output": "é 1\n",
        "message": "",
    }
    assert (second["line"], second["outcome"]) == (3, "error")
    assert second["message"].startswith("ValueError")
    assert "id" not in second


def test_a_program_from_standard_input(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"print(6 * 7)")))
    code, out, _ = run(capsys, "run", "-")
    assert code == 0
    assert out.splitlines()[2].split()[0] == "-"
    assert out.splitlines()[2].endswith("  42")


def test_show_prints_everything(capsys, tmp_path):
    path = tmp_path / "a.py"
    path.write_text("print('one\\n\\ntwo')\nraise ValueError('no')")
    code, out, _ = run(capsys, "run", path, "--show")
    assert code == 0
    head, *printed = out.splitlines()
    assert head.startswith(f"── {path}  error  0.0")
    assert head.endswith("s  ValueError: no (line 2)")
    assert printed[:3] == ["   one", "", "   two"]


@pytest.mark.parametrize("show", [[], ["--show"]])
def test_a_terminal_is_not_at_the_mercy_of_a_program(capsys, tmp_path, show):
    path = tmp_path / "a.py"
    path.write_text("print('\\x1b[2J\\x9b1m\\x07\\u202eabc')")
    _, out, _ = run(capsys, "run", path, *show)
    assert r"\x1b[2J\x9b1m\x07\u202eabc" in out
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(out)


def test_no_line_is_wider_than_the_terminal(capsys, tmp_path):
    path = tmp_path / ("long" * 20 + ".py")
    path.write_text("print('x' * 1000)")
    _, out, _ = run(capsys, "run", path)
    assert max(map(len, out.splitlines())) == 100
    assert "longlong.py" in out


def test_many_programs_are_counted_not_listed(capsys, tmp_path):
    path = tmp_path / "many.jsonl"
    count = MOST_ROWS + 5
    path.write_text("".join(json.dumps({"program": f"print({i})"}) + "\n" for i in range(count)))
    _, out, _ = run(capsys, "run", path)
    lines = out.splitlines()
    assert len(lines) == 2 + MOST_ROWS + 3
    assert lines[-3] == "  … and 5 more (output=FILE.jsonl keeps them all)"
    assert lines[-1].startswith("45 programs: 45 ok ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "files: expected at least one of FILE.py, FILE.jsonl and -"),
        (["nowhere.py"], "nowhere.py: cannot be read (No such file or directory)"),
        (["nowhere.jsonl"], "nowhere.jsonl: cannot be read (No such file or directory)"),
        (["folder"], "folder: expected files, found a folder; give folder/*.py"),
        (["bytes.py"], "bytes.py: not UTF-8 text (invalid start byte)"),
        (["bytes.jsonl"], "bytes.jsonl, line 1: not UTF-8 text"),
        (["broken.jsonl"], "broken.jsonl, line 2: not JSON"),
        (["list.jsonl"], "list.jsonl, line 1: expected a JSON object"),
        (["a.jsonl", "key=code"], "a.jsonl, line 1: no field 'code'; found id, program (key= "),
        (["a.jsonl", "key=id"], "a.jsonl, line 1: expected a text in 'id', found 5"),
        (["empty.jsonl"], "empty.jsonl: no programs"),
        (["-", "-"], "-: standard input can be read only once"),
        (["a.py", "limits.cpu_seconds=0"], "sandbox limits must be positive"),
        (["a.py", "limits.memory_mb=x"], "limits.memory_mb"),
        (["a.py", "workers=-1"], "workers: at least 1, not -1"),
        (["a.py", "limit.cpu_seconds=1"], "limit: unknown key; did you mean limits?"),
        (["a.py", "require=[moat]"], "'moat'"),
        (["a.py", "output=folder"], "output=folder: expected a file, found a folder"),
        (["a.jsonl", "output=a.jsonl"], "output=a.jsonl: would overwrite a file of programs"),
        (["a.py", "output=a.py/x/y"], "a.py is a file, not a folder"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.py").write_text("print(1)")
    (tmp_path / "a.jsonl").write_text('{"id": 5, "program": "print(1)"}\n')
    (tmp_path / "bytes.py").write_bytes(b"\xff")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff")
    (tmp_path / "broken.jsonl").write_text('{"program": "x"}\n{"program":\n')
    (tmp_path / "list.jsonl").write_text("[1]\n")
    (tmp_path / "empty.jsonl").write_text("\n")
    assert expected in refusal(capsys, "run", *words)
    assert (tmp_path / "a.py").read_text() == "print(1)"
    assert (tmp_path / "a.jsonl").read_text() == '{"id": 5, "program": "print(1)"}\n'


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that none can write to")
def test_an_output_that_cannot_be_written_is_known_before_anything_runs(
    capsys, tmp_path, monkeypatch
):
    def never(*_):
        raise AssertionError("a program was run")

    monkeypatch.setattr(assay.sandbox_commands, "outcomes_of", never)
    (tmp_path / "a.py").write_text("print(1)")
    line = refusal(capsys, "run", tmp_path / "a.py", "output=/proc/nowhere/o.jsonl")
    assert "/proc/nowhere" in line


def test_a_file_name_with_a_reference_of_the_configuration(tmp_path, capsys):
    path = tmp_path / "${x}.py"
    path.write_text("print(1)")
    code, out, _ = run(capsys, "run", path)
    assert code == 0
    assert "${x}.py" in out


def test_sources_are_in_order(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.jsonl").write_text('{"program": "2"}\n{"program": "3", "id": [7]}\n')
    found = read_sources([str(tmp_path / "b.jsonl"), str(tmp_path / "a.py")], "program")
    assert [(s.line, s.identity, s.program) for s in found] == [
        (1, None, "2"),
        (2, [7], "3"),
        (None, None, "1"),
    ]
    with pytest.raises(UserError, match="no field 'code'"):
        read_sources([str(tmp_path / "b.jsonl")], "code")


# The hostile suite


@pytest.mark.skipif(not capabilities()["seccomp"], reason="these attacks need seccomp")
def test_a_check_that_finds_nothing(capsys):
    code, out, err = run(capsys, "check", "kinds=[network]")
    assert code == 0
    rows = [line.split() for line in out.splitlines() if line.startswith("  network ")]
    assert len(rows) == sum(attack.kind == "network" for attack in ATTACKS)
    assert {row[-1] for row in rows} == {"yes"}
    assert out.splitlines()[-2] == conclusion(capabilities())
    assert out.splitlines()[-1] == f"{len(rows) + 1} of {len(rows) + 1} contained"
    assert err == ""


def test_what_needs_a_missing_layer_is_shown(capsys, monkeypatch):
    active = {**ALL, "seccomp": False}
    monkeypatch.setattr(assay.sandbox.check, "capabilities", lambda: active)
    monkeypatch.setattr(assay.sandbox_commands, "capabilities", lambda: active)
    code, out, _ = run(capsys, "check", "kinds=[network]")
    assert code == 1
    rows = [line for line in out.splitlines() if line.startswith("  network ")]
    assert all(row.endswith("not run  no (needs seccomp)") for row in rows)
    assert out.splitlines()[-2].startswith(
        "not fully isolated: seccomp missing here, without which "
    )
    assert out.splitlines()[-1] == f"1 of {len(rows) + 1} contained"


def test_an_attack_that_is_not_contained_is_shown(capsys, monkeypatch):
    def found(attacks, require):
        assert require == ("seccomp",)
        yield assay.sandbox.check.Verdict("time", "a", Outcome("timeout", "", "more than 1 s", 1.0))
        outcome = Outcome("ok", "\x1b[31mroot:x\n", "", 0.0)
        yield assay.sandbox.check.Verdict("reading", "b", outcome, "it came by a secret")

    monkeypatch.setattr(assay.sandbox_commands, "check", found)
    code, out, _ = run(capsys, "check", "require=[seccomp]")
    assert code == 1
    lines = out.splitlines()
    assert lines[2].split() == ["time", "a", "timeout", "yes"]
    assert lines[3].split(maxsplit=3) == ["reading", "b", "ok", "no (it came by a secret)"]
    assert lines[4:8] == [
        "",
        "not contained:",
        "  reading, b: it came by a secret",
        r"    ok: \x1b[31mroot:x",
    ]
    assert lines[-1] == "1 of 2 contained"


def test_kinds_of_attacks():
    assert len(assay.sandbox_commands.attacks_of([])) == len(ATTACKS)
    plain = assay.sandbox_commands.attacks_of(["plain"])
    assert {attack.kind for attack in plain} > {"plain: seeing", "plain: stopping"}
    assert {a.kind for a in assay.sandbox_commands.attacks_of(["time", "plain: seeing"])} == {
        "time",
        "plain: seeing",
    }


def test_an_unknown_kind(capsys):
    assert "kinds=nukes: expected some of time, memory" in refusal(capsys, "check", "kinds=[nukes]")


def test_an_unknown_part_of_a_command(capsys):
    line = refusal(capsys, "chekc")
    assert line == "assay: sandbox chekc: unknown command; did you mean sandbox check?"


def test_the_help_tells_the_exit_code(capsys):
    code, out, _ = run(capsys, "check", "--help")
    assert code == 0
    assert "exit code: 0 where every attack is contained, 1 where one is not" in out
    _, out, _ = run(capsys, "--help")
    assert "assay sandbox run FILE.py" in out
    assert "assay sandbox check" in out
