"""What every video gives, whatever it is stored in: its facts at once, and its frames one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from devos.errors import VideoError
from devos.frames import Frame, FrameSize
from devos.io.look import PICTURES, Look
from devos.io.sound import SoundSource

DEFAULT_FPS = Fraction(24)
"""Frame rate of what has none of its own."""

_NEARLY_BLACK, _SPARSE = 12, 4
"""A frame none of whose pixels, every fourth one looked at, is brighter; white is 255."""

OnSkip = Callable[[str, str], None]
"""Called with the name of a frame that is left out, and why."""


class VideoReader(ABC):
    """A video whose frames come one by one, in the order they are shown; never held as a whole.

    Each `for` starts again from the first frame. Leaving the `with` closes what is open. A frame that is left out is
    told of in each read that comes to it.
    """

    path: Path
    size: FrameSize
    """Of every frame, as shown: rotation is applied."""
    num_frames: int | None
    """How many frames there are; None when the file does not say."""
    num_frames_is_exact: bool
    """False where `num_frames` is only what length times frame rate gives."""
    fps: Fraction
    """Mean frames per second."""
    names: tuple[str, ...] | None
    """Each frame's name, in order, for a folder; None for a video file, whose frames are named by `frame_name`."""

    look: Look = PICTURES
    """Colours, pixel aspect and ticks, for a video that is made of it."""
    sound: SoundSource | None = None
    """The sound that goes with it, for the same."""

    meaning: str = ""
    """How values that are not sRGB already are shown; empty where they are."""

    def __init__(self, path: Path, *, skip_bad_frames: bool, on_skip: OnSkip | None) -> None:
        self.path = path
        self._skip_bad_frames = skip_bad_frames
        self._on_skip = on_skip
        self._notes: list[str] = []
        self._reading: list[Generator[Frame, None, None]] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user may want to know of, one line each; a read to the end may add to them."""
        return tuple(dict.fromkeys(self._notes))

    def __iter__(self) -> Generator[Frame, None, None]:
        """From the first frame to the last."""
        return self.read_range()

    def read_range(self, start: int = 0, stop: int | None = None) -> Generator[Frame, None, None]:
        """Frames `start` to `stop - 1`, to the end unless `stop` is given: the same frames, to the bit, as in a read
        from the first one. What lies before them is passed over as the file allows; frames beyond its end are none.
        """
        _check_range(start, stop)
        return self._keep_open(self._read(start, stop))

    def backwards(self, start: int = 0, stop: int | None = None) -> Generator[Frame, None, None]:
        """The frames of `read_range(start, stop)`, the last one first.

        However long the video, about 256 MB of pictures are held at most.
        """
        _check_range(start, stop)
        return self._keep_open(self._read_backwards(start, stop))

    def key_frame_before(self, index: int) -> int:
        """The last frame at or before one from which decoding can begin: the quickest to be had near there."""
        return index

    def _keep_open(self, frames: Generator[Frame, None, None]) -> Generator[Frame, None, None]:
        self._reading.append(frames)
        num_seen = num_dark = 0

        def watched(frame: Frame) -> Frame:
            nonlocal num_seen, num_dark
            num_seen += 1
            num_dark += int(frame.rgb[::_SPARSE, ::_SPARSE].max(initial=0)) < _NEARLY_BLACK
            return frame

        try:
            yield from map(watched, frames)  # holds no frame while it waits
            if num_dark:
                self._notes.append(f"{num_dark} of {num_seen} frames are nearly black: little can be followed there")
        finally:
            frames.close()
            if frames in self._reading:
                self._reading.remove(frames)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every file that is open; the reader may be read again."""
        while self._reading:
            self._reading.pop().close()

    @abstractmethod
    def _read(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        """Decode the frames of a range."""

    @abstractmethod
    def _read_backwards(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        """The same, from its end."""

    def _leave_out(self, name: str, reason: str, remedy: str = "replace it") -> None:
        """Go on without a bad frame where that is allowed, else stop with what can be done."""
        if not self._skip_bad_frames:
            raise VideoError(
                f"{self.path}: frame {name} cannot be read ({reason}); "
                f"{remedy}, or go on without such frames with --skip-bad-frames"
            )
        if self._on_skip is not None:
            self._on_skip(name, reason)

    def _check_size(self, name: str, size: FrameSize) -> None:
        if size != self.size:
            raise VideoError(
                f"{self.path}: frame {name} is {size}, but the frames before it are {self.size}; "
                "all frames of a video must have one size"
            )


def _check_range(start: int, stop: int | None) -> None:
    if start < 0 or (stop is not None and stop < start):
        raise ValueError(f"frames go from 0 on, and none before the first of a range; got {start} to {stop}")
