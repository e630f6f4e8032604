from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from devos.engine.segmenter import Segmenter
from devos.runtimes import cache as module
from devos.runtimes import export
from devos.runtimes.cache import cached_graphs


def test_graphs_are_kept_for_the_same_weights_and_made_anew_when_damaged_or_for_others(
    on_torch: Segmenter, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def graph(module: object, name: str, config: object, path: Path) -> None:
        made.append(name)
        path.write_bytes(name.encode())

    monkeypatch.setattr(export, "_export", graph)  # the real ones take seconds
    first = cached_graphs(on_torch.model, "a" * 64, "gather")
    assert first.parent == cache and made == ["encode", "look", "match", "refine", "memorise"]
    assert cached_graphs(on_torch.model, "a" * 64, "gather") == first and len(made) == 5
    (first / "match.onnx").write_bytes(b"mat")
    assert cached_graphs(on_torch.model, "a" * 64, "gather") == first and len(made) == 10
    assert (first / "match.onnx").read_bytes() == b"match"
    (first / "manifest.json").write_text("{}")
    assert cached_graphs(on_torch.model, "a" * 64, "gather") == first and len(made) == 15
    others = {cached_graphs(on_torch.model, "b" * 64, "gather"), cached_graphs(on_torch.model, "a" * 64, "grid")}
    assert len({first, *others}) == 3 and len(made) == 25
    assert {path.name for path in cache.iterdir()} == {path.name for path in (first, *others)}  # no scratch is left


def test_graphs_that_nobody_uses_any_more_are_removed_when_others_are_made(
    on_torch: Segmenter, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_export", lambda *graph: graph[-1].write_bytes(b"graph"))
    monkeypatch.setattr(module, "_KEPT", 2)
    made = [cached_graphs(on_torch.model, f"{i}" * 64, "gather") for i in range(4)]
    assert all(path.is_dir() for path in made)  # all are of today
    for days, path in enumerate(made):
        os.utime(path, (time.time() - (days + 2) * 86400,) * 2)
    (cache / "mine").mkdir(exist_ok=True)
    cached_graphs(on_torch.model, "0" * 64, "gather")  # used again
    newest = cached_graphs(on_torch.model, "9" * 64, "gather")
    assert newest.is_dir() and [path.is_dir() for path in made] == [True, False, False, False]
    assert (cache / "mine").is_dir()  # no graphs


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DEVOS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert module.cache_folder() == tmp_path / "devos" / "graphs"
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "own"))
    assert module.cache_folder() == tmp_path / "own" / "graphs"


def test_where_the_cache_cannot_be_written_graphs_are_made_for_this_process_once_and_that_is_told(
    on_torch: Segmenter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    made = []
    monkeypatch.setattr(export, "_export", lambda *graph: (made.append(1), graph[-1].write_bytes(b"graph")))
    (tmp_path / "file").touch()
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "file"))  # no folder can be made in it
    folder = cached_graphs(on_torch.model, "c" * 64, "gather")
    assert folder.is_dir() and folder.parent.name.startswith("devos-graphs-") and len(made) == 5
    assert cached_graphs(on_torch.model, "c" * 64, "gather") == folder and len(made) == 5
    assert "for this run alone" in caplog.text and "cannot be written" in caplog.text
