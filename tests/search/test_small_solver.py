"""The small solver as users get it: whole models of small differences; `assay solve` by them."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from assay import command_line
from assay.generator.lowrank import pack, weights_digest
from assay.generator.models import ModelConfig, fingerprint
from assay.problems.problem import Problem
from assay.search.solving import setup, small_solver
from assay.search.solving.config import SolveConfig
from assay.search.solving.small_solver import BASE, HOME, RECORD, install
from assay.search.solving.solver import Solver
from assay.settings.errors import UserError
from tests.generator.conftest import _byte_tokenizer, _make_lm

PROMPT = {"form": "plain", "template": "", "system": "", "pot_suffix": " Let's write a program."}


def write_model(path, seed=0, change=0.0):
    """A tiny model; with `change`, each matrix of its layers is one of rank 1 away."""
    tokenizer = _byte_tokenizer()
    lm = _make_lm("llama", vocab=len(tokenizer), seed=seed, tie_word_embeddings=True)
    with torch.no_grad():
        for name, parameter in lm.model.layers.named_parameters():
            if change and parameter.ndim == 2:
                rows = torch.linspace(-1, 1, len(parameter))[:, None]
                parameter += change * rows * torch.linspace(0, 1, parameter.shape[1])
            assert name
    lm.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder that a user works in, where the base has been fetched."""
    folder = tmp_path / "user"
    write_model(folder / "models" / BASE)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("assay.generator.fetch.hub_reachable", lambda: False)
    monkeypatch.setattr("assay.generator.fetch._wheel", None)
    return folder


@pytest.fixture
def packed(tmp_path, home, monkeypatch):
    """What comes with Assay: a generator, a verifier's folder, a choice."""
    base = home / "models" / BASE
    trained = write_model(tmp_path / "trained", change=0.1)
    record = {"kind": "generator", "prompt": PROMPT, "config": {"rationales": {"modes": ["pot"]}}}
    (trained / "assay.json").write_text(json.dumps(record))
    out = tmp_path / "packed"
    pack(trained, base, out / "generator", 1)
    whole = write_model(tmp_path / "verifier", change=0.15)
    (whole / "verifier.json").write_text("{}")
    pack(whole, trained, out / "verifier", 1)
    (out / "README.md").write_text("the card")
    (out / "choice.json").write_text('{"path": "verifier"}')
    (out / "ranker").mkdir()
    (out / "ranker" / "ranker.json").write_text("{}")
    (out / RECORD).write_text(json.dumps({"name": "small-solver", "base": weights_digest(base)}))
    monkeypatch.setattr(small_solver, "PACKED", out)
    return out


def test_whole_models_are_written_and_used(packed, home, tmp_path, capsys):
    assert command_line.main(["fetch", "small-solver"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == f"small solver ready in {HOME}"
    made = load_file(HOME / "generator" / "model.safetensors")
    meant = load_file(tmp_path / "trained" / "model.safetensors")
    assert all(torch.allclose(made[n], meant[n], atol=2e-3) for n in meant)
    assert (HOME / "choice.json").read_text() == '{"path": "verifier"}'
    assert (HOME / "README.md").read_text() == "the card"
    assert (HOME / "ranker" / "ranker.json").exists()
    assert sorted(p.name for p in (home / "models").iterdir()) == sorted([BASE, "small-solver"])
    # No generator named: this one, with programs alone, its verifier and its prompt.
    found = setup.set_up(SolveConfig(question="?", choice="none"))
    assert found.config.generator.name == str(HOME / "generator")
    assert found.config.modes == ["pot"]
    assert found.config.prompt.form == "plain"
    assert found.source.verifier.name == str(HOME / "verifier")
    # Again: nothing is written.
    written = (HOME / RECORD).stat().st_mtime_ns
    assert install(HOME) == HOME
    assert (HOME / RECORD).stat().st_mtime_ns == written


def test_the_same_bits_everywhere(packed, home):
    made = [install(home / "models" / name) / "generator" for name in ("one", "two")]
    first, second = (fingerprint(ModelConfig(name=str(path))) for path in made)
    assert first == second


def test_a_newer_version_takes_its_place(packed, home):
    install(HOME)
    (packed / "README.md").write_text("a new card")
    install(HOME)
    assert (HOME / "README.md").read_text() == "a new card"
    assert sorted(p.name for p in (home / "models").iterdir()) == sorted([BASE, "small-solver"])


def test_another_release_of_the_base(packed, home, capsys):
    shutil.rmtree(home / "models" / BASE)
    write_model(home / "models" / BASE, seed=1)
    install(HOME)
    assert "is another release of the base" in capsys.readouterr().err
    assert (HOME / "verifier" / "model.safetensors").exists()
    # What was measured does not hold for it.
    assert not (HOME / "choice.json").exists()
    assert not (HOME / "ranker").exists()
    assert json.loads((HOME / RECORD).read_text())["same_base"] is False


def test_a_failure_leaves_nothing(packed, home, monkeypatch):
    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(small_solver, "unpack", broken)
    with pytest.raises(UserError, match=r"cannot be written \(No space left"):
        install(HOME)
    assert [p.name for p in (home / "models").iterdir()] == [BASE]


def test_what_cannot_be_fetched(packed, home, tmp_path, capsys):
    (home / "mine").mkdir()
    (home / "mine" / "notes.txt").write_text("x")
    assert command_line.main(["fetch", "small-solver", "to=mine"]) == 2
    assert "mine: already contains something else" in capsys.readouterr().err
    with pytest.raises(UserError, match="its models are not in this copy of Assay"):
        install(HOME, tmp_path / "nothing")


def test_no_generator_at_all(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["solve", "1 + 1?"]) == 2
    assert "`assay fetch small-solver` gets one" in capsys.readouterr().err


@pytest.mark.slow
def test_five_plain_questions(tmp_path, monkeypatch):
    """The shipped models themselves, on the base that `assay fetch` made of PyPI's wheel."""
    if not (small_solver.PACKED / RECORD).is_file():
        pytest.skip("no small solver comes with this copy of Assay")
    base = Path(__file__).parents[2] / "models" / BASE
    if not (base / "model.safetensors").is_file():
        pytest.skip(f"no base model: `assay fetch {BASE}` puts it into {base}")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / BASE).symlink_to(base)
    monkeypatch.chdir(tmp_path)
    install(HOME)
    asked = {
        "Tom has 12 apples. He buys 30 more and gives 9 to his sister. How many apples does he "
        "have left?": 33,
        "A box holds 24 pencils. How many pencils are in 5 boxes?": 120,
        "Anna has 15 stickers and loses 6 of them. How many stickers does she have now?": 9,
        "A book costs 8 dollars. How much do 4 books cost?": 32,
        "There are 28 students in 4 equal groups. How many students are in each group?": 7,
    }
    solver = Solver(SolveConfig(), progress=False)
    problems = [Problem(str(i), question) for i, question in enumerate(asked)]
    answers = [solved.answer for solved in solver.solve(problems)]
    right = [
        answer is not None and float(answer) == number
        for answer, number in zip(answers, asked.values(), strict=True)
    ]
    assert sum(right) >= 4, answers
