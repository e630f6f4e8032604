from __future__ import annotations

import cv2
import numpy as np
import pytest

from devos.data.packing.likeness import ALIKE, list_held_back, look_at, look_of, mirrored, nearest
from devos.errors import InputError

STRANGERS = range(100, 160)


COPIES = {
    "as a poor JPEG": lambda rgb, drawn: drawn.recompressed(rgb, "JPEG", 15),
    "as WebP": lambda rgb, drawn: drawn.recompressed(rgb, "WEBP", 50),
    "half as large": lambda rgb, drawn: cv2.resize(rgb, (72, 48), interpolation=cv2.INTER_AREA),
    "twice as large": lambda rgb, drawn: cv2.resize(rgb, (288, 192), interpolation=cv2.INTER_CUBIC),
    "squeezed": lambda rgb, drawn: cv2.resize(rgb, (64, 64), interpolation=cv2.INTER_AREA),
    "darker": lambda rgb, drawn: (255 * (rgb / 255) ** 1.4).astype(np.uint8),
    "grey": lambda rgb, drawn: np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
    "mirrored": lambda rgb, drawn: np.ascontiguousarray(rgb[:, ::-1]),
    "cut a little": lambda rgb, drawn: np.ascontiguousarray(rgb[2:-2, 2:-2]),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_is_found_however_it_was_made(drawn, tmp_path, change):
    original = drawn.save(tmp_path / "original.png", drawn.scene(1))
    copy = drawn.save(tmp_path / "copy.png", COPIES[change](drawn.scene(1), drawn))
    (twin,) = nearest([(copy, look_at(copy))], [(original, look_at(original))])
    assert twin.is_copy and not twin.is_same
    assert (twin.own, twin.held) == (copy, original)


def test_strangers_are_not_taken_for_copies(drawn, tmp_path):
    looks = [(tmp_path / f"{seed}.png", look_of(drawn.scene(seed))) for seed in STRANGERS]
    assert max(twin.likeness for twin in nearest(looks[:30], looks[30:])) < ALIKE - 0.1


def test_the_same_pixels_are_the_same_in_any_file_format(drawn, tmp_path):
    paths = [drawn.save(tmp_path / f"a.{kind}", drawn.scene(3)) for kind in ("png", "bmp")]
    first, second = ((path, look_at(path)) for path in paths)
    (twin,) = nearest([first], [(tmp_path / "other.png", look_of(drawn.scene(4))), second])
    assert twin.is_same and twin.likeness == 1 and twin.held == paths[1]


def test_flat_pictures_are_the_same_only_if_their_pixels_are(tmp_path):
    black, white = (np.full((40, 60, 3), level, np.uint8) for level in (0, 255))
    looks = [(tmp_path / name, look_of(rgb)) for name, rgb in (("black", black), ("white", white), ("again", black))]
    assert [twin.is_copy for twin in nearest([looks[1], looks[2]], looks[:1])] == [False, True]


def test_mirrored_edges_are_those_of_the_mirrored_picture(drawn):
    rgb = drawn.scene(5)
    own = mirrored(look_of(rgb).edges[None])
    assert np.allclose(own[0], look_of(np.ascontiguousarray(rgb[:, ::-1])).edges, atol=1e-5)


def test_masks_are_not_among_what_is_held_back(drawn, tmp_path):
    kept = drawn.save(tmp_path / "dev/JPEGImages/480p/a/00000.png", drawn.scene(1))
    drawn.save(tmp_path / "dev/Annotations/480p/a/00000.png", drawn.scene(1))
    drawn.save(tmp_path / "dev/coco/masks/1.png", drawn.scene(2))
    assert list_held_back([tmp_path / "dev"]) == [kept]


@pytest.mark.parametrize(("make", "words"), [(False, "is no folder"), (True, "holds no pictures")])
def test_a_folder_that_holds_nothing_back_is_refused(tmp_path, make, words):
    if make:
        (tmp_path / "dev").mkdir()
    with pytest.raises(InputError, match=words):
        list_held_back([tmp_path / "dev"])
