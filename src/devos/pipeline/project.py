"""A project: a video, what was said of it, its results and its history; opened, changed and run from Python."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16

from devos.engine.segmenter import DEFAULT_MODEL, Segmenter, load, released_weights
from devos.errors import InputError, OptionError, WeightsError
from devos.frames import MaskFrame
from devos.io import VideoReader, prepare_output
from devos.io.files import check_output
from devos.pipeline.exports import export_choices
from devos.pipeline.follow import Work
from devos.pipeline.moving import arrive, move, remove_objects, settle
from devos.pipeline.opening import input_choices, open_input
from devos.pipeline.plan import FORWARD, Done, Plan, check_direction, make_plan
from devos.pipeline.publish import stored_masks
from devos.pipeline.results import Clock
from devos.pipeline.running import Progress, RunSummary, publish_again, run_step
from devos.pipeline.saying import annotation_of, corrections, listed, refuse_locked, still_said
from devos.pipeline.segment import check_range, chosen_segmenter, folder_rate, project_record
from devos.project.folder import ProjectFolder, require
from devos.project.history import FINISHED, Annotation, Locks, Removal, Skipped, Step
from devos.project.record import ProjectRecord, fingerprint
from devos.project.results import ResultTable

Labels = UInt16[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"]
_Told = Callable[[Progress], None] | None
_Running = Generator[MaskFrame, None, RunSummary | None]
"""Gives frames as they come; what it did at its end, None if there was nothing to do."""


class Masks(Mapping[int, np.ndarray]):
    """The labels (uint16, h w, the user's ids) of each frame that has a result, by its index; read when asked for."""

    def __init__(self, folder: ProjectFolder, results: ResultTable) -> None:
        self._folder, self._results = folder, results

    def __getitem__(self, index: int) -> UInt16[np.ndarray, "h w"]:
        return stored_masks(self._folder, self._results[index]).labels

    def __iter__(self) -> Iterator[int]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


class Project:
    """What `devos segment` writes, as a thing to go on with: annotate, run, correct, undo; by `create` or `open`.

    Whatever is done is on the disk before it returns, and can be taken back. One process changes a project at a time.

    >>> import devos, numpy as np
    >>> project = devos.Project.create("out", "clip.mp4", size=64)
    >>> mask = np.zeros((64, 96), np.uint8)
    >>> mask[20:44, 10:34] = 1
    >>> project.annotate(0, mask)
    >>> sum(1 for masks in project.run())
    8
    >>> project.undo().what
    'follow'
    """

    def __init__(self, folder: ProjectFolder, video: Path, segmenter: Segmenter | None = None) -> None:
        self.folder = folder
        self._video = video
        self._segmenter = segmenter
        self._open_reader: VideoReader | None = None
        self.notes: list[str] = []
        """What the user may want to know of the last thing done; one line each."""

    # making and opening

    @classmethod
    def create(cls, path: str | Path, video: str | Path, *, model: str | Path | Segmenter = DEFAULT_MODEL,
               device: str = "auto", fps: float | Fraction | None = None, direction: str = FORWARD,
               skip_bad_frames: bool = False, overlay: bool = True, overwrite: bool = False,
               stream: int | None = None, white: int | None = None, sound: bool = True, write: Sequence[str] = (),
               keep_probabilities: bool = False, **settings: Any) -> Project:  # fmt: skip
        """A new project in the folder `path`, about a video of which nothing was said yet.

        All of it as in `devos.segment`; `settings`: those of `devos.load`. Raises a DevosError for whatever the
        user can mend.
        """
        folder, rate = ProjectFolder(path), folder_rate(fps, Path(video))
        check_direction(direction)
        segmenter = chosen_segmenter(model, device, settings)
        choices = {"fps": None if rate is None else str(rate), "direction": direction, "first": None, "last": None,
                   "resize_masks": False, "snap_masks": False, "skip_bad_frames": skip_bad_frames,
                   "overlay": overlay,
                   **input_choices(Path(video), None, stream=stream, white=white, sound=sound),
                   **export_choices(write, keep_probabilities)}  # fmt: skip
        with open_input(Path(video), choices) as reader:
            record = project_record(reader, segmenter, choices)
        check_output(folder.path, overwrite=overwrite)
        with folder.writing():
            prepare_output(folder.path, overwrite=overwrite, inputs=(video,))
            folder.create(record)
            folder.history.set_head(0)
        return cls(folder, Path(video), segmenter)

    @classmethod
    def open(cls, path: str | Path, *, video: str | Path | None = None, model: Segmenter | None = None) -> Project:
        """The project in a folder. `video`: where its video is now, if it was moved. InputError if there is none."""
        folder = require(path)
        facts = folder.record.video
        kept = folder.recording if facts.is_recorded else None
        places = [Path(p) for p in (video, kept, facts.place, facts.path) if p is not None]
        found = next((place for place in places if place.exists()), places[0])
        return cls(folder, found, model)

    @property
    def record(self) -> ProjectRecord:
        """What the project is about."""
        return self.folder.record

    @property
    def segmenter(self) -> Segmenter:
        """The network, with the project's settings; loaded when it is first needed."""
        if self._segmenter is None:
            self._segmenter = _load_again(self.record)
        return self._segmenter

    @contextmanager
    def video(self, on_skip: Callable[[str, str], None] | None = None) -> Iterator[VideoReader]:
        """The project's video, open; VideoError if it is another one than it was begun with."""
        record = self.record
        with open_input(self._video, record.choices, on_skip) as reader:
            yield reader

    @contextmanager
    def video_open(self) -> Iterator[VideoReader]:
        """The same, and what is said of frames meanwhile does not open it anew: a stroke takes half as long."""
        with self.video() as reader:
            self._open_reader = reader
            try:
                yield reader
            finally:
                self._open_reader = None

    # what there is

    @property
    def results(self) -> ResultTable:
        """Every frame's result now: the mask's file by content, and each object's scores, area and box."""
        return self.folder.history.results()

    @property
    def masks(self) -> Masks:
        """The labels of each frame, by its index."""
        return Masks(self.folder, self.results)

    def result(self, index: int) -> MaskFrame:
        """One frame's masks and scores. KeyError if it has none."""
        return stored_masks(self.folder, self.results[index])

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Every object that was named or followed, rising."""
        steps = list(self.folder.history.steps())
        said = {i for step in steps for annotation in still_said(steps, step) for i in annotation.objects}
        return tuple(sorted(said | set(self.results.object_ids)))

    # saying something

    def annotate(self, frame: int, labels: Labels, *, objects: Collection[int] | None = None, first: int = 0,
                 last: int | None = None, source: str = "") -> None:  # fmt: skip
        """Say where objects are on a frame; nothing is followed yet (`run`).

        `labels`: the user's ids at the video's own size; it names the objects that it shows and those in `objects`, of
        which one without a pixel is not on this frame, and says nothing about others. `first`, `last`: the frames it is
        meant for. Raises MaskError for a size that does not fit, OptionError for what is locked.
        """
        with self._writing() as reader:
            said = annotation_of(self.folder, reader, frame, labels, objects, first, last, source)
            self.folder.history.begin(Step(0, "annotate", (said,), status=FINISHED))

    def run(self, first: int | None = None, last: int | None = None, *, direction: str | None = None,
            objects: Collection[int] | None = None, progress: _Told = None) -> _Running:  # fmt: skip
        """Follow whatever was said and has not been followed since; gives each frame's masks once they are written.

        `first`, `last`: the only frames that may change, both included. `objects`: the only objects. A step that was
        cut off is gone on with first, so an unbroken run and a resumed one end in the same bytes. Leaving the iteration
        stops within a frame and loses nothing.
        """
        skipped: list[Skipped] = []
        with self.video(lambda name, reason: skipped.append(Skipped(name, reason))) as reader, self._locked(reader):
            self._refuse_other(reader)
            check_range(reader, first, last)
            step = self.folder.open_step()
            if step is None or not step.plan.get("passes") or (first, last, direction, objects) != (None,) * 4:
                settle(self.folder)
                step = self._planned("follow", (), reader, direction, first, last, objects)
            if step is None:
                return None
            return (yield from self._work(step, reader, skipped, progress))

    def correct(self, masks: Mapping[int, Labels], *, objects: Collection[int] | None = None,
                absent: Mapping[int, Collection[int]] | None = None, first: int | None = None, last: int | None = None,
                direction: str = FORWARD, sources: Mapping[int, Path] | None = None,
                progress: _Told = None) -> _Running:  # fmt: skip
        """Say where objects are on some frames, and do again only what follows from it, up to the next frame on which
        the same object was marked; one step, to be undone as one.

        `masks`: labels by frame index. `objects`: the only ones to take from them; else those whose pixels differ from
        the result, new ones too. `absent`: objects that are not on a frame. Objects that are not corrected keep every
        pixel (but on a marked frame those that the mask gives to another), frames outside every byte.
        """
        check_direction(direction)
        skipped: list[Skipped] = []
        with self.video(lambda name, reason: skipped.append(Skipped(name, reason))) as reader, self._locked(reader):
            self._refuse_other(reader)
            check_range(reader, first, last)
            settle(self.folder)
            said, self.notes = corrections(self.folder, reader, masks, objects, absent or {}, (first or 0, last),
                                           sources or {})  # fmt: skip
            named = {i for one in said for i in one.objects}
            results = self.results
            if results and last is None:
                last = max(*results, *(one.frame for one in said))  # what was never followed waits for its turn
            step = self._planned("correct", said, reader, direction, first, last, named)
            if step is None:
                return None
            return (yield from self._work(step, reader, skipped, progress))

    def remove(self, objects: Collection[int], first: int = 0, last: int | None = None) -> None:
        """Take objects out of the results of some frames, both ends included; of all unless told. KeyError-free: an
        OptionError names an object that there is not, or one that is locked.
        """
        with self._writing() as reader:
            unknown = set(objects) - set(self.object_ids)
            if unknown:
                raise OptionError(
                    f"there is no object {listed(unknown)}; there are {listed(self.object_ids) or 'none'}"
                )
            refuse_locked(self.folder, objects)
            step = Step(0, "remove", removals=tuple(Removal(i, first, last) for i in sorted(objects)))
            self.folder.history.begin(step)
            self._finish_removal(reader)

    def lock(self, objects: Collection[int] = (), frames: Collection[tuple[int, int]] = (), *,
             unlock: bool = False) -> None:  # fmt: skip
        """Lock objects and ranges of frames, so that nothing changes them; or, with `unlock`, let go of them."""
        with self._writing():
            now = self.folder.locks()
            if unlock:
                locks = Locks(tuple(i for i in now.objects if i not in objects),
                              tuple(pair for pair in now.frames if pair not in set(frames)))  # fmt: skip
            else:
                locks = Locks(tuple(sorted({*now.objects, *objects})), tuple(sorted({*now.frames, *frames})))
            self.folder.history.begin(Step(0, "lock", locks=locks, status=FINISHED))

    def check_off(self, frames: Collection[int]) -> None:
        """Say that frames look right: they leave the list of those to look at."""
        with self._writing():
            self.folder.history.begin(Step(0, "check", checked=tuple(sorted(frames)), status=FINISHED))

    # going back

    def recover(self) -> None:
        """Make whole what a crash left half-way, as whatever changes the project does first: an undo that was cut off
        is done, and so is a removal. A run that was cut off is left for `run`.
        """
        with self.video() as reader, self._locked(reader):
            pass

    def undo(self) -> Step:
        """Take the last step back, to the same bytes; gives it. OptionError if there is none."""
        return self._move(-1)

    def redo(self) -> Step:
        """Do the step that was taken back last again, to the same bytes; gives it. OptionError if there is none."""
        return self._move(1)

    def _move(self, by: int) -> Step:
        with self.video() as reader, self._locked(reader):
            head, steps = self.folder.history.head, len(self.folder.history)
            if not 0 <= head + by <= steps:
                raise OptionError(f"{self.folder.path}: there is nothing to {'undo' if by < 0 else 'redo'}")
            step = self.folder.history[max(head, head + by)]
            if by < 0:
                settle(self.folder)
            move(self.folder, head + by)
            self._arrive(reader)
            return step

    # inside

    @contextmanager
    def _locked(self, reader: VideoReader) -> Iterator[None]:
        """The project's lock, with whatever a crash left half-way made whole."""
        with self.folder.writing():
            self._arrive(reader)
            self._finish_removal(reader)
            self.notes = []
            yield

    @contextmanager
    def _writing(self) -> Iterator[VideoReader]:
        """The same, for what begins a new step."""
        with nullcontext(self._open_reader) if self._open_reader else self.video() as reader, self._locked(reader):
            settle(self.folder)
            yield reader

    def _arrive(self, reader: VideoReader) -> None:
        """Bring all results to the steps that stand, if they are not there yet."""
        if self.folder.history.came_from is None:
            return
        arrive(self.folder)
        publish_again(self.folder, reader, self.record.choices["overlay"])
        self.folder.history.set_head(self.folder.history.head)

    def _finish_removal(self, reader: VideoReader) -> None:
        """Carry out the last step if it takes objects out and is not done."""
        step = self.folder.open_step()
        if step is None or not step.removals:
            return
        remove_objects(self.folder, step)
        publish_again(self.folder, reader, self.record.choices["overlay"])
        self.folder.history.write(replace(step, status=FINISHED))

    def _refuse_other(self, reader: VideoReader) -> None:
        known = self.record.video
        if not known.is_recorded and fingerprint(reader.path) != known.fingerprint:
            raise InputError(f"{reader.path}: is not the video that {self.folder.path} was begun with; put that one "
                             "back")  # fmt: skip

    def _end(self, results: ResultTable) -> int | None:
        """The last frame of the video, if it is known: from its file, or since it was walked through."""
        count, exact = self.record.video.num_frames, self.record.video.exact
        if exact and count is not None:
            return count - 1
        open_ended = any(one.last is None for step in self.folder.history.steps() if step.status == FINISHED
                         for one in Plan.from_json(step.plan).passes)  # fmt: skip
        return max(results) if open_ended and results else None

    def todo(self, said: Sequence[Annotation] = (), *, direction: str | None = None, first: int | None = None,
             last: int | None = None, objects: Collection[int] | None = None) -> Plan:  # fmt: skip
        """What is to be done: all that follows from what was said, and from `said`, and has not been done since."""
        history, choices = self.folder.history, self.record.choices
        steps = list(history.steps())
        words = [(step.number, one) for step in steps for one in still_said(steps, step)]
        words += [(history.head + 1, one) for one in said]
        done = [
            Done(step.number, Plan.from_json(step.plan).passes,
                 None if step.status == FINISHED else {i for i, _ in history.changes(step.number)})
            for step in steps if step.plan
        ]  # fmt: skip
        end = self._end(self.results)
        last = choices["last"] if last is None else last
        last = end if last is None else last if end is None else min(last, end)
        first = choices["first"] if first is None else first
        return make_plan(words, done, direction=direction or choices["direction"], first=first or 0, last=last,
                         objects=objects, snapshots=self.folder.snapshots.frames(FORWARD))  # fmt: skip

    def _planned(self, what: str, said: Sequence[Annotation], reader: VideoReader, direction: str | None,
                 first: int | None, last: int | None, objects: Collection[int] | None) -> Step | None:  # fmt: skip
        """A new step with its plan; None if there is nothing to do."""
        if direction is not None:
            check_direction(direction)
        plan = self.todo(said, direction=direction, first=first, last=last, objects=objects)
        if not plan.passes:
            self.notes.append("there is nothing to follow: all that was marked has been followed already")
            return None
        folder = self.folder
        step = folder.history.begin(Step(0, what, tuple(said), plan=plan.as_json()))
        begin = plan.first
        assert begin is not None
        folder.snapshots.drop(FORWARD, lambda frame: frame > begin)
        folder.snapshots.drop("backward", lambda _: True)
        folder.clear_scratch()
        return step

    def _work(self, step: Step, reader: VideoReader, skipped: list[Skipped],
              progress: Callable[[Progress], None] | None) -> Generator[MaskFrame, None, RunSummary]:  # fmt: skip
        work = Work(self.folder, step, reader, self.segmenter, Clock(), self.record.choices["overlay"], skipped)
        return (yield from run_step(work, progress or (lambda _: None), self.notes))


def _load_again(record: ProjectRecord) -> Segmenter:
    """The network that a project was begun with; WeightsError if it is not to be had."""
    name, sha256 = record.model["name"], record.model["sha256"]
    released = {wanted: model for model, (_, wanted) in released_weights().items()}
    model = released.get(sha256) or record.model.get("path") or name
    segmenter = load(model, device=record.device, **record.settings)
    with suppress(AttributeError):
        assert segmenter.weights is not None
        if segmenter.weights.sha256 != sha256:
            raise WeightsError(f"{model}: are not the weights that the project was begun with ({str(sha256)[:12]}...); "
                               "put those back, or begin anew")  # fmt: skip
    return segmenter
