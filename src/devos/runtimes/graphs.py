"""The four graphs that a step is made of, as modules with plain tensors in and out.

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
from devos.model.config import LONG_TERM_STRIDES, Matching, ModelConfig
from devos.model.decoder import ScaleBlock
from devos.model.devos import DeVOS
from devos.model.encoder import SameConv
from devos.model.motion import Motion
from devos.runtimes.sampling import READERS, Sampling

INPUTS = {
    "encode": ("image",),
    "match": ("s16", "s32", "previous_s16", "previous_s32", "to_prev", "to_curr", "values_s16", "values_s32",
              "bank_keys_s16", "bank_values_s16", "bank_keys_s32", "bank_values_s32"),
    "refine": ("s4", "s8", "scene_s16", "read_s16", "read_s32", "bank_read_s16", "bank_read_s32", "forward_s8",
               "flow", "previous_s8", "previous_keys_s16", "backward_s8", "values_s8", "values_s16", "slots"),
    "memorise": ("s8", "s16", "s32", "probabilities"),
}  # fmt: skip
"""What each graph takes, in order."""
OUTPUTS = {
    "encode": ("s4", "s8", "s16", "s32"),
    "match": (
        "scene_s16",
        "read_s16",
        "read_s32",
        "bank_read_s16",
        "bank_read_s32",
        "previous_keys_s16",
        "forward_s8",
        "backward_s8",
    ),
    "refine": ("logits",),
    "memorise": ("values_s8", "values_s16", "values_s32", "keys_s16", "keys_s32"),
}
"""What each graph gives, in order."""
FOCUSED = frozenset(INPUTS["refine"][: INPUTS["refine"].index("previous_s8")])
"""What `refine` may be given a part of the frame of, the same part of all: a rectangle of whole cells of stride 32."""


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
    return {"encode": Encode(model), "match": Match(model, sampling), "refine": Refine(model, sampling),
            "memorise": Memorise(model)}  # fmt: skip


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
    """Matching and decoding at strides 32 and 16, of the whole frame: an object may come back anywhere."""

    def __init__(self, model: DeVOS, sampling: Sampling) -> None:
        super().__init__()
        self.flow_encoder, self.decoder, self.long_term = model.flow_encoder, model.decoder, model.long_term
        self.adva = nn.ModuleDict(
            {f"s{s}": _Adva(cast(Adva, model.adva[f"s{s}"]), sampling) for s in LONG_TERM_STRIDES}
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """`INPUTS` -> `OUTPUTS`. `to_prev`, `to_curr`: in pixels, on the stride-8 grid. Of the outputs, `scene` is what
        the decoder has found, `read` and `bank_read` are masks from the previous frame and from the bank; the others
        are what ADVA needs at stride 8.
        """
        given = dict(zip(INPUTS["match"], inputs, strict=True))
        motion = Motion(given["to_prev"], given["to_curr"])
        forward, backward = self.flow_encoder(motion)
        coarse: tuple[Tensor, Tensor] | None = None
        x: Tensor | None = None
        masks: dict[int, tuple[Tensor, Tensor]] = {}
        for s in reversed(LONG_TERM_STRIDES):
            features, values = given[f"s{s}"], given[f"values_s{s}"]
            flow = F.avg_pool2d(motion.to_prev, s // 8) / s
            near, near_mask, keys = self.adva[f"s{s}"](
                features, given[f"previous_s{s}"], forward.at(s), backward.at(s), flow, values, coarse
            )
            coarse = keys, values
            matching, groups = cast(LongTermMatching, self.long_term[f"s{s}"]), values.shape[0]
            far, far_mask = _read_bank(matching, features, given[f"bank_keys_s{s}"], given[f"bank_values_s{s}"], groups)
            block = cast(ScaleBlock, getattr(self.decoder, f"block{s}"))
            x = block(features.expand(groups, -1, -1, -1), near, near_mask, far, far_mask, coarser=x)
            masks[s] = near_mask, far_mask
        assert x is not None
        near_masks, far_masks = zip(masks[16], masks[32], strict=True)
        return (x, *near_masks, *far_masks, keys, forward.s8, backward.s8)


class Refine(nn.Module):
    """Matching and decoding at strides 8 and 4, of a part of the frame: logits of the slots that are asked for."""

    def __init__(self, model: DeVOS, sampling: Sampling) -> None:
        super().__init__()
        self.decoder, self.adva = model.decoder, _Adva(cast(Adva, model.adva["s8"]), sampling)

    def forward(self, *inputs: Tensor) -> Tensor:
        """`INPUTS` -> logits g k of the k `slots` at stride 4. What is in `FOCUSED` is of one part of the frame; `flow`
        is `to_prev` there, in cells of stride 8, from that part's own first cell. All else is of the whole frame.
        """
        given = dict(zip(INPUTS["refine"], inputs, strict=True))
        coarse = given["previous_keys_s16"], given["values_s16"]
        near, near_mask, _ = self.adva(
            given["s8"], given["previous_s8"], given["forward_s8"], given["backward_s8"], given["flow"],
            given["values_s8"], coarse,
        )  # fmt: skip
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
