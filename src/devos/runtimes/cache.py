"""Graphs are made once for each network and kept in the user's cache."""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

import torch

from devos.errors import OutputError
from devos.model.devos import DeVOS
from devos.runtimes.calibration import SUFFIX
from devos.runtimes.export import MANIFEST, Exact, write_graphs
from devos.runtimes.graphs import INPUTS
from devos.runtimes.sampling import Sampling
from devos.user_cache import user_cache
from devos.whole_files import output_error

_log = logging.getLogger(__name__)

_SOURCES = ("model/*.py", "runtimes/graphs.py", "runtimes/sampling.py", "runtimes/export.py",
            "runtimes/calibration.py", "runtimes/int8.py", f"weights/*{SUFFIX}")  # fmt: skip
"""What graphs depend on beside the weights and torch."""
_KEPT = 8
"""Folders of graphs, of about 20 MB each, that stay however long ago they were used."""
_DAY = 24 * 3600


def cache_folder() -> Path:
    """Where graphs are kept."""
    return user_cache("graphs")


def cached_graphs(model: DeVOS, weights_sha256: str, sampling: Sampling, precision: Exact = "float32") -> Path:
    """The folder of a network's graphs, made now if they are not there or damaged; where the cache cannot be written,
    for this process alone. OutputError if that cannot be either.
    """
    name = f"{model.config.name}-{_key(weights_sha256, sampling, precision)}"
    try:
        return _made(cache_folder() / name, model, weights_sha256, sampling, precision)
    except OutputError as error:
        _log.warning("graphs are made for this run alone: %s", error)
        return _made(_own_folder() / name, model, weights_sha256, sampling, precision)


@functools.cache
def _own_folder() -> Path:
    """A folder that goes with this process."""
    try:
        path = Path(tempfile.mkdtemp(prefix="devos-graphs-"))
    except OSError as error:
        raise output_error(Path(tempfile.gettempdir()), error) from error
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _made(folder: Path, model: DeVOS, weights_sha256: str, sampling: Sampling, precision: Exact) -> Path:
    if not _is_whole(folder):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            write_graphs(model, folder, sampling=sampling, precision=precision, weights_sha256=weights_sha256)
        except Exception:
            if not _is_whole(folder):  # another process may have been first
                raise
        with contextlib.suppress(OSError):  # another process may be at it too
            _forget_old(folder.parent)
    with contextlib.suppress(OSError):  # a cache that may only be read
        os.utime(folder)
    return folder


def _forget_old(cache: Path) -> None:
    """Remove graphs of networks that are not used any more: all but the newest few, none of the last day."""
    used = {path: path.stat().st_mtime for path in cache.iterdir() if (path / MANIFEST).is_file()}
    newest_first = sorted(used, key=lambda path: used[path], reverse=True)
    for path in newest_first[_KEPT:]:
        if time.time() - used[path] > _DAY:
            shutil.rmtree(path, ignore_errors=True)


def _key(weights_sha256: str, sampling: Sampling, precision: Exact) -> str:
    depends = [weights_sha256, sampling, precision, str(torch.__version__), _sources()]
    return hashlib.sha256("\n".join(depends).encode()).hexdigest()[:20]


@functools.cache
def _sources() -> str:
    """A hash of the code that makes the graphs: changed code finds no old ones."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in package.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_whole(folder: Path) -> bool:
    """Whether every graph is there, byte for byte."""
    try:
        graphs = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["graphs"]
        files = {folder / graph["file"]: graph["sha256"] for graph in graphs.values()}
        return files.keys() >= {folder / f"{name}.onnx" for name in INPUTS} and all(
            hashlib.sha256(path.read_bytes()).hexdigest() == sha256 for path, sha256 in files.items()
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return False
