"""The three graphs that a step is made of, as modules with plain tensors in and out.

They hold the network's own weights and layers. Where they differ from it in form, it is for what graph runtimes are
good at (`sampling`, plain convolutions) or need (no shape and no list of slots may be fixed when the graph is made); a
test compares them with the network. Batches are of one image; its groups of objects are the first axis of masks and
values.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from devos.model.attention import Adva, LongTermMatching
from devos.model.config import LONG_TERM_STRIDES, MATCHING_STRIDES, Matching, ModelConfig
from devos.model.devos import DeVOS
from devos.model.encoder import Features, SameConv
from devos.model.motion import Motion
from devos.runtimes.sampling import READERS, Sampling

INPUTS = {
    "encode": ("image",),
    "match": ("s4", "s8", "s16", "s32", "previous_s8", "previous_s16", "previous_s32", "to_prev", "to_curr",
              "values_s8", "values_s16", "values_s32", "bank_keys_s16", "bank_values_s16", "bank_keys_s32",
              "bank_values_s32", "slots"),
    "memorise": ("s8", "s16", "s32", "probabilities"),
}  # fmt: skip
"""What each graph takes, in order."""
OUTPUTS = {
    "encode": ("s4", "s8", "s16", "s32"),
    "match": ("logits",),
    "memorise": ("values_s8", "values_s16", "values_s32", "keys_s16", "keys_s32"),
}
"""What each graph gives, in order."""


def refusal(config: ModelConfig) -> str | None:
    """Why a network cannot be made into graphs; None if it can."""
    if config.matching != Matching():
        return "parts of its matching are taken away or changed, as for an ablation"
    if config.backbone == "swin":
        return "its Swin backbone cannot be written for frames of any size"
    return None


def modules(model: DeVOS, sampling: Sampling) -> dict[str, nn.Module]:
    """Every graph by its name. ValueError for a network that `refusal` refuses."""
    if (reason := refusal(model.config)) is not None:
        raise ValueError(f"{model.config.name} cannot be made into graphs: {reason}")
    return {"encode": Encode(model), "match": Match(model, sampling), "memorise": Memorise(model)}


class _Pad(torch.autograd.Function):
    """A convolution that is padded unevenly: ONNX has it in one operation, torch does not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, before: int, after: int,
                groups: int) -> Tensor:  # fmt: skip
        """As SameConv."""
        return F.conv2d(F.pad(x, (before, after, before, after)), weight, bias, stride, groups=groups)

    @staticmethod
    def symbolic(g: Any, x: Any, weight: Any, bias: Any, stride: int, before: int, after: int, groups: int) -> Any:
        """As one ONNX operation."""
        return g.op("Conv", x, weight, bias, strides_i=[stride, stride], pads_i=[before, before, after, after],
                    group_i=groups)  # fmt: skip


class _PlainConv(nn.Module):
    """SameConv as one convolution."""

    def __init__(self, conv: SameConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """As SameConv."""
        conv, stride = self.conv, self.conv.stride[0]
        total = conv.kernel_size[0] - stride if stride > 1 else conv.kernel_size[0] - 1
        before, after = total // 2, total - total // 2
        if before == after:
            return F.conv2d(x, conv.weight, conv.bias, stride, before, groups=conv.groups)
        return cast(Tensor, _Pad.apply(x, conv.weight, conv.bias, stride, before, after, conv.groups))  # type: ignore[no-untyped-call]


class Encode(nn.Module):
    """An image's features."""

    def __init__(self, model: DeVOS) -> None:
        super().__init__()
        self.encoder = deepcopy(model.image_encoder)
        for module in list(self.encoder.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, SameConv):
                    setattr(module, name, _PlainConv(child))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """1 3 h w, RGB in [0, 1] -> E at strides 4, 8, 16, 32."""
        return tuple(self.encoder(image))


class Match(nn.Module):
    """Matching and decoding: logits of the slots that are asked for."""

    def __init__(self, model: DeVOS, sampling: Sampling) -> None:
        super().__init__()
        self.flow_encoder, self.decoder = model.flow_encoder, model.decoder
        self.adva = nn.ModuleDict({name: _Adva(cast(Adva, adva), sampling) for name, adva in model.adva.items()})
        self.long_term = model.long_term

    def forward(self, *inputs: Tensor) -> Tensor:
        """`INPUTS` -> logits g k h4 w4 of the k `slots`. `to_prev`, `to_curr`: in pixels, on the stride-8 grid."""
        given = dict(zip(INPUTS["match"], inputs, strict=True))
        features = Features(*inputs[:4])
        embeddings, masks = self._read_previous(features, given)
        groups = given["values_s8"].shape[0]
        far, far_masks = {}, {}
        for s in LONG_TERM_STRIDES:
            matching = cast(LongTermMatching, self.long_term[f"s{s}"])
            keys, values = given[f"bank_keys_s{s}"], given[f"bank_values_s{s}"]
            far[s], far_masks[s] = _read_bank(matching, features.at(s), keys, values, groups)
        decoder = self.decoder
        s4, s8, s16, s32 = (x.expand(groups, -1, -1, -1) for x in features)
        x = decoder.block32(s32, embeddings[32], masks[32], far[32], far_masks[32])
        x = decoder.block16(s16, embeddings[16], masks[16], far[16], far_masks[16], coarser=x)
        x = decoder.block8(s8, embeddings[8], masks[8], coarser=x)
        x = decoder.block4(s4, coarser=x)
        reads = [(masks[s], s) for s in MATCHING_STRIDES] + [(far_masks[s], s) for s in LONG_TERM_STRIDES]
        return self._judge(x, reads, given["slots"])

    def _read_previous(self, features: Features, given: dict[str, Tensor]) -> tuple[dict[int, Tensor], ...]:
        motion = Motion(given["to_prev"], given["to_curr"])
        forward, backward = self.flow_encoder(motion)
        coarse: tuple[Tensor, Tensor] | None = None
        embeddings, masks = {}, {}
        for s in reversed(MATCHING_STRIDES):
            flow = F.avg_pool2d(motion.to_prev, s // 8) / s if s > 8 else motion.to_prev / s
            values = given[f"values_s{s}"]
            embeddings[s], masks[s], keys = self.adva[f"s{s}"](
                features.at(s), given[f"previous_s{s}"], forward.at(s), backward.at(s), flow, values, coarse
            )
            coarse = keys, values
        return embeddings, masks

    def _judge(self, x: Tensor, reads: list[tuple[Tensor, int]], slots: Tensor) -> Tensor:
        """The mask head, its direct convolution as a matrix product: its weights are those of the slots."""
        head, (g, _, h, w), k = self.decoder.head, x.shape, slots.shape[0]
        large = [F.interpolate(mask.index_select(1, slots), scale_factor=float(s // 4), mode="bilinear",
                               align_corners=False) for mask, s in reads]  # fmt: skip
        odds = torch.stack(large, 1).clamp(0.01, 0.99)
        odds = (odds / (1 - odds)).log()
        assert head.direct.bias is not None
        direct = head.direct.weight.flatten(1).index_select(0, slots) @ x.flatten(2)
        direct = direct.view(g, k, h, w) + head.direct.bias.index_select(0, slots)[:, None, None]
        logits = direct + (head.trust[:, None, None, None] * odds).sum(1)
        own = torch.cat([odds, logits.unsqueeze(1)], 1).transpose(1, 2).reshape(g * k, -1, h, w)
        hidden = head.own(own).view(g, k, head.inner, h, w) + head.scene(x).unsqueeze(1)
        hidden = F.gelu(hidden).flatten(0, 1)
        hidden = F.gelu(hidden + head.spread(hidden))
        return cast(Tensor, logits + head.judge(hidden).view(g, k, h, w))


class Memorise(nn.Module):
    """What is remembered of a frame: values for the next frame and the bank, and the bank's keys."""

    def __init__(self, model: DeVOS) -> None:
        super().__init__()
        self.identity_encoder, self.long_term = model.identity_encoder, model.long_term

    def forward(self, s8: Tensor, s16: Tensor, s32: Tensor, probabilities: Tensor) -> tuple[Tensor, ...]:
        """E and masks `g slots h4 w4` -> values `g v h w` at strides 8, 16, 32 and keys `1 n c` at 16, 32."""
        features = {8: s8, 16: s16, 32: s32}
        groups = probabilities.shape[0]
        values = (self.identity_encoder.value(s, x.expand(groups, -1, -1, -1), probabilities)
                  for s, x in features.items())  # fmt: skip
        return (*values, *self._keys(features))

    def _keys(self, features: dict[int, Tensor]) -> Iterator[Tensor]:
        for s in LONG_TERM_STRIDES:
            yield cast(LongTermMatching, self.long_term[f"s{s}"]).keys(features[s])


class _Adva(nn.Module):
    """ADVA at one stride, its sampling done by a `Reader`."""

    def __init__(self, adva: Adva, sampling: Sampling) -> None:
        super().__init__()
        self.adva, self._reader = adva, READERS[sampling]

    def forward(self, current: Tensor, previous: Tensor, forward_embedding: Tensor, backward_embedding: Tensor,
                flow_cells: Tensor, values: Tensor,
                coarse: tuple[Tensor, Tensor] | None) -> tuple[Tensor, ...]:  # fmt: skip
        """As Adva: embedding, mask, and this stride's keys."""
        adva, heads, width = self.adva, self.adva.heads, self.adva.width
        query, keys = adva.queries_and_keys(current, previous, forward_embedding, backward_embedding)
        h, w = query.shape[2:]
        points = self._points(query, flow_cells)
        projected = adva.query(query).view(heads, width // heads, h * w)
        n = adva.points
        near = self._reader(points[:, :n], keys)
        scores = [near.correlate(projected, adva.key(keys))]
        if coarse is not None:
            coarse_keys, coarse_values = coarse
            far = self._reader((points[:, n:] + 0.5) / 2 - 0.5, coarse_keys)
            scores.append(far.correlate(projected, adva.coarse_key(coarse_keys)))
        scale = adva.sharpness.exp() * (width // heads) ** -0.5
        weights = (torch.cat(scores, 1) * scale + adva.point_bias[:, :, None]).softmax(1)
        embedding, mask = near.weigh(weights[:, :n], values, width)
        if coarse is not None:
            inner = adva.coarse_value.in_channels
            joined = torch.cat([adva.coarse_value(coarse_values[:, :inner]), coarse_values[:, inner:]], 1)
            more, more_mask = far.weigh(weights[:, n:], joined, width)
            embedding, mask = embedding + more, mask + more_mask
        read = adva.project(embedding.view(-1, width, h, w))
        return current + read, mask.reshape(-1, adva.slots, h, w) / heads, keys

    def _points(self, query: Tensor, flow_cells: Tensor) -> Tensor:
        """m p 2 n, (x, y) in cells."""
        h, w = query.shape[2:]
        xs, ys = torch.arange(w, dtype=query.dtype), torch.arange(h, dtype=query.dtype)
        anchor = torch.stack([flow_cells[0, 0] + xs, flow_cells[0, 1] + ys[:, None]])
        offsets: Tensor = self.adva.shape(query).view(self.adva.heads, -1, 2, h, w)
        return (offsets + anchor).flatten(3)


def _read_bank(matching: LongTermMatching, features: Tensor, keys: Tensor, values: Tensor,
               groups: int) -> tuple[Tensor, Tensor]:  # fmt: skip
    """As LongTermMatching: embedding and mask of each group."""
    h, w = features.shape[2:]
    read: Tensor = matching.attention(features, keys) @ values
    width = matching.width
    read = read.view(h * w, groups, width + matching.slots).permute(1, 2, 0).reshape(groups, -1, h, w)
    embedding: Tensor = matching.project(read[:, :width])
    return embedding, read[:, width:]
