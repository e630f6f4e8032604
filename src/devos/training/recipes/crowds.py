"""`crowds`: the fourth part of `laptop`, made-up crowds of look-alikes that pass before each other, and merged videos.

    devos train crowds --data DATA --init runs/many/devos-t.safetensors -o runs/crowds

Data: videos and photos as `laptop` takes them. Hardware: one CPU thread. Time: about 85 minutes.
Result: half-way between what it starts from and what was trained, which is better than either on single objects; what
was trained is better at several objects and worse at single ones (docs/model_card.md has the scores of each).
"""

from __future__ import annotations

from dataclasses import replace

from devos.data.batching import ClipsConfig, Stage
from devos.data.mixing import MergeConfig
from devos.data.synthetic import crowded
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.recipe import DEVOS_T, Recipe, Start, videos_and_photos

MIX = videos_and_photos(0.55, MergeConfig(probability=0.4))


def crowds(*, model: ModelConfig = DEVOS_T, num_steps: int = 1080, seed: int = 22, size: int = 320) -> TrainConfig:
    """The phase's settings."""
    stages = (Stage(until=1.0, length=6, max_objects=7, max_gap=4, mix=MIX),)
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size, batch_size=3,
                        synthetic=replace(crowded(), parts=0.0, unfold=0.0, far=0.0))  # fmt: skip
    return TrainConfig(clips=clips, model=model, learning_rate=4e-4, warmup_steps=30, weight_decay=0.05,
                       ema_decay=0.997, kept_share=0.5)  # fmt: skip


RECIPE = Recipe(name="crowds", phases=(("crowds", crowds),), start=Start.GIVEN, before="many-objects")
