"""Figures 2 and 3 of the supplement: the masks of several methods on the same frames, as strips or as a film."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import UInt16

from devos.data.catalog import VideoInfo, read_labels, read_picture
from devos.errors import MaskError, OptionError
from devos.evaluation.figures.sheet import FAINT, Rgb, Sheet, fitting, painted
from devos.evaluation.measures.metrics import region_similarity
from devos.evaluation.scoring import Protocol, choose_protocol
from devos.frames import FrameSize

Labels = UInt16[np.ndarray, "h w"]

TRUTH = "truth"
"""What the row of true masks is called."""
VOID = 255
"""What true masks have where no object is known; it is never drawn."""

_WIDTH, _MARGIN, _GAP = 1640, 18, 6
_WIDEST, _NARROWEST, _TALLEST = 440, 120, 400
_HEADER, _BETWEEN = 50, 26
_LONGEST_NAME = 190
_HIGHEST_PAGE = 20_000
_FILM_WIDTH, _FILM_COLUMNS, _FILM_CAPTION, _FILM_HEADER = 1600, 3, 28, 40


@dataclass(frozen=True)
class Comparison:
    """The masks of several methods for one sequence; every file is there."""

    video: VideoInfo
    rows: Mapping[str, tuple[Path, ...]]
    """By the name of the method, `truth` first where it is wanted: a label map for each frame."""
    single_object: bool
    """Whether every value but 0 is the one object."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The rows, without the truth."""
        return tuple(name for name in self.rows if name != TRUTH)

    def checked(self, indices: Sequence[int]) -> tuple[int, ...]:
        """The same frames; OptionError for one that the sequence has not."""
        last = self.video.num_frames - 1
        strays = [index for index in indices if not 0 <= index <= last]
        if strays:
            raise OptionError(f"sequence {self.video.name} has the frames 0 to {last}, but not {strays[0]}")
        return tuple(indices)

    def labels(self, name: str, index: int) -> Labels:
        """The label map of a row for a frame; MaskError if it is no mask, or not of the frame's size."""
        labels = read_labels(self.rows[name][index])
        return (labels > 0).astype(np.uint16) if self.single_object else np.where(labels == VOID, np.uint16(0), labels)

    def panel(self, name: str, index: int, size: FrameSize) -> Rgb:
        """A frame with a row's masks drawn on it."""
        picture, labels = read_picture(self.video.frames[index]), self.labels(name, index)
        if labels.shape != picture.shape[:2]:
            raise MaskError(
                f"{self.rows[name][index]} is {FrameSize(*labels.shape)}, but its frame is "
                f"{FrameSize(*picture.shape[:2])}; write masks at the frames' own size"
            )
        return painted(picture, labels, size)


def compare(video: VideoInfo, results: Mapping[str, Path], *, truth: bool, single_object: bool) -> Comparison:
    """Find every method's masks for a sequence: FOLDER/SEQUENCE/00000.png, or FOLDER/00000.png for a single one.

    `truth` puts the true masks first. Raises MaskError, in one line, for the first method that has not a mask for
    every frame; and for truth that is not complete.
    """
    rows: dict[str, tuple[Path, ...]] = {}
    if truth:
        missing = [stem for stem, path in zip(video.stems, video.masks, strict=True) if path is None]
        if missing:
            raise MaskError(
                f"{_counted(missing, video)} of sequence {video.name} have no true mask; "
                "leave out --truth, or add the masks"
            )
        rows[TRUTH] = tuple(path for path in video.masks if path is not None)
    for name, folder in results.items():
        if name == TRUTH:
            raise OptionError(f"a method cannot be called {TRUTH!r}, for the true masks are; give it another name")
        home = folder / video.name if (folder / video.name).is_dir() else folder
        paths = tuple(home / f"{stem}.png" for stem in video.stems)
        missing = [path.stem for path in paths if not path.is_file()]
        if missing:
            raise MaskError(
                f"{name}: {_counted(missing, video)} of sequence {video.name} have no mask in {home}; expected one for "
                f"every frame, as {paths[0].name}"
            )
        rows[name] = paths
    return Comparison(video, rows, single_object)


def pick(videos: Sequence[VideoInfo], names: Sequence[str]) -> tuple[VideoInfo, ...]:
    """The videos of these names, in the order of the names; all without any. OptionError for one that is not there."""
    known = {video.name: video for video in videos}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OptionError(f"there is no sequence {unknown[0]}; choose --sequence among {', '.join(known)}")
    return tuple(known[name] for name in names) or tuple(videos)


def is_single_object(video: VideoInfo) -> bool:
    """Whether the first true mask is of 0 and 255, as those of DAVIS 2016 are: every value but 0 is the one object."""
    return video.masks[0] is not None and choose_protocol([video]) is Protocol.DAVIS2016


def _counted(missing: Sequence[str], video: VideoInfo) -> str:
    shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    return f"{len(missing)} of {video.num_frames} frames ({shown})"


def disagreement(masks: Sequence[Labels]) -> float:
    """How far several label maps of one frame differ: 1 - IoU, the mean over their objects and over all pairs of maps.

    In [0, 1]; 0 for fewer than two maps, and where there is no object on any.
    """
    ids = sorted(set().union(*(np.unique(labels).tolist() for labels in masks)) - {0})
    pairs = [(a == i, b == i) for a, b in combinations(masks, 2) for i in ids]
    if not pairs:
        return 0.0
    return float(np.mean([1 - region_similarity(a, b) for a, b in pairs]))


def most_different(values: Sequence[float], count: int) -> tuple[int, ...]:
    """The indices of the highest values, in rising order, spread over the whole.

    The highest is taken first, and no other within 1/(2 count) of the length around it; then the highest of the rest,
    and so on; earlier ones first where values are equal. All indices if there are no more than `count`.
    """
    if len(values) <= count:
        return tuple(range(len(values)))
    apart = max(1, len(values) // (2 * count))
    free = np.ones(len(values), bool)
    chosen: list[int] = []
    while len(chosen) < count:
        index = int(np.argmax(np.where(free, values, -np.inf)))
        chosen.append(index)
        free[max(0, index - apart + 1) : index + apart] = False
    return tuple(sorted(chosen))


def choose_frames(comparison: Comparison, count: int) -> tuple[int, ...]:
    """The `count` frames on which the methods differ most; for a single method, on which it differs from the truth.

    The first frame is never chosen, for every method is given it. OptionError where there is nothing to differ from.
    """
    names = comparison.methods if len(comparison.methods) > 1 else tuple(comparison.rows)
    if len(names) < 2:
        raise OptionError("--most-different needs two methods, or one and --truth; or name the frames with --frames")
    values = [
        disagreement([comparison.labels(name, index) for name in names])
        for index in range(1, comparison.video.num_frames)
    ]
    return tuple(index + 1 for index in most_different(values, count))


def strips_page(parts: Sequence[tuple[Comparison, Sequence[int]]]) -> Rgb:
    """One figure: for each sequence a block with a row for each method and a column for each chosen frame.

    `parts`: a sequence's masks and the indices of its frames. Where there is truth, the corner of each picture gives
    J, the mean over the objects, in percent. OptionError if the page would be too high to be opened.
    """
    names_width = _names_width(parts)
    panels = [_panel_size(comparison, len(indices), names_width) for comparison, indices in parts]
    heights = [
        _HEADER + len(comparison.rows) * (panel.height + _GAP)
        for (comparison, _), panel in zip(parts, panels, strict=True)
    ]
    height = sum(heights) + _BETWEEN * (len(parts) - 1) + 2 * _MARGIN
    if height > _HIGHEST_PAGE:
        raise OptionError(f"{len(parts)} sequences make a page {height} pixels high; choose some with --sequence")
    width = (
        2 * _MARGIN
        + names_width
        + max(len(indices) * (panel.width + _GAP) for (_, indices), panel in zip(parts, panels, strict=True))
    )
    sheet, top = Sheet(width, height), _MARGIN // 2
    for (comparison, indices), panel, block in zip(parts, panels, heights, strict=True):
        _draw_block(sheet, comparison, indices, panel, names_width, top)
        top += block + _BETWEEN
    return sheet.pixels()


def _names_width(parts: Sequence[tuple[Comparison, Sequence[int]]]) -> int:
    sheet = Sheet(10, 10)
    names = {name for comparison, _ in parts for name in comparison.rows}
    return min(_LONGEST_NAME, math.ceil(max(sheet.text_width(name, 11, weight="bold") for name in names))) + 14


def _panel_size(comparison: Comparison, columns: int, names_width: int) -> FrameSize:
    size = FrameSize(*read_picture(comparison.video.frames[0]).shape[:2])
    room = (_WIDTH - 2 * _MARGIN - names_width) // columns - _GAP
    return fitting(size, min(max(room, _NARROWEST), _WIDEST), _TALLEST)


def _draw_block(
    sheet: Sheet, comparison: Comparison, indices: Sequence[int], panel: FrameSize, names_width: int, top: int
) -> None:
    last = max(1, comparison.video.num_frames - 1)
    sheet.text(_MARGIN, top + 16, comparison.video.name, size=13, weight="bold")
    for column, index in enumerate(indices):
        left = _MARGIN + names_width + column * (panel.width + _GAP)
        sheet.text(
            left, top + 38, f"frame {index} · {100 * index / last:.0f} %", size=10, color=FAINT, width=panel.width
        )
    for row, name in enumerate(comparison.rows):
        row_top = top + _HEADER + row * (panel.height + _GAP)
        sheet.text(_MARGIN, row_top + panel.height / 2, name, size=11, weight="bold", width=names_width - 10)
        for column, index in enumerate(indices):
            left = _MARGIN + names_width + column * (panel.width + _GAP)
            axes = sheet.picture(comparison.panel(name, index, panel), left, row_top)
            if TRUTH in comparison.rows and name != TRUTH:
                plate = {"boxstyle": "square,pad=0.25", "fc": "#101418", "ec": "none", "alpha": 0.75}
                axes.text(panel.width - 8, panel.height - 8, f"J {100 * _j(comparison, name, index):.0f}", fontsize=9,
                          color="white", ha="right", va="bottom", bbox=plate)  # fmt: skip


def _j(comparison: Comparison, name: str, index: int) -> float:
    """J of one frame, the mean over the objects of its true mask; of none, whether the method has none either."""
    truth, predicted = comparison.labels(TRUTH, index), comparison.labels(name, index)
    ids = [i for i in np.unique(truth).tolist() if i]
    if not ids:
        return float(not predicted.any())
    return float(np.mean([region_similarity(predicted == i, truth == i) for i in ids]))


def film_pages(comparison: Comparison) -> Iterator[Rgb]:
    """Every frame of a sequence, the methods side by side, at most three in a row."""
    names = list(comparison.rows)
    columns = 2 if len(names) == 4 else min(_FILM_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    size = FrameSize(*read_picture(comparison.video.frames[0]).shape[:2])
    panel = fitting(size, (_FILM_WIDTH - 2 * _MARGIN) // columns - _GAP, 720 if rows == 1 else 440)
    width = 2 * _MARGIN + columns * (panel.width + _GAP) - _GAP
    height = _FILM_HEADER + rows * (panel.height + _FILM_CAPTION) + _MARGIN
    last = max(1, comparison.video.num_frames - 1)
    for index in range(comparison.video.num_frames):
        sheet = Sheet(width, height)
        sheet.text(_MARGIN, 22, comparison.video.name, size=13, weight="bold", width=width - 220)
        sheet.text(width - _MARGIN, 22, f"frame {index} · {100 * index / last:.0f} %", size=11, color=FAINT, ha="right")
        for number, name in enumerate(names):
            row, column = divmod(number, columns)
            left = _MARGIN + column * (panel.width + _GAP)
            top = _FILM_HEADER + row * (panel.height + _FILM_CAPTION) + _FILM_CAPTION
            sheet.text(left, top - 12, name, size=11, weight="bold", width=panel.width)
            sheet.paste(comparison.panel(name, index, panel), left, top)
        yield sheet.pixels()
