"""CVAT for video 1.1: XML with tracks. These hold no masks, so each part of an object is a track of polygons."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

from devos.exchange.cvat import HEAD, meta
from devos.exchange.polygons import outlines
from devos.exchange.spools import ByObject
from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.whole_files import replacing


class CvatVideoWriter(Writer):
    """The parts of an object, greatest first, are tracks that share the attribute `id`. Polygons go along the pixels'
    edges, a hole is reached by a cut of no width: they are the masks to the pixel. Every frame is a key frame, so that
    nothing is interpolated.
    """

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._tracks = ByObject(path.parent)
        self._number: dict[tuple[int, int], int] = {}
        self._last = 0

    def write(self, shot: Shot) -> None:
        """Add one frame."""
        self._last = shot.masks.index
        for one in shot.objects:
            left, top, _, _ = one.box
            parts = sorted(outlines(one.inside, left, top), key=_area, reverse=True)
            for place, polygon in enumerate(parts):
                track = self._number.setdefault((one.object_id, place), len(self._number))
                points = ";".join(f"{x}.00,{y}.00" for x, y in zip(polygon[::2], polygon[1::2], strict=True))
                self._tracks.add(track, shot.masks.index, points)

    def close(self) -> None:
        """Write the file."""
        with replacing(self.path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(HEAD + meta(self.video))
            for (object_id, _), track in self._number.items():
                label = quoteattr(self.video.name_of(object_id))
                file.write(f'<track id="{track}" label={label} source="auto">\n')
                before: tuple[int, str] | None = None
                for frame, points in self._tracks.of(track):
                    if before is not None and frame > before[0] + 1:
                        file.write(_polygon(before[0] + 1, before[1], object_id, outside=True))
                    file.write(_polygon(frame, points, object_id))
                    before = frame, points
                if before is not None and before[0] < self._last:
                    file.write(_polygon(before[0] + 1, before[1], object_id, outside=True))
                file.write("</track>\n")
            file.write("</annotations>\n")
        self.discard()

    def discard(self) -> None:
        """Nothing has its name yet."""
        self._tracks.close()


def _polygon(frame: int, points: str, object_id: int, *, outside: bool = False) -> str:
    return (f'<polygon frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0" points="{points}" '
            f'z_order="0"><attribute name="id">{object_id}</attribute></polygon>\n')  # fmt: skip


def _area(polygon: list[int]) -> int:
    xs, ys = polygon[::2], polygon[1::2]
    return abs(sum(x0 * y1 - x1 * y0 for x0, y0, x1, y1 in zip(xs, ys, xs[1:] + xs[:1], ys[1:] + ys[:1], strict=True)))
