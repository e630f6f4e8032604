from __future__ import annotations

import numpy as np
import pytest
import torch

from devos.engine.segmenter import Segmenter, load
from devos.engine.session import Session
from devos.evaluation.figures.matching import Grid, View, watch
from devos.flow.estimator import DisFlow
from devos.frames import Frame, FrameSize
from devos.image import network_size, resize_rgb, to_tensor
from devos.model.attention import Region

HEIGHT, WIDTH = 72, 144


@pytest.fixture(scope="module", autouse=True)
def every_frame_enters_the_bank():
    """A network that has learnt nothing soon sees no object, and what shows nothing is not remembered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devos.model.memory._shows_something", lambda _: True)
        yield


@pytest.fixture(scope="module")
def film() -> list[Frame]:
    """Eight frames, twice as wide as high: a bright square slides to the right over noise."""
    ground = np.random.default_rng(3).integers(0, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames = []
    for index in range(8):
        rgb = ground.copy()
        rgb[20:50, 10 + 4 * index : 40 + 4 * index] = (230, 200, 40)
        frames.append(Frame(index, index / 24, f"{index:05d}", rgb))
    return frames


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[20:50, 10:40] = 1
    return labels


@pytest.fixture(scope="module")
def segmenter(weights) -> Segmenter:
    return load(weights, size=64, memory_every=2, bank=3, device="cpu")


@pytest.fixture(scope="module")
def view(film, mask, segmenter) -> View:
    """What is looked at on the last frame, with three frames in the bank."""
    found = list(watch(film, {0: mask}, segmenter, 7, 7))
    assert found[:7] == [None] * 7
    assert found[7] is not None
    return found[7]


@pytest.mark.parametrize("stride", [16, 32])
def test_attention_of_a_query_over_all_remembered_frames_sums_to_one(view, stride):
    maps = view.attention((100.0, 30.0), stride)
    assert maps.shape == (3, 64 // stride, 128 // stride)
    assert maps.min() >= 0
    assert maps.sum() == pytest.approx(1, abs=1e-5)


def test_of_a_frame_that_is_not_read_at_a_stride_nothing_is_taken_there(film, mask, segmenter):
    *_, view = watch(film, {0: mask}, segmenter.with_settings(fine_bank=1), 7, 7)
    fine, coarse = (view.attention((100.0, 30.0), stride).sum((1, 2)) for stride in (16, 32))
    assert fine[1] == 0 and fine[[0, 2]].min() > 0 and fine.sum() == pytest.approx(1, abs=1e-5)
    assert coarse.min() > 0


def test_attention_is_that_of_the_cell_that_holds_the_point(view):
    # 144 x 72 pixels are 8 x 4 cells of stride 16, 18 pixels each: pixel (100, 30) lies in column 5, row 1.
    expected = view.weights[16][0, 1 * 8 + 5].reshape(3, 4, 8).numpy()
    np.testing.assert_allclose(view.attention((100.0, 30.0), 16), expected)


def test_the_bank_s_frames_come_with_their_pictures(view, film):
    assert [frame.index for frame in view.remembered] == [0, 4, 6]
    assert [masks.index for masks in view.remembered_masks] == [0, 4, 6]
    assert view.previous is film[6]
    assert view.current is film[7]


def test_watching_changes_no_mask(view, film, mask, segmenter):
    masks = list(Session(segmenter).run(film, {0: mask}))
    np.testing.assert_array_equal(view.masks.labels, masks[7].labels)


def test_the_weights_are_those_that_the_network_reads_with(view, film, mask, segmenter, monkeypatch):
    read: list[Region] = []
    for adva in segmenter.model.adva.values():
        sample = adva.sample
        monkeypatch.setattr(adva, "sample", lambda *given, sample=sample: read.append(sample(*given)) or read[-1])
    list(Session(segmenter).run(film, {0: mask}))
    for stride, region in zip((32, 16, 8), read[-3:], strict=True):
        torch.testing.assert_close(view.sampled[stride].points, region.points)
        torch.testing.assert_close(view.sampled[stride].weights, region.weights)


def test_long_term_attention_gives_what_the_network_reads(view, film, mask, segmenter):
    session = Session(segmenter)
    list(session.run(film[:7], {0: mask}))
    memory = session.state.memory
    with torch.inference_mode():
        rgb = resize_rgb(film[7].rgb, network_size(film[7].size, 64))
        features = segmenter.model.image_encoder(to_tensor(rgb))
        read = segmenter.model.long_term["s32"](features.s32, memory.keys(32), memory.values(32))
        slots = read.mask.shape[1]
        by_hand = view.weights[32] @ memory.values(32)[..., -slots:]
    torch.testing.assert_close(read.mask.flatten(2).transpose(1, 2), by_hand)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_sampling_points_lie_where_the_network_samples(view, stride):
    sampling = view.sampling((100.0, 30.0), stride)
    points, weights = view.sampled[stride].points, view.sampled[stride].weights
    row, column = int(30.5 * (64 // stride) / 72), int(100.5 * (128 // stride) / 144)
    cells = points[0, :, row, column].numpy()
    # A cell of stride s is s pixels of the network's picture, of which one is 72 / 64 = 144 / 128 pixels of the frame.
    np.testing.assert_allclose(sampling.points, (cells + 0.5) * stride * 1.125 - 0.5, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(sampling.weights, weights[0, :, row, column].numpy())
    np.testing.assert_allclose(sampling.weights.sum(1), 1, atol=1e-5)
    assert sampling.num_own <= sampling.points.shape[1]


def test_points_of_an_untrained_network_surround_where_the_flow_leads(view):
    sampling = view.sampling((100.0, 30.0), 8)
    start = (np.array([11, 3]) + 0.5) * 9 - 0.5
    centre = start + view.motion((100.0, 30.0))
    np.testing.assert_allclose(sampling.points[:, 0], [centre] * len(sampling.points), atol=1e-3)


def test_flow_is_in_pixels_of_the_frame(film, mask, segmenter):
    class Right:
        name = "right"

        def estimate(self, previous, current):
            pair = DisFlow().estimate(previous, current)
            pair.to_prev[0], pair.to_prev[1] = -16, 8
            return pair

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devos.evaluation.figures.matching.create_flow", lambda *_: Right())
        (_, view) = watch(film[:2], {0: mask}, segmenter, 1, 1)
    np.testing.assert_allclose(view.motion((60.0, 20.0)), [-18, 9])


def test_cells_and_pixels_are_x_right_and_y_down():
    grid = Grid(FrameSize(480, 854), FrameSize(384, 672))
    assert grid.cell((853.0, 0.0), 16) == (0, 41)
    assert grid.cell((0.0, 479.0), 16) == (23, 0)
    middle = grid.to_frame(np.array([41.0, 0.0]), 16)
    np.testing.assert_allclose(middle, [41.5 * 854 / 42 - 0.5, 0.5 * 480 / 24 - 0.5])
    assert grid.cell((float(middle[0]), float(middle[1])), 16) == (0, 41)


def test_frames_before_any_object_have_nothing_to_be_matched_with(film, mask, segmenter):
    views = list(watch(film[:5], {2: mask}, segmenter, 1, 4))
    assert [view is not None for view in views] == [False, False, False, True, True]
    assert [frame.index for frame in views[3].remembered] == [2]
