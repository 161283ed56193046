"""Fixtures for all rooms: where the real data lies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import hypothesis
import pytest

from tests.model_server import ModelServer

ROOT = Path(__file__).resolve().parents[1]

# A machine that others use is slow now and then, and no test may fail by chance: no time limit an
# example, and the same examples every time. `--hypothesis-profile=default` draws others.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


# None of their tests is slow, all together are.
LONG = {
    *("test_sandbox_hostile.py", "test_benches.py", "test_interruptions.py"),
    *("test_train_generator.py", "test_verifier_train.py"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first: begun last, one would keep a single process busy."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow and item.path.name not in LONG)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets: $ASSAY_SHARED_DATA, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("ASSAY_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "gsm8k").is_dir():
        pytest.skip(f"no real data at {folder} (set ASSAY_SHARED_DATA to its folder)")
    return folder


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages work in the test's own process where it does not say `workers=2`.

    By default there would be one worker for each core, and each would import torch again.
    """
    monkeypatch.setattr("assay.search.launch.devices.cores", lambda: 1)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are files without a drawing, where a test is not about them: one takes a second."""
    from matplotlib.figure import Figure

    def saved(figure: Figure, stream: IO[bytes], **_: object) -> None:
        stream.write(b"<svg></svg>")

    monkeypatch.setattr(Figure, "savefig", saved)


@pytest.fixture
def model_server() -> Iterator[Callable[..., ModelServer]]:
    """Starts servers as `ModelServer`; they are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **more: stack.enter_context(ModelServer(*args, **more))
