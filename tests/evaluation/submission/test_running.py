"""A model makes the masks: from each object's first mask, and nothing that is given later."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from devos.data.catalog import read_labels
from devos.engine.segmenter import Segmenter, Settings, load
from devos.errors import OptionError, OutputError
from devos.evaluation.submission.packing import plan_submission
from devos.evaluation.submission.rules import Benchmark, Dataset, read_benchmark
from devos.evaluation.submission.running import first_masks_at, num_frames_to_run, run_model


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    torch.set_num_threads(1)
    return load("devos-t", device="cpu", size=64)


class Watched:
    """In a segmenter's place: writes down what its sessions are given, and stops at a sequence if it is told to."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.model = SimpleNamespace(config=SimpleNamespace(name="watched"))
        self.settings, self.weights = Settings(), None
        self.given: list[list[list[int] | None]] = []
        self.stop_at = stop_at

    def session(self) -> Watched:
        if len(self.given) == self.stop_at:
            raise KeyboardInterrupt
        self.given.append([])
        return self

    def step(self, frame: np.ndarray, masks: np.ndarray | None) -> SimpleNamespace:
        self.given[-1].append(None if masks is None else np.unique(masks).tolist())
        return SimpleNamespace(labels=np.ones(frame.shape[:2], np.uint16))


def two(dataset: Dataset, root: Path) -> Benchmark:
    """Two sequences of a benchmark, the one with an object that comes later among them."""
    benchmark = read_benchmark(dataset, root)
    by_name = sorted(benchmark.sequences, key=lambda sequence: sequence.name)
    return Benchmark(benchmark.rules, root, tuple(by_name[:2]))


def test_the_released_model_makes_masks_that_can_be_submitted(make, draw, segmenter, tmp_path):
    root, _ = make(Dataset.YOUTUBE)
    benchmark, out = two(Dataset.YOUTUBE, root), tmp_path / "out"
    frames = []
    assert run_model(segmenter, benchmark, out, on_frames=frames.append) == ()
    assert sum(frames) == num_frames_to_run(benchmark) == 8
    assert plan_submission(benchmark, out).problems == ()
    first = read_labels(out / "0043f083b5" / "00000.png")
    assert np.array_equal(first, draw.labels({1: 0}, 0))
    comes = draw.labels(draw.objects[1], 2, only_new=True) == 3
    assert np.array_equal(read_labels(out / "0043f083b5" / "00010.png") == 3, comes)
    assert not (read_labels(out / "0043f083b5" / "00005.png") == 3).any()
    assert (read_labels(out / "0043f083b5" / "00005.png") == 1).any()


def test_a_run_that_was_stopped_goes_on_and_gives_the_same_masks(make, segmenter, tmp_path):
    root, _ = make(Dataset.YOUTUBE)
    benchmark, out = two(Dataset.YOUTUBE, root), tmp_path / "out"
    run_model(segmenter, benchmark, out)
    content = {path: path.read_bytes() for path in out.rglob("*.png")}
    kept = {path: path.stat().st_mtime_ns for path in (out / "003234408d").iterdir()}
    (out / "0043f083b5" / "00015.png").unlink()
    assert run_model(segmenter, benchmark, out) == ("003234408d",)
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == content
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_the_masks_of_another_model_or_of_other_settings_are_not_mixed_in(make, segmenter, tmp_path):
    root, _ = make(Dataset.YOUTUBE)
    benchmark, out = two(Dataset.YOUTUBE, root), tmp_path / "out"
    run_model(segmenter, benchmark, out)
    assert json.loads((out / "run.json").read_text())["sha256"] == segmenter.weights.sha256
    with pytest.raises(OutputError, match=r"holds masks of another run \(settings was .*--masks-out"):
        run_model(segmenter.with_settings(bank=2), benchmark, out)
    with pytest.raises(OutputError, match=r"another run \(model was devos-t, is watched\)"):
        run_model(Watched(), benchmark, out)
    (out / "run.json").unlink()
    with pytest.raises(OutputError, match="holds something else than masks of a run"):
        run_model(segmenter, benchmark, out)


def test_after_an_interruption_only_complete_sequences_are_kept(make, tmp_path):
    root, _ = make(Dataset.MOSE)
    benchmark, out = read_benchmark(Dataset.MOSE, root), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_model(Watched(stop_at=2), benchmark, out)
    again = Watched()
    assert len(run_model(again, benchmark, out)) == 2
    assert len(again.given) == 1 and len(list(out.rglob("*.png"))) == 12


def test_the_model_sees_every_picture_and_writes_the_wanted_ones(make, tmp_path):
    root, _ = make(Dataset.YOUTUBE)
    benchmark = read_benchmark(Dataset.YOUTUBE, root, every=2)
    watched = Watched()
    run_model(watched, benchmark, tmp_path / "out")
    assert [len(given) for given in watched.given] == [3, 3, 3]  # nothing after the last wanted frame
    assert sorted(path.name for path in (tmp_path / "out" / "0043f083b5").iterdir()) == ["00000.png", "00010.png"]


def test_later_masks_of_a_known_object_are_not_shown_to_the_model(make, draw, tmp_path):
    root, _ = make(Dataset.LVOS)
    for index, frame in enumerate(draw.frames(Dataset.LVOS)):  # as in the sets that come with all answers
        draw.save(root / "Annotations" / "1vC4Fm1a" / f"{frame}.png", draw.labels(draw.objects[1], index))
    sequence = next(s for s in read_benchmark(Dataset.LVOS, root).sequences if s.name == "1vC4Fm1a")
    given = [first_masks_at(sequence, name) for name in sequence.names]
    assert [labels is None for labels in given] == [False, True, False, True]
    assert np.array_equal(given[0], draw.labels({1: 0}, 0))
    assert np.array_equal(given[2], draw.labels(draw.objects[1], 2, only_new=True))


def test_a_benchmark_without_first_masks_cannot_be_run(make, tmp_path):
    root, _ = make(Dataset.DAVIS)
    (root / "ImageSets" / "2019").mkdir()
    (root / "ImageSets" / "2019" / "test-dev.txt").write_text("bear\n")
    with pytest.raises(OptionError, match="gives no first masks"):
        run_model(Watched(), read_benchmark(Dataset.DAVIS, root, split="2019/test-dev"), tmp_path / "out")
