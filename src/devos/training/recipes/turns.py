"""`turns`: the last part of `laptop`, mostly videos again, and made-up things that come to show more of themselves.

    devos train turns --data DATA --init runs/parts/devos-t.safetensors -o runs/turns

Data: videos and photos as `laptop` takes them. Hardware: one CPU thread. Time: about 20 minutes.
Result: devos-t (docs/model_card.md has its scores).
"""

from __future__ import annotations

from dataclasses import replace

from devos.data.batching import ClipsConfig, Stage
from devos.data.mixing import MergeConfig
from devos.data.synthetic import crowded
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.recipe import DEVOS_T, Recipe, Start, videos_and_photos

MIX = videos_and_photos(0.65, MergeConfig(probability=0.15, look_alike=0.15))


def turns(*, model: ModelConfig = DEVOS_T, num_steps: int = 320, seed: int = 41, size: int = 320) -> TrainConfig:
    """The phase's settings."""
    stages = (Stage(until=1.0, length=6, max_objects=7, max_gap=5, mix=MIX),)
    synthetic = replace(crowded(), crowd=0.3, mates=0.2, parts=0.35, unfold=0.4, far=0.0)
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size, batch_size=3, synthetic=synthetic)
    return TrainConfig(clips=clips, model=model, learning_rate=2e-4, warmup_steps=30, weight_decay=0.05,
                       ema_decay=0.99)  # fmt: skip


RECIPE = Recipe(name="turns", phases=(("turns", turns),), start=Start.GIVEN, before="parts")
