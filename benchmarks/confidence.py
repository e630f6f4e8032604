"""Does confidence mean what it says? Fits it, measures it, and draws it.

    python benchmarks/confidence.py fit DATA               # DATA: video-train and static; prints the weights
    python benchmarks/confidence.py measure ROOT [ROOT ...] --picture docs/confidence.png

`fit` follows made-up clips (videos and photos with look-alikes, cuts and things that leave) and every third frame of
the training videos. `measure` takes folders in DAVIS's layout, of which fitting saw nothing, and the traps. Every
object of every frame but the first is a case: right where J is 0.5 or more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import devos
from devos.data.batching import Batches, ClipsConfig, Stage
from devos.data.mixing import ByLength, MergeConfig, Mix, Part
from devos.data.synthetic import crowded
from devos.data.synthetic.traps import TRAPS, make_trap
from devos.engine.confidence import Signs, signs
from devos.engine.results import Answer
from devos.engine.segmenter import Segmenter
from devos.masks import to_full_size
from devos.training.places import name_places, open_places

VOID, BINS, WORST, LEAST = 255, 15, 0.1, 5
"""The label of nothing known, bins of the calibration error, the share looked at for what is wrong, and the least cases
that make a point of the diagram."""
Clip = tuple[Iterable[np.ndarray], Iterable[np.ndarray]]
"""Pictures and true labels; 255 void."""


class Cases:
    """What was said and what is true, of each object on each frame."""

    def __init__(self) -> None:
        self.signs: list[Signs] = []
        self.j: list[float] = []

    def follow(self, segmenter: Segmenter, images: Iterable[np.ndarray], truth: Iterable[np.ndarray]) -> None:
        """Add those of a clip, followed from its first frame."""
        session = segmenter.session()
        for index, (image, labels) in enumerate(zip(images, truth, strict=True)):
            given = np.where(labels == VOID, 0, labels).astype(np.uint16) if index == 0 else None
            answer = session.advance(image, given)
            if index and answer.maps is not None:
                self._add(answer, labels)

    def _add(self, answer: Answer, labels: np.ndarray) -> None:
        full = to_full_size(answer.maps, answer.frame.size)
        counts, means = full.counts_and_means(len(answer.object_ids))
        said, known = answer().labels, labels != VOID
        told = signs(answer.maps, means.tolist())
        for object_id, count, sign in zip(answer.object_ids, counts, told, strict=True):
            if count:
                true, claimed = (labels == object_id) & known, (said == object_id) & known
                self.signs.append(sign)
                self.j.append(np.count_nonzero(true & claimed) / max(1, np.count_nonzero(true | claimed)))

    @property
    def right(self) -> np.ndarray:
        """1 where J is 0.5 or more, else 0."""
        return (np.array(self.j) >= 0.5).astype(float)


def made_up(data: Path, num_clips: int, length: int, max_objects: int, seed: int) -> Iterator[Clip]:
    merged = MergeConfig(probability=0.2, look_alike=0.3, lure=0.3, cut=0.1)
    mix = Mix(parts=(Part(source="videos", share=0.6, odds=ByLength(), merge=merged), Part(source="photos", share=0.4)))
    scenes = replace(crowded(), crowd=0.3, mates=0.3, parts=0.2, unfold=0.4, far=0.0, look_alike=0.5, leave=0.3)
    stage = Stage(until=1.0, length=length, max_objects=max_objects, max_gap=5, mix=mix)
    config = ClipsConfig(stages=(stage,), num_batches=num_clips, seed=seed, size=384, batch_size=1, synthetic=scenes)
    batches = Batches(config, open_places(name_places(data=data)))
    for index in range(num_clips):
        clip = batches.clip(index, 0)
        yield clip.images, clip.labels


def videos(root: Path, every: int = 1, most: int | None = None) -> Iterator[Clip]:
    """Every sequence of a folder in DAVIS's layout; one size of it."""
    masks, pictures = root / "Annotations", root / "JPEGImages"
    inner = [one for one in masks.iterdir() if not any(one.glob("*.png"))]
    if inner:
        masks, pictures = inner[0], pictures / inner[0].name
    for home in sorted(masks.iterdir()):
        files = sorted(home.glob("*.png"))[::every][:most]
        frames = {file.stem: file for file in (pictures / home.name).iterdir()}
        yield (
            [np.array(Image.open(frames[file.stem]).convert("RGB")) for file in files],
            [_labels(file) for file in files],
        )


def _labels(file: Path) -> np.ndarray:
    """Ids, 255 void; a mask of 0 and 255 shows one object."""
    labels = np.array(Image.open(file))
    return np.where(labels == VOID, 1, labels) if {*np.unique(labels)} <= {0, VOID} else labels


def traps(seeds: Iterable[int]) -> Iterator[Clip]:
    for seed in seeds:
        for trap in TRAPS:
            clip = make_trap(trap, seed)
            yield clip.images, np.where(clip.labels == 1, 1, 0)


def fit(sets: list[Cases], rounds: int = 60) -> np.ndarray:
    """The constant and a weight for each number; every set counts alike. Newton's method."""
    numbers = np.concatenate([[(1, *sign.numbers) for sign in cases.signs] for cases in sets])
    right = np.concatenate([cases.right for cases in sets])
    share = np.concatenate([np.full(len(cases.j), 1 / len(cases.j)) for cases in sets])
    weights = np.zeros(numbers.shape[1])
    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-numbers @ weights))
        slope = numbers.T @ (share * (chance - right)) + 1e-5 * weights
        curve = (numbers * (share * chance * (1 - chance))[:, None]).T @ numbers + 1e-5 * np.eye(len(weights))
        weights -= np.linalg.solve(curve, slope)
    return weights


def binned(said: np.ndarray, right: np.ndarray) -> list[tuple[int, float, float]]:
    """Of each bin of equal width that has cases: how many, what was said on the mean, and the share that is right."""
    place = np.minimum((said * BINS).astype(int), BINS - 1)
    inside = [place == one for one in np.unique(place)]
    return [(int(one.sum()), float(said[one].mean()), float(right[one].mean())) for one in inside]


def calibration_error(said: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error."""
    return sum(count * abs(mean - share) for count, mean, share in binned(said, right)) / len(said)


def report(name: str, cases: Cases, axes: plt.Axes) -> None:
    """A row of the table, and the reliability diagram."""
    right = cases.right
    before, after = (np.array([getattr(sign, what) for sign in cases.signs]) for what in ("probability", "confidence"))
    count, bad = max(1, round(WORST * len(right))), int((1 - right).sum())
    found = [int((1 - right[np.argsort(said, kind="stable")[:count]]).sum()) for said in (before, after)]
    errors = [calibration_error(said, right) for said in (before, after)]
    print(f"| {name} | {len(right)} | {bad} | {errors[0]:.3f} | {errors[1]:.3f} | {found[0]} of {count} | "
          f"{found[1]} of {count} |")  # fmt: skip
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    for said, label, colour in ((before, "mean probability", "tab:orange"), (after, "confidence", "tab:blue")):
        points = [(mean, share) for count, mean, share in binned(said, right) if count >= LEAST]
        axes.plot(*zip(*points, strict=True), "o-", color=colour, label=label, markersize=4)
    axes.set(title=name, xlabel="said", ylabel="right (J of 0.5 or more)", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "measure"))
    parser.add_argument("roots", type=Path, nargs="+")
    parser.add_argument("--model", default="devos-t")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    segmenter = devos.load(given.model)
    if given.what == "fit":
        sets = []
        data = given.roots[0]
        for clips in (made_up(data, 140, 14, 3, 4242), made_up(data, 90, 20, 7, 4243),
                      videos(data / "video-train", 3, 30)):  # fmt: skip
            sets.append(Cases())
            for clip in clips:
                sets[-1].follow(segmenter, *clip)
            print(f"{len(sets[-1].j)} cases, {int((1 - sets[-1].right).sum())} of them wrong", flush=True)
        print("WEIGHTS =", tuple(round(float(weight), 3) for weight in fit(sets)))
        return
    measured = [(root.name, videos(root)) for root in given.roots] + [("traps", traps(range(2)))]
    figure, axes = plt.subplots(1, len(measured), figsize=(4 * len(measured), 4), layout="constrained")
    print("| set | masks | wrong | ECE before | ECE now | wrong in the worst tenth before | now |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (name, clips), one in zip(measured, axes, strict=True):
        cases = Cases()
        for clip in clips:
            cases.follow(segmenter, *clip)
        report(name, cases, one)
    if given.picture:
        figure.savefig(given.picture, dpi=80)


if __name__ == "__main__":
    main()
