"""Where in a video file decoding can begin: its key pictures, and which frame of the video each is.

One pass over the packets tells, without decoding, where every packet says when its picture is shown. Where it does
not, or where a packet may hold a picture that is never shown, one pass of decoding does.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from av.error import FFmpegError

from devos.io.decoding import Key, Pictures, Shown, has_times

_ONE_PACKET_ONE_PICTURE = (
    "h264", "hevc", "vvc", "av1", "vp9", "mpeg1video", "mpeg2video", "mpeg4", "mjpeg", "prores", "dnxhd", "ffv1",
    "png", "rawvideo", "qtrle", "utvideo", "huffyuv", "ffvhuff", "theora", "cfhd", "dvvideo", "jpeg2000", "v210",
)  # fmt: skip
"""Codecs in which every packet, as libav cuts them, is one picture that is shown."""
_H264_IDR, _H264_SEI, _SEI_RECOVERY = 5, 6, 6


@dataclass(frozen=True)
class KeyPictures:
    """The key pictures of a file, in their order."""

    keys: tuple[Key, ...]
    num_frames: int
    """Frames that there should be, lost ones too."""
    first_pts: int | None
    """When the first frame is shown, in ticks; None where the file's times are no guide."""
    times: tuple[int, ...] = ()
    """When each frame is shown, in ticks, rising; empty where that is not known without decoding."""

    def before(self, index: int) -> Key | None:
        """The last key picture at or before a frame; None where decoding has to begin at the start of the file."""
        place = bisect.bisect_right(self.keys, index, key=lambda key: key.index) - 1
        return self.keys[place] if place > 0 else None

    def at_or_before(self, index: int) -> Key | None:
        """The last key picture at or before a frame, be it the file's first; None if there is none."""
        place = bisect.bisect_right(self.keys, index, key=lambda key: key.index) - 1
        return self.keys[place] if place >= 0 else None

    def first_from(self, index: int) -> int | None:
        """The first key picture's index at or after a frame."""
        place = bisect.bisect_left(self.keys, index, key=lambda key: key.index)
        return self.keys[place].index if place < len(self.keys) else None


def find_key_pictures(container: Any, stream: Any, first_pts: int | None) -> KeyPictures | None:
    """By packets alone; None where these are no guide. `first_pts`: of the first picture that is shown."""
    if (
        first_pts is None
        or not has_times(container)
        or stream.codec_context.codec.canonical_name not in _ONE_PACKET_ONE_PICTURE
    ):
        return None
    shown: list[int] = []
    keys: list[tuple[int, int]] = []
    for packet in _packets(container, stream):
        if packet.pts is None:
            return None
        if packet.pts >= first_pts and not packet.is_discard:
            shown.append(packet.pts)
            if packet.is_keyframe and _is_clean(packet, stream):
                keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
    times = tuple(sorted(shown))
    ranks = {pts: index for index, pts in enumerate(times)}
    if len(ranks) != len(shown) or any(late <= early for early, late in pairwise(keys)):
        return None
    return KeyPictures(tuple(Key(ranks[pts], pts, seek) for pts, seek in keys), len(shown), first_pts, times)


def decode_key_pictures(container: Any, stream: Any) -> KeyPictures:
    """By decoding everything once; nothing is converted or kept."""
    indices, first_pts, pictures = [], None, Pictures(container, stream)
    for picture in pictures:
        if isinstance(picture, Shown) and pictures.count == 1:
            first_pts = picture.frame.pts
        if isinstance(picture, Shown) and picture.frame.key_frame:
            indices.append(pictures.count - 1)
    times = [time for time in pictures.key_times if time is not None]
    is_sure = len(times) == len(indices) == len(pictures.key_times) and times == sorted(set(times))
    keys = [Key(index, None, time) for index, time in zip(indices, times, strict=True)] if is_sure else []
    return KeyPictures(tuple(keys), pictures.count, first_pts)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            return
        if packet is None:
            return
        if packet.size > 0:
            yield packet


def _is_clean(packet: Any, stream: Any) -> bool:
    """Whether all pictures shown from this key on need nothing before it.

    Only H.264 marks pictures as keys from which a decoder recovers bit by bit (intra refresh).
    """
    if stream.codec_context.codec.canonical_name != "h264":
        return True
    for unit in _nal_units(bytes(packet), stream.codec_context.extradata or b""):
        kind = unit[0] & 31
        if kind == _H264_IDR:
            return True
        if kind == _H264_SEI and (count := _recovery_count(unit[1:])) is not None:
            return count == 0
        if kind == 1:
            return False
    return False


def _nal_units(data: bytes, extradata: bytes) -> Iterator[bytes]:
    """Each unit's first bytes; lengths before them (mp4, mkv) or start codes (others)."""
    if extradata[:1] == b"\x01":
        width, at = (extradata[4] & 3) + 1, 0
        while at + width < len(data):
            length = int.from_bytes(data[at : at + width], "big")
            yield data[at + width : at + width + min(length, 1000)]
            at += width + length
        return
    at = data.find(b"\x00\x00\x01")
    while 0 <= at < len(data) - 3:
        yield data[at + 3 : at + 1003]
        at = data.find(b"\x00\x00\x01", at + 3)


def _recovery_count(sei: bytes) -> int | None:
    """`recovery_frame_cnt` of the first such message in a unit; None if there is none."""
    at = 0
    while at + 2 < len(sei):
        kind = size = 0
        while at < len(sei) and sei[at] == 255:
            kind, at = kind + 255, at + 1
        kind, at = kind + sei[at], at + 1
        while at < len(sei) and sei[at] == 255:
            size, at = size + 255, at + 1
        if at >= len(sei):
            return None
        size, at = size + sei[at], at + 1
        if kind == _SEI_RECOVERY and at < len(sei):
            bits = "".join(f"{byte:08b}" for byte in sei[at : at + 5])
            zeros = bits.find("1")
            return int(bits[zeros : 2 * zeros + 1], 2) - 1
        at += size
    return None
