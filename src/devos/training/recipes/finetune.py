"""`finetune`: make devos-t better at your own clips, from masks on some of their frames.

    devos train finetune --videos MYCLIPS -o runs/mine
    devos segment clip.mp4 -m first.png -o out --model runs/mine/devos-t.safetensors

Data: a folder in DAVIS's layout, one clip or a few, with masks on at least two frames of each (docs/training.md).
Frames without masks are not trained on. With --photos, a quarter of the clips is made of photos, against forgetting.
Hardware: one CPU thread. Time: 3 to 5 minutes.
Result: on frames kept back of two clips, J&F rose from 71.7 to 75.7 at the default --size 384, and from 61.3 to 67.1 at
256. Try it on yours: docs/training.md has the figures and how.
"""

from __future__ import annotations

from devos.data.batching import ClipsConfig, Stage
from devos.data.mixing import ByLength, Mix, Part
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.recipe import DEVOS_T, Recipe, Start

MIX = Mix(parts=(
    Part(source="videos", share=0.75, odds=ByLength()),
    Part(source="photos", share=0.25, required=False),
))  # fmt: skip


def finetune(*, model: ModelConfig = DEVOS_T, num_steps: int = 100, seed: int = 0, size: int = 256) -> TrainConfig:
    """The settings: few steps at half of the usual rate, the backbone frozen, the network's own masks handed on. What
    comes out lies half-way between devos-t and what was trained, against forgetting.
    """
    stage = Stage(until=1.0, length=5, max_objects=5, max_gap=3, mix=MIX)
    clips = ClipsConfig(stages=(stage,), num_batches=num_steps, seed=seed, size=size, batch_size=2)
    return TrainConfig(clips=clips, model=model, learning_rate=4e-4, final_learning_rate=2e-5, warmup_steps=10,
                       weight_decay=0.05, ema_decay=0.98, kept_share=0.5, snapshot_every=max(1, num_steps),
                       log_every=10)  # fmt: skip


RECIPE = Recipe(name="finetune", phases=(("finetune", finetune),), start=Start.SHIPPED, judged=4)
