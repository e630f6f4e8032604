from __future__ import annotations

import numpy as np
import pytest

from devos.evaluation.measures.mose import fractional_disk, runs_of_absence, score_mask_mose2


def mask_of(points, size):
    mask = np.zeros(size, bool)
    if isinstance(points, dict):
        top, bottom, left, right = points["bbox_y0y1x0x1"]
        mask[top:bottom, left:right] = True
    else:
        for y, x in points:
            mask[y, x] = True
    return mask


def ellipse(size, centre_y, centre_x, radius_y, radius_x):
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    return np.hypot((x - centre_x) / radius_x, (y - centre_y) / radius_y) <= 1


def test_single_frames_score_as_in_the_official_program(official):
    for unit in official["units"]["pairs"]:
        truth, predicted = (mask_of(unit[key], unit["size"]) for key in ("gt", "pred"))
        wanted = [unit[f"mosev2_{name}"] for name in ("J", "F_dot", "F")]
        assert score_mask_mose2(predicted, truth) == pytest.approx(wanted, abs=1e-12), unit["name"]


def test_both_radii_are_the_officials_on_objects_of_every_size(official):
    for unit in official["units"]["adaptive"]:
        truth, predicted = (ellipse(unit["size"], *unit[f"{key}_ellipse_cy_cx_ry_rx"]) for key in ("gt", "pred"))
        assert (truth.sum(), predicted.sum()) == (unit["gt_area"], unit["pred_area"])
        _, strict, classic = score_mask_mose2(predicted, truth)
        assert (strict, classic) == pytest.approx((unit["mosev2_F_dot"], unit["mosev2_F"]), abs=1e-12)


def test_a_disk_of_a_broken_radius_has_the_officials_size_and_area(official):
    for radius, unit in official["units"]["fractional_disks"].items():
        disk = fractional_disk(float(radius))
        assert (list(disk.shape), int(disk.sum())) == (unit["kernel_size"], unit["area"]), radius


def test_an_object_that_is_never_away_has_no_figures_of_absence():
    assert runs_of_absence([(0.5, 0.5, 0.5)] * 3, [1, 2, 3], [True] * 3) == {}


def test_each_run_of_absence_weighs_the_same_and_the_first_is_no_disappearing():
    present = [False, True, True, False, True, False, False]
    values = [(value, value, 0.0) for value in (0.1, 0.2, 0.4, 0.6, 0.8, 0.2, 0.4)]
    figures = runs_of_absence(values, range(7), present)
    assert figures["disappear J"] == pytest.approx((0.6 + 0.3) / 2)
    assert figures["reappear F_dot"] == pytest.approx((0.3 + 0.8) / 2)
