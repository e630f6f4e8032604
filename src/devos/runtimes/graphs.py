"""The five graphs that a step is made of, as modules with plain tensors in and out.

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
from devos.model.decoder import ScaleBlock
from devos.model.devos import DeVOS
from devos.model.encoder import SameConv
from devos.model.motion import Motion
from devos.runtimes.sampling import READERS, Sampling

INPUTS = {
    "encode": ("image",),
    "look": ("s8", "s16", "s32", "previous_s8", "previous_s16", "previous_s32", "to_prev", "to_curr"),
    "match": ("s16", "s32", "grid_s16", "weights_s16", "grid_s32", "weights_s32", "values_s16", "values_s32",
              "bank_keys_s16", "bank_values_s16", "bank_keys_s32", "bank_values_s32"),
    "refine": ("s4", "s8", "grid_s8", "weights_s8", "scene_s16", "read_s16", "read_s32", "bank_read_s16",
               "bank_read_s32", "values_s8", "values_s16", "slots"),
    "memorise": ("s8", "s16", "s32", "probabilities"),
}  # fmt: skip
"""What each graph takes, in order."""
OUTPUTS = {
    "encode": ("s4", "s8", "s16", "s32"),
    "look": ("grid_s8", "weights_s8", "grid_s16", "weights_s16", "grid_s32", "weights_s32"),
    "match": ("scene_s16", "read_s16", "read_s32", "bank_read_s16", "bank_read_s32"),
    "refine": ("logits",),
    "memorise": ("values_s8", "values_s16", "values_s32", "keys_s16", "keys_s32"),
}
"""What each graph gives, in order."""
FOCUSED = INPUTS["refine"][: INPUTS["refine"].index("values_s8")]
"""What `refine` may be given a part of the frame of, the same part of all: a rectangle of whole cells of stride 32."""


def refusal(config: ModelConfig) -> str | None:
    """Why a network cannot be made into graphs; None if it can."""
    if config.without_kernel.matching != Matching():
        return "parts of its matching are taken away or changed, as for an ablation"
    if config.backbone == "swin":
        return "its Swin backbone cannot be written for frames of any size"
    return None


def modules(model: DeVOS, sampling: Sampling) -> dict[str, nn.Module]:
    """Every graph by its name. ValueError for a network that `refusal` refuses."""
    if (reason := refusal(model.config)) is not None:
        raise ValueError(f"{model.config.name} cannot be made into graphs: {reason}")
    return {"encode": Encode(model), "look": Look(model, sampling), "match": Match(model, sampling),
            "refine": Refine(model, sampling), "memorise": Memorise(model)}  # fmt: skip


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


class Look(nn.Module):
    """Where ADVA reads the previous frame, and how much it takes from each place: what needs no masks."""

    def __init__(self, model: DeVOS, sampling: Sampling) -> None:
        super().__init__()
        self.flow_encoder = model.flow_encoder
        self.adva = nn.ModuleDict({name: _Looking(cast(Adva, adva), sampling) for name, adva in model.adva.items()})

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """`INPUTS` -> `OUTPUTS`: for each stride a grid m p h w 2, as `grid_sample` takes it, and weights m p h w.
        `to_prev`, `to_curr`: in pixels, on the stride-8 grid.
        """
        given = dict(zip(INPUTS["look"], inputs, strict=True))
        motion = Motion(given["to_prev"], given["to_curr"])
        forward, backward = self.flow_encoder(motion)
        keys: Tensor | None = None
        found: tuple[Tensor, ...] = ()
        for s in reversed(MATCHING_STRIDES):
            flow = F.avg_pool2d(motion.to_prev, s // 8) / s if s > 8 else motion.to_prev / s
            grid, weights, keys = self.adva[f"s{s}"](
                given[f"s{s}"], given[f"previous_s{s}"], forward.at(s), backward.at(s), flow, keys
            )
            found = (grid, weights, *found)
        return found


class Match(nn.Module):
    """Matching and decoding at strides 32 and 16, of the whole frame: an object may come back anywhere."""

    def __init__(self, model: DeVOS, sampling: Sampling) -> None:
        super().__init__()
        self.decoder, self.long_term = model.decoder, model.long_term
        self.adva = nn.ModuleDict(
            {f"s{s}": _Reading(cast(Adva, model.adva[f"s{s}"]), sampling) for s in LONG_TERM_STRIDES}
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """`INPUTS` -> `OUTPUTS`: what the decoder has found, and masks read from the previous frame and the bank."""
        given = dict(zip(INPUTS["match"], inputs, strict=True))
        x: Tensor | None = None
        coarse: Tensor | None = None
        masks: dict[int, tuple[Tensor, Tensor]] = {}
        for s in reversed(LONG_TERM_STRIDES):
            features, values = given[f"s{s}"], given[f"values_s{s}"]
            near, near_mask = self.adva[f"s{s}"](features, given[f"grid_s{s}"], given[f"weights_s{s}"], values, coarse)
            matching, groups = cast(LongTermMatching, self.long_term[f"s{s}"]), values.shape[0]
            far, far_mask = _read_bank(matching, features, given[f"bank_keys_s{s}"], given[f"bank_values_s{s}"], groups)
            block = cast(ScaleBlock, getattr(self.decoder, f"block{s}"))
            x = block(features.expand(groups, -1, -1, -1), near, near_mask, far, far_mask, coarser=x)
            masks[s], coarse = (near_mask, far_mask), values
        assert x is not None
        near_masks, far_masks = zip(masks[16], masks[32], strict=True)
        return (x, *near_masks, *far_masks)


class Refine(nn.Module):
    """Matching and decoding at strides 8 and 4, of a part of the frame: logits of the slots that are asked for."""

    def __init__(self, model: DeVOS, sampling: Sampling) -> None:
        super().__init__()
        self.decoder, self.adva = model.decoder, _Reading(cast(Adva, model.adva["s8"]), sampling)

    def forward(self, *inputs: Tensor) -> Tensor:
        """`INPUTS` -> logits g k of the k `slots` at stride 4. What is in `FOCUSED` is of one part of the frame, all
        else of the whole.
        """
        given = dict(zip(INPUTS["refine"], inputs, strict=True))
        near, near_mask = self.adva(
            given["s8"], given["grid_s8"], given["weights_s8"], given["values_s8"], given["values_s16"]
        )
        groups = given["values_s8"].shape[0]
        s4, s8 = (given[name].expand(groups, -1, -1, -1) for name in ("s4", "s8"))
        x = self.decoder.block8(s8, near, near_mask, coarser=given["scene_s16"])
        x = self.decoder.block4(s4, coarser=x)
        reads = [(near_mask, 8), *((given[f"{of}read_s{s}"], s) for of in ("", "bank_") for s in LONG_TERM_STRIDES)]
        return self._judge(x, reads, given["slots"])

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


class _Looking(nn.Module):
    """What ADVA does before it reads values, at one stride."""

    def __init__(self, adva: Adva, sampling: Sampling) -> None:
        super().__init__()
        self.adva, self._reader = adva, READERS[sampling]

    def forward(self, current: Tensor, previous: Tensor, forward_embedding: Tensor, backward_embedding: Tensor,
                flow_cells: Tensor, coarse_keys: Tensor | None) -> tuple[Tensor, ...]:  # fmt: skip
        """As Adva.look: grid m p h w 2, weights m p h w, and this stride's keys."""
        adva, heads, width = self.adva, self.adva.heads, self.adva.width
        query, keys = adva.queries_and_keys(current, previous, forward_embedding, backward_embedding)
        h, w = query.shape[2:]
        grid = self._grid(query, flow_cells)
        places = grid.flatten(2, 3)
        projected = adva.query(query).view(heads, width // heads, h * w)
        n = adva.points
        scores = [self._reader(places[:, :n], keys).correlate(projected, adva.key(keys))]
        if coarse_keys is not None:
            far = self._reader(places[:, n:], coarse_keys)
            scores.append(far.correlate(projected, adva.coarse_key(coarse_keys)))
        scale = adva.sharpness.exp() * (width // heads) ** -0.5
        weights = (torch.cat(scores, 1) * scale + adva.point_bias[:, :, None]).softmax(1)
        return grid, weights.view(heads, -1, h, w), keys

    def _grid(self, query: Tensor, flow_cells: Tensor) -> Tensor:
        """m p h w 2, (x, y) from -1 to 1 over the picture."""
        h, w = query.shape[2:]
        xs, ys = torch.arange(w, dtype=query.dtype), torch.arange(h, dtype=query.dtype)
        anchor = torch.stack([flow_cells[0, 0] + xs, flow_cells[0, 1] + ys[:, None]])
        cells = self.adva.shape(query).view(self.adva.heads, -1, 2, h, w) + anchor
        size = torch.stack([xs[-1], ys[-1]]) + 1
        return cast(Tensor, (cells.permute(0, 1, 3, 4, 2) + 0.5) * (2 / size) - 1)


class _Reading(nn.Module):
    """What ADVA does with values, at one stride."""

    def __init__(self, adva: Adva, sampling: Sampling) -> None:
        super().__init__()
        self.adva, self._reader = adva, READERS[sampling]

    def forward(self, current: Tensor, grid: Tensor, weights: Tensor, values: Tensor,
                coarse_values: Tensor | None) -> tuple[Tensor, Tensor]:  # fmt: skip
        """As Adva: embedding and mask of the grid's cells."""
        adva, width, n = self.adva, self.adva.width, self.adva.points
        h, w = current.shape[2:]
        places, shares = grid.flatten(2, 3), weights.flatten(2)
        embedding, mask = self._reader(places[:, :n], values).weigh(shares[:, :n], values, width)
        if coarse_values is not None:
            inner = adva.coarse_value.in_channels
            joined = torch.cat([adva.coarse_value(coarse_values[:, :inner]), coarse_values[:, inner:]], 1)
            more, more_mask = self._reader(places[:, n:], joined).weigh(shares[:, n:], joined, width)
            embedding, mask = embedding + more, mask + more_mask
        read = adva.project(embedding.view(-1, width, h, w))
        return current + read, mask.reshape(-1, adva.slots, h, w) / adva.heads


def _read_bank(matching: LongTermMatching, features: Tensor, keys: Tensor, values: Tensor,
               groups: int) -> tuple[Tensor, Tensor]:  # fmt: skip
    """As LongTermMatching: embedding and mask of each group."""
    h, w = features.shape[2:]
    read: Tensor = matching.attention(features, keys) @ values
    width = matching.width
    read = read.view(h * w, groups, width + matching.slots).permute(1, 2, 0).reshape(groups, -1, h, w)
    embedding: Tensor = matching.project(read[:, :width])
    return embedding, read[:, width:]
