"""The graphs in OpenVINO, on a CPU. It is fast where sizes are known: a graph is compiled for each size it meets.

Compiled graphs are kept on disk beside the graphs, so that the next run starts at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino.preprocess
import torch

from devos.runtimes.graphs import OUTPUTS

_ROOMS = (2, 3, 4, 6, 8)
"""Numbers of slots that a graph is compiled for; above the last one, all. Room that is not needed is thrown away."""
_OPEN = ("bank_keys_s16", "bank_values_s16", "bank_keys_s32", "bank_values_s32")
"""Inputs whose number of cells stays open: the bank grows in the first frames, and nothing is lost by it."""
_CELLS_FIRST = frozenset(("image", *(f"{of}s{s}" for of in ("", "previous_") for s in (4, 8, 16, 32)), "scene_s16"))
"""Maps that convolutions make and take. They want a cell's channels side by side, so that is how these lie in memory;
a graph would otherwise turn them on its way out, and the next one on its way in.
"""
_SMALL = ("memorise",)
"""Graphs that one thread computes as fast as two: the others are left to what else runs (flow, the next encoding)."""
_AT_ONCE = 2
"""Graphs that run side by side in the whole job, one of the next frame and one of this: they share the threads, for two
that each use all of them take longer than two that each use half.
"""


class OpenVinoRunner:
    """Runs the graphs of a folder, each with half as many threads as torch has when it is run, but at least one."""

    def __init__(self, folder: Path, num_slots: int, *, bf16: bool = False) -> None:
        """`folder`: as `export.write_graphs` writes it. `num_slots`: of the network, background included. `bf16`: what
        is not in 8-bit numbers is computed in bfloat16 where OpenVINO has it, else in float32.
        """
        self._folder, self._num_slots, self._floats = folder, num_slots, "bf16" if bf16 else "f32"
        self._core = openvino.Core()
        self._compiled: dict[Any, _Compiled] = {}
        self._locks = {graph: threading.Lock() for graph in OUTPUTS}

    def __call__(self, graph: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As `parts.Runner`."""
        given = dict(inputs)
        asked = len(given["slots"]) if "slots" in given else 0
        if asked:
            room = next((room for room in _ROOMS if asked <= room < self._num_slots), self._num_slots)
            given["slots"] = np.pad(given["slots"], (0, room - asked))
        with self._locks[graph]:  # one graph, one set of working buffers: two videos take turns
            found = self._graph(graph, given)(given)
        if asked:
            found["logits"] = found["logits"][:, :asked]
        return found

    def _graph(self, graph: str, inputs: Mapping[str, np.ndarray]) -> _Compiled:
        shapes = {name: _open(name, array.shape) for name, array in inputs.items()}
        threads = 1 if graph in _SMALL else -(-torch.get_num_threads() // _AT_ONCE)
        key = graph, threads, tuple(sorted(shapes.items()))
        if key not in self._compiled:
            self._compiled[key] = _Compiled(self._compile(graph, shapes, threads), OUTPUTS[graph])
        return self._compiled[key]

    def _compile(self, graph: str, shapes: Mapping[str, tuple[int, ...]], threads: int) -> openvino.CompiledModel:
        model = self._core.read_model(self._folder / f"{graph}.onnx")
        model.reshape({name: openvino.PartialShape(list(shape)) for name, shape in shapes.items()})
        model = _cells_first(model, shapes, OUTPUTS[graph])
        options: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": self._floats,
            # Threads that are tied to cores would be in the way of what else runs (flow, decoding).
            "ENABLE_CPU_PINNING": False, "ENABLE_HYPER_THREADING": True,
        }  # fmt: skip
        try:
            return self._core.compile_model(model, "CPU", {**options, "CACHE_DIR": str(self._folder / "openvino")})
        except RuntimeError:  # a cache that cannot be read or written is no reason to stop
            return self._core.compile_model(model, "CPU", options)


class _Compiled:
    """A graph for one size."""

    def __init__(self, model: openvino.CompiledModel, outputs: tuple[str, ...]) -> None:
        self._request, self._names = model.create_infer_request(), outputs
        self._shapes = {name: tuple(model.output(name).shape) for name in outputs}

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        # Fresh arrays each time, which the graph writes to: they stay in a video's memory.
        found = {name: np.empty(shape, np.float32) for name, shape in self._shapes.items()}
        for name, array in found.items():
            self._request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
        given = {name: np.ascontiguousarray(array.transpose(0, 2, 3, 1) if name in _CELLS_FIRST else array)
                 for name, array in inputs.items()}  # fmt: skip
        self._request.infer({name: openvino.Tensor(array, shared_memory=True) for name, array in given.items()})
        return {n: array.transpose(0, 3, 1, 2) if n in _CELLS_FIRST else array for n, array in found.items()}


def _cells_first(model: openvino.Model, inputs: Iterable[str], outputs: Iterable[str]) -> openvino.Model:
    """The same graph, which takes and gives the maps of `_CELLS_FIRST` as b h w c."""
    layers = openvino.preprocess.PrePostProcessor(model)
    for names, port in ((inputs, layers.input), (outputs, layers.output)):
        for name in _CELLS_FIRST.intersection(names):
            port(name).model().set_layout(openvino.Layout("NCHW"))
            port(name).tensor().set_layout(openvino.Layout("NHWC"))
    return layers.build()


def _open(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], -1, shape[2]) if name in _OPEN else shape
