"""What a caller in Python may hand in as a frame or a mask: NumPy, PyTorch, Pillow; or one line that says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8, UInt16

from devos.errors import MaskError, VideoError
from devos.frames import MAX_OBJECT_ID, FrameSize


def as_rgb(frame: Any, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """A caller's picture, in memory of its own."""
    array = _as_array(frame)
    if array is None or array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        found = f"{type(frame).__name__}" if array is None else f"{array.shape} of {array.dtype}"
        hint = ""
        if array is not None and array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
            hint = "; its channels come first: permute it to height x width x 3"
        elif array is not None and array.dtype != np.uint8 and array.ndim == 3 and array.shape[2] == 3:
            hint = "; bring its values to 0 to 255 and make them uint8"
        elif array is not None and array.ndim == 3 and array.shape[2] == 4:
            hint = "; leave the alpha channel out: frame[..., :3]"
        elif array is not None and array.ndim == 2:
            hint = "; a grey picture: numpy.stack([frame] * 3, axis=-1)"
        raise VideoError(f"frame {name}: a frame is height x width x 3, uint8, RGB; got {found}{hint}")
    return np.array(array, order="C")


def as_labels(masks: Any, size: FrameSize, name: str) -> UInt16[np.ndarray, "h w"]:
    """A caller's mask, an object id at each pixel, in memory of its own. One channel more or less says nothing."""
    array = _as_array(masks)
    if array is None or array.dtype.kind not in "buif":
        raise MaskError(f"the mask for frame {name} is height x width with an object id at each pixel, a NumPy array, "
                        f"a tensor or a picture; got {type(masks).__name__}")  # fmt: skip
    shape = array.shape
    if array.ndim == 3 and 1 in (shape[0], shape[2]):
        array = array[..., 0] if shape[2] == 1 else array[0]
    if array.ndim != 2:
        raise MaskError(f"the mask for frame {name} is height x width with an object id at each pixel, but its shape "
                        f"is {shape}; give one channel, as mask[..., 0], with the objects' numbers")  # fmt: skip
    if array.shape != tuple(size):
        raise MaskError(f"the mask for frame {name} is {FrameSize(*array.shape)}, but the frame is {size}; "
                        "resize the mask with nearest neighbour")  # fmt: skip
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.round(array)).all()):
        raise MaskError(f"the mask for frame {name} has values between whole numbers, as {_odd(array):.3g}; it holds "
                        "object ids: mark what is the object, as in (mask > 0.5)")  # fmt: skip
    if array.size and (array.min() < 0 or array.max() > MAX_OBJECT_ID):
        raise MaskError(f"the mask for frame {name} has values from {array.min():.6g} to {array.max():.6g}; "
                        f"object ids go from 1 to {MAX_OBJECT_ID}, and 0 is background")  # fmt: skip
    return array.astype(np.uint16)


def _as_array(given: Any) -> np.ndarray | None:
    """None for what is no array, tensor or picture."""
    if isinstance(given, np.ndarray):
        return given
    if isinstance(given, torch.Tensor):
        return np.asarray(given.detach().cpu().resolve_conj().resolve_neg().numpy())
    if hasattr(given, "__array_interface__") or hasattr(given, "__array__"):  # Pillow among others
        return np.asarray(given)
    return None


def _odd(array: np.ndarray) -> float:
    finite = array[np.isfinite(array)]
    odd = finite[finite != np.round(finite)]
    return float(odd[0]) if odd.size else float("nan")
