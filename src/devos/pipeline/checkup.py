"""Look over an installation: what is there, what is wrong, and what to do about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import av
import torch

from devos.engine.segmenter import DEFAULT_MODEL, choose_device, released_weights
from devos.errors import DevosError
from devos.model.checkpoint import load_weights
from devos.pipeline.demo import demo_clip
from devos.pipeline.versions import package_version, versions

_DECODERS = {"h264": "H.264", "hevc": "HEVC", "vp9": "VP9", "av1": "AV1", "prores": "ProRes", "mpeg4": "MPEG-4"}
_EXTRAS = {
    "transformers": "only devos-b and devos-l need it: pip install 'devos[backbones]'",
    "openvino": "only --runtime openvino needs it: pip install 'devos[openvino]'",
    "torchvision": "only --flow raft needs it: pip install torchvision",
}


class State(Enum):
    """How it stands with one thing."""

    OK = "ok"
    ABSENT = "absent"
    """Not there, but not needed for the main job."""
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    remedy: str = ""
    """What to do; empty where nothing need be done."""

    @property
    def is_wrong(self) -> bool:
        """Whether the main job will fail."""
        return self.state is State.WRONG


def check_everything() -> list[Finding]:
    """Every finding, in the order in which a person would ask."""
    return [*_packages(), _device(), _threads(), _encoder(), _decoders(), *_weights(), _demo(), *_extras()]


def _packages() -> Iterator[Finding]:
    for name, version in versions().items():
        missing = version == "not installed"
        state = State.WRONG if missing else State.OK
        yield Finding(name, state, version, "install devos again: pip install --force-reinstall devos" * missing)


def _device() -> Finding:
    device = choose_device("auto")
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    return Finding("device", State.OK, f"{device}{name}; chosen with --device")


def _threads() -> Finding:
    return Finding("threads", State.OK, f"{torch.get_num_threads()} of {os.cpu_count()} CPUs; set by OMP_NUM_THREADS")


def _encoder() -> Finding:
    if "libx264" in av.codecs_available:
        return Finding("overlay", State.OK, "H.264 (libx264)")
    if "mpeg4" in av.codecs_available:
        return Finding("overlay", State.ABSENT, "MPEG-4 instead of H.264, which not every player shows well",
                       "install PyAV's own wheels: pip install --force-reinstall av")  # fmt: skip
    return Finding("overlay", State.WRONG, "PyAV can write neither H.264 nor MPEG-4",
                   "install PyAV's own wheels: pip install --force-reinstall av")  # fmt: skip


def _decoders() -> Finding:
    there = [title for name, title in _DECODERS.items() if name in av.codecs_available]
    if "H.264" in there:
        return Finding("videos", State.OK, f"reads {', '.join(there)}, and others")
    return Finding("videos", State.WRONG, f"PyAV reads no H.264 (only {', '.join(there) or 'nothing usual'})",
                   "install PyAV's own wheels: pip install --force-reinstall av")  # fmt: skip


def _weights() -> Iterator[Finding]:
    released = released_weights()
    if DEFAULT_MODEL not in released:
        yield Finding(DEFAULT_MODEL, State.WRONG, "its weights are not in the package",
                      "install devos again, or give a weights file with --model")  # fmt: skip
    for name, (path, sha256) in released.items():
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            yield Finding(name, State.WRONG, f"{path}: {error.strerror}", "install devos again")
            continue
        if found != sha256:
            yield Finding(name, State.WRONG, f"{path}: damaged (SHA-256 {found[:12]}..., should be {sha256[:12]}...)",
                          "install devos again: pip install --force-reinstall devos")  # fmt: skip
            continue
        try:
            load_weights(path, name)
        except DevosError as error:
            yield Finding(name, State.WRONG, str(error), "install devos again")
            continue
        yield Finding(name, State.OK, f"{path} (SHA-256 {sha256[:12]}... as it should be)")


def _demo() -> Finding:
    missing = [path for path in demo_clip() if not path.is_file()]
    if missing:
        return Finding("demo clip", State.ABSENT, f"{missing[0]} is not there", "install devos again")
    return Finding("demo clip", State.OK, str(demo_clip()[0]))


def _extras() -> Iterator[Finding]:
    for name, remedy in _EXTRAS.items():
        version = package_version(name)
        yield Finding(name, State.OK, version) if version else Finding(name, State.ABSENT, "not installed", remedy)
