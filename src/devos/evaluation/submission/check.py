"""Check a submission that is packed already. Nothing is ever extracted: names may lie, and so may sizes."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath

from devos.errors import InputError
from devos.evaluation.submission.masks import (
    COLOURED,
    EARLY_ID,
    FOREIGN_ID,
    LONE_255,
    ODD_DEPTH,
    SHUFFLED,
    SOFT,
    UNREADABLE_MASK,
    VOID_HERE,
    WRONG_SIZE,
    Expected,
    Findings,
    Kind,
    UnfitMaskError,
    check_mask,
    read_png,
)
from devos.evaluation.submission.packing import (
    MISSING_FRAME,
    MISSING_SEQUENCE,
    MORE_FRAMES,
    NO_SUCH_FRAME,
    ONE_SEQUENCE,
    WRONG_DIGITS,
    check_frame,
    check_names,
    frame_number,
)
from devos.evaluation.submission.rules import MAX_PROPOSALS, RULES, Benchmark, Dataset, Rules
from devos.frames import FrameSize

MAX_BYTES = 1 << 26
"""A larger entry is not unpacked: no mask is that large."""

UNSAFE_NAME = Kind("names that lead out of the zip", "never unpack this file; pack the masks again")
STRAY_FILE = Kind("files that are no masks", "leave them out; a server may take them for masks or folders")
TWICE = Kind("names that are there twice", "keep one of each")
MIXED_LAYOUT = Kind("masks at different depths", "all must lie in one folder for each sequence")
WRAPPER = Kind("a folder round the sequences' folders", "they belong in the zip's root")
NO_TOP = Kind("sequences' folders not in the folder that the server reads", "put all of them in it")
SEES_THROUGH = Kind("a folder round the sequences' folders, which the server sees through")
OTHER_SEQUENCE = Kind("folders that are no sequence of the benchmark", "leave them out")
OTHER_NUMBER = Kind("another number of sequences than the benchmark has", "see with --root which are missing")
GAP = Kind("gaps in the frames' numbers", "the server wants every frame")

_HERE = {MORE_FRAMES: Kind("masks of frames that the server does not want")}
"""Other words for what `devos submit` would have left out."""
_JUNK_PARTS = ("__MACOSX",)
_NO_ZIP = (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, struct.error)
"""What opening a file that is no zip, or a damaged one, raises."""
_DAMAGED = (*_NO_ZIP, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError)
"""What reading an entry of a damaged zip raises."""

_ASPECTS = (
    ("layout", "layout", (WRAPPER, NO_TOP, MIXED_LAYOUT, UNSAFE_NAME, STRAY_FILE, TWICE)),
    ("sequences", "", (MISSING_SEQUENCE, OTHER_SEQUENCE, ONE_SEQUENCE, OTHER_NUMBER)),
    ("frames", "frame names", (MISSING_FRAME, WRONG_DIGITS, NO_SUCH_FRAME, MORE_FRAMES, GAP)),
    ("PNG modes", "PNG modes", (UNREADABLE_MASK, COLOURED, ODD_DEPTH, SHUFFLED, SOFT)),
    ("sizes", "one size in each sequence", (WRONG_SIZE,)),
    ("ids", "no void", (FOREIGN_ID, EARLY_ID, LONE_255, VOID_HERE)),
)
"""What is looked at with the benchmark's folder, what without it, and the findings that speak against it."""


@dataclass(frozen=True)
class Packed:
    """What a zip holds, by the names alone."""

    sequences: dict[str, dict[str, zipfile.ZipInfo]]
    """The entry of each frame name of each sequence."""
    folder: str
    """The folders before the sequences' own, "" for none."""

    @property
    def num_masks(self) -> int:
        """In all sequences."""
        return sum(len(frames) for frames in self.sequences.values())


@dataclass(frozen=True)
class CheckReport:
    """What is right and what is wrong with a submission."""

    rules: Rules
    is_guess: bool
    """Whether the benchmark was guessed from the layout."""
    num_sequences: int
    num_masks: int
    good: tuple[str, ...]
    """What was looked at and found right."""
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def check_submission(
    path: Path, *, rules: Rules | None = None, benchmark: Benchmark | None = None,
    on_mask: Callable[[int], None] | None = None,
) -> CheckReport:  # fmt: skip
    """Hold a zip against a server's rules: all of them with a `benchmark`, else those that the zip alone can break.

    Without either the benchmark is guessed from the layout. `on_mask` is called with the number of masks for each one
    read. Raises InputError if the file is no zip.
    """
    problems, notes = Findings(), Findings()
    rules = benchmark.rules if benchmark is not None else rules
    try:
        with zipfile.ZipFile(path) as archive:
            packed = _packed(archive, problems)
            if not packed.sequences:
                raise InputError(f"{path} holds no PNG in a folder; it is no submission of masks")
            known = rules or guess_rules(packed)
            _check_layout(packed, known, problems, notes)

            def read(sequence: str, frame: str) -> bytes:
                if on_mask is not None:
                    on_mask(packed.num_masks)
                return _read(archive, packed.sequences[sequence][frame])

            if benchmark is not None:
                _check_with(benchmark, packed, read, problems, notes)
            else:
                _check_alone(known, packed, read, problems, notes)
    except _NO_ZIP as error:
        raise InputError(
            f"{path} is not a zip that can be read ({error}); pack the masks with `devos submit`"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); name a zip file") from error
    for kind in (VOID_HERE, ODD_DEPTH):
        notes.move(kind, problems)
    aspects = ((full if benchmark else alone, against) for full, alone, against in _ASPECTS)
    good = tuple(what for what, against in aspects if what and not any(kind in problems for kind in against))
    said = ((*benchmark.notes,) if benchmark else ()) + notes.lines(_HERE)
    return CheckReport(known, rules is None, len(packed.sequences), packed.num_masks, good, problems.lines(), said)


def guess_rules(packed: Packed) -> Rules:
    """The benchmark by the layout and the names: MOSE's sequences have names of eight hexadecimal digits."""
    frame = next(iter(next(iter(packed.sequences.values()))))
    if len(frame) == RULES[Dataset.LVOS].digits:
        return RULES[Dataset.LVOS]
    if PurePosixPath(packed.folder).name == RULES[Dataset.YOUTUBE].top:
        return RULES[Dataset.YOUTUBE]
    if all(len(name) == 8 and not set(name) - set("0123456789abcdef") for name in packed.sequences):
        return RULES[Dataset.MOSE2]
    return RULES[Dataset.DAVIS]


def _packed(archive: zipfile.ZipFile, problems: Findings) -> Packed:
    """The masks by sequence and frame; what does not belong in a submission is a problem."""
    sequences: dict[str, dict[str, zipfile.ZipInfo]] = {}
    folders: dict[str, str] = {}
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if (
            not info.filename
            or path.is_absolute()
            or ".." in path.parts
            or "\\" in info.filename
            or ":" in info.filename
        ):
            problems.add(UNSAFE_NAME, repr(info.filename))
        elif info.is_dir() and not set(path.parts) & set(_JUNK_PARTS):
            continue
        elif path.suffix.lower() != ".png" or path.name.startswith(".") or set(path.parts) & set(_JUNK_PARTS):
            problems.add(STRAY_FILE, info.filename)
        elif len(path.parts) < 2:
            problems.add(MIXED_LAYOUT, f"{info.filename} is in no folder")
        elif path.stem in sequences.setdefault(path.parts[-2], {}):
            problems.add(TWICE, info.filename)
        else:
            sequences[path.parts[-2]][path.stem] = info
            folders.setdefault("/".join(path.parts[:-2]), info.filename)
    if len(folders) > 1:
        for example in folders.values():
            problems.add(MIXED_LAYOUT, example)
    return Packed(sequences, next(iter(folders), ""))


def _check_layout(packed: Packed, rules: Rules, problems: Findings, notes: Findings) -> None:
    if packed.folder != rules.top:
        if rules.top and packed.folder.split("/")[-1] != rules.top:
            problems.add(NO_TOP, f"{packed.folder or 'the root'} instead of {rules.top}")
        elif rules.takes_wrapper and "/" not in packed.folder and len(packed.sequences) > 1:
            notes.add(SEES_THROUGH, packed.folder)
        else:
            problems.add(WRAPPER, f"{packed.folder}/{next(iter(packed.sequences))}")
    if len(packed.sequences) == 1 and not rules.takes_one_sequence:
        problems.add(ONE_SEQUENCE, next(iter(packed.sequences)))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of an entry, never more than a mask can have, whatever the zip says."""
    if info.file_size > MAX_BYTES:
        raise UnfitMaskError(UNREADABLE_MASK, f"{info.file_size >> 20} MiB, too large for a mask")
    try:
        with archive.open(info) as file:
            return file.read(MAX_BYTES)
    except _DAMAGED as error:
        raise UnfitMaskError(UNREADABLE_MASK, "damaged, or packed in a way that is not read") from error


def _check_with(
    benchmark: Benchmark, packed: Packed, read: Callable[[str, str], bytes], problems: Findings, notes: Findings
) -> None:
    """By all rules: the benchmark's folder says what is wanted."""
    for name in sorted(packed.sequences.keys() - {sequence.name for sequence in benchmark.sequences}):
        problems.add(OTHER_SEQUENCE, name)
    for sequence in benchmark.sequences:
        frames = packed.sequences.get(sequence.name)
        if frames is None:
            problems.add(MISSING_SEQUENCE, sequence.name)
            continue
        check_names(sequence, frames, benchmark.rules.is_sparse, problems, notes)
        for frame in sequence.names:
            if frame in frames:
                check_frame(sequence, frame, partial(read, sequence.name, frame), benchmark, problems, notes)


def _check_alone(
    rules: Rules, packed: Packed, read: Callable[[str, str], bytes], problems: Findings, notes: Findings
) -> None:
    """By what the zip itself says: numbers of sequences and frames, one size in each sequence, ids that can be."""
    if rules.num_sequences and len(packed.sequences) not in rules.num_sequences:
        known = " or ".join(map(str, rules.num_sequences))
        problems.add(OTHER_NUMBER, f"{len(packed.sequences)} instead of {known}")
    ids = frozenset(range(1, MAX_PROPOSALS + 1)) if rules.is_unsupervised else None
    for sequence, frames in sorted(packed.sequences.items()):
        _check_numbers(sequence, sorted(frames), rules, problems)
        size: FrameSize | None = None
        for frame in sorted(frames):
            place = f"{sequence}/{frame}.png"
            try:
                mask = read_png(read(sequence, frame))
            except UnfitMaskError as refusal:
                problems.add(refusal.kind, f"{place} ({refusal})")
                continue
            size = size or mask.size
            check_mask(mask, place, Expected(size, ids), problems, notes)


def _check_numbers(sequence: str, frames: list[str], rules: Rules, problems: Findings) -> None:
    for frame in frames:
        if frame_number(frame) is None or len(frame) != rules.digits:
            problems.add(WRONG_DIGITS, f"{sequence}/{frame}.png ({rules.digits} wanted)")
    numbers = {frame_number(frame) for frame in frames} - {None}
    absent = next(number for number in count() if number not in numbers)
    if rules.consecutive and absent < len(numbers):
        problems.add(GAP, f"{sequence} lacks {absent:0{rules.digits}d}")
