"""What is in an input, what of it will be used, and why; nothing but the first frame is decoded."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from devos.io.containers import VideoFile
from devos.io.look import Look
from devos.io.streams import describe, open_container
from devos.io.videos import open_video

_RANGES = {0: "not said", 1: "limited", 2: "full"}
_NAMES = {1: "BT.709", 2: "not said", 5: "BT.601 (625)", 6: "BT.601 (525)", 7: "SMPTE 240M", 9: "BT.2020",
          13: "sRGB", 14: "BT.2020 (10 bits)", 15: "BT.2020 (12 bits)", 16: "PQ (HDR)", 18: "HLG (HDR)"}  # fmt: skip
"""What people call the numbers of H.273 for matrices, primaries and transfers."""


@dataclass(frozen=True)
class Probe:
    """The facts of an input."""

    path: str
    kind: str
    """video file, folder of frames, or file of pictures."""
    width: int
    height: int
    """As shown."""
    fps: str
    """Frames a second, as a fraction."""
    is_constant: bool | None
    """Whether every frame is shown equally long; None where the file does not say."""
    num_frames: int | None
    num_frames_is_exact: bool
    duration_s: float | None
    orientation: str
    """What is done to show the pictures; empty if nothing is."""
    colours: dict[str, str]
    pixel_aspect: str
    streams: tuple[str, ...]
    """Every stream of a file, by its number."""
    used: str
    """What is read."""
    sound: bool
    """Whether there is sound that an overlay takes along."""
    first_frame: str
    last_frame: str
    """Their names; the last one only where it is known."""
    notes: tuple[str, ...]
    """What the user may want to know of."""

    def as_json(self) -> dict[str, Any]:
        """The same, of plain values."""
        return asdict(self)


def probe(path: str | Path, *, stream: int | None = None) -> Probe:
    """Look at a video file, a folder of frames or a file of pictures. VideoError as `open_video`."""
    with open_video(path, stream=stream, skip_bad_frames=True) as video:
        is_file = isinstance(video, VideoFile)
        streams, is_constant, counted = _streams(video) if isinstance(video, VideoFile) else ((), True, None)
        num_frames = video.num_frames if counted is None else counted
        kind = "video file" if is_file else "folder of frames" if video.path.is_dir() else "file of pictures"
        used = f"stream {video.stream_index}" if isinstance(video, VideoFile) else f"{num_frames} pictures"
        names = video.names or (("00000",) if num_frames is None else ("00000", f"{num_frames - 1:05d}"))
        return Probe(
            path=str(video.path), kind=kind, width=video.size.width, height=video.size.height, fps=str(video.fps),
            is_constant=is_constant, num_frames=num_frames,
            num_frames_is_exact=video.num_frames_is_exact or counted is not None,
            duration_s=None if num_frames is None else round(float(num_frames / video.fps), 3),
            orientation=str(video.orientation) if isinstance(video, VideoFile) else "",
            colours=_colours(video.look) if is_file else {"all": video.meaning or "sRGB, 8 bits"},
            pixel_aspect=str(video.look.pixel_aspect), streams=streams, used=used, sound=video.sound is not None,
            first_frame=names[0], last_frame=names[-1], notes=video.notes,
        )  # fmt: skip


def _colours(look: Look) -> dict[str, str]:
    def name(number: int) -> str:
        return _NAMES.get(number, f"number {number} of H.273")

    return {"matrix": name(look.matrix), "primaries": name(look.primaries), "transfer": name(look.transfer),
            "range": _RANGES.get(look.colour_range, "not said")}  # fmt: skip


def _streams(video: VideoFile) -> tuple[tuple[str, ...], bool | None, int | None]:
    """Every stream in words; whether the rate is constant, and how many packets will be shown, from one pass over the
    packets of the stream that is read.
    """
    with open_container(video.path) as container:
        words = tuple(
            f"{one.index}: {one.type}, {describe(one) if one.type == 'video' else _codec(one)}"
            for one in container.streams
        )
        stream = container.streams[video.stream_index]
        times: list[int] = []
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    if packet.pts is None:
                        return words, None, None
                    times.append(packet.pts)
        except FFmpegError:
            return words, None, None
        first = video.first_pts if video.first_pts is not None else min(times, default=0)
        times = sorted(time for time in times if time >= first)
        if len(times) < 2:
            return words, True, len(times)
        gaps = [(late - early) * stream.time_base for early, late in itertools.pairwise(times)]
        # times are rounded to ticks, of a thousandth of a second in some files
        is_constant = max(gaps) - min(gaps) <= max(Fraction(2, 1000), 2 * stream.time_base)
        return words, is_constant, len(times)


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else "data"
