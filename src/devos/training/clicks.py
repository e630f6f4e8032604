"""Train the click head: a backbone that stays as it is, and a person who clicks where the answer is wrong.

Each step asks twice about a batch of pictures: first with what a person says at the start (a click, a box, or a click
on a mask that is wrong), then, some clicks later, with the answer so far. Both answers are learned from (RITM,
SimpleClick).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from devos.data.click_samples import SHAPES, ClickData, ClickSample
from devos.data.clicking import Click, loose_box, next_click, spoil
from devos.data.clips import VOID
from devos.frames import FrameSize
from devos.model.click_weights import save_head
from devos.model.clicks import ClickHead, Hints
from devos.runtimes.choose import multiplies_bf16
from devos.training.checkpoints import CHECKPOINT_FILE, load_checkpoint, save_checkpoint

_LATER = (0, 0, 1, 2, 3, 5)
"""Clicks between the two answers that are learned from, drawn for each step."""


@dataclass(frozen=True, kw_only=True)
class ClickTraining:
    """Everything that a run depends on besides its data."""

    num_steps: int = 4200
    batch_size: int = 8
    shapes: tuple[FrameSize, ...] = SHAPES
    """Of the pictures of a batch, drawn for each."""
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    warmup_steps: int = 150
    weight_decay: float = 0.02
    ema_decay: float = 0.998
    seed: int = 0
    checkpoint_every: int = 200

    def rate_at(self, step: int) -> float:
        """Linear warm-up, then half a cosine."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.num_steps - self.warmup_steps)
        low = self.final_learning_rate
        return low + (self.learning_rate - low) * (1 + math.cos(math.pi * min(progress, 1))) / 2


@dataclass
class Batch:
    """Pictures, what is true of them at stride 2, and what was said so far."""

    image: Float[Tensor, "b 3 h w"]
    truth: Float[Tensor, "b 1 h2 w2"]
    known: Float[Tensor, "b 1 h2 w2"]
    clicks: list[list[Click]]
    boxes: Float[Tensor, "b 4"]
    mask: Float[Tensor, "b 1 h2 w2"]

    def hints(self) -> Hints:
        """What the head is told."""
        most = max(1, *(len(clicks) for clicks in self.clicks))
        padded = [[*clicks, *[(0.0, 0.0, 0)] * (most - len(clicks))] for clicks in self.clicks]
        return Hints(torch.tensor(padded, dtype=torch.float32), self.boxes, self.mask)

    def click(self, rng: np.random.Generator) -> None:
        """One more click on each picture, where its mask is wrong."""
        for clicks, mask, truth, known in zip(self.clicks, self.mask, self.truth, self.known, strict=True):
            right, answer = truth[0].numpy() > 0.5, mask[0].numpy() > 0.5
            click = next_click(right, answer, known[0].numpy() > 0.5, rng)
            if click is not None:
                clicks.append((2 * click[0] + 0.5, 2 * click[1] + 0.5, click[2]))


def make_batch(data: ClickData, config: ClickTraining, step: int) -> tuple[Batch, np.random.Generator]:
    """The batch of a step, always the same, and the generator that goes on from there."""
    rng = np.random.default_rng([config.seed, step])
    size = config.shapes[int(rng.integers(len(config.shapes)))]
    samples = [data.sample(size, rng) for _ in range(config.batch_size)]
    image = torch.from_numpy(np.stack([s.rgb for s in samples])).permute(0, 3, 1, 2).float() / 255
    half = FrameSize(size.height // 2, size.width // 2)
    truth = torch.stack([_halved(s.truth == 1, half) for s in samples])
    known = 1 - torch.stack([_halved(s.truth == VOID, half) for s in samples])
    batch = Batch(image, truth, known, [[] for _ in samples], torch.zeros(len(samples), 4), torch.zeros_like(truth))
    for row, sample in enumerate(samples):
        _begin(batch, row, sample, rng)
    return batch, rng


def _begin(batch: Batch, row: int, sample: ClickSample, rng: np.random.Generator) -> None:
    """What a person says first: mostly one click; else several, a box, or a click on a mask that is wrong."""
    right, how = batch.truth[row, 0].numpy() > 0.5, rng.random()
    size = FrameSize(*right.shape)
    if how < 0.3 and right.any():
        batch.boxes[row] = 2 * torch.tensor(loose_box(right, rng))
        if how < 0.24:
            return
    elif how < 0.55:
        wrong = spoil(right, rng)
        if sample.stale is not None and rng.random() < 0.5:
            wrong = _halved(sample.stale.astype(bool), size)[0].numpy() > 0.5
        batch.mask[row, 0] = torch.from_numpy(wrong).float()
    known = batch.known[row, 0].numpy() > 0.5
    for number in range(1 + int(rng.integers(1, 4)) * (how > 0.85)):
        answer = batch.mask[row, 0].numpy() > 0.5
        if number:  # as if an answer had been wrong somewhere
            answer = spoil(right, rng)
        click = next_click(right, answer, known, rng)
        if click is not None:
            batch.clicks[row].append((2 * click[0] + 0.5, 2 * click[1] + 0.5, click[2]))


def _halved(region: np.ndarray, size: FrameSize) -> Tensor:
    """The share of each cell that a region covers: 1 h w."""
    shares = cv2.resize(region.astype(np.float32), (size.width, size.height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(shares)[None]


def click_loss(logits: Float[Tensor, "b 1 h w"], truth: Float[Tensor, "b 1 h w"],
               known: Float[Tensor, "b 1 h w"]) -> Float[Tensor, ""]:  # fmt: skip
    """Normalised focal loss (RITM) and dice, mean over the pictures; pixels that are not known are left out."""
    probability = logits.sigmoid()
    error = (truth - probability).abs()
    hard = error**2 * known
    scale = known.sum((1, 2, 3)) / hard.sum((1, 2, 3)).clamp(min=1e-6)
    focal = -(hard * torch.log((1 - error).clamp(min=1e-6))).sum((1, 2, 3)) / known.sum((1, 2, 3)).clamp(min=1)
    overlap = (probability * truth * known).sum((1, 2, 3))
    total = ((probability + truth) * known).sum((1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (total + 1)
    return (focal * scale.detach().clamp(max=50) + dice).mean()


def overlap(logits: Tensor, truth: Tensor, known: Tensor) -> float:
    """Mean intersection over union, in [0, 1]."""
    answer, right, known = logits > 0, truth > 0.5, known > 0.5
    both = (answer & right & known).sum((1, 2, 3))
    either = ((answer | right) & known).sum((1, 2, 3))
    return float((both / either.clamp(min=1)).mean())


class ClickTrainer:
    """The head, its moving average, and the optimiser."""

    def __init__(self, config: ClickTraining, backbone: nn.Module, start: ClickHead | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.step = config, 0
        self.backbone = backbone.eval().requires_grad_(False)
        self.head = ClickHead().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if start is not None:
            self.head.load_state_dict(start.state_dict())
        self.average = {name: value.clone() for name, value in self.head.state_dict().items()}
        decayed = [p for p in self.head.parameters() if p.ndim > 1]
        others = [p for p in self.head.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)

    def learn(self, batch: Batch, rng: np.random.Generator) -> tuple[float, float, float]:
        """One step. Returns the loss, and the overlap of the first and of the last answer."""
        image = batch.image.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), _half():
            maps = [m.float() for m in self.backbone(image)]
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate_at(self.step)
        first, j_first = self._answer(image, maps, batch)
        for _ in range(int(rng.choice(_LATER))):
            batch.click(rng)
            with torch.no_grad(), _half():
                batch.mask = (self.head(image, maps, batch.hints()).float() > 0).float()
        batch.click(rng)
        last, j_last = self._answer(image, maps, batch)
        nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        decay = min(self.config.ema_decay, self.step / (self.step + 10))
        for name, value in self.head.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)
        return first + last, j_first, j_last

    def _answer(self, image: Tensor, maps: list[Tensor], batch: Batch) -> tuple[float, float]:
        with _half():
            logits = self.head(image, maps, batch.hints())
        logits = logits.float()
        loss = click_loss(logits, batch.truth, batch.known)
        loss.backward()  # type: ignore[no-untyped-call]
        batch.mask = (logits.detach() > 0).float()
        return float(loss.detach()), overlap(logits.detach(), batch.truth, batch.known)

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        config = {**asdict(self.config), "shapes": [list(shape) for shape in self.config.shapes]}
        return {"step": self.step, "head": self.head.state_dict(), "average": self.average,
                "optimizer": self.optimizer.state_dict(), "config": config}  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; the number of steps may be another."""
        self.step, self.average = state["step"], state["average"]
        self.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])


def _half() -> torch.autocast:
    """Products in bfloat16 where the processor has them; where it has not, they would take three times as long."""
    return torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bf16())


def train_clicks(config: ClickTraining, backbone: nn.Module, data: ClickData, out: Path,
                 tell: Callable[[str], None] = print, *, start: ClickHead | None = None) -> ClickTrainer:  # fmt: skip
    """Train to the last step, from the checkpoint in `out` if there is one, else from `start`, else from chance.

    `out/clicks.safetensors` is the moving average of the weights, as `load_marker` takes it, from its first checkpoint.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, weights = out / CHECKPOINT_FILE, out / "clicks.safetensors"
    trainer = ClickTrainer(config, backbone, start)
    if checkpoint.is_file():
        trainer.restore(load_checkpoint(checkpoint))
        tell(f"going on from step {trainer.step}")
    begun, figures = time.perf_counter(), []
    while trainer.step < config.num_steps:
        batch, rng = make_batch(data, config, trainer.step)
        figures.append(trainer.learn(batch, rng))
        if trainer.step % 20 == 0:
            loss, first, last = np.mean(figures, 0)
            pace = (time.perf_counter() - begun) / len(figures)
            tell(f"step {trainer.step}  loss {loss:.3f}  first {first:.3f}  last {last:.3f}  {pace:.2f} s/step")
            begun, figures = time.perf_counter(), []
        if trainer.step % config.checkpoint_every == 0 or trainer.step == config.num_steps:
            save_checkpoint(trainer.state(), checkpoint)
            save_head(trainer.average, weights, backbone, {"train": trainer.state()["config"], "step": trainer.step})
    return trainer
