"""A small film with two objects, one of which goes away, and what writes it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from devos.exchange.registry import FORMATS
from devos.exchange.writers import Shot, VideoInfo
from devos.frames import Frame, FrameSize, MaskFrame, ObjectScore

SIZE = FrameSize(30, 44)


def make_shots(soft: bool = False) -> list[Shot]:
    """Objects 7, with a hole, and 300, which touch on frame 0; 300 is away on frame 2, frame 3 is empty."""
    made = []
    for index in range(5):
        labels = np.zeros(SIZE, np.uint16)
        if index != 3:
            labels[2 + index : 9 + index, 3:12] = 7
            labels[5 + index, 5] = 0
        if index not in (2, 3):
            labels[20:30, 30 + index : 44] = 300
            labels[8, 12 if index == 0 else 16] = 300
        scores = (ObjectScore(7, 0.9, 0.8), ObjectScore(300, 0.7, 0.6))
        probabilities = None
        if soft:
            probabilities = np.stack([np.where(labels == i, 0.75, 0.125) for i in (7, 300)]).astype(np.float16)
        rgb = np.full((*SIZE, 3), (200, 60, 40), np.uint8)
        time_s = [0.0, 0.04, 0.2, 0.24, 0.28][index]
        masks = MaskFrame(index, time_s, f"f{index}", labels, scores, probabilities)
        made.append(Shot(masks, Frame(index, time_s, f"f{index}", rgb), {7: "swan"}))
    return made


@pytest.fixture
def soft_shots() -> list[Shot]:
    return make_shots(soft=True)


@pytest.fixture
def shots() -> list[Shot]:
    return make_shots()


@pytest.fixture
def info() -> VideoInfo:
    return VideoInfo("clip", SIZE, 5, Fraction(25), names={7: "swan"})


@pytest.fixture
def write(tmp_path, info, shots):
    """Write the film in a format; gives where."""

    def writes(name: str, given: list[Shot] = shots) -> Path:
        path = tmp_path / "export" / FORMATS[name].place
        with FORMATS[name].open(path, info) as writer:
            for shot in given:
                writer.write(shot)
        return path

    return writes
