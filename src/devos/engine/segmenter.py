"""A network ready for use: weights, device and settings, shared by any number of sessions."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from devos.engine.forks import refuse_after_fork
from devos.engine.session import Session
from devos.engine.settings import Settings
from devos.errors import OptionError, WeightsError
from devos.model.checkpoint import Weights, load_weights
from devos.model.devos import DeVOS, Parts
from devos.model.memory import FINE
from devos.runtimes.choose import check_precision, check_runtime, choose_runtime

__all__ = ["DEFAULT_MODEL", "Segmenter", "Settings", "choose_device", "find_weights", "load", "released_weights"]

DEFAULT_MODEL = "devos-t"


@dataclass(frozen=True)
class Segmenter:
    """One network for any number of videos.

    >>> import devos
    >>> segmenter = devos.load("devos-t")
    >>> session = segmenter.session()
    """

    model: DeVOS
    settings: Settings
    device: torch.device
    weights: Weights | None = None
    """Where the network came from; None if it was made in memory."""
    parts: Parts | None = None
    """What computes it, as `settings.runtime` says; None: the network itself, with torch."""

    def session(self) -> Session:
        """A fresh session, for one video."""
        return Session(self)

    def with_settings(self, **changes: Any) -> Segmenter:
        """The same network with other settings, named as in `Settings`; OptionError if one is out of range."""
        if "scales" in changes:
            changes["scales"] = tuple(changes["scales"])  # a list where they come from `run.json`
        parts = self.parts
        chosen = self.settings.runtime, self.settings.precision
        runtime, precision = changes.get("runtime", chosen[0]), changes.get("precision", chosen[1])
        if (runtime, precision) != chosen:
            sha256 = self.weights.sha256 if self.weights else None
            choice = choose_runtime(runtime, self.model, self.device, sha256, precision)
            changes |= {"runtime": choice.name, "precision": choice.precision}
            parts = choice.parts
        return replace(self, settings=replace(self.settings, **changes), parts=parts)


def load(
    model: str | Path = DEFAULT_MODEL,
    *,
    device: str = "auto",
    size: int = 384,
    memory_every: int = 5,
    bank: int = 6,
    fine_bank: int = FINE,
    focus: bool = True,
    flow: str = "dis",
    flip: bool = False,
    scales: Sequence[float] = (1.0,),
    runtime: str = "auto",
    precision: str = "auto",
) -> Segmenter:
    """A network by its name, or from a weights file.

    `model`: `devos-t`, whose weights come with the package, or the path of a .safetensors file. `device`: auto, cpu,
    cuda, cuda:1, mps. `runtime`: what computes the network, torch, onnx (ONNX Runtime) or openvino; auto takes the
    fastest that is there for the device and the network, and the first time makes graphs for it, which are kept
    (`devos.runtimes.cache`). `precision`: what its convolutions compute in, float32, int8 in graphs, bf16 or fp16 in
    torch; auto takes int8 on CPUs that are made for it, where graphs compute (docs/runtimes.md). The other settings are
    those of `Settings`. Raises WeightsError or OptionError.

    >>> import devos
    >>> devos.load("devos-t", size=256).settings.size
    256
    """
    refuse_after_fork(runtime != "torch")
    check_runtime(runtime)
    check_precision(precision)
    settings = Settings(size=size, memory_every=memory_every, bank=bank, fine_bank=fine_bank, focus=focus, flow=flow,
                        flip=flip, scales=tuple(scales))  # fmt: skip
    place = choose_device(device)
    path, sha256 = find_weights(model)
    net, weights = load_weights(path, None if sha256 is None else str(model))
    if sha256 is not None and weights.sha256 != sha256:
        raise WeightsError(f"{path} is damaged: its SHA-256 is {weights.sha256[:12]}..., not {sha256[:12]}...; "
                           "install devos again")  # fmt: skip
    net = net.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    net = net.requires_grad_(False)
    choice = choose_runtime(runtime, net, place, weights.sha256, precision)
    settings = replace(settings, runtime=choice.name, precision=choice.precision)
    return Segmenter(net, settings, place, weights, choice.parts)


def find_weights(model: str | Path) -> tuple[Path, str | None]:
    """Where a model's weights are, and their SHA-256 if they are ours."""
    released = released_weights()
    if str(model) in released:
        path, sha256 = released[str(model)]
        return path, sha256
    path = Path(model)
    if path.suffix == ".safetensors" or path.exists():
        return path, None
    raise WeightsError(f"there are no weights called {str(model)!r}; those that come with devos: "
                       f"{', '.join(released) or 'none'}; or give the path of a .safetensors file")  # fmt: skip


def released_weights() -> dict[str, tuple[Path, str]]:
    """Every model whose weights come with the package: its file and the file's SHA-256."""
    folder = Path(str(importlib.resources.files("devos"))) / "weights"
    index = folder / "index.json"
    if not index.is_file():
        return {}
    entries = json.loads(index.read_text())
    return {name: (folder / entry["file"], entry["sha256"]) for name, entry in entries.items()}


def choose_device(name: str) -> torch.device:
    """`auto` takes what is fastest here; OptionError if the device is not to be had."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OptionError(f"--device {name} cannot be used here ({reason}); choose auto, cpu, cuda or mps") from error
    return device
