"""Everything that answers clicks, by name."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import torch

from devos.engine.grabcut import GrabCut
from devos.engine.head import HeadModel
from devos.engine.marker import ClickModel, Marker
from devos.engine.sam import load_sam
from devos.engine.segmenter import DEFAULT_MODEL, choose_device, find_weights
from devos.errors import OptionError
from devos.model.checkpoint import load_weights
from devos.model.click_weights import load_head

CLICK_MODELS = ("auto", "clicks", "grabcut")
"""The names that `load_marker` knows."""
_HEAD_FILE = "clicks.safetensors"


def load_marker(model: str | Path = "auto", *, device: str = "auto") -> Marker:
    """What marks objects by clicks, a box and the mask so far.

    `model`: `clicks`, the small network that comes with devos; `grabcut`, which needs none; `auto`, the first of them
    that is there; the path of a click head's .safetensors file; or `ENCODER.onnx,DECODER.onnx`, a SAM-family pair.
    Raises WeightsError or OptionError.

    >>> import devos
    >>> devos.load_marker("grabcut").model.name
    'grabcut'
    """
    return Marker(_click_model(str(model), device))


def _click_model(name: str, device: str) -> ClickModel:
    shipped = shipped_head()
    if name == "grabcut" or (name == "auto" and not shipped.is_file()):
        return GrabCut()
    if name in ("auto", "clicks"):
        return _load_head(shipped, choose_device(device))
    if name.endswith(".onnx"):
        paths = [Path(part.strip()) for part in name.split(",")]
        if len(paths) != 2:
            raise OptionError(f"a SAM-family pair is ENCODER.onnx,DECODER.onnx; got {name!r}")
        return load_sam(*paths)
    if name.endswith(".safetensors"):
        return _load_head(Path(name), choose_device(device))
    raise OptionError(f"no click model is called {name!r}; choose {', '.join(CLICK_MODELS)}, a .safetensors file, or "
                      "ENCODER.onnx,DECODER.onnx")  # fmt: skip


def shipped_head() -> Path:
    """Where the weights of the head lie that comes with devos."""
    return Path(str(importlib.resources.files("devos"))) / "weights" / _HEAD_FILE


def _load_head(path: Path, device: torch.device) -> HeadModel:
    """The head of a file and devos-t's backbone, which is the same in all of its weights."""
    net, _ = load_weights(find_weights(DEFAULT_MODEL)[0])
    backbone = net.image_encoder.backbone.requires_grad_(False)
    head, _ = load_head(path, backbone)
    backbone = backbone.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return HeadModel(backbone, head.to(device), device)
