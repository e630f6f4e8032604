"""Rows on a CPU and `grid_sample` elsewhere read the same; both are held against loops in test_attention."""

from __future__ import annotations

import pytest
import torch

from devos.model.sampling import Part, Places, correlations, places, weighted_sums

HEADS, WIDTH, SLOTS = 2, 6, 3


def look(size: tuple[int, int], parts: list[Part], images: int = 2, seed: int = 0) -> Places:
    """Points around every query, some beyond the border."""
    g = torch.Generator().manual_seed(seed)
    h, w = size
    grid = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(h), indexing="xy"), -1).double()
    total = sum(part.points for part in parts)
    points = grid[:, :, None] + 2 * torch.randn(images, HEADS, h, w, total, 2, generator=g, dtype=torch.float64)
    return places(points.requires_grad_(), parts)


def rand(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def on_grids(at: Places) -> Places:
    assert at.taps is not None
    return at._replace(taps=None)


def grids(size: tuple[int, int], coarse: bool) -> list[Part]:
    h, w = size
    return [Part(3, 1, (h, w)), *([Part(2, 2, (h // 2, w // 2))] if coarse else [])]


@pytest.mark.parametrize("size, coarse", [((4, 6), False), ((4, 6), True), ((2, 8), True), ((1, 5), False),
                                          ((3, 1), False), ((1, 1), False)])  # fmt: skip
def test_rows_give_the_same_correlations_and_gradients_as_maps(size, coarse):
    parts = grids(size, coarse)
    at = look(size, parts)
    query, keys = rand(2, WIDTH, *size), [rand(2, WIDTH, *part.size, seed=7 + i) for i, part in enumerate(parts)]
    found = [correlations(query, keys, each) for each in (at, on_grids(at))]
    torch.testing.assert_close(*found)
    gradients = [torch.autograd.grad(f.square().sum(), [at.points, query, *keys], retain_graph=True) for f in found]
    for rows, maps in zip(*gradients, strict=True):
        torch.testing.assert_close(rows, maps)
        assert rows.any() or size == (1, 1)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("coarse", [False, True])
def test_rows_give_the_same_sums_and_gradients_as_maps(groups, coarse):
    size = (4, 6)
    parts = grids(size, coarse)
    at = look(size, parts)
    embeddings = [rand(2 * groups, WIDTH, *part.size, seed=3 + i) for i, part in enumerate(parts)]
    masks = [rand(2 * groups, SLOTS, *part.size, seed=5 + i) for i, part in enumerate(parts)]
    weights = rand(2, HEADS, *size, sum(part.points for part in parts), seed=9)
    found = [weighted_sums(embeddings, masks, weights, each) for each in (at, on_grids(at))]
    torch.testing.assert_close(*found)
    inputs = [at.points, weights, *embeddings, *masks]
    gradients = [torch.autograd.grad(e.square().sum() + m.sum(), inputs, retain_graph=True) for e, m in found]
    for rows, maps in zip(*gradients, strict=True):
        torch.testing.assert_close(rows, maps)
        assert rows.any()


def test_while_a_graph_for_another_runtime_is_made_maps_are_read(monkeypatch):
    assert look((4, 6), grids((4, 6), True)).taps is not None
    monkeypatch.setattr(torch.jit, "is_tracing", lambda: True)  # jaxtyping cannot check shapes in a true trace
    assert look((4, 6), grids((4, 6), True)).taps is None


def test_a_point_that_is_no_number_is_read_as_no_number_and_breaks_nothing():
    size = (4, 6)
    parts = grids(size, coarse=True)
    points = look(size, parts).points.detach().clone()
    points[0, 0, 1, 2, 0, 0] = torch.nan
    points[1, 0, 1, 2, 0, 1] = torch.inf
    at = places(points, parts)
    found = correlations(rand(2, WIDTH, *size), [rand(2, WIDTH, *part.size) for part in parts], at)
    assert found[0, 0, 1, 2, 0].isnan()
    assert found[0, 0, 0].isfinite().all() and found[0, 1, 2].isfinite().all()


def test_half_precision_looks_at_the_very_same_cells():
    """A large grid has more rows than half precision can count, and more columns than it can tell apart."""
    size = (40, 330)
    parts = grids(size, coarse=True)
    points = look(size, parts, images=1).points.detach().float()
    exact = places(points, parts)
    with torch.autocast("cpu", torch.bfloat16):
        half = places(points, parts)
    assert exact.taps is not None and half.taps is not None
    assert torch.equal(half.taps.rows, exact.taps.rows)
    assert torch.equal(half.taps.shares, exact.taps.shares)
