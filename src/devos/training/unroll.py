"""The recurrence of training: a batch's clips are followed frame by frame with `DeVOS.step`, and judged.

`Unrolled` is the module that processes share: a video takes several calls of `DeVOS.step` for one loss, and what DDP
and FSDP2 wrap is one call for one loss.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from devos.data.batching import Batch
from devos.data.clips import VOID
from devos.model.devos import DeVOS, Given
from devos.model.encoder import Features
from devos.model.memory import EveryNth, Memory
from devos.model.motion import Motion
from devos.training.config import TrainConfig
from devos.training.losses import hardest_fraction, mask_loss


class Followed(NamedTuple):
    """What came of following a batch's clips. Each figure is a mean over the clips of a mean over frames 1, 2, ...,
    so that the mean over equal parts of a batch, or over processes, is that of the whole batch.
    """

    entropy: Float[Tensor, ""]
    dice: Float[Tensor, ""]
    j: Float[Tensor, ""]
    """Mean J of the clips' objects, judged at stride 4; no gradient."""
    predicted: UInt8[Tensor, "b pairs h4 w4"]
    """The likeliest slot of each cell at stride 4, frames 1, 2, ..."""


class Unrolled(nn.Module):
    """A network together with the way it is trained: a batch in, its losses out."""

    def __init__(self, model: DeVOS, config: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config

    def forward(self, batch: Batch, step: int) -> Followed:
        """As `unroll`."""
        return unroll(self.model, batch, self.config, step)


def unroll(model: DeVOS, batch: Batch, config: TrainConfig, step: int) -> Followed:
    """Follow the objects through the batch's clips with `DeVOS.step`. What chance decides comes from the seed and the
    step, the same for every part of a batch.
    """
    length = batch.images.shape[1]
    features = _encode_all(model, batch.images, frozen=not config.backbone_learns)
    truth = _one_hot(batch)
    policy = EveryNth(every=config.memory_every, max_entries=4)
    fraction = hardest_fraction(step / config.num_steps)
    chance = torch.Generator().manual_seed(config.clips.seed * 1_000_003 + step)
    memory, entropy, dice, predicted = Memory(), [], [], []
    for t in range(length):
        motion = Motion(batch.to_prev[:, t - 1], batch.to_curr[:, t - 1]) if t else None
        tell = t == 0 or bool(torch.rand((), generator=chance) < config.given_share)
        given = Given(truth[:, t], batch.used) if tell else None
        now = Features(*(maps[:, t] for maps in features))
        output = model.step(now, motion, memory, batch.used, given, policy)
        memory = output.memory
        if t:
            losses = mask_loss(output.logits.float(), batch.slots[:, t], batch.used, fraction)
            entropy.append(losses[0])
            dice.append(losses[1])
            predicted.append(output.logits.detach().argmax(1).to(torch.uint8))
    answer = torch.stack(predicted, 1)
    j = mean_j(answer, batch.slots[:, 1:], batch.used)
    return Followed(torch.stack(entropy).mean(), torch.stack(dice).mean(), j, answer)


@torch.no_grad()
def mean_j(
    predicted: UInt8[Tensor, "b t h4 w4"], slots: Int64[Tensor, "b t h w"], used: Bool[Tensor, "b slots"]
) -> Float[Tensor, ""]:
    """Mean over clips, frames and objects of intersection over union, at the cells' centres, void left out; 1 where an
    object is neither there nor predicted.
    """
    truth = slots[:, :, 2::4, 2::4]
    index = torch.arange(1, used.shape[1], device=used.device)[:, None, None]
    known = (truth != VOID)[:, :, None]
    there, said = (truth[:, :, None] == index) & known, (predicted[:, :, None] == index) & known
    union = (there | said).sum((3, 4))
    j = torch.where(union > 0, (there & said).sum((3, 4)) / union.clamp(min=1), 1.0)
    objects = used[:, None, 1:].expand_as(j)
    return ((j * objects).sum(2) / objects.sum(2).clamp(min=1)).mean()


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
