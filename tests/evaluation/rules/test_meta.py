from __future__ import annotations

import json
from pathlib import Path

import pytest

from devos.errors import InputError
from devos.evaluation.rules.meta import FrameRange, ObjectMeta, categories, read_meta, read_names


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_objects_are_read_with_their_class_and_their_range(tmp_path):
    ranged = {"category": "ape", "frame_range": {"start": "1", "end": "26", "frame_nums": "6"}}
    meta = read_meta(write(tmp_path / "meta.json", {"videos": {"clip": {"objects": {"2": ranged}}}}))
    assert meta.objects("clip") == {2: ObjectMeta("ape", FrameRange(1, 26, 6))}
    assert meta.objects("other") == {}
    assert categories(meta) == {"ape"}


def test_a_plain_list_of_ids_will_do(tmp_path):
    meta = read_meta(write(tmp_path / "meta.json", {"videos": {"clip": {"objects": ["1", "3"], "length": 9}}}))
    assert set(meta.objects("clip")) == {1, 3}


def test_unseen_are_the_named_classes_or_the_named_sequences_and_else_nothing_is_known(tmp_path):
    content = {"videos": {"clip": {"objects": {"1": {"category": "ape"}, "2": {"category": "yak"}, "3": {}}}}}
    path = write(tmp_path / "meta.json", content)
    by_class = read_meta(path, unseen_categories=["yak"])
    assert [by_class.seen("clip", object_id) for object_id in (1, 2, 3)] == [True, False, None]
    by_sequence = read_meta(path, unseen_sequences=["clip"])
    assert (by_sequence.seen("clip", 1), by_sequence.seen("other", 1)) == (False, True)
    assert read_meta(path).seen("clip", 1) is None


@pytest.mark.parametrize(
    "content", [[], {"videos": []}, {"videos": {"clip": {}}}, {"videos": {"clip": {"objects": 3}}}]
)
def test_a_file_of_another_layout_is_refused_and_named(tmp_path, content):
    with pytest.raises(InputError, match=r"meta\.json.*expected \{\"videos\""):
        read_meta(write(tmp_path / "meta.json", content))


def test_a_list_of_names_has_one_a_line(tmp_path):
    path = tmp_path / "unseen_videos.txt"
    path.write_text("one\n\n two \n")
    assert read_names(path) == ("one", "two")
    with pytest.raises(InputError, match=r"missing\.txt cannot be read"):
        read_names(tmp_path / "missing.txt")
