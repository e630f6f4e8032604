from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devos.cli.main import app


@pytest.fixture
def devos() -> Callable[..., Any]:
    """Run a command in this process; a bug in it is a traceback, not an exit code."""

    def run(*arguments: object) -> Any:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)

    return run


@pytest.fixture
def segment(devos: Callable[..., Any], clip: Path, weights: Path, tmp_path: Path) -> Callable[..., Any]:
    """`devos segment` on the small clip with random weights, each part of it replaceable."""

    def run(*options: object, video: str = "clip.mp4", masks: str = "first.png", model: Path = weights) -> Any:
        return devos(
            "segment",
            clip / video,
            "-m",
            clip / masks,
            "-o",
            tmp_path / "out",
            "--model",
            model,
            "--size",
            64,
            *options,
        )

    return run
