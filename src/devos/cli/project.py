"""`devos correct`, `undo`, `redo`, `resume` and `status`: go on with what `devos segment` wrote."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devos.cli.progress import frame_bar, say
from devos.cli.segment import Direction, First, Last, ResizeMasks, SnapMasks

if TYPE_CHECKING:
    from devos.pipeline.project import Project

Out = Annotated[Path, typer.Argument(metavar="OUT", help="A folder that devos segment wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Masks = Annotated[
    Path | None,
    typer.Option(
        "--masks", "-m", help="PNG named as its frame, folder of such, or another tool's file.", show_default=False
    ),
]
FrameIndex = Annotated[
    int | None,
    typer.Option("--frame", help="The frame that a single mask is for, by its index from 0.", show_default=False),
]
_IDS = {"metavar": "ID,ID,...", "show_default": False}
Objects = Annotated[str, typer.Option(help="Only these objects of the masks; else all that differ.", **_IDS)]
Absent = Annotated[
    list[str] | None,
    typer.Option(metavar="F:ID,ID,...", help="Objects that are not on frame F; may be repeated.", show_default=False),
]
Remove = Annotated[str, typer.Option(help="Take these objects out, of all frames or of --from to --to.", **_IDS)]
Lock = Annotated[str, typer.Option(help="From now on nothing changes these objects.", **_IDS)]
LockFrames = Annotated[
    str, typer.Option(metavar="F-F,...", help="From now on nothing changes these frames.", show_default=False)
]
Unlock = Annotated[bool, typer.Option("--unlock", help="Let go of what --lock and --lock-frames name.")]
Video = Annotated[Path | None, typer.Option(help="Where the video is now, if it was moved.", show_default=False)]


def correct(
    out: Out, masks: Masks = None, frame: FrameIndex = None, objects: Objects = "", absent: Absent = None,
    remove: Remove = "", lock: Lock = "", lock_frames: LockFrames = "", unlock: Unlock = False, first: First = None,
    last: Last = None, direction: Direction = "forward", resize_masks: ResizeMasks = False,
    snap_masks: SnapMasks = False, video: Video = None,
) -> None:  # fmt: skip
    """Correct objects on some frames of OUT, and follow again only what follows from that.

    Objects that are not corrected keep every pixel, frames outside every byte; devos undo takes it back. New objects
    are added by masks with new ids.
    """
    from devos.errors import OptionError

    wanted = {"-m": masks, "--absent": absent, "--remove": remove, "--lock": lock, "--lock-frames": lock_frames}
    if not any(wanted.values()):
        raise OptionError(f"nothing to correct; give one of {', '.join(wanted)}")
    project = _open(out, video)
    if lock or lock_frames:
        project.lock(_ids(lock, "--lock"), _ranges(lock_frames), unlock=unlock)
    if remove:
        project.remove(_ids(remove, "--remove"), first or 0, last)
    if masks is None and not absent:
        _report(project, None)
        return
    given, sources = _given(project, masks, frame, resize_masks, snap_masks)
    summary = _with_bar("correcting", project, project.correct(
        given, objects=_ids(objects, "--objects") or None, absent=_absent(absent or ()), first=first, last=last,
        direction=direction, sources=sources,
    ))  # fmt: skip
    _report(project, summary)


def undo(out: Out, steps: Annotated[int, typer.Option(min=1, help="How many steps to take back.")] = 1) -> None:
    """Take the last steps on OUT back, to the same bytes."""
    _moved(out, steps, "undo")


def redo(out: Out, steps: Annotated[int, typer.Option(min=1, help="How many steps to do again.")] = 1) -> None:
    """Do again what devos undo took back, to the same bytes."""
    _moved(out, steps, "redo")


def resume(out: Out, first: First = None, last: Last = None, video: Video = None) -> None:
    """Go on with OUT where it was cut off, and follow all that was marked and not followed yet."""
    project = _open(out, video)
    _report(project, _with_bar("following", project, project.run(first, last)))


def status(out: Out, as_json: AsJson = False) -> None:
    """What OUT holds: frames, objects, what was said where, what remains, and the frames to look at, worst first."""
    from devos.pipeline.status import describe, status_of

    found = status_of(_open(out))
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
    else:
        typer.echo(describe(found))


def _open(out: Path, video: Path | None = None) -> Project:
    from devos.pipeline.project import Project

    return Project.open(out, video=video)


def _moved(out: Path, steps: int, verb: str) -> None:
    project = _open(out)
    for _ in range(steps):
        step = project.undo() if verb == "undo" else project.redo()
        say(f"{'took back' if verb == 'undo' else 'did again'} step {step.number}: {step.what}")
    _report(project, None)


def _with_bar(what: str, project: Project, run: Generator[Any, None, Any]) -> Any:
    """Run to the end with a bar; what comes back there."""
    from contextlib import closing

    from devos.pipeline.running import Progress

    num_done, started = 0, _now()
    with frame_bar(what) as show, closing(run):
        try:
            while True:
                next(run)
                num_done += 1
                show(Progress(num_done, None, _now() - started))
        except StopIteration as end:
            return end.value
        except KeyboardInterrupt:
            say(f"stopped; {num_done} frames were done; go on with devos resume {project.folder.path}")
            raise


def _now() -> float:
    import time

    return time.perf_counter()


def _report(project: Project, summary: Any) -> None:
    """What came of it, as JSON on stdout; notes on stderr."""
    for note in summary.notes if summary is not None else project.notes:
        say(f"note: {note}")
    results = project.results
    content = {
        "out": str(project.folder.path), "step": project.folder.history.head, "num_frames": len(results),
        "object_ids": list(results.object_ids), "seconds": summary.seconds if summary is not None else None,
        "fps": summary.fps if summary is not None else None,
    }  # fmt: skip
    typer.echo(json.dumps(content, indent=2))


def _given(project: Project, masks: Path | None, frame: int | None, resize: bool, snap: bool) -> tuple[Any, Any]:
    """The masks by frame, and the files they came from."""
    from devos.exchange.given import read_given

    if masks is None:
        return {}, {}
    with project.video() as reader:
        given = read_given(masks, reader, resize=resize, snap=snap, frame=_frame_of(masks, frame, reader))
        return dict(given), given.files


def _frame_of(masks: Path, frame: int | None, reader: Any) -> int:
    """The frame that a single mask is for: the one that was said, else the one that it is named after."""
    from devos.errors import MaskError
    from devos.exchange.given import is_annotations
    from devos.io.masks import frame_named

    if masks.is_dir() or not masks.exists() or is_annotations(masks):
        return 0
    named = frame if frame is not None else frame_named(masks, reader)
    if named is None:
        raise MaskError(f"{masks}: is not named as a frame of the video, so it is not clear which one it corrects; "
                        "say it with --frame, or name it as the frame")  # fmt: skip
    return named


def _ids(text: str, option: str) -> list[int]:
    from devos.errors import OptionError

    try:
        return sorted({int(part) for part in text.split(",") if part})
    except ValueError:
        raise OptionError(f"{option} is object ids with commas between, as in 2,5; got {text!r}") from None


def _ranges(text: str) -> list[tuple[int, int]]:
    from devos.errors import OptionError

    ranges = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        try:
            ranges.append((int(first), int(last or first)))
        except ValueError:
            raise OptionError(f"--lock-frames is frames or ranges of them, as in 40 or 40-60; got {part!r}") from None
    return ranges


def _absent(entries: Any) -> dict[int, list[int]]:
    from devos.errors import OptionError

    found: dict[int, list[int]] = {}
    for entry in entries:
        frame, sign, ids = entry.partition(":")
        if not (sign and frame.isdigit() and ids):
            raise OptionError(f"--absent is a frame and the objects that are not on it, as in 40:2,5; got {entry!r}")
        found[int(frame)] = _ids(ids, "--absent")
    return found
