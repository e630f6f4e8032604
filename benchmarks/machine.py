"""What a figure was measured on: a figure without it says nothing."""

from __future__ import annotations

import os
import platform
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
    """Hardware and versions."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "threads": threads,
        "gpu": gpu,
        "system": platform.platform(),
        "versions": versions(),
    }


def cpu_name() -> str:
    """As the system tells it."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
