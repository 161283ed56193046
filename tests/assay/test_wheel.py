"""The wheel: what is in it, and that it works from any folder in a fresh environment."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), "."],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_rooms_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    (info,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"assay", info}
    for needed in (
        "assay/generator/embedded/model.safetensors",
        "assay/generator/embedded/tokenizer.json",
        "assay/configs/quickstart.yaml",
        "assay/configs/imports/qwen.yaml",
        "assay/evaluation/report/templates/page.html.jinja",
        "assay/evaluation/report/templates/page.css",
        "assay/evaluation/report/templates/sections/problems.html.jinja",
        f"{info}/licenses/LICENSE",
    ):
        assert needed in names
    assert not [name for name in names if "test" in name or "__pycache__" in name]


@pytest.mark.slow
def test_the_installed_wheel_works_from_any_folder(wheel, tmp_path):
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    install = [*pip, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    # The dependencies are those of this environment: a plain path, so that what is installed here
    # in editable form (a .pth file) is not seen.
    lib = next((environment / "lib").glob("python*/site-packages"))
    (lib / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*words: str) -> str:
        return subprocess.run(
            [str(environment / "bin" / "assay"), *words],
            cwd=tmp_path,
            env=clean,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert "quickstart" in run("--help")
    where = "import assay.generator as a, assay.search as b; print(a.__file__, b.__file__)"
    found = subprocess.run(
        [str(python), "-c", where],
        cwd=tmp_path,
        env=clean,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert all(str(environment) in path for path in found.split())
    words = ["problems=gsm_symbolic", "problems.limit=1", "generator=embedded", "prompt.form=plain"]
    sizes = ["modes.cot=1", "modes.pot=2", "sampling.max_new_tokens=40", "workers=1"]
    run("sample", "pool", *words, *sizes)
    run("grade", "pool")
    assert "PoT only" in run("evaluate", "pool")
