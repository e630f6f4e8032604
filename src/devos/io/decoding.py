"""The pictures of one stream in the order they are shown, the lost ones at their place.

What is counted is what FFmpeg's own program shows: pre-roll (pictures that only help to decode later ones) is not, and
a packet at which the decoder stumbles though its picture comes is counted once.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
from av.error import FFmpegError

_MICROSECONDS = 1_000_000
_TIMESTAMPS_ARE_LOOSE = ("avi", "h264", "hevc", "m4v", "mpegvideo", "rawvideo", "obu", "ivf")
"""Formats whose packets carry no time at which their picture is shown, as libav calls them."""


@dataclass(frozen=True)
class Key:
    """A picture from which decoding can begin, giving the same bits as decoding from the start of the file."""

    index: int
    """Its place in the video."""
    pts: int | None
    """When it is shown, in ticks; None where the file's times are no guide."""
    seek: int
    """The time to seek to: when it is decoded; when it is shown, where the file tells only that."""


@dataclass(frozen=True)
class Shown:
    """A decoded picture."""

    frame: Any


@dataclass(frozen=True)
class Lost:
    """A picture that could not be decoded."""

    reason: str = "its data is damaged"


class Pictures:
    """Decode a stream, from its start or from a key picture.

    Packets come in another order than the pictures they hold, so a packet that fails is kept by its time stamp until
    the pictures before it have been given out, or until its own picture comes after all.
    """

    def __init__(self, container: Any, stream: Any, key: Key | None = None) -> None:
        self._container, self._stream, self._key = container, stream, key
        self.count = 0
        """Pictures so far, lost ones too."""
        self.num_stumbled = 0
        """Packets at which the decoder stumbled though their pictures came."""
        self.ended_early = False
        """Whether the file broke off; known at its end."""
        self.num_packets = 0
        self.end_s = 0.0
        """Where the last packet of any stream ends; seconds, as the file counts them."""
        self._own_start_s, self._own_end_s = math.inf, -math.inf
        self.key_times: list[int | None] = []
        """`seek_time` of every key packet."""
        self._failed: list[int | float] = []
        self._lost = Lost()
        self._begun = False
        """Whether the first picture that counts has come."""
        self._start_pts: float = -math.inf
        self._is_ordered = has_times(container)

    def __iter__(self) -> Iterator[Shown | Lost]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except FFmpegError as error:
                if error.errno in (errno.ENOMEM, errno.EAGAIN):  # the latter where no thread can be begun
                    self._lost = Lost("no memory was left to decode it, or its data is damaged")
                self._note_failure(packet)
                continue
            for frame in frames:
                yield from self._give_out(frame)
        yield from self._lost_before(math.inf)

    def _packets(self) -> Iterator[Any]:
        """The stream's packets from the key on, then one that asks for the pictures still held."""
        packets = self._container.demux()
        is_waiting = self._key is not None
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:
                self.ended_early, packet = True, None
            if packet is None:
                break
            if packet.pts is not None:
                self.end_s = max(self.end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream.index != self._stream.index or packet.size == 0:
                continue
            if self._key is not None and is_waiting:
                if not _is_at(packet, self._key):
                    continue
                is_waiting = False
            if packet.pts is not None:
                self._own_start_s = min(self._own_start_s, float(packet.pts * packet.time_base))
                self._own_end_s = max(self._own_end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.is_keyframe and not packet.is_discard:
                self.key_times.append(seek_time(packet))
            if packet.is_keyframe and self._start_pts == -math.inf and packet.pts is not None and self._is_ordered:
                self._start_pts = packet.pts
            self.num_packets += 1
            yield packet
        if is_waiting:
            raise SeekError
        flush = av.Packet()
        flush.stream = self._stream
        yield flush

    def _note_failure(self, packet: Any) -> None:
        """Keep in mind a packet that holds a picture to be shown; not pre-roll, nor what leads into a key picture."""
        if packet.is_discard or (self._start_pts == -math.inf and self._is_ordered):
            return
        if packet.pts is None and self._is_ordered and not self._begun:
            return
        pts = math.inf if packet.pts is None else packet.pts
        if pts >= self._start_pts:
            self._failed.append(pts)

    def _give_out(self, frame: Any) -> Iterator[Shown | Lost]:
        if self._key is not None and not self._begun:
            is_key = frame.key_frame if self._key.pts is None else frame.pts == self._key.pts
            if not is_key:
                return
        self._begun = True
        if frame.pts is not None:
            if frame.pts in self._failed:
                self._failed.remove(frame.pts)
                self.num_stumbled += 1
            if self._is_ordered:
                yield from self._lost_before(frame.pts)
        self.count += 1
        yield Lost() if frame.is_corrupt else Shown(frame)

    def _lost_before(self, pts: int | float) -> Iterator[Lost]:
        due = [lost for lost in self._failed if lost < pts or pts == math.inf]
        self._failed = [lost for lost in self._failed if lost not in due]
        for _ in due:
            self.count += 1
            yield self._lost

    def stops_short(self) -> bool:
        """Whether the file held much less than its header promised: by its index in mp4 and mov, else by its length."""
        if "mp4" in self._container.format.name:
            return self.num_packets < len(self._stream.index_entries)
        if self._container.duration is None:
            return False
        promised_s = self._container.duration / _MICROSECONDS
        held_s = self.end_s - (self._container.start_time or 0) / _MICROSECONDS
        return bool(held_s < 0.98 * promised_s - 0.25)

    @property
    def held_s(self) -> float:
        """How long the pictures that came last from their first to their end, in seconds."""
        return self._own_end_s - self._own_start_s if self.num_packets else 0.0


def seek_time(packet: Any) -> int | None:
    """By which a packet can be found again."""
    time: int | None = packet.pts if packet.dts is None else packet.dts
    return time


def _is_at(packet: Any, key: Key) -> bool:
    """Whether a packet is the key; SeekError where it lies behind it."""
    if not packet.is_keyframe:
        return False
    time, wanted = (seek_time(packet), key.seek) if key.pts is None else (packet.pts, key.pts)
    if time is not None and time > wanted:
        raise SeekError
    return bool(time == wanted)


class SeekError(Exception):
    """A seek did not lead to a packet before the key; try from further back."""


def has_times(container: Any) -> bool:
    """Whether packets say when their pictures are shown."""
    return not any(name in _TIMESTAMPS_ARE_LOOSE for name in container.format.name.split(","))
