from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import VideoInfo, find_masks, find_videos
from devos.errors import OutputError
from devos.evaluation.benchmark import Scores, evaluate
from devos.evaluation.measures.stability import temporal_stability
from devos.evaluation.measures.swaps import sequence_swaps
from devos.evaluation.predictors import CopyFirst, SavedMasks
from devos.evaluation.reports import panels
from devos.evaluation.reports.outputs import write_outputs
from devos.evaluation.rules.protocols import Protocol

FILES = ["frames.csv", "objects.csv", "report.html", "run.json", "scores.json", "sequences.csv"]
RUN = {"method": "copy-first", "protocol": "davis2017", "settings": {"size": 480}}


class Made(NamedTuple):
    """A baseline's masks and their scores."""

    videos: tuple[VideoInfo, ...]
    predicted: Path
    scores: Scores


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick to make."""
    monkeypatch.setattr(panels, "WIDTH_PX", 64)


@pytest.fixture
def made(video_root: Path, tmp_path: Path) -> Made:
    """Two sequences of two objects each; object 1 of the first is lost on frames 3 and 4."""
    videos, predicted = find_videos(video_root), tmp_path / "predicted"
    for video in videos:
        for stem, labels in zip(video.stems, CopyFirst(Protocol.DAVIS2017)(video), strict=True):
            write(predicted / video.name / f"{stem}.png", labels)
    for stem in ("00003", "00004"):
        path = predicted / videos[0].name / f"{stem}.png"
        labels = np.asarray(Image.open(path)).copy()
        write(path, np.where(labels == 1, 0, labels))
    scores = evaluate(videos, SavedMasks(predicted), Protocol.DAVIS2017, workers=1)
    return Made(videos, predicted, scores)


def write(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels.astype(np.uint8)).save(path)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_file_is_written_and_none_half(made, tmp_path):
    out = tmp_path / "new" / "out"
    write_outputs(out, made.scores, made.videos, made.predicted, RUN)
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert json.loads((out / "run.json").read_text()) == RUN


def test_the_tables_have_every_sequence_object_and_frame(made, tmp_path):
    write_outputs(tmp_path / "out", made.scores, made.videos, made.predicted, RUN)
    sequences, objects, frames = (rows(tmp_path / "out" / f"{name}.csv") for name in ("sequences", "objects", "frames"))
    assert [row["sequence"] for row in sequences] == ["ant", "bee"]
    assert [(row["sequence"], row["object"]) for row in objects] == [(n, o) for n in ("ant", "bee") for o in "12"]
    assert len(frames) == 2 * 2 * 10
    assert [frames[0][key] for key in ("sequence", "frame", "object")] == ["ant", "00001", "1"]
    ant = made.scores.sequences[0].objects[1]
    assert float(objects[0]["J_mean"]) == ant.region.mean
    assert float(objects[0]["F_decay"]) == ant.boundary.decay
    assert float(frames[2]["J"]) == ant.region.values[1]
    mean = sum(float(row["J"]) for row in sequences) / 2
    assert mean == pytest.approx(made.scores.means.j)


def test_the_lapses_are_counted_where_the_masks_are_at_hand_and_not_elsewhere(made, tmp_path):
    write_outputs(tmp_path / "with", made.scores, made.videos, made.predicted, RUN)
    assert [row["lapses_lost"] for row in rows(tmp_path / "with" / "objects.csv")] == ["2", "0", "0", "0"]
    write_outputs(tmp_path / "without", made.scores, made.videos, None, RUN)
    assert not any("lapses" in column for column in rows(tmp_path / "without" / "objects.csv")[0])


def test_a_method_without_any_lapse_has_zeros(made, tmp_path):
    scores = evaluate(made.videos[1:], SavedMasks(made.predicted), Protocol.DAVIS2017, workers=1)
    write_outputs(tmp_path / "out", scores, made.videos[1:], made.predicted, RUN)
    assert [row["lapses_lost"] for row in rows(tmp_path / "out" / "objects.csv")] == ["0", "0"]


def test_scores_json_has_every_value_with_its_frame_s_name(made, tmp_path):
    write_outputs(tmp_path / "out", made.scores, made.videos, made.predicted, RUN)
    report = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert report["jf"] == made.scores.means.jf
    ant = report["sequences"]["ant"]
    assert list(ant["skipped"].values()) == [["00000", "00011"]]
    assert ant["objects"]["1"]["frames"][0] == "00001"
    assert ant["objects"]["1"]["J"]["values"] == list(made.scores.sequences[0].objects[1].region.values)
    assert ant["objects"]["1"]["lapses"] == {"lost": 2, "elsewhere": 0, "invented": 0}


def test_stability_and_swaps_have_their_columns_where_they_were_measured(made, tmp_path):
    saved = SavedMasks(made.predicted)
    stability = {video.name: temporal_stability(video, saved(video), Protocol.DAVIS2017) for video in made.videos}
    swaps = {video.name: sequence_swaps(video, saved(video), Protocol.DAVIS2017) for video in made.videos}
    write_outputs(tmp_path / "out", made.scores, made.videos, made.predicted, RUN, stability=stability, swaps=swaps)
    first = rows(tmp_path / "out" / "objects.csv")[0]
    assert float(first["stability_difference"]) == pytest.approx(
        float(first["stability_predicted"]) - float(first["stability_truth"])
    )
    assert float(first["stability_difference"]) < -0.05
    assert (first["swaps_count"], first["swaps_first"]) == ("0", "")
    assert [row["swaps"] for row in rows(tmp_path / "out" / "sequences.csv")] == ["0", "0"]
    report = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert report["sequences"]["ant"]["objects"]["1"]["stability"]["pairs"] == stability["ant"][1].pairs


def test_a_sequence_whose_object_had_no_pair_has_empty_cells(made, tmp_path):
    write_outputs(tmp_path / "out", made.scores, made.videos, None, RUN, stability={"bee": {}}, swaps={})
    assert "stability_predicted" not in rows(tmp_path / "out" / "objects.csv")[0]


def test_masks_alone_are_enough(made, video_root, tmp_path):
    videos = find_masks(video_root / "Annotations" / "480p")
    write_outputs(tmp_path / "out", made.scores, videos, made.predicted, RUN)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_the_protocol_s_own_names_head_the_columns(made, tmp_path):
    scores = evaluate(made.videos, SavedMasks(made.predicted), Protocol.MOSE2, workers=1)
    write_outputs(tmp_path / "out", scores, made.videos, made.predicted, RUN)
    assert {"J&F_dot", "F_dot_mean", "F_mean"} <= rows(tmp_path / "out" / "objects.csv")[0].keys()
    assert {"J", "F_dot", "F"} <= rows(tmp_path / "out" / "frames.csv")[0].keys()
    report = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert report["extras"]["F"] == scores.extras["F"]


def test_what_was_there_is_replaced(made, tmp_path):
    for run in ({"method": "old"}, RUN):
        write_outputs(tmp_path / "out", made.scores, made.videos, made.predicted, run)
    assert json.loads((tmp_path / "out" / "run.json").read_text()) == RUN
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_a_folder_that_cannot_be_made_is_an_error_of_one_line(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file: cannot be written"):
        write_outputs(tmp_path / "file", made.scores, made.videos, None, RUN)


def test_a_file_that_cannot_be_written_leaves_no_half_one_and_no_run_json(made, tmp_path):
    (tmp_path / "out" / "frames.csv").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"frames\.csv: cannot be written"):
        write_outputs(tmp_path / "out", made.scores, made.videos, None, RUN)
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"scores.json", "sequences.csv", "objects.csv", "frames.csv"}
