"""The masks and the official figures that the numbers are held against."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """What functions of the official DAVIS programs give."""
    return json.loads((GOLDEN / "davis.json").read_text())


@pytest.fixture(scope="session")
def official() -> dict[str, Any]:
    """What the official programs gave for the masks, and functions of MOSE v2 for single masks."""
    return json.loads((GOLDEN / "official.json").read_text())


@pytest.fixture(scope="session")
def golden_masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of CASE/gt/SEQUENCE/00000.png and CASE/pred/SEQUENCE/00000.png."""
    folder = tmp_path_factory.mktemp("golden")
    with zipfile.ZipFile(GOLDEN / "masks.zip") as archive:
        archive.extractall(folder)
    return folder
