"""What `devos ablate` trains: devos-t, whole or with parts of its matching taken away, from ImageNet's backbone.

    devos ablate all --data DATA --root TEST -o runs/ablations
    devos ablate crowds --data DATA --root TEST -o runs/crowds

Data: as `laptop`. Hardware: one CPU thread, some minutes a run. Result: docs/ablations.md.
"""

from __future__ import annotations

from dataclasses import replace

from devos.data.batching import ClipsConfig, Stage
from devos.data.mixing import Mix, videos_and_photos
from devos.model.config import Matching, devos_t
from devos.training.config import TrainConfig

MIX = videos_and_photos(0.6)


def ablation(
    matching: Matching, num_steps: int = 300, seed: int = 0, size: int = 160, *, mix: Mix = MIX, max_objects: int = 2
) -> TrainConfig:
    """The settings of one run; all variants have the same but for their matching, or for where clips come from."""
    stages = (Stage(until=1.0, length=3, max_objects=max_objects, max_gap=3, mix=mix),)
    clips = ClipsConfig(stages=stages, num_batches=num_steps, seed=seed, size=size)
    model = replace(devos_t(), matching=matching)
    return TrainConfig(clips=clips, model=model, learning_rate=8e-4, final_learning_rate=2e-5, warmup_steps=20,
                       ema_decay=0.98, snapshot_every=num_steps)  # fmt: skip
