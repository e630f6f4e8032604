"""Mark objects on one frame of a video by clicks and boxes, and write the mask that `devos segment` takes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt16

from devos.engine.click_models import load_marker
from devos.engine.marker import Box, Click, Look, Marked, Marker
from devos.errors import OptionError, OutputError, VideoError
from devos.frames import MAX_OBJECT_ID, Frame
from devos.io import VideoReader, open_video, read_masks, write_label_png


@dataclass(frozen=True)
class Said:
    """What a person says of one object on a frame."""

    clicks: tuple[Click, ...] = ()
    """In the order in which they are made."""
    box: Box | None = None


@dataclass(frozen=True)
class MarkedObject:
    """What was found of one object."""

    pixels: int
    confidence: float
    """Mean probability of its pixels, in [0, 1]."""


@dataclass(frozen=True)
class MarkSummary:
    """What was marked."""

    mask: Path
    """The label PNG."""
    frame: str
    """The frame's name."""
    objects: Mapping[int, MarkedObject]
    """Every object that something was said of, by its id."""
    notes: tuple[str, ...] = ()
    """What the user may want to know of; one line each."""

    def as_json(self) -> dict[str, Any]:
        """The same, of plain values."""
        return {**asdict(self), "mask": str(self.mask)}


def mark(
    video: str | Path,
    out: str | Path,
    said: Mapping[int, Said],
    *,
    frame: int | str = 0,
    mask: str | Path | None = None,
    model: str | Path | Marker = "auto",
    device: str = "auto",
    overwrite: bool = False,
) -> MarkSummary:
    """Mark objects, by their ids, on one frame of a video, and write a label PNG to `out`.

    `frame`: its number from 0, or in a folder its name. `mask`: a label PNG of that frame to go on from: the objects of
    which something is said begin with their mask there, the others stay, but give way to what is marked now. `model`:
    as `load_marker` takes it. Of objects marked together each pixel goes to the more probable. `out` is not replaced
    unless it is `mask`, or with `overwrite`. Raises a DevosError.
    """
    _check(said)
    _check_out(Path(out), None if mask is None else Path(mask), overwrite)
    with open_video(video) as reader:
        shown = find_frame(reader, frame)
        before = np.zeros(shown.size, np.uint16)
        notes: tuple[str, ...] = ()
        if mask is not None:
            given = read_masks(mask, reader)
            before, notes = given[0], tuple(note for note in given.notes if "is used for the first frame" not in note)
    marker = model if isinstance(model, Marker) else load_marker(model, device=device)
    look = marker.look(shown.rgb)
    answers = {object_id: one_by_one(marker, look, one, before == object_id) for object_id, one in said.items()}
    labels = merge(before, answers)
    empty = [object_id for object_id in answers if not (labels == object_id).any()]
    if empty:
        notes += tuple(
            f"object {object_id} has no pixels: nothing was found where it was marked" for object_id in empty
        )
    write_label_png(out, labels)
    found = {
        object_id: MarkedObject(int(np.count_nonzero(labels == object_id)), round(answer.confidence, 3))
        for object_id, answer in answers.items()
    }
    return MarkSummary(Path(out), shown.name, found, notes)


def one_by_one(marker: Marker, look: Look, said: Said, before: np.ndarray) -> Marked:
    """The answer to the last click, each made on the answer to those before it; the box is there from the first on."""
    if not said.clicks:
        return marker.mark(look, box=said.box, mask=before)
    mask, answer = before, None
    for number in range(1, len(said.clicks) + 1):
        answer = marker.mark(look, said.clicks[:number], said.box, mask)
        mask = answer.mask
    assert answer is not None, "there is a click"
    return answer


def merge(before: UInt16[np.ndarray, "h w"], answers: Mapping[int, Marked]) -> UInt16[np.ndarray, "h w"]:
    """Labels in which the objects that were marked take the place of what they were, and of others."""
    labels: np.ndarray = np.where(np.isin(before, list(answers)), 0, before).astype(np.uint16)
    best = np.zeros(before.shape, np.float32)
    for object_id, answer in answers.items():
        # A pixel that a click settled is the object's however improbable the model finds it.
        share = np.where(answer.mask, np.maximum(answer.probability, 1e-3), 0)
        won = share > best
        labels[won], best[won] = object_id, share[won]
    return labels


def find_frame(reader: VideoReader, frame: int | str) -> Frame:
    """A frame by its name, where frames have names, or by its number from 0; VideoError if there is none."""
    index = _index_of(reader, str(frame))
    with closing(reader.read_range(index, index + 1)) as frames:
        found = next(frames, None)
    if found is None:
        count = f"it has {reader.num_frames} frames" if reader.num_frames_is_exact else "it ends before that"
        raise VideoError(f"{reader.path}: has no frame {frame}; {count}, numbered from 0")
    return found


def _index_of(reader: VideoReader, frame: str) -> int:
    if reader.names is not None and frame in reader.names:
        return reader.names.index(frame)
    if frame.isascii() and frame.isdigit():
        return int(frame)
    named = "" if reader.names is None else f", or by its name, {reader.names[0]} to {reader.names[-1]}"
    raise OptionError(f"{frame!r} is no frame of {reader.path}; name one by its number from 0{named}")


def _check(said: Mapping[int, Said]) -> None:
    if not said:
        raise OptionError("nothing says what the object is; give --click X,Y on it, or --box X0,Y0,X1,Y1 around it")
    for object_id in said:
        if not 1 <= object_id <= MAX_OBJECT_ID:
            raise OptionError(f"an object's id is a number from 1 to {MAX_OBJECT_ID}, got {object_id}")


def _check_out(out: Path, mask: Path | None, overwrite: bool) -> None:
    """OutputError for a place that no mask can be written to, or that is taken."""
    if out.suffix.lower() != ".png":
        raise OutputError(f"{out}: a mask is a PNG, whose values are the objects; name a file that ends with .png")
    if not out.exists() or (mask is not None and mask.exists() and out.samefile(mask)):
        return
    if out.is_dir() or not overwrite:
        raise OutputError(f"{out}: is there already; replace it with --overwrite, or name another file")
