"""What a figure was measured on: a figure without it says nothing."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

import cv2
import torch

from devos.pipeline.versions import versions


def use_threads(threads: int) -> None:
    """Compute on that many CPU cores and no more; where the system allows it, whatever a library decides."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def describe(device: torch.device, threads: int) -> dict[str, Any]:
    """Hardware, versions, and how busy the machine was with other work."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "load_average": [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "threads": threads,
        "gpu": gpu,
        "system": platform.platform(),
        "versions": versions(),
    }


def peak_memory() -> float | None:
    """The most memory, in MiB, that this process has held so far; None where the system does not tell."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def cpu_name() -> str:
    """As the system tells it."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
