"""The whole job: a video and its masks in; masks of every frame, an overlay, a table and a record out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from devos.engine.segmenter import DEFAULT_MODEL, Segmenter, load
from devos.engine.sizes import AUTO, USUAL, choose_size, largest_areas, parse_size
from devos.errors import OptionError
from devos.exchange.given import read_given
from devos.frames import FrameSize, MaskFrame
from devos.io import GivenMasks, VideoReader, prepare_output
from devos.io.files import check_output
from devos.io.labels import label_png
from devos.io.videos import holds_several
from devos.pipeline.exports import export_choices
from devos.pipeline.follow import Work
from devos.pipeline.opening import Source, comes_once, ending_on_ctrl_c, input_choices, open_source
from devos.pipeline.plan import FORWARD, check_direction, make_plan
from devos.pipeline.results import Clock
from devos.pipeline.running import Progress, RunSummary, frame_label, run_step
from devos.pipeline.versions import versions
from devos.project.content import sha256_of
from devos.project.folder import ProjectFolder
from devos.project.history import Annotation, Skipped, Step
from devos.project.record import ProjectRecord, VideoFacts

__all__ = ["Progress", "RunSummary", "segment"]

_HIGHEST_FPS = 1000
_Summary = TypeVar("_Summary")


def segment(
    video: Source, masks: str | Path, out: str | Path, *,
    model: str | Path | Segmenter = DEFAULT_MODEL, device: str = "auto",
    size: int | str | None = None, memory_every: int | None = None, bank: int | None = None,
    fine_bank: int | None = None, focus: bool | None = None, flow: str | None = None, flip: bool | None = None,
    scales: Sequence[float] | None = None, runtime: str | None = None, precision: str | None = None,
    fps: float | Fraction | None = None, direction: str = FORWARD, first: int | None = None, last: int | None = None,
    overwrite: bool = False, resume: bool = False,
    resize_masks: bool = False, snap_masks: bool = False, skip_bad_frames: bool = False, overlay: bool = True,
    stream: int | None = None, white: int | None = None, sound: bool = True,
    write: Sequence[str] = (), keep_probabilities: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> RunSummary:  # fmt: skip
    """Follow the objects of the given masks through a video, and write all results to the folder `out`.

    `video`: a file or a folder of frames, whose rate is `fps`; `-` (standard input), `camera:0` or an address, which is
    followed until it ends, or Ctrl-C; or arrays (h w 3, uint8, RGB), also from a generator. What comes but once is
    recorded in the project. `masks`: a PNG for the first frame, or a folder of PNGs named as their frames. `model`: a
    name, a weights file, or a `Segmenter`, with its own device and settings; `size`, `memory_every`, `bank`,
    `fine_bank`, `focus`, `flow`, `flip`, `scales`, `runtime` and `precision` are those of `devos.load`, each as the
    model has it unless given, but "auto" is the `size` of a model by name: 384 or 640, by what is marked, and 384 for
    what comes but once (`devos.engine.sizes`). `direction`: forward from the masks, backward, or both, which meet
    between two masked frames. `first`, `last`: the only frames to write, both included. All of it is checked before any
    work. `stream`, `white` and `sound` are those of `devos.open_video`. `write`: names of formats (`devos convert
    --to`) to be written to `out/export` as the frames come; `keep_probabilities`: keep each object's probability at
    each pixel in the project, which soft alpha needs. Raises a DevosError for whatever the user can mend. However the
    run ends, what is done stays readable; `out/run.json` tells how it ended, and `resume` goes on, to the same bytes as
    without a break: it refuses whatever differs from what was begun. `out` is a project (`devos.Project`): it can be
    corrected and undone.

    >>> import devos
    >>> summary = devos.segment("clip.mp4", "first.png", "out", size=64)
    >>> summary.object_ids
    (1,)
    >>> print(summary.overlay.as_posix())
    out/overlay.mp4
    """
    place = Path(video) if isinstance(video, str | Path) else Path("arrays")
    rate = folder_rate(fps, place)
    check_direction(direction)
    settings = {
        "size": _size_of(size, model), "memory_every": memory_every, "bank": bank, "fine_bank": fine_bank,
        "focus": focus, "flow": flow, "flip": flip, "scales": scales, "runtime": runtime, "precision": precision,
    }  # fmt: skip
    choices = {
        "fps": None if rate is None else str(rate), "direction": direction, "first": first, "last": last,
        "resize_masks": resize_masks, "snap_masks": snap_masks, "skip_bad_frames": skip_bad_frames, "overlay": overlay,
        **input_choices(place, Path(masks), stream=stream, white=white, sound=sound),
        **export_choices(write, keep_probabilities),
    }  # fmt: skip
    if comes_once(video):
        refuse_of_live(choices, resume)
        settings["size"] = USUAL if settings["size"] == AUTO else settings["size"]  # it may have to keep pace
    return _segment(video, Path(masks), ProjectFolder(out),
                    lambda *marked: chosen_segmenter(model, device, _with_size(settings, *marked)), choices, overwrite,
                    resume, settings["size"] == AUTO, progress or (lambda _: None))  # fmt: skip


def _size_of(size: int | str | None, model: str | Path | Segmenter) -> int | str | None:
    """The size that was asked for, or `AUTO`; None stands for what a `Segmenter` has."""
    if size is None:
        return None if isinstance(model, Segmenter) else AUTO
    return parse_size(size) if isinstance(size, str) else size


def _with_size(settings: dict[str, Any], given: GivenMasks, frame: FrameSize) -> dict[str, Any]:
    """The settings with a size that is chosen by what is marked, where it is `AUTO`."""
    if settings["size"] != AUTO:
        return settings
    return settings | {"size": choose_size(largest_areas(given.areas.values()), frame)}


def refuse_of_live(choices: dict[str, Any], resume: bool) -> None:
    """OptionError for what only a video that can be read again allows."""
    if resume:
        raise OptionError("--resume is for a video that can be read again; this one comes but once, and what was "
                          "followed of it is gone on with by devos resume OUT")  # fmt: skip
    if choices["direction"] != FORWARD or choices["first"] or choices["stream"] is not None:
        raise OptionError("a video that comes but once is followed forward from its first frame; leave out "
                          "--direction, --from and --stream")  # fmt: skip


def _segment(video: Source, masks: Path, folder: ProjectFolder,
             load_segmenter: Callable[[GivenMasks, FrameSize], Segmenter],
             choices: dict[str, Any], overwrite: bool, resume: bool, auto_size: bool,
             progress: Callable[[Progress], None]) -> RunSummary:  # fmt: skip
    clock, skipped, first, last = Clock(), list[Skipped](), choices["first"], choices["last"]
    with (
        open_source(video, choices, folder, lambda name, reason: skipped.append(Skipped(name, reason))) as reader,
        ending_on_ctrl_c(reader),
    ):
        with clock.part("check"):
            check_range(reader, first, last)
            given = read_given(masks, reader, resize=choices["resize_masks"], snap=choices["snap_masks"])
        with clock.part("load"):
            segmenter = load_segmenter(given, reader.size)
        resume = resume and folder.exists  # cut off before anything was begun, it begins
        if not resume:
            check_output(folder.path, overwrite=overwrite)
        with folder.writing():
            with clock.part("check"):
                record = project_record(reader, segmenter, choices)
                said = tuple(_annotations(given, reader, first, last))
            if resume:
                _refuse_other(folder, record, said)
                step = folder.history[1] if folder.history.head else _begin(folder, record, given, said)
            else:
                # Last of the checks, since with `overwrite` it removes what an earlier run wrote.
                prepare_output(
                    folder.path, overwrite=overwrite, inputs=(masks,) if comes_once(video) else (str(video), masks)
                )
                step = _begin(folder, record, given, said)
            work = Work(folder, step, reader, segmenter, clock, choices["overlay"], skipped)
            notes = given_notes(given, reader, segmenter, choices["direction"], auto_size)
            return drained(run_step(work, progress, notes))


def drained(run: Generator[MaskFrame, None, _Summary]) -> _Summary:
    """Run to the end for what comes back there."""
    with closing(run):
        while True:
            try:
                next(run)
            except StopIteration as end:
                summary: _Summary = end.value
                return summary


def _annotations(given: GivenMasks, reader: VideoReader, first: int | None, last: int | None) -> list[Annotation]:
    """What a person said with masks; the label PNGs themselves are stored by whoever keeps them."""
    return [
        Annotation(index, frame_label(reader, index), tuple(given.areas[index]), sha256_of(label_png(given[index])),
                   str(given.files[index]), first or 0, last)
        for index in given
    ]  # fmt: skip


def _begin(folder: ProjectFolder, record: ProjectRecord, given: GivenMasks, said: Sequence[Annotation]) -> Step:
    """The first step of a project."""
    folder.create(record)
    for annotation in said:
        folder.content.add(label_png(given[annotation.frame]))
    choices = record.choices
    plan = make_plan([(1, one) for one in said], (), direction=choices["direction"], first=choices["first"] or 0,
                     last=choices["last"], fill=True)  # fmt: skip
    return folder.history.begin(Step(1, "segment", tuple(said), plan=plan.as_json()))


def _refuse_other(folder: ProjectFolder, record: ProjectRecord, said: Sequence[Annotation]) -> None:
    """OptionError, with all that differs, if what was begun is not this very run."""
    differences, head = folder.record.differences(record), folder.history.head
    before = folder.history[1].annotations if head else said
    if [(one.frame, one.mask) for one in before] != [(one.frame, one.mask) for one in said]:
        differences.append(f"the masks: {said[0].source} is not what was begun with ({before[0].source})")
    if differences:
        raise OptionError(f"{folder.path}: was begun otherwise: {'; '.join(differences)}; give what it was begun with "
                          "to go on, or begin anew with --overwrite")  # fmt: skip
    if head > 1:
        raise OptionError(f"{folder.path}: was corrected since; devos resume {folder.path} goes on with the last step")


def project_record(reader: VideoReader, segmenter: Segmenter, choices: dict[str, Any]) -> ProjectRecord:
    """What a project about this video is begun with."""
    weights = segmenter.weights
    model = {"name": segmenter.model.config.name, "sha256": weights.sha256 if weights else None,
             "path": str(weights.path) if weights and weights.path else None}  # fmt: skip
    settings = asdict(segmenter.settings) | {"scales": list(segmenter.settings.scales)}
    return ProjectRecord(VideoFacts.of(reader), model, settings, choices, segmenter.device.type, versions()["devos"])


def given_notes(given: GivenMasks, reader: VideoReader, segmenter: Segmenter, direction: str,
                auto_size: bool = False) -> list[str]:  # fmt: skip
    """What is to be told of the masks that were given."""
    from devos.pipeline.notes import small_objects

    notes = [*given.notes, *small_objects(given, reader.size, segmenter.settings.size, auto_size)]
    if (start := min(given)) > 0 and direction == FORWARD:
        notes.append(f"frames {frame_label(reader, 0)} to {frame_label(reader, start - 1)} come before the first mask; "
                     "their masks are empty")  # fmt: skip
    return notes


def chosen_segmenter(model: str | Path | Segmenter, device: str, settings: dict[str, Any]) -> Segmenter:
    """`settings`: None stands for what the model has."""
    settings = {name: value for name, value in settings.items() if value is not None}
    if not isinstance(model, Segmenter):
        return load(model, device=device, **settings)
    if device != "auto":
        raise ValueError(f"the model is already on {model.device}; load it with device={device!r} instead")
    return model.with_settings(**settings)


def folder_rate(fps: float | Fraction | None, video: Path) -> Fraction | None:
    """The frame rate that was asked for; only a folder of frames takes one."""
    if fps is None:
        return None
    if not 0 < fps <= _HIGHEST_FPS:
        raise OptionError(f"--fps is a number of frames a second above 0 and up to {_HIGHEST_FPS}, got {fps}")
    if video.is_file() and not holds_several(video):
        raise OptionError(f"--fps is for a folder of frames, but {video} is a file with its own rate; leave it out")
    return Fraction(fps).limit_denominator(1001)


def check_range(reader: VideoReader, first: int | None, last: int | None) -> None:
    """OptionError for a range that the video does not have."""
    exact = reader.num_frames if reader.num_frames_is_exact else None
    for option, frame in (("--from", first), ("--to", last)):
        if frame is not None and (frame < 0 or (exact is not None and frame >= exact)):
            raise OptionError(f"{option} is a frame of the video, 0 to {'...' if exact is None else exact - 1}; "
                              f"got {frame}")  # fmt: skip
    if first is not None and last is not None and first > last:
        raise OptionError(f"--from is a frame at or before --to; got {first} and {last}")
