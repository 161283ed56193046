"""The machine that a benchmark ran on, in one line: figures without it compare with nothing.

print(machine())        # AMD EPYC 9V74 80-Core Processor, 2 cores; Python 3.11.2
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["machine", "processor"]

CPUINFO = Path("/proc/cpuinfo")


def machine() -> str:
    """Processor, the cores that this process may use, and the interpreter."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{processor()}, {count} cores; Python {platform.python_version()}"


def processor() -> str:
    """The processor's name as the system gives it; where it gives none, the architecture."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip().lower() in ("model name", "cpu model") and value.strip():
                return " ".join(value.split())
    return platform.processor() or platform.machine()
