from __future__ import annotations

import pytest

from devos.model.config import ModelConfig


@pytest.fixture
def tiny() -> ModelConfig:
    return ModelConfig(
        name="devos-tiny", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8,
        heads=(2, 4, 4), points=(3, 3, 4), coarse_points=(2, 2, 0),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    """What is known of videos is kept in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
