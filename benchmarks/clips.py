"""Clips a second that one CPU core makes for training, and where the time goes.

    python benchmarks/clips.py --data DATA                                   # DATA/video-train and DATA/static
    python benchmarks/clips.py --source davis=davis2017:/data/DAVIS --size 448 --length 5 --json clips.json

Every source is measured by itself: videos as they are and with another video merged in, photos with the exact flow and
with the estimated one. Reading the data set's index is not counted. Files come from the system's cache if they fit, so
decoding is told, the disk is not.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import devos.data.batching as batching
import devos.data.footage as footage
from devos.data.batching import Batches, ClipsConfig, Stage
from devos.data.coco import CocoPhoto
from devos.data.fact_cache import default_cache
from devos.data.index import TrainingVideo
from devos.data.mixing import MergeConfig, Mix, Part
from devos.data.photos import PhotoInfo
from devos.data.sampler import Curriculum
from devos.data.sources import Photos, Sources, open_source, parse_place
from devos.data.synthetic import SyntheticConfig
from devos.pipeline.machine import describe, use_threads

STEPS: tuple[tuple[Any, str, str], ...] = (
    (batching, "pick_frames", "pick"),
    (TrainingVideo, "labels", "read masks"),
    (TrainingVideo, "picture", "read pictures"),
    (PhotoInfo, "read", "read photos"),
    (CocoPhoto, "read", "read photos"),
    (footage, "warp_labels", "warp"),
    (footage, "warp_picture", "warp"),
    (batching, "make_clip", "synthesise"),
    (batching, "merge", "merge"),
    (batching, "jitter_light", "light"),
    (batching, "degrade", "light"),
    (batching, "estimate_flow", "flow"),
    (batching, "collate", "collate"),
)
"""What is timed, and which part it belongs to. None of them calls another."""


class Stopwatch:
    """Seconds in each part, from when it was made on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {part: 0.0 for _, _, part in STEPS}
        for home, name, part in STEPS:
            setattr(home, name, self._timed(getattr(home, name), part))

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            begun = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[part] += time.process_time() - begun

        return timed


def cases(sources: Sources) -> dict[str, tuple[Mix, SyntheticConfig]]:
    """What is measured, by its title."""
    found = {}
    for name, source in sources.items():
        if isinstance(source, Photos):
            mix = Mix(parts=(Part(source=name, share=1.0),))
            found[f"{name}, exact flow"] = mix, SyntheticConfig(flow_exact=1.0)
            found[f"{name}, estimated flow"] = mix, SyntheticConfig(flow_exact=0.0)
        else:
            for title, probability in ((name, 0.0), (f"{name}, merged", 1.0)):
                part = Part(source=name, share=1.0, merge=MergeConfig(probability=probability))
                found[title] = Mix(parts=(part,)), SyntheticConfig()
    return found


def measure(sources: Sources, arguments: argparse.Namespace, watch: Stopwatch) -> dict[str, Any]:
    """Clips a CPU second, and milliseconds of a clip by part, of each case."""
    results = {}
    for title, (mix, synthetic) in cases(sources).items():
        stage = Stage(until=1.0, length=arguments.length, max_objects=3, max_gap=Curriculum(), mix=mix)
        config = ClipsConfig(stages=(stage,), size=arguments.size, batch_size=1, num_batches=arguments.clips + 2,
                             synthetic=synthetic)  # fmt: skip
        batches = Batches(config, sources)
        batches[0], batches[1]  # what is loaded on the first use is not counted
        before, begun = dict(watch.seconds), time.process_time()
        for index in range(2, arguments.clips + 2):
            batches[index]
        total = (time.process_time() - begun) / arguments.clips
        parts = {part: (watch.seconds[part] - before[part]) / arguments.clips for part in watch.seconds}
        parts["rest"] = total - sum(parts.values())
        results[title] = {
            "clips_per_cpu_second": round(1 / total, 2),
            "ms_per_clip": {part: round(1000 * value, 2) for part, value in parts.items() if value > 5e-5},
        }
    return results


def print_table(results: dict[str, Any]) -> None:
    """For people."""
    parts = list(dict.fromkeys(part for result in results.values() for part in result["ms_per_clip"]))
    width = max(len(part) for part in parts)
    for title, result in results.items():
        print(f"{title}: {result['clips_per_cpu_second']:.2f} clips a second of one core")
        total = sum(result["ms_per_clip"].values())
        for part in parts:
            value = result["ms_per_clip"].get(part)
            if value is not None:
                print(f"  {part:>{width}} {value:9.2f} ms {value / total:6.0%}")


def main() -> None:
    """Parse, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with video-train (like DAVIS) and static (our own sets)")
    parser.add_argument("--source", action="append", default=[], help="NAME=LAYOUT:ROOT; may be given several times")
    parser.add_argument("--size", type=int, default=256, help="side of the clips, in pixels")
    parser.add_argument("--length", type=int, default=5, help="frames of a clip")
    parser.add_argument("--clips", type=int, default=40, help="clips that are made of each kind")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    given = list(arguments.source)
    if arguments.data is not None:
        given += [f"videos=davis-like:{arguments.data}/video-train", f"photos=own:{arguments.data}/static"]
    if not given:
        parser.error("give --data or --source")
    use_threads(1)
    places = dict(parse_place(text) for text in given)
    opened = {name: open_source(name, [place], cache=default_cache()) for name, place in places.items()}
    for _, findings in opened.values():
        print("\n".join(line for one in findings for line in one.lines()))
    results = measure({name: source for name, (source, _) in opened.items()}, arguments, Stopwatch())
    print_table(results)
    if arguments.json is not None:
        import torch

        content = {"machine": describe(torch.device("cpu"), 1), "size": arguments.size, "length": arguments.length,
                   "clips": arguments.clips, "kinds": results}  # fmt: skip
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
