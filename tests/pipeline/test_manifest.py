from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from devos.errors import InputError
from devos.pipeline.manifest import BatchVideo, check_apart, read_batch


@pytest.fixture
def folder(tmp_path):
    """Places that are there: a.mp4 and b.mp4, each with its mask; what is in them is nobody's concern here."""
    for name in ("a.mp4", "a.png", "b.mp4", "b.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_folder_gives_every_video_and_folder_of_frames_that_has_masks_beside_it(folder):
    (folder / "c.MOV").write_bytes(b"")
    (folder / "c_masks").mkdir()
    (folder / "frames").mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / "frames" / "1.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "frames.png")
    (folder / "alone.mkv").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"")
    videos, left_out = read_batch(folder)
    assert [(v.name, v.video.name, v.masks.name) for v in videos] == [
        ("a", "a.mp4", "a.png"), ("b", "b.mp4", "b.png"), ("c", "c.MOV", "c_masks"), ("frames", "frames", "frames.png"),
    ]  # fmt: skip
    assert left_out == ["alone.mkv has no masks: neither alone.png nor alone_masks"]


def test_a_folder_without_any_video_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no video with masks beside it"):
        read_batch(tmp_path)
    (tmp_path / "alone.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"left out: alone\.mp4 has no masks"):
        read_batch(tmp_path)


def test_two_videos_of_one_name_are_refused(folder):
    (folder / "A.mkv").write_bytes(b"")
    (folder / "A.png").write_bytes(b"")
    with pytest.raises(InputError, match="would both be"):
        read_batch(folder)


def test_csv_and_jsonl_say_the_same(folder):
    (folder / "frames").mkdir()
    table = write(folder / "list.csv", "video,masks,name,size,from,to,flip,scales,fps",
                  "a.mp4,a.png,,256,2,9,yes,\"0.75,1\",", "", "frames,b.png,second,,,,,,12.5")  # fmt: skip
    rows = [{"video": "a.mp4", "masks": "a.png", "size": 256, "from": 2, "to": 9, "flip": True, "scales": [0.75, 1]},
            {"video": "frames", "masks": "b.png", "name": "second", "fps": 12.5}]  # fmt: skip
    lines = write(folder / "list.jsonl", *map(json.dumps, rows))
    assert read_batch(table) == read_batch(lines)
    first, second = read_batch(table)[0]
    assert (first.name, first.video) == ("a", folder / "a.mp4")
    assert first.settings == {"size": 256, "first": 2, "last": 9, "flip": True, "scales": (0.75, 1.0)}
    assert (second.name, second.settings) == ("second", {"fps": 12.5})


@pytest.mark.parametrize(("line", "words"), [
    ('{"video": "a.mp4"}', "line 2, column masks: is missing"),
    ('{"video": "z.mp4", "masks": "a.png"}', "line 2, column video: .*z.mp4 is not there"),
    (f'{{"video": "{"z" * 300}.mp4", "masks": "a.png"}}', "z.mp4: cannot be read .*too long"),
    ('{"video": "a.mp4", "masks": "a.png", "sise": 64}', "line 2, column sise: is none; there are video, masks, name"),
    ('{"video": "a.mp4", "masks": "a.png", "size": "big"}', "line 2, column size: is a whole number, or auto; got 'b"),
    ('{"video": "a.mp4", "masks": "a.png", "size": true}', "line 2, column size: is a whole number, or auto; got True"),
    ('{"video": "a.mp4", "masks": "a.png", "size": 10}', "line 2: --size is a short side in pixels from 64"),
    ('{"video": "a.mp4", "masks": "a.png", "flip": "perhaps"}', "line 2, column flip: is true or false"),
    ('{"video": "a.mp4", "masks": "a.png", "direction": "up"}', "line 2, column direction: is forward, backward or"),
    ('{"video": "a.mp4", "masks": "a.png", "from": 5, "to": 3}', "line 2: --from and --to are frames"),
    ('{"video": "a.mp4", "masks": "a.png", "fps": 5}', "line 2: --fps is for a folder of frames"),
    ('{"video": "a.mp4", "masks": "a.png", "name": "../x"}', "line 2, column name: '../x' is not the name of a folder"),
    ('{"video": "a.mp4", "masks": "a.png", "name": "batch.csv"}', "line 2, column name: 'batch.csv' is not the name"),
    ('{"video": "a.mp4", "masks": "a.png", "name": "B"}', "line 2, column name: B is also the name in line 1"),
    ('{"video": "a.mp4", "masks": "a.png", "name": "B \\n"}', "line 2, column name: 'B .n' is not the name"),
    ('{"video": "a.mp4", "masks": "a.png", "name": " "}', "line 2, column name: ' ' is not the name"),
    ('{"video": "a.mp4", "masks": "a.png", "name": "\\ud800"}', "line 2, column name: '.ud800' is not the name"),
    (json.dumps({"video": "a.mp4", "masks": "a.png", "name": "é" * 128}), "line 2, column name: is 256 bytes long"),
    ('{"video": "a.mp4", "masks": "a.png", "size": 64, "size": 96}', "line 2: is not JSON .it names a column twice"),
    ('{"video": "a.mp4", "masks": "a.png", "runtime": "tpu"}', "line 2: no runtime is called 'tpu'; choose one of"),
    ('{"video": "a.mp4", "masks": "a.png", "precision": "x"}', "line 2: no precision is called 'x'; choose one of"),
    ("[" * 100_000, "line 2: is not JSON"),
    ("[1]", "line 2: is list, not an object"),
    ("{", "line 2: is not JSON"),
])  # fmt: skip
def test_a_bad_line_is_told_by_its_number_and_column(folder, line, words):
    with pytest.raises(InputError, match=words):
        read_batch(write(folder / "list.jsonl", '{"video": "b.mp4", "masks": "b.png"}', line))


def test_what_is_no_manifest_is_refused(folder):
    with pytest.raises(InputError, match="is no manifest"):
        read_batch(folder / "a.mp4")
    with pytest.raises(InputError, match="no such file or folder"):
        read_batch(folder / "none.csv")
    with pytest.raises(InputError, match="names no video"):
        read_batch(write(folder / "list.csv", "video,masks"))
    with pytest.raises(InputError, match="line 2: has 3 columns, but the first line names 2"):
        read_batch(write(folder / "list.csv", "video,masks", "a.mp4,a.png,64"))
    with pytest.raises(InputError, match="line 3: is not CSV"):
        read_batch(write(folder / "list.csv", "video,masks", '"a.mp4,a.png', "b.mp4,b.png"))
    with pytest.raises(InputError, match="line 2: is not CSV"):
        read_batch(write(folder / "list.csv", "video,masks,name", f"a.mp4,a.png,{'x' * 200_000}"))


def test_names_that_some_file_systems_take_for_one_clash(folder):
    lines = [json.dumps({"video": "a.mp4", "masks": "a.png", "name": name}) for name in ("\u00e9", "e\u0301")]
    with pytest.raises(InputError, match="is also the name in line 1"):
        read_batch(write(folder / "list.jsonl", *lines))


def test_no_project_may_lie_where_a_video_or_its_masks_are(folder):
    videos = [BatchVideo("a", folder / "a.mp4", folder / "a.png"), BatchVideo("b", folder / "b.mp4", folder / "b.png")]
    check_apart(videos, folder)
    check_apart([replace(videos[0], name="A"), videos[1]], folder / "out")
    for video in (replace(videos[0], video=folder / "b"), replace(videos[0], masks=folder / "b" / "first.png")):
        with pytest.raises(InputError, match="lies where the project b would be made"):
            check_apart([video, videos[1]], folder)
    (folder / "link").symlink_to(folder, target_is_directory=True)
    with pytest.raises(InputError, match="name another OUT"):
        check_apart([replace(videos[0], video=folder / "a")], folder / "link")


def test_a_video_may_have_its_size_chosen_by_its_masks(folder):
    (video, _), _ = read_batch(write(folder / "list.csv", "video,masks,size", "a.mp4,a.png,auto", "b.mp4,b.png,256"))
    assert video.settings["size"] == "auto"
    with pytest.raises(InputError, match="column size: is a whole number, or auto; got 'large'"):
        read_batch(write(folder / "list.csv", "video,masks,size", "a.mp4,a.png,large"))
