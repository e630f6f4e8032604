"""`debug`: the paper's three phases, tiny: does everything run on this machine and these data, and does the loss fall?

    devos train debug --data DATA -o runs/debug

Data: DATA/video-train and DATA/static as for `laptop`; where one is absent, the other does for it.
Hardware: two CPU cores, one of them for the clips. Time: about two minutes there.
Result: for each phase, its loss on the same clips before and after. The weights are good for nothing.
"""

from __future__ import annotations

from dataclasses import replace

from devos.data.batching import Stage
from devos.data.mixing import Mix, videos_and_photos
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.main_1 import main_1
from devos.training.recipes.main_2 import main_2
from devos.training.recipes.pretrain import pretrain
from devos.training.recipes.recipe import DEVOS_T, Make, Recipe

NUM_STEPS = 40


def debug_pretrain(
    *, model: ModelConfig = DEVOS_T, num_steps: int = NUM_STEPS, seed: int = 0, size: int = 96
) -> TrainConfig:
    """`pretrain`, mostly on clips made from photos."""
    return _tiny(pretrain, videos_and_photos(0.1), model, num_steps, seed, size)


def debug_main_1(
    *, model: ModelConfig = DEVOS_T, num_steps: int = NUM_STEPS, seed: int = 1, size: int = 96
) -> TrainConfig:
    """`main-1`, mostly on videos."""
    return _tiny(main_1, videos_and_photos(0.9), model, num_steps, seed, size)


def debug_main_2(
    *, model: ModelConfig = DEVOS_T, num_steps: int = NUM_STEPS, seed: int = 2, size: int = 96
) -> TrainConfig:
    """`main-2`, mostly on videos."""
    return _tiny(main_2, videos_and_photos(0.9), model, num_steps, seed, size)


def _tiny(make: Make, mix: Mix, model: ModelConfig, num_steps: int, seed: int, size: int) -> TrainConfig:
    """A phase of the paper with small clips, few at a time, at our own mix."""
    config = make(model=model, num_steps=num_steps, seed=seed, size=size)
    stage = Stage(until=1.0, length=3, max_objects=2, max_gap=3, mix=mix)
    clips = replace(config.clips, stages=(stage,), batch_size=4)
    tenth = max(1, num_steps // 10)
    return replace(config, clips=clips, ema_decay=0.9, checkpoint_every=20, log_every=tenth, pictures_every=20)


RECIPE = Recipe(
    name="debug", phases=(("pretrain", debug_pretrain), ("main-1", debug_main_1), ("main-2", debug_main_2)), judged=8
)
