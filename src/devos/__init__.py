"""Mark an object on one frame of a video and have it followed through all of it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from devos.errors import DevosError, InputError, MaskError, OptionError, OutputError, VideoError, WeightsError

if TYPE_CHECKING:
    from devos.engine.click_models import load_marker
    from devos.engine.marker import Box, Click, Marked, Marker
    from devos.engine.segmenter import Segmenter, load
    from devos.engine.session import Session
    from devos.exchange.coco import as_coco
    from devos.exchange.detections import as_detections
    from devos.frames import Frame, FrameSize, MaskFrame, ObjectScore
    from devos.io.videos import open_video
    from devos.pipeline.predictor import VideoPredictor
    from devos.pipeline.project import Project
    from devos.pipeline.segment import segment

__version__ = "0.1.0"

__all__ = [
    "Box", "Click", "DevosError", "Frame", "FrameSize", "InputError", "Marked", "Marker", "MaskError", "MaskFrame",
    "ObjectScore", "OptionError", "OutputError", "Project", "Segmenter", "Session", "VideoError", "VideoPredictor",
    "WeightsError", "__version__", "as_coco", "as_detections", "load", "load_marker", "open_video", "segment",
]  # fmt: skip

_HEAVY = {
    "Box": "devos.engine.marker",
    "Click": "devos.engine.marker",
    "Frame": "devos.frames",
    "FrameSize": "devos.frames",
    "Marked": "devos.engine.marker",
    "Marker": "devos.engine.marker",
    "MaskFrame": "devos.frames",
    "ObjectScore": "devos.frames",
    "Project": "devos.pipeline.project",
    "Segmenter": "devos.engine.segmenter",
    "Session": "devos.engine.session",
    "VideoPredictor": "devos.pipeline.predictor",
    "as_coco": "devos.exchange.coco",
    "as_detections": "devos.exchange.detections",
    "load": "devos.engine.segmenter",
    "load_marker": "devos.engine.click_models",
    "open_video": "devos.io.videos",
    "segment": "devos.pipeline.segment",
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, numpy a fifth of one; `devos --help` must not wait for them.
    if name not in _HEAVY:
        raise AttributeError(f"module 'devos' has no attribute {name!r}")
    return getattr(importlib.import_module(_HEAVY[name]), name)
