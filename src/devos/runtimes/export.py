"""Write a network as ONNX graphs, with a manifest that says all that a program without this package needs to know."""

from __future__ import annotations

import hashlib
import inspect
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import jaxtyping
import torch
from torch import Tensor, nn

from devos.errors import OutputError
from devos.model.config import MATCHING_STRIDES, ModelConfig
from devos.model.decoder import ABSENT
from devos.model.devos import DeVOS
from devos.model.memory import FINE, EveryNth
from devos.runtimes.calibration import Given, find_table
from devos.runtimes.graphs import FOCUSED, INPUTS, OUTPUTS, modules
from devos.runtimes.sampling import Sampling
from devos.whole_files import new_folder

Exact = Literal["float32", "int8"]
"""What convolutions compute in; all else is float32."""
OPSET = 17
MANIFEST = "manifest.json"
FORMAT = 2
"""Of the manifest and of what the graphs take and give. Raised when either changes."""

_DRIVE = [
    "All arrays are float32 but `slots` (int64). Batches are of one image. h and w: sides of the picture, multiples of "
    "32, h4 and w4 a quarter of them and so on; g: groups of up to `num_slots` objects; slot 0 of each group is its "
    "background, the others are objects; k: slots that are asked for; n16, n32: cells of all frames in the bank; gv: "
    "channels of the values of all groups.",
    "Every frame: s4, s8, s16, s32 = encode(image).",
    "First frame: probabilities are the given masks, averaged to stride 4; slots sum to 1. Nothing is matched.",
    "Other frames: to_prev and to_curr are the optical flow between the previous frame and this one, (dx, dy) in "
    "pixels of the picture, averaged over 8x8 pixels; to_prev lies on this frame's grid and says where a pixel was, "
    "to_curr on the previous frame's and says where it goes. grid_* and weights_* = look(...); scene_s16, read_* and "
    "bank_read_* = match(...); logits = refine(...), for the slots that are asked for, in their order (0 first); every "
    f"other slot has the logit {ABSENT:g}. probabilities = softmax over the slots. With several groups a pixel may be "
    "claimed by two of them: make them agree by soft aggregation (devos.masks).",
    "encode and look need no masks, so they may be a frame ahead of the rest, in another thread.",
    "To save time, refine may be given a rectangle around the objects, of whole cells of stride 32 (fh8 and so on are "
    f"its sides): the same part of {', '.join(FOCUSED)}. Beyond it all is background (devos.model.focus).",
    "Then every frame: values and keys = memorise(s8, s16, s32, probabilities). previous_* and values_* of the next "
    "frame's match are this frame's s8, s16, s32 and values.",
    "The bank holds frames: the one with given masks always, and every 5th after it; at most 6, the oldest of those "
    f"without given masks leaves first. At stride 16 only those with given masks and the {FINE} newest of the others "
    "are in it; at stride 32 all. bank_keys_* are the frames' keys one after the other; bank_values_* their "
    "values in the same order, each `g v h w` as a row for each cell, groups side by side: transpose to h w g v, "
    "reshape.",
]


def write_graphs(model: DeVOS, folder: Path, *, sampling: Sampling = "gather", precision: Exact = "float32",
                 weights_sha256: str | None = None, overwrite: bool = False) -> dict[str, Any]:  # fmt: skip
    """Write the graphs of `INPUTS`, encode.onnx and so on, and manifest.json into `folder`; returns the manifest.

    Whole or not at all. `sampling`: how ADVA reads, `gather` for ONNX Runtime, `grid` for OpenVINO. `precision`: what
    convolutions compute in. ValueError for a network that cannot be made into graphs (`graphs.refusal`), or not in
    int8 (`calibration.find_table`); OutputError if `folder` holds something and `overwrite`
    is not set, if what it holds is no export, or if it cannot be written.
    """
    old = _check(folder, overwrite)
    with new_folder(folder, replace=old) as scratch:
        return _write(model, scratch, sampling, precision, weights_sha256)


def _check(folder: Path, overwrite: bool) -> bool:
    """Whether there is an export to be replaced."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not (folder / MANIFEST).is_file():
        raise OutputError(f"{folder} is there and is no earlier export; give a new or empty folder")
    if not overwrite:
        raise OutputError(f"{folder} holds an earlier export; give another folder, or --overwrite to replace it")
    return True


def _write(model: DeVOS, folder: Path, sampling: Sampling, precision: Exact,
           weights_sha256: str | None) -> dict[str, Any]:  # fmt: skip
    config = model.config
    from devos.runtimes.int8 import quantise  # brings onnx along, which takes longer than loading graphs that are kept

    table = _table(model, sampling) if precision == "int8" else {}
    graphs = {}
    for name, module in modules(model, sampling).items():
        path = folder / f"{name}.onnx"
        _export(module.eval(), name, config, path)
        if table:
            quantise(path, table, outputs=True)
        graphs[name] = {
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "inputs": {i: _described(i, config, name) for i in INPUTS[name]},
            "outputs": {o: _described(o, config, name) for o in OUTPUTS[name]},
        }
    manifest = {
        "format": FORMAT,
        "opset": OPSET,
        "sampling": sampling,
        "precision": precision,
        "weights_sha256": weights_sha256,
        "torch": str(torch.__version__),
        "config": asdict(config),
        "num_slots": config.num_slots,
        "absent_logit": ABSENT,
        "bank": {"every": EveryNth.every, "most": EveryNth.max_entries, "fine": FINE},
        "graphs": graphs,
        "how_to_drive": _DRIVE,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def _table(model: DeVOS, sampling: Sampling) -> dict[str, Given]:
    """What to make 8-bit: all that can be for OpenVINO. ONNX Runtime gains from the backbone's blocks alone."""
    table = find_table(model)
    if table is None:
        raise ValueError(f"nobody has measured what comes to the convolutions of this {model.config.backbone}")
    return (
        table if sampling == "grid" else {name: given for name, given in table.items() if ".backbone.blocks." in name}
    )


def shape_of(name: str, config: ModelConfig, graph: str) -> tuple[str | int, ...]:
    """The shape of an input or output of a graph: fixed sizes as numbers, others by a name (h4 is h / 4)."""
    slots = config.num_slots + 1
    kind, _, at = name.rpartition("s")
    stride = int(at) if at.isdigit() else 4
    of = "f" if graph == "refine" and name in (*FOCUSED, "logits") else ""
    channels, grid = config.width_at(stride), (f"{of}h{stride}", f"{of}w{stride}")
    if kind in ("grid_", "weights_"):
        at_stride = MATCHING_STRIDES.index(stride)
        points = config.points[at_stride] + config.coarse_points[at_stride]
        return (config.heads[at_stride], points, *grid, *([2] if kind == "grid_" else []))
    shapes: dict[str, tuple[str | int, ...]] = {
        "image": (1, 3, "h", "w"), "slots": ("k",), "to_prev": (1, 2, "h8", "w8"), "to_curr": (1, 2, "h8", "w8"),
        "logits": ("g", "k", *grid), "probabilities": ("g", slots, *grid),
        "bank_keys_": (1, f"n{stride}", channels), "keys_": (1, f"n{stride}", channels),
        "bank_values_": (1, f"n{stride}", "gv"), "scene_": ("g", channels, *grid),
        "read_": ("g", slots, *grid), "bank_read_": ("g", slots, *grid), "values_": ("g", channels + slots, *grid),
    }  # fmt: skip
    return shapes.get(name) or shapes.get(kind, (1, channels, *grid))


def _described(name: str, config: ModelConfig, graph: str) -> dict[str, Any]:
    return {"shape": list(shape_of(name, config, graph)), "type": "int64" if name == "slots" else "float32"}


def _examples(config: ModelConfig, graph: str) -> tuple[Tensor, ...]:
    """Arrays to make a graph with; what is in them does not matter, nor do the sizes where a shape has names."""
    sizes = {"h": 64, "w": 96, "g": 2, "k": 2, "gv": 2 * (config.width + config.num_slots + 1)}
    for stride in (4, *MATCHING_STRIDES):
        sizes |= {f"h{stride}": 64 // stride, f"w{stride}": 96 // stride, f"n{stride}": 64 * 96 // stride**2}
        sizes |= {f"fh{stride}": 32 // stride, f"fw{stride}": 64 // stride}
    generator = torch.Generator().manual_seed(0)
    examples = {}
    for name in INPUTS[graph]:
        shape = [size if isinstance(size, int) else sizes[size] for size in shape_of(name, config, graph)]
        examples[name] = torch.rand(shape, generator=generator)
    if "slots" in examples:
        examples["slots"] = torch.arange(2)
    return tuple(examples.values())


def _export(module: nn.Module, name: str, config: ModelConfig, path: Path) -> None:
    shapes = {each: shape_of(each, config, name) for each in (*INPUTS[name], *OUTPUTS[name])}
    axes = {each: {i: size for i, size in enumerate(shape) if isinstance(size, str)} for each, shape in shapes.items()}
    options: dict[str, Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:  # older releases have only this one way
        options["dynamo"] = False
    with _quietly(), torch.no_grad():
        torch.onnx.export(
            module, _examples(config, name), str(path), input_names=list(INPUTS[name]),
            output_names=list(OUTPUTS[name]), dynamic_axes=axes, opset_version=OPSET, **options,
        )  # fmt: skip


@contextmanager
def _quietly() -> Iterator[None]:
    """Making a graph warns of every number that is fixed in it; shapes are then no numbers that can be checked."""
    checked = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", checked)
