"""`pretrain`: the paper's pre-training, on clips made from photos (supplement 1.2).

    torchrun --nproc-per-node 4 -m devos train pretrain --model devos-b --precision fp16 -o runs/b-pretrain \\
        --source static=duts:/data/DUTS --source static=ecssd:/data/ECSSD --source static=coco:/data/coco

Data: one or several sets of photos with masks under the name `static` (docs/datasets.md lists their layouts).
Hardware: four RTX 3090 for devos-b, four A100 for devos-l (supplement 1.2).
Time: some 24 h (b) and 32 h (l) there: our estimate, the paper's 60 h and 80 h for all three phases, by their steps.
Result: the paper gives none after pre-training; weights to start `main-1` from. We have not run it in full.
Ours: up to 3 objects in a clip, the true mask handed on, as in AOT's pre-training; and see `paper`.
"""

from __future__ import annotations

from devos.data.mixing import photos_only
from devos.model.config import ModelConfig
from devos.training.config import TrainConfig
from devos.training.recipes.paper import SIZE, paper_clips, paper_training
from devos.training.recipes.recipe import DEVOS_T, Recipe

MAX_OBJECTS = 3


def pretrain(*, model: ModelConfig = DEVOS_T, num_steps: int = 100_000, seed: int = 0, size: int = SIZE) -> TrainConfig:
    """The phase's settings."""
    clips = paper_clips(photos_only(), MAX_OBJECTS, num_steps, seed, size)
    return paper_training(clips, model, learning_rate=4e-4, weight_decay=0.03, given_share=1.0)


RECIPE = Recipe(name="pretrain", phases=(("pretrain", pretrain),))
