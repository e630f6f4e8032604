"""Videos that come but once: a camera, a network stream, standard input, and arrays from a program.

A live one (camera, RTSP and the like) does not wait: of the frames that come while one is worked on only the newest is
kept, and the others are counted as dropped, so that the delay stays a frame or two however slow the work is. The others
(standard input, HTTP, arrays) wait, and every frame is there. What was given out can be recorded without loss, so that
it can be read again.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from devos.errors import VideoError
from devos.frames import Frame, FrameSize, frame_name
from devos.io.containers import upright
from devos.io.look import look_of
from devos.io.reader import DEFAULT_FPS, VideoReader
from devos.io.recording import Recording
from devos.io.streams import frame_rate, video_stream

Pictures = Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]
"""Pictures and when each is shown, in seconds."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CAMERA = re.compile(r"camera:(\d+)")
_WAITING = ("http", "https", "file", "ftp", "sftp", "tcp")
"""Schemes of addresses whose sender waits."""
_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}
_ANSWER_S = 15.0
"""How long a network source may take to answer."""
_POLL_S = 0.1
_GAP_S = 0.001
"""Least time between frames: a recording counts thousandths of a second."""


def is_live(name: object) -> bool:
    """Whether an input comes but once: `-`, `camera:N`, or an address such as rtsp://... and http://..."""
    return isinstance(name, str) and bool(name == "-" or _CAMERA.fullmatch(name) or _ADDRESS.match(name))


def drops(name: str) -> bool:
    """Whether an input does not wait for who reads it."""
    address = _ADDRESS.match(name)
    return bool(_CAMERA.fullmatch(name) or (address and address[0][:-3].lower() not in _WAITING))


class LiveVideo(VideoReader):
    """A video that is read once, from its first frame on; what was recorded is a `VideoFile`."""

    names = None

    def __init__(self, name: str, pictures: Pictures, fps: Fraction, *, drops: bool = False,
                 recording: Path | None = None, close: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        super().__init__(Path(name), skip_bad_frames=True, on_skip=None)
        self.name, self.fps, self.recording = name, fps, recording
        self.num_frames, self.num_frames_is_exact = None, False
        self.num_dropped = 0
        """Frames that came while others were worked on."""
        self._close_source = close
        self._stopped = threading.Event()
        self._is_begun = False
        self._newest: _Newest | None = _Newest(pictures, self._stopped) if drops else None
        self._pictures = self._newest or pictures
        try:
            self._first: tuple[float, np.ndarray] | None = next(self._pictures)
        except StopIteration:
            raise VideoError(f"{name}: not a single frame came; check that it is on, and that it is a video") from None
        self.size = FrameSize(*self._first[1].shape[:2])

    def stop(self) -> None:
        """End it after the frame that is being worked on."""
        self._stopped.set()

    def _read(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        if self._is_begun or start:
            raise VideoError(f"{self.name}: comes but once, and was read already; what was recorded can be read again")
        self._is_begun = True
        recording = Recording(self.recording, self.fps, self.size) if self.recording else None
        first_s, last_s, index = None, -_GAP_S, 0
        try:
            while (stop is None or index < stop) and (picture := self._next()) is not None:
                first_s = picture[0] if first_s is None else first_s
                time_s = max(round(picture[0] - first_s, 3), round(last_s + _GAP_S, 3))
                frame = Frame(index, time_s, frame_name(index), picture[1])
                self._check_size(frame.name, frame.size)
                if recording is not None:
                    recording.write(frame)
                yield frame
                last_s, index = time_s, index + 1
        finally:
            if recording is not None:
                recording.close()
            self._note_dropped()

    def _read_backwards(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        raise VideoError(f"{self.name}: comes but once and cannot be read backwards; follow it forward")

    def _next(self) -> tuple[float, np.ndarray] | None:
        if self._stopped.is_set():
            return None
        if self._first is not None:
            picture, self._first = self._first, None
            return picture
        return next(self._pictures, None)

    def _note_dropped(self) -> None:
        if self._newest is not None:
            self.num_dropped = self._newest.num_dropped
            if self.num_dropped:
                self._notes.append(f"{self.num_dropped} frames came while others were worked on, and were dropped")

    def close(self) -> None:
        """Let go of the source."""
        self.stop()
        super().close()
        if self._newest is not None:
            self._newest.join()
        self._close_source()


class _Newest(Iterator[tuple[float, np.ndarray]]):
    """The newest picture of a source that another thread reads; those before it, if nobody took them, are dropped."""

    def __init__(self, pictures: Pictures, stopped: threading.Event) -> None:
        self._pictures, self._stopped = pictures, stopped
        self._changed = threading.Condition()
        self._held: tuple[float, np.ndarray] | None = None
        self._is_over = False
        self._failure: Exception | None = None
        self.num_dropped = 0
        self._thread = threading.Thread(target=self._run, name="devos watches", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for picture in self._pictures:
                if self._stopped.is_set():
                    return
                with self._changed:
                    self.num_dropped += self._held is not None
                    self._held = picture
                    self._changed.notify_all()
        except Exception as error:
            self._failure = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def __next__(self) -> tuple[float, np.ndarray]:
        with self._changed:
            while self._held is None and not self._is_over and not self._stopped.is_set():
                self._changed.wait(_POLL_S)
            if self._held is not None and not self._stopped.is_set():
                picture, self._held = self._held, None
                return picture
        if self._failure is not None and not self._stopped.is_set():
            raise self._failure
        raise StopIteration

    def join(self) -> None:
        self._thread.join(_ANSWER_S)


def open_live(name: str, *, fps: Fraction | None = None, recording: Path | None = None) -> LiveVideo:
    """Open `-`, `camera:N` or an address. VideoError where nothing answers, or it is no video."""
    container = _open(name)
    try:
        stream = video_stream(container, Path(name))
        pictures = _decoded(name, container, stream, is_clock=bool(drops(name)))
        video = LiveVideo(name, pictures, fps or frame_rate(stream), drops=drops(name), recording=recording,
                          close=container.close)  # fmt: skip
        if stream.codec_context is not None:
            with suppress(AttributeError):
                video.look = look_of(stream, _Plain(stream), transposed=False)
        return video
    except BaseException:
        container.close()
        raise


class _Plain:
    """What `look_of` asks a picture, as the stream's own decoder tells it."""

    def __init__(self, stream: Any) -> None:
        context = stream.codec_context
        self.format, self.colorspace, self.color_range = context.format, context.colorspace, context.color_range
        self.color_primaries, self.color_trc = context.color_primaries, context.color_trc


def open_frames(frames: Iterable[Any], *, fps: Fraction | None = None, recording: Path | None = None) -> LiveVideo:
    """A video of arrays (h w 3, uint8, RGB), from a list, one array (t h w 3) or a generator."""
    rate = fps or DEFAULT_FPS

    def pictures() -> Pictures:
        for index, rgb in enumerate(frames):
            array = np.asarray(rgb)
            if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
                raise VideoError(f"frame {index} is {array.dtype} of shape {array.shape}; give each as height x width "
                                 "x 3, uint8, RGB")  # fmt: skip
            yield float(index / rate), array.copy()

    return LiveVideo("arrays", pictures(), rate, recording=recording)


def camera_input(number: int) -> tuple[str, str | None]:
    """What libav opens for a camera: the file or name, and the kind of device."""
    kind, name = _CAMERAS.get(sys.platform, _CAMERAS["linux"])
    return name.format(number), kind


def _open(name: str) -> Any:
    camera = _CAMERA.fullmatch(name)
    try:
        if camera:
            file, kind = camera_input(int(camera[1]))
            return av.open(file, format=kind, metadata_errors="replace")
        if name == "-":
            return av.open("pipe:0", metadata_errors="replace")
        options = {"rtsp_transport": "tcp"} if name.lower().startswith("rtsp") else {}
        return av.open(name, options=options, timeout=_ANSWER_S, metadata_errors="replace")
    except (OSError, FFmpegError, ValueError) as error:
        what = {"-": "standard input"}.get(name, name)
        hint = "check its number (camera:0, camera:1, ...), and that no other program has it" if camera else (
            "check that a video comes there, in a container that a pipe can carry (mkv, webm, ts, fragmented mp4)"
        )  # fmt: skip
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise VideoError(f"{what}: cannot be opened ({reason}); {hint}") from error


def _decoded(name: str, container: Any, stream: Any, *, is_clock: bool) -> Pictures:
    """Every picture; those that are damaged are passed over. `is_clock`: times are those at which pictures come."""
    converter, index, begun = VideoReformatter(), 0, time.monotonic()
    with closing(_packets(name, container, stream)) as packets:
        for packet in packets:
            try:
                frames = packet.decode()
            except FFmpegError:
                continue
            for frame in frames:
                time_s = float(index / frame_rate(stream))
                if is_clock:
                    time_s = time.monotonic() - begun
                elif frame.pts is not None:
                    time_s = float(frame.pts * stream.time_base)
                index += 1
                yield time_s, upright(frame, converter)


def _packets(name: str, container: Any, stream: Any) -> Generator[Any, None, None]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (FFmpegError, OSError):  # whoever sends has gone: what came is there
            packet = None
        if packet is None:
            return
        yield packet
