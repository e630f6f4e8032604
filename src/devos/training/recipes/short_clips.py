"""`short-clips`: the first part of `laptop`, short clips with the backbone frozen.

    devos train short-clips --data DATA -o runs/short

Data: videos and photos as `laptop` takes them. Hardware: one CPU thread.
Time: about an hour: our estimate, by the 27 minutes that 800 steps of it took on a shared CPU (docs/model_card.md).
Result: weights to start `long-clips` from; devos-t came from such a run, stopped after 800 steps.
"""

from __future__ import annotations

from devos.data.batching import ClipsConfig, Stage
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.recipe import DEVOS_T, Recipe


def short_clips(*, model: ModelConfig = DEVOS_T, num_steps: int = 1500, seed: int = 0, size: int = 256) -> TrainConfig:
    """The phase's settings."""
    stages = (
        Stage(until=0.4, length=3, max_objects=2, max_gap=2, video_share=0.5),
        Stage(until=1.0, length=4, max_objects=3, max_gap=3, video_share=0.65),
    )
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size)
    return TrainConfig(clips=clips, model=model, learning_rate=8e-4, final_learning_rate=1e-4)


RECIPE = Recipe(name="short-clips", phases=(("short-clips", short_clips),))
