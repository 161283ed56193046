"""Optional packages that are missing, told with a command that installs them where the user is.

Someone who cloned the repository has no package `assay` that pip could find: there the extra is
installed from the project's folder, under the exact versions of `constraints.txt`.

    try:
        import peft
    except ImportError as error:
        raise missing_package("lora.rank=4", "peft", extra="lora") from error
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from pathlib import Path

from assay.settings.errors import UserError

__all__ = ["install_command", "missing_package", "project_folder"]

# They bring a torch of their own, which the project's versions would refuse.
_OWN_VERSIONS = frozenset({"vllm"})


def missing_package(what: str, package: str, *, extra: str = "", instead: str = "") -> UserError:
    """The error of a missing optional package: what needs it, and how to install it.

    `what` is the key or file that asked for it, `extra` the extra of `pyproject.toml` that brings
    it (without one the package is installed by its name), `instead` another way out.
    """
    command = install_command(extra) if extra else _pip(shlex.quote(package))
    other = f"; or {instead}" if instead else ""
    return UserError(
        f"{what}: needs the package {package}, which is not installed; install it with: "
        f"{command}{other}"
    )


def install_command(extra: str) -> str:
    """The command that installs an extra for the running interpreter, from the current folder."""
    folder = project_folder()
    if folder is None:
        return _pip(shlex.quote(f"assay[{extra}]"))
    here = _relative(folder)
    words = f"-e {shlex.quote(f'{here}[{extra}]')}"
    if extra not in _OWN_VERSIONS:
        words += f" -c {shlex.quote(_relative(folder / 'constraints.txt'))}"
    return _pip(words)


def project_folder() -> Path | None:
    """The cloned project that this code is run from; None where it was installed from a wheel."""
    folder = Path(__file__).resolve().parents[1]
    whole = all((folder / name).is_file() for name in ("pyproject.toml", "constraints.txt"))
    return folder if whole else None


def _pip(words: str) -> str:
    python = shlex.quote(_relative(Path(sys.executable)))
    if importlib.util.find_spec("pip") is None:  # environments that uv made
        return f"uv pip install --python {python} {words}"
    return f"{python} -m pip install {words}"


def _relative(path: Path) -> str:
    """A path from the current folder where it is in that, else the whole path.

    Links are kept: an environment's interpreter is one, and its target is another environment.
    """
    here = Path(os.getcwd())
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
