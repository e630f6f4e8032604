from __future__ import annotations

import math

import pytest

from devos.errors import OptionError
from devos.model.devos import DeVOS
from devos.training import budget
from devos.training.budget import SPARE, Pace, larger_batch, measure, plan_for, share_out
from devos.training.compute import PLAIN
from devos.training.places import open_folders
from devos.training.recipes.laptop import RECIPE
from devos.training.recipes.recipe import Phase


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "cache"))


def never(phase: Phase) -> Pace:
    raise AssertionError("this was timed before")


def test_the_planned_steps_fill_the_time_but_for_the_spare_part():
    phases = RECIPE.configure()
    paces = [Pace(0.1 * number, 0.15) for number in range(1, len(phases) + 1)]
    planned = share_out(phases, paces, minutes=30.0)
    seconds = sum(one.steps * pace.seconds for one, pace in zip(planned, paces, strict=True))
    assert 0.99 * 1800 * (1 - SPARE) < seconds <= 1800 * (1 - SPARE)
    shares = [one.steps / phase.config.num_steps for one, phase in zip(planned, phases, strict=True)]
    assert max(shares) / min(shares) < 1.01
    assert planned[0].seconds == 0.15  # making its clips takes longer than the network does


def test_the_rate_grows_with_the_root_of_the_batch_and_at_most_doubles():
    config = RECIPE.configure()[-1].config
    factors = [larger_batch(config, config.clips.batch_size * k).learning_rate / config.learning_rate
               for k in (1, 2, 4, 9)]  # fmt: skip
    assert factors == pytest.approx([1, math.sqrt(2), 2, 2])
    with pytest.raises(OptionError, match="--batch"):
        larger_batch(config, 0)


def test_a_plan_gives_the_same_phases_again_without_timing():
    phases = RECIPE.configure()
    ready, plan = plan_for(phases, 30.0, lambda phase: Pace(0.123456789, 0.1), batch=16)
    again, same = plan_for(phases, 99.0, never, batch=7, known=plan)
    assert again == ready and same == plan
    assert [phase.config.clips.batch_size for phase in ready] == [16] * len(phases)
    assert all(1 - 10.5 / phase.config.num_steps < phase.config.ema_decay < 1 for phase in ready)
    with pytest.raises(OptionError, match="the plan is for"):
        plan_for(phases[1:], 30.0, never, known=plan)


def test_too_little_time_is_refused():
    with pytest.raises(OptionError, match=r"0\.1 minutes are enough for \d+ steps of .* give more time"):
        plan_for(RECIPE.configure(), 0.1, lambda phase: Pace(1.0, 0.5))


@pytest.mark.parametrize("workers", [0, 2])
def test_steps_and_clips_are_timed_on_the_spot(config, small_backbone, video_root, photo_root, monkeypatch, workers):
    monkeypatch.setattr(budget, "starting_network", lambda config, init: DeVOS(config.model).train())
    sources = open_folders(video_root, photo_root)
    pace = measure(config, sources, init=None, device="cpu", compute=PLAIN, workers=workers)
    assert 0.001 < pace.clips_s < 60 and 0.001 < pace.step_s < 60
    assert pace.seconds == max(pace.clips_s, pace.step_s)
