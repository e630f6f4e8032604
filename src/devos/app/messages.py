"""All that the page and the server say to each other, typed once: `static/messages.d.ts` is made from this file.

Points are (x, y) in pixels of the video's frames, x right, y down; a mask travels as runs of labels along the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

Index = Annotated[int, Field(ge=0, le=10**9)]
ObjectId = Annotated[int, Field(ge=1, le=65535)]
Pixel = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]
Point = tuple[Pixel, Pixel]
_Points = Annotated[list[Point], Field(min_length=1, max_length=20_000)]
Text = Annotated[str, Field(max_length=4096)]


# what a person does on a frame


@dataclass(frozen=True)
class Click:
    """The object is here, or is not here."""

    kind: Literal["click"]
    frame: Index
    object: ObjectId
    x: Pixel
    y: Pixel
    is_object: bool


@dataclass(frozen=True)
class Box:
    """The object is inside."""

    kind: Literal["box"]
    frame: Index
    object: ObjectId
    left: Pixel
    top: Pixel
    right: Pixel
    bottom: Pixel


@dataclass(frozen=True)
class Brush:
    """A stroke; with `erase` it takes away."""

    kind: Literal["brush"]
    frame: Index
    object: ObjectId
    points: _Points
    radius: Annotated[float, Field(ge=0.5, le=2000)]
    erase: bool = False


@dataclass(frozen=True)
class Polygon:
    """An area; with `erase` it takes away."""

    kind: Literal["polygon"]
    frame: Index
    object: ObjectId
    points: _Points
    erase: bool = False


@dataclass(frozen=True)
class Fill:
    """Fill the hole at a point or, with `erase`, remove the piece there."""

    kind: Literal["fill"]
    frame: Index
    object: ObjectId
    x: Pixel
    y: Pixel
    erase: bool = False


@dataclass(frozen=True)
class Clear:
    """The object is not on this frame."""

    kind: Literal["clear"]
    frame: Index
    object: ObjectId


Edit = Annotated[Click | Box | Brush | Polygon | Fill | Clear, Field(discriminator="kind")]


# what a person asks for


@dataclass(frozen=True)
class Look:
    """A frame is about to be marked."""

    frame: Index


@dataclass(frozen=True)
class Follow:
    """Follow what was marked and has not been followed since; `first` and `last` are the only frames to change."""

    direction: Literal["forward", "backward", "both"] = "forward"
    first: Index | None = None
    last: Index | None = None


@dataclass(frozen=True)
class Move:
    """Undo or redo; refused if the project is no longer as the page has seen it."""

    revision: int


@dataclass(frozen=True)
class Lock:
    """Lock objects and frames, or let go of them."""

    objects: Annotated[list[ObjectId], Field(max_length=1000)] = field(default_factory=list)
    frames: Annotated[list[tuple[Index, Index]], Field(max_length=1000)] = field(default_factory=list)
    unlock: bool = False


@dataclass(frozen=True)
class Remove:
    """Take an object out of all results."""

    object: ObjectId


@dataclass(frozen=True)
class Rename:
    """What a person calls an object; empty: only its number."""

    object: ObjectId
    name: Annotated[str, Field(max_length=80)]


@dataclass(frozen=True)
class Check:
    """These frames look right."""

    frames: Annotated[list[Index], Field(min_length=1, max_length=10_000)]


@dataclass(frozen=True)
class Export:
    """Take results away: as a download, or into a new folder below those that the server was given."""

    overlay: bool = True
    folder: Text | None = None
    formats: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=100)] = field(default_factory=list)
    """Of other tools, by the names of `devos convert`."""


@dataclass(frozen=True)
class Open:
    """Open a video, a folder of frames or a project."""

    path: Text


# what the server answers


@dataclass(frozen=True)
class VideoInfo:
    """The project's video."""

    name: str
    width: int
    height: int
    fps: float
    num_frames: int
    """Exact or, where the file does not say, as far as is known."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object."""

    id: int
    name: str
    colour: str
    """#rrggbb, as in overlays."""
    locked: bool
    seen: int
    """Frames on which it has pixels."""
    marked: list[int]
    """Frames on which a person said something of it."""


@dataclass(frozen=True)
class StepInfo:
    """One thing that was done; some strokes on one frame are told as one."""

    number: int
    """Of the last one told."""
    text: str
    stands: bool
    """False: it was undone."""


@dataclass(frozen=True)
class Doubt:
    """A frame to look at."""

    frame: int
    object: int
    doubt: float
    reason: str


@dataclass(frozen=True)
class Waiting:
    """An object that was marked and has not been followed."""

    object: int
    first: int
    last: int | None


@dataclass(frozen=True)
class Busy:
    """What the worker does at this moment."""

    what: Literal["follow", "export", "start"]
    frame: int
    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True)
class State:
    """A project as it is."""

    key: str
    path: str
    revision: int
    """Another one after every change."""
    video: VideoInfo
    objects: list[ObjectInfo]
    steps: list[StepInfo]
    """The last ones."""
    can_undo: bool
    can_redo: bool
    look_at: list[Doubt]
    checked: list[int]
    waiting: list[Waiting]
    locked_frames: list[tuple[int, int]]
    num_results: int
    cuts: list[int]
    """Frames with which a new shot begins, as far as the video was looked through."""
    proxied: int
    """How many frames the small copy holds."""
    busy: Busy | None
    notes: list[str]
    command: str
    """Follows the same marks without the app, in the folder that was exported."""
    convert: str
    """Writes formats of other tools without the app; their names are to be added."""


@dataclass(frozen=True)
class MaskMessage:
    """What is where on a frame."""

    frame: int
    name: str
    width: int
    height: int
    runs: list[int]
    """Label, length, label, length, ... along the rows."""
    clicks: list[tuple[float, float, bool, int]]
    """Clicks that made a mask which still stands: x, y, whether the object is there, its id."""
    version: str
    """Another one where anything above is another."""
    revision: int
    """Of the project."""


@dataclass(frozen=True)
class Timeline:
    """How each object does on each frame: base64 of a byte a frame: 255 no result, 0 not seen, 1 to 254 confidence."""

    revision: int
    num_frames: int
    rows: dict[str, str]


@dataclass(frozen=True)
class Proxied:
    """The small copy has grown: how many frames it holds, and the cuts that were found."""

    frames: int
    cuts: list[int]


@dataclass(frozen=True)
class FrameDone:
    """A frame was followed: its number, and for each object its byte of the timeline."""

    frame: int
    scores: dict[str, int]


@dataclass(frozen=True)
class Exported:
    """Where the results are."""

    url: str | None
    folder: str | None


@dataclass(frozen=True)
class Candidate:
    """Something that can be opened."""

    path: str
    kind: Literal["video", "frames", "project"]


@dataclass(frozen=True)
class Opened:
    """A project that is open."""

    key: str
    video: str
    path: str


@dataclass(frozen=True)
class FormatInfo:
    """A format of another tool, to which results can be exported."""

    name: str
    what: str
    missing: str
    """Why it cannot be written here; empty where it can."""


@dataclass(frozen=True)
class Place:
    """What is open, and what can be."""

    open: list[Opened]
    candidates: list[Candidate]
    formats: list[FormatInfo]
    roots: list[str]
    """The folders below which the page may open and write."""
    base: str
    """The folder to which videos are sent, and in which new projects begin."""
