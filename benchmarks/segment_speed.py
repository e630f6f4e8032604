"""Frames a second of `devos segment`, and where the time goes.

    python benchmarks/segment_speed.py                                    # the demo clip, 854x480, two threads
    python benchmarks/segment_speed.py --video CLIP --masks FIRST.png --threads 4 --json speed.json

The whole job runs, writing to a temporary folder, several times; the medians over the runs are told. Loading the
weights is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import devos
from devos.pipeline.demo import demo_clip
from devos.pipeline.machine import describe, use_threads
from devos.pipeline.segment import RunSummary

NETWORK_PARTS = {
    "image_encoder": "encoder",
    "flow_encoder": "matching",
    "adva": "matching",
    "long_term": "matching",
    "identity_encoder": "matching",
    "decoder": "decoder",
}
"""Which part each child of the network belongs to; `matching` is all from the features to the reads, both ways."""
JOB_PARTS = {
    "decode": "decode",
    "flow": "flow",
    "masks": "masks",
    "write_masks": "writing",
    "write_overlay": "writing",
}
"""Which part each of the run's own timings belongs to."""
ORDER = ("decode", "flow", "encoder", "matching", "decoder", "masks", "writing", "rest")


class Stopwatch:
    """Seconds inside some of a network's modules, by part."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._begun = 0.0
        for child, part in NETWORK_PARTS.items():
            found = model.get_submodule(child)
            for module in found.children() if isinstance(found, nn.ModuleDict) else [found]:
                module.register_forward_pre_hook(lambda *_: self._start())
                module.register_forward_hook(lambda *_, part=part: self._stop(part))

    def _start(self) -> None:
        self._wait()
        self._begun = time.perf_counter()

    def _stop(self, part: str) -> None:
        self._wait()
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - self._begun

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def run_once(
    video: Path, masks: Path, segmenter: devos.Segmenter, watch: Stopwatch
) -> tuple[RunSummary, dict[str, float]]:
    """The whole job; its summary, and the milliseconds of a frame by part."""
    watch.seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        summary = devos.segment(video, masks, Path(folder) / "out", model=segmenter)
    seconds = dict(watch.seconds)
    for timing, part in JOB_PARTS.items():
        seconds[part] = seconds.get(part, 0.0) + summary.timings.get(timing, 0.0)
    following = summary.num_frames / summary.fps
    seconds["rest"] = max(0.0, following - sum(seconds.values()))
    return summary, {part: 1000 * seconds.get(part, 0.0) / summary.num_frames for part in ORDER}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything, as plain values."""
    clip, mask = demo_clip()
    video, masks = arguments.video or clip, arguments.masks or mask
    use_threads(arguments.threads)
    segmenter = devos.load(arguments.model, device=arguments.device, size=arguments.size)
    result = {"machine": describe(segmenter.device, arguments.threads)}
    watch = Stopwatch(segmenter.model, segmenter.device)
    runs = [run_once(video, masks, segmenter, watch) for _ in range(arguments.repeats)]
    summary = runs[0][0]
    with devos.open_video(video) as reader:
        frame = str(reader.size)
    return {
        **result,
        "video": video.name,
        "frame": frame,
        "size": segmenter.settings.size,
        "num_frames": summary.num_frames,
        "num_objects": len(summary.object_ids),
        "model": segmenter.model.config.name,
        "weights": segmenter.weights.sha256[:12] if segmenter.weights else None,
        "device": str(segmenter.device),
        "repeats": arguments.repeats,
        "fps": statistics.median(run.fps for run, _ in runs),
        "fps_of_each": [run.fps for run, _ in runs],
        "ms_per_frame": {part: round(statistics.median(parts[part] for _, parts in runs), 2) for part in ORDER},
    }


def print_table(result: dict[str, Any]) -> None:
    """For people."""
    machine = result["machine"]
    print(f"{result['model']} on {result['video']}: {result['num_frames']} frames of {result['frame']}, "
          f"{result['num_objects']} object(s), short side {result['size']}")  # fmt: skip
    print(f"{machine['gpu'] or machine['cpu']}, {machine['threads']} CPU threads, "
          f"torch {machine['versions']['torch']}, devos {machine['versions']['devos']}")  # fmt: skip
    total = sum(result["ms_per_frame"].values())
    for part, milliseconds in result["ms_per_frame"].items():
        print(f"{part:>10} {milliseconds:9.1f} ms {milliseconds / total:6.0%}")
    print(f"{'total':>10} {total:9.1f} ms")
    print(f"{result['fps']:.2f} frames a second (median of {result['repeats']} runs)")


def main() -> None:
    """Parse, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="a video file or a folder of frames; default: the demo clip")
    parser.add_argument("--masks", type=Path, help="its masks, as for devos segment")
    parser.add_argument("--model", default="devos-t", help="a name or a weights file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=384, help="short side at which the network works")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if (arguments.video is None) != (arguments.masks is None):
        parser.error("--video and --masks go together")
    result = measure(arguments)
    print_table(result)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
