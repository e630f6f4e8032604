"""Scores that are kept, so that a folder of masks is not scored again while nothing about it has changed.

A score is found by a hash of all that it depends on: the protocol, what is known of the sequence, the names of its
frames, the bytes of every true and predicted mask that is read, and the source of what reads and measures them. There
is no date and no path in it, and nothing that could grow old: whatever changes, another score is looked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devos.data.catalog import VideoInfo
from devos.evaluation.measures.label_files import LabelMap, decode_label_file, read_mask_bytes
from devos.evaluation.measures.metrics import Statistics
from devos.evaluation.rules.meta import Meta
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.rules.quality import ObjectQuality, SequenceScore
from devos.user_cache import source_hash, user_cache
from devos.whole_files import keep_text

FORMAT = 1
"""Of the files. Raise it when what they hold changes."""

_ARITHMETIC = ("evaluation/measures/*.py", "evaluation/rules/*.py", "evaluation/scoring.py", "evaluation/cache.py",
               "io/mask_*.py", "data/catalog.py")  # fmt: skip
"""What makes a score of two files, reading them included: which masks are refused, and what their values mean."""


def default_folder() -> Path:
    """Where scores are kept unless told otherwise: in the user's own cache."""
    return user_cache("scores")


class Digests:
    """Reads masks, and notes the hash of the very bytes that were decoded."""

    def __init__(self) -> None:
        self.of: dict[Path, str] = {}
        self.steady = True
        """Whether no file changed between two readings of it."""

    def read(self, path: Path) -> LabelMap:
        """The ids in a mask file."""
        data = read_mask_bytes(path)
        self._note(path, data)
        return decode_label_file(path, data)

    def note(self, path: Path) -> None:
        """Take a file's hash without decoding it."""
        self._note(path, read_mask_bytes(path))

    def _note(self, path: Path, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        self.steady &= self.of.setdefault(path, digest) == digest


@dataclass(frozen=True)
class Question:
    """All that the score of one sequence of saved masks depends on, but for the bytes of the files."""

    video: VideoInfo
    protocol: Protocol
    meta: Meta
    truth: tuple[Path, ...]
    """The true masks that are read."""
    predicted: tuple[Path, ...]
    """The predicted masks that are read."""

    def key(self, digests: Mapping[Path, str]) -> str:
        """The hash by which the score is found, given those of the files."""
        parts = {
            "format": FORMAT,
            "arithmetic": _arithmetic(),
            "protocol": str(self.protocol),
            "sequence": self.video.name,
            "frames": list(self.video.stems),
            "with truth": [path is not None for path in self.video.masks],
            "objects": {str(one): asdict(said) for one, said in self.meta.objects(self.video.name).items()},
            "unseen sequences": _names(self.meta.unseen_sequences),
            "unseen categories": _names(self.meta.unseen_categories),
            "truth": [[path.name, digests[path]] for path in self.truth],
            "predicted": [[path.name, digests[path]] for path in self.predicted],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class ScoreCache:
    """A folder of scores; several processes may share it. A file in it that is damaged counts as none."""

    folder: Path

    def find(self, key: str) -> SequenceScore | None:
        """The score that is kept under a key."""
        try:
            entry = json.loads(self._path(key).read_text(encoding="utf-8"))
            if entry["key"] != key or entry["check"] != _checksum(entry["score"]):
                return None
            return _unpack(entry["score"])
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, key: str, score: SequenceScore) -> None:
        """Keep a score. That it cannot be written is no reason to fail: the score itself is there."""
        packed = _pack(score)
        entry = {"key": key, "check": _checksum(packed), "score": packed}
        keep_text(self._path(key), json.dumps(entry))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _names(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _arithmetic() -> str:
    return source_hash(*_ARITHMETIC)


def _checksum(packed: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(packed, sort_keys=True).encode()).hexdigest()


def _pack(score: SequenceScore) -> dict[str, Any]:
    return {
        "name": score.name,
        "notes": list(score.notes),
        "skipped": {reason: list(frames) for reason, frames in score.skipped.items()},
        "matches": [list(pair) for pair in score.matches.items()],
        "objects": [[object_id, _pack_object(quality)] for object_id, quality in score.objects.items()],
    }


def _pack_object(quality: ObjectQuality) -> dict[str, Any]:
    return {
        "frames": list(quality.frames),
        "region": list(quality.region.values),
        "boundary": list(quality.boundary.values),
        "others": {name: list(statistics.values) for name, statistics in quality.others.items()},
        "extras": quality.extras,
        "seen": quality.seen,
    }


def _unpack(packed: Mapping[str, Any]) -> SequenceScore:
    return SequenceScore(
        name=packed["name"],
        objects={object_id: _unpack_object(quality) for object_id, quality in packed["objects"]},
        notes=tuple(packed["notes"]),
        skipped={reason: tuple(frames) for reason, frames in packed["skipped"].items()},
        matches=dict(packed["matches"]),
    )


def _unpack_object(packed: Mapping[str, Any]) -> ObjectQuality:
    return ObjectQuality(
        frames=tuple(packed["frames"]),
        region=_statistics(packed["region"]),
        boundary=_statistics(packed["boundary"]),
        others={name: _statistics(values) for name, values in packed["others"].items()},
        extras=packed["extras"],
        seen=packed["seen"],
    )


def _statistics(values: Sequence[float]) -> Statistics:
    return Statistics.of(values)
