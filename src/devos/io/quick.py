"""Frames from the middle of a file, sooner: what no other picture needs is not decoded, and several threads decode.

Either could hide where a file is damaged. So this stops at whatever is unusual, and the reader goes on in its own way
from there; what comes until then is, to the bit, what it would have given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import av
from av.error import FFmpegError

from devos.io.decoding import Key, SeekError, Shown
from devos.io.streams import open_container, video_stream


class Spare:
    """A file that stays open between two readings: opening it and its decoder takes longer than many a jump."""

    def __init__(self, path: Path, wanted: int | None) -> None:
        self._path, self._wanted = path, wanted
        self._lock = Lock()
        self._kept: tuple[Any, Any] | None = None

    @contextmanager
    def taken(self) -> Iterator[tuple[Any, Any]]:
        """The container and its video stream, for one reading alone; others that read meanwhile open their own."""
        mine = self._exchange(None)
        if mine is None:
            container = open_container(self._path)
            stream = video_stream(container, self._path, self._wanted)
            # an error is told later than where it is, which matters little to one who stops at it
            stream.thread_type = "AUTO"
            mine = container, stream
        try:
            yield mine
        finally:
            _close(self._exchange(mine))

    def close(self) -> None:
        """Keep nothing open."""
        _close(self._exchange(None))

    def _exchange(self, new: tuple[Any, Any] | None) -> tuple[Any, Any] | None:
        with self._lock:
            old, self._kept = self._kept, new
        return old


def _close(kept: tuple[Any, Any] | None) -> None:
    if kept is not None:
        kept[0].close()


def quick_pictures(container: Any, stream: Any, key: Key, times: tuple[int, ...],
                   start: int) -> Iterator[tuple[int, Shown]]:  # fmt: skip
    """The frames from number `start` on, each with its number; ends early where anything is not as `times` say.

    `key`: where decoding begins, at or before `start`. `times`: when each frame of the video is shown, in ticks.
    """
    wanted, context = times[start], stream.codec_context
    index = start
    try:
        container.seek(key.seek, stream=stream)
        for packet in _from_key(container, stream, key):
            is_before = packet.pts is not None and packet.pts < wanted
            context.skip_frame = "NONREF" if is_before else "DEFAULT"
            for frame in packet.decode():
                if frame.pts is not None and frame.pts < wanted:
                    continue
                if index >= len(times) or frame.pts != times[index] or frame.is_corrupt:
                    return
                yield index, Shown(frame)
                index += 1
    except (FFmpegError, SeekError):
        return


def _from_key(container: Any, stream: Any, key: Key) -> Iterator[Any]:
    """The stream's packets from the key on, then one that asks for the pictures still held."""
    begun = False
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        if not begun and packet.is_keyframe and packet.pts is not None and packet.pts > key.pts:
            raise SeekError
        begun = begun or (packet.is_keyframe and packet.pts == key.pts)
        if begun:
            yield packet
    flush = av.Packet()
    flush.stream = stream
    yield flush
