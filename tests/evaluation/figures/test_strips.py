from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import find_videos
from devos.errors import MaskError, OptionError
from devos.evaluation.figures import strips

NUM_FRAMES = 20


def disc(left: int, width: int = 10, value: int = 1) -> np.ndarray:
    labels = np.zeros((30, 60), np.uint8)
    labels[10:20, left : left + width] = value
    return labels


def write(folder: Path, maps: list[np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for index, labels in enumerate(maps):
        Image.fromarray(labels).save(folder / f"{index:05d}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sequence of twenty frames whose object stands still, in DAVIS's layout."""
    home = tmp_path / "data"
    (home / "JPEGImages" / "480p" / "ant").mkdir(parents=True)
    for index in range(NUM_FRAMES):
        Image.fromarray(np.full((30, 60, 3), 90, np.uint8)).save(
            home / "JPEGImages" / "480p" / "ant" / f"{index:05d}.jpg"
        )
    write(home / "Annotations" / "480p" / "ant", [disc(10, value=255)] * NUM_FRAMES)
    return home


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Path]:
    """Two methods that agree but on frames 4, 5, 11 and 18: most on 5, then on 18 and 11, then on 4."""
    moved = {4: 3, 5: 9, 11: 4, 18: 6}
    write(tmp_path / "still" / "ant", [disc(10)] * NUM_FRAMES)
    write(tmp_path / "moving" / "ant", [disc(10 + moved.get(index, 0), value=2 if index % 2 else 1)
                                        for index in range(NUM_FRAMES)])  # fmt: skip
    return {"still": tmp_path / "still", "moving": tmp_path / "moving"}


def compare(root: Path, results: dict[str, Path], *, truth: bool = False) -> strips.Comparison:
    (video,) = find_videos(root)
    return strips.compare(video, results, truth=truth, single_object=True)


def test_frames_are_chosen_where_the_methods_differ_most(root, results):
    comparison = compare(root, results)
    assert strips.choose_frames(comparison, 1) == (5,)
    assert strips.choose_frames(comparison, 2) == (5, 18)
    assert strips.choose_frames(comparison, 3) == (5, 11, 18)


def test_chosen_frames_are_spread():
    values = [0.0] * 10 + [0.9, 1.0, 0.8, 0.7] + [0.0] * 4 + [0.1, 0.0]
    assert strips.most_different(values, 2) == (11, 18)
    assert strips.most_different(values, 4) == (0, 11, 13, 18)


@pytest.mark.parametrize("count", [1, 3, 7, 10, 19, 20, 30])
def test_as_many_frames_are_chosen_as_there_are_or_are_asked_for(count):
    values = np.random.default_rng(count).random(20).tolist()
    chosen = strips.most_different(values, count)
    assert len(set(chosen)) == min(count, 20)
    assert list(chosen) == sorted(chosen)


def test_disagreement_is_one_minus_iou_meant_over_objects_and_pairs():
    a, b, c = (disc(left).astype(np.uint16) for left in (10, 10, 15))
    assert strips.disagreement([a, b]) == 0
    assert strips.disagreement([a, c]) == pytest.approx(1 - 5 / 15)
    assert strips.disagreement([a, b, c]) == pytest.approx(2 / 3 * (1 - 5 / 15))
    two = a.copy()
    two[0:5, 0:5] = 2
    assert strips.disagreement([a, two]) == pytest.approx((0 + 1) / 2)
    assert strips.disagreement([np.zeros_like(a)] * 2) == 0


def test_a_single_method_differs_from_the_truth(root, results):
    comparison = compare(root, {"moving": results["moving"]}, truth=True)
    assert strips.choose_frames(comparison, 2) == (5, 18)
    with pytest.raises(OptionError, match="--most-different needs two methods"):
        strips.choose_frames(compare(root, {"moving": results["moving"]}), 2)


def test_any_value_is_the_object_where_there_is_a_single_one(root, results):
    (video,) = find_videos(root)
    assert strips.is_single_object(video)
    merged = strips.compare(video, results, truth=True, single_object=True)
    assert np.unique(merged.labels("moving", 1)).tolist() == [0, 1]
    assert np.unique(merged.labels("truth", 1)).tolist() == [0, 1]
    apart = strips.compare(video, results, truth=True, single_object=False)
    assert np.unique(apart.labels("moving", 1)).tolist() == [0, 2]
    assert np.unique(apart.labels("truth", 1)).tolist() == [0]


def test_a_method_without_all_masks_is_told_in_one_line(root, results):
    (results["moving"] / "ant" / "00007.png").unlink()
    (results["moving"] / "ant" / "00019.png").unlink()
    with pytest.raises(MaskError, match=r"^moving: 2 of 20 frames \(00007, 00019\) of sequence ant have no mask in"):
        compare(root, results)


def test_masks_of_another_size_are_refused(root, results):
    Image.fromarray(np.zeros((15, 30), np.uint8)).save(results["still"] / "ant" / "00003.png")
    with pytest.raises(MaskError, match=r"00003.png is 30x15, but its frame is 60x30"):
        strips.strips_page([(compare(root, results), (3,))])


def test_the_page_has_a_row_for_each_method_and_a_column_for_each_frame(root, results):
    comparison = compare(root, results, truth=True)
    page = strips.strips_page([(comparison, (2, 5))])
    panels = (page == 90).all(2)  # the ground of every frame
    rows, columns = panels.any(1).astype(int), panels.any(0).astype(int)
    assert (np.diff(rows) == 1).sum() == 3
    assert (np.diff(columns) == 1).sum() == 2
    both = strips.strips_page([(comparison, (2, 5)), (comparison, (1, 6))])
    assert both.shape[1] == page.shape[1]
    assert ((both == 90).all(2).any(1).astype(int)[1:] - (both == 90).all(2).any(1).astype(int)[:-1] == 1).sum() == 6


def test_the_film_shows_every_frame(root, results):
    pages = list(strips.film_pages(compare(root, results)))
    assert len(pages) == NUM_FRAMES
    assert len({page.shape for page in pages}) == 1


def test_a_frame_or_sequence_that_is_not_there_is_refused(root, results):
    with pytest.raises(OptionError, match="sequence ant has the frames 0 to 19, but not 20"):
        compare(root, results).checked((3, 20))
    with pytest.raises(OptionError, match="there is no sequence bee; choose --sequence among ant"):
        strips.pick(find_videos(root), ["bee"])


def test_no_method_is_called_truth(root, results):
    with pytest.raises(OptionError, match="cannot be called 'truth'"):
        compare(root, {"truth": results["still"]})
