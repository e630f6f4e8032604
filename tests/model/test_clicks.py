from __future__ import annotations

import pytest
import torch

from devos.model.clicks import ClickHead, Hints
from devos.model.encoder import EfficientNetLite0


@pytest.fixture(scope="module")
def ask():
    torch.manual_seed(0)
    backbone, head = EfficientNetLite0().eval(), ClickHead().eval()
    image = torch.rand(1, 3, 64, 96)

    def run(clicks, box=(0, 0, 0, 0), mask=None):
        hints = Hints(torch.tensor([clicks], dtype=torch.float32), torch.tensor([box], dtype=torch.float32),
                      torch.zeros(1, 1, 32, 48) if mask is None else mask)  # fmt: skip
        with torch.no_grad():
            return head(image, backbone(image), hints)

    return run


def test_logits_are_at_half_the_pictures_size(ask):
    assert ask([(10, 20, 1)]).shape == (1, 1, 32, 48)


def test_clicks_that_fill_up_a_batch_say_nothing(ask):
    assert torch.allclose(ask([(10, 20, 1)]), ask([(10, 20, 1), (0, 0, 0), (50, 3, 0)]), atol=1e-5)


def test_the_order_of_clicks_does_not_matter(ask):
    assert torch.allclose(ask([(10, 20, 1), (70, 50, -1)]), ask([(70, 50, -1), (10, 20, 1)]), atol=1e-5)


@pytest.mark.parametrize("other", [
    {"clicks": [(10, 20, -1)]}, {"clicks": [(70, 20, 1)]}, {"clicks": [(10, 20, 1)], "box": (4, 4, 60, 60)},
    {"clicks": [(10, 20, 1)], "mask": torch.ones(1, 1, 32, 48)},
])  # fmt: skip
def test_everything_that_is_said_counts(ask, other):
    assert not torch.allclose(ask([(10, 20, 1)]), ask(**other), atol=1e-3)


def test_the_head_takes_at_most_4_mb_in_half_precision():
    assert sum(2 * p.numel() for p in ClickHead().parameters()) < 4_000_000
