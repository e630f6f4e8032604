"""Clicks answered by our own head on the backbone of devos-t: the whole picture first, then the object more closely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor, nn

from devos.engine.marker import SURE, Box, Click, Look, asked_for
from devos.engine.part import Part, around, whole
from devos.frames import FrameSize
from devos.image import STRIDE, network_size, resize_rgb, to_tensor
from devos.model.clicks import ClickHead, Hints

_WHOLE, _CLOSE = 224, 320
"""Short side at which the whole picture is seen; side of a square as large as the closer look, in pixels. About as many
pixels as in training, 256 x 256: attention over twice as many cells found less."""
_AROUND = 1.4
"""The closer look shows so many times the object's sides."""
_LEAST_CLOSE = 48.0
"""Shortest side of what the closer look shows, in the picture's pixels."""
_BEYOND = 0.018
"""Probability beyond the closer look."""


class Seen(NamedTuple):
    """A picture, or a part of it, as the head needs it."""

    image: Tensor
    maps: list[Tensor]


@dataclass(frozen=True)
class HeadModel:
    """A `ClickModel`: the head, and the backbone that it was trained on."""

    backbone: nn.Module
    head: ClickHead
    device: torch.device
    name: str = "clicks"

    def look(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Look:
        """The backbone's features of the whole picture."""
        size = FrameSize(*rgb.shape[:2])
        return Look(rgb, self._see(rgb, network_size(size, _WHOLE)))

    def answer(self, look: Look, clicks: Sequence[Click], box: Box | None,
               mask: Bool[np.ndarray, "h w"] | None) -> Float32[np.ndarray, "h w"]:  # fmt: skip
        """First where the object is, then, of what is around it, where its edges are; all beyond that is background.

        Where it is need not be asked again if the newest click only mends the mask so far.
        """
        found, near = mask, None
        if mask is not None and box is None and self._is_near(look, clicks[-1], mask):
            near = self._closer(look, mask, clicks, None)
        if near is None:
            logits = self._ask(look.seen, whole(look.size), clicks, box, mask)
            found = logits > 0 if box is not None else asked_for(logits > 0, clicks, mask)
            near = self._closer(look, found, clicks, box)
            if near is None:
                return _sigmoid(logits)
        seen = self._see(near.of(look.rgb), _close_size(near.size))
        probability = np.full(tuple(look.size), _BEYOND, np.float32)
        near.of(probability)[:] = _sigmoid(self._ask(seen, near, clicks, box, found))
        return probability

    def _is_near(self, look: Look, click: Click, mask: Bool[np.ndarray, "h w"]) -> bool:
        """Whether a closer look at the mask alone would show the click. One on the object must lie within the mask's
        box: beyond, it says that the object reaches farther.
        """
        room, least = (1.0, 1.0) if click.is_object else (_AROUND, _LEAST_CLOSE)
        part = around(look.size, mask, (), None, room=room, least=least)
        return part is not None and part.holds(click)

    def _see(self, rgb: UInt8[np.ndarray, "h w 3"], size: FrameSize) -> Seen:
        image = to_tensor(resize_rgb(rgb, size)).to(self.device)
        with torch.inference_mode():
            return Seen(image, self.backbone(image))

    def _ask(self, seen: Seen, part: Part, clicks: Sequence[Click], box: Box | None,
             mask: Bool[np.ndarray, "h w"] | None) -> Float32[np.ndarray, "part_h part_w"]:  # fmt: skip
        """Logits at the part's own size."""
        hints = _hints(FrameSize(*seen.image.shape[-2:]), part, clicks, box, mask)
        with torch.inference_mode():
            logits = self.head(seen.image, seen.maps, Hints(*(h.to(self.device) for h in hints)))
        answer: np.ndarray = cv2.resize(logits[0, 0].float().cpu().numpy(), (part.size.width, part.size.height),
                                        interpolation=cv2.INTER_LINEAR)  # fmt: skip
        return answer

    def _closer(self, look: Look, answer: Bool[np.ndarray, "h w"], clicks: Sequence[Click],
                box: Box | None) -> Part | None:  # fmt: skip
        """What to look at more closely: the box, or else all that was answered, and the clicks on the object; None if
        nothing is won.
        """
        part = around(look.size, answer if box is None else None, clicks, box, room=_AROUND, least=_LEAST_CLOSE)
        if part is None:
            return None
        seen = network_size(look.size, _WHOLE)
        enlarged = min(a / b for a, b in zip(_close_size(part.size), part.size, strict=True))
        return part if enlarged > max(a / b for a, b in zip(seen, look.size, strict=True)) else None


def _sigmoid(logits: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    probability: np.ndarray = torch.from_numpy(logits).sigmoid().numpy()
    return probability


def _close_size(part: FrameSize) -> FrameSize:
    """At which size the head looks at a part: as many pixels as a square of `_CLOSE`, shaped nearly as the part."""
    scale = _CLOSE / (part.height * part.width) ** 0.5
    return FrameSize(*(min(24, max(4, round(side * scale / STRIDE))) * STRIDE for side in part))


def _hints(size: FrameSize, part: Part, clicks: Sequence[Click], box: Box | None,
           mask: Bool[np.ndarray, "h w"] | None) -> Hints:  # fmt: skip
    """What was said, in the pixels of a part that is seen at `size`; clicks beyond it are left out."""
    across, down = size.width / part.size.width, size.height / part.size.height
    points = [
        ((c.x - part.left + 0.5) * across - 0.5, (c.y - part.top + 0.5) * down - 0.5, 1.0 if c.is_object else -1.0)
        for c in clicks
        if part.holds(c)
    ]
    edges = torch.zeros(1, 4)
    if box is not None:
        left, right = ((x - part.left) * across for x in (box.left, box.right))
        top, bottom = ((y - part.top) * down for y in (box.top, box.bottom))
        edges = torch.tensor([[max(left, 0), max(top, 0), min(right, size.width), min(bottom, size.height)]])
    share = torch.zeros(1, 1, size.height // 2, size.width // 2)
    if mask is not None:
        small = cv2.resize(
            part.of(mask).astype(np.float32), (size.width // 2, size.height // 2), interpolation=cv2.INTER_AREA
        )
        share = torch.from_numpy((small > SURE).astype(np.float32))[None, None]
    return Hints(torch.tensor([points or [(0.0, 0.0, 0.0)]], dtype=torch.float32), edges, share)
