"""Convolutions of a graph in 8-bit numbers: weights with a step for each channel, what comes in with one step.

The graph says so as ONNX does: numbers are made 8-bit and back (QuantizeLinear, DequantizeLinear) before a convolution,
and a runtime that can joins these three to one operation on 8-bit numbers. Two things keep the error small. Rounding:
neighbouring pixels are alike, so that errors of neighbouring weights should cancel; each weight takes over what the
rounding of those before it did (as GPTQ does, with what is known of any picture in place of a sample). And the mean
of what is left over, which is known from the means of what comes in, is taken off the bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from devos.runtimes.calibration import Given

_ALIKE = 0.9
"""Correlation of neighbouring pixels, and of a pixel's colours, once what all pixels share is set aside."""


def quantise(path: Path, table: Mapping[str, Given], *, outputs: bool) -> int:
    """Rewrite the graph in `path`, each convolution of `table` in 8-bit numbers; returns how many there were.

    Convolutions are found by the names of their weights, NAME.weight or NAME.conv.weight, whatever stands before them.
    `outputs`: also what comes out is made 8-bit, where it was seen; ONNX Runtime needs it.
    """
    model = onnx.load(path)
    rewriting = _Rewriting(model.graph, table, outputs)
    done = rewriting.run()
    onnx.save(model, path)
    return done


def round_weights(weight: np.ndarray, step: np.ndarray) -> np.ndarray:
    """`weight` o i kh kw and a `step` for each o -> whole numbers in [-127, 127], int8.

    Kernels of several pixels and few input channels are rounded so that errors cancel in smooth pictures; others
    each weight on its own.
    """
    scaled = weight.reshape(len(weight), -1) / step[:, None].astype(np.float64)
    if weight.shape[1] <= 3 and weight.shape[2] > 1:
        scaled = _smoothly(scaled, _likeness(weight.shape[1], weight.shape[2]))
    whole: np.ndarray = np.clip(np.rint(scaled), -127, 127).astype(np.int8).reshape(weight.shape)
    return whole


def _likeness(channels: int, side: int) -> np.ndarray:
    """Second moments of what lies under a kernel, in any picture: a mean, and neighbours that are alike."""
    ys, xs = np.divmod(np.arange(side * side), side)
    distance = np.hypot(ys[:, None] - ys, xs[:, None] - xs)
    colours = np.full((channels, channels), _ALIKE) + (1 - _ALIKE) * np.eye(channels)
    moments: np.ndarray = np.kron(colours, 1 + _ALIKE**distance)
    moments[np.diag_indices_from(moments)] *= 1.01  # so that it can be inverted
    return moments


def _smoothly(rows: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Round each column of `rows` o n in turn and let the ones after it make up for the error, weighted by `moments`
    n n of what they are multiplied with (GPTQ, Frantar et al. 2023).
    """
    left = rows.copy()
    shares = np.linalg.cholesky(np.linalg.inv(moments)).T
    for i in range(left.shape[1]):
        whole = np.clip(np.rint(left[:, i]), -127, 127)
        left[:, i + 1 :] -= ((left[:, i] - whole) / shares[i, i])[:, None] * shares[i, i + 1 :]
        left[:, i] = whole
    return left


class _Rewriting:
    """One graph on its way to 8-bit numbers."""

    def __init__(self, graph: onnx.GraphProto, table: Mapping[str, Given], outputs: bool) -> None:
        self._graph, self._table, self._outputs = graph, table, outputs
        self._constants = {each.name: each for each in graph.initializer}
        self._nodes: list[NodeProto] = []
        self._eight_bit: dict[str, tuple[str, float]] = {}
        """Of what was made 8-bit: the name of what is left of it as float32, and its step."""
        self._sums = {name: node for node in graph.node if node.op_type == "Add" for name in node.input}

    def run(self) -> int:
        """All convolutions of the table."""
        done = 0
        for node in list(self._graph.node):
            given = self._table.get(name := self._name(node))
            if given is not None:
                self._convolution(node, given)
                done += 1
            elif node.op_type == "Conv":
                node.input[0] = self._eight_bit.get(node.input[0], (node.input[0],))[0]  # it is at hand, and smaller
            self._nodes.append(node)
            if self._outputs and (out := self._table.get(f"{name}.out")) and node.output[0] in self._sums:
                self._make_eight_bit(node.output[0], out)
                self._sum(self._sums[node.output[0]])
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [each for each in self._constants.values() if each.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)
        return done

    def _name(self, node: NodeProto) -> str:
        """In the table; empty if the node is none of its convolutions."""
        if node.op_type != "Conv":
            return ""
        parts = node.input[1].removesuffix(".weight").removesuffix(".conv").split(".")
        ends = (".".join(parts[i:]) for i in range(len(parts)))
        known = {key.removeprefix("image_encoder."): key for key in self._table}
        return next((known[end] for end in ends if end in known), "")

    def _convolution(self, node: NodeProto, given: Given) -> None:
        node.input[0], step_in = self._make_eight_bit(node.input[0], given)
        weight, bias = (numpy_helper.to_array(self._constants[name]).astype(np.float32) for name in node.input[1:3])
        largest = np.abs(weight).reshape(len(weight), -1).max(1)
        # A bias is a whole number of steps of 32 bits: a channel whose weights are next to nothing has coarser ones.
        step = np.maximum(np.maximum(largest, 1e-9) / 127, np.abs(bias) / step_in / 2**30).astype(np.float32)
        whole = round_weights(weight, step)
        if given.mean is not None:
            lost = (weight - whole * step[:, None, None, None]).sum((2, 3))
            bias = bias + (lost[:, 0] * given.mean if lost.shape[1] == 1 else lost @ given.mean)
        bias_step = step * np.float32(step_in)
        node.input[1] = self._back(node.input[1], whole, step)
        node.input[2] = self._back(node.input[2], np.rint(bias / bias_step).astype(np.int32), bias_step)

    def _make_eight_bit(self, name: str, given: Given) -> tuple[str, float]:
        """The name of a tensor that went through 8-bit numbers, and their step."""
        if name not in self._eight_bit:
            step = (given.high - given.low) / 255
            scale = self._constant(f"{name}.step", np.array(step, np.float32))
            zero = self._constant(f"{name}.zero", np.array(round(-given.low / step), np.uint8))
            self._nodes.append(helper.make_node("QuantizeLinear", [name, scale, zero], [f"{name}.q"]))
            self._nodes.append(helper.make_node("DequantizeLinear", [f"{name}.q", scale, zero], [f"{name}.dq"]))
            self._eight_bit[name] = f"{name}.dq", step
        return self._eight_bit[name]

    def _sum(self, node: NodeProto) -> None:
        """A shortcut: what was made 8-bit is added."""
        for i, name in enumerate(node.input):
            node.input[i] = self._eight_bit.get(name, (name,))[0]

    def _back(self, name: str, whole: np.ndarray, step: np.ndarray) -> str:
        """A constant in whole numbers and a step for each of its rows; the name of what they make."""
        names = [self._constant(f"{name}.q", whole), self._constant(f"{name}.step", step),
                 self._constant(f"{name}.zero", np.zeros(len(step), whole.dtype))]  # fmt: skip
        self._nodes.append(helper.make_node("DequantizeLinear", names, [f"{name}.dq"], axis=0))
        return f"{name}.dq"

    def _constant(self, name: str, array: np.ndarray) -> str:
        self._constants[name] = numpy_helper.from_array(array, name)
        return name
