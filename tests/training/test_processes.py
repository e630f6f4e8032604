"""Real processes: killed with SIGKILL and resumed, two that do the work of one, and networks shared out (FSDP2)."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from devos.model.checkpoint import read_weights
from devos.training.checkpoints import load_checkpoint

JOBS = (
    {"out": "whole-1", "world": 1},
    {"out": "parts-1", "world": 1, "kill": "step"},
    {"out": "parts-1", "world": 1},
    {"out": "torn-1", "world": 1, "kill": "writing"},
    {"out": "whole-2", "world": 2},
    {"out": "parts-2", "world": 2, "kill": "step"},
    {"out": "parts-2", "world": 2},
    {"out": "asked-2", "world": 2, "workers": 1, "kill": "step", "signal": "SIGTERM"},
    {"out": "asked-2", "world": 2},
    # To gather a network that is shared out is slow: one checkpoint before the kill, and one at the end.
    {"out": "sharded-2", "world": 2, "sharded": True, "every": 3, "kill": 4},
    {"out": "sharded-2", "world": 2, "sharded": True, "every": 3},
    {"out": "fails-2", "world": 2, "workers": 1, "fails": 1},
    {"out": "phases-1", "world": 1, "recipe": "debug"},
    {"out": "phases-2", "world": 2, "recipe": "debug"},
)

TINY = {
    "name": "devos-tiny", "backbone": "efficientnet-lite0", "width": 16, "width_s8": 16, "width_s4": 8,
    "heads": (2, 4, 4), "points": (3, 3, 4), "coarse_points": (2, 2, 0),
}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    home: Path
    killed_at: dict[str, int]
    said: str
    """All that the processes printed for programs."""

    def state(self, name: str):
        return load_checkpoint(self.home / name / "checkpoint.pt")

    def weights(self, name: str):
        return read_weights(self.home / name / "devos-tiny.safetensors").tensors

    def log(self, name: str, column: str) -> list[float]:
        with (self.home / name / "log.csv").open() as file:
            return [float(row[column]) for row in csv.DictReader(file)]


def write_videos(root: Path) -> None:
    """Two short videos in DAVIS's layout: squares that slide over noise."""
    for seed in range(2):
        ground = np.random.default_rng(seed).integers(0, 120, (72, 96, 3), dtype=np.uint8)
        for t in range(8):
            picture, labels = ground.copy(), np.zeros((72, 96), np.uint8)
            for label, (left, top) in enumerate([(8 + 3 * t, 8), (60 - 3 * t, 40)], start=1):
                labels[top : top + 24, left : left + 24] = label
                picture[top : top + 24, left : left + 24] = (240 - 90 * seed, 60 * label, 40)
            for kind, suffix, content in (("JPEGImages", "jpg", picture), ("Annotations", "png", labels)):
                path = root / kind / "480p" / f"video{seed}" / f"{t:05d}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(content).save(path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Ran:
    """Every job, one after the other; those that are killed at a step, at one that chance chooses."""
    home = tmp_path_factory.mktemp("processes")
    write_videos(home / "videos")
    (home / "model.json").write_text(json.dumps(TINY))
    killed_at = {job["out"]: random.randint(1, 3) for job in JOBS if job.get("kill") == "step"}
    jobs = [{**job, "kill": killed_at[job["out"]]} if job.get("kill") == "step" else job for job in JOBS]
    (home / "jobs.json").write_text(json.dumps(jobs))
    program = Path(__file__).parent / "processes.py"
    done = subprocess.run([sys.executable, program, home], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
    return Ran(home, killed_at, done.stdout)


@pytest.mark.parametrize("world", [1, 2])
def test_killed_at_any_step_and_resumed_a_run_gives_the_same_weights_bit_for_bit(ran, states_equal, world):
    whole, parts = f"whole-{world}", f"parts-{world}"
    assert states_equal(ran.weights(whole), ran.weights(parts)), f"killed at {ran.killed_at[parts]}"
    assert states_equal(ran.state(whole), ran.state(parts)), f"killed at {ran.killed_at[parts]}"
    assert ran.log(parts, "step") == [1, 2, 3, 4, 5, 6]
    for column in ("entropy", "dice", "j", "gradient_norm", "learning_rate"):
        assert ran.log(parts, column) == ran.log(whole, column)


def test_asked_to_stop_with_all_that_they_started_processes_agree_on_the_step_after_which_they_do(ran, states_equal):
    """As torchrun asks when it is asked itself; those that make clips go on until the step is done."""
    assert states_equal(ran.state("whole-2"), ran.state("asked-2")), f"asked at {ran.killed_at['asked-2']}"
    assert ran.log("asked-2", "step") == [1, 2, 3, 4, 5, 6]


def test_where_one_process_fails_all_end_and_only_that_one_says_why(ran):
    said = [(ran.home / f"fails-2-{rank}").read_text() for rank in (0, 1)]
    assert said[1] == "InputError: ant/00003.jpg cannot be read; fetch it again"
    assert said[0].startswith("AnotherFailedError: ")


def test_killed_while_it_writes_a_checkpoint_a_run_has_the_one_before(ran, states_equal):
    assert ran.state("torn-1")["step"] == 2
    assert [path.name for path in (ran.home / "torn-1").glob("*partial*")] == ["checkpoint.partial.pt"]
    with pytest.raises(Exception, match="cannot be read as a checkpoint"):
        load_checkpoint(ran.home / "torn-1" / "checkpoint.partial.pt")


@pytest.mark.parametrize("name", ["whole-2", "sharded-2"])
def test_two_processes_do_the_work_of_one_with_twice_the_clips(ran, name):
    """Also where the network is shared out, killed and resumed on the way."""
    for column in ("entropy", "dice", "j", "gradient_norm"):
        assert ran.log(name, column) == pytest.approx(ran.log("whole-1", column), rel=2e-3, abs=1e-6)
    assert ran.log(name, "gradient_norm")[0] == pytest.approx(ran.log("whole-1", "gradient_norm")[0], rel=1e-5)
    one, two = ran.state("whole-1"), ran.state(name)
    assert one["model"].keys() == two["model"].keys()
    # Adam divides by the gradient's size: where that is rounding alone, a weight may go the other way.
    off = torch.cat([(one["model"][k] - two["model"][k]).flatten() for k in one["model"]]).abs()
    assert off.mean() < 1e-5
    assert (off > 1e-4).float().mean() < 0.01


def test_a_frozen_part_stays_as_it_was_in_every_process(ran):
    one, two = ran.state("whole-1")["model"], ran.state("sharded-2")["model"]
    frozen = [name for name in one if name.startswith("flow_encoder.")]
    assert frozen and all(torch.equal(one[name], two[name]) for name in frozen)


def test_two_processes_run_every_phase_of_a_recipe_and_leave_the_weights_that_one_leaves(ran):
    """By the command itself, which checks the data in one process and speaks in one."""
    files = [sorted(str(path.relative_to(ran.home / name)) for path in (ran.home / name).rglob("devos-tiny.*"))
             for name in ("phases-1", "phases-2")]  # fmt: skip
    phases = ["main-1", "main-2", "pretrain"]
    assert files == [["devos-tiny.safetensors", *(f"{phase}/devos-tiny.safetensors" for phase in phases)]] * 2
    one, two = (json.loads(line) for line in ran.said.splitlines() if line.startswith("{"))
    assert [phase["name"] for phase in two["phases"]] == ["pretrain", "main-1", "main-2"]
    for alone, together in zip(one["phases"], two["phases"], strict=True):
        assert together["loss_after"] == pytest.approx(alone["loss_after"], rel=2e-3)
    for phase in (*phases, ""):
        alone, together = (ran.weights(f"{name}/{phase}") for name in ("phases-1", "phases-2"))
        off = torch.cat([(alone[k] - together[k]).flatten().float() for k in alone]).abs()
        assert alone.keys() == together.keys() and off.mean() < 1e-5
    before, after = (ran.weights(f"phases-2/{phase}") for phase in ("main-1", "main-2"))
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert "decoder" in moved and not moved & {"identity_encoder", "flow_encoder"}
