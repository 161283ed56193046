"""How many local processes a stage takes, and which GPUs each of them sees.

Several GPUs: one process for each (for each group of them, where an engine spreads a model over
several). A process sees only its own, through `CUDA_VISIBLE_DEVICES`, so that `device=auto` is its
GPU, whatever library asks.

    workers_for(0, "auto")       # 4 on a machine with 4 GPUs
    gpu_shares("auto")           # ["0", "1", "2", "3"]
"""

from __future__ import annotations

import os
import runpy
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from assay.search.launch.work import cores

__all__ = ["built_for_gpus", "gpu_names", "gpu_shares", "workers_for"]


@lru_cache(maxsize=1)
def built_for_gpus() -> bool:
    """Whether torch was built for GPUs, found out without importing it, which is slow."""
    torch = find_spec("torch")
    file = Path(torch.origin).with_name("version.py") if torch and torch.origin else None
    if file is None or not file.is_file():
        return True
    version = runpy.run_path(str(file))
    return any(version.get(name) for name in ("cuda", "hip"))


def gpu_names() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    if not built_for_gpus():
        return []
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    return visible[:count] if visible != [""] else [str(i) for i in range(count)]


def workers_for(workers: int, device: str, gpus_each: int = 1) -> int:
    """The number of local processes: as asked, else one a core on CPU, one a GPU elsewhere.

    `gpus_each` is how many GPUs one process spreads its model over. A device that is named
    (`cuda`, `cuda:1`) is one.
    """
    if workers:
        return workers
    if device == "auto":
        gpus = gpu_names()
        return max(1, len(gpus) // gpus_each) if gpus else cores()
    return cores() if device == "cpu" else 1


def gpu_shares(device: str, gpus_each: int = 1) -> list[str]:
    """`CUDA_VISIBLE_DEVICES` of each process; worker i takes share i modulo their number.

    Empty where there is nothing to share: a named device, no GPU, or no more than one process uses.
    """
    gpus = gpu_names() if device == "auto" else []
    shares = [gpus[i : i + gpus_each] for i in range(0, len(gpus) - gpus_each + 1, gpus_each)]
    return [",".join(share) for share in shares] if len(shares) > 1 else []
