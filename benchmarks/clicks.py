"""How good the marking is, and how fast: the field's protocol on the first frames of sequences.

    python benchmarks/clicks.py DATA/dev DATA/dev2 --model clicks --model grabcut

Each click is made in the middle of the largest error (RITM): the first in the object, each next one where the answer
so far is wrong. Mean IoU after 1, 2, 3, 5 and 10 clicks; NoC@85 and NoC@90, the clicks until the IoU is that high, 20
where it never is; IoU from the object's own box; how often a click made the answer worse by more than 0.05. Then the
milliseconds from a click to its mask, the picture seen before or not.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from devos.data.catalog import find_videos, read_labels, read_picture
from devos.data.clicking import next_click
from devos.engine.click_models import load_marker
from devos.engine.marker import Marker

MOST_CLICKS = 20
REPORTED = (1, 2, 3, 5, 10)
LEVELS = (0.85, 0.9)
WORSE = 0.05


@dataclass
class Scores:
    name: str
    ious: list[float] = field(default_factory=list)
    box: float = 0.0
    looked_ms: float = 0.0
    answered_ms: list[float] = field(default_factory=list)

    def clicks_to(self, level: float) -> int:
        return next((n for n, iou in enumerate(self.ious, 1) if iou >= level), MOST_CLICKS)

    @property
    def worse(self) -> int:
        return sum(b < a - WORSE for a, b in zip(self.ious, self.ious[1:], strict=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="+", type=Path, metavar="ROOT", help="Folders in DAVIS's layout.")
    parser.add_argument("--model", action="append", help="As `devos mark --click-model`; may be repeated.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=Path, help="Folder for a picture of each object after 1, 2, 3 and 5 clicks.")
    parser.add_argument("--json", type=Path, help="Write every figure here.")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    figures = {}
    for model in options.model or ["clicks", "grabcut"]:
        marker = load_marker(model, device="cpu")
        scores = [score(marker, *one, options.pictures) for one in frames(options.roots)]
        report(model, scores)
        figures[model] = [vars(one) for one in scores]
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def frames(roots: list[Path]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The first frame of each sequence, and all of its objects as one where the ids are 0 and 255."""
    for root in roots:
        for video in find_videos(root):
            labels = read_labels(video.masks[0])
            for value in sorted(set(np.unique(labels).tolist()) - {0}):
                yield video.name, read_picture(video.frames[0]), labels == value


def score(marker: Marker, name: str, rgb: np.ndarray, truth: np.ndarray, pictures: Path | None) -> Scores:
    found = Scores(name)
    begun = time.perf_counter()
    look = marker.look(rgb)
    found.looked_ms = 1000 * (time.perf_counter() - begun)
    clicks, mask, shown = [], np.zeros_like(truth), []
    while len(clicks) < (MOST_CLICKS if max(found.ious, default=0) < LEVELS[-1] else REPORTED[-1]):
        click = next_click(truth, mask)
        if click is not None:
            clicks.append((click[0], click[1], click[2] > 0))
            begun = time.perf_counter()
            mask = marker.mark(look, clicks, mask=mask).mask
            found.answered_ms.append(1000 * (time.perf_counter() - begun))
            shown.append((len(clicks), list(clicks), mask))
        found.ious.append(iou(mask, truth))
        if click is None:
            break
    found.ious += found.ious[-1:] * (MOST_CLICKS - len(found.ious))
    ys, xs = np.nonzero(truth)
    box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    boxed = marker.mark(look, box=tuple(map(float, box))).mask
    found.box = iou(boxed, truth)
    if pictures is not None:
        draw(pictures / f"{name}.png", rgb, truth, [s for s in shown if s[0] in (1, 2, 3, 5)] + [("box", [], boxed)])
    return found


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    return float((mask & truth).sum() / max(1, (mask | truth).sum()))


def draw(path: Path, rgb: np.ndarray, truth: np.ndarray, shown: list) -> None:
    """The answer tinted, the truth outlined, the clicks so far."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    tiles = []
    for what, clicks, mask in shown:
        tile = rgb.copy()
        tile[mask] = tile[mask] // 2 + np.array([0, 110, 0], np.uint8)
        outlines, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, outlines, -1, (255, 255, 0), 1)
        for x, y, is_object in clicks:
            cv2.circle(tile, (round(x), round(y)), 6, (0, 255, 255) if is_object else (255, 0, 0), -1)
        cv2.putText(tile, f"{what}: {iou(mask, truth):.2f}", (8, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 2)
        tiles.append(cv2.resize(tile, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(path), np.concatenate(tiles, 1)[..., ::-1])


def report(model: str, scores: list[Scores]) -> None:
    print(f"\n{model}, {len(scores)} objects, {torch.get_num_threads()} threads")
    means = [f"{n}: {np.mean([s.ious[n - 1] for s in scores]):.3f}" for n in REPORTED]
    print(f"mean IoU after clicks  {'  '.join(means)}  from a box: {np.mean([s.box for s in scores]):.3f}")
    for level in LEVELS:
        counts = [s.clicks_to(level) for s in scores]
        print(f"NoC@{level * 100:.0f} {np.mean(counts):.2f}, never: {sum(max(s.ious) < level for s in scores)}")
    num = sum(len(s.answered_ms) - 1 for s in scores)
    drops = [(a - b, s.name) for s in scores for a, b in zip(s.ious, s.ious[1:], strict=False)]
    print(f"clicks that made it worse by more than {WORSE}: {sum(s.worse for s in scores)} of {num}; "
          f"most: {max(drops)[0]:.3f} ({max(drops)[1]})")  # fmt: skip
    later = np.concatenate([s.answered_ms for s in scores])
    first = [s.looked_ms + s.answered_ms[0] for s in scores[1:]]
    for what, values in (("ms a click", later), ("ms of the first click, its picture not seen before", first)):
        print(f"{what}: median {np.median(values):.0f}, 95 %: {np.percentile(values, 95):.0f}")
    for s in scores:
        print(f"  {s.name:16} " + "  ".join(f"{s.ious[n - 1]:.3f}" for n in REPORTED) + f"  box {s.box:.3f}")


if __name__ == "__main__":
    main()
