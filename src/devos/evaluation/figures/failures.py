"""The worst frames of a sequence on one sheet: what is true, what was predicted, and where the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from devos.data.catalog import Labels, VideoInfo, read_picture
from devos.errors import OptionError
from devos.evaluation.figures.sheet import FAINT, Rgb, Sheet, fitting, painted, resized
from devos.evaluation.measures.pairs import saved_pair
from devos.evaluation.reports.panels import OUTCOME_COLOURS, Outcome, outcomes, part_to_show
from devos.evaluation.reports.worst import frame_values, worst_frames
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.rules.quality import Means, SequenceScore
from devos.frames import FrameSize

FRAMES_SHOWN = 5
"""How many frames of a sequence are shown unless told otherwise."""

_WIDTH, _MARGIN, _GAP = 1480, 20, 12
_HEADER, _CAPTION = 76, 30
_TALLEST = 620
_STRENGTH = {Outcome.RIGHT: 0.18, Outcome.MISSED: 0.62, Outcome.FALSE: 0.62, Outcome.CONFUSED: 0.62}
_WORDS = {Outcome.MISSED: "missed", Outcome.FALSE: "false", Outcome.CONFUSED: "of another object"}
_MOST_NAMED = 8
_STRIPE_PX = 5
"""How wide the stripes are that mark what is taken for another object."""


def worst_page(
    video: VideoInfo, score: SequenceScore, predicted: Path, protocol: Protocol, count: int = FRAMES_SHOWN
) -> Rgb:
    """A row for each of the worst frames, in their order: the whole of it, and beside it the part around its object
    enlarged or, where there are several, what was predicted, in the colours of every overlay.

    The true outline is white; what was missed, falsely marked, or marked as another object is tinted. `predicted`: the
    folder of the masks that were scored, as `saved_pair` takes it. Which frames, says `worst_frames`: by J&F, and apart
    from each other. OptionError where pictures or masks are not known, or nothing is wrong.
    """
    chosen = worst_frames(score, count)
    if not video.frames:
        raise OptionError(f"the pictures of sequence {video.name} are not known; evaluate with a folder of JPEGImages")
    if not chosen:
        raise OptionError(f"no frame of sequence {video.name} is wrong; there is nothing to show")
    size = fitting(FrameSize(*read_picture(video.frames[0]).shape[:2]), (_WIDTH - 2 * _MARGIN - _GAP) // 2, _TALLEST)
    width = 2 * _MARGIN + 2 * size.width + _GAP
    sheet = Sheet(width, _HEADER + len(chosen) * (size.height + _CAPTION) + _MARGIN)
    _draw_header(sheet, score, len(chosen), several=len(score.objects) > 1)
    for row, index in enumerate(chosen):
        top = _HEADER + row * (size.height + _CAPTION)
        sheet.text(_MARGIN, top + _CAPTION / 2, _caption(video, score, index), size=11, width=width - 2 * _MARGIN)
        truth, labels = saved_pair(video, predicted, index, protocol, score.matches)
        if labels is None:
            raise OptionError(f"the predicted mask for frame {video.stems[index]} of sequence {video.name} is not in "
                              f"{predicted}; evaluate again, with --out")  # fmt: skip
        for column, picture in enumerate(_pictures(video, index, truth, labels, list(score.objects), size)):
            sheet.paste(picture, _MARGIN + column * (size.width + _GAP), top + _CAPTION)
    return sheet.pixels()


def _draw_header(sheet: Sheet, score: SequenceScore, number: int, *, several: bool) -> None:
    means = Means.of(score.objects.values())
    title = f"{score.name}: its {number} worst frames"
    sheet.text(_MARGIN, 24, title, size=14, weight="bold")
    sheet.text(_MARGIN + sheet.text_width(title, 14, weight="bold") + 16, 25, f"J&F {100 * means.jf:.1f} in all",
               size=11, color=FAINT)  # fmt: skip
    sheet.text(_MARGIN, 54, "white line: the true outline", size=10, color=FAINT)
    left = _MARGIN + sheet.text_width("white line: the true outline", 10) + 30
    if several:
        sheet.text(sheet.width - _MARGIN, 54, "right: what was predicted", size=10, color=FAINT, ha="right")
    for kind, words in _WORDS.items():
        if kind is Outcome.CONFUSED and not several:
            continue
        patch = np.full((14, 22, 3), OUTCOME_COLOURS[kind], np.uint8)
        if kind is Outcome.CONFUSED:
            patch[~_stripes(patch.shape[:2])] //= 3
        sheet.paste(patch, round(left), 47)
        sheet.text(left + 30, 54, words, size=10, color=FAINT)
        left += 60 + sheet.text_width(words, 10)


def _stripes(shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """Where slanted stripes are: what no cloth, however coloured, is taken for."""
    rows, columns = np.indices(shape)
    striped: np.ndarray = (rows + columns) // _STRIPE_PX % 2 == 0
    return striped


def _caption(video: VideoInfo, score: SequenceScore, index: int) -> str:
    values = []
    for object_id, quality in score.objects.items():
        if index in quality.frames:
            place = quality.frames.index(index)
            pair = f"J {100 * quality.region.values[place]:.1f}  F {100 * quality.boundary.values[place]:.1f}"
            values.append(pair if len(score.objects) == 1 else f"{object_id}: {pair}")
    more = f"   and {len(values) - _MOST_NAMED} more" if len(values) > _MOST_NAMED else ""
    mean = f"J&F {100 * frame_values(score)[index]:.1f}   " if len(score.objects) > 1 else ""
    return f"frame {video.stems[index]}   {mean}" + "   ".join(values[:_MOST_NAMED]) + more


def _pictures(
    video: VideoInfo, index: int, truth: Labels, predicted: Labels, object_ids: Sequence[int], size: FrameSize
) -> tuple[Rgb, Rgb]:
    """The whole frame; and its part around the one object, the picture as it was filmed where that is all of it, or
    the prediction if there are several objects."""
    rgb = resized(read_picture(video.frames[index]), FrameSize(*truth.shape))
    found = outcomes(truth, predicted, object_ids)
    whole = _painted(rgb, truth, found, size)
    if len(object_ids) > 1:
        return whole, painted(rgb, np.where(np.isin(predicted, object_ids), predicted, 0).astype(np.uint16), size)
    part = part_to_show((truth > 0) | (predicted > 0))
    if not part.is_smaller:
        return whole, resized(rgb, size)
    rows, columns = part.window
    cut, true_part, found_part = (np.ascontiguousarray(each[rows, columns]) for each in (rgb, truth, found))
    return whole, _painted(cut, true_part, found_part, size)


def _painted(rgb: Rgb, truth: np.ndarray, found: np.ndarray, size: FrameSize) -> UInt8[np.ndarray, "h w 3"]:
    """A picture at `size` with what became of each pixel, and the true outlines."""
    canvas = resized(rgb, size).copy()
    truth, found = (cv2.resize(each, (size.width, size.height), interpolation=cv2.INTER_NEAREST)
                    for each in (truth, found))  # fmt: skip
    for kind, share in _STRENGTH.items():
        where = found == kind
        colour = np.array(OUTCOME_COLOURS[kind], np.float32)
        if kind is Outcome.CONFUSED:
            canvas[where & ~_stripes(truth.shape)] //= 3
            where = where & _stripes(truth.shape)
        canvas[where] = (canvas[where] * (1 - share) + colour * share).astype(np.uint8)
    for object_id in np.unique(truth[truth > 0]):
        mask = (truth == object_id).astype(np.uint8)
        lines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, lines, -1, (16, 20, 24), 3, cv2.LINE_AA)
        cv2.drawContours(canvas, lines, -1, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas
