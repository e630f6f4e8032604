"""Which runtime does the network's computations: torch, or graphs in ONNX Runtime or OpenVINO."""

from __future__ import annotations

import functools
import importlib.util
import logging
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch

from devos.errors import OptionError
from devos.extras import pip_install
from devos.model.devos import DeVOS, Parts
from devos.runtimes.cache import cached_graphs
from devos.runtimes.calibration import find_table
from devos.runtimes.export import Exact
from devos.runtimes.graphs import refusal
from devos.runtimes.half import HALVES, HalfParts
from devos.runtimes.parts import GraphParts

Runtime = Literal["auto", "torch", "onnx", "openvino"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)
Precision = Literal["auto", "float32", "int8", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
_PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime"}
"""What each runtime of graphs needs."""
FASTEST = ("openvino", "onnx")
"""What `auto` tries before torch, in this order."""
_FASTER_IN_ONNX = ("encode",)
"""What ONNX Runtime is given. The rest is faster in torch, which sums sampled rows without writing them down: 97 ms for
`match` in place of 156 (devos-t at 384x672, one thread), while `encode` takes half of torch's time."""
_VNNI = {"avx512_vnni", "avx_vnni"}
_BF16 = {"avx512_bf16", "amx_bf16"}
"""Names that Linux has for instructions: products of 8-bit numbers, and of bfloat16."""
_log = logging.getLogger(__name__)


class Choice(NamedTuple):
    """What computes the parts of a step."""

    name: str
    """torch, onnx or openvino."""
    precision: str
    """float32, int8, bf16 or fp16."""
    parts: Parts


def installed_runtimes() -> dict[str, bool]:
    """Every runtime, and whether it is there."""
    there = {name: _is_there(package) and _is_there("onnx") for name, package in _PACKAGES.items()}
    return {"torch": True} | there


def check_runtime(name: str) -> None:
    """OptionError if there is no runtime of that name."""
    if name not in RUNTIMES:
        raise OptionError(f"no runtime is called {name!r}; choose one of {', '.join(RUNTIMES)}")


def check_precision(name: str) -> None:
    """OptionError if there is no precision of that name."""
    if name not in PRECISIONS:
        raise OptionError(f"no precision is called {name!r}; choose one of {', '.join(PRECISIONS)}")


def choose_runtime(name: str, model: DeVOS, device: torch.device, weights_sha256: str | None,
                   precision: str = "float32") -> Choice:  # fmt: skip
    """The parts of a step for a network, by a runtime's name and how exactly it computes.

    Runtime `auto`: on a CPU the fastest that is installed and takes this network, on other devices torch. Precision
    `auto`: int8 where it is faster and fits, else float32; half precision (bf16, fp16) is torch's. OptionError if one
    that is named cannot be had, with the reason. `weights_sha256`: None for a network that was made in memory, whose
    weights may still change; it runs on torch.
    """
    check_runtime(name)
    check_precision(precision)
    if precision in HALVES:
        return Choice("torch", precision, _half(name, precision, model, device))
    if name not in ("auto", "torch"):
        if (reason := _hindrance(name, model, device, weights_sha256)) is not None:
            raise OptionError(f"--runtime {name} cannot be used here: {reason}; use --runtime auto or torch")
        assert weights_sha256 is not None
        return _graphs(name, model, weights_sha256, _exact(precision, model))
    for each in FASTEST if name == "auto" else ():
        if weights_sha256 is None or _hindrance(each, model, device, weights_sha256) is not None:
            continue
        exact = _exact(precision, model)
        try:
            return _graphs(each, model, weights_sha256, exact)
        except Exception as error:  # a disk that is full, an exporter that has changed: torch still works
            _log.warning("%s is not used: %s", each, error)
    if precision == "int8":
        raise OptionError(f"--precision int8 needs a runtime of graphs, and --runtime {name} takes torch here; "
                          "use --runtime onnx or openvino on a CPU, or --precision float32")  # fmt: skip
    return Choice("torch", "float32", model)


def _exact(precision: str, model: DeVOS) -> Exact:
    """What graphs compute in. OptionError if int8 is asked for and cannot be had."""
    if precision == "float32":
        return "float32"
    reason = None
    if not multiplies_8_bit():
        reason = "this CPU has no instructions that are exact and fast for it (VNNI)"
    elif find_table(model) is None:
        reason = f"nobody has measured what comes to the convolutions of this {model.config.backbone}"
    if reason is not None and precision == "int8":
        raise OptionError(f"--precision int8 cannot be used here: {reason}; use --precision auto or float32")
    return "int8" if reason is None else "float32"


def _half(runtime: str, precision: str, model: DeVOS, device: torch.device) -> HalfParts:
    """OptionError where this precision cannot be had."""
    if runtime not in ("auto", "torch"):
        raise OptionError(f"--precision {precision} is torch's, and --runtime {runtime} was asked for; use --runtime "
                          "torch, or --precision float32 or int8")  # fmt: skip
    if precision == "fp16" and device.type == "cpu":
        raise OptionError("--precision fp16 is for GPUs, and the model is on the CPU; use --precision auto or bf16")
    return HalfParts(model, device, precision)


def multiplies_8_bit() -> bool:
    """Whether this CPU adds up products of 8-bit numbers without losing any, and faster than others. Older ones keep
    sums of two in 16 bits, where they do not fit.
    """
    return not _VNNI.isdisjoint(_cpu_flags())


def multiplies_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32."""
    return not _BF16.isdisjoint(_cpu_flags())


@functools.cache
def _cpu_flags() -> frozenset[str]:
    """What this CPU has, in Linux's words; nothing where another system does not tell."""
    try:
        return frozenset(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return frozenset()


def _hindrance(name: str, model: DeVOS, device: torch.device, weights_sha256: str | None) -> str | None:
    """Why a runtime of graphs cannot be used; None if it can."""
    if device.type != "cpu":
        return f"it is for CPUs, and the model is on {device}"
    if not (_is_there(package := _PACKAGES[name]) and _is_there("onnx")):
        return f"the package {package}, or onnx, is not installed ({pip_install(package, 'onnx')})"
    if weights_sha256 is None:
        return "the network was made in memory; save its weights and load them"
    reason = refusal(model.config)
    return None if reason is None else f"{model.config.name} cannot be made into graphs, for {reason}"


def _graphs(name: str, model: DeVOS, weights_sha256: str, exact: Exact) -> Choice:
    # These packages take a while to import, and need not be there.
    if name == "openvino":
        from devos.runtimes.openvino import OpenVinoRunner

        folder = cached_graphs(model, weights_sha256, "grid", exact)
        bf16 = exact == "int8" and multiplies_bf16()
        return Choice(name, exact, GraphParts(model, OpenVinoRunner(folder, model.config.num_slots + 1, bf16=bf16)))
    from devos.runtimes.onnx import OnnxRunner

    runner = OnnxRunner(cached_graphs(model, weights_sha256, "gather", exact))
    return Choice(name, exact, GraphParts(model, runner, _FASTER_IN_ONNX))


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
