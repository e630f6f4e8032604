"""Published scores beside measured ones (supplement, Tables 1 and 2).

The published rows are in `published.json`, each with its source and its training data. On DAVIS 2016 the scores of each
sequence are published for 21 methods, so that a run on some of the sequences is compared over just those.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from typing import Any

from devos.errors import InputError, OptionError
from devos.evaluation.rules.protocols import Protocol

NOT_STATED = "not stated in the source"
_SHOWN_NAMES = 12


class Benchmark(StrEnum):
    """A validation set."""

    MOSE = "mose"
    DAVIS2016 = "davis2016"
    DAVIS2017 = "davis2017"
    YOUTUBE_VOS19 = "youtube-vos19"


TITLES = {
    Benchmark.MOSE: "MOSE 2023, validation",
    Benchmark.DAVIS2016: "DAVIS 2016, validation",
    Benchmark.DAVIS2017: "DAVIS 2017, validation",
    Benchmark.YOUTUBE_VOS19: "YouTube-VOS 2019, validation",
}
"""What each set is called."""


@dataclass(frozen=True)
class Row:
    """One method's figures."""

    method: str
    values: Mapping[str, float]
    """By column (J, F, J&F, G), in percent; what is not published is not there."""
    source: str
    """Where the figures are from."""
    training: str = NOT_STATED
    setting: str = ""
    """What the method is given, where the methods of a table differ in that."""
    mark: str = ""
    """`listed` or `second-hand`, where the figures are not from the method's own authors."""
    measured: bool = False
    """Whether the figures are a user's own."""


@dataclass(frozen=True)
class Group:
    """Rows that may be compared as far as their training data go: all over the same sequences."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Methods, best first, in groups."""

    title: str
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...]
    """What a reader of the figures has to know, a sentence each."""


@dataclass(frozen=True)
class Measured:
    """A run's own scores."""

    name: str
    source: str
    training: str
    protocol: str
    sequences: Mapping[str, tuple[tuple[float, float], ...]]
    """J and F, in [0, 1], of each object of each sequence."""

    def row(self, names: Sequence[str] | None = None) -> Row:
        """Means over the objects of these sequences; of all unless given."""
        objects = [pair for name in names or self.sequences for pair in self.sequences[name]]
        j, f = (100 * fmean(column) for column in zip(*objects, strict=True))
        values = {"J": j, "F": f, "J&F": (j + f) / 2}
        return Row(self.name, values, self.source, self.training, "", measured=True)


def read_scores(path: Path, name: str | None = None, training: str | None = None) -> Measured:
    """The scores in a JSON file as `devos evaluate ... --json` prints; InputError if it is none.

    `name` is the method's, the file's own unless given; `training` says what the method was trained on.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        sequences = {
            sequence: tuple(
                (_share(quality["J"]["mean"]), _share(quality["F"]["mean"]))
                for quality in entry.get("objects", entry).values()
            )
            for sequence, entry in report["sequences"].items()
        }
        protocol = str(Protocol(report["protocol"]))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file of scores") from error
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: is no file of scores; write one with `devos evaluate davis ... --json > new-scores.json`"
        ) from error
    if not sequences or not all(sequences.values()):
        raise InputError(f"{path}: has no scores of any sequence; run `devos evaluate` on at least one")
    training = training or "not stated in the file"
    return Measured(name or path.stem, f"measured here ({path.name})", training, protocol, sequences)


def _share(value: Any) -> float:
    """The same; ValueError for what is no mean of J or F."""
    if not 0 <= float(value) <= 1:
        raise ValueError(f"{value} is no mean")
    return float(value)


def score_table(benchmark: Benchmark, measured: Sequence[Measured] = ()) -> ScoreTable:
    """The published rows of a benchmark, and measured ones beside them.

    OptionError where scores follow another protocol than the benchmark's, or have no sequence in common.
    """
    published = _load()
    rows = tuple(_published_row(entry) for entry in published["rows"] if entry["benchmark"] == benchmark)
    for scores in measured:
        _check_protocol(benchmark, scores)
    notes = [published["about"]]
    if benchmark is Benchmark.DAVIS2016:
        groups, said = _davis2016(published["davis2016_sequences"], rows, measured)
    else:
        groups, said = _whole_sets(benchmark, rows, measured)
    marks = {row.mark for group in groups for row in group.rows} - {""}
    notes += said + [f"{SIGNS[mark]} {published['marks'][mark]}." for mark in SIGNS if mark in marks]
    columns = ("G",) if benchmark is Benchmark.YOUTUBE_VOS19 else ("J", "F", "J&F")
    return ScoreTable(TITLES[benchmark], columns, tuple(_sorted(group, columns[-1]) for group in groups), tuple(notes))


SIGNS = {"listed": "†", "second-hand": "‡"}
"""What stands behind a method's name."""


def _load() -> dict[str, Any]:
    file = importlib.resources.files("devos.evaluation.figures") / "published.json"
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def _published_row(entry: Mapping[str, Any]) -> Row:
    columns = {"j": "J", "f": "F", "jf": "J&F", "g": "G"}
    values = {title: entry[key] for key, title in columns.items() if key in entry}
    return Row(entry["method"], values, entry["source"], entry["training"], mark=entry["mark"])


def _check_protocol(benchmark: Benchmark, scores: Measured) -> None:
    if benchmark is Benchmark.YOUTUBE_VOS19:
        raise OptionError(
            "YouTube-VOS is scored by G, over seen and unseen classes, by its own server; "
            f"{scores.name} has J and F only: leave out --scores"
        )
    wanted = "davis2016" if benchmark is Benchmark.DAVIS2016 else "davis2017"
    if scores.protocol != wanted:
        raise OptionError(
            f"{scores.name} was scored by the protocol {scores.protocol}, but {benchmark} goes by {wanted}; "
            f"score it again with --protocol {wanted}"
        )


def _davis2016(
    published: Mapping[str, Any], others: tuple[Row, ...], measured: Sequence[Measured]
) -> tuple[list[Group], list[str]]:
    """Every method whose sequences are published, over those that all have; and apart the means of the whole set."""
    known = set(next(iter(published["methods"].values()))["J"])
    common = known.intersection(*(scores.sequences for scores in measured))
    if not common:
        have = _listed(sorted({name for scores in measured for name in scores.sequences}))
        raise OptionError(f"no sequence of DAVIS 2016 validation is in all the scores; they have {have}")
    names = sorted(common)
    rows = [scores.row(names) for scores in measured]
    for method, entry in published["methods"].items():
        j, f = (100 * fmean(entry[measure][name] for name in names) for measure in ("J", "F"))
        values = {"J": j, "F": f, "J&F": (j + f) / 2}
        rows.append(Row(method, values, published["source"], published["training"], entry["setting"]))
    rows = [replace(row, setting="first mask given") if row.measured else row for row in rows]
    whole = f"all {len(known)} sequences"
    same = whole if len(common) == len(known) else f"the same {len(common)} of {len(known)} sequences"
    notes = []
    if measured:
        notes.append(f"{_counted(len(common), 'sequence')} that all methods of the first group have: {_listed(names)}.")
        strays = sorted({name for scores in measured for name in scores.sequences} - common)
        if strays:
            notes.append(f"In the scores but not compared: {_listed(strays)}.")
    others = tuple(replace(row, setting="first mask given") for row in others)
    groups = [
        Group(f"Means over {same}, from the scores of each sequence", tuple(rows)),
        Group(f"Means over {whole}, as published", others),
    ]
    return groups, notes


def _whole_sets(
    benchmark: Benchmark, rows: tuple[Row, ...], measured: Sequence[Measured]
) -> tuple[list[Group], list[str]]:
    """The published means, and apart from them what was measured, for their sequences cannot be matched."""
    groups = []
    if benchmark is Benchmark.MOSE:
        own = tuple(row for row in rows if row.source.startswith("supplement"))
        groups = [Group("Table 2 of the supplement", own)]
        rows = tuple(row for row in rows if row not in own)
    groups.append(Group("Elsewhere, the whole set" if groups else "The whole set, as published", rows))
    notes = []
    for scores in measured:
        count = _counted(len(scores.sequences), "sequence")
        groups.append(Group(f"Measured over {count}", (scores.row(),)))
        notes.append(
            f"{scores.name} is the mean over {count} of its own ({_listed(sorted(scores.sequences))}); the published "
            "rows are means over the whole set, of which no figures by sequence are at hand: not the same sequences, "
            "unless these are all."
        )
    return groups, notes


def _sorted(group: Group, column: str) -> Group:
    """Best first; what lacks the figure last."""
    return replace(group, rows=tuple(sorted(group.rows, key=lambda row: -row.values.get(column, -1.0))))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
