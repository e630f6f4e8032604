"""A project as messages for the page."""

from __future__ import annotations

import base64
import shlex
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt16

from devos.app.known import Known
from devos.app.marking import clicks_of
from devos.app.messages import (
    Busy,
    Doubt,
    MaskMessage,
    ObjectInfo,
    State,
    StepInfo,
    Timeline,
    VideoInfo,
    Waiting,
)
from devos.app.proxy import Proxy
from devos.app.strokes import to_runs
from devos.frames import MaskFrame
from devos.io.drawing import colour_of
from devos.io.regions import find_regions
from devos.pipeline.project import Project
from devos.pipeline.running import frame_label
from devos.pipeline.status import ToLookAt
from devos.project.history import FINISHED, Step

__all__ = ["command", "frame_label", "mask", "scores", "state", "timeline"]

_MOST_STEPS = 80
_NO_RESULT, _NOT_SEEN, _HIGHEST = 255, 0, 254
_WORDS = {"annotate": "mark", "check": "looks right", "follow": "follow", "remove": "remove", "lock": "lock"}


def state(key: str, project: Project, known: Known, look_at: Sequence[ToLookAt], names: Mapping[int, str],
          revision: int, num_frames: int, proxy: Proxy, busy: Busy | None, notes: list[str]) -> State:  # fmt: skip
    """The whole of it."""
    video = project.record.video
    rate = project.record.choices.get("fps") or video.fps
    seen = dict.fromkeys(known.object_ids, 0)
    for result in known.results.values():
        for one in result.objects:
            seen[one.object_id] = seen.get(one.object_id, 0) + (one.region is not None)
    objects = [
        ObjectInfo(i, names.get(i, ""), "#{:02x}{:02x}{:02x}".format(*colour_of(i)), i in known.locks.objects, count,
                   known.marked(i))
        for i, count in sorted(seen.items())
    ]  # fmt: skip
    return State(
        key=key,
        path=str(project.folder.path),
        revision=revision,
        video=VideoInfo(Path(video.path).name, video.width, video.height, float(_fraction(rate)), num_frames),
        objects=objects,
        steps=_steps(known),
        can_undo=known.head > 0,
        can_redo=len(known.steps) > known.head,
        look_at=[Doubt(one.index, one.object_id, one.doubt, one.reason) for one in look_at],
        checked=sorted({frame for step in known.standing for frame in step.checked}),
        waiting=[Waiting(s.object_id, s.first, s.last)
                 for s in sorted({s for one in project.todo().passes for s in one.spans}, key=str)],
        locked_frames=list(known.locks.frames),
        num_results=len(known.results),
        cuts=sorted({*proxy.cuts, *known.results.cuts}),
        proxied=proxy.num_frames,
        busy=busy,
        notes=notes,
        command=command(project),
        convert=f"devos convert {shlex.quote(str(project.folder.path.absolute()))} -o export --to ",
    )  # fmt: skip


def command(project: Project) -> str:
    """Follows the same marks without the app; to be given in the exported folder."""
    return f"devos segment {shlex.quote(project.record.video.place)} -m marks -o again"


def timeline(known: Known, live: Mapping[int, MaskFrame], revision: int, num_frames: int) -> Timeline:
    """A byte for each object and frame."""
    rows = {i: np.full(num_frames, _NO_RESULT, np.uint8) for i in known.object_ids}
    for index, result in known.results.items():
        for one in result.objects:
            rows[one.object_id][index] = _byte(one.confidence) if one.region is not None else _NOT_SEEN
    for index, masks in live.items():
        for name, value in scores(masks).items():
            rows.setdefault(int(name), np.full(num_frames, _NO_RESULT, np.uint8))[index] = value
    coded = {str(i): base64.b64encode(row.tobytes()).decode() for i, row in sorted(rows.items())}
    return Timeline(revision, num_frames, coded)


def scores(masks: MaskFrame) -> dict[str, int]:
    """Each object's byte of the timeline."""
    seen = find_regions(masks.labels)
    return {str(s.object_id): _byte(s.confidence) if s.object_id in seen else _NOT_SEEN for s in masks.scores}


def mask(known: Known, frame: int, name: str, labels: UInt16[np.ndarray, "h w"], revision: int) -> MaskMessage:
    """What is where on a frame."""
    clicks = [(x, y, is_object, i) for i in known.object_ids for x, y, is_object in clicks_of(known, frame, i)]
    runs = to_runs(labels)
    version = f"{zlib.crc32(np.array(runs, np.int64).tobytes()):08x}{len(clicks)}"
    height, width = labels.shape
    return MaskMessage(frame, name, width, height, runs, clicks, version, revision)


def _byte(confidence: float) -> int:
    return 1 + round(min(1.0, max(0.0, confidence)) * (_HIGHEST - 1))


def _fraction(rate: str) -> float:
    above, _, below = str(rate).partition("/")
    return float(above) / float(below or 1)


def _steps(known: Known) -> list[StepInfo]:
    """The last steps; strokes on one frame are told as one."""
    told: list[tuple[str, list[Step], bool]] = []
    for step in known.steps[-_MOST_STEPS * 4 :]:
        stands, group = step.number <= known.head, _group(step)
        if told and group and told[-1][0] == group and told[-1][2] == stands:
            told[-1][1].append(step)
        else:
            told.append((group, [step], stands))
    return [StepInfo(steps[-1].number, _text(steps), stands) for _, steps, stands in told[-_MOST_STEPS:]]


def _group(step: Step) -> str:
    """The same for strokes that belong together; empty for all else."""
    if step.what != "annotate":
        return ""
    return str([(one.frame, one.objects) for one in step.annotations])


def _text(steps: Sequence[Step]) -> str:
    step = steps[-1]
    text = _WORDS.get(step.what, step.what)
    objects = sorted({i for one in step.annotations for i in one.objects} | {one.object_id for one in step.removals})
    if objects:
        text += f" {', '.join(map(str, objects))}"
    if step.annotations:
        text += f" on {step.annotations[0].name}"
    if step.checked:
        text += f": {', '.join(map(str, step.checked[:4]))}"
    if len(steps) > 1:
        text += f", {len(steps)} strokes"
    return text if step.status == FINISHED else f"{text} ({step.status})"
