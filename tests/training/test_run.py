from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import find_videos, read_clip_labels
from devos.data.sources import unchecked
from devos.errors import MaskError, OutputError
from devos.training.config import debug
from devos.training.distributed import World, joined
from devos.training.run import prepare


def test_a_training_mask_with_an_id_above_255_is_refused_not_wrapped(tmp_path):
    labels = np.zeros((8, 8), np.uint16)
    labels[2:5, 2:5] = 300
    Image.fromarray(labels).save(tmp_path / "00000.png")
    with pytest.raises(MaskError, match="has object 300"):
        read_clip_labels(tmp_path / "00000.png")


class Apart(World):
    """Two machines that do not share a disk."""

    def gathered(self, value):
        return [value, not value]


def test_machines_that_do_not_see_the_same_checkpoint_are_told_before_they_train(video_root, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match=r"checkpoint\.pt: the processes 0 do not see it .* all machines share"):
        prepare(debug(), tmp_path / "out", unchecked(find_videos(video_root), ()), world=Apart())


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined() as world:
        assert world == World(rank=0, size=1)
        assert world.gathered("here") == ["here"]
        assert world.shard.places(4) == range(4)
