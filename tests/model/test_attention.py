"""ADVA and long-term matching against loops over queries, heads and points, written from the formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from devos.model.attention import Adva, LongTermMatching
from devos.model.config import Matching

SLOTS = 3


def randomise(module, generator):
    """Every weight takes part: those that start at zero too."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module.double()


def rand(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def masks(generator, *shape):
    return rand(generator, *shape).softmax(1)


def array(tensor):
    return tensor.detach().numpy()


def layer_norm(x, norm):
    deviation = math.sqrt(sum((v - x.mean()) ** 2 for v in x) / len(x) + norm.eps)
    return np.array([(v - x.mean()) / deviation for v in x]) * array(norm.weight) + array(norm.bias)


def linear(conv, x):
    """A 1x1 convolution of one cell."""
    y = array(conv.weight)[:, :, 0, 0] @ x
    return y if conv.bias is None else y + array(conv.bias)


def each_cell(function, plane):
    """`function` of the channels of every cell of c h w."""
    _, height, width = plane.shape
    rows = [[function(plane[:, y, x]) for x in range(width)] for y in range(height)]
    return np.array(rows).transpose(2, 0, 1)


def bilinear(plane, x, y):
    """c h w at a point in cells; beyond the border the border's value."""
    _, height, width = plane.shape
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    x0, y0 = math.floor(x), math.floor(y)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    top = (1 - fx) * plane[:, y0, x0] + fx * plane[:, y0, x1]
    bottom = (1 - fx) * plane[:, y1, x0] + fx * plane[:, y1, x1]
    return (1 - fy) * top + fy * bottom


def depthwise(conv, plane):
    """A 5x5 convolution of each channel, zeros around."""
    channels, height, width = plane.shape
    out = np.zeros_like(plane)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                total = array(conv.bias)[c]
                for dy in range(-2, 3):
                    for dx in range(-2, 3):
                        if 0 <= y + dy < height and 0 <= x + dx < width:
                            total += array(conv.weight)[c, 0, dy + 2, dx + 2] * plane[c, y + dy, x + dx]
                out[c, y, x] = total
    return out


def gelu(x):
    return np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))))(x)


def softmax(scores):
    powers = [math.exp(s - max(scores)) for s in scores]
    return [p / sum(powers) for p in powers]


def slow_adva(adva, current, previous, forward, backward, flow, values, coarse):
    """One image and one group of objects: (embedding, mask)."""
    query_map = each_cell(lambda x: layer_norm(x, adva.norm_query),
                          current + each_cell(lambda x: linear(adva.inject_forward, x), forward))  # fmt: skip
    key_map = each_cell(lambda x: layer_norm(x, adva.norm_key),
                        previous + each_cell(lambda x: linear(adva.inject_backward, x), backward))  # fmt: skip
    keys = each_cell(lambda x: linear(adva.key, x), key_map)
    shape = each_cell(lambda x: linear(adva.shape[2], x), gelu(depthwise(adva.shape[0], query_map)))
    own_values, own_masks = values[: adva.width], values[adva.width :]
    if coarse is not None:
        coarse_keys = each_cell(lambda x: linear(adva.coarse_key, x), coarse[0])
        coarse_width = adva.coarse_value.in_channels
        coarse_values = each_cell(lambda x: linear(adva.coarse_value, x), coarse[1][:coarse_width])
        coarse_masks = coarse[1][coarse_width:]
    total, d = adva.points + adva.coarse_points, adva.width // adva.heads
    _, height, width = current.shape
    embedding, mask = np.zeros_like(current), np.zeros((adva.slots, height, width))
    for y in range(height):
        for x in range(width):
            query, read = linear(adva.query, query_map[:, y, x]), np.zeros(adva.width)
            for head in range(adva.heads):
                part = slice(head * d, (head + 1) * d)
                scores, found, found_masks = [], [], []
                for point in range(total):
                    dx, dy = shape[2 * (head * total + point) : 2 * (head * total + point) + 2, y, x]
                    px, py = x + flow[0, y, x] + dx, y + flow[1, y, x] + dy
                    key_from, value_from, mask_from = keys, own_values, own_masks
                    if point >= adva.points:
                        px, py = (px + 0.5) / 2 - 0.5, (py + 0.5) / 2 - 0.5
                        key_from, value_from, mask_from = coarse_keys, coarse_values, coarse_masks
                    product = query[part] @ bilinear(key_from, px, py)[part] / math.sqrt(d)
                    scores.append(product * math.exp(adva.sharpness.item()) + adva.point_bias[head, point].item())
                    found.append(bilinear(value_from, px, py)[part])
                    found_masks.append(bilinear(mask_from, px, py))
                weights = softmax(scores)
                read[part] = sum(w * v for w, v in zip(weights, found, strict=True))
                mask[:, y, x] += sum(w * m for w, m in zip(weights, found_masks, strict=True)) / adva.heads
            embedding[:, y, x] = current[:, y, x] + linear(adva.project, read)
    return embedding, mask


@pytest.mark.parametrize("coarse_points", [0, 2])
@pytest.mark.parametrize("groups", [1, 3])
def test_adva_equals_a_loop_over_queries_heads_and_points(groups, coarse_points):
    g = torch.Generator().manual_seed(groups)
    b, c, coarse_width, h, w = 2, 4, 6, 4, 6
    adva = randomise(Adva(c, coarse_width, 2, 3, coarse_points, SLOTS), g)
    current, previous, forward, backward = (rand(g, b, c, h, w) for _ in range(4))
    flow = 2 * rand(g, b, 2, h, w)  # some queries look beyond the border
    values = torch.cat([rand(g, b * groups, c, h, w), masks(g, b * groups, SLOTS, h, w)], 1)
    coarse_keys = rand(g, b, coarse_width, h // 2, w // 2)
    coarse_values = torch.cat([rand(g, b * groups, coarse_width, h // 2, w // 2),
                               masks(g, b * groups, SLOTS, h // 2, w // 2)], 1)  # fmt: skip
    region, _ = adva.look(current, previous, forward, backward, flow, coarse_keys if coarse_points else None)
    read = adva(current, region, values, coarse_values if coarse_points else None)
    for row in range(b * groups):
        image = row // groups
        pair = (array(coarse_keys[image]), array(coarse_values[row])) if coarse_points else None
        embedding, mask = slow_adva(adva, *(array(m[image]) for m in (current, previous, forward, backward, flow)),
                                    array(values[row]), pair)  # fmt: skip
        np.testing.assert_allclose(array(read.embedding[row]), embedding, atol=1e-9)
        np.testing.assert_allclose(array(read.mask[row]), mask, atol=1e-9)


def test_what_adva_reads_of_the_masks_stays_a_probability():
    g = torch.Generator().manual_seed(4)
    adva = randomise(Adva(4, 4, 2, 5, 0, SLOTS), g)
    values = torch.cat([rand(g, 1, 4, 5, 5), masks(g, 1, SLOTS, 5, 5)], 1)
    current, *others = (rand(g, 1, 4, 5, 5) for _ in range(4))
    region, _ = adva.look(current, *others, rand(g, 1, 2, 5, 5), None)
    read = adva(current, region, values, None)
    assert (read.mask >= 0).all()
    torch.testing.assert_close(read.mask.sum(1), torch.ones(1, 5, 5, dtype=torch.float64))


def test_flow_moves_the_whole_sampling_region_and_leaves_its_shape():
    g = torch.Generator().manual_seed(5)
    adva = randomise(Adva(4, 4, 2, 5, 0, SLOTS), g)
    query, keys = rand(g, 1, 4, 3, 4), rand(g, 1, 4, 3, 4)
    flow = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    still = adva.sample(query, keys, flow, None).points
    flow[:, 0], flow[:, 1] = 2, -1
    moved = adva.sample(query, keys, flow, None).points
    torch.testing.assert_close(moved - still, torch.tensor([2.0, -1.0], dtype=torch.float64).expand_as(still))


def test_before_training_every_head_looks_at_a_disk_around_the_query():
    adva = Adva(8, 8, 2, 7, 3, SLOTS)
    points = adva.sample(torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4), torch.zeros(1, 2, 4, 4),
                         torch.randn(1, 8, 2, 2)).points  # fmt: skip
    distance = (points[0, :, 1, 2] - torch.tensor([2.0, 1.0])).norm(dim=-1)
    assert distance[:, 0].max() < 1e-5
    assert distance[:, :7].max().item() == pytest.approx(3.5, abs=1e-4)
    assert distance[:, 7:].max().item() == pytest.approx(4.0, abs=1e-4)


@pytest.mark.parametrize("groups", [1, 3])
def test_long_term_matching_equals_a_loop_over_queries_and_remembered_cells(groups):
    g = torch.Generator().manual_seed(groups)
    b, c, h, w, n = 2, 4, 2, 3, 7
    matching = randomise(LongTermMatching(c, SLOTS), g)
    features, keys = rand(g, b, c, h, w), rand(g, b, n, c)
    values = rand(g, b, n, groups * (c + SLOTS))
    read = matching(features, keys, values)
    sharpness = math.exp(matching.sharpness.item())
    for row in range(b * groups):
        image, group = divmod(row, groups)
        own = array(values[image])[:, group * (c + SLOTS) : (group + 1) * (c + SLOTS)]
        for y in range(h):
            for x in range(w):
                query = linear(matching.query, layer_norm(array(features[image, :, y, x]), matching.norm))
                weights = softmax([sharpness * query @ array(key) / math.sqrt(c) for key in keys[image]])
                found = sum(weight * value for weight, value in zip(weights, own, strict=True))
                np.testing.assert_allclose(array(read.embedding[row, :, y, x]), linear(matching.project, found[:c]),
                                           atol=1e-9)  # fmt: skip
                np.testing.assert_allclose(array(read.mask[row, :, y, x]), found[c:], atol=1e-9)


def test_a_frame_is_remembered_by_a_projection_of_its_normalised_cells():
    g = torch.Generator().manual_seed(6)
    matching = randomise(LongTermMatching(4, SLOTS), g)
    features = rand(g, 1, 4, 2, 3)
    keys = array(matching.keys(features))[0]
    cells = [features[0, :, y, x] for y in range(2) for x in range(3)]
    expected = [linear(matching.key, layer_norm(array(cell), matching.norm)) for cell in cells]
    np.testing.assert_allclose(keys, np.array(expected), atol=1e-9)


QUERY_AT = (2.0, 1.0)


def region(matching: Matching, flow_x: float = 0.0, seed: int = 6) -> torch.Tensor:
    """Where the query at cell x 2, y 1 looks, less its own place: m p 2."""
    g = torch.Generator().manual_seed(seed)
    adva = randomise(Adva(4, 4, 2, 5, 0, SLOTS, matching), torch.Generator().manual_seed(0))
    flow = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    flow[:, 0] = flow_x
    points = adva.sample(rand(g, 1, 4, 3, 4), rand(g, 1, 4, 3, 4), flow, None).points
    return points[0, :, 1, 2] - torch.tensor(QUERY_AT, dtype=torch.float64)


def test_without_flow_offsets_the_flow_leaves_the_region_where_it_is():
    without = Matching(flow_offsets=False)
    torch.testing.assert_close(region(without, flow_x=2), region(without))
    assert not torch.equal(region(Matching(), flow_x=2), region(Matching()))


def test_without_semantic_offsets_the_region_is_the_same_disk_for_every_query_and_flow_moves_it():
    disk = Matching(semantic_offsets=False)
    assert region(disk).norm(dim=-1).max().item() == pytest.approx(3.5, abs=1e-4)
    torch.testing.assert_close(region(disk, seed=7), region(disk))
    assert not torch.equal(region(Matching(), seed=7), region(Matching()))
    torch.testing.assert_close(
        region(disk, flow_x=2) - region(disk), torch.tensor([2.0, 0.0], dtype=torch.float64).expand(2, 5, 2)
    )


def test_a_window_is_the_square_of_cells_around_the_query():
    square = region(Matching(window=3, flow_offsets=False), flow_x=2)
    cells = {(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)}
    for head in square:
        assert {(x, y) for x, y in head.tolist()} == cells


def test_without_injection_motion_embeddings_change_neither_queries_nor_keys():
    g = torch.Generator().manual_seed(8)
    maps = [rand(g, 1, 4, 3, 4) for _ in range(6)]
    without = randomise(Adva(4, 4, 2, 5, 0, SLOTS, Matching(flow_injection=False)), g)
    one, other = without.queries_and_keys(*maps[:4]), without.queries_and_keys(*maps[:2], *maps[4:])
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    whole = randomise(Adva(4, 4, 2, 5, 0, SLOTS), g)
    assert not torch.equal(whole.queries_and_keys(*maps[:4])[0], whole.queries_and_keys(*maps[:2], *maps[4:])[0])


def test_with_a_kernel_a_remembered_cell_is_read_near_where_it_is_found_best():
    far, near = kernel_read(kernel=None), kernel_read(kernel=2.0)
    assert far[0] > 0.8 and far[1] > 0.8, "both ends of the row look like the object"
    assert near[0] > 0.8 and near[1] < 0.1, "only the one that it resembles most has it"


def test_a_wide_kernel_is_no_kernel():
    assert kernel_read(kernel=1e4) == pytest.approx(kernel_read(kernel=None), abs=1e-3)


def kernel_read(kernel: float | None) -> list[float]:
    """How much of a remembered object is read at the two ends of a row of cells that both look like it, the left one a
    little more.
    """
    matching = LongTermMatching(4, SLOTS, kernel)
    matching.norm = torch.nn.Identity()
    for projection in (matching.query, matching.key):
        projection.weight.data = torch.eye(4)[:, :, None, None]
    matching.sharpness.data = torch.tensor(3.0)
    features = torch.zeros(1, 4, 1, 20)
    features[0, 0] = -1
    features[0, :, 0, 0] = torch.tensor([1.0, 0.1, 0, 0])
    features[0, :, 0, -2] = torch.tensor([-1.0, 0, 1, 0])
    features[0, :, 0, -1] = torch.tensor([1.0, 0, 0, 0])
    keys = torch.tensor([[[1.0, 0.2, 0, 0], [-1, 0, 1, 0]]])
    values = torch.zeros(1, 2, 4 + SLOTS)
    values[0, 0, 4 + 1] = values[0, 1, 4] = 1
    mask = matching(features, keys, values).mask[0, 1, 0]
    return [mask[0].item(), mask[-1].item()]
