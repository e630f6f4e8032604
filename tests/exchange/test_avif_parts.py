"""A long AVIF is what its parts are, one after the other."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from devos.exchange.avif_parts import Parts, tables_of

HEIGHT, WIDTH = 48, 64


def animation(numbers, width=WIDTH):
    """Frames of one grey each, half of them clear; as long as ten times their number, in thousandths of a second."""
    encoder = importlib.import_module("PIL._avif").AvifEncoder(
        (width, HEIGHT), "4:4:4", 85, 8, 2, "auto", "full", 0, 0, False, True, b"", b"", 1, b"", None
    )
    for number in numbers:
        picture = np.zeros((HEIGHT, width, 4), np.uint8)
        picture[:, : width // 2] = (10 * number, 10 * number, 10 * number, 255)
        encoder.add(picture.tobytes(), 10 * number, (width, HEIGHT), "RGBA", False)
    return encoder.finish()


@pytest.fixture
def joined(tmp_path):
    parts = Parts(tmp_path)
    for numbers in (range(1, 5), range(5, 7), range(7, 11)):
        parts.add(animation(numbers))
    parts.write(tmp_path / "whole.avif")
    return tmp_path / "whole.avif"


def test_every_frame_of_every_part_comes_in_order_with_its_time_and_its_alpha(joined):
    with Image.open(joined) as film:
        assert (film.n_frames, film.size) == (10, (WIDTH, HEIGHT))
        for number in range(1, 11):
            film.seek(number - 1)
            rgba = np.asarray(film.convert("RGBA")).astype(int)
            assert film.info["duration"] == 10 * number
            assert np.abs(rgba[:, : WIDTH // 2 - 2, :3] - 10 * number).max() <= 3
            assert rgba[:, : WIDTH // 2 - 2, 3].min() >= 250
            assert rgba[:, WIDTH // 2 + 2 :, 3].max() <= 5


def test_one_part_alone_has_the_frames_and_the_still_picture_of_its_file(tmp_path):
    parts = Parts(tmp_path)
    parts.add(animation(range(1, 4)))
    parts.write(tmp_path / "one.avif")
    (tmp_path / "plain.avif").write_bytes(animation(range(1, 4)))
    with Image.open(tmp_path / "one.avif") as ours, Image.open(tmp_path / "plain.avif") as theirs:
        for number in range(3):
            ours.seek(number), theirs.seek(number)
            assert np.array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="needs ffprobe")
def test_ffprobe_counts_the_frames_of_both_tracks_and_seeks_to_each_part(joined):
    shown = ["-show_entries", "packet=pts,flags,stream_index", "-of", "csv=p=0"]
    told = subprocess.run(["ffprobe", "-v", "error", *shown, str(joined)], capture_output=True, text=True, check=True)
    rows = [row.split(",") for row in told.stdout.split()]
    colours = [row for row in rows if row[0] == "0"]
    assert len(colours) == len(rows) - len(colours) == 10
    assert [b - a for a, b in pairwise(int(row[1]) for row in colours)] == [10 * n for n in range(1, 10)]
    assert [place for place, row in enumerate(colours) if row[2].startswith("K")] == [0, 4, 6]


def test_a_part_of_another_size_is_refused(tmp_path):
    parts = Parts(tmp_path)
    parts.add(animation([1, 2]))
    with pytest.raises(ValueError, match="other settings"):
        parts.add(animation([1, 2], width=80))
    parts.close()


@pytest.mark.parametrize("content", [b"", b"no boxes", animation([1, 2])[:40], animation([1, 2])[:500]])
def test_what_is_no_animation_is_refused(content):
    with pytest.raises(ValueError, match="box"):
        tables_of(content)
