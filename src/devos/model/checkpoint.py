"""Weights as safetensors: strict, with the configuration, the format's version and the scores inside."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from devos.errors import WeightsError
from devos.model.config import Matching, ModelConfig
from devos.model.devos import DeVOS
from devos.model.layers import weights_to_come
from devos.whole_files import replacing

FORMAT = 1
"""Raised when the meaning of a weight changes."""
_KEY = "devos"
"""The metadata's one key; its value is JSON."""


@dataclass(frozen=True)
class Weights:
    """What a weights file holds."""

    config: ModelConfig
    tensors: dict[str, Tensor]
    info: dict[str, Any]
    """How they were made: training settings, scores."""
    sha256: str
    path: Path | None = None
    """Where they were read from."""


def save_weights(model: DeVOS, path: Path, info: dict[str, Any], *, half: bool = True) -> None:
    """Write a network's weights, whole or not at all, in half precision unless told otherwise; OutputError if the disk
    refuses.
    """
    tensors = {name: (t.half() if half and t.is_floating_point() else t).contiguous()
               for name, t in model.state_dict().items()}  # fmt: skip
    about = {"format": FORMAT, "config": asdict(model.config), "info": info}
    # One key: safetensors writes several in random order, and the same weights should be the same file.
    with replacing(path) as scratch:
        save_file(tensors, scratch, {_KEY: json.dumps(about, sort_keys=True)})


def read_weights(path: Path) -> Weights:
    """Read and check a weights file; WeightsError says what is wrong with it."""
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}; give a .safetensors file that `devos train` wrote")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged or is no safetensors file ({error}); fetch or train it again") from error
    if _KEY not in metadata:
        raise WeightsError(f"{path} holds weights of another program; give a file that `devos train` wrote")
    try:
        about = json.loads(metadata[_KEY])
        if about["format"] != FORMAT:
            raise WeightsError(
                f"{path} has format {str(about['format'])[:40]}, this devos reads {FORMAT}; use the devos that wrote it"
            )
        config, info = _config(about["config"]), about["info"]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path} describes a network that this devos cannot build ({error}); it was made by "
                           "another version of devos") from error  # fmt: skip
    return Weights(config, tensors, info, sha256, path)


def _config(fields: dict[str, Any]) -> ModelConfig:
    """Files older than `matching` have all of its parts."""
    return ModelConfig(**_tuples(fields | {"matching": Matching(**_tuples(fields.get("matching", {})))}))


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has only lists; a configuration has only tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def load_weights(path: Path, expected: str | None = None, config: ModelConfig | None = None) -> tuple[DeVOS, Weights]:
    """The network of a weights file, in evaluation mode. `expected`: the model's name, if it matters. `config`: what to
    build in place of the file's own network, of the same weights.
    """
    weights = read_weights(path)
    if expected is not None and weights.config.name != expected:
        raise WeightsError(f"{path} holds {weights.config.name}, but {expected} was asked for; "
                           f"use --model {weights.config.name} or another file")  # fmt: skip
    with weights_to_come():
        model = DeVOS(config or weights.config)
    try:
        # The network takes over what was read, unless it has whole numbers too: all that was read is floats.
        model.load_state_dict(weights.tensors, assign=all(t.is_floating_point() for t in model.state_dict().values()))
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit {weights.config.name}: {str(error).splitlines()[-1].strip()}; "
                           "it was made by another version of devos") from error  # fmt: skip
    return model.eval(), weights
