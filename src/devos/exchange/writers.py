"""What every writer here is: a place that takes one frame after the other, and holds no video whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import ClassVar, TypeVar

import numpy as np
from jaxtyping import Bool, Float

from devos.exchange.rle import coco_counts
from devos.frames import Frame, FrameSize, MaskFrame
from devos.io.files import LISTING
from devos.io.look import PICTURES, Look
from devos.io.regions import Region, find_regions
from devos.io.sound import SoundSource
from devos.whole_files import make_folder, output_error, partial_path, replacing

_AnyWriter = TypeVar("_AnyWriter", bound="Writer")


@dataclass(frozen=True)
class VideoInfo:
    """What formats tell of the video that the masks belong to."""

    name: str
    size: FrameSize
    num_frames: int | None
    """How many will be written; None where that is not known."""
    fps: Fraction
    suffix: str = ".jpg"
    """Of the names of its frames in formats that name files."""
    names: Mapping[int, str] = field(default_factory=dict)
    """What a person calls the objects, by id; of those that have a name."""
    look: Look = PICTURES
    sound: SoundSource | None = None

    def name_of(self, object_id: int) -> str:
        """What an object is called where a format wants a kind of thing: its own name, else `object`."""
        return self.names.get(object_id, "object")


@dataclass(frozen=True)
class Seen:
    """One object that has a pixel on a frame. What several formats ask for is found once."""

    object_id: int
    confidence: float
    region: Region
    inside: Bool[np.ndarray, "box_h box_w"]
    """Its pixels within its box."""
    size: FrameSize
    """Of the frame."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width and height, in whole pixels."""
        _, x, y, x_max, y_max = self.region
        return x, y, x_max - x + 1, y_max - y + 1

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """On the whole frame."""
        full = np.zeros(self.size, bool)
        full[self.region.window] = self.inside
        return full

    @cached_property
    def counts(self) -> str:
        """COCO's compressed run lengths."""
        return coco_counts(self.mask)

    @property
    def rle(self) -> dict[str, object]:
        """COCO's run lengths with the size that they are for."""
        return {"size": list(self.size), "counts": self.counts}


@dataclass(frozen=True)
class Shot:
    """What is known of one frame."""

    masks: MaskFrame
    frame: Frame | None = None
    """The picture; None where no writer asked for it."""
    names: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def objects(self) -> list[Seen]:
        """Every object that has a pixel, by rising id."""
        labels, size = self.masks.labels, FrameSize(*self.masks.labels.shape)
        confidences = {score.object_id: score.confidence for score in self.masks.scores}
        return [
            Seen(i, confidences.get(i, 1.0), region, labels[region.window] == i, size)
            for i, region in find_regions(labels).items()
        ]

    @property
    def picture(self) -> Frame:
        """The picture, of a writer that asked for it."""
        assert self.frame is not None
        return self.frame

    def alpha(self, object_id: int) -> Float[np.ndarray, "h w"]:
        """How much of each pixel is the object, 0 to 1: its probability where it is known, else 0 or 1."""
        soft = self.masks.probabilities
        for row, score in enumerate(self.masks.scores):
            if score.object_id == object_id and soft is not None:
                return np.asarray(soft[row], np.float32)
        return np.asarray(self.masks.labels == object_id, np.float32)


class Writer(ABC):
    """Written inside a `with`: frames by rising index. Left by an error it leaves nothing that is half a file."""

    needs_frames: ClassVar[bool] = False
    """Whether a shot must have its picture."""
    needs_probabilities: ClassVar[bool] = False
    """Whether it has something to say only where the probabilities were kept."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        self.path, self.video = path, video
        make_folder(path.parent)

    @classmethod
    def check(cls) -> None:
        """OptionError where something that it needs is missing; before anything is begun."""
        return

    @abstractmethod
    def write(self, shot: Shot) -> None:
        """Take one frame."""

    @abstractmethod
    def close(self) -> None:
        """Finish: what was taken can be read under its name."""

    def discard(self) -> None:  # noqa: B027  most have nothing open
        """Leave it: nothing half-written stays, and what an earlier pass wrote does."""

    def __enter__(self: _AnyWriter) -> _AnyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()


class FolderWriter(Writer):
    """A folder with files for each frame, each whole as soon as it is written.

    A list of them lies beside them (`.devos-written`), so that a later pass that does not write one of them again takes
    it away, and nothing else: what others put into the folder stays.
    """

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        make_folder(path)
        self._listing = path / LISTING
        self._partial = partial_path(self._listing)
        self._earlier = {name for file in (self._listing, self._partial) for name in listed_in(file)}
        try:
            self._list = self._partial.open("a", encoding="utf-8")
        except OSError as error:
            raise output_error(path, error) from error

    @contextmanager
    def file(self, name: str) -> Generator[Path, None, None]:
        """A temporary path to write one file of the folder to, by its name within it (`/` between folders)."""
        path = self.path / name
        try:
            self._list.write(f"{name}\n")
        except OSError as error:
            raise output_error(path, error) from error
        if path.parent != self.path:
            make_folder(path.parent)
        with replacing(path) as temporary:
            yield temporary
        self._earlier.discard(name)

    def growing(self, name: str) -> Path:
        """Where a file of the folder that takes every frame is written until it is whole."""
        return partial_path(partial_path(self.path / name))

    def close(self) -> None:
        """Take away what an earlier pass wrote and this one did not."""
        try:
            self._list.close()
            for name in self._earlier:
                (self.path / name).unlink(missing_ok=True)
                with suppress(OSError):  # others are in it, or it is this folder itself
                    if (self.path / name).parent != self.path:
                        (self.path / name).parent.rmdir()
            if self._earlier:
                names = [name for name in listed_in(self._partial) if name not in self._earlier]
                self._partial.write_text("".join(f"{name}\n" for name in dict.fromkeys(names)), encoding="utf-8")
            self._partial.replace(self._listing)
        except OSError as error:
            raise output_error(self.path, error) from error

    def discard(self) -> None:
        """Files that are written are whole, and stay with their list."""
        with suppress(OSError):
            self._list.close()


def listed_in(listing: Path) -> list[str]:
    """The names in a list of files that were written; none where it is not there."""
    try:
        return listing.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def write_text(path: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
