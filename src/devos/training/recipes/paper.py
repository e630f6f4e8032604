"""What the recipes of the paper share. Where the supplement gives a number, its section is named; the rest is ours.

Ours, because the supplement does not say:
- clips of 448 x 448 pixels: the multiple of 32 next to the 465 of AOT, whose pre-training the supplement follows;
- up to 5 objects of a video are followed, as most of YouTube-VOS has at most; merging makes it up to 10;
- the largest gap grows linearly from 5 to 25 frames in each phase, and does not shrink again (STM);
- k of the mix with MOSE also falls anew in each phase, for each has a schedule of its own;
- weights are averaged over about the last tenth of a phase, as AOT does;
- gradients are clipped to a norm of 1, and every second frame of a clip enters the memory, as in our small runs;
- "encoders" at 0.1 of the rate: the pre-trained image encoder, for the flow and mask encoders start from nothing;
- with --steps, the warm-up is a tenth of the steps, but at most the supplement's 5,000.
"""

from __future__ import annotations

from devos.data.batching import ClipsConfig, Stage
from devos.data.mixing import Mix
from devos.data.sampler import Curriculum
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig

SIZE = 448
"""Side of the clips, in pixels."""
LENGTH = 5
"""Frames of a clip in all of training (supplement 1.2)."""
BATCH_SIZE = 16
"""Clips of a step, over all processes (supplement 1.2)."""
WARMUP_STEPS = 5_000
"""(Supplement 1.2)"""


def paper_clips(mix: Mix, max_objects: int, num_steps: int, seed: int, size: int) -> ClipsConfig:
    """Clips from a mix, as all phases of the paper take them."""
    stage = Stage(until=1.0, length=LENGTH, max_objects=max_objects, max_gap=Curriculum(), mix=mix)
    return ClipsConfig(stages=(stage,), num_batches=num_steps, batch_size=BATCH_SIZE, seed=seed, size=size)


def paper_training(
    clips: ClipsConfig, model: ModelConfig, *, learning_rate: float, weight_decay: float, given_share: float,
    frozen: tuple[str, ...] = (),
) -> TrainConfig:  # fmt: skip
    """What all phases of the paper have alike, with what they have not."""
    steps = clips.num_batches
    return TrainConfig(
        clips=clips, model=model, learning_rate=learning_rate, final_learning_rate=1e-5, decay_power=0.9,
        warmup_steps=min(WARMUP_STEPS, max(1, steps // 10)), weight_decay=weight_decay, encoder_rate=0.1,
        given_share=given_share, frozen=frozen, ema_decay=max(0.0, 1 - 10 / steps),
        checkpoint_every=500, snapshot_every=5_000, log_every=50, validate_every=5_000, pictures_every=1_000,
    )  # fmt: skip
