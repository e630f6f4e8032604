"""Batches made beside training, by processes that end with it, whatever ends it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from devos.data.batching import Batch, Batches
from devos.errors import DevosError, InputError

_ENDS_WITHIN_S = 2.0
"""How long a process that makes clips may take to end when it is asked to, before it is killed."""
_LOST = "DataLoader worker (pid"
"""How torch begins to tell that such a process has gone."""


class FeedingError(DevosError):
    """A process that makes clips was ended from outside."""


@contextmanager
def feeding(batches: Batches, start: int, workers: int) -> Generator[Iterator[Batch], None, None]:
    """The batches from number `start` on, made by so many processes; by this one if there are none.

    What goes wrong in those processes is raised here in its own words: DevosError, InputError for a file that the
    system does not give, FeedingError for a process that is killed, from wherever the block is. When the block is left,
    by an error too, they are gone.
    """
    if workers:
        # A process that is forked while OpenCV's threads exist waits for them forever.
        cv2.setNumThreads(1)
    over = multiprocessing.Event()
    others = set(multiprocessing.active_children())
    loader = DataLoader(
        _Careful(batches), batch_size=None, sampler=range(start, len(batches)), num_workers=workers,
        worker_init_fn=partial(_begin_worker, over), prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # else each resumption would draw from the run's own chance
    )  # fmt: skip
    try:
        yield _opened(iter(loader))
    except RuntimeError as error:
        if str(error).startswith(_LOST):  # torch says it at any moment, from the handler of a signal
            raise FeedingError(
                f"a process that makes clips was ended by the system ({_why(error)}), most often for lack of memory; "
                "the same command goes on from the last checkpoint: give fewer --workers, or a smaller --size"
            ) from error
        raise
    finally:
        over.set()
        _end(set(multiprocessing.active_children()) - others)


class _Careful(Dataset[Any]):
    """Gives an error instead of raising it: raised in another process, it would come with a traceback for a message."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch | Exception:
        try:
            return self._batches[index]
        except DevosError as error:
            return error
        except (OSError, MemoryError) as error:
            why = str(error) or type(error).__name__
            return InputError(f"the clips of step {index} cannot be made ({why}); see that all data can be read and "
                              "that memory is left")  # fmt: skip


def _opened(items: Iterator[Batch | Exception]) -> Iterator[Batch]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


def _begin_worker(over: Event, _: int) -> None:
    # Ctrl-C reaches every process of a terminal, and torchrun's SIGTERM too: the step at work still needs its clips.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, partial(_leave, over))
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _leave(over: Event, number: int, frame: FrameType | None) -> None:
    """Only the training process's own SIGTERM ends this one, at once and quietly."""
    if over.is_set():
        os._exit(0)


def _end(processes: set[Any]) -> None:
    """Ask, wait, insist. A process that is still inside a system call for a file, say, is killed."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_ENDS_WITHIN_S)
        if process.is_alive():
            with suppress(RuntimeError):  # torch's, at the sight of it
                process.kill()
                process.join(_ENDS_WITHIN_S)


def _why(error: RuntimeError) -> str:
    """Torch's words, without those for programmers."""
    return str(error).split(". ")[0].removeprefix("DataLoader ").rstrip(".")
