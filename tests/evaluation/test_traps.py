from __future__ import annotations

import numpy as np

from devos.evaluation.traps import score_traps


class Fixed:
    """Stands in for a segmenter: marks the same rectangle on every frame."""

    def __init__(self, everything):
        self.everything = everything

    def session(self):
        return self

    def step(self, rgb, mask=None):
        labels = np.full(rgb.shape[:2], int(self.everything), np.uint16)
        return type("Result", (), {"labels": labels})()


def test_who_marks_everything_takes_every_look_alike_and_marks_what_is_gone():
    (score,) = score_traps(Fixed(True), ["leaves-a-double"], num_seeds=1)
    assert score.taken == 1 and score.false == 1 and 0 < score.j < 0.2


def test_who_marks_nothing_has_no_j_and_no_false_marks():
    (score,) = score_traps(Fixed(False), ["leaves-a-double"], num_seeds=1)
    assert score == type(score)("leaves-a-double", 0.0, 0.0, 0.0)
