"""Many videos: each a project in OUT, several at a time, one's failure no other's, gone on with wherever it stopped."""

from __future__ import annotations

import csv
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from devos.engine.segmenter import DEFAULT_MODEL, Segmenter, choose_device, find_weights, load
from devos.engine.sizes import AUTO
from devos.errors import DevosError, OptionError, WeightsError, is_out_of_memory
from devos.exchange.given import read_given
from devos.io import open_video
from devos.io.labels import label_png
from devos.pipeline.manifest import BatchVideo, check_apart, check_choices, read_batch
from devos.pipeline.project import Project
from devos.pipeline.running import Progress, RunSummary
from devos.pipeline.segment import drained, folder_rate, segment
from devos.pipeline.workers import Died, Ended, Tell, Told, do_all
from devos.project.content import sha256_of
from devos.project.folder import ProjectFolder
from devos.project.lock import locked
from devos.project.record import fingerprint, rate_of
from devos.whole_files import output_error, replacing

DONE, FAILED, CUT_OFF, WAITING = "finished", "failed", "stopped", "waiting"


@dataclass(frozen=True)
class BatchRow:
    """What became of one video; a line of `batch.csv`."""

    name: str
    status: str = WAITING
    """finished, failed, stopped (goes on where it was, the next time) or waiting."""
    frames: int = 0
    objects: int = 0
    seconds: float = 0.0
    """Of its whole job; of the last part of it, if it was gone on with."""
    fps: float = 0.0
    reason: str = ""
    """Why it failed, in one line."""


@dataclass(frozen=True)
class Job:
    """One video of a batch, as whoever does it needs it."""

    video: BatchVideo
    out: Path
    model: str
    device: str
    settings: dict[str, Any]
    """Of the whole batch; the video's own count before them."""


@dataclass(frozen=True)
class BatchSummary:
    """What became of all of them."""

    out: Path
    table: Path
    """`batch.csv`: every video's row."""
    videos: tuple[BatchRow, ...]
    num_before: int
    """How many were finished before."""
    left_out: tuple[str, ...]
    """What was found without masks."""
    seconds: float

    def count(self, status: str) -> int:
        """How many videos have come to this."""
        return sum(row.status == status for row in self.videos)

    def as_json(self) -> dict[str, Any]:
        """The same, of plain values."""
        return {
            "out": str(self.out), "table": str(self.table), "finished": self.count(DONE),
            "finished_before": self.num_before, "failed": self.count(FAILED), "left_out": list(self.left_out),
            "seconds": self.seconds, "videos": [asdict(row) for row in self.videos],
        }  # fmt: skip


@dataclass
class Watch:
    """What is told while a batch runs."""

    began: Callable[[int, int], None] = lambda num_before, num_all: None
    progress: Callable[[str, Progress], None] = lambda name, progress: None
    ended: Callable[[BatchRow], None] = lambda row: None


Doing = Callable[[Sequence[Job]], Iterator[Told | Ended | Died]]
"""Has `do_job` done to every job, wherever that is."""


def batch(source: str | Path, out: str | Path, *, model: str | Path = DEFAULT_MODEL, device: str = "auto",
          workers: int | None = None, cluster: str | None = None, retry: bool = False, watch: Watch | None = None,
          **settings: Any) -> BatchSummary:  # fmt: skip
    """Follow what is marked in many videos; each becomes a project in `out`.

    `source`: a folder, where NAME.mp4 (or a folder of frames NAME) has NAME.png or NAME_masks/ beside it, or a
    manifest (docs/batch.md). `settings`: those of `devos.segment`, for all videos; a manifest's count before them.
    `workers`: how many videos at a time on this machine, half of its cores unless told, each with its share of threads.
    `cluster`: the address of a Ray cluster instead, or "auto" for one on this machine. What is finished is left alone,
    what was cut off is gone on with, what failed is tried again only with `retry`. Raises a DevosError for a bad
    `source` before any work; what goes wrong with one video is told in its row.
    """
    out, begun, watch = Path(out), time.perf_counter(), watch or Watch()
    videos, left_out = read_batch(Path(source))
    check_apart(videos, out)
    check_choices(settings)
    model = _checked_model(model, "auto" if cluster else device)
    workers = workers or default_workers()
    do = _doer(cluster, workers)
    with locked(out / "batch.lock", out):
        table = _Table(out, [video.name for video in videos])
        jobs = [Job(_absolute(video), (out / video.name).absolute(), model, device, settings)
                for video in videos]  # fmt: skip
        jobs = [job for job in jobs if table.needs_work(job, retry)]
        num_before = table.count(DONE)
        table.write()
        watch.began(num_before, len(videos))
        _run(jobs, table, do, watch)
    return BatchSummary(out, table.path, tuple(table.rows.values()), num_before, tuple(left_out),
                        round(time.perf_counter() - begun, 3))  # fmt: skip


def _checked_model(model: str | Path, device: str) -> str:
    """Its name or its whole path; what would go wrong with every video is told at once."""
    choose_device(device)
    path, sha256 = find_weights(model)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; give the name of a model, or the path of a .safetensors file")
    return str(path.absolute()) if sha256 is None else str(model)


def default_workers() -> int:
    """Half of the cores that this process may use, at least one."""
    return max(1, num_cores() // 2)


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _doer(cluster: str | None, workers: int) -> Doing:
    threads = max(1, num_cores() // workers)
    if cluster is None:
        return lambda jobs: do_all(do_job, jobs, min(workers, max(1, len(jobs))), threads)
    from devos.pipeline.cluster import do_on_cluster

    return do_on_cluster(do_job, cluster, workers, threads)


def _run(jobs: Sequence[Job], table: _Table, do: Doing, watch: Watch) -> None:
    """All jobs, with the table kept up; what was under way when it is stopped is told so."""
    under_way: dict[str, int] = {}
    doing = do(jobs)
    try:
        for said in doing:
            name = said.item.video.name
            if isinstance(said, Told):
                under_way[name] = said.value.num_done
                watch.progress(name, said.value)
                continue
            row = said.value if isinstance(said, Ended) else BatchRow(
                name, FAILED, reason=f"{said.reason}; what it did is kept, --retry goes on with it")  # fmt: skip
            under_way.pop(name, None)
            table.put(row)
            watch.ended(row)
    finally:
        with suppress(AttributeError):
            doing.close()  # type: ignore[attr-defined]
        for name, num_done in under_way.items():
            table.put(BatchRow(name, CUT_OFF, num_done))


def _absolute(video: BatchVideo) -> BatchVideo:
    """Whoever does it may be in another folder."""
    return replace(video, video=video.video.absolute(), masks=video.masks.absolute())


# what is known of each


class _Table:
    """`OUT/batch.csv`, with what it said before."""

    def __init__(self, out: Path, names: Sequence[str]) -> None:
        self.path = out / "batch.csv"
        earlier = _read_rows(self.path)
        self.rows = {name: earlier.get(name, BatchRow(name)) for name in names}

    def needs_work(self, job: Job, retry: bool) -> bool:
        """Whether there is something to do; what is known of the others is told in their rows."""
        name = job.video.name
        row = self.rows[name]
        try:
            is_done, folder = is_finished(job.out), ProjectFolder(job.out)
            if is_done and (differences := _differences(job, folder)):
                raise OptionError(f"was made otherwise: {'; '.join(differences)}; remove {job.out} to make it anew, or "
                                  "name another OUT")  # fmt: skip
        except DevosError as error:
            self.rows[name] = BatchRow(name, FAILED, reason=one_line(error))
            return False
        if is_done:
            results = folder.history.results()
            kept = row if row.status == DONE else BatchRow(name, DONE)
            self.rows[name] = replace(kept, frames=len(results), objects=len(results.object_ids))
            return False
        if row.status == FAILED and not retry:
            return False
        self.rows[name] = BatchRow(name)
        return True

    def put(self, row: BatchRow) -> None:
        """Note what became of a video."""
        self.rows[row.name] = row
        self.write()

    def count(self, status: str) -> int:
        return sum(row.status == status for row in self.rows.values())

    def write(self) -> None:
        """The whole file anew, or as it was."""
        with replacing(self.path) as temporary:
            try:
                with temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
                    writer = csv.DictWriter(file, [one.name for one in fields(BatchRow)], lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(asdict(row) for row in self.rows.values())
            except OSError as error:
                raise output_error(self.path, error) from error


def _read_rows(path: Path) -> dict[str, BatchRow]:
    """What an earlier batch noted; nothing, where that cannot be read: the projects themselves tell what is done."""
    found = {}
    with suppress(OSError, ValueError, KeyError, TypeError), path.open(newline="", encoding="utf-8") as file:
        for values in csv.DictReader(file):
            found[values["name"]] = BatchRow(
                values["name"], values["status"], int(values["frames"]), int(values["objects"]),
                float(values["seconds"]), float(values["fps"]), values["reason"],
            )  # fmt: skip
    return found


def is_finished(out: Path) -> bool:
    """Whether a project was followed to its end, and nothing of it is open."""
    folder = ProjectFolder(out)
    try:
        status = json.loads(folder.run_record.read_text(encoding="utf-8")).get("status")
    except (OSError, ValueError, AttributeError):
        return False
    return bool(status == "finished" and folder.exists and folder.open_step() is None)


def _differences(job: Job, folder: ProjectFolder) -> list[str]:
    """What a finished project was made with that this batch says otherwise."""
    record, video = folder.record, job.video
    made = {**record.settings, **record.choices}
    wanted = {**job.settings, **video.settings}
    if wanted.get("fps") is not None:
        wanted["fps"] = folder_rate(wanted["fps"], video.video)
    found = [f"{name} was {_plain(made[name])} and is {_plain(value)}" for name, value in wanted.items()
             if name in made and value not in (None, "auto") and _plain(made[name]) != _plain(value)]  # fmt: skip
    if fingerprint(video.video) != record.video.fingerprint:
        return [*found, f"{video.video} is another video now"]
    with open_video(video.video, fps=rate_of(record), skip_bad_frames=made["skip_bad_frames"]) as reader:
        given = read_given(video.masks, reader, resize=made["resize_masks"], snap=made["snap_masks"])
        now = {(index, sha256_of(label_png(given[index]))) for index in given}
    if now != {(one.frame, one.mask) for one in folder.history[1].annotations}:
        found.append(f"{video.masks} holds other masks now (devos correct takes them over)")
    return found


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(one if isinstance(one, str) else f"{float(one):g}" for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


# one video


def do_job(job: Job, tell: Tell = lambda progress: None) -> BatchRow:
    """Follow one video to its end, from where it is; whatever goes wrong with it is in the row that comes back."""
    name, folder = job.video.name, ProjectFolder(job.out)
    try:
        summary = _follow(job, folder, tell)
    except DevosError as error:
        reason = one_line(error).replace("with --overwrite", f"by removing {job.out}")  # a batch replaces nothing
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {one_line(error)} ({Path(at.filename).name}, line {at.lineno})"
        if is_out_of_memory(error):
            reason = "out of memory; take fewer --workers, or a smaller --size"
    else:
        if summary is not None:
            return BatchRow(name, DONE, summary.num_frames, len(summary.object_ids), summary.seconds, summary.fps)
        results = folder.history.results()
        return BatchRow(name, DONE, len(results), len(results.object_ids))
    return BatchRow(name, FAILED, reason=reason)


def _follow(job: Job, folder: ProjectFolder, tell: Tell) -> RunSummary | None:
    network = _network(job.model, job.device)
    given = {name: value for name, value in {**job.settings, **job.video.settings}.items() if value is not None}
    if folder.exists and folder.history.head > 1:  # somebody has gone on with it since
        project = Project.open(job.out, video=job.video.video)
        return drained(project.run(progress=tell))
    return segment(job.video.video, job.video.masks, job.out, model=network, progress=tell, resume=True,
                   **{"size": AUTO} | given)  # fmt: skip


@lru_cache(maxsize=1)
def _network(model: str, device: str) -> Segmenter:
    """Loaded once for all videos of a worker."""
    return load(model, device=device)


def one_line(error: BaseException) -> str:
    """An error's words without line breaks."""
    return " ".join(str(error).split())
