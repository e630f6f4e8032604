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


def move_light(images: UInt8[np.ndarray, "t h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "t h w 3"]:
    """Shadows or highlights with soft or hard edges move over the scene, and it becomes lighter or darker."""
    height, width = images.shape[1:3]
    field = rng.normal(0, 1, (7, 7)).astype(np.float32)
    coarse = cv2.resize(field, (96, 96), interpolation=cv2.INTER_CUBIC)
    strength = -rng.uniform(0.15, 0.6) if rng.random() < 0.75 else rng.uniform(0.1, 0.35)
    hardness = rng.uniform(1, 12)
    cover = 1 / (1 + np.exp(-hardness * (coarse - rng.uniform(0, 0.8))))
    warmth = 1 + rng.normal(0, 0.04, 3)
    at, speed, drift = rng.uniform(24, 56, 2), rng.normal(0, 2.5, 2), rng.normal(0, 0.03)
    out = np.empty_like(images)
    for t, image in enumerate(images):
        matrix = np.array([[1, 0, at[0] + speed[0] * t - 24], [0, 1, at[1] + speed[1] * t - 24]])
        part = cv2.warpAffine(cover, matrix, (48, 48), flags=cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101)
        gains = (1 + strength * part[..., None] * warmth) * np.exp(drift * t) * 128
        fine = cv2.resize(np.clip(gains, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
        out[t] = cv2.multiply(image, fine, scale=1 / 128)
    return out


def degrade(images: UInt8[np.ndarray, "t h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "t h w 3"]:
    """Sometimes out of focus, coarse, noisy or compressed, as lenses, sensors and codecs do."""
    out = images
    if rng.random() < 0.15:
        # The focus changes over the clip.
        sigmas = np.linspace(rng.uniform(0.4, 1.6), rng.uniform(0.4, 1.6), len(out))
        out = np.stack([cv2.GaussianBlur(image, (0, 0), float(s)) for image, s in zip(out, sigmas, strict=True)])
    if rng.random() < 0.08:
        out = _coarse(out, float(rng.uniform(1.3, 2.5)))
    if rng.random() < 0.15:
        channels = 3 if rng.random() < 0.5 else 1
        noise = rng.standard_normal((*out.shape[:3], channels), np.float32) * np.float32(rng.uniform(2, 9))
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        quality = int(rng.integers(18, 80))
        out = np.stack([_recompress(image, quality) for image in out])
    return out


def _coarse(images: UInt8[np.ndarray, "t h w 3"], factor: float) -> UInt8[np.ndarray, "t h w 3"]:
    """As if taken with so many times fewer pixels each way."""
    height, width = images.shape[1:3]
    small = max(2, round(width / factor)), max(2, round(height / factor))
    shrunk = [cv2.resize(image, small, interpolation=cv2.INTER_AREA) for image in images]
    return np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR) for image in shrunk])


def _recompress(image: UInt8[np.ndarray, "h w 3"], quality: int) -> UInt8[np.ndarray, "h w 3"]:
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: np.ndarray | None = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None, "what was just written can be read"
    return decoded
