from __future__ import annotations

import cv2
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from devos.io.regions import find_regions

LABELS = st.sampled_from([0, 0, 0, 1, 2, 7, 65535])


@settings(max_examples=60, deadline=None)
@given(labels=arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=LABELS))
@example(labels=np.zeros((3, 4), np.uint16))
@example(labels=np.full((1, 1), 65535, np.uint16))
@example(labels=np.full((3, 4), 7, np.uint16))
def test_areas_and_boxes_are_those_of_each_object_looked_at_alone(labels):
    found = find_regions(labels)
    assert list(found) == [object_id for object_id in np.unique(labels) if object_id]
    for object_id, region in found.items():
        inside = (labels == object_id).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(inside)
        assert region == (inside.sum(), x, y, x + width - 1, y + height - 1)
