"""Peak memory of `devos segment` on a short clip and on a long one: it must not grow with the length.

    python benchmarks/memory.py                                # 100 and 2,000 frames of the demo clip, looped
    python benchmarks/memory.py --frames 100 500 --size 128    # quicker

The clip is repeated without decoding it, as a video file of the wanted length. Each length runs in a process of its
own, whose peak resident memory the system tells.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from devos.pipeline.demo import demo_clip


def loop_video(source: Path, target: Path, num_frames: int) -> None:
    """Write the first `num_frames` frames of a video that starts again whenever it ends; its packets are copied."""
    import av

    with av.open(str(source)) as first:
        stream = first.streams.video[0]
        packets = [packet for packet in first.demux(stream) if packet.dts is not None and packet.pts is not None]
        # Kept aside, because writing a packet changes its times.
        times = [(int(packet.dts), int(packet.pts)) for packet in packets]
        unit, duration = stream.time_base, int(packets[0].duration or 1)
        length = max(pts for _, pts in times) - min(pts for _, pts in times) + duration
        with av.open(str(target), "w") as container:
            copy = container.add_stream_from_template(stream)
            for index in range(num_frames):
                repeat, place = divmod(index, len(packets))
                packet, (dts, pts) = packets[place], times[place]
                packet.time_base, packet.duration = unit, duration
                packet.dts, packet.pts = dts + repeat * length, pts + repeat * length
                packet.stream = copy
                container.mux(packet)


def loop_folder(source: Path, target: Path, num_frames: int) -> None:
    """The same for a folder of frames, with links."""
    pictures = sorted(path for path in source.iterdir() if path.is_file())
    target.mkdir()
    for index in range(num_frames):
        picture = pictures[index % len(pictures)]
        (target / f"{index:06d}{picture.suffix}").symlink_to(picture.resolve())


def run_once(options: argparse.Namespace) -> dict[str, Any]:
    """In a process of its own: the job, then the peak of what the process held."""
    import resource

    import devos
    from devos.pipeline.machine import use_threads

    use_threads(options.threads)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        summary = devos.segment(
            options.video, options.masks, Path(folder) / "out", model=options.model, device=options.device,
            size=options.size,
        )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mebibytes = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {
        "num_frames": summary.num_frames,
        "num_objects": len(summary.object_ids),
        "peak_mib": round(mebibytes, 1),
        "seconds": round(time.perf_counter() - begun, 1),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Both lengths, one after the other."""
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for num_frames in options.frames:
            looped = Path(folder) / f"{num_frames}{options.video.suffix}"
            loop = loop_folder if options.video.is_dir() else loop_video
            loop(options.video, looped, num_frames)
            command = [
                sys.executable, __file__, "--child", "--video", str(looped), "--masks", str(options.masks),
                "--model", options.model, "--device", options.device, "--size", str(options.size),
                "--threads", str(options.threads),
            ]  # fmt: skip
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{runs[-1]['num_frames']:>6} frames {runs[-1]['peak_mib']:>9.1f} MiB {runs[-1]['seconds']:>8.1f} s",
                  flush=True)  # fmt: skip
    ratio = runs[-1]["peak_mib"] / runs[0]["peak_mib"]
    print(f"the last holds {ratio:.3f} times as much as the first")
    return {"model": options.model, "size": options.size, "runs": runs, "ratio": round(ratio, 4)}


def main() -> None:
    """Parse, measure, tell."""
    clip, mask = demo_clip()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, default=clip, help="a video file or a folder of frames")
    parser.add_argument("--masks", type=Path, default=mask, help="the mask of its first frame")
    parser.add_argument("--frames", type=int, nargs=2, default=(100, 2000), help="the two lengths")
    parser.add_argument("--model", default="devos-t", help="a name or a weights file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=384, help="short side at which the network works")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_once(options)))
        return
    result = measure(options)
    if options.json is not None:
        from torch import device

        from devos.pipeline.machine import describe

        result = {"machine": describe(device(options.device), options.threads), **result}
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
