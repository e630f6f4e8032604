"""A video file (mp4, mov, mkv, webm, avi, ...), decoded with PyAV."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from devos.errors import VideoError
from devos.frames import Frame, FrameSize, frame_name
from devos.io.decoding import Lost, Pictures, SeekError, Shown
from devos.io.key_pictures import KeyPictures, decode_key_pictures, find_key_pictures
from devos.io.look import look_of
from devos.io.orientation import orientation_of
from devos.io.quick import Spare, quick_pictures
from devos.io.reader import OnSkip, VideoReader
from devos.io.sound import sound_source
from devos.io.streams import (
    count_frames,
    frame_rate,
    is_cut_off,
    open_container,
    promised_s,
    refuse_what_is_no_video,
    stream_notes,
    video_stream,
)  # fmt: skip

HELD_BYTES = 256 << 20
"""Most bytes of decoded pictures that are held in reading backwards."""
LOOSE_BYTES = 64 << 20
"""How many bytes of pictures that are done with may wait for the garbage collector."""
_NOTED_FRAMES = 0.75
"""Missing time, in frames, that is told of."""
_CUT_OFF = "the file is cut off before it"


class VideoFile(VideoReader):
    """One video stream of a file; of all else the sound alone is known, as `sound`."""

    names = None

    def __init__(
        self,
        path: Path,
        *,
        skip_bad_frames: bool,
        on_skip: OnSkip | None,
        stream: int | None = None,
        sound: bool = True,
    ) -> None:
        super().__init__(path, skip_bad_frames=skip_bad_frames, on_skip=on_skip)
        refuse_what_is_no_video(path)
        self._wanted, self._with_sound = stream, sound
        self._key_pictures: KeyPictures | None = None
        self._first_pts: int | None = None
        self._picture_bytes = 0
        self._spare = Spare(path, stream)
        with open_container(path) as container:
            chosen = video_stream(container, path, stream)
            self.stream_index = chosen.index
            self._notes += stream_notes(container, chosen)
            self.fps, self._time_base = frame_rate(chosen), chosen.time_base
            self._promised_s = promised_s(container, chosen)
            self.num_frames, self.num_frames_is_exact = count_frames(container, chosen, self.fps)
            if is_cut_off(chosen, path) and not skip_bad_frames:
                raise VideoError(
                    f"{path}: the file is cut off: its index names frames beyond its end; "
                    "copy the file again, or take the frames that are there with --skip-bad-frames"
                )
        self.size = self._probe_size()

    def close(self) -> None:
        """Close every file that is open; the reader may be read again."""
        super().close()
        self._spare.close()

    @property
    def first_pts(self) -> int | None:
        """When the first frame is shown, in ticks; None where the file does not say."""
        return self._first_pts

    def key_frame_before(self, index: int) -> int:
        """The last frame at or before one from which decoding can begin; the first call goes through the file."""
        key = self._keys().at_or_before(index)
        return 0 if key is None else key.index

    def _probe_size(self) -> FrameSize:
        """The size of the first frame that decodes: only a decoded frame tells how it is turned."""
        with open_container(self.path) as container:
            stream = video_stream(container, self.path, self._wanted)
            pictures = Pictures(container, stream)
            for picture in pictures:
                if isinstance(picture, Lost):
                    if not self._skip_bad_frames:
                        self._leave_out(frame_name(pictures.count - 1), picture.reason)
                    continue
                self._first_pts = picture.frame.pts
                self._picture_bytes = sum(plane.buffer_size for plane in picture.frame.planes)
                self.orientation = orientation_of(picture.frame)
                if self.orientation.is_slanted:
                    self._notes.append("the file asks for a turn by less than a quarter; the nearest quarter is taken")
                self.look = look_of(stream, picture.frame, transposed=self.orientation.transposed)
                if self._with_sound:
                    first_s = float((self._first_pts or 0) * self._time_base)
                    self.sound = sound_source(container, self.path, first_s)
                return self.orientation.size(FrameSize(picture.frame.height, picture.frame.width))
        raise VideoError(f"{self.path}: no frame of it can be decoded; the file is damaged or cut off, copy it again")

    def _read(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        converter = VideoReformatter()
        for index, picture in self._decode(start, stop):
            if (frame := self._to_frame(index, picture, converter)) is not None:
                yield frame

    def _read_backwards(self, start: int, stop: int | None) -> Generator[Frame, None, None]:
        converter, keys = VideoReformatter(), self._keys()
        stop = keys.num_frames if stop is None else min(stop, keys.num_frames)
        most, loose = max(1, HELD_BYTES // max(1, self._picture_bytes)), 0
        while stop > start:
            first = _start_of_piece(keys, start, stop, most)
            held = deque(self._decode(first, stop))
            loose += len(held) * self._picture_bytes
            while held:
                if (frame := self._to_frame(*held.pop(), converter)) is not None:
                    yield frame
            stop = first
            if loose > LOOSE_BYTES:  # a container and its streams hold each other, and the decoder's pictures with them
                gc.collect()
                loose = 0

    def _decode(self, start: int, stop: int | None) -> Generator[tuple[int, Shown | Lost], None, None]:
        """What is shown from `start` on, each with its index."""
        if stop is not None and start >= stop:
            return
        if start > 0:
            for index, picture in self._decode_quickly(start):
                yield index, picture
                start = index + 1
                if stop is not None and start >= stop:
                    return
        key = self._keys().before(start) if start > 0 else None
        while True:
            with open_container(self.path) as container, suppress(SeekError):
                stream = video_stream(container, self.path, self._wanted)
                if key is not None:
                    container.seek(key.seek, stream=stream)
                pictures = Pictures(container, stream, key)
                yield from _count(pictures, key.index if key else 0, start, stop)
                if key is None and stop is None:
                    self._compare_with_header(pictures)
                return
            key = None if key is None else self._keys().before(key.index - 1)

    def _decode_quickly(self, start: int) -> Generator[tuple[int, Shown], None, None]:
        """The same until anything is unusual, or nothing where that would be so at once."""
        times, key = self._keys().times, self._keys().at_or_before(start)
        if start < len(times) and key is not None:
            with self._spare.taken() as (container, stream):
                yield from quick_pictures(container, stream, key, times, start)

    def _compare_with_header(self, pictures: Pictures) -> None:
        """Tell where the file has more or fewer frames than its header promises; from now on its own count holds."""
        promised, is_exact = self.num_frames, self.num_frames_is_exact
        self.num_frames, self.num_frames_is_exact = pictures.count, True
        if pictures.num_stumbled:
            self._notes.append(f"the decoder stumbled at {pictures.num_stumbled} frames, which came all the same")
        if promised is None or promised == pictures.count:
            return
        if not is_exact:
            missing_s = 0.0 if self._promised_s is None else self._promised_s - pictures.held_s
            if missing_s * self.fps < _NOTED_FRAMES:
                return  # the count was only an estimate, and its times vary
        about = "" if is_exact else "about "
        self._notes.append(
            f"the file's header promises {about}{promised} frames, but {pictures.count} are in it; "
            "if some are missing at its end, copy the file again"
        )

    def _to_frame(self, index: int, picture: Shown | Lost, converter: VideoReformatter) -> Frame | None:
        """The picture as a frame; None where it is left out."""
        name = frame_name(index)
        if isinstance(picture, Lost):
            self._leave_out(name, picture.reason, *(["copy the file again"] if picture.reason == _CUT_OFF else []))
            return None
        time_s = float(index / self.fps)
        if picture.frame.pts is not None and self._first_pts is not None:
            time_s = float((picture.frame.pts - self._first_pts) * self._time_base)
        frame = Frame(index, time_s, name, upright(picture.frame, converter))
        self._check_size(name, frame.size)
        return frame

    def _keys(self) -> KeyPictures:
        """Where decoding can begin; found when it is first asked for."""
        if self._key_pictures is None:
            with open_container(self.path) as container:
                keys = find_key_pictures(container, video_stream(container, self.path, self._wanted), self._first_pts)
            if keys is None:
                with open_container(self.path) as container:
                    keys = decode_key_pictures(container, video_stream(container, self.path, self._wanted))
            self._key_pictures = keys
        return self._key_pictures


def _count(
    pictures: Pictures, first: int, start: int, stop: int | None
) -> Generator[tuple[int, Shown | Lost], None, None]:
    """The pictures of a range with their indices; the first that is decoded is number `first`."""
    for picture in pictures:
        index = first + pictures.count - 1
        if index >= start:
            yield index, picture
        if stop is not None and index + 1 >= stop:
            return
    if pictures.ended_early or (first == 0 and pictures.stops_short()):
        yield first + pictures.count, Lost(_CUT_OFF)


def _start_of_piece(keys: KeyPictures, start: int, stop: int, most: int) -> int:
    """The first frame of the piece to be decoded at once: a key picture where that many can be held."""
    earliest = max(start, stop - most)
    key = keys.first_from(earliest)
    return key if key is not None and key < stop and earliest > start else earliest


def upright(frame: Any, converter: VideoReformatter) -> np.ndarray:
    """The picture as 8-bit RGB, turned and mirrored as its display matrix says.

    `converter`: the same one throughout a video, since each makes its tables anew.
    """
    return orientation_of(frame).apply(converter.reformat(frame, format="rgb24", interpolation="BICUBIC").to_ndarray())
