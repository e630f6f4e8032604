"""One frame's masks as the objects that other libraries work with."""

from __future__ import annotations

from typing import Any

import numpy as np

from devos.exchange.needed import needed
from devos.exchange.writers import Shot
from devos.frames import MaskFrame


def as_detections(masks: MaskFrame) -> Any:
    """`supervision.Detections` with a row for each object that has a pixel, by rising id.

    `xyxy` in pixels, the last row and column included in the box by their far edge; `mask` (objects h w, bool);
    `confidence`; `tracker_id` is the object's id, `class_id` 0. OptionError where supervision is not installed.
    """
    supervision = needed("supervision", "as_detections", "")
    objects = Shot(masks).objects
    if not objects:
        return supervision.Detections.empty()
    boxes = [(x, y, x + width, y + height) for x, y, width, height in (one.box for one in objects)]
    return supervision.Detections(
        xyxy=np.array(boxes, np.float32), mask=np.stack([one.mask for one in objects]),
        confidence=np.array([one.confidence for one in objects], np.float32),
        class_id=np.zeros(len(objects), int), tracker_id=np.array([one.object_id for one in objects], int),
    )  # fmt: skip
