"""Train the head that answers clicks, on one CPU thread; killed, the same command goes on from its checkpoint.

    python tools/train_clicks.py --data DATA -o runs/clicks
    python tools/train_clicks.py --data DATA -o runs/more --init auto --rate 3e-4 --seed 1    # on from the shipped head

`runs/clicks/clicks.safetensors` is what `devos mark --click-model` takes, and what lies in `src/devos/weights`. DATA:
photos with masks in `static`, videos in DAVIS's layout in `video-train` and, if there are any, `video-sbi`. The
backbone is that of devos-t and stays as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from devos.data.click_samples import click_data
from devos.engine.click_models import shipped_head
from devos.engine.segmenter import find_weights
from devos.model.checkpoint import load_weights
from devos.model.click_weights import load_head
from devos.training.clicks import ClickTraining, train_clicks
from devos.training.run import keep_freed_memory


def main() -> None:
    """Read the options, train, write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", "-o", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=ClickTraining.num_steps)
    parser.add_argument("--rate", type=float, default=ClickTraining.learning_rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=ClickTraining.seed)
    parser.add_argument("--init", help="a head to start from, in place of a random one; auto: the shipped one")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    net, _ = load_weights(find_weights("devos-t")[0])
    backbone = net.image_encoder.backbone.to(memory_format=torch.channels_last)
    config = ClickTraining(num_steps=options.steps, learning_rate=options.rate, seed=options.seed)
    start = None
    if options.init:
        start, _ = load_head(shipped_head() if options.init == "auto" else Path(options.init), backbone)
    train_clicks(config, backbone, click_data(options.data, held_out=False), options.out, start=start)


if __name__ == "__main__":
    main()
