"""Ctrl-C and SIGTERM ask a run to stop: it finishes its step, writes its checkpoint, and leaves."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """The run was asked to stop, and its checkpoint is written."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        """The signal's number."""


class Stopping:
    """Whether a signal came. A second Ctrl-C, where there is one process, does not wait for the step to end."""

    def __init__(self, alone: bool) -> None:
        self.number: int | None = None
        """The signal that came; None so far."""
        self._alone = alone

    def notice(self, number: int, frame: FrameType | None) -> None:
        """What the system calls when a signal comes."""
        if self.number is not None and self._alone and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number


@contextmanager
def listening(alone: bool) -> Generator[Stopping, None, None]:
    """Notice Ctrl-C and SIGTERM inside the block; what they did before, they do again after it.

    Only a process's main thread can: in another one they keep their meaning.
    """
    stopping = Stopping(alone)
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.signal(number, stopping.notice) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
