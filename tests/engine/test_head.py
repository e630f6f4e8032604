"""The click head behind the marker: sizes and values. What it has learnt is measured by benchmarks/clicks.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import devos
from devos.engine.head import HeadModel
from devos.engine.marker import Box, Click, Marker
from devos.errors import WeightsError
from devos.model.click_weights import load_head, save_head
from devos.model.clicks import ClickHead
from devos.model.encoder import EfficientNetLite0


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    backbone, head = EfficientNetLite0().eval(), ClickHead().eval()
    return HeadModel(backbone.requires_grad_(False), head.requires_grad_(False), torch.device("cpu"))


@pytest.mark.parametrize("shape", [(48, 64), (301, 77), (90, 500)])
def test_an_answer_has_the_size_of_its_picture_and_is_a_probability(model, shape):
    rgb = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    look = model.look(rgb)
    for box, mask in ((None, None), (Box(3, 4, 20, 30), None), (None, rgb[..., 0] > 128)):
        probability = model.answer(look, [Click(5, 6), Click(20, 40, False)], box, mask)
        assert probability.shape == shape
        assert probability.dtype == np.float32
        assert 0 <= probability.min() <= probability.max() <= 1


def test_looking_once_and_asking_twice_gives_the_same_as_looking_twice(model):
    rgb = np.random.default_rng(1).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    marker = Marker(model)
    look = marker.look(rgb)
    marker.mark(look, [(50, 20, True)])
    again = marker.mark(look, [(50, 20, True)])
    assert np.array_equal(again.probability, marker.mark(marker.look(rgb), [(50, 20, True)]).probability)


def test_a_head_is_read_back_as_it_was_written_and_refused_on_another_backbone(model, tmp_path):
    path = tmp_path / "head.safetensors"
    save_head(model.head.state_dict(), path, model.backbone, {"step": 7})
    head, info = load_head(path, model.backbone)
    assert info == {"step": 7}
    assert torch.allclose(head.told.weight, model.head.told.weight, atol=1e-3)
    with pytest.raises(WeightsError, match="trained on another backbone"):
        load_head(path, EfficientNetLite0())


def test_a_file_that_holds_no_head_is_refused_in_one_line(weights, tmp_path):
    backbone = EfficientNetLite0()
    with pytest.raises(WeightsError, match="holds no click head"):
        load_head(weights, backbone)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="is damaged"):
        load_head(damaged, backbone)


def test_what_marks_by_default_answers_a_click_on_a_picture():
    rgb = np.zeros((64, 96, 3), np.uint8)
    rgb[20:44, 30:54] = (230, 200, 40)
    marker = devos.load_marker(device="cpu")
    marked = marker.mark(marker.look(rgb), [(42, 32, True)])
    truth = rgb[..., 0] > 0
    assert (marked.mask & truth).sum() / (marked.mask | truth).sum() > 0.5


class Counting(ClickHead):
    """A head that notes at which sizes it is asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, image, maps, hints):
        self.asked.append(tuple(image.shape[-2:]))
        return super().forward(image, maps, hints)


@pytest.mark.parametrize(("click", "times"), [
    ((70, 60, False), 1), ((34, 84, False), 1), ((230, 10, False), 2), ((70, 60, True), 1), ((34, 84, True), 2),
])  # fmt: skip
def test_a_later_click_that_mends_the_mask_looks_closer_at_once_and_one_that_reaches_farther_asks_for_the_whole(
    model, click, times
):
    head = Counting().eval().requires_grad_(False)
    rgb = np.random.default_rng(2).integers(0, 255, (160, 240, 3), dtype=np.uint8)
    mask = np.zeros((160, 240), bool)
    mask[40:80, 40:100] = True
    counted = HeadModel(model.backbone, head, model.device)
    probability = counted.answer(counted.look(rgb), [Click(60, 50), Click(*click)], None, mask)
    assert len(head.asked) == times
    assert times == 2 or probability[150, 200] < 0.05, "what the closer look does not show is background"
