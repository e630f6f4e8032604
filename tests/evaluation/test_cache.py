from __future__ import annotations

import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import devos
from devos.data.catalog import find_masks
from devos.evaluation import benchmark, cache
from devos.evaluation.benchmark import Scores, evaluate
from devos.evaluation.cache import ScoreCache, default_folder
from devos.evaluation.predictors import CopyFirst, SavedMasks
from devos.evaluation.rules.meta import Meta, ObjectMeta
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.scoring import SequenceScorer


def paint(path: Path, left: int, value: int = 1) -> None:
    labels = np.zeros((24, 40), np.uint8)
    labels[6:16, left : left + 9] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Truth in gt, predictions in pred: one sequence of six frames, whose prediction lags more and more."""
    for index in range(6):
        paint(tmp_path / "gt" / "clip" / f"{index:05d}.png", 4 + 2 * index)
        paint(tmp_path / "pred" / "clip" / f"{index:05d}.png", 4 + index)
    return tmp_path


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the index of each frame that is measured."""
    frames: list[int] = []
    add = SequenceScorer.add
    monkeypatch.setattr(
        SequenceScorer, "add", lambda self, index, labels: (frames.append(index), add(self, index, labels))
    )
    return frames


def score(
    folder: Path, *, protocol: Protocol = Protocol.DAVIS2017, meta: Meta | None = None, kept: bool = True
) -> Scores:
    store = ScoreCache(folder / "cache") if kept else None
    return evaluate(
        find_masks(folder / "gt"), SavedMasks(folder / "pred"), protocol, meta=meta or Meta(), workers=1, cache=store
    )


def test_what_did_not_change_is_not_measured_again_and_comes_back_exactly(folder, measured):
    first = score(folder)
    assert measured == [1, 2, 3, 4]
    assert score(folder) == first == score(folder, kept=False)
    assert measured == [1, 2, 3, 4] * 2  # the second time without the cache


@pytest.mark.parametrize("protocol", Protocol)
def test_every_part_of_a_score_comes_back(folder, protocol):
    meta = Meta({"clip": {1: ObjectMeta("ape")}}, unseen_sequences=frozenset(["clip"]))
    paint(folder / "gt" / "clip" / "00003.png", 4, 0)
    assert score(folder, protocol=protocol, meta=meta) == score(folder, protocol=protocol, meta=meta)


def change_one_pixel_of_the_prediction(folder: Path) -> None:
    path = folder / "pred" / "clip" / "00002.png"
    labels = np.asarray(Image.open(path)).copy()
    labels[20, 20] = 1
    Image.fromarray(labels).save(path)


def change_one_pixel_of_the_truth(folder: Path) -> None:
    path = folder / "gt" / "clip" / "00003.png"
    labels = np.asarray(Image.open(path)).copy()
    labels[20, 20] = 1
    Image.fromarray(labels).save(path)


def swap_two_predictions(folder: Path) -> None:
    one, other = (folder / "pred" / "clip" / f"{index:05d}.png" for index in (1, 4))
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def swap_two_truths(folder: Path) -> None:
    one, other = (folder / "gt" / "clip" / f"{index:05d}.png" for index in (1, 4))
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def move_all_frames_on_by_one(folder: Path) -> None:
    for kind in ("gt", "pred"):
        for index in range(5, -1, -1):
            (folder / kind / "clip" / f"{index:05d}.png").rename(folder / kind / "clip" / f"{index + 1:05d}.png")


def rename_the_sequence(folder: Path) -> None:
    for kind in ("gt", "pred"):
        (folder / kind / "clip").rename(folder / kind / "film")


def add_a_frame(folder: Path) -> None:
    for kind in ("gt", "pred"):
        shutil.copy(folder / kind / "clip" / "00000.png", folder / kind / "clip" / "00006.png")


def change_the_first_mask(folder: Path) -> None:
    paint(folder / "gt" / "clip" / "00000.png", 4, 2)


CHANGES = (
    change_one_pixel_of_the_prediction,
    change_one_pixel_of_the_truth,
    swap_two_predictions,
    swap_two_truths,
    move_all_frames_on_by_one,
    rename_the_sequence,
    add_a_frame,
    change_the_first_mask,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_changes_is_measured_again(folder, measured, change):
    score(folder)
    del measured[:]
    change(folder)
    assert score(folder) == score(folder, kept=False)
    assert len(measured) >= 2 * 4  # both times


def test_another_protocol_or_other_knowledge_is_measured_again(folder, measured):
    score(folder)
    for protocol, meta in (
        (Protocol.DAVIS2016, None),
        (Protocol.LVOS, None),
        (Protocol.LVOS, Meta(unseen_sequences=frozenset())),
        (Protocol.LVOS, Meta(unseen_sequences=frozenset(["clip"]))),
        (Protocol.LVOS, Meta({"clip": {1: ObjectMeta("ape")}}, unseen_categories=frozenset(["ape"]))),
    ):
        del measured[:]
        assert score(folder, protocol=protocol, meta=meta) == score(folder, protocol=protocol, meta=meta, kept=False)
        assert len(measured) == 2 * 4, (protocol, meta)


def test_how_masks_are_read_belongs_to_the_arithmetic():
    home = Path(devos.__file__).parent
    hashed = {path.relative_to(home).as_posix() for pattern in cache._ARITHMETIC for path in home.glob(pattern)}
    assert {"io/mask_checks.py", "io/mask_edges.py", "io/mask_pictures.py", "data/catalog.py"} < hashed


def test_other_arithmetic_is_measured_again(folder, measured, monkeypatch):
    score(folder)
    del measured[:]
    monkeypatch.setattr(cache, "_arithmetic", lambda: "another")
    score(folder)
    assert measured == [1, 2, 3, 4]


def test_a_file_that_changes_while_it_is_scored_never_gives_the_old_files_score(folder, monkeypatch):
    add = SequenceScorer.add

    def change_later_frame(self: SequenceScorer, index: int, labels: np.ndarray) -> None:
        if index == 1:
            change_one_pixel_of_the_truth(folder)
        add(self, index, labels)

    before = {path: path.read_bytes() for path in (folder / "gt" / "clip").glob("*.png")}
    monkeypatch.setattr(SequenceScorer, "add", change_later_frame)
    changed = score(folder)
    monkeypatch.undo()
    assert score(folder) == changed == score(folder, kept=False)
    for path, data in before.items():
        path.write_bytes(data)
    assert score(folder) == score(folder, kept=False) != changed


def entries(folder: Path) -> list[Path]:
    return sorted((folder / "cache").rglob("*.json"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[1, 2]",
        lambda text: text.replace("0.", "0.1", 1),
        lambda text: json.dumps(json.loads(text) | {"key": "of another"}),
        lambda text: json.dumps(json.loads(text) | {"score": {}}),
    ],
    ids=["empty", "cut", "no object", "another figure", "another key", "no score"],
)
def test_a_damaged_entry_is_ignored_and_written_anew(folder, measured, damage):
    first = score(folder)
    (entry,) = entries(folder)
    whole = entry.read_text()
    assert damage(whole) != whole
    entry.write_text(damage(whole))
    del measured[:]
    assert score(folder) == first
    assert measured == [1, 2, 3, 4]
    assert entry.read_text() == whole


def test_a_cache_that_cannot_be_written_does_not_keep_from_scoring(folder):
    (folder / "cache").write_text("a file, no folder")
    assert score(folder) == score(folder, kept=False)


def test_nothing_is_left_half_written(folder, monkeypatch):
    def fail(path: Path, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    score(folder)
    assert [path for path in (folder / "cache").rglob("*") if path.is_file()] == []


def keep_often(store: ScoreCache, folder: Path) -> None:
    (found,) = score(folder, kept=False).sequences
    for number in range(40):
        store.keep("ab" * 32, replace(found, notes=(str(number),)))
        known = store.find("ab" * 32)
        assert known is not None
        assert known.objects == found.objects


def test_two_processes_may_write_the_same_entry(folder):
    store = ScoreCache(folder / "cache")
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        for done in [pool.submit(keep_often, store, folder) for _ in range(2)]:
            done.result()
    assert store.find("ab" * 32) is not None
    assert len(list((folder / "cache").rglob("*.*"))) == 1


def test_a_shared_run_uses_the_cache_too(folder, monkeypatch):
    monkeypatch.setattr(benchmark, "_FRAMES_WORTH_SHARING", 0)
    for kind in ("gt", "pred"):
        shutil.copytree(folder / kind / "clip", folder / kind / "film")
    store = ScoreCache(folder / "cache")
    videos, saved = find_masks(folder / "gt"), SavedMasks(folder / "pred")
    first = evaluate(videos, saved, Protocol.DAVIS2017, workers=2, cache=store)
    assert len(entries(folder)) == 2
    monkeypatch.setattr(SequenceScorer, "add", lambda *_: pytest.fail("measured again"))
    assert evaluate(videos, saved, Protocol.DAVIS2017, workers=2, cache=store) == first


def test_only_saved_masks_are_kept(folder):
    store = ScoreCache(folder / "cache")
    evaluate(find_masks(folder / "gt"), CopyFirst(Protocol.DAVIS2017), Protocol.DAVIS2017, workers=1, cache=store)
    assert entries(folder) == []


def test_the_folder_is_the_users_own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "scores"
    monkeypatch.setenv("DEVOS_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "devos" / "scores"
