"""Carry out a step's plan: read, follow, write, side by side; from where it was cut off, if it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from devos.engine.prepared import PreparedFrame
from devos.engine.segmenter import Segmenter
from devos.engine.session import Answer, Kept, Session
from devos.engine.states import State
from devos.errors import InputError, MaskError
from devos.frames import Frame, MaskFrame
from devos.io import VideoReader
from devos.pipeline.exports import KEEP, check_formats
from devos.pipeline.meeting import SideAnswers, meet
from devos.pipeline.plan import BACKWARD, FORWARD, Pass, Plan
from devos.pipeline.publish import stored_masks
from devos.pipeline.results import Clock, Results
from devos.pipeline.said import Said
from devos.pipeline.stages import ReadAhead, WriteBehind
from devos.project.content import sha256_of
from devos.project.folder import ProjectFolder
from devos.project.history import Skipped, Step
from devos.project.probabilities import Probabilities
from devos.project.snapshots import EVERY

MOST_WAITING = 2
"""Frames that wait for the network, and frames that wait to be written. One would do if each took equally long."""


@dataclass
class Work:
    """One step on its way; everything has been checked."""

    folder: ProjectFolder
    step: Step
    reader: VideoReader
    segmenter: Segmenter
    clock: Clock
    overlay: bool
    skipped: list[Skipped]
    """Bad frames that the reader has come to so far; it adds to them."""
    sessions: list[Session] = field(default_factory=list)

    def __post_init__(self) -> None:
        choices = self.folder.record.choices
        self.formats = check_formats(choices.get("write") or (), choices)
        self.keeps_probabilities = bool(choices.get(KEEP))
        self.plan = Plan.from_json(self.step.plan)
        self.before = self.folder.history.results(self.step.number - 1)
        self.said = Said(self.folder, self.step.number)
        self.locks = self.folder.locks()
        self.sides = SideAnswers(self.folder.scratch)

    @property
    def streams(self) -> bool:
        """Whether table and overlay grow with the results: those of a first run from the first frame on do."""
        passes = self.plan.passes
        return not self.before and len(passes) == 1 and passes[0].direction == FORWARD

    @property
    def timings(self) -> dict[str, float]:
        """Seconds of work so far, by part."""
        total = dict(self.clock.seconds)
        for session in self.sessions:
            for part, seconds in session.timings.items():
                total[part] = total.get(part, 0.0) + seconds
        return total

    def run(self) -> Generator[MaskFrame, None, None]:
        """Every frame that changes, as soon as it is written. Leaving it early stops within a frame and loses none."""
        for number, one in enumerate(self.plan.passes):
            if number < self.step.passes_done:
                continue
            yield from _Walk(self, one).run()
            self.step = replace(self.step, passes_done=number + 1)
            self.folder.history.write(self.step)


@dataclass(frozen=True)
class _Coming:
    """A frame that was read ahead."""

    prepared: PreparedFrame
    skipped: tuple[Skipped, ...]
    """Bad frames right before it."""


@dataclass(frozen=True)
class _Done:
    """A frame that the network has done with, or, without an answer, a state to be kept before one."""

    index: int
    frame: Frame | None
    answer: Answer | None
    stored: MaskFrame | None
    """What the frame had."""
    kept: tuple[int, ...]
    """The objects of it that stand."""
    skipped: tuple[Skipped, ...]
    state: State | None = None


class _Walk:
    """One pass."""

    def __init__(self, work: Work, one: Pass) -> None:
        self._work, self._pass = work, one
        self._session = work.segmenter.session()
        work.sessions.append(self._session)
        self._finished: deque[MaskFrame] = deque()
        self._num_skipped = len(work.skipped)
        self._objects = {span.object_id for span in one.spans}

    def run(self) -> Iterator[MaskFrame]:
        """Frame after frame."""
        work = self._work
        begin = self._go_back()
        results = Results(work.folder, work.step, work.before, work.reader, streams=work.streams,
                          overlay=work.overlay, formats=work.formats, clock=work.clock)  # fmt: skip

        def write(done: _Done) -> None:
            self._write(results, done)

        with results:
            with (
                WriteBehind(write, most=MOST_WAITING) as writer,
                ReadAhead(self._read(begin), most=MOST_WAITING) as coming,
            ):
                while (one := self._next(coming)) is not None:
                    index = one.prepared.frame.index
                    if index % EVERY == 0 and index != self._pass.start and self._pass.changes(index):
                        writer.put(_Done(index, None, None, None, (), (), self._session.state))
                    done = self._advance(one)
                    with work.clock.part("waiting"):
                        writer.put(done)
                    yield from self._told()
                writer.put(_Done(-1, None, None, None, (), tuple(self._skipped_since())))
            yield from self._told()
            results.sync()

    def _told(self) -> Iterator[MaskFrame]:
        while self._finished:
            yield self._finished.popleft()

    # where to begin

    def _go_back(self) -> int:
        """The frame to begin with, the session as it was before it, and what was done after it forgotten."""
        folder, one = self._work.folder, self._pass
        for frame in self._resumable():
            try:
                state = State.load(folder.snapshots.path(one.direction, frame), self._work.segmenter.device)
            except InputError:
                continue
            self._session.state = state
            break
        else:
            frame = one.start
            if one.from_snapshot:
                path = folder.snapshots.path(FORWARD, frame)
                self._session.state = State.load(path, self._work.segmenter.device)
        folder.snapshots.drop(one.direction, lambda other: self._comes_after(other, frame))

        def stays(index: int) -> bool:
            return not one.changes(index) or (self._comes_after(frame, index) and index != frame)

        if not one.soft:
            folder.history.keep_changes(self._work.step.number, stays)
        return frame

    def _comes_after(self, frame: int, other: int) -> bool:
        return frame > other if self._pass.direction == FORWARD else frame < other

    def _resumable(self) -> list[int]:
        """Frames before which this very pass left a state, and all that came before is there; the last one first."""
        folder, one = self._work.folder, self._pass
        states = [
            f for f in folder.snapshots.frames(one.direction) if one.changes(f) and self._comes_after(f, one.start)
        ]
        if one.soft:
            return sorted(f for f in states if self._work.sides.path(f + 1).exists())
        good = True
        done = dict(folder.history.changes(self._work.step.number))
        order = sorted((f for f in done if one.changes(f)), reverse=one.direction == BACKWARD)
        whole_until: int | None = None
        for index in order:
            result = done[index]
            path = folder.mask_path(result.name) if result else None
            good = good and path is not None and path.is_file() and sha256_of(path.read_bytes()) == result.mask  # type: ignore[union-attr]
            if not good:
                break
            whole_until = index
        if whole_until is None:
            return []
        after = whole_until + (1 if one.direction == FORWARD else -1)
        return sorted((f for f in states if not self._comes_after(f, after)), reverse=one.direction == FORWARD)

    # reading ahead

    def _read(self, begin: int) -> Generator[_Coming, None, None]:
        """Every frame, prepared."""
        one, work = self._pass, self._work
        if one.direction == FORWARD:
            frames = work.reader.read_range(begin, None if one.last is None else one.last + 1)
        else:
            frames = work.reader.backwards(one.first, begin + 1)
        before = self._session.before()
        with closing(frames):
            while True:
                with work.clock.part("decode"):
                    frame = next(frames, None)
                if frame is None:
                    return
                is_known = before is not None or self._is_followed(frame.index)
                before = self._session.prepare(frame, before, followed=is_known)
                yield _Coming(before, tuple(self._skipped_since()))
                if not is_known:  # nothing is followed yet, and the next needs no flow
                    before = None

    def _is_followed(self, index: int) -> bool:
        """Whether there is any object from this frame on."""
        stored = self._work.before.get(index)
        return bool(self._pass.followed(index) or self._work.said.named(index) & self._objects or (
            stored is not None and stored.objects
        ))  # fmt: skip

    def _skipped_since(self) -> Iterator[Skipped]:
        while self._num_skipped < len(self._work.skipped):
            yield self._work.skipped[self._num_skipped]
            self._num_skipped += 1

    def _next(self, coming: ReadAhead[_Coming]) -> _Coming | None:
        """The next frame; None at the end."""
        with self._work.clock.part("waiting"):
            one = next(coming, None)
        self._refuse_if_nothing_to_follow(one.prepared.frame.index if one else None)
        return one

    def _refuse_if_nothing_to_follow(self, index: int | None) -> None:
        """Stop where every marked frame was left out. `index`: of the frame to come; None at the end."""
        one, said = self._pass, self._work.said
        if one.direction == BACKWARD or self._session.object_ids or self._work.before:
            return
        if any(index is not None and marked >= index for marked in said.frames):
            return
        names = ", ".join(said.name(marked) for marked in said.frames)
        raise MaskError(f"{said.source}: there is nothing to follow, as no frame that it marks ({names}) could be "
                        "read; mark another frame")  # fmt: skip

    # the network

    def _advance(self, coming: _Coming) -> _Done:
        """One frame through the network: what stands is given to it, and what was said."""
        frame, work = coming.prepared.frame, self._work
        stored = None
        if (result := work.before.get(frame.index)) is not None:
            stored = stored_masks(work.folder, result, frame)
        followed = self._pass.followed(frame.index) if self._changes(frame.index) else set[int]()
        standing = tuple(i for i in (result.object_ids if result else ()) if i not in followed)
        own = followed if self._changes(frame.index) else self._objects  # what is not yet written is followed too
        labels, named = work.said.given(frame.index, own, stored, standing)
        for object_id in set(self._session.object_ids) - {*standing, *own}:
            self._session.remove(object_id)
        kept = None
        if stored is not None and standing:
            kept = Kept(stored.labels, standing)
        answer = self._session.advance(coming.prepared, labels, objects=named or None, kept=kept)
        return _Done(frame.index, frame, answer, stored, standing, coming.skipped)

    def _changes(self, index: int) -> bool:
        """Whether a frame may change; a locked one that has a result may not."""
        return self._pass.changes(index) and not (index in self._work.before and self._work.locks.holds(index))

    # writing behind

    def _write(self, results: Results, done: _Done) -> None:
        for skipped in done.skipped:
            results.skip(skipped)
        if done.state is not None:
            results.sync()
            with self._work.clock.part("snapshots"):
                self._work.folder.snapshots.put(self._pass.direction, done.index, done.state.to_bytes())
        if done.frame is None or done.answer is None or not self._changes(done.index):
            return
        if self._pass.soft:
            results.later_sync(self._work.sides.put(done.index, done.answer, self._pass.followed(done.index)))
            return
        answer = self._met(done)
        masks = _with_kept(answer(self._work.keeps_probabilities), done.stored, done.kept)
        if done.stored is not None and masks.probabilities is not None:
            before = Probabilities(self._work.folder).read(self._work.before[done.index], done.stored)
            masks = _with_kept_probabilities(masks, done.stored, before, done.kept)
        results.write(done.frame, masks)
        self._finished.append(masks)

    def _met(self, done: _Done) -> Answer:
        """Together with what was found from the other side, if anything was."""
        assert done.answer is not None
        soft = [one for one in self._work.plan.passes if one.soft and one.changes(done.index)]
        other = self._work.sides.get(done.index) if soft else None
        if other is None:
            return done.answer
        nearness = {}
        for object_id in self._pass.followed(done.index) & set(other.object_ids):
            behind, ahead = self._work.said.around(object_id, done.index)
            if behind is not None and ahead is not None:
                nearness[object_id] = 1.0 if ahead == behind else (ahead - done.index) / (ahead - behind)
        return meet(done.answer, other, nearness)


def _with_kept(masks: MaskFrame, stored: MaskFrame | None, kept: tuple[int, ...]) -> MaskFrame:
    """The scores of what stands are those that it had."""
    if stored is None or not kept:
        return masks
    before = {score.object_id: score for score in stored.scores}
    scores = tuple(before[s.object_id] if s.object_id in kept else s for s in masks.scores)
    return replace(masks, scores=scores)


def _with_kept_probabilities(masks: MaskFrame, stored: MaskFrame, before: np.ndarray | None,
                             kept: tuple[int, ...]) -> MaskFrame:  # fmt: skip
    """What stands keeps its probabilities too, but at pixels that another object was given."""
    if before is None or masks.probabilities is None:
        return masks
    soft, rows = masks.probabilities.copy(), {score.object_id: row for row, score in enumerate(stored.scores)}
    for row, score in enumerate(masks.scores):
        if score.object_id in kept:
            taken = (masks.labels != stored.labels) & ~np.isin(masks.labels, [0, score.object_id])
            soft[row] = np.where(taken, np.float16(0), before[rows[score.object_id]])
    return replace(masks, probabilities=soft)
