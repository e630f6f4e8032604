"""Our figures beside those of the official programs, and how long scoring takes.

    python benchmarks/parity.py --golden FOLDER --markdown parity.md --json parity.json
    python benchmarks/parity.py --speed --truth DAVIS --results FOLDER --json speed.json

FOLDER of the first has golden.json, what the official programs gave, and the masks that they were given, as
CASE/gt/SEQUENCE/00000.png and CASE/pred/SEQUENCE/00000.png. DAVIS of the second is a folder in DAVIS's layout, or of
sequence folders of masks. Nothing is rounded before it is compared.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import torch

from devos.data.catalog import VideoInfo, find_masks, find_videos
from devos.errors import MaskError
from devos.evaluation.benchmark import Scores, evaluate
from devos.evaluation.predictors import SavedMasks
from devos.evaluation.rules.meta import Meta, ObjectMeta
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.rules.quality import ObjectQuality, SequenceScore
from devos.evaluation.scoring import choose_protocol
from devos.io.files import write_json
from devos.pipeline.machine import describe

TOOLS = {
    "davis2017_semi": Protocol.DAVIS2017,
    "davis2017_unsup": Protocol.DAVIS2017_UNSUPERVISED,
    "davis2016": Protocol.DAVIS2016,
    "vos_benchmark": Protocol.VOS_BENCHMARK,
    "vos_benchmark_all": Protocol.VOS_BENCHMARK_ALL,
    "mosev2": Protocol.MOSE2,
    "lvos": Protocol.LVOS,
}
OFFICIAL_MS = {"davis2017": (17.7, 21.9), "vos-benchmark": (7.6, 8.2), "MOSEv2 score.py": (6.5, None)}
"""Best and median milliseconds for each mask pair at 854x480 in one process, on two shared cores of an AMD EPYC."""
HEADLINES = ("J&F-Mean", "J(M)", "J&F_dot", "J&F")


@dataclass(frozen=True)
class Row:
    """One program on one case."""

    case: str
    tool: str
    figure: str
    """What `ours` and `official` are."""
    ours: float | None
    official: float | None
    numbers: int
    """How many official figures were compared: of frames, of objects and of the whole."""
    largest_difference: float
    """As a fraction of 1, also where the program counts in percent."""
    ms_per_pair: float | None
    """Of ours; a pair is one object on one scored frame."""
    remark: str = ""


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", type=Path, help="folder with golden.json and the masks")
    parser.add_argument("--speed", action="store_true", help="time the scoring of a folder")
    parser.add_argument("--truth", type=Path, help="true masks, for --speed")
    parser.add_argument("--results", type=Path, help="predicted masks, for --speed")
    parser.add_argument("--protocol", choices=[str(one) for one in Protocol], help="for --speed; default: by the masks")
    parser.add_argument("--repeats", type=int, default=5, help="runs of which the best and the median count")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.speed and options.truth and options.results:
        _tell_speed(options)
    elif options.golden:
        _tell_parity(options)
    else:
        parser.error("give --golden FOLDER, or --speed with --truth FOLDER and --results FOLDER")


def _tell_parity(options: argparse.Namespace) -> None:
    rows = list(compare_all(options.golden))
    text = markdown(rows)
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.json:
        machine = describe(torch.device("cpu"), 1)
        write_json(
            options.json, {"machine": machine, "official_ms": OFFICIAL_MS, "rows": [asdict(row) for row in rows]}
        )


def compare_all(golden: Path) -> Iterator[Row]:
    """A row for each program and case."""
    cases = json.loads((golden / "golden.json").read_text(encoding="utf-8"))["cases"]
    for case, content in cases.items():
        for tool, result in content["results"].items():
            yield compare(golden / case, tool, result)


def compare(folder: Path, tool: str, result: dict[str, Any]) -> Row:
    """Score a case and hold every figure of the official program against ours."""
    begun = time.perf_counter()
    try:
        scores = evaluate(
            find_masks(folder / "gt"), SavedMasks(folder / "pred"), TOOLS[tool], meta=_meta(tool, result), workers=1
        )
    except MaskError as error:
        return Row(folder.name, tool, "", None, None, 0, 0.0, None, f"neither gives a figure; ours says: {error}")
    spent = time.perf_counter() - begun
    ms = 1000 * spent / sum(len(quality.frames) for quality in scores.objects)
    ours = our_means(tool, scores)
    if result["status"] != "ok":
        name = next(name for name in HEADLINES if name in ours)
        return Row(folder.name, tool, name, ours[name], None, 0, 0.0, ms, "the official program stops")
    pairs = list(_pairs(tool, scores, result))
    means = {name: float(value) for name, value in result["global"].items()}
    pairs += [(ours[name], value) for name, value in means.items() if not math.isnan(value)]
    name = next(name for name in HEADLINES if name in means)
    largest = max(abs(one - other) for one, other in pairs) / _scale(tool)
    remark = "officially nan, as one group of sequences is empty" if math.isnan(means[name]) else ""
    official = None if math.isnan(means[name]) else means[name]
    return Row(folder.name, tool, name, ours[name], official, len(pairs), largest, ms, remark)


def _meta(tool: str, result: dict[str, Any]) -> Meta:
    """What the program was told beside the masks."""
    if tool == "mosev2" and result["status"] == "ok":
        return Meta({name: dict.fromkeys(map(int, ids), ObjectMeta()) for name, ids in result["sequences"].items()})
    return Meta(unseen_sequences=frozenset(result["unseen_sequences"])) if tool == "lvos" else Meta()


def _pairs(tool: str, scores: Scores, result: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """Our and the official figure of every frame and of every object."""
    percent = _scale(tool)
    for score in scores.sequences:
        theirs = result["sequences"][score.name]
        for key, quality in _by_official_key(tool, score).items():
            boundary = {"F_dot": quality.boundary, **quality.others} if tool == "mosev2" else {"F": quality.boundary}
            for name, statistics in {"J": quality.region, **boundary}.items():
                figures = theirs[key][name]
                yield from zip(statistics.values, figures["frames"], strict=True)
                # LVOS takes all frames for one in its decay, which is always 0
                told = [
                    one for one in ("mean", "recall", "decay") if one in figures and (tool, one) != ("lvos", "decay")
                ]
                yield from ((percent * getattr(statistics, one), figures[one]) for one in told)
            yield from ((value, _extra(theirs[key], name)) for name, value in quality.extras.items())


def _scale(tool: str) -> int:
    """How many times 1 the program's means are."""
    return 100 if tool.startswith("vos_benchmark") else 1


def _extra(figures: dict[str, Any], name: str) -> float:
    """V, or as "disappear J" a figure of MOSE v2."""
    event, _, measure = name.partition(" ")
    value: float = figures[event][measure] if measure else figures[event]
    return value


def _by_official_key(tool: str, score: SequenceScore) -> dict[str, ObjectQuality]:
    if tool == "davis2016":
        return {"fg": score.objects[1]}
    if tool == "davis2017_unsup":  # the program numbers the matched proposals in the order of their ids
        ranked = sorted(score.matches, key=lambda object_id: score.matches[object_id])
        return {str(rank): score.objects[object_id] for rank, object_id in enumerate(ranked, start=1)}
    return {str(object_id): quality for object_id, quality in score.objects.items()}


def our_means(tool: str, scores: Scores) -> dict[str, float]:
    """Our figures of the whole case, by the names that the program gives them."""
    means, extras = scores.means, scores.extras
    if tool.startswith("davis"):
        dash = tool != "davis2016"
        names = {"mean": "-Mean" if dash else "(M)", "recall": "-Recall" if dash else "(O)"}
        names["decay"] = "-Decay" if dash else "(D)"
        figures = {f"J{sign}": _mean(scores, lambda one, f=f: getattr(one.region, f)) for f, sign in names.items()}
        figures |= {f"F{sign}": _mean(scores, lambda one, f=f: getattr(one.boundary, f)) for f, sign in names.items()}
        return figures | {"J&F-Mean": means.jf} if dash else figures
    if tool.startswith("vos_benchmark"):
        return {"J&F": 100 * means.jf, "J": 100 * means.j, "F": 100 * means.f}
    if tool == "mosev2":
        named = {name.replace("pear J", "pear_J"): value for name, value in extras.items()}
        return {"J": means.j, "F_dot": means.f, "J&F_dot": means.jf, **named}
    figures = {"J&F-Mean": means.jf, "J-Mean": means.j, "F-Mean": means.f, "V-Mean": extras["V"]}
    groups = ((letter, group) for letter in "JFV" for group in ("seen", "unseen"))
    return figures | {f"{a}-{b}-Mean": extras[f"{a} {b}"] for a, b in groups if f"{a} {b}" in extras}


def _mean(scores: Scores, figure: Callable[[ObjectQuality], float]) -> float:
    return math.fsum(map(figure, scores.objects)) / len(scores.objects)


def markdown(rows: list[Row]) -> str:
    """The table, and a line that sums it up."""
    lines = [
        "| case | program | figure | devos | official | figures compared | largest difference | devos, ms a pair |"
    ]
    lines.append("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        cells = [f"{value:.12f}" if value is not None else "-" for value in (row.ours, row.official)]
        time_spent = f"{row.ms_per_pair:.2f}" if row.ms_per_pair is not None else "-"
        difference = f"{row.largest_difference:.1e}" if row.numbers else row.remark.partition(";")[0]
        lines.append(
            f"| {row.case} | {row.tool} | {row.figure or '-'} | {' | '.join(cells)} | {row.numbers} | {difference} | "
            f"{time_spent} |"
        )
    compared = [row for row in rows if row.numbers]
    lines.append("")
    lines.append(
        f"{len(compared)} of {len(rows)} results have official figures; {sum(row.numbers for row in compared)} figures "
        f"compared, largest difference {max(row.largest_difference for row in compared):.1e}. Official milliseconds a "
        f"pair at 854x480, best and median, in one process: {_official_times()}."
    )
    return "\n".join(lines)


def _official_times() -> str:
    return ", ".join(
        f"{tool} {best}" + (f" ({median})" if median else "") for tool, (best, median) in OFFICIAL_MS.items()
    )


def _tell_speed(options: argparse.Namespace) -> None:
    """Wall and CPU milliseconds a mask pair, with one worker and with two.

    On a machine that also does other things the best times of the single sequences, added up, come nearest to what one
    that does nothing else would need.
    """
    is_davis = (options.truth / "JPEGImages").is_dir()
    videos = find_videos(options.truth) if is_davis else find_masks(options.truth)
    protocol = Protocol(options.protocol) if options.protocol else choose_protocol(videos)
    figures = {workers: time_scoring(videos, options.results, protocol, workers, options.repeats) for workers in (1, 2)}
    alone = sum(
        time_scoring((video,), options.results, protocol, 1, options.repeats)["wall_s_best"] for video in videos
    )
    figures[1]["wall_ms_best_by_sequence"] = 1000 * alone / figures[1]["pairs"]
    machine = describe(torch.device("cpu"), 1)
    print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_average'][0]}; protocol {protocol}")
    for workers, figure in figures.items():
        print(
            f"{workers} worker{'s' if workers > 1 else ' '}: {figure['pairs']} mask pairs, "
            f"{figure['wall_ms_best']:.2f} ms a pair (median {figure['wall_ms_median']:.2f}), "
            f"CPU {figure['cpu_ms_best']:.2f} (median {figure['cpu_ms_median']:.2f}), J&F {figure['jf']:.6f}"
        )
    print(f"1 worker, the best time of each sequence: {figures[1]['wall_ms_best_by_sequence']:.2f} ms a pair")
    print(f"official, best (median): {_official_times()}")
    if options.json:
        by_workers = {str(workers): figure for workers, figure in figures.items()}
        write_json(options.json, {"machine": machine, "official_ms": OFFICIAL_MS, "ours": by_workers})


def time_scoring(
    videos: tuple[VideoInfo, ...], results: Path, protocol: Protocol, workers: int, repeats: int
) -> dict[str, float]:
    """Score the folder several times, from reading the files on; milliseconds are for each mask pair.

    The CPU time is that of this process, which has none of the work where processes share it.
    """
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        scores = evaluate(videos, SavedMasks(results), protocol, workers=workers)
        pairs = sum(len(quality.frames) for quality in scores.objects)
        walls.append(1000 * (time.perf_counter() - wall) / pairs)
        cpus.append(1000 * (time.process_time() - cpu) / pairs)
    middle = repeats // 2
    return {
        "pairs": pairs,
        "jf": scores.means.jf,
        "wall_s_best": min(walls) * pairs / 1000,
        "wall_ms_best": min(walls),
        "wall_ms_median": sorted(walls)[middle],
        "cpu_ms_best": min(cpus),
        "cpu_ms_median": sorted(cpus)[middle],
    }


if __name__ == "__main__":
    main()
