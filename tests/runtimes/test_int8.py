from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from devos.engine.segmenter import Segmenter
from devos.errors import OptionError
from devos.image import to_tensor
from devos.runtimes import calibration, choose
from devos.runtimes.calibration import SUFFIX, Given, calibrate, find_table, save_table
from devos.runtimes.int8 import quantise, round_weights

from .conftest import film, first_mask
from .test_choose import GRAPHS, areas, differ, follow


@pytest.fixture(autouse=True)
def vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a CPU with these instructions; on others the same graphs are slower, and less exact."""
    monkeypatch.setattr(choose, "multiplies_8_bit", lambda: True)


@pytest.fixture
def table(on_torch: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was seen of the small network's backbone, in place of what comes with devos."""
    monkeypatch.setattr(calibration, "FOLDER", tmp_path)
    backbone = on_torch.model.image_encoder.backbone
    seen = calibrate(backbone, [to_tensor(frame) for frame in film(4)])
    save_table(path := tmp_path / f"tiny{SUFFIX}", backbone, seen, "4 frames")
    return path


@pytest.mark.parametrize("runtime", GRAPHS)
def test_8_bit_numbers_give_nearly_the_same_masks(table: Path, on_torch: Segmenter, runtime: str) -> None:
    frames, given = film(6), {0: first_mask()}
    other = on_torch.with_settings(runtime=runtime, precision="int8")
    assert other.settings.precision == "int8"
    expected, found = follow(on_torch, frames, given), follow(other, frames, given)
    assert 1e-4 < differ(found, expected) < 0.1  # they are others, but not by much
    assert np.abs(areas(found[5], 2) / areas(expected[5], 2) - 1).max() < 0.02


def test_openvino_computes_the_rest_in_bfloat16_where_the_cpu_multiplies_it_and_only_beside_8_bit_numbers(
    table: Path, on_torch: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    from devos.runtimes import openvino as module
    from devos.runtimes.openvino import OpenVinoRunner

    asked: list[bool] = []

    def runner(folder: Path, num_slots: int, *, bf16: bool) -> OpenVinoRunner:
        asked.append(bf16)
        return OpenVinoRunner(folder, num_slots, bf16=bf16)

    monkeypatch.setattr(module, "OpenVinoRunner", runner)
    for has_it in (True, False):
        monkeypatch.setattr(choose, "_cpu_flags", lambda: frozenset({"avx512_bf16"} if has_it else ()))  # noqa: B023
        for precision in ("int8", "float32"):
            on_torch.with_settings(runtime="openvino", precision=precision)
    assert asked == [True, False, False, False]


def test_graphs_of_both_precisions_are_kept_apart(table: Path, on_torch: Segmenter, cache: Path) -> None:
    for precision in ("int8", "float32"):
        on_torch.with_settings(runtime="onnx", precision=precision)
    manifests = [json.loads(path.read_text()) for path in cache.glob("*/manifest.json")]
    assert {"int8", "float32"} <= {manifest["precision"] for manifest in manifests}
    kinds = {tensor.data_type for path in cache.glob("*/encode.onnx") for tensor in onnx.load(path).graph.initializer}
    assert TensorProto.INT8 in kinds


def test_auto_takes_8_bit_numbers_on_cpus_made_for_them_and_for_backbones_looked_at(
    table: Path, on_torch: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken() -> str:
        return on_torch.with_settings(runtime="onnx", precision="auto").settings.precision

    assert taken() == "int8"
    assert on_torch.with_settings(runtime="torch", precision="auto").settings.precision == "float32"
    with pytest.raises(OptionError, match="--precision int8 needs a runtime of graphs, and --runtime torch takes"):
        on_torch.with_settings(precision="int8")
    monkeypatch.setattr(choose, "multiplies_8_bit", lambda: False)
    assert taken() == "float32"
    with pytest.raises(
        OptionError, match=r"int8 cannot be used here: this CPU has no .* use --precision auto or float32"
    ):
        on_torch.with_settings(runtime="onnx", precision="int8")
    monkeypatch.setattr(choose, "multiplies_8_bit", lambda: True)
    table.write_bytes(b"damaged")
    assert taken() == "float32"
    with pytest.raises(OptionError, match="nobody has measured what comes to the convolutions"):
        on_torch.with_settings(runtime="onnx", precision="int8")
    with pytest.raises(OptionError, match="no precision is called 'int4'; choose one of auto, float32, int8"):
        on_torch.with_settings(precision="int4")


def test_what_was_seen_is_found_again_for_the_same_backbone_whatever_else_was_learnt(
    table: Path, on_torch: Segmenter
) -> None:
    found = find_table(on_torch.model)
    assert found is not None and len(found) > 48
    stem, project = (found[f"image_encoder.backbone.{name}"] for name in ("stem", "blocks.2.project"))
    assert (stem.low, stem.high) == (pytest.approx(-127 / 128), 1)
    assert project.low == 0 and 0 < project.high <= 6  # after ReLU6
    assert "image_encoder.backbone.blocks.2.project.out" in found  # with a shortcut
    assert "image_encoder.backbone.blocks.0.project.out" not in found  # without
    other = torch.nn.ModuleDict({"backbone": on_torch.model.image_encoder.backbone})
    assert calibration.backbone_sha256(other["backbone"]) == json.loads(_metadata(table))["backbone_sha256"]


def _metadata(path: Path) -> str:
    with calibration.safe_open(path, framework="numpy") as file:
        return str(file.metadata()["devos"])


def test_the_table_that_comes_with_devos_is_of_the_backbone_of_devos_t() -> None:
    from devos.engine.segmenter import find_weights
    from devos.model.checkpoint import load_weights

    model, _ = load_weights(find_weights("devos-t")[0])
    found = find_table(model)
    assert found is not None
    for block, given in found.items():
        if block.endswith("depthwise"):
            assert given.low == 0 and 1 < given.high <= 6 and given.mean is not None


@pytest.mark.parametrize("shape", [(8, 1, 5, 5), (8, 3, 3, 3), (8, 64, 1, 1)])
def test_rounding_is_exact_where_it_can_be_and_errors_cancel_in_flat_pictures(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(-127, 128, shape)
    step = rng.uniform(0.01, 0.02, shape[0])
    assert (round_weights(whole * step[:, None, None, None], step) == whole).all()
    weight = rng.normal(0, 1, shape)
    step = np.abs(weight).reshape(len(weight), -1).max(1) / 127
    lost = np.abs((weight / step[:, None, None, None] - round_weights(weight, step)).sum((1, 2, 3)))
    assert lost.mean() < (0.7 if shape[1] <= 3 else 6)  # of a step; one by one it would be 1.4 for 5x5


def test_a_channel_that_does_nothing_keeps_its_bias(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(0, 0.3, (2, 3, 1, 1)).astype(np.float32)
    weight[1] = 1e-12
    bias = np.array([0.5, 3.0], np.float32)
    node = helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n, 4, 4]) for name, n in (("x", 3), ("y", 2)))
    constants = [numpy_helper.from_array(weight, "conv.weight"), numpy_helper.from_array(bias, "conv.bias")]
    model = helper.make_model(helper.make_graph([node], "one", [x], [y], constants),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)  # fmt: skip
    onnx.save(model, path := tmp_path / "one.onnx")
    picture = np.random.default_rng(1).uniform(-1, 1, (1, 3, 4, 4)).astype(np.float32)
    expected = onnxruntime.InferenceSession(path).run(None, {"x": picture})[0]
    assert quantise(path, {"conv": Given(-1.0, 1.0)}, outputs=False) == 1
    found = onnxruntime.InferenceSession(path).run(None, {"x": picture})[0]
    assert np.abs(found - expected).max() < 0.02
    assert found[0, 1] == pytest.approx(np.full((4, 4), 3.0), abs=1e-4)


def test_a_network_of_another_backbone_has_no_table(on_torch: Segmenter) -> None:
    assert find_table(replace(on_torch).model) is None  # random weights: nobody has looked at them
