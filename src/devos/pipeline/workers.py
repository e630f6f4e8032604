"""Processes of our own that each do one thing at a time; one that is killed costs only what it was doing.

A worker computes with its share of the threads, and sends what it has to tell as it goes. It ends with whoever started
it. This module loads nothing heavy: the share must be known before torch is loaded.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType, ModuleType
from typing import Any

_PATIENCE = 20.0
"""Seconds that a worker has to end what it does before it is killed."""

Tell = Callable[[Any], None]
Task = Callable[[Any, Tell], Any]
"""Does one thing, and may tell of it as it goes; a function of a module, for another process."""


@dataclass(frozen=True)
class Told:
    """What a worker has to tell of a thing that it does."""

    item: Any
    value: Any


@dataclass(frozen=True)
class Ended:
    """A thing was done, and this came of it."""

    item: Any
    value: Any


@dataclass(frozen=True)
class Died:
    """The worker ended without an answer: killed by a signal, or by the system when memory ran out."""

    item: Any
    reason: str


def do_all(task: Task, items: Iterable[Any], workers: int, threads: int) -> Iterator[Told | Ended | Died]:
    """Do `task` to every item, `workers` at a time; what they tell, as it comes. Leaving the iteration stops them."""
    waiting = list(items)[::-1]
    idle: list[_Worker] = []
    busy: dict[Connection, _Worker] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                worker = idle.pop() if idle else _Worker(task, threads)
                busy[worker.connection] = worker
                worker.begin(waiting.pop())
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                said = worker.hear()
                if not isinstance(said, Told):
                    del busy[worker.connection]
                    if isinstance(said, Ended):
                        idle.append(worker)
                yield said
    finally:
        _stop([*idle, *busy.values()])


class _Worker:
    def __init__(self, task: Task, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, task, threads), daemon=True)
        with _deaf_to_interrupts(), _without_the_program():
            self.process.start()
        theirs.close()  # so that the end of the worker is the end of the connection
        self.item: Any = None

    def begin(self, item: Any) -> None:
        self.item = item
        with suppress(OSError):  # one that is dead by now is found so when it is listened to
            self.connection.send(item)

    def hear(self) -> Told | Ended | Died:
        try:
            is_over, value = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(_PATIENCE)
            return Died(self.item, _how_it_died(self.process.exitcode))
        return Ended(self.item, value) if is_over else Told(self.item, value)


def _how_it_died(code: int | None) -> str:
    if code is None or code >= 0:
        return f"its worker ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"its worker was killed ({name}{', as when memory runs out' if name == 'SIGKILL' else ''})"


def _stop(workers: list[_Worker]) -> None:
    """As Ctrl-C would: what they have done stays whole. Those that do not end are killed."""
    for worker in workers:
        if worker.process.is_alive():
            worker.process.terminate()
    for worker in workers:
        _drain(worker)
        worker.process.join(_PATIENCE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()


def _drain(worker: _Worker) -> None:
    """Hear the rest, so that nothing waits for us to listen."""
    with suppress(EOFError, OSError):
        while worker.connection.poll(_PATIENCE):
            worker.connection.recv()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; what begins here is to leave it to the one that began it."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread: the workers ignore it a moment later
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _without_the_program() -> Iterator[None]:
    """A worker loads what its task needs, and does not run the user's own program a second time, as it would by itself;
    so that needs no `if __name__ == "__main__"`.
    """
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


# in the other process


def _serve(connection: Connection, task: Task, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    take_share(threads)

    def tell(value: Any) -> None:
        try:
            connection.send((False, value))
        except OSError:  # whoever listened is gone: killed, maybe
            raise KeyboardInterrupt from None

    with suppress(KeyboardInterrupt, EOFError, OSError):
        while True:
            connection.send((True, task(connection.recv(), tell)))


def take_share(threads: int) -> None:
    """Compute with so many threads from here on."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
