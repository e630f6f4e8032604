"""Follow objects in a loop of OpenCV's: frames from wherever it reads them, masks where you want them.

    python examples/opencv_loop.py clip.mp4 first.png masks

`first.png`: a mask of the first frame, 0 for background, an object's number elsewhere. `masks` gets a PNG for each.
Only the newest frames and a bounded memory are held, however long the video.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

import devos


def follow(video: str, first_mask: np.ndarray, out: Path, segmenter: devos.Segmenter) -> int:
    """Follow what the mask marks on the first frame; gives the number of frames."""
    capture, session, count = cv2.VideoCapture(video), segmenter.session(), 0
    out.mkdir(parents=True, exist_ok=True)
    while True:
        found, bgr = capture.read()
        if not found:
            break
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # OpenCV has blue first, devos has red first
        masks = session.step(rgb, first_mask if count == 0 else None)
        cv2.imwrite(str(out / f"{masks.name}.png"), masks.labels)
        for score in masks.scores:
            if score.presence < 0.5:
                print(f"frame {masks.index}: object {score.object_id} is out of sight", file=sys.stderr)
        count += 1
    capture.release()
    return count


if __name__ == "__main__":
    mask = cv2.imread(sys.argv[2], cv2.IMREAD_UNCHANGED)
    print(follow(sys.argv[1], mask, Path(sys.argv[3]), devos.load()), "frames")
