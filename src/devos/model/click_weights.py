"""The click head's weights as safetensors: with how they were made, and which backbone they belong to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from devos.errors import WeightsError
from devos.model.clicks import ClickHead

FORMAT = 1
"""Raised when the meaning of a weight changes."""
_KEY = "devos-clicks"


def backbone_hash(backbone: nn.Module) -> str:
    """The same for backbones with the same weights in half precision."""
    digest = hashlib.sha256()
    for name, value in sorted(backbone.state_dict().items()):
        digest.update(name.encode() + value.half().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_head(tensors: dict[str, Tensor], path: Path, backbone: nn.Module, info: dict[str, Any]) -> None:
    """Write a head's weights, in half precision, whole or not at all."""
    about = {"format": FORMAT, "backbone": backbone_hash(backbone), "info": info}
    scratch = path.with_suffix(".partial")
    halves = {name: value.half().contiguous() for name, value in tensors.items()}
    save_file(halves, scratch, {_KEY: json.dumps(about, sort_keys=True)})
    scratch.replace(path)


def load_head(path: Path, backbone: nn.Module) -> tuple[ClickHead, dict[str, Any]]:
    """The head of a weights file, ready to answer, and how it was made; WeightsError if it does not belong here."""
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}; give a .safetensors file of a click head, or grabcut")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged or is no safetensors file ({error}); fetch or train it again") from error
    if about.get("format") != FORMAT:
        raise WeightsError(f"{path} holds no click head that this devos reads; give one of its own, or grabcut")
    if about.get("backbone") != backbone_hash(backbone):
        raise WeightsError(f"{path} was trained on another backbone than devos-t's; train it again, or use grabcut")
    head = ClickHead()
    try:
        head.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit the click head: {str(error).splitlines()[-1].strip()}; it was made by "
                           "another version of devos") from error  # fmt: skip
    ready = head.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ready, about["info"]
