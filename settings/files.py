"""Files that configurations name: where they are when they are not in the current folder.

A recipe says `deepspeed: configs/deepspeed/zero3.json`, wherever one stands when it is used:

    packaged("configs/deepspeed/zero3.json")      # of the current folder, else Assay's own
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["CONFIGS", "packaged"]

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
"""the configurations that come with Assay"""


def packaged(name: str) -> Path:
    """The file `name`: as it is given, else among the configurations that come with Assay.

    Where neither is there, the path as it was given.
    """
    shipped = CONFIGS / name.removeprefix("configs/")
    return shipped if not Path(name).exists() and shipped.is_file() else Path(name)
