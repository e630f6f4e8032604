"""SAM-family ONNX pairs, by two tiny graphs with the names and shapes of the common exports.

The encoder halves its picture's brightness map down to a 64 x 64 embedding; the decoder gives a disc around the first
prompt's point as its second mask, which it scores best. So what goes in and comes out can be checked to the pixel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import devos
from devos.errors import WeightsError

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def save(path, nodes, inputs, outputs, constants):
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", [helper.make_tensor_value_info(*i) for i in inputs],
                              [helper.make_tensor_value_info(*o) for o in outputs], values)  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def encoder(path, raw=False):
    """`raw`: takes h w 3 as samexporter's do; else 1 3 1024 1024, normalised."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=1),
             helper.make_node("Reshape", ["mean", "one"], ["shaped"]),
             helper.make_node("Expand", ["shaped", "shape"], ["image_embeddings"])]  # fmt: skip
    picture = ("x", FLOAT, ["h", "w", 3] if raw else [1, 3, 1024, 1024])
    return save(path, nodes, [picture], [("image_embeddings", FLOAT, [1, 1, 64, 64])],
                {"one": np.ones(4, np.int64), "shape": np.array([1, 1, 64, 64])})  # fmt: skip


def decoder(path, labels=FLOAT):
    """A disc of radius 200 on SAM's square around the first point, negative all over as the first mask."""
    rows = np.arange(256, dtype=np.float32) * 4 + 1.5
    nodes = [
        helper.make_node("Slice", ["point_coords", "from0", "to1", "axis1"], ["point"]),
        helper.make_node("Split", ["point", "sizes"], ["px", "py"], axis=2),
        helper.make_node("Sub", ["xs", "px"], ["dx"]),
        helper.make_node("Sub", ["ys", "py"], ["dy"]),
        helper.make_node("Mul", ["dx", "dx"], ["dx2"]),
        helper.make_node("Mul", ["dy", "dy"], ["dy2"]),
        helper.make_node("Add", ["dx2", "dy2"], ["d2"]),
        helper.make_node("Sub", ["limit", "d2"], ["disc"]),
        helper.make_node("Unsqueeze", ["disc", "axis1"], ["disc4"]),
        helper.make_node("Neg", ["disc4"], ["other"]),
        helper.make_node("Concat", ["other", "disc4"], ["low_res_masks"], axis=1),
        helper.make_node("Identity", ["scores"], ["iou_predictions"]),
    ]  # fmt: skip
    inputs = [("image_embeddings", FLOAT, [1, 1, 64, 64]), ("point_coords", FLOAT, [1, "n", 2]),
              ("point_labels", labels, [1, "n"]), ("mask_input", FLOAT, [1, 1, 256, 256]),
              ("has_mask_input", FLOAT, [1])]  # fmt: skip
    outputs = [("low_res_masks", FLOAT, [1, 2, 256, 256]), ("iou_predictions", FLOAT, [1, 2])]
    return save(path, nodes, inputs, outputs, {
        "from0": np.array([0]), "to1": np.array([1]), "axis1": np.array([1]), "sizes": np.array([1, 1]),
        "xs": rows.reshape(1, 1, 256), "ys": rows.reshape(1, 256, 1), "limit": np.float32(200**2),
        "scores": np.array([[0.2, 0.9]], np.float32),
    })  # fmt: skip


@pytest.fixture(params=[False, True], ids=["normalised", "raw"])
def pair(request, tmp_path: Path) -> str:
    labels = INT64 if request.param else FLOAT
    return f"{encoder(tmp_path / 'enc.onnx', request.param)},{decoder(tmp_path / 'dec.onnx', labels)}"


def test_the_best_of_several_masks_comes_back_at_the_pictures_size_where_it_was_clicked(pair):
    marker = devos.load_marker(pair)
    rgb = np.zeros((256, 512, 3), np.uint8)
    marked = marker.mark(marker.look(rgb), [(300, 120, True)])
    y, x = np.mgrid[:256, :512]
    truth = np.hypot(x - 300, y - 120) < 100
    assert marked.mask.shape == (256, 512)
    assert (marked.mask & truth).sum() / (marked.mask | truth).sum() > 0.97


def test_a_box_and_the_mask_so_far_are_handed_on(pair):
    marker = devos.load_marker(pair)
    look = marker.look(np.zeros((256, 512, 3), np.uint8))
    boxed = marker.mark(look, box=(40, 60, 200, 220)).mask  # the tiny decoder takes the first corner for the point
    assert boxed[62, 42] and not boxed[250, 400]
    assert marker.mark(look, [(300, 120, True)], mask=boxed).mask[120, 300]


def test_files_in_the_wrong_order_or_of_another_kind_are_refused_in_one_line(pair, tmp_path):
    first, second = pair.split(",")
    with pytest.raises(WeightsError, match="the encoder first and the decoder second"):
        devos.load_marker(f"{second},{first}")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(WeightsError, match="cannot be opened as an ONNX graph"):
        devos.load_marker(f"{tmp_path / 'text.onnx'},{second}")
    with pytest.raises(WeightsError, match="there is no file"):
        devos.load_marker(f"{tmp_path / 'none.onnx'},{second}")
