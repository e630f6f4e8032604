from __future__ import annotations

import importlib.abc
import json
import sys

import pytest


def test_the_parts_add_up_to_the_network(devos, weights):
    from devos.model.config import devos_t
    from devos.model.devos import DeVOS

    result = devos("info", "devos-t", "--json")
    report = json.loads(result.stdout)
    parts = {part["name"]: part for part in report["parts"]}
    assert report["inner"] == [384, 672]
    assert sum(part["parameters"] for part in parts.values()) == report["total"]["parameters"]
    assert report["total"]["parameters"] == sum(p.numel() for p in DeVOS(devos_t()).parameters())
    # EfficientNet-Lite0 has 0.385 G multiply-adds up to its last block at 224x224
    assert parts["image encoder: backbone"]["multiply_adds"] == pytest.approx(1.9e9, rel=0.1)
    assert all(part["multiply_adds"] > 0 for part in parts.values())


def test_a_fuller_bank_costs_more_in_long_term_matching_only_and_soon_only_at_stride_32(devos):
    one, two, four = (
        json.loads(devos("info", "devos-t", "--json", "--bank", bank).stdout)["parts"] for bank in (1, 2, 4)
    )

    def dearer(few, many):
        return {a["name"] for a, b in zip(few, many, strict=True) if b["multiply_adds"] > a["multiply_adds"]}

    assert dearer(one, two) == {"long-term, stride 16", "long-term, stride 32"}
    assert dearer(two, four) == {"long-term, stride 32"}


def test_a_weights_file_is_a_model_too(devos, weights):
    result = devos("info", weights, "--size", 128)
    assert result.exit_code == 0 and "devos-t" in result.stdout and "total" in result.stdout


def test_an_unknown_model_is_refused_with_those_that_are_known(devos):
    result = devos("info", "devos-x")
    assert result.exit_code == 2 and "devos-t, devos-b, devos-l" in result.stderr


def test_a_model_that_needs_transformers_says_so_where_it_is_missing(devos, monkeypatch):
    class Missing(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name == "transformers":
                raise ModuleNotFoundError("No module named 'transformers'", name="transformers")

    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    result = devos("info", "devos-b")
    assert result.exit_code == 2 and "pip install" in result.stderr and "transformers" in result.stderr
