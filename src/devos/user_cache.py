"""Where things are kept that can be made again: in a cache of the user's own, which may be removed at any time."""

from __future__ import annotations

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
