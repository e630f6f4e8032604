from __future__ import annotations

import json
import shutil

import pytest
import torch
from PIL import Image

from devos.data.batching import Batches, ClipsConfig, Stage
from devos.data.packing.build import gather, pack
from devos.data.packing.shards import MANIFEST, unpack
from devos.data.sources import Place, open_source
from devos.errors import InputError, OutputError


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def names(found):
    return [item.name for item in (*found.videos, *found.photos)]


ALL = ["video-train/ant", "video-train/bee", "static/coco/0", "static/coco/1", "static/food/0", "static/food/1"]


def test_built_twice_from_two_places_at_two_times_the_bytes_are_the_same(data, held, drawn, tmp_path):
    dev = held(a=drawn.scene(99))
    pack(gather(data, held_back=[dev]), tmp_path / "one", shard_mb=0.04, terms="mine")
    again = drawn.write_data(tmp_path / "elsewhere" / "data")
    (again / "static").touch()
    pack(gather(again, held_back=[dev]), tmp_path / "two", shard_mb=0.04, terms="mine")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_all_is_taken_where_nothing_is_wrong(data):
    found = gather(data)
    assert names(found) == ALL and found.comparison is None
    assert found.facts()["videos"] == {"sequences": 2, "frames": 6, "masks": 6, "frames_of": {"ant": 3, "bee": 3}}
    assert found.facts()["photos"] == {"photos": 4, "photos_of": {"coco": 2, "food": 2}}


def first_clips(root):
    sources = {name: open_source(name, [Place(layout, root / folder)])[0] for name, layout, folder in
               (("videos", "davis-like", "video-train"), ("photos", "own", "static"))}  # fmt: skip
    stage = Stage(until=1.0, length=2, max_objects=1, max_gap=1, video_share=0.5)
    batches = Batches(ClipsConfig(stages=(stage,), num_batches=4, batch_size=1, size=64), sources)
    return [batches[number].images for number in range(len(batches))]


def test_training_makes_the_same_clips_of_the_archives_as_of_the_folder(data, tmp_path):
    pack(gather(data), tmp_path / "packed")
    home = unpack(tmp_path / "packed", tmp_path / "again")
    assert all(torch.equal(was, now) for was, now in zip(first_clips(data), first_clips(home), strict=True))


@pytest.mark.parametrize(
    ("copy", "same"),
    [
        (lambda data, drawn: Image.open(data / "video-train/JPEGImages/bee/00001.webp").convert("RGB"), 1),
        (lambda data, drawn: Image.fromarray(drawn.recompressed(drawn.scene(11), "JPEG", 20)).resize((230, 150)), 0),
    ],
    ids=["the very pixels", "recompressed and resized"],
)
def test_a_sequence_with_a_held_back_frame_is_left_out_whole(data, held, drawn, tmp_path, copy, same):
    dev = held(a=drawn.scene(99))
    copy(data, drawn).save(dev / "JPEGImages/480p/film/b.png")
    found = gather(data, held_back=[dev])
    assert names(found) == [name for name in ALL if name != "video-train/bee"]
    assert (len(found.comparison.same), len(found.comparison.alike)) == (same, 1 - same)
    assert found.findings[0].lines() == [
        "video-train: 1 of 2 sequences are used; 1 left out",
        "  left out, it is held back (1): bee (1 of 3 frames, first 00001.webp as film/b.png)",
    ]
    with pytest.raises(InputError, match="it is held back"):
        found.refuse_any_left_out()
    pack(found, tmp_path / "packed")
    manifest = json.loads((tmp_path / "packed" / MANIFEST).read_text())
    assert [one["name"] for one in manifest["left_out"]] == ["bee"]
    assert manifest["held_back"]["compared"] == 10 and manifest["held_back"]["pictures"] == 2
    assert not any("bee" in str(path) for path in unpack(tmp_path / "packed", tmp_path / "again").rglob("*"))


def test_a_held_back_photo_is_left_out_alone(data, held, drawn):
    found = gather(data, held_back=[held(a=drawn.recompressed(drawn.scene(60), "WEBP", 40))])
    assert names(found) == [name for name in ALL if name != "static/food/0"]


def test_nothing_is_left_out_for_strangers(data, held, drawn):
    found = gather(data, held_back=[held(a=drawn.scene(98), b=drawn.scene(99))])
    assert names(found) == ALL
    first, second = found.comparison.lines()
    assert first == "compared 10 pictures with 2 that are held back (dev): 0 are the same, 0 all but the same"
    assert "likeness of 0." in second


def test_data_of_which_all_is_held_back_is_refused(data):
    with pytest.raises(InputError, match="video-train has no sequences to train on"):
        gather(data, held_back=[data])


def test_a_picture_that_cannot_be_decoded_is_left_out_with_its_reason(data):
    path = data / "static/coco/images/1.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole[:400] + bytes(len(whole) - 402) + whole[-2:])  # header and end are as they should be
    found = gather(data)
    assert "static/coco/1" not in names(found)
    assert any("a picture cannot be read (1): coco/1" in line for line in found.findings[1].lines())


def test_only_videos_or_only_photos_will_do(data, tmp_path):
    shutil.rmtree(data / "static")
    assert names(gather(data)) == ALL[:2]
    with pytest.raises(InputError, match="holds neither video-train"):
        gather(tmp_path)


def test_a_held_back_picture_that_cannot_be_read_is_an_error(data, held, drawn):
    dev = held(a=drawn.scene(99))
    (dev / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"of what is held back, .*bad\.jpg cannot be read"):
        gather(data, held_back=[dev])


def test_a_folder_in_use_is_not_written_to(data, drawn, tmp_path):
    drawn.save(tmp_path / "out" / "mine.png", drawn.scene(1))
    with pytest.raises(OutputError, match="already holds 1 files"):
        pack(gather(data), tmp_path / "out")
