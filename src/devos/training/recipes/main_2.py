"""`main-2`: the second phase of the paper's main training, in which the network's own masks are handed on from frame to
frame, and the mask and flow encoders do not learn (supplement 1.2). `main-2-mose`: the same with MOSE.

    torchrun --nproc-per-node 4 -m devos train main-2 --model devos-b --precision fp16 -o runs/b-main-2 \\
        --init runs/b-main-1/devos-b.safetensors \\
        --source davis=davis2017:/data/DAVIS --source youtube-vos=youtube-vos:/data/YouTubeVOS

With MOSE: `main-2-mose`, weights of `main-1-mose`, and --source mose=mose:/data/MOSE.
Data: as for `main-1`.
Hardware: four RTX 3090 for devos-b, four A100 for devos-l (supplement 1.2).
Time: some 24 h (b) and 32 h (l) there: our estimate, the paper's 60 h and 80 h for all three phases, by their steps.
Result: the paper's own: J&F 86.1 on DAVIS 2017 val and 85.2 on YouTube-VOS 2019; with MOSE 86.4 and 85.4 (supplement,
table 1, which does not name the size); on MOSE val 58.3 for devos-b, 62.7 for devos-l (table 2). We have not run it.
Ours: frozen are all weights of `IdentityEncoder`, which also joins mask and image to values, and of `FlowEncoder`;
their embeddings' projections inside ADVA learn on. The optical flow itself never learns. And see `paper`.
"""

from __future__ import annotations

from devos.data.mixing import Mix, davis_youtube_mose
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.main_1 import MAX_OBJECTS, MIX
from devos.training.recipes.paper import SIZE, paper_clips, paper_training
from devos.training.recipes.recipe import DEVOS_T, Recipe, Start

FROZEN = ("identity_encoder", "flow_encoder")
"""The supplement's "mask and flow encoders"."""


def main_2(
    *, model: ModelConfig = DEVOS_T, num_steps: int = 100_000, seed: int = 2, size: int = SIZE,
    mix: Mix = MIX,
) -> TrainConfig:  # fmt: skip
    """The phase's settings."""
    clips = paper_clips(mix, MAX_OBJECTS, num_steps, seed, size)
    return paper_training(clips, model, learning_rate=2e-4, weight_decay=0.05, given_share=0.0, frozen=FROZEN)


def main_2_mose(
    *, model: ModelConfig = DEVOS_T, num_steps: int = 100_000, seed: int = 2, size: int = SIZE
) -> TrainConfig:
    """The same with MOSE."""
    return main_2(model=model, num_steps=num_steps, seed=seed, size=size, mix=davis_youtube_mose())


RECIPE = Recipe(name="main-2", phases=(("main-2", main_2),), start=Start.GIVEN, before="main-1")
RECIPE_MOSE = Recipe(name="main-2-mose", phases=(("main-2-mose", main_2_mose),), start=Start.GIVEN,
                     before="main-1-mose")  # fmt: skip
