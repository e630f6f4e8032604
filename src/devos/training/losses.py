"""Bootstrapped cross-entropy and soft dice, in equal weight (supplement 1.2).

Both are judged clip by clip, the hardest pixels too, and then averaged over the clips: the loss of a batch is the mean
of the losses of its equal parts, so that processes which share a batch need only average their gradients.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from devos.data.clips import VOID


def hardest_fraction(progress: float, final: float = 0.15, ramp: float = 1 / 3) -> float:
    """Share of the pixels that count: from 1 to `final` during the first `ramp` of training. `progress` in [0, 1]."""
    return 1 - (1 - final) * min(progress / ramp, 1.0)


def mask_loss(
    logits: Float[Tensor, "b slots h4 w4"],
    slots: Int64[Tensor, "b h w"],
    used: Bool[Tensor, "b slots"],
    fraction: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """(cross-entropy, dice) of one frame's logits against the slot of each pixel, void pixels left out.

    `fraction` of the pixels, those with the largest loss, make the cross-entropy. Both are means over the clips.
    """
    entropy, dice = [], []
    for row in range(len(logits)):
        # Only the slots in use: the others have no probability, and ten slots at full size cost ten times one.
        index = used[row].nonzero()[:, 0]
        full = F.interpolate(logits[row : row + 1, index], slots.shape[-2:], mode="bilinear", align_corners=False)[0]
        truth = (slots[row][None] == index[:, None, None]).float()
        known = slots[row] != VOID
        log_probabilities = full.log_softmax(0)
        pixel = -(log_probabilities * truth).sum(0)[known]
        count = max(1, int(fraction * pixel.numel()))
        if pixel.numel() == 0:
            entropy.append(pixel.sum())  # all void: nothing is known, so nothing is wrong
        else:
            entropy.append(pixel.topk(count).values.mean() if count < pixel.numel() else pixel.mean())
        dice.append(dice_loss(log_probabilities.exp()[1:] * known, truth[1:] * known))
    return torch.stack(entropy).mean(), torch.stack(dice).mean()


def dice_loss(probabilities: Float[Tensor, "objects h w"], truth: Float[Tensor, "objects h w"]) -> Float[Tensor, ""]:
    """1 - 2 |P T| / (|P| + |T|), mean over the objects; smoothed by one pixel so that absent objects count gently."""
    overlap = (probabilities * truth).sum((1, 2))
    total = probabilities.sum((1, 2)) + truth.sum((1, 2))
    return (1 - (2 * overlap + 1) / (total + 1)).mean()
