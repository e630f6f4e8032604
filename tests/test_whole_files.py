from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from devos.data.fact_cache import FactCache
from devos.errors import OutputError
from devos.model.checkpoint import load_weights, save_weights
from devos.training.checkpoints import save_checkpoint
from devos.whole_files import keep_text, new_folder, replacing


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond 2000 bytes; not a fixture, for pytest writes its report between a test and its end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(params=[0o022, 0o027, 0o002], ids=oct)
def umask(request) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_whatever_library_writes_it_a_file_has_the_rights_that_the_umask_gives(umask, tmp_path):
    with replacing(tmp_path / "plain.txt") as temporary:
        temporary.write_text("a")
    with replacing(tmp_path / "private.txt") as temporary:  # as some libraries do
        temporary.unlink()
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    with replacing(tmp_path / "some.safetensors") as temporary:
        save_file({"a": torch.zeros(3)}, temporary)
    save_checkpoint({"a": torch.zeros(3)}, tmp_path / "checkpoint.pt")
    FactCache(tmp_path / "cache").keep("abcd", [1])
    keep_text(tmp_path / "kept" / "score.json", "{}")
    with new_folder(tmp_path / "folder") as folder:
        (folder / "inside").touch()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 7 and {rights(path) for path in files} == {0o666 & ~umask}
    assert {rights(path) for path in tmp_path.rglob("*") if path.is_dir()} == {0o777 & ~umask}


def test_weights_have_the_rights_of_their_neighbours(tmp_path, umask, weights):
    model, _ = load_weights(weights)
    save_weights(model, tmp_path / "w.safetensors", {})
    assert rights(tmp_path / "w.safetensors") == 0o666 & ~umask


@pytest.mark.parametrize("write", [
    lambda path: save_checkpoint({"a": torch.zeros(9000)}, path),
    lambda path: _safetensors(path),
], ids=["torch", "safetensors"])  # fmt: skip
def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path, write):
    path = tmp_path / "file"
    path.write_text("before")
    with full_disk(), pytest.raises(OutputError, match=r"file: cannot be written \(.+\); free some space"):
        write(path)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("file", "before")]


def _safetensors(path: Path) -> None:
    with replacing(path) as temporary:
        save_file({"a": torch.zeros(9000)}, temporary)


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        save_checkpoint({}, tmp_path / "nowhere" / "checkpoint.pt")


def test_an_error_of_ours_stays_what_it_is_and_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a"):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "b"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
