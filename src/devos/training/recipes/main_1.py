"""`main-1`: the first phase of the paper's main training, in which each frame gets the true mask of the one before
(supplement 1.2). `main-1-mose`: the same with MOSE (supplement 1.2 and 2.1).

    torchrun --nproc-per-node 4 -m devos train main-1 --model devos-b --precision fp16 -o runs/b-main-1 \\
        --init runs/b-pretrain/devos-b.safetensors \\
        --source davis=davis2017:/data/DAVIS --source youtube-vos=youtube-vos:/data/YouTubeVOS

With MOSE: `main-1-mose`, and --source mose=mose:/data/MOSE.
Data: DAVIS 2017 train and YouTube-VOS train, 5 : 1, merged with probability 0.4; with MOSE 5 : k : 1 - k, k from 0.75
to 0.15, importance sampling with T = 1.
Hardware: four RTX 3090 for devos-b, four A100 for devos-l (supplement 1.2).
Time: some 12 h (b) and 16 h (l) there: our estimate, the paper's 60 h and 80 h for all three phases, by their steps.
Result: the paper gives none after this phase; weights to start `main-2` from. We have not run it in full.
Ours: see `paper`. Without --init it starts from ImageNet's backbone, which is not what the paper does.
"""

from __future__ import annotations

from devos.data.mixing import Mix, davis_youtube, davis_youtube_mose
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.paper import SIZE, paper_clips, paper_training
from devos.training.recipes.recipe import DEVOS_T, Recipe

MAX_OBJECTS = 5
MIX = davis_youtube()


def main_1(
    *, model: ModelConfig = DEVOS_T, num_steps: int = 50_000, seed: int = 1, size: int = SIZE,
    mix: Mix = MIX,
) -> TrainConfig:  # fmt: skip
    """The phase's settings."""
    clips = paper_clips(mix, MAX_OBJECTS, num_steps, seed, size)
    return paper_training(clips, model, learning_rate=2e-4, weight_decay=0.05, given_share=1.0)


def main_1_mose(
    *, model: ModelConfig = DEVOS_T, num_steps: int = 50_000, seed: int = 1, size: int = SIZE
) -> TrainConfig:
    """The same with MOSE."""
    return main_1(model=model, num_steps=num_steps, seed=seed, size=size, mix=davis_youtube_mose())


RECIPE = Recipe(name="main-1", phases=(("main-1", main_1),))
RECIPE_MOSE = Recipe(name="main-1-mose", phases=(("main-1-mose", main_1_mose),))
