"""What is promised of two runs: the same bytes, again; the same masks but for single pixels, on other threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import devos


@pytest.fixture
def run(clip, weights, tmp_path):
    def follow(name: str, threads: int):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            devos.segment(
                clip / "clip.mp4", clip / "first.png", tmp_path / name, model=weights, size=64, runtime="torch"
            )
        finally:
            torch.set_num_threads(before)
        return {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*")
                if path.is_file() and path.relative_to(tmp_path / name).parts[0] != "project"
                and path.name != "timings.json"}  # fmt: skip

    return follow


def test_the_same_run_again_gives_the_same_bytes_in_every_file(run):
    assert run("once", 1) == run("again", 1)


def test_on_other_threads_masks_are_the_same_but_for_single_pixels(run, tmp_path):
    run("one", 1), run("two", 2)
    for path in (tmp_path / "one" / "masks").iterdir():
        one, two = (np.asarray(Image.open(tmp_path / name / "masks" / path.name)) > 0 for name in ("one", "two"))
        assert (one & two).sum() >= 0.99 * (one | two).sum()
