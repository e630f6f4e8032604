"""What was found wrong with a data set before training: named, counted, listed; nothing is replaced in silence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from devos.errors import ListedError


class Kind(StrEnum):
    """What can be wrong, in the words of the list."""

    NO_PICTURES = "no pictures"
    NO_MASKS = "no masks"
    STRAY_MASKS = "masks that belong to no frame"
    BAD_PICTURE = "a picture cannot be read"
    BAD_MASK = "a mask cannot be read"
    COLOUR_MASK = "a mask is a colour picture, not ids"
    SOFT_EDGES = "a mask has soft (anti-aliased) edges"
    TWINS = "two files are for one frame"
    BAD_ENTRY = "entries that are left out by themselves"
    WRONG_SIZE = "sizes differ"
    HIGH_ID = "an id above 254"
    RENUMBERED = "an object changes its id"
    NO_OBJECT = "every mask is empty"
    ONE_FRAME = "one frame with a mask"
    SOME_MISSING = "some frames have no mask"
    SOME_EMPTY = "some masks are empty"
    BINARY = "masks of 0 and 255, read as one object"
    HELD_BACK = "it is held back"
    OTHER_OBJECTS = "meta.json names other objects than the masks show"


_HARMLESS = frozenset({Kind.BAD_ENTRY, Kind.SOME_MISSING, Kind.SOME_EMPTY, Kind.BINARY, Kind.OTHER_OBJECTS})


@dataclass(frozen=True)
class Finding:
    """One thing about one sequence or photo."""

    kind: Kind
    name: str
    """Of the sequence or the photo."""
    text: str = ""
    """Which file, and what about it."""

    @property
    def leaves_out(self) -> bool:
        """Whether the sequence or photo cannot be trained on because of it."""
        return self.kind not in _HARMLESS


@dataclass(frozen=True)
class Findings:
    """All that was found in one data set."""

    source: str
    """The data set's name."""
    noun: str
    """What it holds: sequences or photos."""
    total: int
    """How many it holds, those that are left out included."""
    items: tuple[Finding, ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """The names of what is not trained on, each once, in order."""
        return tuple(dict.fromkeys(item.name for item in self.items if item.leaves_out))

    @property
    def num_used(self) -> int:
        """How many are trained on."""
        return self.total - len(self.left_out)

    def lines(self, most: int = 5) -> list[str]:
        """For people: how many are used, then a line for each kind of finding, with up to `most` names."""
        rest = f"; {len(self.left_out)} left out" if self.left_out else ""
        lines = [f"{self.source}: {self.num_used} of {self.total} {self.noun} are used{rest}"]
        for leaves_out in (True, False):
            kinds = dict.fromkeys(item.kind for item in self.items if item.leaves_out is leaves_out)
            for kind in kinds:
                found = [item for item in self.items if item.kind is kind]
                shown = ", ".join(f"{item.name} ({item.text})" if item.text else item.name for item in found[:most])
                more = f", and {len(found) - most} more" if len(found) > most else ""
                lines.append(f"  {'left out' if leaves_out else 'used'}, {kind} ({len(found)}): {shown}{more}")
        return lines

    def refuse(self) -> None:
        """ListedError with all lines if anything is left out: what `--strict` asks for."""
        if self.left_out:
            raise ListedError("\n".join([*self.lines(most=20), "mend or remove them, or train without --strict"]))

    def refuse_if_none_is_left(self) -> None:
        """ListedError with all lines if nothing can be trained on."""
        if self.num_used == 0:
            raise ListedError("\n".join([*self.lines(most=20), f"{self.source} has no {self.noun} to train on"]))
