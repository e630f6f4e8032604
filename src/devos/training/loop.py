"""The training loop: batches in, checkpoints and weights out. A resumed run equals an uninterrupted one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from devos.data.batching import Batch, Batches
from devos.data.clips import VOID
from devos.errors import WeightsError
from devos.model.checkpoint import save_weights
from devos.model.devos import DeVOS, Given
from devos.model.encoder import Features
from devos.model.memory import EveryNth, Memory
from devos.model.motion import Motion
from devos.training.config import TrainConfig
from devos.training.losses import hardest_fraction, mask_loss

CHECKPOINT_FILE = "checkpoint.pt"
"""In a run's folder: what the run resumes from."""


@dataclass(frozen=True)
class Progress:
    """What a step tells whoever watches."""

    step: int
    num_steps: int
    entropy: float
    dice: float
    learning_rate: float
    seconds_per_step: float
    waiting: float
    """Share of the time in which training waited for clips."""

    @property
    def seconds_left(self) -> float:
        """At the pace of the last steps."""
        return self.seconds_per_step * (self.num_steps - self.step)


class Trainer:
    """A run: the network, its average, the optimiser, and how far it has come."""

    def __init__(self, config: TrainConfig, model: DeVOS, device: str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.step = 0
        backbone = list(self.model.image_encoder.backbone.parameters())
        for parameter in backbone:
            parameter.requires_grad_(config.encoder_rate > 0)
        known = {id(p) for p in backbone}
        rest = [p for p in self.model.parameters() if id(p) not in known]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in rest if p.ndim > 1], "share": 1.0, "weight_decay": config.weight_decay},
            {"params": [p for p in rest if p.ndim <= 1], "share": 1.0, "weight_decay": 0.0},
        ]
        if config.encoder_rate > 0:
            groups.append({"params": backbone, "share": config.encoder_rate, "weight_decay": 0.0})
        self.optimiser = torch.optim.AdamW(groups, lr=config.learning_rate)

    def run_step(self, batch: Batch) -> tuple[float, float]:
        """One optimisation step; returns the mean cross-entropy and dice loss of its frames."""
        rate = self.config.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        entropy, dice = unroll(self.model, batch.to(self.device), self.config, self.step)
        loss = entropy + dice
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss of step {self.step} is {loss.item()}; nothing was changed by it")
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_gradient)
        self.optimiser.step()
        self._average()
        self.step += 1
        return entropy.item(), dice.item()

    @torch.no_grad()
    def _average(self) -> None:
        # Warmed up, so that the random start is forgotten in the first steps.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)  # a batch norm's counter has no mean

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "config": asdict(self.config), "step": self.step, "model": self.model.state_dict(),
            "average": self.average, "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of a run of the same configuration."""
        if state["config"] != asdict(self.config):
            changed = [k for k, v in asdict(self.config).items() if state["config"].get(k) != v]
            raise WeightsError(
                f"the checkpoint is of another run: {', '.join(changed)} differ; resume with the settings that it was "
                "started with, or start anew in another folder"
            )
        self.model.load_state_dict(state["model"])
        self.average = {k: v.to(self.device) for k, v in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]

    def averaged(self) -> DeVOS:
        """A network with the averaged weights."""
        model = DeVOS(self.config.model)
        model.load_state_dict(self.average)
        return model


def unroll(model: DeVOS, batch: Batch, config: TrainConfig, step: int) -> tuple[Tensor, Tensor]:
    """Follow the objects through the batch's clips with `DeVOS.step`; the mean losses of all frames but the first."""
    length = batch.images.shape[1]
    features = _encode_all(model, batch.images, frozen=config.encoder_rate == 0)
    truth = _one_hot(batch)
    policy = EveryNth(every=config.memory_every, max_entries=4)
    fraction = hardest_fraction(step / config.num_steps)
    chance = torch.Generator().manual_seed(config.clips.seed * 1_000_003 + step)
    memory, entropy, dice = Memory(), [], []
    for t in range(length):
        motion = Motion(batch.to_prev[:, t - 1], batch.to_curr[:, t - 1]) if t else None
        tell = t == 0 or bool(torch.rand((), generator=chance) < config.given_share)
        given = Given(truth[:, t], batch.used) if tell else None
        now = Features(*(maps[:, t] for maps in features))
        output = model.step(now, motion, memory, batch.used, given, policy)
        memory = output.memory
        if t:
            losses = mask_loss(output.logits, batch.slots[:, t], batch.used, fraction)
            entropy.append(losses[0])
            dice.append(losses[1])
    return torch.stack(entropy).mean(), torch.stack(dice).mean()


def _encode_all(model: DeVOS, images: Tensor, frozen: bool) -> list[Tensor]:
    """Every frame's features at once, b t c h w for each stride."""
    b, length = images.shape[:2]
    flat = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    encoder = model.image_encoder
    with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
        # A few at a time stay in a CPU's cache; a GPU takes them all.
        parts = torch.split(flat, 4) if images.device.type == "cpu" and frozen else (flat,)
        maps = [torch.cat(m) for m in zip(*(encoder.backbone(part) for part in parts), strict=True)]
    return [torch.unflatten(m, 0, (b, length)) for m in encoder.neck(maps)]


def _one_hot(batch: Batch) -> Tensor:
    """b t slots h4 w4: the share of each slot in each cell at stride 4; void counts as background."""
    slots = torch.where(batch.slots == VOID, 0, batch.slots)
    b, t, h, w = slots.shape
    hot = torch.zeros(b, t, batch.used.shape[1], h, w, device=slots.device).scatter_(2, slots[:, :, None], 1.0)
    return torch.unflatten(F.avg_pool2d(hot.flatten(0, 1), 4), 0, (b, t))


def train(trainer: Trainer, batches: Batches, out: Path, *, workers: int = 1,
          watch: Callable[[Progress], None] | None = None) -> Path:  # fmt: skip
    """Run to the end, or until stopped; `out/checkpoint.pt` is at most `checkpoint_every` steps old. Returns a path."""
    out.mkdir(parents=True, exist_ok=True)
    config = trainer.config
    begun, waited, since = time.perf_counter(), 0.0, trainer.step
    sums = [0.0, 0.0]
    try:
        for batch, wait in _timed(_loader(batches, trainer.step, workers)):
            waited += wait
            losses = trainer.run_step(batch)
            sums = [a + b for a, b in zip(sums, losses, strict=True)]
            if trainer.step % config.log_every == 0 or trainer.step == config.num_steps:
                count, spent = trainer.step - since, time.perf_counter() - begun
                if watch is not None:
                    watch(Progress(trainer.step, config.num_steps, sums[0] / count, sums[1] / count,
                                   config.rate_at(trainer.step - 1), spent / count, waited / spent))  # fmt: skip
                begun, waited, since, sums = time.perf_counter(), 0.0, trainer.step, [0.0, 0.0]
            if trainer.step % config.checkpoint_every == 0:
                save_checkpoint(trainer, out / CHECKPOINT_FILE)
            if trainer.step % config.snapshot_every == 0:
                _save_average(trainer, out / f"{config.model.name}-{trainer.step:06d}.safetensors")
    finally:
        save_checkpoint(trainer, out / CHECKPOINT_FILE)
    weights = out / f"{config.model.name}.safetensors"
    _save_average(trainer, weights)
    return weights


def _save_average(trainer: Trainer, path: Path) -> None:
    save_weights(trainer.averaged(), path, {"step": trainer.step, "train": asdict(trainer.config)})


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Whole or not at all."""
    scratch = path.with_suffix(".partial")
    torch.save(trainer.state(), scratch)
    scratch.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(f"{path} cannot be read as a checkpoint ({error}); delete it to start anew") from error
    return state


def _loader(batches: Batches, start: int, workers: int) -> Iterable[Batch]:
    if workers:
        # A process that is forked while OpenCV's threads exist waits for them forever.
        cv2.setNumThreads(1)
    return DataLoader(
        batches, batch_size=None, sampler=range(start, len(batches)), num_workers=workers,
        worker_init_fn=_one_thread, prefetch_factor=4 if workers else None,
    )  # fmt: skip


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _timed(items: Iterable[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each item, and how long it was waited for."""
    iterator = iter(items)
    while True:
        begun = time.perf_counter()
        try:
            item = next(iterator)
        except StopIteration:
            return
        yield item, time.perf_counter() - begun
