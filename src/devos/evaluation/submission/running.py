"""Follow the objects of a benchmark without known answers: a model, from the first masks, into a folder of masks.

A sequence whose masks are all there is left as it is, so that a run that was stopped goes on where it was; a record in
the folder says which model and settings made them, and another model is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from devos.data.catalog import Labels, read_labels, read_picture
from devos.errors import OptionError, OutputError
from devos.evaluation.submission.rules import Asked, Benchmark
from devos.io.files import RUN_FILE, output_error, write_json
from devos.io.labels import write_label_png

if TYPE_CHECKING:
    from devos.engine.segmenter import Segmenter

OnFrames = Callable[[int], None]
"""Called with the number of frames that are done since the last call."""


def run_model(
    segmenter: Segmenter, benchmark: Benchmark, folder: Path, *, on_frames: OnFrames | None = None
) -> tuple[str, ...]:
    """Write FOLDER/SEQUENCE/FRAME.png for every frame that the server wants; gives the sequences that were there.

    The model sees every picture, from the first to the last wanted one, and each object's first mask at its frame;
    what other masks the benchmark gives is not shown to it. OptionError for a benchmark that gives no masks,
    OutputError if the folder holds something else, or masks of another model or other settings.
    """
    if benchmark.rules.is_unsupervised:
        raise OptionError(f"{benchmark.rules.title} gives no first masks, so there is nothing to follow; give MASKS")
    _open_folder(folder, _record(segmenter, benchmark))
    skipped = []
    for sequence in benchmark.sequences:
        home = folder / sequence.name
        frames = sequence.pictures[: sequence.position(sequence.wanted[-1]) + 1]
        if all((home / f"{frame}.png").is_file() for frame in sequence.wanted):
            skipped.append(sequence.name)
            if on_frames is not None:
                on_frames(len(frames))
            continue
        try:
            home.mkdir(exist_ok=True)
        except OSError as error:
            raise output_error(home, error) from error
        wanted = set(sequence.wanted)
        for path, labels in zip(frames, follow(segmenter, sequence), strict=False):
            if path.stem in wanted:
                write_label_png(home / f"{path.stem}.png", labels)
            if on_frames is not None:
                on_frames(1)
    return tuple(skipped)


def num_frames_to_run(benchmark: Benchmark) -> int:
    """How many frames `run_model` goes through."""
    return sum(sequence.position(sequence.wanted[-1]) + 1 for sequence in benchmark.sequences)


def follow(segmenter: Segmenter, sequence: Asked) -> Iterator[Labels]:
    """What a fresh session says of each frame of a sequence: ids, 0 for background, at the frame's size."""
    session = segmenter.session()
    for path in sequence.pictures:
        given = first_masks_at(sequence, path.stem)
        yield session.step(read_picture(path), given).labels


def first_masks_at(sequence: Asked, frame: str) -> Labels | None:
    """The objects that are first given on this frame, and no others; None if there is none."""
    new = sequence.given_at(frame)
    if not new:
        return None
    labels = read_labels(sequence.given[frame])
    return np.where(np.isin(labels, new), labels, 0).astype(np.uint16)


def _record(segmenter: Segmenter, benchmark: Benchmark) -> dict[str, Any]:
    """What must be the same for a stopped run to go on, as JSON gives it back."""
    record = {
        "benchmark": benchmark.rules.title,
        "root": str(benchmark.root.resolve()),
        "model": segmenter.model.config.name,
        "sha256": segmenter.weights.sha256 if segmenter.weights is not None else None,
        "settings": asdict(segmenter.settings),
    }
    return dict(json.loads(json.dumps(record)))


def _open_folder(folder: Path, record: Mapping[str, Any]) -> None:
    """Make the folder, or see that it holds the masks of the same model with the same settings."""
    path = folder / RUN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_new = not any(folder.iterdir())
        known = None if is_new or not path.is_file() else json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise output_error(folder, error) from error
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path} cannot be read ({error}); name another folder with --masks-out") from error
    if is_new:
        write_json(path, record)
    elif not isinstance(known, dict):
        raise OutputError(f"{folder} holds something else than masks of a run; name another folder with --masks-out")
    elif known != record:
        other = next(key for key in record if known.get(key) != record[key])
        raise OutputError(
            f"{folder} holds masks of another run ({other} was {known.get(other)}, is {record[other]}); "
            "go on with the same options, or name another folder with --masks-out"
        )
