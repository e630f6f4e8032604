"""`lures`: a last part, after `turns`: look-alikes that nobody follows, hard cuts, one frame more in each clip.

    devos train lures --data DATA --init runs/turns/devos-t.safetensors -o runs/lures

Data: videos and photos as `laptop` takes them; `--source instances=davis-like:ROOT`, videos with several things of a
kind, each with an id of its own, may be added (tools/find_instances.py makes such ids from masks of all that moves).
Hardware: one CPU thread. Time: about 45 minutes.
Result: docs/model_card.md has its scores.
"""

from __future__ import annotations

from dataclasses import replace

from devos.data.batching import ClipsConfig, Stage
from devos.data.mixing import ByLength, MergeConfig, Mix, Part
from devos.data.synthetic import crowded
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.recipe import DEVOS_T, Recipe, Start

MIX = Mix(parts=(
    Part(source="videos", share=0.64, odds=ByLength(), required=False,
         merge=MergeConfig(probability=0.1, look_alike=0.1, lure=0.3, cut=0.08)),
    Part(source="instances", share=0.02, odds=ByLength(), merge=MergeConfig(cut=0.1), required=False),
    Part(source="photos", share=0.34, required=False),
))  # fmt: skip


def lures(*, model: ModelConfig = DEVOS_T, num_steps: int = 520, seed: int = 61, size: int = 320) -> TrainConfig:
    """The phase's settings."""
    stages = (Stage(until=1.0, length=7, max_objects=7, max_gap=5, mix=MIX),)
    synthetic = replace(crowded(), crowd=0.35, mates=0.2, parts=0.35, unfold=0.4, far=0.0, look_alike=0.4, leave=0.12)
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size, batch_size=3, synthetic=synthetic)
    return TrainConfig(clips=clips, model=model, learning_rate=1.2e-4, final_learning_rate=5e-6, warmup_steps=20,
                       weight_decay=0.05, ema_decay=0.99, snapshot_every=80)  # fmt: skip


RECIPE = Recipe(name="lures", phases=(("lures", lures),), start=Start.GIVEN, before="turns")
