"""What is said of an error that ends a command, and by which process."""

from __future__ import annotations

import errno
import os
import sys

from devos.errors import DevosError, ListedError, is_out_of_memory, shortened

_SILENT = "AnotherFailedError"
_LONGEST = 1200
"""Characters of a line."""


def explain(error: Exception) -> str | None:
    """The words for what the user can mend, in one line but where there is a list to show; None for a bug."""
    if isinstance(error, ListedError):
        return str(error)
    if isinstance(error, DevosError):
        return _one_line(error)
    if is_out_of_memory(error):
        return ("out of memory; close other programs, give a smaller --size or, for training, more parts with "
                "--accumulate")  # fmt: skip
    if isinstance(error, OSError) and error.errno not in (None, errno.EPIPE):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; see that it is there, may be read and written, and that the disk is not full"
    return None


def is_told_elsewhere(error: Exception) -> bool:
    """Whether another process of several says it: the one that failed first."""
    return type(error).__name__ == _SILENT


def leave_others(code: int) -> None:
    """One of several processes ends at once: what it has joined with others might wait for them."""
    if _num_processes() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _num_processes() -> int:
    number = os.environ.get("WORLD_SIZE", "1")
    return int(number) if number.isdigit() else 1


def _one_line(error: Exception) -> str:
    """Its words; the middle of what is too long to be read is left out, as where a damaged file is quoted."""
    return shortened(" ".join(str(error).split()), _LONGEST)
