"""Clicks answered by a SAM-family pair of ONNX files that the user has: an encoder of pictures, a decoder of prompts.

The decoder is as Segment Anything's own exporter writes it (point_coords, point_labels, mask_input, has_mask_input,
maybe orig_im_size), which MobileSAM, EdgeSAM, SAM-HQ and samexporter's SAM 2 share. The encoder takes a picture as
1 3 h w, normalised and padded to a square, or as h w 3 with its own normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from devos.engine.marker import Box, Click, Look
from devos.errors import WeightsError

_SIDE = 1024
"""Longer side of the picture as SAM sees it, in pixels, unless the encoder says otherwise."""
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
_MASK_LOGIT = 8.0
"""How sure a mask that is given is said to be."""
_PROMPTS = ("point_coords", "point_labels")


class Embedded(NamedTuple):
    """What the encoder gave, by the decoder's names, and the picture's scale."""

    tensors: dict[str, np.ndarray]
    scale: float
    """Pixels as SAM sees them for one of the picture's."""


@dataclass(frozen=True)
class SamPair:
    """A `ClickModel` of two ONNX files; `load_sam` makes it."""

    encoder: Any
    decoder: Any
    name: str = "sam"

    def look(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Look:
        """The encoder's embedding."""
        (entry, *_) = self.encoder.get_inputs()
        shape = [side if isinstance(side, int) else None for side in entry.shape]
        side = _SIDE
        if len(shape) == 4 and shape[2] and shape[2] == shape[3]:
            side = shape[2]
        scale = side / max(rgb.shape[:2])
        size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        given = small.astype(np.float32) if len(shape) == 3 else _normalised(small, side)
        found = self.encoder.run(None, {entry.name: given})
        return Look(rgb, Embedded(self._named(found), scale))

    def _named(self, found: list[np.ndarray]) -> dict[str, np.ndarray]:
        """The encoder's outputs by the names of the decoder's inputs; a single one goes where there is room for it."""
        wanted = [entry.name for entry in self.decoder.get_inputs()]
        named = {out.name: value for out, value in zip(self.encoder.get_outputs(), found, strict=True)}
        if len(named) == 1:
            return {_embedding_name(wanted): found[0]}
        return {name: value for name, value in named.items() if name in wanted}

    def answer(self, look: Look, clicks: Sequence[Click], box: Box | None,
               mask: Bool[np.ndarray, "h w"] | None) -> Float32[np.ndarray, "h w"]:  # fmt: skip
        """The decoder's answer; of several the one that it thinks best."""
        embedded: Embedded = look.seen
        points = [(c.x + 0.5, c.y + 0.5, 1.0 if c.is_object else 0.0) for c in clicks]
        points += [(box.left, box.top, 2.0), (box.right, box.bottom, 3.0)] if box is not None else [(0.0, 0.0, -1.0)]
        prompts = np.array([points], np.float32)
        low = np.zeros((1, 1, 256, 256), np.float32)
        if mask is not None:
            low[0, 0] = _low_mask(mask, embedded.scale)
        given = {
            **embedded.tensors,
            "point_coords": prompts[..., :2] * np.float32(embedded.scale),
            "point_labels": prompts[..., 2],
            "mask_input": low,
            "has_mask_input": np.array([mask is not None], np.float32),
            "orig_im_size": np.array(look.size, np.float32),
        }
        wanted = {entry.name: entry.type for entry in self.decoder.get_inputs()}
        feed = {name: _typed(given[name], kind) for name, kind in wanted.items() if name in given}
        outputs = dict(zip((o.name for o in self.decoder.get_outputs()), self.decoder.run(None, feed), strict=True))
        return _probability(outputs, look, embedded.scale)


def load_sam(encoder: Path, decoder: Path) -> SamPair:
    """Open both files; WeightsError, in one line, if they are no such pair."""
    import onnxruntime

    sessions = []
    for path in (encoder, decoder):
        if not path.is_file():
            raise WeightsError(f"there is no file {path}; --click-model takes ENCODER.onnx,DECODER.onnx")
        try:
            sessions.append(onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]))
        except Exception as error:  # its errors have no common parent
            reason = str(error).splitlines()[0]
            raise WeightsError(f"{path} cannot be opened as an ONNX graph ({reason}); give another export") from error
    names = [entry.name for entry in sessions[1].get_inputs()]
    if any(name not in names for name in _PROMPTS):
        raise WeightsError(f"{decoder} takes {', '.join(names)}, and a SAM decoder {' and '.join(_PROMPTS)}; give the "
                           "encoder first and the decoder second")  # fmt: skip
    if len(sessions[0].get_inputs()) != 1 or len(sessions[0].get_inputs()[0].shape) not in (3, 4):
        raise WeightsError(f"{encoder} takes no single picture; give the encoder first and the decoder second")
    return SamPair(sessions[0], sessions[1], f"{encoder.stem},{decoder.stem}")


def _embedding_name(wanted: list[str]) -> str:
    others = {*_PROMPTS, "mask_input", "has_mask_input", "orig_im_size"}
    return next((name for name in wanted if name not in others), "image_embeddings")


def _normalised(rgb: UInt8[np.ndarray, "h w 3"], side: int) -> Float32[np.ndarray, "1 3 side side"]:
    """By ImageNet's mean and deviation, with zeros to the right and below."""
    square = np.zeros((1, 3, side, side), np.float32)
    values = (rgb.astype(np.float32) - _MEAN) / _DEVIATION
    square[0, :, : rgb.shape[0], : rgb.shape[1]] = values.transpose(2, 0, 1)
    return square


def _low_mask(mask: Bool[np.ndarray, "h w"], scale: float) -> Float32[np.ndarray, "256 256"]:
    """A mask as logits on SAM's square, a quarter of its side."""
    longest = max(mask.shape)
    square = np.zeros((longest, longest), np.float32)
    square[: mask.shape[0], : mask.shape[1]] = mask
    small: np.ndarray = cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA)
    return (small * 2 - 1) * np.float32(_MASK_LOGIT)


def _typed(value: np.ndarray, kind: str) -> np.ndarray:
    """As the graph wants it: some exports take whole numbers for labels and sizes."""
    types = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float16)": np.float16}
    return value.astype(types.get(kind, np.float32))


def _probability(outputs: dict[str, np.ndarray], look: Look, scale: float) -> Float32[np.ndarray, "h w"]:
    """The best mask at the picture's size."""
    low = next(value for name, value in outputs.items() if "mask" in name and value.ndim == 4).astype(np.float32)
    scores = next((value for name, value in outputs.items() if "iou" in name or "score" in name), None)
    best = 0 if scores is None else int(np.argmax(scores.reshape(-1)[: low.shape[1]]))
    logits = low[0, best]
    if logits.shape != tuple(look.size):
        longest = max(look.size)
        enlarged = cv2.resize(logits, (longest, longest), interpolation=cv2.INTER_LINEAR)
        logits = enlarged[: look.size.height, : look.size.width]
    probability: np.ndarray = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return probability.astype(np.float32)
