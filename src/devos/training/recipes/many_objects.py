"""`many-objects`: the third part of `laptop`, clips with up to six objects: videos merged in pairs, photos in layers.

    devos train many-objects --data DATA --init runs/long/devos-t.safetensors -o runs/many

Data: videos and photos as `laptop` takes them. Hardware: one CPU thread.
Time: 35 minutes. Result: a step on the way to devos-t (docs/model_card.md has the scores of each).
"""

from __future__ import annotations

from devos.data.batching import ClipsConfig, Stage
from devos.data.mixing import MergeConfig
from devos.data.synthetic import SyntheticConfig
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.recipe import DEVOS_T, Recipe, Start, videos_and_photos

MIX = videos_and_photos(0.65, MergeConfig(probability=0.5))


def many_objects(*, model: ModelConfig = DEVOS_T, num_steps: int = 500, seed: int = 21, size: int = 320) -> TrainConfig:
    """The phase's settings."""
    stages = (Stage(until=1.0, length=6, max_objects=6, max_gap=3, mix=MIX),)
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size, batch_size=3,
                        synthetic=SyntheticConfig(max_objects=6, max_layers=6))  # fmt: skip
    return TrainConfig(clips=clips, model=model, learning_rate=4e-4, warmup_steps=30, weight_decay=0.05,
                       ema_decay=0.995)  # fmt: skip


RECIPE = Recipe(
    name="many-objects", phases=(("many-objects", many_objects),), start=Start.GIVEN, before="long-clips"
)  # fmt: skip
