"""`long-clips`: the second part of `laptop`, clips of six frames, mostly of videos.

    devos train long-clips --data DATA --init runs/short/devos-t.safetensors -o runs/long

Data: videos and photos as `laptop` takes them. Hardware: one CPU thread.
Time: 66 minutes on a shared CPU. Result: devos-t came from such a run (docs/model_card.md has its scores).
"""

from __future__ import annotations

from devos.data.batching import ClipsConfig, Stage
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.recipe import DEVOS_T, Recipe


def long_clips(*, model: ModelConfig = DEVOS_T, num_steps: int = 900, seed: int = 1, size: int = 288) -> TrainConfig:
    """The phase's settings."""
    stages = (Stage(until=1.0, length=6, max_objects=3, max_gap=3, video_share=0.75),)
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size, batch_size=3)
    return TrainConfig(clips=clips, model=model, learning_rate=5e-4, warmup_steps=30, weight_decay=0.05,
                       ema_decay=0.995)  # fmt: skip


RECIPE = Recipe(name="long-clips", phases=(("long-clips", long_clips),))
