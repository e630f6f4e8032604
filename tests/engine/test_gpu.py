"""On a GPU everything is as on a CPU. `tools/gpu_check.py` runs these where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import devos
from devos.engine.states import State

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def film() -> list[np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 128, (96, 160, 3), np.uint8)
    frames = [noise.copy() for _ in range(4)]
    for t, frame in enumerate(frames):
        frame[20:70, 30 + 3 * t : 90 + 3 * t] += 100
    return frames


def first_mask() -> np.ndarray:
    mask = np.zeros((96, 160), np.uint8)
    mask[20:70, 30:90] = 7
    return mask


def follow(session: devos.Session, frames: list[np.ndarray], mask: np.ndarray | None) -> list[np.ndarray]:
    return [session.step(frame, mask if mask is not None and t == 0 else None).labels for t, frame in enumerate(frames)]


def overlap(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(((ours == theirs) & (ours > 0)).sum() / max(1, ((ours > 0) | (theirs > 0)).sum()))


@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_masks_are_those_of_a_cpu(precision: str) -> None:
    on_cpu = follow(devos.load(device="cpu", size=96, runtime="torch", focus=False).session(), film(), first_mask())
    on_gpu = follow(devos.load(device="cuda", size=96, precision=precision).session(), film(), first_mask())
    assert min(overlap(a, b) for a, b in zip(on_gpu, on_cpu, strict=True)) > 0.99


def test_a_state_of_a_gpu_goes_on_on_a_cpu_and_back() -> None:
    frames = film()
    gpu, cpu = devos.load(device="cuda", size=96), devos.load(device="cpu", size=96, runtime="torch", focus=False)
    whole, first = gpu.session(), gpu.session()
    expected = follow(whole, frames, first_mask())
    follow(first, frames[:2], first_mask())
    for segmenter in (cpu, gpu):
        second = segmenter.session()
        second.state = State.from_bytes(first.state.to_bytes(), segmenter.device)
        assert overlap(follow(second, frames[2:], None)[-1], expected[-1]) > 0.99
