"""Every format that devos writes or reads masks in: its name, what it is, what it needs, where it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devos.errors import OptionError
from devos.exchange.annotations import Annotations
from devos.exchange.av1 import Av1Writer
from devos.exchange.burst import BurstWriter
from devos.exchange.cells import CellsWriter, read_cells
from devos.exchange.coco import CocoWriter, read_coco
from devos.exchange.cutout_videos import Ffv1Writer, GreenWriter, ProresWriter, Vp9Writer
from devos.exchange.cutouts import CutoutWriter
from devos.exchange.cvat import CvatWriter, read_cvat
from devos.exchange.cvat_video import CvatVideoWriter
from devos.exchange.drawn import OverlayWriter
from devos.exchange.exr import ExrWriter
from devos.exchange.label_studio import LabelStudioWriter, read_label_studio
from devos.exchange.labelme import LabelmeWriter, read_labelme
from devos.exchange.measures import MeasuresWriter
from devos.exchange.mots import MotsWriter
from devos.exchange.napari import NapariWriter, read_stack
from devos.exchange.npz import NpzWriter
from devos.exchange.object_pictures import DavisWriter, ObjectsWriter, Soft8Writer, Soft16Writer, read_objects
from devos.exchange.writers import VideoInfo, Writer
from devos.exchange.youtube_vis import YouTubeVisWriter, read_youtube_vis


@dataclass(frozen=True)
class Format:
    """A format by the name that `--to` and `--write` take."""

    name: str
    what: str
    """In a few words, for lists."""
    place: str
    """The file, or the folder, within the folder of exports."""
    writer: type[Writer]
    read: Callable[[Path], Annotations] | None = None
    """Reads the same back as masks; None where it cannot be."""
    extra: str = ""
    """What of devos must be installed for it: `pip install 'devos[EXTRA]'`; empty where nothing more is."""

    def check(self) -> None:
        """OptionError, before any work, where something that it needs is missing."""
        self.writer.check()

    def open(self, path: Path, video: VideoInfo) -> Writer:
        """A writer to a file or folder. OptionError where something that it needs is missing."""
        return self.writer(path, video)

    @property
    def needs_frames(self) -> bool:
        """Whether the video must be read again for it."""
        return self.writer.needs_frames

    @property
    def needs_probabilities(self) -> bool:
        """Whether the project must have kept the probabilities (`--keep-probabilities`)."""
        return self.writer.needs_probabilities


_ALL = (
    Format("davis", "a palette PNG for each frame, the pixel is the id", "davis", DavisWriter),
    Format("objects", "a folder of black and white PNGs for each object", "objects", ObjectsWriter, read_objects),
    Format("alpha8", "a folder of soft 8-bit PNGs for each object", "alpha8", Soft8Writer),
    Format("alpha16", "a folder of soft 16-bit PNGs for each object", "alpha16", Soft16Writer),
    Format("rgba", "cut-outs as RGBA PNGs, straight alpha", "rgba", CutoutWriter),
    Format("prores", "cut-outs as ProRes 4444 with alpha", "prores.mov", ProresWriter),
    Format("ffv1", "cut-outs as FFV1 with alpha, without loss", "ffv1.mkv", Ffv1Writer),
    Format("vp9", "cut-outs as VP9 with alpha, for browsers", "vp9.webm", Vp9Writer),
    Format("av1", "cut-outs as AV1 with alpha: an animated AVIF", "av1.avif", Av1Writer),
    Format("green", "cut-outs as H.264 before green", "green.mp4", GreenWriter),
    Format("exr", "OpenEXR with a layer for each object and a Cryptomatte", "exr", ExrWriter, extra="formats"),
    Format("overlay", "the video with its objects drawn on it", "overlay.mp4", OverlayWriter),
    Format("coco", "COCO JSON: run lengths for each object on each frame", "coco.json", CocoWriter, read_coco),
    Format("youtube-vis", "YouTube-VIS JSON: run lengths by object", "youtube_vis.json", YouTubeVisWriter,
           read_youtube_vis),
    Format("burst", "BURST JSON, as TAO's challenge has it", "burst.json", BurstWriter),
    Format("mots", "MOTS: 16-bit PNGs, and text with run lengths", "mots", MotsWriter),
    Format("cvat", "CVAT for images 1.1: XML with masks", "cvat.xml", CvatWriter, read_cvat),
    Format("cvat-video", "CVAT for video 1.1: XML with tracks of polygons", "cvat_video.xml", CvatVideoWriter,
           read_cvat),
    Format("label-studio", "Label Studio JSON: tasks with brush regions", "label_studio.json", LabelStudioWriter,
           read_label_studio),
    Format("labelme", "labelme: a JSON for each frame", "labelme", LabelmeWriter, read_labelme),
    Format("ctc", "Cell Tracking Challenge: 16-bit TIFFs and their tracks", "ctc", CellsWriter, read_cells),
    Format("napari", "one TIFF of labels and a table of tracks, for napari and Fiji", "napari", NapariWriter,
           read_stack, extra="formats"),
    Format("npz", "all labels as one NumPy array, with names and times", "labels.npz", NpzWriter),
    Format("csv", "measures: area, box, centre, speed, what touches what", "measures.csv", MeasuresWriter),
)  # fmt: skip
FORMATS: dict[str, Format] = {one.name: one for one in _ALL}
"""Every format that can be written, by name, in the order in which to list them."""


def chosen(names: Sequence[str]) -> list[Format]:
    """The formats of these names, each once. OptionError for one that there is not, or for none."""
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise OptionError(f"no format {', '.join(unknown) or 'is named'}; there are {', '.join(FORMATS)}")
    return [FORMATS[name] for name in dict.fromkeys(names)]


def parse_names(text: str) -> list[str]:
    """Names with commas between, as a command line has them."""
    return [name.strip() for name in text.split(",") if name.strip()]
