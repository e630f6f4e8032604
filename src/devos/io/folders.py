"""A folder of pictures, or a file that holds several, read as a video."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from devos.errors import VideoError
from devos.frames import Frame, FrameSize, frame_name
from devos.io.film_frames import MEANING
from devos.io.frame_files import find_frames
from devos.io.pictures import UNREADABLE, WHITE_16, deep_values, has_alpha, num_pages, opened, page_rgb, size_of
from devos.io.reader import DEFAULT_FPS, OnSkip, VideoReader

HELD_BYTES = 128 << 20
"""Most bytes of pictures that are held in reading an animation backwards."""
_SAMPLED = 64
"""Pictures that are looked at to find which value is white."""
_ANIMATIONS = ("GIF", "PNG", "WEBP")
"""Formats in which a picture needs those before it."""


@dataclass(frozen=True)
class Page:
    """One picture in one file."""

    file: Path
    number: int
    name: str

    @property
    def label(self) -> str:
        """For messages."""
        return self.file.name if not self.number else f"{self.file.name}, page {self.number}"


class FrameFolder(VideoReader):
    """The pictures of a folder in natural order (`2.jpg` before `10.jpg`), each named by its file's stem; or all the
    pictures of one file, named by their number.
    """

    num_frames: int

    def __init__(
        self,
        path: Path,
        *,
        fps: Fraction | None,
        skip_bad_frames: bool,
        on_skip: OnSkip | None,
        white: int | None = None,
        not_frames: Iterable[Path] = (),
    ) -> None:
        super().__init__(path, skip_bad_frames=skip_bad_frames, on_skip=on_skip)
        if fps is not None and fps <= 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        files, notes = find_frames(path, not_frames) if path.is_dir() else ([path], [])
        self._notes += notes
        self._durations_s: list[float] = []
        self._pages, self.size = self._check_headers(files)
        self.names = tuple(page.name for page in self._pages) if path.is_dir() else None
        self.num_frames, self.num_frames_is_exact = len(self._pages), True
        total_s = sum(self._durations_s)
        own = Fraction(self.num_frames / total_s).limit_denominator(1001) if total_s and fps is None else None
        self.fps = fps or own or DEFAULT_FPS
        starts = np.cumsum([0.0, *self._durations_s])
        self._starts_s = starts if own and len(starts) > self.num_frames else None
        self._white = white or self._find_white()

    def _check_headers(self, files: Sequence[Path]) -> tuple[list[Page], FrameSize]:
        """The pages and their one size; a damaged header is told here, before any work, unless it is to be skipped."""
        common: tuple[Path, FrameSize] | None = None
        pages: list[Page] = []
        for file in files:
            count = 1
            try:
                with opened(file) as picture:
                    size, count = size_of(picture), num_pages(picture)
                    self._tell_meaning(str(picture.info.get(MEANING, "")))
                    if count > 1:
                        _refuse_axes(file, picture, self._notes)
                    if len(files) == 1 and count > 1 and picture.format in _ANIMATIONS:
                        self._durations_s = _durations_s(picture, count)
            except UNREADABLE as error:
                if not self._skip_bad_frames:
                    self._leave_out(file.name, _reason(error))
                pages.append(Page(file, 0, file.stem))
                continue
            if common is None:
                common = (file, size)
            if size != common[1]:
                raise VideoError(
                    f"{self.path}: {file.name} is {size}, but {common[0].name} is {common[1]}; "
                    "all frames of a video must have one size"
                )
            if count > 1 and self.path.is_dir():
                self._notes.append(f"{file.name} holds {count} pictures; each is a frame")
            pages += [Page(file, number, _page_name(file, number, count)) for number in range(count)]
        if common is None:
            raise VideoError(f"{self.path}: none of the {len(files)} pictures in it can be read")
        if self.path.is_file():
            pages = [Page(page.file, page.number, frame_name(page.number)) for page in pages]
        return pages, common[1]

    def _tell_meaning(self, meaning: str) -> None:
        if meaning and meaning not in self._notes:
            self._notes.append(meaning)
            self.meaning = self.meaning or meaning

    def _find_white(self) -> int:
        """The value that is white where there are more than 8 bits: of the bits that are used over the whole folder."""
        highest, has_transparency = 0, False
        step = max(1, self.num_frames // _SAMPLED)
        for page in self._pages[::step]:
            try:
                with opened(page.file) as picture:
                    has_transparency = has_transparency or has_alpha(picture)
                    if picture.mode in ("1", "L", "P", "CMYK", "LA", "YCbCr") or picture.format in ("JPEG", "MPO"):
                        break
                    if page.number:
                        picture.seek(page.number)
                    values = deep_values(picture, page.file, page.number)
            except UNREADABLE:
                continue
            if values is None:
                break
            highest = max(highest, int(values.max(initial=0)))
        if has_transparency:
            self._notes.append("transparent parts are shown over black")
        if not 0 < highest <= WHITE_16 // 4:
            return max(WHITE_16, highest)
        white = (1 << max(8, highest.bit_length())) - 1
        self._notes.append(
            f"the 16-bit values go up to {highest}: {white} is taken as white; --white says which one is"
        )
        return white

    def _read(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        yield from self._frames(range(self.num_frames)[start:stop])

    def _read_backwards(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        indices = range(self.num_frames)[start:stop]
        if not self._durations_s:
            yield from self._frames(indices[::-1])
            return
        most = max(1, HELD_BYTES // (3 * self.size.height * self.size.width))
        for end in range(len(indices), 0, -most):
            yield from reversed(list(self._frames(indices[max(0, end - most) : end])))

    def _frames(self, indices: range) -> Generator[Frame, None, None]:
        with ExitStack() as stack:
            current: tuple[Path, Image.Image] | None = None
            for index in indices:
                page = self._pages[index]
                try:
                    if current is None or current[0] != page.file:
                        stack.close()
                        current = (page.file, stack.enter_context(opened(page.file)))
                    rgb = page_rgb(current[1], page.file, page.number, self._white)
                except UNREADABLE as error:
                    current = None
                    self._leave_out(page.label, _reason(error))
                    continue
                time_s = float(index / self.fps) if self._starts_s is None else float(self._starts_s[index])
                frame = Frame(index=index, time_s=time_s, name=page.name, rgb=rgb)
                self._check_size(page.label, frame.size)
                yield frame


def _page_name(file: Path, number: int, count: int) -> str:
    return file.stem if count == 1 else f"{file.stem}_{number:0{max(4, len(str(count - 1)))}d}"


def _durations_s(picture: Image.Image, count: int) -> list[float]:
    """How long each picture of an animation is shown."""
    durations = []
    for number in range(count):
        picture.seek(number)
        picture.load()  # WebP tells it only then
        durations.append(float(picture.info.get("duration") or 0) / 1000)
    return durations if all(durations) else [1 / float(DEFAULT_FPS)] * count


def _refuse_axes(file: Path, picture: Image.Image, notes: list[str]) -> None:
    """Tell where the pages of a TIFF are not moments but channels or slices, as ImageJ or OME describe them."""
    text = str(getattr(picture, "tag_v2", {}).get(270, ""))
    sizes = dict.fromkeys("TZC", 1)
    if text.startswith("ImageJ"):
        for axis, word in (("T", "frames"), ("Z", "slices"), ("C", "channels")):
            found = re.search(rf"^{word}=(\d+)", text, re.MULTILINE)
            sizes[axis] = int(found[1]) if found else 1
    elif "<OME" in text:
        for axis in sizes:
            found = re.search(rf'Size{axis}="(\d+)"', text)
            sizes[axis] = int(found[1]) if found else 1
        samples = re.search(r'SamplesPerPixel="(\d+)"', text)
        sizes["C"] //= int(samples[1]) if samples else 1
    if sizes["C"] > 1 or (sizes["Z"] > 1 and sizes["T"] > 1):
        axes = ", ".join(f"{axis}={size}" for axis, size in sizes.items() if size > 1)
        raise VideoError(f"{file}: its pages are not only moments ({axes}; C: channels, Z: slices); "
                         "save one channel and one slice, with time alone as pages")  # fmt: skip
    if sizes["Z"] > 1:
        notes.append(f"{file.name}: its {sizes['Z']} slices (Z) are taken as moments")


def _reason(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
