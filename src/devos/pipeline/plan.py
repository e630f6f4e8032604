"""What is to be done on a project, from what was said and what has been done: a pure function.

A first run, a resume, a correction, a range and both directions are the same code with different plans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from devos.errors import InputError, OptionError
from devos.project.content import DAMAGED, checked_id, whole
from devos.project.history import Annotation

FORWARD, BACKWARD, BOTH = "forward", "backward", "both"
DIRECTIONS = (FORWARD, BACKWARD, BOTH)


@dataclass(frozen=True)
class Span:
    """Frames on which an object is followed."""

    object_id: int
    first: int
    last: int | None
    """The last one included; None: to the end of the video."""

    def holds(self, frame: int) -> bool:
        """Whether the object is followed on a frame."""
        return self.first <= frame and (self.last is None or frame <= self.last)


@dataclass(frozen=True)
class Pass:
    """One walk through frames that lie side by side."""

    direction: str
    start: int
    """Where the walk begins. On frames that are no object's yet, all stands as it is: the session learns it again."""
    from_snapshot: bool
    """Whether the walk begins from the state that was kept before `start`, or from nothing."""
    first: int
    """Of the frames that may change, the first of the video."""
    last: int | None
    """And the last one; None: to the end."""
    spans: tuple[Span, ...]
    soft: bool = False
    """Whether its answers are only kept for the next pass, which meets them from the other side."""

    def followed(self, frame: int) -> set[int]:
        """The objects that are followed on a frame."""
        return {span.object_id for span in self.spans if span.holds(frame)}

    def changes(self, frame: int) -> bool:
        """Whether a frame may change, or is only walked through."""
        return self.first <= frame and (self.last is None or frame <= self.last)


@dataclass(frozen=True)
class Plan:
    """Passes, one after the other."""

    passes: tuple[Pass, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Plan:
        """From what `as_json` gave; InputError for anything else."""
        try:
            return Plan(tuple(_pass_from(one) for one in values.get("passes", ())))
        except DAMAGED as error:
            raise InputError(f"a step's plan that cannot be read ({str(error)[:80]}); put the project back from a "
                             "copy, or begin anew with --overwrite") from error  # fmt: skip

    @property
    def first(self) -> int | None:
        """The first frame that may change; None where nothing does."""
        return min((one.first for one in self.passes), default=None)


def _pass_from(values: Mapping[str, Any]) -> Pass:
    check_direction(values["direction"])
    ends = {name: whole(values[name]) for name in ("start", "first")}
    spans = tuple(Span(checked_id(one["object_id"]), whole(one["first"]), _end(one["last"])) for one in values["spans"])
    return Pass(**{**values, **ends, "last": _end(values["last"]), "spans": spans})


def _end(value: object) -> int | None:
    return None if value is None else whole(value)


@dataclass(frozen=True)
class Done:
    """What a step has followed: its passes' spans, and the frames that it came to; None: all of them."""

    number: int
    passes: tuple[Pass, ...]
    frames: Collection[int] | None

    def holds(self, object_id: int, frame: int, direction: str) -> bool:
        """Whether the object was followed onto the frame from this side."""
        if self.frames is not None and frame not in self.frames:
            return False
        spans = (span for one in self.passes if one.direction == direction for span in one.spans)
        return any(span.object_id == object_id and span.holds(frame) for span in spans)


def check_direction(direction: str) -> None:
    """OptionError for a direction that there is not."""
    if direction not in DIRECTIONS:
        raise OptionError(f"--direction is {', '.join(DIRECTIONS)}; got {direction!r}")


def make_plan(
    said: Sequence[tuple[int, Annotation]],
    done: Sequence[Done],
    *,
    direction: str = FORWARD,
    first: int = 0,
    last: int | None = None,
    objects: Collection[int] | None = None,
    snapshots: Iterable[int] = (),
    fill: bool = False,
) -> Plan:
    """Everything that follows from what was said and has not been done since.

    `said`: annotations with the step in which they were made. `first`, `last`: the only frames that may change, both
    included. `objects`: the only ones to follow. `snapshots`: the frames before which there is a state, walking
    forwards. `fill`: frames before the first annotation get results too, without objects.
    """
    frames = _by_object(said, objects)
    if not frames:
        return Plan()
    forward = _spans(frames, done, FORWARD, first, last) if direction != BACKWARD else []
    backward = _spans(frames, done, BACKWARD, first, last) if direction != FORWARD else []
    if direction == BOTH:  # between two annotations each side is asked, also where one of them had its say before
        meeting = [met for span in (*forward, *backward) for met in _meeting(frames, span, first, last)]
        forward, backward = _merged([*forward, *meeting]), _merged([*backward, *meeting])
    earliest = min(frame for annotated in frames.values() for frame in annotated)
    passes = [_backward(group, frames, soft=direction == BOTH) for group in _groups(backward)]
    if direction == BOTH:
        passes += [_forward(group, earliest, (), meets=True) for group in _groups([*forward, *backward])]
        passes = _with_own_spans(passes, forward)
    else:
        passes += [_forward(group, earliest, snapshots) for group in _groups(forward)]
    if fill and passes:
        passes = [_filled(one, first) if one.first == min(p.first for p in passes) else one for one in passes]
    return Plan(tuple(passes))


@dataclass(frozen=True)
class _Said:
    """One annotated frame of one object: the step that said it last, and the range that it is meant for."""

    number: int
    first: int
    last: int | None


_Frames = Mapping[int, Mapping[int, _Said]]
"""For each object its annotated frames, rising."""


def _by_object(said: Sequence[tuple[int, Annotation]], objects: Collection[int] | None) -> _Frames:
    frames: dict[int, dict[int, _Said]] = {}
    for number, one in said:
        for object_id in one.objects:
            if objects is None or object_id in objects:
                frames.setdefault(object_id, {})[one.frame] = _Said(number, one.first, one.last)
    return {object_id: dict(sorted(frames[object_id].items())) for object_id in sorted(frames)}


def _spans(frames: _Frames, done: Sequence[Done], direction: str, first: int, last: int | None) -> list[Span]:
    """For each object, the frames that are to be done: those that follow from an annotation and were not since."""
    spans = []
    for object_id, annotated in frames.items():
        stretches = _ahead(annotated) if direction == FORWARD else _behind(annotated)
        for begin, end, number in stretches:
            begin = max(begin, first)
            end = last if end is None else end if last is None else min(end, last)
            if end is None or begin <= end:
                since = [one for one in done if one.number >= number]
                spans += _missing(object_id, begin, end, since, direction)
    return _merged(spans)


def _ahead(annotated: Mapping[int, _Said]) -> Iterator[tuple[int, int | None, int]]:
    """What follows from which step, walking forwards: an annotation counts up to the next one, or to its range's end;
    beyond that those before it count again.
    """
    marked = list(annotated)
    for place, frame in enumerate(marked):
        begin, end = frame, marked[place + 1] - 1 if place + 1 < len(marked) else None
        for earlier in reversed(marked[: place + 1]):
            said = annotated[earlier]
            stop = end if said.last is None else said.last if end is None else min(end, said.last)
            if stop is None or stop >= begin:
                yield begin, stop, said.number
                if stop is None:
                    break
                begin = stop + 1
            if end is not None and begin > end:
                break


def _behind(annotated: Mapping[int, _Said]) -> Iterator[tuple[int, int, int]]:
    """The same, walking backwards."""
    marked = list(annotated)
    for place, frame in enumerate(marked):
        begin, end = marked[place - 1] + 1 if place else 0, frame
        for later in marked[place:]:
            said = annotated[later]
            if (stop := max(begin, said.first)) <= end:
                yield stop, end, said.number
                end = stop - 1
            if end < begin:
                break


def _missing(object_id: int, begin: int, end: int | None, since: Sequence[Done], direction: str) -> list[Span]:
    """What of a stretch has not been done by these steps."""
    if not since:
        return [Span(object_id, begin, end)]
    horizon = 1 + max(_horizon(one) for one in since)
    stop = horizon if end is None else min(end + 1, horizon)
    missing = [f for f in range(begin, stop) if not any(one.holds(object_id, f, direction) for one in since)]
    spans = _merged([Span(object_id, frame, frame) for frame in missing])
    rest = max(begin, stop)
    if end is None:
        if not any(one.holds(object_id, rest, direction) for one in since):
            spans.append(Span(object_id, rest, None))
    elif rest <= end and not any(one.holds(object_id, rest, direction) for one in since):
        spans.append(Span(object_id, rest, end))
    return _merged(spans)


def _horizon(done: Done) -> int:
    """A frame from which on a step has done either all or nothing."""
    ends = [end for one in done.passes for span in one.spans for end in (span.first, span.last) if end is not None]
    return max([*ends, *(done.frames or ())], default=0)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Those of one object that touch as one."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.object_id, s.first)):
        before = merged[-1] if merged else None
        if before is None or before.object_id != span.object_id or (
            before.last is not None and before.last + 1 < span.first
        ):  # fmt: skip
            merged.append(span)
        else:
            last = None if before.last is None or span.last is None else max(before.last, span.last)
            merged[-1] = Span(span.object_id, before.first, last)
    return merged


def _meeting(frames: _Frames, span: Span, first: int, last: int | None) -> list[Span]:
    """Where a span lies between two annotations of its object: all frames from one to the other."""
    between = []
    for before, after in pairwise(frames[span.object_id]):
        if span.first <= after and (span.last is None or span.last >= before):
            begin, end = max(before, first), after if last is None else min(after, last)
            if begin <= end:
                between.append(Span(span.object_id, begin, end))
    return between


def _groups(spans: Iterable[Span]) -> list[list[Span]]:
    """Spans of all objects that overlap or touch together; each group is one walk."""
    groups: list[list[Span]] = []
    end: int | None = -2
    for span in sorted(spans, key=lambda s: (s.first, s.object_id)):
        if groups and (end is None or span.first <= end + 1):
            groups[-1].append(span)
            end = None if end is None or span.last is None else max(end, span.last)
        else:
            groups.append([span])
            end = span.last
    return groups


def _last(group: Sequence[Span]) -> int | None:
    ends = [span.last for span in group]
    return None if None in ends else max(end for end in ends if end is not None)


def _forward(group: Sequence[Span], earliest: int, snapshots: Iterable[int], *, meets: bool = False) -> Pass:
    first = min(span.first for span in group)
    usable = [frame for frame in snapshots if earliest < frame <= first]
    start = max(usable) if usable else first if meets and first < earliest else min(earliest, first)
    return Pass(FORWARD, start, bool(usable), first, _last(group), tuple(group))


def _backward(group: Sequence[Span], frames: _Frames, *, soft: bool) -> Pass:
    """From the annotation that the last frame follows from."""
    first, last = min(span.first for span in group), _last(group)
    assert last is not None  # nothing is followed backwards without an annotation to begin from
    ahead = [min(f for f in frames[span.object_id] if f >= span.last) for span in group if span.last is not None]
    return Pass(BACKWARD, max([last, *ahead]), False, first, last, tuple(group), soft)


def _with_own_spans(passes: Sequence[Pass], forward: Sequence[Span]) -> list[Pass]:
    """The walks that meet the other side cover its frames too, but follow only what follows forwards."""
    own = []
    for one in passes:
        if one.direction == FORWARD:
            spans = tuple(s for s in forward if s.first >= one.first and (one.last is None or s.first <= one.last))
            one = Pass(FORWARD, one.start, one.from_snapshot, one.first, one.last, spans)
        own.append(one)
    return own


def _filled(one: Pass, first: int) -> Pass:
    """The same from an earlier frame on, where there is nothing to follow yet."""
    if one.direction == BACKWARD or one.from_snapshot or first >= one.first:
        return one
    return Pass(FORWARD, min(one.start, first), False, first, one.last, one.spans)
