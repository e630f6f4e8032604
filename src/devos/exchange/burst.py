"""BURST (TAO with masks): JSON with one sequence, for each frame the run lengths of each track."""

from __future__ import annotations

import json
from pathlib import Path

from devos.exchange.coco import CATEGORY
from devos.exchange.spools import Spool, write_list
from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.whole_files import replacing


class BurstWriter(Writer):
    """As BURST's results are: `rle` is COCO's, ids are tracks; each frame counts as annotated."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._frames, self._names = Spool(path.parent), Spool(path.parent)
        self._ids: set[int] = set()

    def write(self, shot: Shot) -> None:
        """Add one frame."""
        self._names.add(json.dumps(shot.masks.name + self.video.suffix))
        self._ids.update(one.object_id for one in shot.objects)
        self._frames.add(json.dumps({
            str(one.object_id): {"rle": one.counts, "is_gt": False, "score": round(one.confidence, 4)}
            for one in shot.objects
        }))  # fmt: skip

    def close(self) -> None:
        """Write the file."""
        height, width = self.video.size
        sequence = {
            "id": 1, "dataset": "devos", "seq_name": self.video.name, "width": width, "height": height,
            "fps": float(self.video.fps), "neg_category_ids": [], "not_exhaustive_category_ids": [],
            "track_category_ids": {str(object_id): CATEGORY["id"] for object_id in sorted(self._ids)},
        }  # fmt: skip
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            file.write(b'{"sequences": [' + json.dumps(sequence)[:-1].encode())
            for name, items in (("all_image_paths", self._names), ("annotated_image_paths", self._names),
                                ("segmentations", self._frames)):  # fmt: skip
                file.write(f', "{name}": '.encode())
                write_list(file, items)
            file.write(f'}}], "split": "test", "categories": [{json.dumps(CATEGORY)}]}}'.encode())
        self.discard()

    def discard(self) -> None:
        """Nothing has its name yet."""
        self._frames.close()
        self._names.close()
