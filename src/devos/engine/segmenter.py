"""A network ready for use: weights, device and settings, shared by any number of sessions."""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from devos.errors import OptionError, WeightsError
from devos.flow.estimator import FLOW_NAMES
from devos.model.checkpoint import Weights, load_weights
from devos.model.devos import DeVOS

if TYPE_CHECKING:
    from devos.engine.session import Session

DEFAULT_MODEL = "devos-t"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a video is followed. Recorded with every result."""

    size: int = 384
    """Short side, in pixels, at which the network sees a frame; results have the frame's own size."""
    memory_every: int = 5
    """A frame enters the memory bank every this many frames."""
    bank: int = 6
    """Most frames in the bank, annotated ones included."""
    flow: str = "dis"
    """The flow estimator: dis, none or raft."""

    def __post_init__(self) -> None:
        if not 64 <= self.size <= 4096:
            raise OptionError(f"--size is a short side in pixels from 64 to 4096, got {self.size}")
        if self.memory_every < 1:
            raise OptionError(f"--memory-every is a number of frames from 1, got {self.memory_every}")
        if self.bank < 1:
            raise OptionError(f"--bank is a number of frames from 1, got {self.bank}")
        if self.flow not in FLOW_NAMES:
            raise OptionError(f"no flow estimator is called {self.flow!r}; choose one of {', '.join(FLOW_NAMES)}")


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

    def session(self) -> Session:
        """A fresh session, for one video."""
        from devos.engine.session import Session

        return Session(self)

    def with_settings(self, **changes: int | str) -> Segmenter:
        """The same network with other settings."""
        return replace(self, settings=replace(self.settings, **changes))  # type: ignore[arg-type]


def load(model: str | Path = DEFAULT_MODEL, *, device: str = "auto", size: int = 384, memory_every: int = 5,
         bank: int = 6, flow: str = "dis") -> Segmenter:  # fmt: skip
    """A network by its name, or from a weights file.

    `model`: `devos-t`, whose weights come with the package, or the path of a .safetensors file. `device`: auto, cpu,
    cuda, cuda:1, mps. The other settings are those of `Settings`. Raises WeightsError or OptionError.

    >>> import devos
    >>> devos.load("devos-t", size=256).settings.size
    256
    """
    settings = Settings(size=size, memory_every=memory_every, bank=bank, flow=flow)
    place = choose_device(device)
    path, sha256 = find_weights(model)
    net, weights = load_weights(path, None if sha256 is None else str(model))
    if sha256 is not None and weights.sha256 != sha256:
        raise WeightsError(f"{path} is damaged: its SHA-256 is {weights.sha256[:12]}..., not {sha256[:12]}...; "
                           "install devos again")  # fmt: skip
    net = net.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Segmenter(net.requires_grad_(False), settings, place, weights)


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
