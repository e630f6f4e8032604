"""A page measured in pixels: pictures on it are sharp, and no text covers another. And films of such pages."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from devos.frames import Frame, FrameSize, MaskFrame
from devos.io.drawing import draw_object
from devos.io.files import replacing
from devos.io.overlay import OverlayVideo
from devos.io.regions import find_regions

Rgb = UInt8[np.ndarray, "_h _w 3"]
"""A picture of any size."""
Px = int | float
"""A length in pixels."""

DPI = 100
INK, FAINT = "#1d2329", "#6b7680"
_FONT = "DejaVu Sans"  # comes with matplotlib, so that pages are the same everywhere
_OUTLINE_PX = 1.8


class Sheet:
    """A white page. Places are (left, top) in pixels from its upper left corner, y down."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        self._canvas = FigureCanvasAgg(self._figure)
        self._pasted: list[tuple[Rgb, int, int]] = []

    def axes(self, left: Px, top: Px, width: Px, height: Px) -> Any:
        """A matplotlib drawing area in that rectangle."""
        bottom = self.height - top - height
        return self._figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )

    def paste(self, rgb: Rgb, left: int, top: int) -> None:
        """Put a picture there, pixel for pixel, over all that is drawn; quicker where nothing is to be drawn on it."""
        self._pasted.append((rgb, left, top))

    def picture(self, rgb: Rgb, left: int, top: int) -> Any:
        """Put a picture there, pixel for pixel; gives its drawing area, in the picture's pixel coordinates."""
        height, width = rgb.shape[:2]
        axes = self.axes(left, top, width, height)
        axes.imshow(rgb, interpolation="nearest", aspect="auto", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
        axes.set_axis_off()
        axes.set_autoscale_on(False)
        return axes

    def text(self, left: Px, top: Px, words: str, *, size: Px = 10, width: Px | None = None,
             **style: Any) -> None:  # fmt: skip
        """Write one line with its middle at height `top`; cut with an ellipsis where it is wider than `width`."""
        style = {"color": INK, "ha": "left", "va": "center", "family": _FONT, **style}
        line = self._figure.text(
            left / self.width, 1 - top / self.height, words, fontsize=size, parse_math=False, **style
        )
        while width is not None and len(words) > 1 and self._width_of(line) > width:
            words = words[:-1].rstrip()
            line.set_text(words + "…")

    def text_width(self, words: str, size: Px, **style: Any) -> float:
        """How wide a line would be, in pixels."""
        line = self._figure.text(0, 0, words, fontsize=size, parse_math=False, family=_FONT, **style)
        width = self._width_of(line)
        line.remove()
        return width

    def _width_of(self, line: Any) -> float:
        return float(line.get_window_extent(self._canvas.get_renderer()).width)

    def pixels(self) -> Rgb:
        """The page as a picture."""
        self._canvas.draw()
        page = np.ascontiguousarray(np.asarray(self._canvas.buffer_rgba())[..., :3])
        for rgb, left, top in self._pasted:
            page[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
        return page


def save_png(rgb: Rgb, path: Path, *, smallest: bool = True) -> None:
    """Write a picture, whole or not at all; the same picture gives the same file. OutputError if that fails.

    Without `smallest` a photograph is written in a fifth of the time, and is some 5 % larger.
    """
    how = {"optimize": True} if smallest else {"compress_level": 3}
    with replacing(path) as temporary:
        Image.fromarray(rgb).save(temporary, format="PNG", **how)


def save_pages(pages: Iterable[Rgb], picture: Path | None, film: Path | None, fps: Fraction) -> int:
    """Write the last of some pages of one size as a PNG, and all of them as an mp4; says how many there were.

    Where either path is None it is left out. Nothing is left of a film that fails half-way.
    """
    video: OverlayVideo | None = None
    page, count = None, 0
    try:
        for page in pages:
            if film is not None:
                size = FrameSize(*page.shape[:2])
                video = video or OverlayVideo(film, fps, size)
                time_s, name = float(count / fps), f"{count:05d}"
                nothing = MaskFrame(count, time_s, name, np.zeros(size, np.uint16), ())
                video.write(Frame(count, time_s, name, page), nothing)
            count += 1
    except BaseException:
        if video is not None and film is not None:
            video.close()
            film.unlink(missing_ok=True)
        raise
    if video is not None:
        video.close()
    if page is not None and picture is not None:
        save_png(page, picture)
    return count


def fitting(size: FrameSize, width: int, height: int) -> FrameSize:
    """The largest size of the same shape that fits into a box."""
    scale = min(width / size.width, height / size.height)
    return FrameSize(max(1, round(size.height * scale)), max(1, round(size.width * scale)))


def resized(rgb: Rgb, size: FrameSize) -> Rgb:
    """Averaged where it shrinks, bicubic where it grows."""
    if rgb.shape[:2] == tuple(size):
        return rgb
    shrinks = size.height <= rgb.shape[0] and size.width <= rgb.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    done: np.ndarray = cv2.resize(np.ascontiguousarray(rgb), (size.width, size.height), interpolation=method)
    return done


def painted(
    rgb: UInt8[np.ndarray, "h w 3"], labels: UInt16[np.ndarray, "h w"], size: FrameSize, *, fill: bool = True
) -> Rgb:
    """The picture at `size` with its objects drawn, in the colours of every overlay; outlines are as wide at any size.

    Objects are drawn before the picture shrinks, so that thin ones stay and edges are smooth.
    """
    if size.width > rgb.shape[1]:
        rgb = resized(rgb, size)
        labels = cv2.resize(labels, (size.width, size.height), interpolation=cv2.INTER_NEAREST)
    canvas = rgb.copy()
    thickness = max(1, round(_OUTLINE_PX * rgb.shape[1] / size.width))
    for object_id, region in find_regions(labels).items():
        draw_object(canvas, labels, object_id, region, thickness, fill=fill)
    return resized(canvas, size)
