from __future__ import annotations

from pathlib import Path

import pytest

from devos.data import fact_cache
from devos.data.fact_cache import default_cache
from devos.evaluation.cache import default_folder
from devos.runtimes.cache import cache_folder
from devos.user_cache import source_hash, user_cache


def test_the_users_own_place_counts_before_the_systems_and_that_before_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "common"))
    assert user_cache("data") == tmp_path / "own" / "data"
    monkeypatch.setenv("DEVOS_CACHE", "")
    assert user_cache("data") == tmp_path / "common" / "devos" / "data"
    for unset in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert user_cache("data") == Path.home() / ".cache" / "devos" / "data"


def test_a_relative_place_is_below_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVOS_CACHE", "mine")
    assert user_cache("data") == tmp_path / "mine" / "data"


@pytest.mark.parametrize("place", ["own", "common", "home"])
def test_facts_scores_and_graphs_are_kept_side_by_side(monkeypatch, tmp_path, place):
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "own") if place == "own" else "")
    monkeypatch.setenv("XDG_CACHE_HOME", "" if place == "home" else str(tmp_path / "common"))
    folders = [default_cache(), default_folder(), cache_folder()]
    assert [folder.name for folder in folders] == ["data", "scores", "graphs"]
    assert len({folder.parent for folder in folders}) == 1


def test_what_is_kept_is_found_by_the_source_that_made_it():
    one, more = source_hash("io/mask_*.py"), source_hash("io/mask_*.py", "data/catalog.py")
    assert one != more and source_hash("io/mask_*.py") == one
    with pytest.raises(AssertionError, match="no source at io/none"):
        source_hash("io/none*.py")


def test_facts_of_data_are_found_anew_where_masks_are_read_by_other_rules(tmp_path, monkeypatch):
    before = fact_cache.fingerprint(["video"], [tmp_path])
    assert fact_cache.fingerprint(["video"], [tmp_path]) == before
    monkeypatch.setattr(fact_cache, "source_hash", lambda *patterns: "another")
    assert fact_cache.fingerprint(["video"], [tmp_path]) != before
