"""What each convolution of the encoder is given, which 8-bit numbers must be fitted to.

For the backbone it was seen on pictures, once, and comes with devos: our networks of one size have the same frozen
backbone, whatever else they have learnt. Convolutions behind a norm need no pictures: the norm says how large its
results get.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from devos.model.devos import DeVOS
from devos.model.encoder import EfficientNetLite0, MobileBlock, SameConv
from devos.model.layers import ResidualBlock
from devos.whole_files import replacing

FOLDER = Path(str(importlib.resources.files("devos"))) / "weights"
"""Where the tables lie that come with devos."""
SUFFIX = ".ranges.safetensors"
_KEY = "devos"
_TOO_COARSE = ("blocks.0.depthwise",)
"""What stays float32. It looks for edges in what the stem found, which differ little from pixel to pixel: 256 numbers
are too few for them. Alone it made 4.4 of 6.6 per cent of the features' error, for 3 of 31 ms."""
_PICKED = 20_000
"""Numbers of each picture that are looked at."""
_STEPS = 255
"""Steps between the least and the greatest of 256 numbers."""
_STEM = (-127 / 128, 1.0)
"""A picture has 256 values: as the backbone takes them, all of them are exact."""
_SIGMAS = 6.0
"""A norm's result is seldom further from its middle."""
_GELU = -0.17
"""The least that GELU gives."""


@dataclass(frozen=True)
class Given:
    """What comes to one convolution, or out of one."""

    low: float
    """The least number that is told apart: all below are taken for it. At most 0."""
    high: float
    """The greatest."""
    mean: np.ndarray | None = None
    """Of each channel, where it is known."""


def calibrate(backbone: EfficientNetLite0, pictures: Iterable[Tensor]) -> dict[str, Given]:
    """What comes to every convolution of the backbone on some pictures, `1 3 h w`, RGB in [0, 1], by its name; and
    under NAME.out what comes out of those whose result is added to a shortcut.
    """
    convolutions = {name: module for name, module in backbone.named_modules() if isinstance(module, SameConv)}
    shortcuts = {f"{name}.project" for name, block in backbone.named_modules()
                 if isinstance(block, MobileBlock) and block.shortcut}  # fmt: skip
    picked: dict[str, list[Tensor]] = {}
    means: dict[str, list[Tensor]] = {}
    generator = torch.Generator().manual_seed(0)

    def look(name: str, x: Tensor) -> None:
        at = torch.randint(x.numel(), (_PICKED,), generator=generator)
        picked.setdefault(name, []).append(x.flatten()[at])
        means.setdefault(name, []).append(x.mean((0, 2, 3)))

    hooks = [module.register_forward_pre_hook(lambda _, inputs, name=name: look(name, inputs[0]))
             for name, module in convolutions.items()]  # fmt: skip
    hooks += [convolutions[name].register_forward_hook(lambda _, __, output, name=name: look(f"{name}.out", output))
              for name in shortcuts]  # fmt: skip
    try:
        with torch.inference_mode():
            for picture in pictures:
                backbone(picture)
    finally:
        for hook in hooks:
            hook.remove()
    table = {}
    for name, values in picked.items():
        low, high = _STEM if name == "stem" else _range(torch.cat(values).numpy())
        table[name] = Given(low, high, torch.stack(means[name]).mean(0).numpy())
    return table


def _range(values: np.ndarray) -> tuple[float, float]:
    """Between which limits 256 numbers stand for these with the least mean squared error: fewer, wider steps against
    what is cut off.
    """
    least, greatest = min(float(values.min()), 0.0), max(float(values.max()), 1e-3)

    def error(share: float) -> float:
        step = share * (greatest - least) / _STEPS
        near = np.clip(np.rint(values / step), np.rint(share * least / step), np.rint(share * greatest / step)) * step
        return float(np.square(values - near).mean())

    share = min(np.linspace(0.3, 1, 15), key=error)
    return float(share * least), float(share * greatest)


def backbone_sha256(backbone: nn.Module) -> str:
    """Of the weights in half precision, as they are kept."""
    digest = hashlib.sha256()
    for name, tensor in sorted(backbone.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.half().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_table(path: Path, backbone: EfficientNetLite0, table: Mapping[str, Given], source: str) -> None:
    """Write what `calibrate` found; `source` says of which pictures. The name should end in `SUFFIX`."""
    tensors = {}
    for name, given in table.items():
        assert given.mean is not None
        tensors[f"{name}.range"] = np.array([given.low, given.high], np.float32)
        tensors[f"{name}.mean"] = given.mean.astype(np.float16)
    about = {"backbone_sha256": backbone_sha256(backbone), "source": source}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {_KEY: json.dumps(about, sort_keys=True)})


def find_table(model: DeVOS) -> dict[str, Given] | None:
    """What comes to every convolution that can be done in 8-bit numbers, by its name in the network; None if nobody
    has looked at this backbone.
    """
    backbone = model.image_encoder.backbone
    if not isinstance(backbone, EfficientNetLite0):
        return None
    wanted = backbone_sha256(backbone)
    for path in sorted(FOLDER.glob(f"*{SUFFIX}")):
        try:
            with safe_open(path, framework="numpy") as file:
                if json.loads((file.metadata() or {}).get(_KEY, "{}")).get("backbone_sha256") != wanted:
                    continue
            seen = {f"image_encoder.backbone.{name}": given for name, given in _read(load_file(path))
                    if name not in _TOO_COARSE}  # fmt: skip
            return seen | dict(_behind_norms(model))
        except (SafetensorError, OSError, ValueError):  # a damaged table is none
            continue
    return None


def _read(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, Given]]:
    for key, limits in arrays.items():
        if key.endswith(".range"):
            name = key.removesuffix(".range")
            yield name, Given(float(limits[0]), float(limits[1]), arrays[f"{name}.mean"].astype(np.float32))


def _behind_norms(model: DeVOS) -> Iterator[tuple[str, Given]]:
    """The convolutions of residual blocks: a norm and GELU come before each."""
    for name, block in model.named_modules():
        if isinstance(block, ResidualBlock):
            for conv, norm in (("conv1", block.norm1), ("conv2", block.norm2)):
                high = float((_SIGMAS * norm.weight.abs() + norm.bias).detach().max())
                yield f"{name}.{conv}", Given(_GELU, max(high, 1.0))
