"""The sound of a video file, taken along into a video made of its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

_MP4 = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")
_PCM = ("pcm_s16le", "pcm_s24le", "pcm_s16be", "pcm_s24be", "pcm_s32le", "pcm_f32le")
_HELD = {
    "mov": ("aac", "mp3", "ac3", "eac3", "alac", *_PCM),
    "matroska": (*_MP4, "vorbis", "dts", *_PCM),
    "webm": ("opus", "vorbis"),
}
"""Codings that a kind of file holds as they are, other than mp4; all else is made AAC, in WebM Opus."""
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
"""How what is coded anew is laid out for a number of channels."""
_OPUS_RATE = 48_000


@dataclass(frozen=True)
class SoundSource:
    """Where the sound is, and where in it the first picture is shown."""

    path: Path
    first_picture_s: float
    """Time of the video's first picture, in seconds, as the file counts them."""


class Sound:
    """The sound of a source, written into another container packet by packet as its pictures come.

    Sound that cannot be read ends early and spoils nothing else.
    """

    def __init__(self, source: SoundSource, target: Any) -> None:
        self._source, self._target = source, target
        self._container = av.open(str(source.path), metadata_errors="replace")
        self._input = max(
            self._container.streams.audio, key=lambda stream: bool(stream.disposition & Disposition.default)
        )
        kind = target.format.name
        self._encodes = self._input.codec_context.codec.canonical_name not in _HELD.get(kind, _MP4)
        if self._encodes:
            context = self._input.codec_context
            layout = _LAYOUTS.get(context.layout.nb_channels, "stereo")
            coding, rate = ("libopus", _OPUS_RATE) if kind == "webm" else ("aac", context.sample_rate)
            self._output: Any = target.add_stream(coding, rate=rate, layout=layout)
            sample_format = self._output.codec_context.codec.audio_formats[0].name
            self._resampler = av.AudioResampler(sample_format, layout, rate)
        else:
            self._output = target.add_stream_from_template(self._input)
        self._packets = self._read()
        self._next: tuple[float, Any] | None = None
        self._begin_s: float | None = None

    def write_until(self, time_s: float, begin_s: float) -> None:
        """Write what is heard before a time in the video; `begin_s`: of its first picture that is written."""
        if self._begin_s is None:
            self._begin_s = begin_s + self._source.first_picture_s
        with suppress(FFmpegError, StopIteration):
            while True:
                begins_s, packet = self._next or next(self._packets)
                self._next = (begins_s, packet)
                if begins_s >= time_s + self._source.first_picture_s:
                    return
                self._next = None
                if begins_s >= self._begin_s - 1e-3:
                    self._write(packet)

    def close(self) -> None:
        """Write what the encoder holds; close the source."""
        if self._encodes and self._begin_s is not None:
            with suppress(FFmpegError):
                self._target.mux(self._output.encode(None))
        self._container.close()

    def _read(self) -> Iterator[tuple[float, Any]]:
        """Packets, or where they are to be coded anew decoded frames, each with when it begins in the source."""
        for packet in self._container.demux(self._input):
            if packet.size == 0 or packet.pts is None:
                continue
            for item in packet.decode() if self._encodes else (packet,):
                if item.pts is not None:
                    yield float(item.pts * item.time_base), item

    def _write(self, item: Any) -> None:
        assert self._begin_s is not None
        shift = round(self._begin_s / item.time_base)
        item.pts -= shift
        if self._encodes:
            for part in self._resampler.resample(item):
                self._target.mux(self._output.encode(part))
            return
        if item.dts is not None:
            item.dts -= shift
        item.stream = self._output
        self._target.mux(item)


def sound_source(container: Any, path: Path, first_picture_s: float) -> SoundSource | None:
    """The sound of a file; None where it has none that can be read."""
    if any(stream.codec_context is not None for stream in container.streams.audio):
        return SoundSource(path, first_picture_s)
    return None
