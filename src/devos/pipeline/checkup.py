"""Look over an installation: what is there, what is wrong, and what to do about it."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import av
import torch

from devos.engine.segmenter import DEFAULT_MODEL, choose_device, released_weights
from devos.errors import DevosError
from devos.extras import fits, install, installed, missing, pip_install, reinstall, requirements
from devos.model.checkpoint import load_weights
from devos.pipeline.demo import demo_clip

_DECODERS = {"h264": "H.264", "hevc": "HEVC", "vp9": "VP9", "av1": "AV1", "prores": "ProRes", "mpeg4": "MPEG-4"}
_EXTRAS = {
    "backbones": "devos-b and devos-l need it",
    "train": "training needs it: curves, and the backbone's weights of a start from nothing",
    "coco": "training on COCO needs it",
    "raft": "--flow raft needs it",
    "app": "devos app needs it",
    "cluster": "devos batch --cluster needs it",
}
"""What for, of each extra that a user may want."""


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
    yield Finding("python", State.OK, platform.python_version())
    for one in requirements():
        version = installed(one)
        if fits(one, version):
            yield Finding(one.name, State.OK, str(version))
        else:
            found = "not installed" if version is None else f"{version}, and devos needs {one.specifier}"
            yield Finding(one.name, State.WRONG, found, pip_install(f"{one.name}{one.specifier}"))


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
                       f"install PyAV's own wheels: {pip_install('--force-reinstall', '--no-deps', 'av')}")  # fmt: skip
    return Finding("overlay", State.WRONG, "PyAV can write neither H.264 nor MPEG-4",
                   f"install PyAV's own wheels: {pip_install('--force-reinstall', '--no-deps', 'av')}")  # fmt: skip


def _decoders() -> Finding:
    there = [title for name, title in _DECODERS.items() if name in av.codecs_available]
    if "H.264" in there:
        return Finding("videos", State.OK, f"reads {', '.join(there)}, and others")
    return Finding("videos", State.WRONG, f"PyAV reads no H.264 (only {', '.join(there) or 'nothing usual'})",
                   f"install PyAV's own wheels: {pip_install('--force-reinstall', '--no-deps', 'av')}")  # fmt: skip


def _weights() -> Iterator[Finding]:
    released = released_weights()
    if DEFAULT_MODEL not in released:
        yield Finding(DEFAULT_MODEL, State.WRONG, "its weights are not in the package",
                      reinstall())  # fmt: skip
    for name, (path, sha256) in released.items():
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            yield Finding(name, State.WRONG, f"{path}: {error.strerror}", reinstall())
            continue
        if found != sha256:
            yield Finding(name, State.WRONG, f"{path}: damaged (SHA-256 {found[:12]}..., should be {sha256[:12]}...)",
                          reinstall())  # fmt: skip
            continue
        try:
            load_weights(path, name)
        except DevosError as error:
            yield Finding(name, State.WRONG, str(error), reinstall())
            continue
        yield Finding(name, State.OK, f"{path} (SHA-256 {sha256[:12]}... as it should be)")


def _demo() -> Finding:
    missing = [path for path in demo_clip() if not path.is_file()]
    if missing:
        return Finding("demo clip", State.ABSENT, f"{missing[0]} is not there", reinstall())
    return Finding("demo clip", State.OK, str(demo_clip()[0]))


def _extras() -> Iterator[Finding]:
    """What only some need, a line for each package."""
    for extra, purpose in _EXTRAS.items():
        absent = missing(extra)
        for one in requirements(extra):
            if one not in absent:
                yield Finding(one.name, State.OK, f"{installed(one)}; optional")
        if absent:
            names = ", ".join(one.name for one in absent)
            yield Finding(extra, State.ABSENT, f"{names} not installed; optional: {purpose}", install(extra))
