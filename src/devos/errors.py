"""What can go wrong, as one small tree.

    DevosError                 anything that the person at the keyboard can mend; exit code 2
    +-- InputError             a video, a frame, a mask or a folder is not what was expected
    |   +-- VideoError         not there, not a video, empty, or a frame of it cannot be read
    |   +-- MaskError          not a mask, of another size, empty, or for a frame that is not there
    |   |   +-- SoftEdgesError    its edges are soft (anti-aliased)
    |   +-- ListedError        a data set does not lie as expected, or much of it is wrong: several lines, shown as such
    +-- OutputError            the place to write to is taken, full or not writable
    +-- WeightsError           weights are missing, damaged, or of another model
    +-- OptionError            two options exclude each other, or a value is out of range

What goes away in a later version is told by `deprecated`, and by nothing else.

Every message says what was found, what is accepted, and what to do. `ValueError` is for a programmer's bad
argument, `assert` for our own mistakes; neither is caught by the commands.
"""

from __future__ import annotations

import errno
import warnings


class DevosError(Exception):
    """Anything that the person at the keyboard can mend."""


class InputError(DevosError):
    """A video, a frame, a mask or a folder is not what was expected."""


class VideoError(InputError):
    """A video is not there, is not a video, is empty, or a frame of it cannot be read."""


class MaskError(InputError):
    """A mask is not a mask, has another size, is empty, or belongs to no frame."""


class SoftEdgesError(MaskError):
    """A mask has soft (anti-aliased) edges: values that mean no object."""


class ListedError(InputError):
    """A message that is a tree or a list of what was found; its lines are shown as they are."""


class OutputError(DevosError):
    """The place to write to is taken, full or not writable."""


class WeightsError(DevosError):
    """Weights are missing, damaged, or belong to another model."""


class OptionError(DevosError):
    """Two options exclude each other, or a value is out of range."""


class DevosDeprecationWarning(FutureWarning):
    """Something is used that goes away; shown to everybody, for it is the user who must change a line."""


def deprecated(old: str, new: str, *, gone_in: str) -> None:
    """Say that `old` still works and goes away with the version `gone_in`, and what to write in its place.

    To be called where it is used, by the function that the user called. A test fails once that version is here.
    """
    warnings.warn(f"{old} goes away with devos {gone_in}; {new} does the same", DevosDeprecationWarning, stacklevel=3)


def shortened(text: str, most: int) -> str:
    """The same; the middle of what is longer than so many characters is left out."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


_NO_MEMORY = ("can't start new thread", "can't allocate memory", "annot allocate memory", "failed to map segment",
              "bad_alloc", "bad allocation")  # fmt: skip
"""How Python, torch, the loader of libraries and C++ say so, in errors of other kinds."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the system gave no memory, or no thread, which takes some; whatever library says so."""
    if isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.EAGAIN):
        return True
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # the last is torch's
    return named or (not isinstance(error, DevosError) and any(words in str(error) for words in _NO_MEMORY))
