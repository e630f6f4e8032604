"""Where things are kept that can be made again: in a cache of the user's own, which may be removed at any time."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path


def user_cache(what: str) -> Path:
    """The folder `what` in $DEVOS_CACHE, else in $XDG_CACHE_HOME/devos, else in ~/.cache/devos; it need not be there.

    An $XDG_CACHE_HOME that is no absolute path counts as none, as its specification asks.
    """
    own, common = os.environ.get("DEVOS_CACHE", ""), os.environ.get("XDG_CACHE_HOME", "")
    if own:
        return Path(own).absolute() / what
    return (Path(common) if Path(common).is_absolute() else Path.home() / ".cache") / "devos" / what


@functools.cache
def source_hash(*patterns: str) -> str:
    """The hash of the source files that these patterns find below `devos`: what is kept is of that source, so that no
    change to it can be forgotten.
    """
    digest = hashlib.sha256()
    for pattern in patterns:
        paths = sorted(Path(__file__).parent.glob(pattern))
        assert paths, f"no source at {pattern}: what is kept could not be told from that of another version"
        for path in paths:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
