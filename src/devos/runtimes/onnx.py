"""The graphs in ONNX Runtime, on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from devos.runtimes.graphs import OUTPUTS


class OnnxRunner:
    """Runs the graphs of a folder with as many threads as torch has when a graph is run."""

    def __init__(self, folder: Path) -> None:
        """`folder`: as `export.write_graphs` writes it."""
        self._folder = folder
        self._loaded: dict[tuple[str, int], onnxruntime.InferenceSession] = {}

    def __call__(self, graph: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As `parts.Runner`."""
        given = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        found = self._session(graph, torch.get_num_threads()).run(list(OUTPUTS[graph]), given)
        return dict(zip(OUTPUTS[graph], found, strict=True))

    def _session(self, graph: str, threads: int) -> onnxruntime.InferenceSession:
        key = graph, threads
        if key not in self._loaded:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.log_severity_level = 3
            # Between two calls others work (flow, decoding): a thread that waits by spinning would be in their way.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            path = self._folder / f"{graph}.onnx"
            self._loaded[key] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return self._loaded[key]
