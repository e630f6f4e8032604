"""Started by the tests as a program: trains a tiny network in one process or several, as torchrun would start them, and
kills some of these runs. The processes are forked from one that has imported everything, because that takes seconds.

    python processes.py HOME     with HOME/jobs.json, HOME/videos, HOME/model.json; each job leaves a folder in HOME
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # an optimiser imports it
import torch.distributed.fsdp
import torch.distributed.tensor

import devos.model.encoder as encoder
import devos.training.checkpoints as checkpoints
from conftest import build_small_backbone  # beside this file, which is run as a program
from devos.data.batching import Batches
from devos.data.catalog import find_videos
from devos.errors import DevosError, InputError
from devos.model.checkpoint import save_weights
from devos.model.config import PRESETS, ModelConfig
from devos.model.devos import DeVOS
from devos.training.checkpoints import CHECKPOINT_FILE, load_checkpoint, seed_everything
from devos.training.compute import Compute
from devos.training.config import TrainConfig, debug
from devos.training.distributed import joined
from devos.training.loop import Stopped, train
from devos.training.trainer import Trainer

encoder.build_backbone = build_small_backbone


def config_of(home: Path, every: int = 2) -> TrainConfig:
    """Everything learns but the flow encoder; the checkpoint is `every` steps old at most."""
    fields = json.loads((home / "model.json").read_text())
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    config = debug(num_steps=6)
    stages = (replace(config.clips.stages[0], video_share=1.0),)
    clips = replace(config.clips, stages=stages)
    return replace(config, clips=clips, model=ModelConfig(**fields), encoder_rate=0.1, frozen=("flow_encoder",),
                   checkpoint_every=every)  # fmt: skip


def run_recipe(home: Path, job: dict[str, Any]) -> None:
    """`devos train RECIPE`, with the tiny network in the place of devos-t."""
    from devos.cli.main import app

    PRESETS["devos-t"] = lambda: config_of(home).model
    app(
        ["train", job["recipe"], "--model", "devos-t", "--init", str(home / "start.safetensors"), "--steps", "2",
         "--size", "64", "--videos", str(home / "videos"), "-o", str(home / job["out"]), "--workers", "0",
         "--device", "cpu"],
        standalone_mode=False,
    )  # fmt: skip


def work(home: Path, job: dict[str, Any]) -> None:
    """What one process does."""
    torch.set_num_threads(1)
    if "recipe" in job:
        run_recipe(home, job)
        return
    config, out = config_of(home, job.get("every", 2)), home / job["out"]
    with joined() as world:
        torch.manual_seed(0)
        model = DeVOS(config.model).train()
        seed_everything(world.rank)
        compute = Compute(sharded=job.get("sharded", False), precision=job.get("precision", "float32"))
        trainer = Trainer(config, model, compute=compute, world=world)
        if (out / CHECKPOINT_FILE).is_file():
            trainer.restore(load_checkpoint(out / CHECKPOINT_FILE))
        if job.get("kill") == "writing" and world.first:
            checkpoints.torch.save = stall_in_the_second(out)
        make = Batches if job.get("fails") != world.rank else Unreadable
        batches = make(config.clips, find_videos(home / "videos"), (), shard=world.shard)
        train(trainer, batches, out, workers=job.get("workers", 0))


class Unreadable(Batches):
    """Its fourth batch cannot be made."""

    def __getitem__(self, index: int) -> Any:
        if index == 3:
            raise InputError("ant/00003.jpg cannot be read; fetch it again")
        return super().__getitem__(index)


def stall_in_the_second(out: Path) -> Any:
    """`torch.save`, but the second file stays half written until somebody kills the process."""
    save, count = torch.save, iter(range(9))

    def half(state: Any, file: Any) -> None:
        save(state, file)
        if next(count) == 1:
            file.truncate(file.tell() // 2)
            file.flush()
            (out / "writing").touch()
            time.sleep(600)

    return half


def start(home: Path, job: dict[str, Any]) -> list[int]:
    """Fork the processes of a job, with the environment that torchrun gives."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pids = []
    for rank in range(job["world"]):
        pid = os.fork()
        if pid == 0:
            given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": job["world"], "MASTER_PORT": port}
            os.environ.update({name: str(value) for name, value in given.items()}, MASTER_ADDR="127.0.0.1")
            os.setsid()  # as torchrun does, which then ends each process together with those that it started
            code = 1
            try:
                work(home, job)
                code = 0
            except Stopped as stop:
                code = 128 + stop.number
            except DevosError as error:
                code = 2
                (home / f"{job['out']}-{rank}").write_text(f"{type(error).__name__}: {error}")
            finally:
                if code == 1:
                    import traceback

                    traceback.print_exc()
                sys.stderr.flush()
                os._exit(code)
        pids.append(pid)
    return pids


def due(out: Path, kill: int | str) -> bool:
    """Whether the moment to kill has come: so many steps are logged, or a checkpoint is half written."""
    if kill == "writing":
        return (out / "writing").exists()
    log = out / "log.csv"
    return log.is_file() and len(log.read_text().splitlines()) > int(kill)


def run(home: Path, job: dict[str, Any]) -> None:
    pids, out = start(home, job), home / job["out"]
    if "kill" in job:
        begun = time.monotonic()
        while not due(out, job["kill"]) and time.monotonic() - begun < 120:
            time.sleep(0.002)
        number = signal.Signals[job.get("signal", "SIGKILL")]
        for pid in pids:
            os.killpg(pid, number)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    expected = [{"SIGKILL": -signal.SIGKILL, "SIGTERM": 128 + signal.SIGTERM}[number.name] if "kill" in job else 0]
    expected = [2] if "fails" in job else expected
    if codes != expected * len(pids):
        sys.exit(f"{job}: the processes ended with {codes}, expected {expected}")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    torch.manual_seed(0)
    save_weights(DeVOS(config_of(place).model), place / "start.safetensors", {})
    for each in json.loads((place / "jobs.json").read_text()):
        run(place, each)
