"""Where an object is followed from both sides: answers of one side kept for a while, and made one with the other's."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from devos.engine.session import Answer
from devos.errors import InputError
from devos.io.files import replacing


@dataclass(frozen=True)
class SideAnswer:
    """What one side says of some objects on one frame."""

    object_ids: tuple[int, ...]
    maps: Float[Tensor, "objects h4 w4"]


class SideAnswers:
    """A folder of them, by frame; in half precision, for as long as a step takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, frame: int) -> Path:
        """Where a frame's answer is, or would be."""
        return self._folder / f"side-{frame:06d}.npz"

    def put(self, frame: int, answer: Answer, object_ids: set[int]) -> Path:
        """Keep what an answer says of these objects."""
        ids = [object_id for object_id in answer.object_ids if object_id in object_ids]
        maps = np.zeros((0, 1, 1), np.float16)
        if answer.maps is not None and ids:
            rows = [1 + answer.object_ids.index(object_id) for object_id in ids]
            maps = answer.maps[rows].half().cpu().numpy()
        self._folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path(frame)) as temporary:
            np.savez_compressed(temporary, ids=np.array(ids, np.int64), maps=maps)
        return self.path(frame)

    def get(self, frame: int) -> SideAnswer | None:
        """What was kept for a frame; None if nothing was."""
        try:
            with np.load(self.path(frame)) as stored:
                ids, maps = stored["ids"], stored["maps"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.path(frame)}: is damaged ({error}); take the step back with devos undo, and do it "
                             "again") from error  # fmt: skip
        if not len(ids):
            return None
        return SideAnswer(tuple(ids.tolist()), torch.from_numpy(maps).float())


def meet(answer: Answer, other: SideAnswer, nearness: Mapping[int, float]) -> Answer:
    """One answer of two: each object's probabilities weighed by how near each side's annotation is and how sure it is.

    `nearness`: for each object that both sides follow, the first side's share, 1 on its own annotated frame and 0 on
    the other's. An object that one side follows alone is as that side has it.
    """
    known = {object_id for object_id in answer.object_ids if answer.maps is not None}
    ids = sorted({*known, *other.object_ids})
    rows = []
    for object_id in ids:
        ours = answer.maps[1 + answer.object_ids.index(object_id)] if object_id in known else None  # type: ignore[index]
        theirs = other.maps[other.object_ids.index(object_id)] if object_id in other.object_ids else None
        if ours is None or theirs is None or object_id not in nearness:
            rows.append(theirs if ours is None else ours)
            continue
        theirs = theirs.to(ours.device)
        weight = nearness[object_id] * _sureness(ours)
        rest = (1 - nearness[object_id]) * _sureness(theirs)
        share = weight / max(weight + rest, 1e-6)
        rows.append(share * ours + (1 - share) * theirs)
    objects = torch.stack([row for row in rows if row is not None])
    objects = objects / objects.sum(0, keepdim=True).clamp(min=1)
    background = (1 - objects.sum(0, keepdim=True)).clamp(min=0)
    return replace(answer, maps=torch.cat([background, objects]), object_ids=tuple(ids))


def _sureness(maps: Float[Tensor, "h4 w4"]) -> float:
    """Mean probability where an object is more likely than not; its highest one if that is nowhere."""
    inside = maps[maps > 0.5]
    return float(inside.mean()) if inside.numel() else float(maps.max())
