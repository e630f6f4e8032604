"""Every number that the supplement gives on training, beside the recipe that has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from devos.data.mixing import ByObjects, Part
from devos.training.config import TrainConfig
from devos.training.losses import hardest_fraction
from devos.training.recipes.main_1 import main_1, main_1_mose
from devos.training.recipes.main_2 import main_2, main_2_mose
from devos.training.recipes.pretrain import pretrain

PRE, ONE, TWO, ONE_MOSE, TWO_MOSE = pretrain(), main_1(), main_2(), main_1_mose(), main_2_mose()
ALL = (PRE, ONE, TWO, ONE_MOSE, TWO_MOSE)
MAIN = ALL[1:]


def part(config: TrainConfig, source: str) -> Part:
    """How the phase takes clips from a source; there is one stage."""
    (stage,) = config.clips.stages
    (found,) = [part for part in stage.sources.parts if part.source == source]
    return found


def share(config: TrainConfig, source: str, progress: float) -> float:
    """A source's share beside the 5 of DAVIS."""
    return part(config, source).share_at(progress)


Get = Callable[[TrainConfig], Any]

ROWS: list[tuple[str, str, Any, Get, tuple[TrainConfig, ...]]] = [
    # what it says, where, the number, the recipe's attribute, the recipes
    ("pre-training: initial learning rate of 4e-4", "1.2", 4e-4, lambda c: c.learning_rate, (PRE,)),
    ("pre-training: weight decay of 0.03", "1.2", 0.03, lambda c: c.weight_decay, (PRE,)),
    ("pre-training: 100000 steps", "1.2", 100_000, lambda c: c.num_steps, (PRE,)),
    ("first phase: ground truth mask as previous prediction", "1.2", 1.0, lambda c: c.given_share, (ONE, ONE_MOSE)),
    ("second phase: propagates predicted mask", "1.2", 0.0, lambda c: c.given_share, (TWO, TWO_MOSE)),
    ("first phase: 50K optimization steps", "1.2", 50_000, lambda c: c.num_steps, (ONE, ONE_MOSE)),
    ("second phase: 100K optimization steps", "1.2", 100_000, lambda c: c.num_steps, (TWO, TWO_MOSE)),
    ("main training: initial learning rate equals 2e-4", "1.2", 2e-4, lambda c: c.learning_rate, MAIN),
    ("main training: the weight decay is 0.05", "1.2", 0.05, lambda c: c.weight_decay, MAIN),
    ("mask and flow encoders are frozen before second phase", "1.2", {"identity_encoder", "flow_encoder"},
     lambda c: set(c.frozen), (TWO, TWO_MOSE)),
    ("... and not before", "1.2", (), lambda c: c.frozen, (PRE, ONE, ONE_MOSE)),
    ("for the whole training, length of our sampled sequence is 5", "1.2", {5},
     lambda c: {stage.length for stage in c.clips.stages}, ALL),
    ("DAVIS 2017 and YouTube-VOS in 5:1 proportion", "1.2", {"davis": 5 / 6, "youtube-vos": 1 / 6},
     lambda c: c.clips.stages[0].sources.shares(0.5, {"davis": 60, "youtube-vos": 3471}), (ONE, TWO)),
    ("with MOSE 5 : k : p", "1.2", 5.0, lambda c: share(c, "davis", 0.3), (ONE_MOSE, TWO_MOSE)),
    ("k + p = 1", "1.2", 1.0, lambda c: share(c, "youtube-vos", 0.3) + share(c, "mose", 0.3), (ONE_MOSE, TWO_MOSE)),
    ("k_start = 0.75", "1.2", 0.75, lambda c: share(c, "youtube-vos", 0.0), (ONE_MOSE, TWO_MOSE)),
    ("k_end = 0.15", "1.2", 0.15, lambda c: share(c, "youtube-vos", 1.0), (ONE_MOSE, TWO_MOSE)),
    ("k decays linearly", "1.2", 0.45, lambda c: share(c, "youtube-vos", 0.5), (ONE_MOSE, TWO_MOSE)),
    ("dynamic merge with probability of 0.4 on DAVIS", "1.2", 0.4, lambda c: part(c, "davis").merge.probability, MAIN),
    ("... and on YouTube-VOS", "1.2", 0.4, lambda c: part(c, "youtube-vos").merge.probability, MAIN),
    ("... and not on MOSE", "1.2", 0.0, lambda c: part(c, "mose").merge.probability, (ONE_MOSE, TWO_MOSE)),
    ("importance sampling on MOSE, T = 1", "2.1", ByObjects(1.0), lambda c: part(c, "mose").odds,
     (ONE_MOSE, TWO_MOSE)),
    ("polynomial, with 0.9 decay factor", "1.2", 0.9, lambda c: c.decay_power, ALL),
    ("to a final value of 1e-5", "1.2", 1e-5, lambda c: c.rate_at(c.num_steps), ALL),
    ("warm-up for 5000 iterations", "1.2", 5_000, lambda c: c.warmup_steps, ALL),
    ("... up to the initial rate", "1.2", 1.0, lambda c: c.rate_at(4_999) / c.learning_rate, ALL),
    ("encoders: 0.1 of a total learning rate", "1.2", 0.1, lambda c: c.encoder_rate, ALL),
    ("following XMem, the hardest 15 % of pixels in the end", "1.2, [8]", 0.15,
     lambda c: hardest_fraction(1.0), ALL),
    ("a batch size of 16", "1.2", 16, lambda c: c.clips.batch_size, ALL),
]  # fmt: skip


@pytest.mark.parametrize(("number", "section", "expected", "get", "configs"), ROWS, ids=[row[0] for row in ROWS])
def test_recipes_have_the_supplements_numbers(
    number: str, section: str, expected: Any, get: Get, configs: tuple[TrainConfig, ...]
) -> None:
    for config in configs:
        value = get(config)
        assert value == (expected if isinstance(expected, set | tuple | ByObjects) else pytest.approx(expected)), number


def test_the_phases_take_clips_from_the_sets_that_the_supplement_names() -> None:
    names = [tuple(part.source for part in config.clips.stages[0].sources.parts) for config in ALL]
    with_mose = ("davis", "youtube-vos", "mose")
    assert names == [("static",), with_mose[:2], with_mose[:2], with_mose, with_mose]


def test_one_cycle_is_one_rise_and_one_fall() -> None:
    for config in ALL:
        rates = [config.rate_at(step) for step in range(0, config.num_steps + 1, 100)]
        top = rates.index(max(rates))
        assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)
