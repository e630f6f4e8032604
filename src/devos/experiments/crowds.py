"""Where there is no MOSE: what scenes with many objects teach, and importance sampling among them, in minutes on a CPU.

The scenes are short videos that are made up of photos, up to ten objects each, and written to the disk once, so that
training takes them as it takes any videos.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from devos.data.catalog import find_videos
from devos.data.clips import Footage
from devos.data.mixing import MERGED, Alike, ByLength, ByObjects, Mix, Part
from devos.data.photo_sets import list_photos
from devos.data.photos import PhotoSource
from devos.data.sources import Place, Sources
from devos.data.synthetic import SyntheticConfig, make_clip
from devos.experiments.results import (
    Budget,
    Difference,
    LastLoss,
    Result,
    Row,
    Tests,
    find_result,
    home_of,
    keep_result,
    score,
)
from devos.io.files import partial_path
from devos.io.labels import write_label_png
from devos.model.config import Matching
from devos.training.loop import Progress
from devos.training.places import open_places
from devos.training.recipes.ablation import ablation
from devos.training.run import prepare

MAX_OBJECTS = 5
"""Objects of a clip that are followed, as in the paper's main training."""
MOST_OBJECTS = 10
"""Of a made-up video."""
KEPT_BACK = 10
"""One photo of so many is for the videos that are scored, the others for those that are trained on."""
NUM_TRAIN, NUM_TEST = 120, 16
"""Videos that are made up."""
SIZE, LENGTH = 224, 8
"""Their side in pixels, and their frames."""


@dataclass(frozen=True)
class Variant:
    """Where the clips of a run come from."""

    title: str
    mix: Mix


_VIDEOS = Part(source="videos", share=3.0, odds=ByLength(), merge=MERGED)

VARIANTS = {
    "videos": Variant("videos of one object, merged", Mix(parts=(_VIDEOS,))),
    "crowds": Variant(
        "with crowds, each alike", Mix(parts=(_VIDEOS, Part(source="crowds", share=2.0, odds=Alike())))
    ),
    "crowds-sampled": Variant(
        "with crowds, by importance sampling", Mix(parts=(_VIDEOS, Part(source="crowds", share=2.0, odds=ByObjects())))
    ),
}  # fmt: skip
"""As the lines of the paper's table 1: without, with, and with importance sampling (T = 1)."""

_NAMES = list(VARIANTS)
ROWS = tuple(
    Row(name, variant.title, _NAMES[i - 1] if i else None) for i, (name, variant) in enumerate(VARIANTS.items())
)
DIFFERENCE = Difference(heading="more than above", is_gain=True)


@dataclass(frozen=True)
class Places:
    """What all variants are trained on."""

    videos: Path
    crowds: Path

    def open(self, mix: Mix) -> Sources:
        """The sources of a mix."""
        there = {"videos": [Place("davis-like", self.videos)], "crowds": [Place("davis-like", self.crowds)]}
        return open_places({part.source: there[part.source] for part in mix.parts})


def make_crowds(photos: Path, out: Path) -> tuple[Path, Path]:
    """Videos to train on and others to score on, in DAVIS's layout, below `out`; those that are there are kept.

    `photos`: one of our own sets. The two share no photo.
    """
    listed = list_photos("own", photos).photos
    kept_back = listed[::KEPT_BACK]
    others = [photo for number, photo in enumerate(listed) if number % KEPT_BACK]
    train, test = out / "crowds-train", out / "crowds-test"
    write_crowds(others, train, NUM_TRAIN, seed=0)
    write_crowds(kept_back, test, NUM_TEST, seed=1)
    return train, test


def write_crowds(photos: Sequence[PhotoSource], root: Path, num_videos: int, seed: int) -> None:
    """Make up videos of 1 to `MOST_OBJECTS` objects; `root` is there whole or not at all, and kept if it is there."""
    if root.is_dir():
        return
    unfinished = partial_path(root)
    shutil.rmtree(unfinished, ignore_errors=True)
    for number in range(num_videos):
        _write(_make(photos, np.random.default_rng([seed, number])), unfinished, f"crowd-{number:03d}")
    unfinished.rename(root)


def _make(photos: Sequence[PhotoSource], rng: np.random.Generator) -> Footage:
    most = int(rng.integers(1, MOST_OBJECTS + 1))
    config = SyntheticConfig(size=SIZE, length=LENGTH, max_objects=most)
    while True:
        picked = rng.integers(0, len(photos), 1 + most)
        scene = make_clip([photos[int(i)].read() for i in picked], config, rng, with_flow=False)
        if scene is not None:
            return scene.footage


def _write(footage: Footage, root: Path, name: str) -> None:
    pictures, masks = (root / kind / name for kind in ("JPEGImages", "Annotations"))
    pictures.mkdir(parents=True)
    masks.mkdir(parents=True)
    for t, (image, labels) in enumerate(zip(footage.images, footage.labels, strict=True)):
        Image.fromarray(image).save(pictures / f"{t:05d}.jpg", quality=92)
        write_label_png(masks / f"{t:05d}.png", labels.astype(np.uint16))


def run_variant(
    name: str,
    seed: int,
    budget: Budget,
    out: Path,
    *,
    places: Places,
    tests: Tests,
    watch: Callable[[Progress], None] = lambda progress: None,
    workers: int = 1,
) -> Result:
    """Train a variant into `out/NAME/seedN` and score it on `tests`; what is there already is not made again.

    Killed, it goes on from its last checkpoint. `workers`: processes that make clips beside this one.
    """
    known = find_result(out, name, seed, budget)
    if known is not None:
        return known
    mix, losses = VARIANTS[name].mix, LastLoss(watch)
    config = ablation(Matching(), num_steps=budget.num_steps, seed=seed, size=budget.train_size, mix=mix,
                      max_objects=MAX_OBJECTS)  # fmt: skip
    begun = time.perf_counter()
    run = prepare(config, home_of(out, name, seed), places.open(mix))
    weights = run.to_the_end(workers=workers, watch=losses)
    minutes = round((time.perf_counter() - begun) / 60, 2)
    return keep_result(Result(name, seed, budget, score(weights, tests, size=budget.size), minutes, losses.value), out)


def crowd_tests(folder: Path) -> Tests:
    """The made-up videos to score on, by their name in the table."""
    return {"crowds": find_videos(folder)}
