"""Sources of which only is known what their masks hold: clips are drawn from them, but no file is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from devos.data.catalog import VideoInfo
from devos.data.index import TrainingVideo
from devos.data.photos import PhotoInfo
from devos.data.scanning import VideoFacts
from devos.data.sources import Photos, Sources, Videos


def video(name: str, objects: int) -> TrainingVideo:
    """Sixty frames, each with as many objects."""
    paths = tuple(Path(f"{name}/{index:05d}.png") for index in range(60))
    areas = tuple((label, 400) for label in range(1, objects + 1))
    return TrainingVideo(VideoInfo(name, paths, paths), VideoFacts((areas,) * 60, (), 100 * 100))


@pytest.fixture
def sources() -> Sources:
    """Every source that a recipe knows; the videos of MOSE have one to four objects."""
    photos = Photos((PhotoInfo(Path("a.jpg"), Path("a.png")), PhotoInfo(Path("b.jpg"), Path("b.png"))))
    sets = {name: Videos((video(f"{name}-a", 1), video(f"{name}-b", 2))) for name in ("davis", "youtube-vos", "videos")}
    mose = Videos(tuple(video(f"mose-{count}", count) for count in (1, 2, 3, 4)))
    return {**sets, "mose": mose, "instances": mose, "static": photos, "photos": photos}
