"""How a project stands: what was said, what is done, what remains, and which frames to look at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from devos.pipeline.notes import cuts_told
from devos.pipeline.plan import Plan
from devos.pipeline.project import Project
from devos.project.history import FINISHED
from devos.project.results import FrameResult, ResultTable

_MOST_TO_LOOK_AT = 10
_APART = 0.03
"""Frames to look at lie at least this part of the results from each other: ten of one moment say what one does."""
_DOUBT = 0.15
"""Frames that are less bad than this are not worth a look."""


@dataclass(frozen=True)
class ToLookAt:
    """A frame that may be wrong."""

    index: int
    name: str
    object_id: int
    """The object in most doubt."""
    doubt: float
    """0 to 1: how likely something is wrong, by the network's own account and by how the object changed."""
    reason: str


@dataclass(frozen=True)
class Status:
    """How a project stands."""

    out: str
    video: dict[str, Any]
    state: str
    """finished, running, stopped, or empty."""
    num_frames: int
    """Frames that have a mask."""
    cuts: list[int]
    """The first frames of the scenes after hard cuts; objects are looked for anew there."""
    objects: dict[int, dict[str, Any]]
    """For each object the frames on which it is seen, how many, and its mean confidence there."""
    steps: list[dict[str, Any]]
    """What was done, first to last; `stands` says whether it was not undone."""
    remaining: list[dict[str, Any]]
    """What was marked and has not been followed yet: object, first and last frame (null: to the end)."""
    look_at: list[ToLookAt]
    """Worst first, no two of one moment, none that was found right already."""
    locked_objects: tuple[int, ...]
    locked_frames: tuple[tuple[int, int], ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def status_of(project: Project) -> Status:
    """How a project stands now; readable while another process writes to it."""
    folder, results = project.folder, project.results
    head, locks = folder.history.head, folder.locks()
    steps = []
    for number in range(1, len(folder.history) + 1):
        step = folder.history[number]
        said = [{"frame": one.name, "objects": list(one.objects), "from": one.source} for one in step.annotations]
        removed = [asdict(one) for one in step.removals]
        steps.append({"step": number, "what": step.what, "status": step.status, "stands": number <= head,
                      "said": said, "removed": removed})  # fmt: skip
    last = folder.history[head] if head else None
    state = "empty" if last is None else last.status
    record = folder.record
    return Status(
        out=str(folder.path), video=asdict(record.video), state=state, num_frames=len(results),
        cuts=results.cuts,
        objects={i: _object(results, i) for i in project.object_ids}, steps=steps,
        remaining=_remaining(project.todo()), look_at=frames_to_look_at(project),
        locked_objects=locks.objects, locked_frames=locks.frames,
    )  # fmt: skip


def _object(results: ResultTable, object_id: int) -> dict[str, Any]:
    seen = [(index, one) for index in results for one in results[index].objects
            if one.object_id == object_id and one.region is not None]  # fmt: skip
    sure = [one.confidence for _, one in seen]
    return {"frames": len(seen), "first": seen[0][0] if seen else None, "last": seen[-1][0] if seen else None,
            "confidence": round(sum(sure) / len(sure), 4) if sure else None}  # fmt: skip


def _remaining(plan: Plan) -> list[dict[str, Any]]:
    spans = sorted({(s.object_id, s.first, s.last) for one in plan.passes for s in one.spans}, key=str)
    return [{"object": i, "first": first, "last": last} for i, first, last in spans]


def frames_to_look_at(project: Project, most: int = _MOST_TO_LOOK_AT) -> list[ToLookAt]:
    """The frames that are most likely wrong, worst first, from different moments; none that a person has seen."""
    results, history = project.results, project.folder.history
    seen = {one.frame for one in project.folder.annotations()}
    checked = {frame for step in history.steps() for frame in step.checked}
    order = list(results)
    doubts = [one for place, index in enumerate(order) if index not in seen | checked
              and (one := _doubt(results[index], results.get(order[place - 1]) if place else None))]  # fmt: skip
    doubts = [one for one in doubts if one.doubt >= _DOUBT]
    apart = max(3, round(_APART * len(order)))
    chosen: list[ToLookAt] = []
    taken = set(checked)
    for one in sorted(doubts, key=lambda one: (-one.doubt, one.index)):
        if all(abs(one.index - other) > apart for other in taken):
            chosen.append(one)
            taken.add(one.index)
        if len(chosen) == most:
            break
    return chosen


def _doubt(result: FrameResult, before: FrameResult | None) -> ToLookAt | None:
    """The object of a frame in most doubt: by its confidence where it is seen, by its presence where it is not."""
    worst: ToLookAt | None = None
    earlier = {one.object_id: one for one in before.objects} if before is not None else {}
    for one in result.objects:
        if one.region is not None:
            doubt, reason = 1 - one.confidence, "the network is unsure of its outline"
            if one.presence < 0.5:
                doubt, reason = max(doubt, 1 - one.presence), "it may not be there"
        else:
            doubt, reason = one.presence, "it may be there unseen"
        was = earlier.get(one.object_id)
        if was is not None and was.region is not None:
            area = one.region.area if one.region is not None else 0
            change = 1 - min(area, was.region.area) / max(area, was.region.area, 1)
            if 0.5 * change > doubt:
                doubt, reason = 0.5 * change, "its size changed at once"
        if worst is None or doubt > worst.doubt:
            worst = ToLookAt(result.index, result.name, one.object_id, round(doubt, 4), reason)
    return worst


def describe(status: Status) -> str:
    """For people, some lines."""
    video = status.video
    count = "" if video["num_frames"] is None else f" of {video['num_frames']}"
    lines = [f"{status.out}: {video['path']}, {video['width']}x{video['height']}, {status.state}",
             f"frames with masks: {status.num_frames}{count}"]  # fmt: skip
    lines += cuts_told(status.cuts)
    for object_id, one in status.objects.items():
        where = "not seen" if not one["frames"] else (
            f"seen on {one['frames']} frames, {one['first']} to {one['last']}, confidence {one['confidence']:.2f}"
        )  # fmt: skip
        locked = ", locked" if object_id in status.locked_objects else ""
        lines.append(f"object {object_id}: {where}{locked}")
    for step in status.steps:
        said = "; ".join(
            f"frame {one['frame']} object {','.join(map(str, one['objects']))}" for one in step["said"][:4]
        )
        more = f" and {len(step['said']) - 4} more" if len(step["said"]) > 4 else ""
        undone = "" if step["stands"] else " (undone)"
        ended = "" if step["status"] == FINISHED else f", {step['status']}"
        lines.append(f"step {step['step']}: {step['what']}{ended}{undone}{': ' + said + more if said else ''}")
    for one in status.remaining:
        end = "the end" if one["last"] is None else one["last"]
        lines.append(f"remains: object {one['object']}, frames {one['first']} to {end}; devos resume follows it")
    if status.look_at:
        lines.append("look at, worst first:")
        lines += [f"  frame {one.name}: object {one.object_id}, {one.reason} (doubt {one.doubt:.2f})"
                  for one in status.look_at]  # fmt: skip
    return "\n".join(lines)
