"""A hard cut is told: with its frame's result, by `devos status`, in the run's notes; forwards and backwards alike."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

import devos
from devos.pipeline.segment import drained, segment
from devos.pipeline.status import describe, status_of

CUT = 6


@pytest.fixture
def film(tmp_path):
    """A folder of twelve frames, two scenes of six; and a mask for the first and for the last."""
    (tmp_path / "film").mkdir()
    scenes = []
    for seed in (0, 100):
        rng = np.random.default_rng(seed)
        small = np.clip(rng.normal(0, 1, (6, 10, 3)) * 45 + rng.uniform(40, 215, 3), 0, 255).astype(np.uint8)
        scenes.append(cv2.resize(small, (160, 96), interpolation=cv2.INTER_CUBIC))
    for index in range(2 * CUT):
        Image.fromarray(np.roll(scenes[index // CUT], index, 1)).save(tmp_path / "film" / f"{index:05d}.png")
    (tmp_path / "masks").mkdir()
    labels = np.zeros((96, 160), np.uint8)
    labels[30:60, 50:90] = 1
    for index in (0, 2 * CUT - 1):
        Image.fromarray(labels).save(tmp_path / "masks" / f"{index:05d}.png")
    return tmp_path


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_cut_is_told_by_the_first_frame_of_the_new_scene_whichever_way_it_is_met(film, weights, direction):
    (film / "masks" / (f"{2 * CUT - 1:05d}.png" if direction == "forward" else "00000.png")).unlink()
    summary = segment(
        film / "film", film / "masks", film / "out", model=devos.load(weights, size=64), direction=direction
    )
    project = devos.Project.open(film / "out")
    assert project.results.cuts == [CUT]
    assert project.results[CUT if direction == "forward" else CUT - 1].cut == CUT
    told = f"1 hard cut, to frame {CUT}: objects have masks after it only where they are known again"
    assert told in summary.notes and told in json.loads((film / "out" / "run.json").read_text())["notes"]
    assert told in describe(status_of(project)) and status_of(project).as_json()["cuts"] == [CUT]


def test_a_correction_and_a_removal_keep_the_cut(film, weights):
    segment(film / "film", film / "masks", film / "out", model=devos.load(weights, size=64))
    project = devos.Project.open(film / "out")
    other = np.zeros((96, 160), np.uint8)
    other[10:40, 100:140] = 2
    drained(project.correct({CUT - 2: other}, objects=[2]))
    assert project.results.cuts == [CUT]
    project.remove([2], CUT)
    assert project.results.cuts == [CUT]
    project.undo()
    assert project.results.cuts == [CUT]


def test_a_film_of_one_scene_has_none_and_nothing_is_said(clip, weights, tmp_path):
    summary = segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=devos.load(weights, size=64))
    project = devos.Project.open(tmp_path / "out")
    assert project.results.cuts == [] and not any("cut" in note for note in summary.notes)
    assert "cut" not in describe(status_of(project))
