"""What a training step of each network takes: seconds, peak memory and multiply-adds, at the paper's clips.

    python benchmarks/step_cost.py --json step_cost.json                     # devos-t, -b and -l, one clip, this CPU
    python benchmarks/step_cost.py --device cuda --precision fp16 --batch 4  # what each of four GPUs has of 16 clips

A step is that of `main-1` (everything learns, the true mask handed on), on noise with one moving square, weights
random; each network has a process of its own. On a CPU seconds are CPU seconds of one thread, the least of `--steps`
steps, and memory is the process's peak. On a GPU seconds are what the clock says, and memory is what torch had taken at
most. Multiply-adds are those of the forward pass, counted by torch, times 3 for the backward pass: convolutions and
matrix products; sampling and everything by element is not in them.

From those, for cards that are not here: multiply-adds of the batch of 16 x 2, by four cards' rate for half-precision
products as their makers state it, by the share of it that is used: an estimate, and marked so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

CARDS = {"RTX 3090": 71e12, "A100": 312e12}
"""Operations a second of half-precision matrix products that are summed in float32, dense (NVIDIA's papers on GA102 and
on the A100)."""
PAPERS_SECONDS = {"devos-b": ("RTX 3090", 60 * 3600 / 250_000), "devos-l": ("A100", 80 * 3600 / 250_000)}
"""On four of which card the paper trained, and its hours by its steps."""
BATCH, NUM_CARDS = 16, 4


def make_batch(clips: int, length: int, size: int) -> Any:
    """Noise, with a square that moves by 4 pixels a frame."""
    import torch

    from devos.data.batching import Batch

    torch.manual_seed(0)
    slots = torch.zeros(clips, length, size, size, dtype=torch.long)
    for t in range(length):
        slots[:, t, size // 4 : size // 2, size // 4 + 4 * t : size // 2 + 4 * t] = 3
    used = torch.zeros(clips, 11, dtype=torch.bool)
    used[:, [0, 3]] = True
    flow = [torch.zeros(clips, length - 1, 2, size // 2, size // 2) for _ in range(2)]
    return Batch(torch.rand(clips, length, 3, size, size), slots, used, *flow)


def run_once(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """In a process of its own: a forward pass, whose work is counted, then steps that are timed."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from devos.model.config import PRESETS
    from devos.model.devos import DeVOS
    from devos.pipeline.machine import use_threads
    from devos.training.compute import Compute
    from devos.training.recipes.main_1 import main_1
    from devos.training.recipes.paper import LENGTH
    from devos.training.run import keep_freed_memory
    from devos.training.trainer import Trainer
    from devos.training.unroll import unroll

    use_threads(1)
    keep_freed_memory()
    config = main_1(model=PRESETS[name](), size=options.size)
    config = replace(config, clips=replace(config.clips, batch_size=options.batch))
    model = DeVOS(config.model).train()
    trainer = Trainer(config, model, options.device, compute=Compute(precision=options.precision))
    batch = make_batch(options.batch, LENGTH, options.size).to(options.device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unroll(model, batch, config, 0)
    on_gpu = trainer.device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    seconds = []
    for _ in range(options.steps):
        begun = clock()
        trainer.run_step(batch)  # its figures are read, so that a GPU is waited for
        seconds.append(clock() - begun)
    return {
        "model": name,
        "seconds": round(min(seconds), 3),
        "peak_mib": round(torch.cuda.max_memory_allocated() / 2**20 if on_gpu else _peak_of_process()),
        "multiply_adds_a_clip": 3 * counter.get_total_flops() // 2 // options.batch,
        "parameters": sum(weight.numel() for weight in model.parameters()),
    }


def _peak_of_process() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def estimate(result: dict[str, Any], use: float) -> dict[str, Any]:
    """Seconds of a step of 16 clips on four cards, if that share of their rate is used; and the paper's."""
    operations = 2 * result["multiply_adds_a_clip"] * BATCH
    seconds = {card: round(operations / (NUM_CARDS * rate * use), 3) for card, rate in CARDS.items()}
    told: dict[str, Any] = {"estimated_seconds": seconds}
    if result["model"] in PAPERS_SECONDS:
        card, papers = PAPERS_SECONDS[result["model"]]
        told |= {"papers_card": card, "papers_seconds": round(papers, 2),
                 "share_used_by_the_paper": round(operations / (NUM_CARDS * CARDS[card] * papers), 3)}  # fmt: skip
    return told


def main() -> None:
    """Parse, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["devos-t", "devos-b", "devos-l"])
    parser.add_argument("--size", type=int, default=448, help="side of the clips, in pixels")
    parser.add_argument("--batch", type=int, default=1, help="clips of a step")
    parser.add_argument("--steps", type=int, default=2, help="steps that are timed")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", help="float32, bf16 or fp16")
    parser.add_argument("--use", type=float, default=0.1, help="share of a card's rate, for the estimates")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_once(options, options.child)))
        return
    results = []
    for name in options.models:
        command = [sys.executable, __file__, *sys.argv[1:], "--child", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        result = json.loads(done.stdout.splitlines()[-1])
        results.append(result | estimate(result, options.use))
        print(f"{name}: {result['seconds']:.2f} s and {result['peak_mib'] / 1024:.1f} GiB for {options.batch} clips; "
              f"{result['multiply_adds_a_clip'] / 1e9:,.0f} G multiply-adds a clip", flush=True)  # fmt: skip
        print(f"  estimated, {BATCH} clips on four cards at {options.use:.0%}: {results[-1]['estimated_seconds']}")
    if options.json is not None:
        from torch import device

        from devos.pipeline.machine import describe

        content = {"machine": describe(device(options.device), 1), "size": options.size, "batch": options.batch,
                   "precision": options.precision, "use": options.use, "models": results}  # fmt: skip
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
