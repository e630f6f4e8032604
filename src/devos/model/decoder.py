"""Blocks that join the scales, and the FPN decoder that makes masks at stride 4 (design, section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from devos.model.attention import Read
from devos.model.config import MATCHING_STRIDES, ModelConfig
from devos.model.encoder import Features
from devos.model.focus import Focus
from devos.model.layers import Pointwise, ResidualBlock, pointwise, upsample

ABSENT = -1e4
"""Logit of a slot that no object uses: its probability is exactly 0 in float32."""


class ScaleBlock(nn.Module):
    """Joins what one stride knows: image, reads, and the coarser stride."""

    def __init__(self, in_channels: int, width: int, num_blocks: int) -> None:
        super().__init__()
        self.join = Pointwise(in_channels, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(num_blocks)))

    def forward(self, *parts: Tensor, coarser: Tensor | None = None) -> Tensor:
        """Maps of one size, and the coarser stride's of half the size -> b width h w."""
        sizes = [part.shape[1] for part in parts] + ([] if coarser is None else [coarser.shape[1]])
        weights = torch.split(self.join.weight, sizes, 1)
        # Joined by adding up rather than side by side; the coarser part before it is enlarged, which makes no
        # difference to the sum and has four times fewer cells.
        x = pointwise(parts[0], weights[0], self.join.bias)
        for part, weight in zip(parts[1:], weights[1:], strict=False):
            x = x + pointwise(part, weight)
        if coarser is not None:
            x = x + upsample(pointwise(coarser, weights[-1]))
        return cast(Tensor, self.blocks(x))


class MaskHead(nn.Module):
    """Logits for each slot, from the scene's features and from what was read for that slot.

    The features are shared by all slots. What was read is a few numbers for each slot; the same small convolutions
    judge every slot, so that what is learnt with one object serves ten.
    """

    def __init__(self, width: int, slots: int, num_reads: int, inner: int = 16) -> None:
        super().__init__()
        self.inner = inner
        self.direct = Pointwise(width, slots)
        self.scene = Pointwise(width, inner)
        self.own = Pointwise(num_reads + 1, inner)
        self.spread = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.judge = nn.Conv2d(inner, 1, 3, padding=1)
        self.trust = nn.Parameter(torch.full((num_reads,), 0.3))
        nn.init.normal_(self.direct.weight, std=0.01)

    def forward(self, features: Float[Tensor, "b c h w"], reads: Float[Tensor, "b reads s h w"],
                slots: Int64[Tensor, " s"]) -> Float[Tensor, "b s h w"]:  # fmt: skip
        """`reads`: log-odds of each of `slots` from each read, at this grid."""
        b, _, s, h, w = reads.shape
        assert self.direct.bias is not None
        direct = pointwise(features, self.direct.weight[slots], self.direct.bias[slots])
        logits = direct + torch.einsum("r,brshw->bshw", self.trust, reads)
        own = torch.cat([reads, logits[:, None]], 1).transpose(1, 2).reshape(b * s, -1, h, w)
        hidden = self.own(own).view(b, s, self.inner, h, w) + self.scene(features)[:, None]
        hidden = F.gelu(hidden).flatten(0, 1)
        hidden = F.gelu(hidden + self.spread(hidden))
        return logits + cast(Tensor, self.judge(hidden)).view(b, s, h, w)


class Decoder(nn.Module):
    """From reads at 8, 16, 32 to logits at 4."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        slots = config.num_slots + 1
        w, w8, w4, n = config.width, config.width_s8, config.width_s4, config.num_blocks
        strides = (*config.matching.strides, *config.matching.long_term_strides)
        read = {s: strides.count(s) * (config.width_at(s) + slots) for s in MATCHING_STRIDES}
        self.block32 = ScaleBlock(w + read[32], w, n)
        self.block16 = ScaleBlock(w + read[16] + w, w, n)
        self.block8 = ScaleBlock(w8 + read[8] + w, w8, n)
        self.block4 = ScaleBlock(w4 + w8, w4, n)
        self.head = MaskHead(w4, slots, len(strides))

    def forward(self, features: Features, short: dict[int, Read], long: dict[int, Read],
                used: Bool[Tensor, "bg slots"],
                focus: Focus | None = None) -> Float[Tensor, "bg slots h4 w4"]:  # fmt: skip
        """`features`: E for each group; `short`, `long`: ADVA's and the bank's reads by stride. `focus`: the part of
        the frame that strides 8 and 4 are computed for, and that `short` has at stride 8; all of it unless given.

        Slots that `used` does not name get the logit `ABSENT`, and cost nothing at stride 4.
        """
        x = self.block32(features.s32, *_at(32, short, long))
        x = self.block16(features.s16, *_at(16, short, long), coarser=x)
        size = features.s4.shape[-2:]
        if focus is not None:
            x = focus.cut(x, 16)
            features = features._replace(s8=focus.cut(features.s8, 8), s4=focus.cut(features.s4, 4))
            short, long = ({s: _in_focus(s, read, focus) for s, read in reads.items()} for reads in (short, long))
        x = self.block8(features.s8, *_at(8, short, long), coarser=x)
        x = self.block4(features.s4, coarser=x)
        slots = used.any(0).nonzero()[:, 0]
        finest_first = [source[stride] for source in (short, long) for stride in sorted(source)]
        masks = [read.mask[:, slots] for read in finest_first]
        # Interpolated as probabilities, then turned to log-odds: the other order rings at edges.
        reads = torch.stack([F.interpolate(m, x.shape[-2:], mode="bilinear", align_corners=False) for m in masks], 1)
        judged = cast(Tensor, self.head(x, torch.logit(reads, eps=0.01), slots))
        return all_slots(judged, slots, used, focus, size)


def all_slots(judged: Float[Tensor, "bg k h w"], slots: Int64[Tensor, " k"], used: Bool[Tensor, "bg slots"],
              focus: Focus | None, size: Sequence[int]) -> Float[Tensor, "bg slots h4 w4"]:  # fmt: skip
    """The logits of some `slots` as those of all, of the whole frame, whose grid has `size`: a slot that is not `used`
    is nowhere, and beyond the focus, if there is one, all is background for certain.
    """
    logits = judged.new_full((*used.shape, *judged.shape[-2:]), ABSENT).index_copy(1, slots, judged)
    logits = logits.masked_fill(~used[:, :, None, None], ABSENT)
    if focus is None:
        return logits
    whole = logits.new_full((*used.shape, *size), ABSENT)
    whole[:, 0] = 0
    focus.cut(whole, 4).copy_(logits)
    return whole


def _in_focus(stride: int, read: Read, focus: Focus) -> Read:
    """The same with what of its mask lies in the focus; at stride 8 nothing else was read."""
    return read if stride == 8 else Read(read.embedding, focus.cut(read.mask, stride))


def _at(stride: int, *sources: dict[int, Read]) -> list[Tensor]:
    """Embedding and mask of every read at a stride."""
    return [part for reads in sources if stride in reads for part in reads[stride]]
