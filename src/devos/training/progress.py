"""What a run tells whoever watches, and where it writes it down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devos.data.batching import Batch
from devos.training.board import BOARD_FOLDER, Board
from devos.training.record import LOG_COLUMNS, LOG_FILE, VALIDATION_COLUMNS, VALIDATION_FILE, Table
from devos.training.trainer import Figures, Trainer


@dataclass(frozen=True)
class Progress:
    """Means over the steps since the last report, over all processes."""

    step: int
    num_steps: int
    entropy: float
    dice: float
    learning_rate: float
    seconds_per_step: float
    waiting: float
    """Share of the time in which training waited for clips."""
    j: float
    """Mean J of the training clips, at stride 4, in [0, 1]."""
    gradient_norm: float
    """Before it was clipped."""
    clips_per_s: float

    @property
    def seconds_left(self) -> float:
        """At the pace of the last steps."""
        return self.seconds_per_step * (self.num_steps - self.step)


@dataclass
class Tally:
    """What adds up between two reports."""

    begun: float = field(default_factory=time.perf_counter)
    """When it began, by `time.perf_counter`; moved on by what does not count as training."""
    steps: int = 0
    waited: float = 0.0
    """Seconds spent waiting for clips."""
    entropy: float = 0.0
    dice: float = 0.0
    j: float = 0.0
    gradient_norm: float = 0.0

    def add(self, figures: Figures, waited: float) -> None:
        """A step more, before which clips were waited for, in seconds."""
        self.steps += 1
        self.waited += waited
        self.entropy += figures.entropy
        self.dice += figures.dice
        self.j += figures.j
        self.gradient_norm += figures.gradient_norm

    def progress(self, trainer: Trainer) -> Progress:
        """The means."""
        config, spent = trainer.config, max(time.perf_counter() - self.begun, 1e-9)
        return Progress(
            trainer.step, config.num_steps, self.entropy / self.steps, self.dice / self.steps,
            config.rate_at(trainer.step - 1), spent / self.steps, self.waited / spent, self.j / self.steps,
            self.gradient_norm / self.steps, config.clips.batch_size * self.steps / spent,
        )  # fmt: skip


class Journal:
    """Where the first process writes what the run says of itself: the log, the board, and to whoever watches."""

    def __init__(self, trainer: Trainer, out: Path, watch: Callable[[Progress], None] | None, board: bool) -> None:
        self._watch = watch
        self._log = Table(out / LOG_FILE, LOG_COLUMNS, trainer.step)
        self._validations: Table | None = None
        self._validation_file, self._done = out / VALIDATION_FILE, trainer.step
        self._board = Board(out / BOARD_FOLDER, trainer.step) if board else None

    def report(self, progress: Progress) -> None:
        """A row of the log."""
        row = asdict(progress)
        self._log.add(row)
        if self._board is not None:
            self._board.add("train", {name: row[name] for name in LOG_COLUMNS[1:]}, progress.step)
        if self._watch is not None:
            self._watch(progress)

    def validated(self, scores: Mapping[str, float], step: int) -> None:
        """The figures of a validation."""
        if self._validations is None:  # a run without validation leaves no empty table
            self._validations = Table(self._validation_file, VALIDATION_COLUMNS, self._done)
        for name, value in scores.items():
            self._validations.add({"step": step, "figure": name, "value": float(value)})
        if self._board is not None:
            self._board.add("validation", scores, step)

    def clips(self, batch: Batch, figures: Figures, step: int) -> None:
        """Some clips as pictures, on the board."""
        if self._board is not None:
            self._board.add_clips(batch, figures.predicted, step)

    def close(self) -> None:
        """Write what is left."""
        if self._board is not None:
            self._board.close()
