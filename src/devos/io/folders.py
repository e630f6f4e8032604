"""A folder of pictures, read as a video."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

from natsort import natsorted

from devos.errors import VideoError
from devos.frames import Frame, FrameSize
from devos.io.pictures import PICTURE_SUFFIXES, UNREADABLE, list_pictures, read_rgb, read_size
from devos.io.reader import OnSkip, VideoReader


class FrameFolder(VideoReader):
    """The pictures of a folder in natural order (`2.jpg` before `10.jpg`), each named by its file's stem."""

    num_frames: int

    def __init__(self, path: Path, *, fps: Fraction, skip_bad_frames: bool, on_skip: OnSkip | None) -> None:
        super().__init__(path, skip_bad_frames=skip_bad_frames, on_skip=on_skip)
        if fps <= 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        self.fps = fps
        self._files = _frame_files(path)
        self.names = tuple(file.stem for file in self._files)
        self.num_frames, self.num_frames_is_exact = len(self._files), True
        self.size = self._check_headers()

    def _check_headers(self) -> FrameSize:
        """The one size of all frames; a damaged header is told here, before any work, unless bad frames are skipped."""
        common: tuple[Path, FrameSize] | None = None
        for file in self._files:
            try:
                size = read_size(file)
            except UNREADABLE as error:
                if not self._skip_bad_frames:
                    self._leave_out(file.name, _reason(error))
                continue
            if common is None:
                common = (file, size)
            if size != common[1]:
                raise VideoError(
                    f"{self.path}: {file.name} is {size}, but {common[0].name} is {common[1]}; "
                    "all frames of a video must have one size"
                )
        if common is None:
            raise VideoError(f"{self.path}: none of the {len(self._files)} pictures in it can be read")
        return common[1]

    def _read(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        yield from self._frames(range(self.num_frames)[start:stop])

    def _read_backwards(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        yield from self._frames(range(self.num_frames)[start:stop][::-1])

    def _frames(self, indices: range) -> Generator[Frame, None, None]:
        for index in indices:
            file = self._files[index]
            try:
                rgb = read_rgb(file)
            except UNREADABLE as error:
                self._leave_out(file.name, _reason(error))
                continue
            frame = Frame(index=index, time_s=float(index / self.fps), name=file.stem, rgb=rgb)
            self._check_size(file.name, frame.size)
            yield frame


def _frame_files(folder: Path) -> list[Path]:
    """The frames in order; an error where there are none, or where two have the same name."""
    try:
        files: list[Path] = natsorted(list_pictures(folder), key=lambda file: file.name)
    except OSError as error:
        raise VideoError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    if not files:
        others = sum(1 for other in folder.iterdir() if not other.name.startswith("."))
        found = f"has no pictures among its {others} entries" if others else "is an empty folder"
        raise VideoError(f"{folder}: {found}; a folder of frames holds {' '.join(PICTURE_SUFFIXES)} files")
    seen: dict[str, Path] = {}
    for file in files:
        twin = seen.setdefault(file.stem, file)
        if twin is not file:
            raise VideoError(
                f"{folder}: {twin.name} and {file.name} would both be frame {file.stem!r}; "
                "keep one of them, or put them in folders of their own"
            )
    return files


def _reason(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
