"""Which videos a batch is about: the lines of a manifest, or what lies in a folder."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from natsort import natsorted

from devos.engine.settings import Settings, parse_scales
from devos.engine.sizes import AUTO
from devos.errors import InputError, OptionError
from devos.exchange.registry import chosen, parse_names
from devos.io.names import exists
from devos.io.pictures import list_pictures
from devos.pipeline.plan import check_direction
from devos.pipeline.segment import folder_rate
from devos.runtimes.choose import check_precision, check_runtime

MASKS_SUFFIX = "_masks"
"""A folder of masks is called as its video, with this after it."""
VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".ogv",
    ".3gp", ".mxf", ".y4m", ".gif",
)  # fmt: skip
_RESERVED = ("batch.csv", "batch.lock")
_LONGEST = 255
"""Bytes of a folder's name, on all common file systems."""


@dataclass(frozen=True)
class BatchVideo:
    """One video of a batch."""

    name: str
    """Of its project's folder."""
    video: Path
    masks: Path
    settings: dict[str, Any] = field(default_factory=dict)
    """What is chosen for this video, as `devos.segment` names it."""


def read_batch(source: Path) -> tuple[list[BatchVideo], list[str]]:
    """The videos of a folder or a manifest, and what was left out and why; InputError if there is none, or for a bad
    line.
    """
    if source.is_dir():
        videos, left_out = _in_folder(source)
        if not videos:
            told = f"; left out: {'; '.join(left_out[:3])}{'; ...' if len(left_out) > 3 else ''}" if left_out else ""
            raise InputError(f"{source}: holds no video with masks beside it; expected NAME.mp4 or a folder of frames "
                             f"NAME, with NAME.png or a folder NAME{MASKS_SUFFIX} beside it{told}")  # fmt: skip
    elif source.exists():
        videos, left_out = _in_manifest(source), []
    else:
        raise InputError(f"{source}: no such file or folder; give a folder of videos, or a manifest (.jsonl, .csv)")
    return videos, left_out


def check_apart(videos: Sequence[BatchVideo], out: Path) -> None:
    """InputError where a project's folder would be a video or its masks, or hold one of them."""
    projects = {(out / video.name).resolve(): video.name for video in videos}
    for video in videos:
        for place in (video.video, video.masks):
            whole = place.resolve()
            name = next((projects[path] for path in (whole, *whole.parents) if path in projects), None)
            if name is not None:
                raise InputError(f"{place}: lies where the project {name} would be made, {out / name}; name another "
                                 "OUT")  # fmt: skip


# a folder


def _in_folder(folder: Path) -> tuple[list[BatchVideo], list[str]]:
    videos, left_out = [], []
    names: dict[str, Path] = {}
    for path in natsorted(folder.iterdir(), key=lambda path: path.name):
        if not _is_video(path):
            continue
        name = path.name if path.is_dir() else path.stem
        masks = _masks_beside(folder, name)
        if masks is None:
            left_out.append(f"{path.name} has no masks: neither {name}.png nor {name}{MASKS_SUFFIX}")
            continue
        if (other := names.setdefault(_alike(name), path)) is not path:
            raise InputError(f"{folder}: {other.name} and {path.name} would both be {name}; rename one, or name them "
                             "in a manifest")  # fmt: skip
        videos.append(BatchVideo(_checked_name(name, str(path)), path, masks))
    return videos, left_out


def _is_video(path: Path) -> bool:
    """A video file, or a folder with pictures in it that are not masks of another."""
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return not path.name.endswith(MASKS_SUFFIX) and bool(list_pictures(path))
    return path.suffix.lower() in VIDEO_SUFFIXES


def _masks_beside(folder: Path, name: str) -> Path | None:
    places = (folder / f"{name}.png", folder / f"{name}{MASKS_SUFFIX}")
    return next((place for place in places if place.exists()), None)


# a manifest


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _whole(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("a whole number") from None
    if isinstance(value, bool) or (isinstance(value, float) and number != value):
        raise ValueError("a whole number")
    return number


def _size(value: Any) -> int | str:
    try:
        return AUTO if value == AUTO else _whole(value)
    except ValueError:
        raise ValueError("a whole number, or auto") from None


def _number(value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise ValueError("a number") from None


def _yes_or_no(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
    if found is None:
        raise ValueError("true or false")
    return found


def _scales(value: Any) -> tuple[float, ...]:
    try:
        return parse_scales(value if isinstance(value, str) else ",".join(str(one) for one in value))
    except (OptionError, TypeError):
        raise ValueError("multiples of the size with commas between, as in 0.75,1,1.25") from None


def _direction(value: Any) -> str:
    try:
        check_direction(value)
    except (OptionError, TypeError):
        raise ValueError("forward, backward or both") from None
    return str(value)


def _formats(value: Any) -> tuple[str, ...]:
    try:
        names = parse_names(value if isinstance(value, str) else ",".join(value))
        return tuple(one.name for one in chosen(names))
    except (OptionError, TypeError) as error:
        raise ValueError(f"names of formats with commas between, as in coco,prores ({error})") from None


COLUMNS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "size": ("size", _size),
    "memory_every": ("memory_every", _whole),
    "bank": ("bank", _whole),
    "fine_bank": ("fine_bank", _whole),
    "focus": ("focus", _yes_or_no),
    "flow": ("flow", _text),
    "flip": ("flip", _yes_or_no),
    "scales": ("scales", _scales),
    "runtime": ("runtime", _text),
    "precision": ("precision", _text),
    "fps": ("fps", _number),
    "direction": ("direction", _direction),
    "from": ("first", _whole),
    "to": ("last", _whole),
    "resize_masks": ("resize_masks", _yes_or_no),
    "snap_masks": ("snap_masks", _yes_or_no),
    "skip_bad_frames": ("skip_bad_frames", _yes_or_no),
    "overlay": ("overlay", _yes_or_no),
    "write": ("write", _formats),
    "keep_probabilities": ("keep_probabilities", _yes_or_no),
}
"""Settings that a manifest may give to a video: the argument of `devos.segment`, and how a value is read."""
_WHAT = ("video", "masks", "name")


def _in_manifest(path: Path) -> list[BatchVideo]:
    videos: list[BatchVideo] = []
    lines: dict[str, int] = {}
    for number, values in _rows(path):
        where = f"{path}, line {number}"
        video = _video_of(values, path.parent, where)
        if (other := lines.setdefault(_alike(video.name), number)) != number:
            raise InputError(f"{where}, column name: {video.name} is also the name in line {other}; give each video a "
                             "name of its own")  # fmt: skip
        videos.append(video)
    if not videos:
        raise InputError(f"{path}: names no video; a line has the columns video and masks")
    return videos


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number, from 1, and its values by column; empty ones left out."""
    kinds = {".jsonl": _jsonl_rows, ".ndjson": _jsonl_rows, ".csv": _csv_rows}
    read = kinds.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path}: is no manifest; a manifest is a file .jsonl or .csv (a single video is for devos "
                         "segment)")  # fmt: skip
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    yield from read(path, text)


def _jsonl_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line, object_pairs_hook=_each_once)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: is not JSON ({error}); each line is one object, as in "
                             '{"video": "a.mp4", "masks": "a.png"}') from None  # fmt: skip
        if not isinstance(values, dict):
            raise InputError(f"{path}, line {number}: is {type(values).__name__}, not an object of columns, as in "
                             '{"video": "a.mp4", "masks": "a.png"}')  # fmt: skip
        yield number, {column: value for column, value in values.items() if value is not None}


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("it names a column twice")
    return values


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    header: list[str] | None = None
    for number, cells in _csv_cells(path, text):
        if header is None:
            header = cells
            if len(set(header)) < len(header):
                raise InputError(f"{path}, line {number}: names a column twice; each has a name of its own")
            continue
        if len(cells) > len(header):
            raise InputError(f"{path}, line {number}: has {len(cells)} columns, but the first line names "
                             f"{len(header)}; put a value with a comma in it into double quotes")  # fmt: skip
        yield number, {column: cell for column, cell in zip(header, cells, strict=False) if cell}


def _csv_cells(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each line's number and cells, empty lines left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: is not CSV ({error}); commas stand between values, and a "
                         "double quote that opens a value is closed") from None  # fmt: skip


def _video_of(values: dict[str, Any], folder: Path, where: str) -> BatchVideo:
    unknown = [column for column in values if column not in (*_WHAT, *COLUMNS)]
    if unknown:
        raise InputError(f"{where}, column {unknown[0]}: is none; there are {', '.join((*_WHAT, *COLUMNS))}")
    places = {column: _place(values, column, folder, where) for column in ("video", "masks")}
    name = _cell(values, "name", _text, where) if "name" in values else places["video"].stem
    settings = {
        argument: _cell(values, column, read, where)
        for column, (argument, read) in COLUMNS.items() if column in values
    }  # fmt: skip
    _check_together(settings, places["video"], where)
    return BatchVideo(_checked_name(name, f"{where}, column name"), places["video"], places["masks"], settings)


def _check_together(settings: dict[str, Any], video: Path, where: str) -> None:
    """InputError for what is out of range, or does not go together."""
    try:
        check_choices(settings)
        folder_rate(settings.get("fps"), video)
    except OptionError as error:
        raise InputError(f"{where}: {error}") from None


def check_choices(settings: dict[str, Any]) -> None:
    """OptionError for arguments of `devos.segment` that are out of range for any video."""
    check_runtime(settings.get("runtime") or "auto")
    check_precision(settings.get("precision") or "auto")
    known = {one.name for one in fields(Settings)} - {"runtime", "precision"}
    Settings(**{name: value for name, value in settings.items() if name in known and value not in (None, AUTO)})
    first, last = settings.get("first"), settings.get("last")
    if (first or 0) < 0 or (last is not None and last < (first or 0)):
        raise OptionError(f"--from and --to are frames, 0 or more, the first at or before the last; got {first} and "
                          f"{last}")  # fmt: skip
    if settings.get("direction") is not None:
        check_direction(settings["direction"])


def _place(values: dict[str, Any], column: str, folder: Path, where: str) -> Path:
    if column not in values:
        raise InputError(f"{where}, column {column}: is missing; each line needs video and masks")
    place: Path = folder / _cell(values, column, _text, where)
    if not exists(place, InputError):
        raise InputError(f"{where}, column {column}: {place} is not there; paths count from the manifest's folder")
    return place


def _cell(values: dict[str, Any], column: str, read: Callable[[Any], Any], where: str) -> Any:
    try:
        return read(values[column])
    except ValueError as error:
        raise InputError(f"{where}, column {column}: is {error}; got {values[column]!r}") from None


def _alike(name: str) -> str:
    """The same for names that some file systems take for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _checked_name(name: str, where: str) -> str:
    """A name that is one folder in OUT and one line of text; InputError for any other."""
    is_text = bool(name.strip()) and not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name)
    if not is_text or name in (".", "..") or any(sign in name for sign in "/\\:") or name.casefold() in _RESERVED:
        raise InputError(f"{where}: {name!r} is not the name of a folder in OUT; give a name of letters, without / \\ "
                         f"and :, that is not one of . .. {' '.join(_RESERVED)}")  # fmt: skip
    if len(name.encode()) > _LONGEST:
        raise InputError(f"{where}: is {len(name.encode())} bytes long; a folder's name has at most {_LONGEST}")
    return name
