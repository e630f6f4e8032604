"""What a video remembers, as values that are handed on: nothing here is kept in a module.

The previous frame serves ADVA; the bank serves long-term matching. The bank holds the annotated frames and then every
N-th frame, at most `max_entries`; the oldest unannotated entry leaves first, so that memory and time are constant from
the moment it is full (design, section 6). At stride 16, where most of the time goes, an older entry may be forgotten
before it is at stride 32.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from devos.model.encoder import Features
from devos.model.identity import Values

FINE_STRIDE = 16
"""Where the bank is dearest to read: four times the cells of the next stride, sixteen times the products."""
FINE = 1
"""How many entries that are not annotated are read there, unless told otherwise."""


@dataclass(frozen=True)
class Previous:
    """The frame before, as ADVA sees it. `b` images, `bg` groups of objects of those images."""

    features: Features
    probabilities: Float[Tensor, "bg slots h4 w4"]
    values: Values


@dataclass(frozen=True)
class Entry:
    """One frame of the bank: keys `b n c` and values `b n gv` of its n cells at each stride where it is read, the
    values with the groups side by side.
    """

    frame: int
    pinned: bool
    """An annotated frame; it leaves only for a newer annotated one."""
    features: Features
    """Kept so that values can be made anew when objects come or go; only strides 16 and 32 are used."""
    probabilities: Float[Tensor, "bg slots h4 w4"]
    keys: dict[int, Tensor]
    values: dict[int, Tensor]


@dataclass(frozen=True)
class Memory:
    """All that a video remembers. Empty at first."""

    previous: Previous | None = None
    entries: tuple[Entry, ...] = ()
    frame: int = -1
    """Index of the newest frame that has been seen."""
    lost: Bool[Tensor, "bg slots"] | None = None
    """Slots whose object was lost in a cut and has not been known again since; None for none."""

    def keys(self, stride: int) -> Float[Tensor, "b n c"]:
        """Every key of the bank at a stride."""
        return torch.cat([e.keys[stride] for e in self.entries if stride in e.keys], 1)

    def values(self, stride: int) -> Float[Tensor, "b n gv"]:
        """Every value of the bank at a stride."""
        return torch.cat([e.values[stride] for e in self.entries if stride in e.values], 1)

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor that is held, for counting bytes."""
        if self.previous is not None:
            yield from (*self.previous.features, self.previous.probabilities, *self.previous.values)
        for e in self.entries:
            yield from (*e.features, e.probabilities, *e.keys.values(), *e.values.values())


@runtime_checkable
class MemoryPolicy(Protocol):
    """Decides what the bank keeps. Must bound the number of entries."""

    def admits(self, memory: Memory, frame: int, pinned: bool) -> bool:
        """Whether this frame goes into the bank."""
        ...

    def kept(self, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """What stays of the entries, oldest first, once a new one has been added."""
        ...


@dataclass(frozen=True, kw_only=True)
class EveryNth:
    """Annotated frames always, and every N-th frame; the oldest unannotated one leaves first, at stride 16 sooner."""

    every: int = 5
    """A frame enters the bank every this many frames."""
    max_entries: int = 6
    """Most entries, annotated ones included. The first annotated frame is never dropped."""
    fine: int | None = None
    """Most unannotated entries that are read at stride 16 too, the newest ones; None: all."""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be at least 1 frame, got {self.every}")
        if self.max_entries < 1:
            raise ValueError(f"max_entries must be at least 1, got {self.max_entries}")
        if self.fine is not None and self.fine < 1:
            raise ValueError(f"fine must be at least 1 entry, got {self.fine}")

    def admits(self, memory: Memory, frame: int, pinned: bool) -> bool:
        """Annotated, or N frames after the newest entry, unless nothing is seen of any object: what is away for long is
        known again by what was kept of it.
        """
        if pinned or not memory.entries:
            return True
        return frame - memory.entries[-1].frame >= self.every and _shows_something(memory)

    def kept(self, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """At most `max_entries`, of which `fine` and the annotated ones have all their strides."""
        while len(entries) > self.max_entries:
            unpinned = [i for i, e in enumerate(entries) if not e.pinned]
            # All are annotated: the first one stays, for it is the surest, and the next oldest goes.
            drop = unpinned[0] if unpinned else min(1, len(entries) - 1)
            entries = entries[:drop] + entries[drop + 1 :]
        if self.fine is None:
            return entries
        newest = {e.frame for e in [e for e in entries if not e.pinned][-self.fine :]}
        return tuple(e if e.pinned or e.frame in newest else _coarse(e) for e in entries)


def _shows_something(memory: Memory) -> bool:
    """Whether some object is likelier than background somewhere on the newest frame."""
    return memory.previous is None or bool((memory.previous.probabilities[:, 0] < 0.5).any())


def _coarse(entry: Entry) -> Entry:
    """The same without what is read at stride 16."""
    keys, values = ({s: x for s, x in kept.items() if s != FINE_STRIDE} for kept in (entry.keys, entry.values))
    return replace(entry, keys=keys, values=values)
