from __future__ import annotations

from dataclasses import replace

import pytest

from devos.training.config import PARTS, debug


def test_the_rate_warms_up_linearly_then_falls_as_a_polynomial_to_its_end():
    config = replace(debug(num_steps=1100), learning_rate=4e-4, final_learning_rate=1e-5, warmup_steps=100)
    assert config.num_steps == 1100
    assert config.rate_at(0) == pytest.approx(4e-6)
    assert config.rate_at(49) == pytest.approx(2e-4)
    assert config.rate_at(99) == config.rate_at(100) == pytest.approx(4e-4)
    assert config.rate_at(600) == pytest.approx(1e-5 + 3.9e-4 * 0.5**0.9)
    assert config.rate_at(1100) == pytest.approx(1e-5)
    rates = [config.rate_at(step) for step in range(100, 1101)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"encoder_rate": 1.5}, r"encoder_rate is a share .* got 1\.5"),
        ({"given_share": -0.1}, r"given_share is a chance .* got -0\.1"),
        ({"frozen": ("decoder", "mask_encoder")}, r"identity_encoder, .* got mask_encoder"),
    ],
)
def test_shares_out_of_range_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        replace(debug(), **wrong)


def test_clips_and_network_must_agree_on_the_number_of_slots(tiny):
    with pytest.raises(ValueError, match="clips have 10 slots, the network 4"):
        replace(debug(), model=replace(tiny, num_slots=4))


def test_the_parts_that_can_be_frozen_are_all_that_a_network_has(make_model):
    assert sorted(PARTS) == sorted(name for name, _ in make_model().named_children())
