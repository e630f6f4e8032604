from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.errors import WeightsError
from devos.model.checkpoint import save_weights
from devos.training.checkpoints import load_checkpoint
from devos.training.distributed import ALONE
from devos.training.loop import train
from devos.training.origin import check_same_origin, origin_of
from devos.training.phases import Job
from devos.training.places import open_folders
from devos.training.recipes.recipe import Phase
from devos.training.run import prepare
from devos.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture
def run(config, video_root, photo_root, tmp_path, make_model):
    """The whole of `devos train`, in this process, with its data and its start replaceable."""
    config = replace(config, clips=replace(config.clips, num_batches=2))

    def go(videos: Path = video_root, photos: Path | None = photo_root, seed: int = 0) -> Path:
        init = tmp_path / f"start-{seed}.safetensors"
        save_weights(make_model(seed), init, {})
        job = Job((Phase("only", config),), tmp_path / "out", init)
        sources = open_folders(videos, photos)

        def finish(phase, made):
            if made is not None:
                made.to_the_end(workers=0)

        return job.run(lambda phase, home, start: prepare(phase.config, home, sources, init=start), finish, ALONE,
                       sources)  # fmt: skip

    return go


def copy(root: Path, to: Path) -> Path:
    shutil.copytree(root, to)
    return to


def other_video(root: Path) -> None:
    home = sorted((root / "JPEGImages").rglob("*.*"))[0].parent
    for path in (home, Path(str(home).replace("JPEGImages", "Annotations"))):
        path.rename(path.with_name("another"))


def other_pixel(root: Path) -> None:
    path = sorted((root / "JPEGImages").rglob("*.*"))[3]
    pixels = np.array(Image.open(path).convert("RGB"))
    pixels[0, 0] ^= 255
    Image.fromarray(pixels).save(path.with_suffix(".bmp"))
    path.unlink()


def other_mask(root: Path) -> None:
    """The same name, the same size in bytes: an object has another number."""
    path = sorted((root / "Annotations").rglob("*.png"))[-1]
    labels = np.array(Image.open(path))
    Image.fromarray(np.where(labels == 1, 9, labels).astype(np.uint8)).save(path)


def fewer_frames(root: Path) -> None:
    last = sorted((root / "JPEGImages").rglob("*.*"))[-1]
    last.unlink()
    Path(str(last.with_suffix(".png")).replace("JPEGImages", "Annotations")).unlink()


@pytest.mark.parametrize("change", [other_video, other_pixel, other_mask, fewer_frames])
@pytest.mark.parametrize("finished", [True, False])
def test_a_run_of_other_data_is_refused_finished_or_not(run, video_root, tmp_path, change, finished):
    weights = run()
    before = weights.read_bytes()
    if not finished:
        weights.unlink()
    change(copy(video_root, tmp_path / "changed"))
    with pytest.raises(WeightsError, match=r"out holds a run of its own: the data of videos differ \(.+\)\. Give the"):
        run(videos=tmp_path / "changed")
    assert weights.read_bytes() == before if finished else not weights.exists()


def test_what_differs_is_named(run, video_root, tmp_path):
    run()
    changed = copy(video_root, tmp_path / "changed")
    other_video(changed)
    with pytest.raises(WeightsError, match=r"there only: \w+, here only: another"):
        run(videos=changed)
    with pytest.raises(WeightsError, match="the source photos is there only"):
        run(photos=None)
    with pytest.raises(WeightsError, match=r"it started from weights of SHA-256 \w+\.\.\., not from weights of"):
        run(seed=1)


def test_data_that_are_moved_copied_and_touched_are_the_same(run, video_root, tmp_path):
    weights = run()
    before = weights.stat().st_mtime_ns
    moved = copy(video_root, tmp_path / "moved")
    for path in moved.rglob("*.png"):
        os.utime(path, (1, 1))
    assert run(videos=moved) == weights and weights.stat().st_mtime_ns == before


def test_a_run_of_a_devos_that_kept_no_origin_goes_on(config, video_root):
    check_same_origin(None, origin_of(config, open_folders(video_root, None), None), Path("out"))


def test_data_that_the_recipe_does_not_use_are_no_part_of_the_run(config, video_root, photo_root):
    stage = replace(config.clips.stages[0], video_share=1.0)
    config = replace(config, clips=replace(config.clips, stages=(stage,)))
    mix = {part.source for part in stage.sources.parts}
    sources = open_folders(video_root, photo_root)
    origin = origin_of(config, {**sources, "other": sources["videos"]}, None)
    assert set(origin["data"]) <= mix and origin["start"] is None


def test_a_checkpoint_is_written_by_the_clock_too(config, make_model, make_batches, tmp_path, monkeypatch):
    from devos.training import loop

    config = replace(config, checkpoint_every=100, snapshot_every=100)
    written, save = [], loop.save_checkpoint
    monkeypatch.setattr(loop, "save_checkpoint", lambda state, path: (written.append(state["step"]), save(state, path)))
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(loop, "_SAVING_SHARE", 1e9)
    train(Trainer(config, make_model()), make_batches(config), tmp_path, workers=0)
    assert written == [1, 2, 3, 4, 5]
    monkeypatch.setattr(loop, "CHECKPOINT_S", 3600.0)
    train(Trainer(config, make_model()), make_batches(config), tmp_path / "other", workers=0)
    assert written[5:] == [5] and load_checkpoint(tmp_path / "checkpoint.pt")["step"] == 5
