from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from devos.engine.segmenter import Segmenter
from devos.errors import OptionError
from devos.runtimes.choose import choose_runtime
from devos.runtimes.half import HalfParts

from .conftest import film, first_mask


def follow(segmenter: Segmenter) -> list[np.ndarray]:
    """Probabilities of two objects, of which the second comes late, and the first is removed before the last frame."""
    session, mask = segmenter.session(), first_mask()
    given = {0: np.where(mask == 1, mask, 0), 1: np.where(mask == 2, mask, 0)}
    found = []
    for t, frame in enumerate(film(6)):
        if t == 5:
            session.remove(1)
        found.append(session.step(frame, given.get(t), probabilities=True).probabilities)
    return found


def test_half_precision_gives_nearly_the_same_probabilities(on_torch: Segmenter) -> None:
    half = on_torch.with_settings(precision="bf16")
    assert isinstance(half.parts, HalfParts)
    assert (half.settings.runtime, half.settings.precision) == ("torch", "bf16")
    ours, theirs = follow(half), follow(on_torch)
    assert [len(maps) for maps in theirs] == [1, 2, 2, 2, 2, 1]
    for a, b in list(zip(ours, theirs, strict=True))[2:]:
        assert b.max() > 0.5
        assert 0 < np.abs(a.astype(np.float32) - b.astype(np.float32)).max() < 0.1


def test_what_a_video_remembers_is_float32(on_torch: Segmenter) -> None:
    session = on_torch.with_settings(precision="bf16").session()
    for frame, mask in zip(film(3), (first_mask(), None, None), strict=True):
        session.step(frame, mask)
    assert {tensor.dtype for tensor in session.state.memory.tensors()} == {torch.float32}


def test_products_are_computed_in_half_precision(on_torch: Segmenter) -> None:
    """The same as float32 would mean that nothing was gained."""
    half = HalfParts(on_torch.model, torch.device("cpu"), "bf16")
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        rounded, exact = half.encode(image), on_torch.model.encode(image)
    assert all(a.dtype == torch.float32 and (a - b).abs().max() > 0 for a, b in zip(rounded, exact, strict=True))


def test_what_half_precision_cannot_run_on_is_refused_with_what_to_do(on_torch: Segmenter) -> None:
    with pytest.raises(OptionError, match="--precision fp16 is for GPUs, and the model is on the CPU; use"):
        on_torch.with_settings(precision="fp16")
    with pytest.raises(OptionError, match=r"--precision bf16 is torch's, and --runtime onnx was asked for; use"):
        on_torch.with_settings(runtime="onnx", precision="bf16")
    # A GPU takes both; none need be there to choose.
    chosen = choose_runtime("auto", on_torch.model, torch.device("cuda"), "0" * 64, "fp16")
    assert (chosen.name, chosen.precision) == ("torch", "fp16")


def test_a_network_that_was_made_in_memory_takes_half_precision_too(on_torch: Segmenter) -> None:
    unsaved = replace(on_torch, weights=None).with_settings(precision="bf16")
    assert unsaved.settings.precision == "bf16"
