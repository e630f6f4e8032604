"""One thread that does what changes a project, one thing after the other."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import TypeVar

_Answer = TypeVar("_Answer")
_IDLE_S = 1.0


class Worker:
    """Jobs in the order in which they were given. `idle` is called now and then while there is none."""

    def __init__(self, name: str, idle: Callable[[], None]) -> None:
        self._jobs: Queue[Callable[[], None] | None] = Queue()
        self._idle = idle
        self._asked = self._current = 0
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], _Answer], *, interrupts: bool = True,
               after: Callable[[], None] = lambda: None) -> Future[_Answer]:  # fmt: skip
        """Have something done; `interrupts`: a long job that was given before gives way to it. `after` is done when the
        answer was given, if it was no error, and before any other job.
        """
        answer: Future[_Answer] = Future()
        if interrupts:
            self.stop()
        number = self._asked

        def run() -> None:
            self._current = number
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(job())
                after()
            except BaseException as error:
                if answer.done():
                    traceback.print_exc(file=sys.stderr)
                else:
                    answer.set_exception(error)

        self._jobs.put(run)
        return answer

    def stop(self) -> None:
        """End the long jobs that were given until now."""
        self._asked += 1

    @property
    def is_stopped(self) -> bool:
        """To the job that is being done: whether it is to end, having kept what it did."""
        return self._current != self._asked

    def close(self) -> None:
        """End what is being done, and the thread."""
        self.stop()
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE_S)
            except Empty:
                with suppress(Exception):
                    self._idle()
                continue
            if job is None:
                return
            job()
