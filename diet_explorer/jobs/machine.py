"""What this machine has: processors or a GPU, memory, models. Imports no torch, which a worker loads with its first
run."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from diet_explorer.store.in_words import counted
from diet_explorer.training.config import BUNDLED
from diet_explorer.training.models import lacking

_KIB = 1024
_GPUS = Path("/proc/driver/nvidia/gpus")
_MEMORY = Path("/proc/meminfo")
_LIMIT = Path("/sys/fs/cgroup/memory.max")
_USED = Path("/sys/fs/cgroup/memory.current")


def gpu_name() -> str | None:
    """Name of the first GPU that this process may use, if there is one."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return None
    with suppress(OSError):
        for card in sorted(_GPUS.iterdir()):
            name = re.search(r"Model:\s*(.+)", (card / "information").read_text(encoding="utf-8", errors="replace"))
            if name is not None:
                return name.group(1).strip()
    return None


def device_in_words() -> str:
    """What this process computes with: a GPU, or so many processor threads."""
    name = gpu_name()
    if name is not None:
        return name
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return counted(int(asked) if asked.isdecimal() and int(asked) else _processors(), "processor thread")


def _processors() -> int:
    """Processors that this process may use; all of the machine's where the system keeps none from it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> tuple[int | None, int | None]:
    """Bytes of memory that there are for this process's container or machine, and that are free; None where unknown."""
    total = free = None
    with suppress(OSError, ValueError):
        facts = dict(re.findall(r"^(\w+):\s+(\d+) kB", _MEMORY.read_text(encoding="ascii"), re.MULTILINE))
        total, free = int(facts["MemTotal"]) * _KIB, int(facts["MemAvailable"]) * _KIB
        limit = int(_LIMIT.read_text(encoding="ascii"))  # "max" where there is none
        total, free = min(total, limit), min(free, max(0, limit - int(_USED.read_text(encoding="ascii"))))
    return total, free


def has_bundled_model() -> bool:
    """Whether the bundled model, or what stands in for it, is installed here."""
    return lacking(BUNDLED) is None
