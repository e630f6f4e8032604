"""`devos segment`: follow the objects of a mask through a video."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devos.cli.progress import frame_bar, say

if TYPE_CHECKING:
    from devos.pipeline.segment import RunSummary

Model = Annotated[str, typer.Option(help="Name of a model, or path of a weights file.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
RuntimeName = Annotated[
    str, typer.Option("--runtime", help="What computes the network: auto (the fastest here), torch, onnx, openvino.")
]
PRECISION_HELP = "What convolutions compute in: auto (int8 where it is good), float32, int8; by torch: bf16, fp16."
PrecisionName = Annotated[str, typer.Option("--precision", help=PRECISION_HELP)]
Overlay = Annotated[
    bool,
    typer.Option(" /--no-overlay", help="Write masks and table, and no overlay video: faster.", show_default=False),
]
Direction = Annotated[
    str, typer.Option(help="forward from the masks, backward, or both, which meet between two masked frames.")
]
First = Annotated[
    int | None,
    typer.Option("--from", metavar="F", help="First frame to write, by its index from 0.", show_default=False),
]
Last = Annotated[
    int | None, typer.Option("--to", metavar="F", help="Last frame to write, by its index from 0.", show_default=False)
]
ResizeMasks = Annotated[bool, typer.Option("--resize-masks", help="Fit masks of another size to the video.")]
SnapMasks = Annotated[bool, typer.Option("--snap-masks", help="Make soft edges of masks hard.")]
Sound = Annotated[bool, typer.Option(" /--no-sound", help="Leave the sound out of the overlay.", show_default=False)]
StreamNumber = Annotated[
    int | None,
    typer.Option("--stream", help="Video stream to read, by its number in the file.", show_default=False),
]
White = Annotated[
    int | None, typer.Option(help="Value that is white in pictures of more than 8 bits.", show_default=False)
]
Write = Annotated[
    str,
    typer.Option(metavar="NAME,NAME,...", help="Also write these formats to OUT/export as frames come; names as for "
                 "devos convert.", show_default=False),
]  # fmt: skip
Size = Annotated[int, typer.Option(help="Short side, in pixels, at which the network works.")]
SizeOrAuto = Annotated[
    str,
    typer.Option("--size", metavar="N|auto", help="Short side, in pixels, at which the network works; auto: 640 for "
                 "several objects of which one is small, else 384."),
]  # fmt: skip
Flip = Annotated[bool, typer.Option("--flip", help="See each frame mirrored too, and average: twice the time.")]
Scales = Annotated[
    str,
    typer.Option(metavar="N,N,...", help="See each frame at each of these multiples of --size, 0.5 to 2, and average, "
                 "as in 0.75,1,1.25: about three times the time, more for larger ones."),
]  # fmt: skip


Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT", help="A video file, a folder of frames, camera:0, an address, or - (standard input)."
    ),
]
Masks = Annotated[
    Path,
    typer.Option(
        "--masks", "-m", help="PNG for the first frame, folder of PNGs named as their frames, or another tool's file."
    ),
]
KeepProbabilities = Annotated[
    bool, typer.Option("--keep-probabilities", help="Keep each object's probability at each pixel, for soft alpha.")
]
Focus = Annotated[
    bool, typer.Option("--focus/--no-focus", help="Compute detail only where an object may be: faster, on CPUs.")
]
Rate = Annotated[
    float | None,
    typer.Option("--fps", help="Frame rate of a folder of frames; 24 unless given.", show_default=False),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a run that was cut off; it ends in the same bytes.")]
SkipBadFrames = Annotated[bool, typer.Option("--skip-bad-frames", help="Leave out frames that cannot be read.")]


def segment(
    video: Input,
    masks: Masks,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    model: Model = "devos-t",
    device: Device = "auto",
    size: SizeOrAuto = "auto",
    memory_every: Annotated[int, typer.Option(help="Remember every n-th frame.")] = 5,
    bank: Annotated[int, typer.Option(help="Most frames that are remembered.")] = 6,
    fine_bank: Annotated[int, typer.Option(help="How many of the newest are remembered in detail; fewer: faster.")] = 1,
    focus: Focus = True,
    flow: Annotated[str, typer.Option(help="Optical flow: dis, none or raft.")] = "dis",
    flip: Flip = False,
    scales: Scales = "1",
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "auto",
    fps: Rate = None,
    direction: Direction = "forward",
    first: First = None,
    last: Last = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run's results in OUT.")] = False,
    resume: Resume = False,
    resize_masks: ResizeMasks = False,
    snap_masks: SnapMasks = False,
    skip_bad_frames: SkipBadFrames = False,
    overlay: Overlay = True,
    sound: Sound = True,
    stream: StreamNumber = None,
    white: White = None,
    write: Write = "",
    keep_probabilities: KeepProbabilities = False,
) -> None:
    """Follow the objects of MASKS through INPUT.

    Writes OUT/masks/FRAME.png, OUT/overlay.mp4, OUT/objects.csv and OUT/run.json; prints a summary as JSON. OUT is a
    project: devos status, correct, undo and resume go on with it.
    """
    from devos.engine.settings import parse_scales
    from devos.exchange.registry import parse_names

    summary = run_with_bar(
        "following", video, masks, out, model=model, device=device, size=size, memory_every=memory_every, bank=bank,
        fine_bank=fine_bank, focus=focus, flow=flow, flip=flip, scales=parse_scales(scales), runtime=runtime,
        precision=precision, fps=fps, direction=direction, first=first, last=last, overwrite=overwrite, resume=resume,
        resize_masks=resize_masks, snap_masks=snap_masks, skip_bad_frames=skip_bad_frames, overlay=overlay, sound=sound,
        stream=stream, white=white, write=parse_names(write), keep_probabilities=keep_probabilities)  # fmt: skip
    typer.echo(json.dumps(summary.as_json(), indent=2))


def run_with_bar(what: str, video: str | Path, masks: Path, out: Path, **options: Any) -> RunSummary:
    """The whole job, with its progress and its notes on stderr."""
    from devos.pipeline.segment import Progress
    from devos.pipeline.segment import segment as run

    num_done = 0

    with frame_bar(what) as show:

        def watch(progress: Progress) -> None:
            nonlocal num_done
            num_done = progress.num_done
            show(progress)

        try:
            summary = run(video, masks, out, progress=watch, **options)
        except KeyboardInterrupt:
            done = f"{num_done} frames are in {out}; go on with --resume" if num_done else "nothing was done yet"
            say(f"stopped; {done}")
            raise
    for note in summary.notes:
        say(f"note: {note}")
    return summary
