"""What is installed: one top-level name, `assay`, which works from any folder beside any files."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "assay"]
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def build(folder, *words):
    """The files that `python -m build` makes."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), *words]
    subprocess.run([*command, "."], cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    (path,) = build(tmp_path_factory.mktemp("wheel"), "--wheel").glob("*.whl")
    return path


class Environment:
    """A virtual environment that sees the dependencies of this one, but not what is editable here.

    They are a plain path in a .pth file, whose own .pth files are not read.
    """

    def __init__(self, path, wheel):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True)
        self.bin = path / "bin"
        self.packages = next((path / "lib").glob("python*/site-packages"))
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python")]
        install = [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
        subprocess.run(install, check=True)
        self.added = {*os.listdir(self.packages)}
        (self.packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    def run(self, command, *words, cwd):
        """What a command of the environment prints."""
        return subprocess.run(
            [str(self.bin / command), *words],
            cwd=cwd,
            env=CLEAN,
            check=True,
            capture_output=True,
            text=True,
        ).stdout


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("installed") / "env", wheel)


def test_the_wheel_holds_the_rooms_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    (info,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"assay", info}
    for needed in (
        "assay/py.typed",
        "assay/generator/embedded/model.safetensors",
        "assay/generator/embedded/tokenizer.json",
        "assay/configs/quickstart.yaml",
        "assay/configs/imports/qwen.yaml",
        "assay/evaluation/report/templates/page.html.jinja",
        "assay/evaluation/report/templates/page.css",
        "assay/evaluation/report/templates/sections/problems.html.jinja",
        *(f"assay/{room}/__init__.py" for room in ROOMS),
        f"{info}/licenses/LICENSE",
    ):
        assert needed in names
    assert not [name for name in names if "test" in name or "__pycache__" in name]


@pytest.mark.slow
def test_the_source_distribution_makes_the_same_wheel(wheel, tmp_path):
    # Without --wheel, the wheel is built from the source distribution, unpacked elsewhere.
    build(tmp_path)
    (made,) = tmp_path.glob("*.whl")
    sizes = [
        {each.filename: each.file_size for each in zipfile.ZipFile(path).infolist()}
        for path in (wheel, made)
    ]
    assert sizes[0] == sizes[1]


@pytest.mark.slow
def test_the_installed_wheel_works_from_any_folder(installed, tmp_path):
    assert {name for name in installed.added if not name.endswith(".dist-info")} == {"assay"}
    assert "quickstart" in installed.run("assay", "--help", cwd=tmp_path)
    where = "import assay.generator as a, assay.search as b; print(a.__file__, b.__file__)"
    found = installed.run("python", "-c", where, cwd=tmp_path).split()
    assert all(path.startswith(str(installed.packages)) for path in found)
    words = ["problems=gsm_symbolic", "problems.limit=1", "generator=embedded", "prompt.form=plain"]
    sizes = ["modes.cot=1", "modes.pot=2", "sampling.max_new_tokens=40", "workers=1"]
    installed.run("assay", "sample", "pool", *words, *sizes, cwd=tmp_path)
    installed.run("python", "-m", "assay", "grade", "pool", cwd=tmp_path)
    assert "PoT only" in installed.run("assay", "evaluate", "pool", cwd=tmp_path)
    code = "import assay; print(len(assay.Run.open('pool').frame()))"
    assert installed.run("python", "-c", code, cwd=tmp_path) == "3\n"


@pytest.mark.slow
def test_an_editable_installation_adds_assay_alone(tmp_path):
    # What `pip install --editable` has hatchling make, and then installs.
    code = f"from hatchling.build import build_editable; build_editable({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    environment = Environment(tmp_path / "env", wheel)
    (path_file,) = (name for name in environment.added if name.endswith(".pth"))
    assert len(environment.added) == 2, environment.added
    (folder,) = (environment.packages / path_file).read_text().splitlines()
    assert os.listdir(folder) == ["assay"]
    look = (
        "import importlib.util as u, assay.verifier, assay.settings.help\n"
        f"print([room for room in {ROOMS} if u.find_spec(room)], assay.verifier.__file__)"
    )
    shadows, file = environment.run("python", "-c", look, cwd=tmp_path).split()
    assert shadows == "[]"
    assert Path(file).resolve() == ROOT / "verifier" / "__init__.py"
    assert "quickstart" in environment.run("assay", "--help", cwd=tmp_path)


@pytest.mark.slow
def test_files_of_the_users_with_names_of_rooms_disturb_nothing(installed, tmp_path):
    for room in (*ROOMS, "configs", "api", "commands"):
        (tmp_path / f"{room}.py").write_text(f"NAME = 'my own {room}'\n")
    (tmp_path / "mine.py").write_text(
        f"import {', '.join(['search', 'settings', 'sandbox'])}\n"
        "import assay\n"
        "import assay.settings.schema, assay.search.solving.solver\n"
        "if __name__ == '__main__':\n"
        "    with assay.Sandbox() as box:\n"
        "        (outcome,) = box.run(['print(6 * 7)'])\n"
        "    print(search.NAME, settings.NAME, sandbox.NAME, outcome.output.strip(), sep=', ')\n"
    )
    said = installed.run("python", "mine.py", cwd=tmp_path)
    assert said == "my own search, my own settings, my own sandbox, 42\n"
    words = ["problems=gsm_symbolic", "problems.limit=2", "generator=embedded", "prompt.form=plain"]
    sizes = ["modes.pot=1", "modes.cot=0", "sampling.max_new_tokens=20", "problems_per_part=1"]
    # With -m, this folder comes first on the path; the workers are processes of their own.
    for worker in (["sample", "pool", *words, *sizes], ["grade", "pool"]):
        installed.run("python", "-m", "assay", *worker, "workers=2", cwd=tmp_path)
    assert "PoT only" in installed.run("python", "-m", "assay", "evaluate", "pool", cwd=tmp_path)
