"""Several processes that train one network end together: the one that fails first says why, the others are silent.

Each of them leaves word where torchrun's processes meet, and looks there every second for that of others: one that
waits for a failed one's gradients, on a GPU perhaps for hours, would not hear of it otherwise.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta

from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from devos.errors import DevosError

_FAILED = "failed"
_LOOKS_EVERY_S = 1.0
_GRACE_S = 10.0
"""How long a process may take to end by itself once another has failed."""
_BAD_INPUT = 2
_GONE = re.compile("peer|Connection|gloo|NCCL|broken pipe|timed out", re.IGNORECASE)
"""What torch says where another process has gone."""


class AnotherFailedError(DevosError):
    """Another process of the run has failed, and has said why: this one has nothing to add."""


class Word:
    """Which process failed first, as all of them can read it."""

    def __init__(self, rank: int, size: int) -> None:
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(address, port, size, is_master=False, timeout=timedelta(seconds=60))
        # Torchrun may start a run again with the same store.
        self._store = PrefixStore(f"devos/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        self._rank = rank

    def leave(self) -> bool:
        """Say that this process has failed; whether it is the first to."""
        with suppress(RuntimeError):
            return bool(self._store.add(_FAILED, 1) == 1)
        return self._rank == 0  # nobody is there to hear it

    def is_left(self) -> bool:
        """Whether a process has failed, this one or another."""
        return bool(self._store.add(_FAILED, 0) > 0)


@contextmanager
def ending_together(rank: int, size: int) -> Generator[None, None, None]:
    """Inside, the error of one process becomes AnotherFailedError in all others, within seconds; one that cannot hear
    of it is ended.
    """
    word, done = Word(rank, size), threading.Event()
    threading.Thread(target=_listen, args=(word, done), daemon=True).start()
    try:
        yield
    except Exception as error:
        done.set()
        first = word.leave()
        if not first:
            raise AnotherFailedError("another process of this run has failed") from error
        if isinstance(error, RuntimeError) and _GONE.search(str(error)):
            raise DevosError("another process of this run has gone without a word, killed perhaps for lack of memory; "
                             "the same command goes on from the last checkpoint") from error  # fmt: skip
        raise
    finally:
        done.set()


def _listen(word: Word, done: threading.Event) -> None:
    while not done.wait(_LOOKS_EVERY_S):
        try:
            failed = word.is_left()
        except RuntimeError:  # whoever kept the word is gone, and with it the run
            failed = True
        if failed:
            if not done.wait(_GRACE_S):
                os._exit(_BAD_INPUT)
            return
