"""How light, lens and camera change a clip's pictures. Chance is always an argument."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8


def jitter_light(images: UInt8[np.ndarray, "t h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "t h w 3"]:
    """One change of brightness, contrast, colour and gamma for the clip, and a little drift from frame to frame."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
    bias = rng.uniform(-25, 25)
    gamma = np.exp(rng.uniform(-0.3, 0.3))
    saturation = rng.uniform(0.6, 1.3) if rng.random() > 0.1 else 0.0
    drift = rng.normal(0, 0.015)
    levels = np.arange(256) / 255
    out = np.empty_like(images)
    for t, image in enumerate(images):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
        mixed = cv2.addWeighted(image, saturation, np.repeat(grey, 3, 2), 1 - saturation, 0)
        curve = 255 * levels**gamma
        table = np.clip(curve[:, None] * gain * (1 + drift * t) + bias, 0, 255).astype(np.uint8)
        out[t] = cv2.LUT(mixed, np.ascontiguousarray(table[:, None, :]))
    return out


def degrade(images: UInt8[np.ndarray, "t h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "t h w 3"]:
    """Sometimes blur, noise or compression, as cameras and codecs do."""
    out = images
    if rng.random() < 0.15:
        sigma = float(rng.uniform(0.5, 1.6))
        out = np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in out])
    if rng.random() < 0.15:
        noise = rng.normal(0, rng.uniform(2, 9), (*out.shape[:3], 1)).astype(np.float32)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        quality = int(rng.integers(25, 80))
        out = np.stack([_recompress(image, quality) for image in out])
    return out


def _recompress(image: UInt8[np.ndarray, "h w 3"], quality: int) -> UInt8[np.ndarray, "h w 3"]:
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: np.ndarray | None = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None, "what was just written can be read"
    return decoded
