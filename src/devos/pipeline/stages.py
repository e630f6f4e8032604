"""Work that runs side by side: an iterator read ahead by one thread, and items written by another.

Between two threads are never more than a few items: who is ahead waits, so that memory stays flat however long a video
is. Leaving the `with` of a stage, by whatever way, ends its thread before anything else happens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Any, Generic, TypeVar

_Item = TypeVar("_Item")
_POLL_S = 0.1
"""How long a wait goes on before it looks up: on Windows Ctrl-C is not heard during one."""


class _Channel(Generic[_Item]):
    """Items on their way from one thread to another, in order; at most so many at a time."""

    def __init__(self, most: int) -> None:
        self._items: deque[_Item] = deque()
        self._most = most
        self._is_finished = self._is_shut = False
        self._changed = Condition()

    def put(self, item: _Item) -> bool:
        """Wait for a place; False if nobody takes items any more."""
        with self._changed:
            while len(self._items) >= self._most and not self._is_shut:
                self._changed.wait(_POLL_S)
            if not self._is_shut:
                self._items.append(item)
                self._changed.notify_all()
            return not self._is_shut

    def get(self) -> tuple[_Item] | None:
        """Wait for the next item; None if no more will come."""
        with self._changed:
            while not (self._items or self._is_finished or self._is_shut):
                self._changed.wait(_POLL_S)
            if not self._items:
                return None
            self._changed.notify_all()
            return (self._items.popleft(),)

    def finish(self) -> None:
        """No more comes; what is on its way can still be taken."""
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()

    def shut(self) -> None:
        """No more is taken: what is on its way is dropped, and whoever waits goes on."""
        with self._changed:
            self._is_shut = True
            self._items.clear()
            self._changed.notify_all()


_AnyStage = TypeVar("_AnyStage", bound="_Stage[Any]")  # typing.Self is beyond the tests' run-time checker


class _Stage(ABC, Generic[_Item]):
    """A thread for as long as the `with` lasts, and what it failed with, if it did."""

    def __init__(self, name: str, most: int) -> None:
        self._channel: _Channel[_Item] = _Channel(most)
        self._failure: BaseException | None = None
        self._has_ended = Event()
        # a daemon, so that not even a program that is torn down in the middle of the `with` waits for it
        self._thread = Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def _work(self) -> None:
        """In the stage's own thread."""

    @abstractmethod
    def _wind_up(self) -> None:
        """Whichever way the work ended; in the stage's own thread."""

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._failure = error
        finally:
            self._wind_up()
            self._has_ended.set()

    def _raise_failure(self) -> None:
        """In the thread of whoever uses the stage: what went wrong in its own, once."""
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # else its traceback, which names this frame, and the frame would hold each other

    def _end(self, ask: Callable[[], None]) -> None:
        """Ask the thread to end, and wait until it has. Ctrl-C drops what is on its way, and is passed on only then."""
        interruption: KeyboardInterrupt | None = None
        is_over = False
        while not is_over:
            try:
                ask()
                while not self._has_ended.wait(_POLL_S):
                    pass
                self._thread.join()  # not before: to Python 3.11, a join that Ctrl-C breaks off is the thread's end
                is_over = True
            except KeyboardInterrupt as error:
                ask, interruption = self._channel.shut, error
        if interruption is not None:
            raise interruption

    def __enter__(self: _AnyStage) -> _AnyStage:
        self._thread.start()
        return self


class ReadAhead(_Stage[_Item], Iterator[_Item]):
    """A generator that another thread runs, up to `most` items ahead. An error in it comes at its item's turn.

    The thread that runs the generator also closes it, so it leaves its own `with` blocks before this one is left.
    """

    def __init__(self, source: Generator[_Item, None, None], *, most: int) -> None:
        super().__init__("devos reads ahead", most)
        self._source = source

    def __next__(self) -> _Item:
        item = self._channel.get()
        if item is None:
            self._raise_failure()
            raise StopIteration
        return item[0]

    def _work(self) -> None:
        with closing(self._source):
            for item in self._source:
                if not self._channel.put(item):
                    return
                del item  # not held while the next is made

    def _wind_up(self) -> None:
        self._channel.finish()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(self._channel.shut)


class WriteBehind(_Stage[_Item]):
    """Items that another thread writes, in order, up to `most` behind.

    Leaving the `with`, also through an error or Ctrl-C, waits until all is written. What goes wrong while writing comes
    out of the next `put`, or on leaving; unless something else went wrong first, for that is what to tell.
    """

    def __init__(self, write: Callable[[_Item], None], *, most: int) -> None:
        super().__init__("devos writes", most)
        self._write = write

    def put(self, item: _Item) -> None:
        """Have an item written; waits while too many are."""
        if not self._channel.put(item):
            self._raise_failure()

    def _work(self) -> None:
        while (item := self._channel.get()) is not None:
            self._write(item[0])
            del item  # not held while waiting for the next

    def _wind_up(self) -> None:
        self._channel.shut()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(self._channel.finish)
        if error is None:
            self._raise_failure()
