"""Real processes, started by the command itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture
def devos(tmp_path):
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
        return subprocess.run(
            [sys.executable, "-m", "devos", *map(str, arguments)], capture_output=True, text=True, timeout=120,
            env=environment | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    return run


def test_what_is_wrong_for_all_processes_is_said_once_and_each_of_them_ends(devos, tmp_path):
    wrong = devos("train", "finetune", "--videos", tmp_path / "no", "-o", tmp_path / "out", "--processes", 2)
    assert wrong.returncode == 2 and wrong.stdout == ""
    assert wrong.stderr.count("error: ") == 1 and "\n    JPEGImages/" in wrong.stderr
    assert "Traceback" not in wrong.stderr and len(wrong.stderr.splitlines()) < 12, wrong.stderr
