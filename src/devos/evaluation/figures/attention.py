"""Figure 1 of the supplement: attention maps of the long-term branch; and beside them the points that ADVA samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.patches import Rectangle

from devos.engine.segmenter import Segmenter
from devos.errors import OptionError
from devos.evaluation.figures.marks import HEAT, cut_out, draw_arrow, draw_ring, heat
from devos.evaluation.figures.matching import Point, Sampling, View, watch
from devos.evaluation.figures.queries import Queries, Query
from devos.evaluation.figures.sheet import FAINT, INK, Px, Rgb, Sheet, fitting, painted, resized
from devos.frames import Frame, FrameSize
from devos.io.drawing import COLOURS

PANEL_WIDTH, TALLEST = 392, 420
"""Pixels of a panel; a frame that is taller than wide is made narrower."""
NUM_SHOWN = 3
"""Remembered frames that are shown: those that the query takes most from."""

_COLUMNS = 4
_GAP, _MARGIN, _CAPTION, _HEADER = 14, 18, 26, 40
_STRIDE_COLOURS = {8: "#00a878", 16: "#3b78d8", 32: "#e8710a"}
_EDGE = "#101418"
_LEGEND = 48


def attention_pages(
    frames: Iterable[Frame], given: Mapping[int, np.ndarray], segmenter: Segmenter, index: int, queries: Queries, *,
    every: bool = False,
) -> Iterator[Rgb]:  # fmt: skip
    """Follow the given masks up to frame `index`, from 0; the figure of that frame, or with `every` of each up to it.

    Frames before any object is known have none. OptionError where frame `index` has none, or is not in the video.
    """
    count, view = 0, None
    for view in watch(frames, given, segmenter, 1 if every else index, index):
        count += 1
        if view is not None:
            yield attention_page(view, queries.at(view), compact=not every)
    if count <= index:
        raise OptionError(f"--frame {index} is not in the video: it has {count} frames, 0 to {count - 1}")
    if view is None:
        raise OptionError(
            f"--frame {index} has nothing to be matched with: the first mask is for frame {min(given)}; "
            "choose a later frame"
        )


def attention_page(view: View, queries: Sequence[Query], *, compact: bool = True) -> Rgb:
    """One figure for a frame: for each query a block of three rows.

    `compact`: of two, where so few frames are remembered that all maps go beside each other; a film has pages of one
    size.

    Upper two: the query on the frame, and the remembered frames that it takes most from, with its attention at each
    stride of the long-term branch. Lowest: the previous frame, with the flow, and what ADVA samples of it.
    """
    panel = fitting(view.current.size, PANEL_WIDTH, TALLEST)
    num_maps = min(NUM_SHOWN, len(view.remembered)) * len(view.weights)
    rows = 2 if compact and 0 < num_maps < _COLUMNS else 3
    block = _Block.height_of(panel, rows)
    sheet = Sheet(2 * _MARGIN + 4 * PANEL_WIDTH + 3 * _GAP, _HEADER + len(queries) * block + _MARGIN)
    title = f"Frame {view.current.index}: what a query reads from the memory bank and from the frame before"
    sheet.text(_MARGIN, 22, title, size=14, weight="bold")
    for number, query in enumerate(queries):
        _Block(sheet, view, query, panel, _HEADER + number * block, rows).draw()
    return sheet.pixels()


@dataclass
class _Block:
    """What one query reads, three rows of panels."""

    sheet: Sheet
    view: View
    asked: Query
    panel: FrameSize
    top: int
    rows: int

    @property
    def query(self) -> Point:
        return self.asked.point

    @staticmethod
    def height_of(panel: FrameSize, rows: int) -> int:
        return rows * (panel.height + _CAPTION) + (rows - 1) * _GAP + _LEGEND

    def draw(self) -> None:
        strides = sorted(self.view.weights)
        maps = {stride: self.view.attention(self.query, stride) for stride in strides}
        shares = {stride: part.sum((1, 2)) for stride, part in maps.items()}
        self._current(0)
        peaks = {stride: float(part.max()) for stride, part in maps.items()}
        if strides:
            total = np.sum(list(shares.values()), 0)
            shown = sorted(np.argsort(-total, kind="stable")[:NUM_SHOWN].tolist())
            beside = self.rows == 2
            for row, stride in enumerate(strides):
                place = (0, 1 + row * len(shown)) if beside else (row, 1)
                self._remembered(*place, stride, maps[stride], shares[stride], shown)
            if not beside:
                self._shares((1, 0), shares, shown)
            elif len(strides) * len(shown) + 1 < _COLUMNS:
                self._shares((0, _COLUMNS - 1), shares, shown)
        last = self.rows - 1
        whole = self._previous(last)
        for column, stride in enumerate(sorted(self.view.sampled), start=1):
            sampling = self.view.sampling(self.query, stride)
            window = self._window(sampling)
            self._outline(whole, window, stride)
            self._sampling(last, column, sampling, window)
        self._legend(peaks)

    def _place(self, row: int, column: int) -> tuple[int, int]:
        """Left and top of a panel, its caption above it."""
        left = _MARGIN + column * (PANEL_WIDTH + _GAP)
        return left, self.top + row * (self.panel.height + _CAPTION + _GAP) + _CAPTION

    def _panel(self, row: int, column: int, rgb: Rgb, caption: str, **style: Any) -> Any:
        left, top = self._place(row, column)
        self.sheet.text(left, top - 11, caption, size=10, width=PANEL_WIDTH, **style)
        return self.sheet.picture(rgb, left, top)

    def _on_panel(self, point: Point) -> tuple[float, float]:
        """Pixels of the frame -> pixels of a panel."""
        frame = self.view.current.size
        scale = self.panel.width / frame.width, self.panel.height / frame.height
        return (point[0] + 0.5) * scale[0] - 0.5, (point[1] + 0.5) * scale[1] - 0.5

    def _current(self, row: int) -> None:
        rgb = painted(self.view.current.rgb, self.view.masks.labels, self.panel)
        x, y = (round(value) for value in self.query)
        caption = f"query: {self.asked.label} (x {x}, y {y})" if self.asked.label else f"query: x {x}, y {y}"
        axes = self._panel(row, 0, rgb, caption, weight="bold")
        draw_ring(axes, *self._on_panel(self.query))

    def _remembered(self, row: int, first: int, stride: int, maps: Float[np.ndarray, "frames h w"],
                    shares: Float[np.ndarray, " frames"], shown: Sequence[int]) -> None:  # fmt: skip
        peak = float(maps.max())
        for column, index in enumerate(shown, start=first):
            frame = self.view.remembered[index]
            rgb = heat(frame.rgb, maps[index], peak, self.panel)
            caption = f"1/{stride} · frame {frame.index} · {shares[index]:.0%} of the attention"
            left, top = self._place(row, column)
            self.sheet.text(left, top - 11, caption, size=10, width=PANEL_WIDTH)
            self.sheet.paste(rgb, left, top)

    def _shares(
        self, place: tuple[int, int], shares: dict[int, Float[np.ndarray, " frames"]], shown: Sequence[int]
    ) -> None:
        """How the attention is shared out among all remembered frames, as bars."""
        left, top = self._place(*place)
        self.sheet.text(left, top - 11, "percent by remembered frame", size=10)
        axes = self.sheet.axes(left + 34, top + 8, PANEL_WIDTH - 44, self.panel.height - 34)
        places = np.arange(len(self.view.remembered))
        width = 0.8 / len(shares)
        for number, (stride, part) in enumerate(shares.items()):
            offset = (number - (len(shares) - 1) / 2) * width
            axes.bar(places + offset, 100 * part, 0.92 * width, color=_STRIDE_COLOURS[stride], label=f"1/{stride}")
        axes.set_xticks(places, [str(frame.index) for frame in self.view.remembered])
        axes.set_xlim(-0.6, max(len(places), NUM_SHOWN) - 0.4)
        axes.set_ylim(0, 101)
        axes.set_yticks([0, 25, 50, 75, 100])
        axes.grid(axis="y", color="#e3e7ea", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=9, colors=FAINT, length=0)
        for number, label in enumerate(axes.get_xticklabels()):
            label.set(color=INK if number in shown else FAINT, weight="bold" if number in shown else "normal")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.legend(
            fontsize=9,
            frameon=False,
            ncols=2,
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0,
            borderpad=0,
            handlelength=1.0,
        )

    def _previous(self, row: int) -> Any:
        """The previous frame, with the flow that leads to it from this one."""
        rgb = resized(self.view.previous.rgb, self.panel)
        rgb = np.round(0.75 * rgb + 0.25 * rgb.mean(2, keepdims=True)).astype(np.uint8)
        caption = f"frame {self.view.previous.index}, the one before, with the flow to it"
        axes = self._panel(row, 0, rgb, caption)
        scale = self.panel.width / self.view.current.size.width
        rows, columns = self.view.flow.shape[1:]
        step = max(1, round(columns / 22))
        ys, xs = np.mgrid[step // 2 : rows : step, step // 2 : columns : step]
        cells = self.view.grid.to_frame(np.stack([xs, ys], -1).astype(np.float64), 8)
        start = [(cells[..., axis] + 0.5) * scale - 0.5 for axis in (0, 1)]
        dx, dy = (scale * self.view.flow[axis][ys, xs] for axis in (0, 1))
        moves = np.hypot(dx, dy) > 1.0
        arrows = {"angles": "xy", "scale_units": "xy", "scale": 1, "headwidth": 4, "headlength": 4}
        axes.quiver(
            start[0][moves], start[1][moves], dx[moves], dy[moves], color="white", width=0.004, alpha=0.8, **arrows
        )
        x, y = self._on_panel(self.query)
        moved = scale * self.view.motion(self.query)
        draw_ring(axes, x, y)
        draw_arrow(axes, (x, y), moved)
        return axes

    def _outline(self, axes: Any, window: tuple[float, float, float, float], stride: int) -> None:
        """Where a close-up lies on the whole frame."""
        scale = self.panel.width / self.view.current.size.width
        left, top, width, height = (value * scale for value in window)
        corner = left - 0.5, top - 0.5
        axes.add_patch(Rectangle(corner, width, height, fill=False, ec="black", lw=2.6, zorder=3))
        axes.add_patch(Rectangle(corner, width, height, fill=False, ec=_STRIDE_COLOURS[stride], lw=1.6, zorder=3))

    def _sampling(self, row: int, column: int, sampling: Sampling,
                  window: tuple[float, float, float, float]) -> None:  # fmt: skip
        """A close-up of the previous frame with the points of every head, as large as their weights."""
        heads, points = sampling.weights.shape
        caption = f"ADVA at 1/{sampling.stride}: {points} points for each of {heads} heads"
        rgb = cut_out(self.view.previous.rgb, window, self.panel)
        axes = self._panel(row, column, rgb, caption)
        left, top, width, _ = window
        scale = self.panel.width / width

        def on_panel(points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
            return (points + 0.5 - (left, top)) * scale - 0.5

        places = on_panel(sampling.points)
        largest = sampling.weights.max()
        for head in range(heads):
            colour = COLOURS[head % len(COLOURS)] / 255
            for part, marker in ((slice(0, sampling.num_own), "o"), (slice(sampling.num_own, None), "D")):
                area = (14 + 190 * sampling.weights[head, part] / largest) * (0.7 if marker == "D" else 1)
                axes.scatter(
                    *places[head, part].T, s=area, marker=marker, color=[(*colour, 0.8)],
                    edgecolors=_EDGE, linewidths=0.7, zorder=3,
                )  # fmt: skip
        x, y = on_panel(np.array(self.query))
        moved = scale * self.view.motion(self.query)
        axes.plot([x], [y], "+", ms=15, color="white", mew=3.6, zorder=6)
        axes.plot([x], [y], "+", ms=14, color="black", mew=1.6, zorder=7)
        draw_arrow(axes, (x, y), moved)
        axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, lw=5, zorder=8,
                                 ec=_STRIDE_COLOURS[sampling.stride]))  # fmt: skip

    def _window(self, sampling: Sampling) -> tuple[float, float, float, float]:
        """Left, top, width and height, in pixels of the frame, of a close-up that holds every point and the query."""
        ends = np.concatenate([sampling.points.reshape(-1, 2), np.array([self.query])])
        low, high = ends.min(0), ends.max(0)
        middle = (low + high) / 2
        frame = self.view.current.size
        margin = sampling.stride * frame.width / self.view.grid.network.width
        width = max(high[0] - low[0], (high[1] - low[1]) * frame.width / frame.height) + 2 * margin
        height = width * frame.height / frame.width
        return middle[0] - width / 2 + 0.5, middle[1] - height / 2 + 0.5, width, height

    def _legend(self, peaks: dict[int, float]) -> None:
        """One line below the block: the colours of the maps, and what the points are."""
        left, top = _MARGIN, self.top + _Block.height_of(self.panel, self.rows) - _LEGEND + 20
        if peaks:
            bar = HEAT(np.linspace(0, 1, 70))[None, :, :3]
            x = left + self._words(left, top, "a cell's share: 0") + 8
            self.sheet.paste(np.repeat(np.round(255 * bar).astype(np.uint8), 10, 0), round(x), top - 5)
            ends = ", ".join(f"{100 * peak:.2g} % at 1/{stride}" for stride, peak in peaks.items())
            self._words(round(x) + 78, top, ends)
        left += PANEL_WIDTH + _GAP
        heads = max((sampled.points.shape[1] for sampled in self.view.sampled.values()), default=0)
        axes = self.sheet.axes(left, top - 10, 3 * PANEL_WIDTH, 20)
        axes.set(xlim=(0, 3 * PANEL_WIDTH), ylim=(0, 20))
        axes.set_axis_off()
        x = 8.0
        for head in range(heads):
            axes.scatter([x], [10], s=60, color=[COLOURS[head % len(COLOURS)] / 255], edgecolors=_EDGE, linewidths=0.7)
            x += self._words(left + x + 9, top, f"head {head + 1}") + 24
        for marker, words in (("o", "sampled at this stride"), ("D", "at the next coarser stride")):
            axes.scatter([x], [10], s=60 if marker == "o" else 42, marker=marker, color="white", edgecolors=_EDGE,
                         linewidths=0.9)  # fmt: skip
            x += self._words(left + x + 9, top, words) + 24
        self._words(
            left + x, top, "area: weight;   ring or cross: the query;   black arrow: its flow to the frame before"
        )

    def _words(self, left: Px, top: Px, words: str) -> float:
        self.sheet.text(left, top, words, size=9, color=FAINT)
        return self.sheet.text_width(words, 9)
