"""`parts`: the fifth part of `laptop`, crowds whose members carry things and have parts that are objects of their own,
and videos into which their own objects are pasted once more.

    devos train parts --data DATA --init runs/crowds/devos-t.safetensors -o runs/parts

Data: videos and photos as `laptop` takes them. Hardware: one CPU thread. Time: about 85 minutes.
Result: better at several objects and worse at single ones; `turns` comes after it (docs/model_card.md has the scores).
"""

from __future__ import annotations

from dataclasses import replace

from devos.data.batching import ClipsConfig, Stage
from devos.data.mixing import MergeConfig
from devos.data.synthetic import crowded
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.recipe import DEVOS_T, Recipe, Start, videos_and_photos

MIX = videos_and_photos(0.55, MergeConfig(probability=0.3, look_alike=0.3))


def parts(*, model: ModelConfig = DEVOS_T, num_steps: int = 1200, seed: int = 31, size: int = 320) -> TrainConfig:
    """The phase's settings."""
    stages = (Stage(until=1.0, length=6, max_objects=7, max_gap=4, mix=MIX),)
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size, batch_size=3,
                        synthetic=replace(crowded(), parts=0.5, unfold=0.0, far=0.0))  # fmt: skip
    return TrainConfig(clips=clips, model=model, learning_rate=3e-4, warmup_steps=30, weight_decay=0.05,
                       ema_decay=0.997)  # fmt: skip


RECIPE = Recipe(name="parts", phases=(("parts", parts),), start=Start.GIVEN, before="crowds")
