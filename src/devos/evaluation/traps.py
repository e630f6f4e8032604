"""How a model fares in made-up clips that each have one trap (`devos.data.synthetic.traps`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from devos.data.synthetic.traps import LURE, TRAPS, TrapClip, make_trap

if TYPE_CHECKING:
    from devos.engine.segmenter import Segmenter

_TAKEN = 0.5
"""A look-alike is taken on a frame where more of what can be seen of it is predicted to be the object."""
_LEAST_AREA = 0.001
"""Share of the frame that a look-alike covers at least to be taken."""


@dataclass(frozen=True)
class TrapScore:
    """What came of the clips of one trap. Shares are of frames but the first; None where no frame is such."""

    trap: str
    j: float
    """Mean J over the frames on which the object can be seen."""
    taken: float | None
    """Share of the frames with a look-alike on which it is taken for the object: identity errors."""
    false: float | None
    """Share of the frames without the object that have a mask."""


def score_traps(segmenter: Segmenter, traps: Sequence[str] = TRAPS, num_seeds: int = 2) -> Iterator[TrapScore]:
    """The score of each trap, over `num_seeds` clips of it."""
    for trap in traps:
        rows = np.concatenate([_follow(segmenter, make_trap(trap, seed)) for seed in range(num_seeds)])
        j, taken, false = (column[~np.isnan(column)] for column in rows.T)
        yield TrapScore(trap, float(j.mean()), *(float(x.mean()) if len(x) else None for x in (taken, false)))


def _follow(segmenter: Segmenter, clip: TrapClip) -> np.ndarray:
    """For each frame but the first: J, whether a look-alike is taken, whether there is a mask of nothing; or NaN."""
    session, rows = segmenter.session(), []
    for index, (image, labels) in enumerate(zip(clip.images, clip.labels, strict=True)):
        truth, lure = labels == 1, labels == LURE
        answer = session.step(image, truth.astype(np.uint16) if index == 0 else None).labels > 0
        if index == 0:
            continue
        j = np.count_nonzero(truth & answer) / np.count_nonzero(truth | answer) if truth.any() else np.nan
        near = np.count_nonzero(lure)
        taken = float(np.count_nonzero(answer & lure) > _TAKEN * near) if near > _LEAST_AREA * lure.size else np.nan
        rows.append((j, taken, np.nan if truth.any() else float(answer.any())))
    return np.array(rows)
