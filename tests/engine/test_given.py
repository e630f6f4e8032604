"""What a Python caller may hand in: taken, or refused in one line that names the cause."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from devos.engine.given import as_labels, as_rgb
from devos.errors import MaskError, VideoError
from devos.frames import FrameSize
from devos.image import resize_rgb

SIZE = FrameSize(6, 8)
LABELS = np.zeros(SIZE, np.uint8)
LABELS[1:4, 2:5] = 3


@pytest.mark.parametrize(
    "given",
    [
        LABELS,
        LABELS.astype(np.int64),
        LABELS.astype(np.float32),
        LABELS[..., None],
        LABELS[None],
        torch.from_numpy(LABELS),
        torch.from_numpy(LABELS).float()[None].requires_grad_(),
        Image.fromarray(LABELS),
    ],
)
def test_a_mask_of_whole_numbers_is_taken_whatever_holds_it(given):
    labels = as_labels(given, SIZE, "00000")
    assert labels.dtype == np.uint16
    assert np.array_equal(labels, LABELS)


def test_a_mask_of_true_and_false_is_object_1():
    assert np.array_equal(as_labels(LABELS > 0, SIZE, "0"), LABELS // 3)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (LABELS * 0.3, r"values between whole numbers, as 0.9.*mask > 0.5"),
        (np.full(SIZE, np.nan), "between whole numbers, as nan"),
        (np.dstack([LABELS] * 3), r"its shape is \(6, 8, 3\); give one channel"),
        (LABELS[:, :5], "is 5x6, but the frame is 8x6; resize the mask"),
        (LABELS.astype(np.int32) - 1, "values from -1 to 2; object ids go from 1"),
        (np.full(SIZE, 70000), "values from 70000 to 70000"),
        (Image.fromarray(np.dstack([LABELS] * 3)), "give one channel"),
        ("mask.png", "got str"),
        (LABELS.astype(np.complex64), "got ndarray"),
    ],
)
def test_a_mask_that_cannot_be_taken_is_refused_with_its_cause(given, cause):
    with pytest.raises(MaskError, match=cause) as error:
        as_labels(given, SIZE, "00000")
    assert "\n" not in str(error.value)


RGB = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


@pytest.mark.parametrize("given", [RGB, torch.from_numpy(RGB), Image.fromarray(RGB)])
def test_a_picture_is_taken_whatever_holds_it(given):
    assert np.array_equal(as_rgb(given, "00000"), RGB)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (None, "got NoneType"),
        (RGB.transpose(2, 0, 1), "its channels come first"),
        (RGB / 255, "bring its values to 0 to 255"),
        (RGB[..., 0], "a grey picture"),
        (np.dstack([RGB, RGB[..., :1]]), "leave the alpha channel out"),
        ([[1, 2], [3, 4]], "got list"),
    ],
)
def test_a_picture_that_cannot_be_taken_is_refused_with_its_cause(given, cause):
    with pytest.raises(VideoError, match=f"frame 00007: .*{cause}"):
        as_rgb(given, "00007")


def test_what_is_kept_is_copied():
    buffer, mask = RGB.copy(), LABELS.astype(np.uint16)
    rgb, seen, labels = as_rgb(buffer, "0"), resize_rgb(buffer, SIZE), as_labels(mask, SIZE, "0")
    buffer[:], mask[:] = 0, 0
    assert np.array_equal(rgb, RGB) and np.array_equal(seen, RGB) and np.array_equal(labels, LABELS)
