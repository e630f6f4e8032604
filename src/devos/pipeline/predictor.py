"""SAM 2's verbs over a project, for programs that were written for its video predictor.

The signatures are those of `SAM2VideoPredictor` (facebookresearch/sam2, 2b90b9f); none of its code is.
"""

from __future__ import annotations

import operator
import shutil
import tempfile
import weakref
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8

from devos.engine.segmenter import DEFAULT_MODEL, Segmenter
from devos.errors import MaskError, OptionError
from devos.pipeline.plan import BACKWARD, FORWARD
from devos.pipeline.project import Project
from devos.pipeline.segment import chosen_segmenter, drained

INSIDE = 10.0
"""The logit of a pixel inside an object; outside it is the negative. A project keeps whose a pixel is, not how surely:
that is in `objects.csv`."""

Logits = Float32[torch.Tensor, "n 1 h w"]
"""For each object, above 0 inside; in the video's own size."""
Answer = tuple[int, list[int], Logits]
"""Index of the frame, ids of the objects, and their logits in the same order."""
Mask = Bool[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"] | Bool[torch.Tensor, "h w"] | Float[torch.Tensor, "h w"] \
    | Int[torch.Tensor, "h w"]  # fmt: skip


class InferenceState:
    """A video that is being worked on; made by `VideoPredictor.init_state`, given to every other verb."""

    def __init__(self, project: Project, temporary: str | None) -> None:
        self.project = project
        """All of it: results, history, undo; on disk, in `project.folder.path`."""
        self.obj_ids: list[int] = []
        """In the order in which they were first named."""
        if temporary is not None:
            weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)  # gone with this state

    @property
    def first_annotated(self) -> int | None:
        """The earliest frame on which a mask of an object that is still followed was given; None if there is none."""
        frames = [one.frame for one in self.project.folder.annotations() if {*one.objects} & {*self.obj_ids}]
        return min(frames, default=None)


class VideoPredictor:
    """SAM 2's video predictor, by DeVOS: frames are read as they are needed, and every answer is kept in a project.

    >>> import devos, numpy as np
    >>> predictor = devos.VideoPredictor("devos-t", size=64)
    >>> state = predictor.init_state("clip.mp4")
    >>> mask = np.zeros((64, 96), bool)
    >>> mask[20:44, 10:34] = True
    >>> frame, ids, logits = predictor.add_new_mask(state, frame_idx=0, obj_id=7, mask=mask)
    >>> *_, (frame, ids, logits) = predictor.propagate_in_video(state)
    >>> frame, ids, tuple(logits.shape)
    (7, [7], (1, 1, 64, 96))
    """

    def __init__(self, model: str | Path | Segmenter = DEFAULT_MODEL, *, device: str = "auto",
                 **settings: Any) -> None:  # fmt: skip
        self._segmenter = chosen_segmenter(model, device, settings)

    def init_state(self, video_path: str | Path, offload_video_to_cpu: bool = False,
                   offload_state_to_cpu: bool = False, async_loading_frames: bool = False, *,
                   out: str | Path | None = None) -> InferenceState:  # fmt: skip
        """Open a video file or a folder of frames; nothing is read yet.

        `out`: a new folder for its project; one that goes with the state, unless given. The other three are taken and
        not needed: no video is ever held as a whole. Raises VideoError or OutputError.
        """
        temporary = tempfile.mkdtemp(prefix="devos-") if out is None else None
        folder = Path(temporary or "") / "project" if out is None else Path(out)
        try:
            project = Project.create(folder, video_path, model=self._segmenter, overlay=False)
        except BaseException:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)
            raise
        return InferenceState(project, temporary)

    def add_new_mask(self, inference_state: InferenceState, frame_idx: int, obj_id: int | Any, mask: Mask) -> Answer:
        """Say where an object is on a frame, in the video's own size; without a pixel: not on this frame.

        Gives what there is now on this frame of every object. What follows from it, `propagate_in_video` does.
        MaskError for a mask of another size, or an id that is not from 1 to 65535.
        """
        obj_id = _checked_id(obj_id)
        inside = mask.detach().cpu().numpy() > 0 if isinstance(mask, torch.Tensor) else np.asarray(mask) > 0
        state = inference_state
        state.project.annotate(frame_idx, inside.astype(np.uint16) * np.uint16(obj_id), objects=[obj_id])
        if obj_id not in state.obj_ids:
            state.obj_ids.append(obj_id)
        logits = _stored(state, frame_idx)
        logits[state.obj_ids.index(obj_id), 0] = torch.from_numpy(np.where(inside, INSIDE, -INSIDE).astype(np.float32))
        return frame_idx, list(state.obj_ids), logits

    def propagate_in_video(self, inference_state: InferenceState, start_frame_idx: int | None = None,
                           max_frame_num_to_track: int | None = None,
                           reverse: bool = False) -> Iterator[Answer]:  # fmt: skip
        """Every frame's objects, from `start_frame_idx` (the earliest marked frame, unless given) to the end, or to the
        beginning with `reverse`; of the frames after the first at most `max_frame_num_to_track`, as SAM 2 counts.

        Only what was not followed since it was marked is computed. Leaving the iteration loses nothing.
        """
        state, marked = inference_state, inference_state.first_annotated
        if marked is None:
            raise OptionError("no object was marked yet; call add_new_mask first")
        start, count = marked if start_frame_idx is None else start_frame_idx, max_frame_num_to_track
        first: int
        last: int | None
        if reverse:
            first, last = 0 if count is None else max(start - count, 0), start
        else:
            first, last = start, _last(state.project, start, count)
        direction = BACKWARD if reverse else FORWARD
        with closing(_in_order(state.project, first, last, direction)) as frames:
            for index, labels in frames:
                yield index, list(state.obj_ids), _logits(state, labels)

    def remove_object(self, inference_state: InferenceState, obj_id: int, strict: bool = False,
                      need_output: bool = True) -> tuple[list[int], list[tuple[int, Logits]]]:  # fmt: skip
        """Take an object out of every frame. Gives the ids that are left, and the frames on which it was marked, as
        they are now. An id that there is not is left alone, or with `strict` an OptionError.
        """
        state = inference_state
        if obj_id not in state.obj_ids:
            if strict:
                raise OptionError(f"there is no object {obj_id}; there are {state.obj_ids or 'none'}")
            return list(state.obj_ids), []
        marked = sorted({one.frame for one in state.project.folder.annotations() if obj_id in one.objects})
        state.project.remove([obj_id])
        state.obj_ids.remove(obj_id)
        frames = [(frame, _stored(state, frame)) for frame in marked] if need_output and state.obj_ids else []
        return list(state.obj_ids), frames

    def reset_state(self, inference_state: InferenceState) -> None:
        """Forget every mask, object and result, as if the video was just opened."""
        state = inference_state
        for _ in range(state.project.folder.history.head):
            state.project.undo()
        state.obj_ids.clear()


def _checked_id(obj_id: Any) -> int:
    try:
        number = operator.index(obj_id)
    except TypeError:
        number = 0
    if not 1 <= number <= 65535:
        raise MaskError(f"an object id is a whole number from 1 to 65535, got {obj_id!r}")
    return number


def _last(project: Project, start: int, count: int | None) -> int | None:
    """The last frame to give; None where the video's file does not say how many it has."""
    facts = project.record.video
    ends = [facts.num_frames - 1] if facts.exact and facts.num_frames is not None else []
    return min([*ends, *([start + count] if count is not None else [])], default=None)


def _in_order(project: Project, first: int, last: int | None,
              direction: str) -> Generator[tuple[int, np.ndarray], None, None]:  # fmt: skip
    """Index and labels of all frames that have a result: what is followed now, as it comes, and before, between and
    after it what was followed earlier. Where a frame is gone through more than once, all of it is followed first.
    """
    if len(project.todo(direction=direction, first=first, last=last).passes) > 1:
        drained(project.run(first, last, direction=direction))
    step = 1 if direction == FORWARD else -1
    stored = project.masks
    known = deque(sorted(i for i in stored if i >= first and (last is None or i <= last))[::step])
    with closing(project.run(first, last, direction=direction)) as running:
        for masks in running:
            while known and (known[0] - masks.index) * step <= 0:
                if (earlier := known.popleft()) != masks.index:
                    yield earlier, stored[earlier]
            yield masks.index, masks.labels
    for index in known:
        yield index, stored[index]


def _stored(state: InferenceState, index: int) -> Logits:
    """What there is of every object on a frame; all outside, where nothing was followed yet."""
    stored, facts = state.project.masks, state.project.record.video
    return _logits(state, stored[index] if index in stored else np.zeros((facts.height, facts.width), np.uint16))


def _logits(state: InferenceState, labels: np.ndarray) -> Logits:
    inside = torch.from_numpy(np.stack([labels == one for one in state.obj_ids]))[:, None]
    return torch.where(inside, INSIDE, -INSIDE)
