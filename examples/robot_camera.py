"""Keep an object in the middle of a robot's camera: always the newest frame, never a queue.

    python examples/robot_camera.py camera:0 first.png        # or rtsp://robot.local/front

`first.png` marks the object (1) on the first frame. For each frame it prints how far the object's middle is from the
picture's, from -1 to 1 to each side, which is what a controller of pan and tilt wants; or that it is lost, on which a
robot should stop. Frames that come while one is worked on are dropped, so that the answer is never about the past.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

import devos


class Aim(NamedTuple):
    """Where an object is."""

    time_s: float
    right: float
    """Of the middle, as a share of half the picture's width."""
    down: float
    is_lost: bool


def aims(source: str, mask: np.ndarray, segmenter: devos.Segmenter, object_id: int = 1) -> Iterator[Aim]:
    """One for each frame that is looked at."""
    session = segmenter.session()
    with devos.open_video(source) as video:
        for frame in video:
            masks = session.step(frame, mask if frame.index == 0 else None)
            rows, columns = np.nonzero(masks.labels == object_id)
            score = next(one for one in masks.scores if one.object_id == object_id)
            if not len(rows) or score.presence < 0.5:
                yield Aim(frame.time_s, 0.0, 0.0, is_lost=True)
                continue
            height, width = masks.labels.shape
            yield Aim(frame.time_s, 2 * columns.mean() / (width - 1) - 1, 2 * rows.mean() / (height - 1) - 1, False)


if __name__ == "__main__":
    first = np.array(Image.open(sys.argv[2]))
    try:
        for aim in aims(sys.argv[1], first, devos.load(size=256)):
            print("lost" if aim.is_lost else f"{aim.time_s:8.3f} s  right {aim.right:+.3f}  down {aim.down:+.3f}")
    except KeyboardInterrupt:
        pass
