"""What the benchmarks' servers want to be sent: for each one its rules, and what its own folder says of its sequences.

`docs/submitting.md` names the source of every rule, and says which are confirmed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from natsort import natsorted

from devos.data.catalog import VideoInfo, find_videos, masks_by_stem, read_labels
from devos.errors import InputError, MaskError, OptionError
from devos.evaluation.scoring import VOID

MAX_PROPOSALS = 20
"""Highest id of an unsupervised submission: the program of DAVIS stops at more."""
USUAL_SPLIT = "2017/test-dev"

_ALL_FRAMES = "_all_frames"
"""Ends the name of YouTube-VOS's folder with every frame; first masks and meta.json lie in the one without it."""


class Dataset(StrEnum):
    """The benchmarks that a submission can be made for."""

    DAVIS = "davis-test-dev"
    YOUTUBE = "youtube-vos"
    MOSE = "mose"
    MOSE2 = "mose2"
    LVOS = "lvos"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What one server takes."""

    dataset: Dataset
    title: str
    """The benchmark's name, for people."""
    server: str
    """Where to upload: platform, number of the competition, address."""
    top: str = ""
    """The folder that holds the sequences' folders in the zip; "" where they lie in its root."""
    digits: int = 5
    """How many a frame's name has."""
    takes_one_sequence: bool = False
    """False where a zip with a single folder is refused, or taken for a wrapper (faults D9, M3)."""
    takes_wrapper: bool = False
    """True where one folder round all sequences is seen through."""
    consecutive: bool = False
    """True where frames are known to be numbered from 0 without gaps."""
    is_sparse: bool = False
    """True where meta.json may ask for some frames only, and where `every` may be given."""
    first_frame_only: bool = False
    """True where an object counts only if the very first mask has it."""
    num_sequences: tuple[int, ...] = ()
    """How many the benchmark's sets have; () where that is not known to us."""
    is_unsupervised: bool = False
    """True where ids are proposals, 1 to 20, and no mask is given."""
    unconfirmed: str = ""
    """What of this is not confirmed; "" if all is."""


_LISN = "https://codalab.lisn.upsaclay.fr/competitions"
RULES: Mapping[Dataset, Rules] = {
    Dataset.DAVIS: Rules(
        dataset=Dataset.DAVIS, title="DAVIS 2017 test-dev", server=f"CodaLab 6812, {_LISN}/6812 (formerly 20516)",
        consecutive=True, first_frame_only=True, num_sequences=(30,),
    ),
    Dataset.YOUTUBE: Rules(
        dataset=Dataset.YOUTUBE, title="YouTube-VOS", top="Annotations", is_sparse=True, takes_one_sequence=True,
        server=f"CodaLab 7685 for 2018, {_LISN}/7685; CodaLab 6066 for 2019, {_LISN}/6066",
        num_sequences=(474, 507, 508, 541),
        unconfirmed="the server's page could not be read; layout and frames are those of two public programs",
    ),
    Dataset.MOSE: Rules(
        dataset=Dataset.MOSE, title="MOSE v1", server=f"CodaLab 10703, {_LISN}/10703",
        unconfirmed="the server's page could not be read; the layout is that of two public programs",
    ),
    Dataset.MOSE2: Rules(
        dataset=Dataset.MOSE2, title="MOSE v2", takes_wrapper=True,
        server="Codabench 10062, https://www.codabench.org/competitions/10062/",
    ),
    Dataset.LVOS: Rules(
        dataset=Dataset.LVOS, title="LVOS", server=f"CodaLab 8767, {_LISN}/8767", top="Annotations", digits=8,
        unconfirmed="which frames the server reads is known from its published program only; every frame is sent",
    ),
}  # fmt: skip

_UNSUPERVISED = Rules(
    dataset=Dataset.DAVIS, title="DAVIS 2019 unsupervised", consecutive=True, is_unsupervised=True, num_sequences=(30,),
    server="CodaLab 20515, https://competitions.codalab.org/competitions/20515 (moved since; ask the organisers)",
    unconfirmed="where the server is now; that the lists of 2019 are the unsupervised ones",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One sequence: its frames, what is given of it, and what the server wants."""

    name: str
    pictures: tuple[Path, ...]
    """Every frame, in order."""
    wanted: tuple[str, ...]
    """Names of the frames of which the server wants masks, in order."""
    given: Mapping[str, Path]
    """The mask files that the benchmark gives, by the frame's name."""
    objects: Mapping[int, str]
    """Each object's id, and the name of the frame whose mask first has it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every frame's name, in order."""
        return tuple(path.stem for path in self.pictures)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {path.stem: index for index, path in enumerate(self.pictures)}

    def position(self, frame: str) -> int:
        """A frame's index, by its name; KeyError if there is no such frame."""
        return self._positions[frame]

    def given_at(self, frame: str) -> tuple[int, ...]:
        """The objects whose first mask is this frame's."""
        return tuple(sorted(i for i, first in self.objects.items() if first == frame))


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as its folder has it."""

    rules: Rules
    root: Path
    sequences: tuple[Asked, ...]
    notes: tuple[str, ...] = ()

    @property
    def num_masks(self) -> int:
        """How many masks the server wants."""
        return sum(len(sequence.wanted) for sequence in self.sequences)


def read_benchmark(dataset: Dataset, root: Path, *, split: str | None = None, every: int | None = None) -> Benchmark:
    """Read a benchmark's own folder: JPEGImages, Annotations with the given masks, ImageSets lists or meta.json.

    `split`: DAVIS only, a list as YEAR/NAME or NAME; those of 2019 are unsupervised. `every`: YouTube-VOS only, ask
    for every n-th picture instead of the frames that meta.json names. Raises InputError, MaskError, OptionError.
    """
    rules = RULES[dataset]
    if split is not None and dataset is not Dataset.DAVIS:
        raise OptionError(f"--split is for {Dataset.DAVIS} only, {dataset} has no lists; leave it out")
    if every is not None and not rules.is_sparse:
        raise OptionError(f"--every is for {Dataset.YOUTUBE} only, {dataset} wants every frame; leave it out")
    if dataset is Dataset.DAVIS:
        year, _, name = (split or USUAL_SPLIT).rpartition("/")
        rules = _UNSUPERVISED if year == "2019" else rules
        videos = find_videos(root, split=name, year=year or None)
        notes: list[str] = []
        if not any((root / "ImageSets").glob("*/*.txt")):
            raise InputError(f"{root} has no lists, as ImageSets/{USUAL_SPLIT}.txt; copy DAVIS's ImageSets to it")
        meta: dict[str, Any] = {}
    else:
        meta, videos, notes = _described(root)
    sequences = tuple(_asked(video, meta.get(video.name, {}), rules, root, every) for video in videos)
    if rules.num_sequences and len(sequences) not in rules.num_sequences:
        known = " or ".join(map(str, rules.num_sequences))
        notes.append(f"{root} has {len(sequences)} sequences, but {rules.title} has {known}: the server will want all")
    return Benchmark(rules, root, sequences, tuple(notes))


def _described(root: Path) -> tuple[dict[str, Any], tuple[VideoInfo, ...], list[str]]:
    """What meta.json says of each sequence ({} without one), the sequences, and notes."""
    by_name = {video.name: video for video in find_videos(root)}
    home = _home_of_masks(root)
    files = natsorted([*home.glob("meta.json"), *home.glob("*_meta.json")])
    if not files:
        return {}, tuple(by_name.values()), []
    try:
        meta = json.loads(files[0].read_text(encoding="utf-8"))["videos"]
        for entry in meta.values():
            _check_entry(entry)
        names = natsorted(meta)
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{files[0]} cannot be read ({type(error).__name__}: {str(error)[:80]}); expected the benchmark's own "
            "meta.json"
        ) from error
    absent = [name for name in names if name not in by_name]
    if absent:
        raise InputError(
            f"{files[0]} names {len(absent)} sequences that {root / 'JPEGImages'} does not have "
            f"({', '.join(absent[:3])}); copy the data set again"
        )
    others = sorted(set(by_name) - set(names))
    notes = [f"{len(others)} sequences are not in {files[0].name} and are left out: {others[0]}, ..."] if others else []
    return dict(meta), tuple(by_name[name] for name in names), notes


def _check_entry(entry: Any) -> None:
    """ValueError or the like where what is said of a sequence cannot be used."""
    objects, length = entry.get("objects", {}), entry.get("length")
    each = objects.values() if isinstance(objects, dict) else ()
    frames = [frame for said in each for frame in said.get("frames", ())]
    if not isinstance(objects, dict | list) or not isinstance(length, int | None):
        raise ValueError("an entry whose objects or whose length are none")
    if not all(isinstance(frame, str) for frame in frames):
        raise ValueError("a frame that is no name")


def _home_of_masks(root: Path) -> Path:
    """Where Annotations and meta.json are: beside JPEGImages, or in the folder without `_all_frames`."""
    sibling = root.resolve().with_name(root.resolve().name.removesuffix(_ALL_FRAMES))
    return root if (root / "Annotations").is_dir() or not sibling.is_dir() else sibling


def _asked(video: VideoInfo, meta: Mapping[str, Any], rules: Rules, root: Path, every: int | None) -> Asked:
    length = None if rules.is_sparse else meta.get("length")
    if length is not None and length != video.num_frames:
        raise InputError(
            f"{video.frames[0].parent} has {video.num_frames} pictures, but meta.json says {length}; copy them again"
        )
    given = {path.stem: path for path in video.masks if path is not None}
    home = _home_of_masks(root)
    if home != root:
        given = masks_by_stem(home / "Annotations" / video.name)
    strays = given.keys() - set(video.stems)
    if strays:
        raise MaskError(f"{given[min(strays)]} belongs to no picture in {video.frames[0].parent}; copy them again")
    wanted = _wanted(video, meta, rules, every)
    if rules.is_unsupervised:
        return Asked(video.name, video.frames, wanted, {}, {})
    if rules.first_frame_only:
        given = {stem: given[stem] for stem in video.stems[:1] if stem in given}
    return Asked(video.name, video.frames, wanted, given, _objects(video.name, given, meta, home))


def _wanted(video: VideoInfo, meta: Mapping[str, Any], rules: Rules, every: int | None) -> tuple[str, ...]:
    if every is not None:
        return video.stems[::every]
    objects = meta.get("objects", {})
    if not rules.is_sparse or not isinstance(objects, dict):
        return video.stems
    frames = natsorted({frame for facts in objects.values() for frame in facts.get("frames", ())})
    absent = sorted(set(frames) - set(video.stems))
    if absent:
        raise InputError(
            f"meta.json names frame {absent[0]} of {video.name}, but {video.frames[0].parent} has no such picture; "
            "copy the data set again"
        )
    return tuple(frames) or video.stems


def _objects(name: str, given: Mapping[str, Path], meta: Mapping[str, Any], home: Path) -> dict[int, str]:
    """The frame that each object is first given on; 255 is void, unless meta.json lists it as an object."""
    void_is_object = str(VOID) in {str(object_id) for object_id in meta.get("objects", ())}
    objects: dict[int, str] = {}
    for frame, path in given.items():
        for object_id in np.unique(read_labels(path)).tolist():
            if object_id and (object_id != VOID or void_is_object):
                objects.setdefault(object_id, frame)
    if not objects:
        found = "marks no object" if given else "is not there"
        raise MaskError(
            f"the first mask of sequence {name}, in {home / 'Annotations'}, {found}; "
            "it says which ids the server knows: copy the benchmark's own Annotations"
        )
    return objects
