"""Make a submission for a benchmark's server: every mask of a folder is checked by its rules, then packed.

    plan = plan_submission(read_benchmark(Dataset.MOSE2, root), Path("masks"))
    if not plan.problems:
        write_submission(plan, Path("mose2.zip"))

Masks are read twice, one at a time, once to check and once to pack: nothing is written before all is known to be good,
and no set is held in memory.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from devos.errors import InputError, MaskError, OutputError
from devos.evaluation.submission.masks import (
    GREY,
    ODD_DEPTH,
    UNUSUAL_PALETTE,
    VOID_HERE,
    Expected,
    Findings,
    Kind,
    PngMask,
    UnfitMaskError,
    check_mask,
    encode_png,
    read_png,
    without_void,
)
from devos.evaluation.submission.rules import MAX_PROPOSALS, Asked, Benchmark
from devos.frames import FrameSize
from devos.io.files import MASKS_FOLDER, output_error, replacing
from devos.io.pictures import UNREADABLE, read_size

MISSING_SEQUENCE = Kind("missing sequences", "the server wants all; run them, or check how their folders are called")
MISSING_FRAME = Kind("missing masks", "the server wants one for each of its frames")
WRONG_DIGITS = Kind("frame names with other digits", "name each mask as its frame")
NO_SUCH_FRAME = Kind("masks that belong to no frame", "are they of another sequence, or counted from 1?")
ONE_SEQUENCE = Kind("only one sequence", "the server refuses a zip with one folder, or takes it for a wrapper")
MORE_SEQUENCES = Kind("folders that are no sequence of the benchmark, left out")
MORE_FRAMES = Kind("masks of frames that the server does not want, left out")
FIRST_GIVEN = Kind("first masks that were missing, taken from the benchmark")

_MENDED = {
    GREY: Kind("grey masks, written with the palette"),
    ODD_DEPTH: Kind("masks of 1 or 16 bits, written with 8"),
    UNUSUAL_PALETTE: Kind("masks with other colours, written with PASCAL VOC's"),
    VOID_HERE: Kind("masks with void, 255, written as background"),
}
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every entry, so that the same masks make the same file; a zip knows no earlier one."""

_MOST_DIGITS = 18

OnMask = Callable[[], None]
"""Called once for each mask."""


@dataclass(frozen=True)
class Entry:
    """One file of the zip, and the mask it is made of."""

    name: str
    source: Path
    sequence: Asked


@dataclass(frozen=True)
class Plan:
    """What would be written, what stands against it, and what was mended."""

    benchmark: Benchmark
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Submission:
    """A file that was written."""

    path: Path
    num_sequences: int
    num_masks: int
    num_bytes: int


def find_masks_of(folder: Path, benchmark: Benchmark) -> dict[str, dict[str, Path]]:
    """For each sequence folder in `folder`, the mask file of each frame name.

    A sequence's masks lie in FOLDER/SEQUENCE or, as `devos segment` leaves them, in FOLDER/SEQUENCE/masks. InputError
    if the folder is none, or holds no sequence of the benchmark.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; expected a folder with one folder of PNG masks for each sequence")
    homes = {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    found = {name: _masks_in(home) for name, home in homes.items()}
    wanted = {sequence.name for sequence in benchmark.sequences}
    if wanted & {name for name, masks in found.items() if masks}:
        return found
    if "JPEGImages" in homes:
        raise InputError(f"{folder} is a benchmark's own folder; give the folder of your masks, SEQUENCE/FRAME.png")
    inner = [home for home in homes.values() if any((home / name).is_dir() for name in wanted)]
    if inner:
        raise InputError(f"{folder} holds no sequence, but {inner[0]} does; give that folder")
    if folder.name in wanted and _masks_in(folder):
        raise InputError(f"{folder} is one sequence's folder; give the folder that holds all sequences' folders")
    example = f"{folder / benchmark.sequences[0].name / benchmark.sequences[0].wanted[0]}.png"
    raise InputError(f"{folder} holds no masks of {benchmark.rules.title}; expected {example} and so on")


def plan_submission(benchmark: Benchmark, folder: Path, *, on_mask: OnMask | None = None) -> Plan:
    """Check every mask in a folder by the benchmark's rules; nothing is written.

    What can be mended without a doubt is, and is said in the plan's notes: grey and other palettes, void (255) beside
    objects, a missing first mask, which the benchmark gives, and masks that the server does not want. All else is a
    problem. Raises InputError where the folder is no folder of sequences at all.
    """
    found = find_masks_of(folder, benchmark)
    problems, notes, mended = Findings(), Findings(), Findings()
    names = {sequence.name for sequence in benchmark.sequences}
    for name in sorted(found.keys() - names):
        notes.add(MORE_SEQUENCES, name)
    if len(names) == 1 and not benchmark.rules.takes_one_sequence:
        problems.add(ONE_SEQUENCE, *names)
    entries: list[Entry] = []
    for sequence in benchmark.sequences:
        sources = found.get(sequence.name)
        if not sources:
            problems.add(MISSING_SEQUENCE, sequence.name)
            continue
        sources = _with_first(sequence, sources, notes)
        check_names(sequence, sources, benchmark.rules.is_sparse, problems, notes)
        for frame in sequence.wanted:
            if frame not in sources:
                continue
            check_frame(sequence, frame, sources[frame].read_bytes, benchmark, problems, mended)
            entries.append(Entry(entry_name(benchmark, sequence, frame), sources[frame], sequence))
            if on_mask is not None:
                on_mask()
    entries.sort(key=lambda entry: entry.name)
    said = (*benchmark.notes, *notes.lines(), *mended.lines(_MENDED))
    return Plan(benchmark, tuple(entries), problems.lines(), said)


def write_submission(plan: Plan, out: Path, *, overwrite: bool = False, on_mask: OnMask | None = None) -> Submission:
    """Pack the masks of a plan without problems; the file appears whole or not at all.

    Names are in order and times fixed: the same masks make the same file. Raises MaskError for a plan with problems
    or a mask that has changed since, OutputError if the file is there already or cannot be written.
    """
    if plan.problems:
        raise MaskError(f"nothing is written, as the masks break the rules of {plan.benchmark.rules.title}: "
                        f"{plan.problems[0]}")  # fmt: skip
    check_output(out, overwrite=overwrite)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for entry in plan.entries:
            info = zipfile.ZipInfo(entry.name, _EARLIEST)
            info.create_system = 3  # Unix, wherever it is made
            info.external_attr = 0o644 << 16
            archive.writestr(info, _content(entry, plan.benchmark))
            if on_mask is not None:
                on_mask()
    num_sequences = len({entry.sequence.name for entry in plan.entries})
    return Submission(out, num_sequences, len(plan.entries), out.stat().st_size)


def check_output(out: Path, *, overwrite: bool) -> None:
    """OutputError unless `out` can be the name of a new submission."""
    if out.suffix.lower() != ".zip":
        raise OutputError(f"{out} does not end in .zip, as the servers want it; name it so")
    if out.is_dir():
        raise OutputError(f"{out} is a folder; name a file for the submission")
    if out.exists() and not overwrite:
        raise OutputError(f"{out} is there already; replace it with --overwrite, or name another file")


def entry_name(benchmark: Benchmark, sequence: Asked, frame: str) -> str:
    """A mask's name in the zip."""
    return "/".join(part for part in (benchmark.rules.top, sequence.name, f"{frame}.png") if part)


def check_names(sequence: Asked, have: Collection[str], is_sparse: bool, problems: Findings, notes: Findings) -> None:
    """Which frames' masks are missing, named with other digits, not wanted, or of no frame at all."""
    wanted, pictures = set(sequence.wanted), set(sequence.names)
    number = {frame_number(name): name for name in sequence.wanted if frame_number(name) is not None}
    misnamed = {
        name: number[frame_number(name)] for name in sorted(set(have) - pictures) if frame_number(name) in number
    }
    misnamed = {name: right for name, right in misnamed.items() if right not in have}
    for name, right in misnamed.items():
        problems.add(WRONG_DIGITS, f"{sequence.name}/{name}.png is {right}.png")
    for name in sequence.wanted:
        if name not in have and name not in misnamed.values():
            problems.add(MISSING_FRAME, f"{sequence.name}/{name}.png")
    for name in sorted(set(have) - wanted - misnamed.keys()):
        is_known = name in pictures or (is_sparse and _is_between(name, sequence.wanted))
        (notes if is_known else problems).add(MORE_FRAMES if is_known else NO_SUCH_FRAME, f"{sequence.name}/{name}.png")


def frame_number(name: str) -> int | None:
    """The number that a frame is named by; None where its name is none."""
    return int(name) if name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS else None


def check_frame(
    sequence: Asked, frame: str, read: Callable[[], bytes], benchmark: Benchmark, problems: Findings, notes: Findings
) -> PngMask | None:
    """One mask if it can be sent, mended or as it is; `read` gives the bytes of its file."""
    place = f"{sequence.name}/{frame}.png"
    try:
        mask = read_png(read())
    except UnfitMaskError as refusal:
        problems.add(refusal.kind, f"{place} ({refusal})")
        return None
    expected = Expected(_size(sequence, frame), *_ids(sequence, frame, benchmark))
    return mask if check_mask(mask, place, expected, problems, notes) else None


def _ids(sequence: Asked, frame: str, benchmark: Benchmark) -> tuple[frozenset[int], frozenset[int]]:
    """The objects that may be on a frame, and those that come later."""
    if benchmark.rules.is_unsupervised:
        return frozenset(range(1, MAX_PROPOSALS + 1)), frozenset()
    position = sequence.position
    here = {i for i, first in sequence.objects.items() if position(first) <= position(frame)}
    return frozenset(here), frozenset(sequence.objects.keys() - here)


def _size(sequence: Asked, frame: str) -> FrameSize:
    path = sequence.pictures[sequence.position(frame)]
    try:
        return read_size(path)
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read as a picture ({error}); copy the data set again") from error


def _masks_in(home: Path) -> dict[str, Path]:
    """The PNGs of one sequence, by frame name."""
    for folder in (home, home / MASKS_FOLDER):
        if not folder.is_dir():
            continue
        masks = {
            path.stem: path
            for path in sorted(folder.iterdir())
            if path.suffix.lower() == ".png" and not path.name.startswith(".") and path.is_file()
        }
        if masks:
            return masks
    return {}


def _with_first(sequence: Asked, sources: Mapping[str, Path], notes: Findings) -> dict[str, Path]:
    """The masks, the first one taken from the benchmark where it is missing: all of it is given, and nothing later."""
    first = sequence.wanted[0]
    if first in sources or first not in sequence.given or next(iter(sequence.given)) != first:
        return dict(sources)
    notes.add(FIRST_GIVEN, f"{sequence.name}/{first}.png")
    return {first: sequence.given[first], **sources}


def _is_between(name: str, wanted: tuple[str, ...]) -> bool:
    """Whether a name is a number among the wanted ones, or beyond the last by less than their distance."""
    number = frame_number(name)
    numbers = [known for frame in wanted if (known := frame_number(frame)) is not None]
    if number is None or len(name) != len(wanted[0]) or len(numbers) != len(wanted):
        return False
    step = min((after - before for before, after in pairwise(numbers)), default=1)
    return number < numbers[-1] + step


def _content(entry: Entry, benchmark: Benchmark) -> bytes:
    """The mask as the server reads it, looked at once more."""
    frame = Path(entry.name).stem
    mask = check_frame(entry.sequence, frame, entry.source.read_bytes, benchmark, Findings(), Findings())
    if mask is None:
        raise MaskError(f"{entry.source} has changed while the masks were packed; start again")
    return encode_png(without_void(mask.ids, entry.sequence.objects))
