"""Where a training's losses are reported besides the terminal, by accelerate's trackers.

check_report_to(["tensorboard"])
"""

from __future__ import annotations

from collections.abc import Sequence

from assay.settings.errors import UserError
from assay.settings.extras import missing_package

__all__ = ["check_report_to"]

# Where the package is not called as the tracker.
_PACKAGES = {"comet_ml": "comet-ml"}


def check_report_to(names: Sequence[str]) -> None:
    """Raises `UserError` for a tracker that is not known, or whose package is not installed.

    Libraries leave out without a word what they cannot find.
    """
    if not names:
        return
    from accelerate.tracking import get_available_trackers
    from accelerate.utils import LoggerType

    known = [str(kind.value) for kind in LoggerType if kind.value != "all"]
    there = {str(getattr(kind, "value", kind)) for kind in get_available_trackers()}
    for name in names:
        if name not in known:
            raise UserError(f"report_to={name}: expected one of {', '.join(known)}")
        if name not in there:
            raise missing_package(f"report_to={name}", _PACKAGES.get(name, name))
