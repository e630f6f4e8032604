from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from devos.engine.segmenter import Segmenter, load
from devos.errors import OptionError
from devos.frames import MaskFrame
from devos.model.checkpoint import save_weights
from devos.model.config import Matching
from devos.model.devos import DeVOS
from devos.runtimes import choose
from devos.runtimes.parts import GraphParts

from .conftest import TINY, film, first_mask

FASTEST = choose.FASTEST
GRAPHS = ["onnx", pytest.param("openvino", marks=pytest.mark.skipif(
    not choose.installed_runtimes()["openvino"], reason="not every machine has openvino"))]  # fmt: skip


def follow(segmenter: Segmenter, frames: list[np.ndarray], given: dict[int, np.ndarray]) -> list[MaskFrame]:
    session = segmenter.session()
    return [session.step(frame, given.get(t), probabilities=True) for t, frame in enumerate(frames)]


def differ(ours: list[MaskFrame], theirs: list[MaskFrame]) -> float:
    return max(float(np.abs(a.probabilities - b.probabilities).max()) for a, b in zip(ours, theirs, strict=True))


def areas(masks: MaskFrame, num_objects: int) -> np.ndarray:
    return np.bincount(masks.labels.ravel(), minlength=num_objects + 1)[1:]


@pytest.mark.parametrize("runtime", GRAPHS)
def test_every_runtime_gives_what_torch_gives(on_torch: Segmenter, runtime: str) -> None:
    other = on_torch.with_settings(runtime=runtime)
    assert isinstance(other.parts, GraphParts) and other.settings.runtime == runtime
    for size in ((64, 96), (64, 128)):
        frames, given = film(8, *size), {0: first_mask(*size)}
        expected = follow(on_torch, frames, given)
        assert areas(expected[7], 2).min() > 300  # there is something to compare, and the bank is full
        assert differ(follow(other, frames, given), expected) < 0.005


@pytest.mark.parametrize("runtime", GRAPHS)
def test_every_runtime_looks_for_an_object_in_the_same_part_of_the_frame(on_torch: Segmenter, runtime: str) -> None:
    frames, mask = film(5, 64, 256), first_mask(64, 256)
    mask[mask == 2] = 0
    expected = follow(on_torch, frames, {0: mask})
    assert areas(expected[4], 1).min() > 300
    whole = follow(on_torch.with_settings(focus=False), frames, {0: mask})
    assert differ(whole, expected) > 0.01  # there is a part that is not looked at
    assert differ(follow(on_torch.with_settings(runtime=runtime), frames, {0: mask}), expected) < 0.005


@pytest.mark.parametrize("runtime", GRAPHS)
def test_objects_that_open_a_second_group_are_followed_too(on_torch: Segmenter, runtime: str) -> None:
    more = first_mask()
    more[:20, :18], more[30:, :18], more[:, 80:] = 3, 4, 5
    frames, given = film(5), {0: first_mask(), 2: more}
    expected = follow(on_torch, frames, given)
    assert areas(expected[4], 5).min() > 50
    assert differ(follow(on_torch.with_settings(runtime=runtime), frames, given), expected) < 0.005


def test_auto_takes_graphs_on_a_cpu_and_torch_for_a_network_with_parts_taken_away(
    network: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "FASTEST", FASTEST)
    fastest = "openvino" if choose.installed_runtimes()["openvino"] else "onnx"
    assert load(network, size=64, device="cpu").settings.runtime == fastest
    ablated = home / "ablated.safetensors"
    save_weights(DeVOS(replace(TINY, matching=Matching(flow_injection=False))), ablated, {})
    assert load(ablated, size=64, device="cpu").settings.runtime == "torch"
    with pytest.raises(OptionError, match=r"--runtime onnx cannot be used here: devos-tiny .* ablation"):
        load(ablated, size=64, device="cpu", runtime="onnx")


def test_a_runtime_that_is_not_there_is_refused_with_what_to_install(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "_is_there", lambda package: package in ("onnx", "onnxruntime"))
    monkeypatch.setattr(choose, "FASTEST", FASTEST)
    with pytest.raises(OptionError, match=r"openvino, or onnx, is not installed \(.+install .*openvino.*\)"):
        load(network, device="cpu", runtime="openvino")
    assert load(network, device="cpu").settings.runtime == "onnx"
    with pytest.raises(OptionError, match="no runtime is called 'tpu'; choose one of auto, torch, onnx, openvino"):
        load(network, runtime="tpu")


def test_a_network_that_was_made_in_memory_runs_on_torch(on_torch: Segmenter) -> None:
    in_memory = replace(on_torch, weights=None)
    assert in_memory.with_settings(runtime="auto").settings.runtime == "torch"
    with pytest.raises(OptionError, match="made in memory"):
        in_memory.with_settings(runtime="onnx")


def test_graphs_are_for_cpus(on_torch: Segmenter) -> None:
    assert choose.choose_runtime("auto", on_torch.model, torch.device("meta"), "0" * 64).name == "torch"
    with pytest.raises(OptionError, match="it is for CPUs, and the model is on meta"):
        choose.choose_runtime("onnx", on_torch.model, torch.device("meta"), "0" * 64)
