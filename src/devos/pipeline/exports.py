"""Results in formats of other tools: written as they come, or from what a project holds; by the same writers.

What `--write` writes is always made of the project's results, from the first frame to the last: a first run gives each
frame to the writers as soon as it is in the project; whatever else changes results (a resumed run, a correction, undo,
redo, a removal) gives them all again from the disk, without the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from devos.errors import DevosError, OptionError
from devos.exchange.registry import Format, chosen
from devos.exchange.writers import FolderWriter, Shot, VideoInfo, Writer, listed_in
from devos.frames import Frame, MaskFrame
from devos.io import VideoReader
from devos.io.files import EXPORT_FOLDER, LISTING
from devos.pipeline.publish import stored_masks
from devos.project.folder import ProjectFolder
from devos.project.names import read_names
from devos.project.probabilities import Probabilities
from devos.project.results import FrameResult, ResultTable
from devos.whole_files import make_folder, write_lines

KEEP = "keep_probabilities"
"""The choice of a run that keeps them."""


class Exports:
    """Some formats being written to a folder. Left by Ctrl-C they end with the frames that they have where `whole` is
    False; else, and where one of them failed, they leave nothing half-written.
    """

    def __init__(self, formats: Sequence[Format], out: Path, info: VideoInfo, *, whole: bool = True) -> None:
        self._whole = whole
        self.needs_frames = any(one.needs_frames for one in formats)
        self._names = info.names
        self.paths: list[Path] = []
        make_folder(out)
        listing, files = out / LISTING, list[str]()
        with ExitStack() as opened:  # what was opened is left again if the next one fails
            self._writers: list[Writer] = []
            for one in formats:
                writer = one.open(out / one.place, info)
                opened.callback(_leave, writer)
                self._writers.append(writer)
                self.paths.append(out / one.place)
                if not isinstance(writer, FolderWriter):
                    files.append(one.place)
            write_lines(listing, [*dict.fromkeys([*listed_in(listing), *files])])
            self._opened = opened.pop_all()

    def write(self, masks: MaskFrame, frame: Frame | None) -> None:
        """One frame to every writer; frames come by rising index."""
        shot = Shot(masks, frame, self._names)
        for writer in self._writers:
            writer.write(shot)

    def __enter__(self) -> Exports:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DevosError) or (error is not None and self._whole):
            self._opened.close()
            return
        failure: DevosError | None = None
        for writer in self._writers:
            try:
                writer.close()
            except DevosError as reason:
                writer.discard()
                failure = failure or reason
        if failure is not None and error is None:
            raise failure


def _leave(writer: Writer) -> None:
    writer.discard()


def check_formats(names: Sequence[str], choices: dict[str, Any]) -> list[Format]:
    """The formats. OptionError for one that there is not, or that asks for what the project does not keep."""
    if not names:
        return []
    formats = chosen(names)
    soft = [one.name for one in formats if one.needs_probabilities]
    if soft and not choices.get(KEEP):
        raise OptionError(f"{', '.join(soft)}: needs the probabilities, which this project does not keep; follow with "
                          "--keep-probabilities")  # fmt: skip
    return formats


def export_choices(write: Sequence[str], keep_probabilities: bool) -> dict[str, Any]:
    """What a run keeps of `--write` and `--keep-probabilities`; formats that need the probabilities keep them.

    OptionError for a format that there is not, or that lacks a library.
    """
    formats = chosen(write) if write else []
    for one in formats:
        one.check()
    soft = keep_probabilities or any(one.needs_probabilities for one in formats)
    return {"write": [one.name for one in formats], KEEP: soft}


def video_info(folder: ProjectFolder, reader: VideoReader, num_frames: int | None) -> VideoInfo:
    """What writers are told of the project's video."""
    suffix = ".png" if reader.names is None else _suffix(reader.path)
    return VideoInfo(reader.path.stem, reader.size, num_frames, reader.fps, suffix, read_names(folder), reader.look,
                     reader.sound)  # fmt: skip


def _suffix(folder: Path) -> str:
    from devos.io.pictures import list_pictures

    return min((file.suffix for file in list_pictures(folder)), default=".png")


def opened_exports(folder: ProjectFolder, reader: VideoReader, formats: Sequence[Format], num_frames: int | None,
                   out: Path | None = None, *, whole: bool = True) -> Exports:  # fmt: skip
    """Writers of a project's results, to its own folder of exports unless told."""
    return Exports(formats, out or folder.path / EXPORT_FOLDER, video_info(folder, reader, num_frames), whole=whole)


def feed(exports: Exports, folder: ProjectFolder, reader: VideoReader, results: ResultTable | dict[int, FrameResult],
         told: Callable[[int], None] | None = None) -> None:  # fmt: skip
    """Give results that are on the disk to writers, by rising index; `told`: after each, how many are done."""
    order = sorted(results)
    soft = Probabilities(folder)
    for done, (result, frame) in enumerate(_with_frames(exports, reader, [results[i] for i in order]), start=1):
        masks = stored_masks(folder, result, frame)
        exports.write(replace(masks, probabilities=soft.read(result, masks)), frame)
        if told is not None:
            told(done)


def _with_frames(
    exports: Exports, reader: VideoReader, results: Sequence[FrameResult]
) -> Iterator[tuple[FrameResult, Frame | None]]:
    if not results:
        return
    if not exports.needs_frames:
        yield from ((result, None) for result in results)
        return
    wanted = {result.index: result for result in results}
    with closing(reader.read_range(results[0].index, results[-1].index + 1)) as frames:
        for frame in frames:
            if frame.index in wanted:
                yield wanted[frame.index], frame


def write_again(folder: ProjectFolder, reader: VideoReader, results: ResultTable) -> None:
    """What `--write` asked for, made anew from all results."""
    formats = check_formats(folder.record.choices.get("write") or [], folder.record.choices)
    if formats:
        with opened_exports(folder, reader, formats, len(results)) as exports:
            feed(exports, folder, reader, results)
