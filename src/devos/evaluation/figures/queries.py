"""Which pixels are asked for: points that stay where they are, or the middles of objects, which are followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt16

from devos.errors import OptionError
from devos.evaluation.figures.matching import Point, View


class Query(NamedTuple):
    """A pixel of a frame whose matching is looked at."""

    point: Point
    label: str
    """What is there, for people; empty for a point that somebody chose."""


class Queries:
    """The queries of every frame; as many on each."""

    def __init__(self, points: Sequence[Point] = (), object_ids: Sequence[int] = ()) -> None:
        """`points` and the middles of `object_ids`; where both are empty, the middle of the object of the lowest id."""
        self._points, self._ids = tuple(points), tuple(object_ids)
        self._last: dict[int, Point] = {}

    def at(self, view: View) -> list[Query]:
        """The queries of one frame. Where an object is not seen its last place stands.

        Raises OptionError for a point outside the frame, and for an object that was not seen so far.
        """
        width, height = view.current.size.width, view.current.size.height
        for x, y in self._points:
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                raise OptionError(
                    f"--point {x:g},{y:g} is outside the frame: x is 0 to {width - 1}, y 0 to {height - 1}"
                )
        followed = [score.object_id for score in view.masks.scores]
        if not self._points and not self._ids:
            self._ids = tuple(followed[:1])
        unknown = [i for i in self._ids if i not in followed]
        if unknown:
            known = ", ".join(map(str, followed))
            raise OptionError(
                f"object {unknown[0]} is not followed at frame {view.current.index}; followed are: {known}"
            )
        return [*(Query(point, "") for point in self._points), *(self._object(view, i) for i in self._ids)]

    def _object(self, view: View, object_id: int) -> Query:
        here = middle_of(view.masks.labels, object_id)
        if here is not None:
            self._last[object_id] = here
            return Query(here, f"object {object_id}")
        for masks in reversed(view.remembered_masks):
            if object_id not in self._last and (seen := middle_of(masks.labels, object_id)) is not None:
                self._last[object_id] = seen
        if object_id not in self._last:
            raise OptionError(
                f"object {object_id} is not seen on frame {view.current.index}, nor on those that are remembered; "
                "choose another --frame, or give --point"
            )
        return Query(self._last[object_id], f"object {object_id} was last seen here")


def middle_of(labels: UInt16[np.ndarray, "h w"], object_id: int) -> Point | None:
    """A pixel well inside the object and near its centre of mass; None where it has no pixel."""
    inside = np.pad((labels == object_id).astype(np.uint8), 1)
    ys, xs = np.nonzero(inside)
    if not len(xs):
        return None
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[ys, xs]
    from_centre = (xs - xs.mean()) ** 2 + (ys - ys.mean()) ** 2
    nearest = np.argmin(np.where(depth >= depth.max() / 2, from_centre, np.inf))
    return float(xs[nearest]) - 1, float(ys[nearest]) - 1
