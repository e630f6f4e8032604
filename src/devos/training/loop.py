"""The training loop: batches in, checkpoints and weights out. A resumed run equals an uninterrupted one."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from devos.data.batching import Batch, Batches
from devos.model.checkpoint import save_weights
from devos.model.devos import DeVOS
from devos.training.bad_batch import BAD_BATCH_FILE, save_bad_batch
from devos.training.checkpoints import CHECKPOINT_FILE, save_checkpoint
from devos.training.feeding import feeding
from devos.training.progress import Journal, Progress, Tally
from devos.training.stopping import Stopped, Stopping, listening
from devos.training.trainer import DivergedError, Figures, Trainer
from devos.training.unroll import unroll
from devos.whole_files import make_folder

__all__ = ["BAD_BATCH_FILE", "CHECKPOINT_FILE", "Progress", "Stopped", "Trainer", "Validate", "train", "unroll"]

CHECKPOINT_S = 60.0
"""A checkpoint is at most about so old, in seconds, however long a step takes."""
_SAVING_SHARE = 0.02
"""Most of the time that is spent to write checkpoints for the clock's sake."""

Validate = Callable[[DeVOS, int], Mapping[str, float]]
"""Scores, by name, of a network with the averaged weights (on the CPU) after a step."""


def train(trainer: Trainer, batches: Batches, out: Path, *, workers: int = 1,
          watch: Callable[[Progress], None] | None = None, validate: Validate | None = None,
          board: bool = False) -> Path:  # fmt: skip
    """Run to the end, or until stopped; `out/checkpoint.pt` is at most `checkpoint_every` steps, or about a
    minute, old. Returns a path.

    `batches`: this process's share of each batch, made by `workers` processes of its own. The first process writes the
    log and, with `board`, curves for tensorboard, calls `watch` at each report, and `validate` every `validate_every`
    steps. Raises Stopped after Ctrl-C or SIGTERM, DivergedError where a loss is no number.
    """
    make_folder(out)
    journal = Journal(trainer, out, watch, board) if trainer.world.first else None
    try:
        with listening(alone=trainer.world.size == 1) as stopping:
            _Loop(trainer, out, journal, validate).run(batches, workers, stopping)
    finally:
        if journal is not None:
            journal.close()
    return _save_average(trainer, out / f"{trainer.config.model.name}.safetensors")


class _Loop:
    """Steps, and what is due after each."""

    def __init__(self, trainer: Trainer, out: Path, journal: Journal | None, validate: Validate | None) -> None:
        self._trainer, self._out, self._journal, self._validate = trainer, out, journal, validate
        self._saved, self._saved_at, self._saving_s = trainer.step, time.monotonic(), 0.0
        self._tally = Tally()

    def run(self, batches: Batches, workers: int, stopping: Stopping) -> None:
        """Every step that is left."""
        trainer = self._trainer
        try:
            with feeding(batches, trainer.step, workers) as fed:
                for batch, waited in _timed(fed):
                    self._take(batch, waited, batches, stopping)
        except BaseException:
            # Several processes save together or not at all, and this one may be alone in its trouble.
            if trainer.steady and trainer.world.size == 1:
                self._save()
            raise

    def _take(self, batch: Batch, waited: float, batches: Batches, stopping: Stopping) -> None:
        """One step, and what is due after it."""
        trainer = self._trainer
        try:
            figures = trainer.run_step(batch, stop=stopping.number is not None, due=self._is_due())
        except DivergedError as error:
            self._save()
            raise save_bad_batch(error, trainer, batch, batches, self._out) from error
        self._tally.add(figures, waited)
        self._after_step(batch, figures)
        alone = trainer.world.size == 1  # then nobody else has to hear of it first
        asked = figures.stop or (alone and stopping.number is not None)
        if asked and trainer.step < trainer.config.num_steps:
            self._save()
            raise Stopped(stopping.number or signal.SIGTERM)

    def _after_step(self, batch: Batch, figures: Figures) -> None:
        """The checkpoint comes last: what a killed run does again, it does from before all of this."""
        config, step, journal = self._trainer.config, self._trainer.step, self._journal
        last = step == config.num_steps
        if last or step % config.log_every == 0:
            if journal is not None:
                journal.report(self._tally.progress(self._trainer))
            self._tally = Tally()
        begun = time.perf_counter()
        if journal is not None and (last or step % config.pictures_every == 0):
            journal.clips(batch, figures, step)
        if self._validate is not None and (last or step % config.validate_every == 0):
            averaged = self._trainer.averaged()
            if journal is not None:
                journal.validated(self._validate(averaged, step), step)
        if step % config.snapshot_every == 0 and not last:  # the last one would be the run's weights once more
            _save_average(self._trainer, self._out / f"{config.model.name}-{step:06d}.safetensors")
        if last or figures.due or step % config.checkpoint_every == 0:
            self._save()
        self._tally.begun += time.perf_counter() - begun

    def _is_due(self) -> bool:
        """Whether the last checkpoint is old, by the clock: a minute, or more where it takes long to write one."""
        return time.monotonic() - self._saved_at > max(CHECKPOINT_S, self._saving_s / _SAVING_SHARE)

    def _save(self) -> None:
        """The state of this step, unless it is on the disk already."""
        if self._saved == self._trainer.step:
            return
        begun = time.monotonic()
        state = self._trainer.state()
        if self._trainer.world.first:
            save_checkpoint(state, self._out / CHECKPOINT_FILE)
        self._saved, self._saved_at = self._trainer.step, time.monotonic()
        self._saving_s = self._saved_at - begun


def _save_average(trainer: Trainer, path: Path) -> Path:
    averaged = trainer.averaged()
    if trainer.world.first:
        save_weights(averaged, path, {"step": trainer.step, "train": asdict(trainer.config), "origin": trainer.origin})
    return path


def _timed(items: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each item, and how long it was waited for."""
    begun = time.perf_counter()
    for item in items:
        yield item, time.perf_counter() - begun
        begun = time.perf_counter()
