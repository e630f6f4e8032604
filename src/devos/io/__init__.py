"""Files to frames and masks, and masks to files; needs neither torch nor the network."""

from devos.io.files import prepare_output, write_json
from devos.io.labels import davis_palette, write_label_png
from devos.io.masks import GivenMasks, read_masks
from devos.io.overlay import OverlayVideo
from devos.io.sinks import MaskFolder, ObjectsTable
from devos.io.videos import OnSkip, VideoReader, open_video

__all__ = [
    "GivenMasks",
    "MaskFolder",
    "ObjectsTable",
    "OnSkip",
    "OverlayVideo",
    "VideoReader",
    "davis_palette",
    "open_video",
    "prepare_output",
    "read_masks",
    "write_json",
    "write_label_png",
]
