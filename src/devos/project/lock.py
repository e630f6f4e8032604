"""One writer at a time. The system lets go of the lock when its holder ends, however that comes about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from devos.errors import OutputError
from devos.io.files import output_error


@contextmanager
def locked(path: Path, what: Path) -> Iterator[None]:
    """Hold the lock of a folder `what` for as long as the `with` lasts; OutputError if somebody else does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        raise OutputError(f"{what}: another devos is writing there; wait until it has ended, or name another "
                          "folder") from None  # fmt: skip
    except OSError as error:
        raise output_error(path, error) from error
    try:
        yield
    finally:
        lock.release()
