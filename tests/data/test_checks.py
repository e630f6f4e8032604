from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from devos.data import index
from devos.data.catalog import VideoInfo
from devos.data.findings import Finding, Findings, Kind
from devos.data.index import index_videos
from devos.data.scanning import find_change
from devos.data.sources import Place, open_source, parse_place
from devos.data.video_sets import list_videos
from devos.errors import InputError, OptionError


def check(root, **options):
    source, (findings,) = open_source("davis", [Place("davis2017", root)], **options)
    return [video.name for video in source.items], findings


def told(findings):
    return {(item.name, item.kind, item.text) for item in findings.items}


@pytest.fixture
def masks(davis, made):
    """A good video and a bad one; the folders of the bad one's pictures and masks."""
    root = davis({"good": [made.boxes(1)] * 4, "poor": [made.boxes(1, 2)] * 4})
    return root, root / "JPEGImages" / "480p" / "poor", root / "Annotations" / "480p" / "poor"


def test_a_good_set_has_no_findings(masks):
    assert check(masks[0])[1].lines() == ["davis: 2 of 2 sequences are used"]


def test_a_video_without_masks_is_left_out(masks):
    shutil.rmtree(masks[2])
    assert check(masks[0])[0] == ["good"]
    assert told(check(masks[0])[1]) == {("poor", Kind.NO_MASKS, "")}


def test_some_missing_masks_are_counted_and_the_other_frames_used(masks):
    (masks[2] / "00001.png").unlink()
    names, findings = check(masks[0])
    assert names == ["good", "poor"]
    assert told(findings) == {("poor", Kind.SOME_MISSING, "1 of 4; clips take the others")}


@pytest.mark.parametrize("thorough", [False, True])
def test_a_torn_picture_is_named_whether_its_header_is_whole_or_not(masks, thorough):
    torn = masks[1] / "00002.jpg"
    whole = torn.read_bytes()
    for kept in (len(whole) - 200, 100):
        torn.write_bytes(whole[:kept])
        names, findings = check(masks[0], thorough=thorough)
        assert names == ["good"]
        ((_, kind, text),) = told(findings)
        assert kind is Kind.BAD_PICTURE
        assert text.startswith("00002.jpg: ")


def test_a_picture_with_bytes_after_its_end_is_fine(masks):
    with (masks[1] / "00002.jpg").open("ab") as file:
        file.write(b"\0" * 10000)
    assert check(masks[0])[1].items == ()


def test_a_damaged_mask_and_a_colour_mask_are_named(masks, made):
    (masks[2] / "00001.png").write_bytes(b"\x89PNG")
    Image.new("RGB", (48, 36)).save(masks[2] / "00003.png")
    names, findings = check(masks[0])
    assert names == ["good"]
    assert {(kind, text[:9]) for _, kind, text in told(findings)} == {
        (Kind.BAD_MASK, "00001.png"), (Kind.COLOUR_MASK, "00003.png"),
    }  # fmt: skip


def test_sizes_that_differ_between_mask_and_picture_or_from_frame_to_frame_are_named(masks, made):
    made.labels(masks[2] / "00001.png", made.boxes(1, 2)[:20])
    assert told(check(masks[0])[1]) == {("poor", Kind.WRONG_SIZE, "00001.png is 48x20, 00000.jpg is 48x36")}
    made.picture(masks[1] / "00001.jpg", size=(20, 48))
    assert told(check(masks[0])[1]) == {("poor", Kind.WRONG_SIZE, "00001.jpg is 48x20, 00000.jpg is 48x36")}


def test_an_object_that_changes_its_id_leaves_the_video_out(masks, made):
    made.labels(masks[2] / "00002.png", made.boxes(1, 5, shift=1))
    names, findings = check(masks[0])
    assert names == ["good"]
    assert told(findings) == {("poor", Kind.RENUMBERED, "2 is called 5 from 00002.png on")}


def test_ids_that_swap_are_found_and_objects_that_come_go_or_hide_are_not(made):
    before = made.boxes(1, 2, 3).astype(np.uint16)
    assert find_change(before, made.boxes(2, 1, 3).astype(np.uint16)) == (1, 2)
    for after in (made.boxes(1, 2), made.boxes(1, 2, 3, shift=4), made.boxes(1, 2, 0), made.boxes()):
        assert find_change(before, after.astype(np.uint16)) is None
        assert find_change(after.astype(np.uint16), before) is None
    hidden = made.boxes(1, 2, 3)
    hidden[hidden == 1] = 2  # 2 grows over 1, and is still where it was
    assert find_change(before, hidden.astype(np.uint16)) is None


def test_an_id_above_254_is_named(masks, made):
    high = made.boxes(1, 2).astype(np.uint16)
    high[high == 2] = 300
    Image.fromarray(high).save(masks[2] / "00003.png")
    assert told(check(masks[0])[1]) == {("poor", Kind.HIGH_ID, "00003.png has 300")}


def test_empty_masks_are_counted_and_a_video_of_nothing_else_left_out(davis, made):
    root = davis({"gone": [made.boxes(1), made.boxes(), made.boxes(1)], "void": [made.boxes()] * 3})
    names, findings = check(root)
    assert names == ["gone"]
    assert told(findings) == {("gone", Kind.SOME_EMPTY, "1 of 3"), ("void", Kind.NO_OBJECT, "")}


def test_a_video_of_one_frame_is_left_out(davis, made):
    root = davis({"good": [made.boxes(1)] * 2, "still": [made.boxes(1)]})
    names, findings = check(root)
    assert names == ["good"]
    assert told(findings) == {("still", Kind.ONE_FRAME, "nothing moves: use it as a photo")}


def test_masks_of_0_and_255_are_one_object_and_255_beside_ids_is_void(davis, made):
    root = davis({"old": [made.boxes(255)] * 2, "new": [made.boxes(1, 255)] * 2}, mode="L")
    source, (findings,) = open_source("davis", [Place("davis2017", root)])
    old, new = source.items
    assert told(findings) == {("old", Kind.BINARY, "")}
    assert (old.object_ids, new.object_ids) == ((1,), (1,))
    assert np.unique(old.labels(0)).tolist() == [0, 1]
    assert np.unique(new.labels(0)).tolist() == [0, 1, 255]


def test_strict_refuses_what_is_otherwise_left_out_and_nothing_left_is_always_refused(masks):
    shutil.rmtree(masks[2])
    with pytest.raises(InputError, match=r"1 left out\n  left out, no masks \(1\): poor\n.* without --strict"):
        check(masks[0], strict=True)
    shutil.rmtree(masks[2].with_name("good"))
    with pytest.raises(InputError, match="davis has no sequences to train on"):
        check(masks[0])


def test_findings_are_counted_by_kind_with_some_of_the_names():
    items = (*tuple(Finding(Kind.NO_MASKS, f"v{i}") for i in range(9)), Finding(Kind.SOME_EMPTY, "w", "2 of 7"))
    assert Findings("mose", "sequences", 20, items).lines(most=2) == [
        "mose: 11 of 20 sequences are used; 9 left out",
        "  left out, no masks (9): v0, v1, and 7 more",
        "  used, some masks are empty (1): w (2 of 7)",
    ]


def test_a_set_is_read_once_and_again_when_a_file_of_it_is_touched(masks, tmp_path, monkeypatch, made):
    videos, scanned, scan = list_videos("davis2017", masks[0]).videos, [], index.scan_video
    monkeypatch.setattr(index, "scan_video", lambda video, thorough: scanned.append(video.name) or scan(video))
    cache = tmp_path / "cache"
    first = index_videos(videos, cache=cache)
    assert scanned == ["good", "poor"]
    assert [v.facts for v in index_videos(videos, cache=cache)] == [v.facts for v in first]
    assert scanned == ["good", "poor"]
    made.labels(masks[2] / "00001.png", made.boxes(1, 2, 3))
    assert index_videos(videos, cache=cache)[1].object_ids == (1, 2, 3)
    assert scanned == ["good", "poor", "poor"]
    stamp = (masks[1] / "00000.jpg").stat()
    os.utime(masks[1] / "00000.jpg", ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    index_videos(videos, cache=cache)
    assert scanned == ["good", "poor", "poor", "poor"]


def test_a_damaged_cache_counts_as_none(masks, tmp_path):
    videos, cache = list_videos("davis2017", masks[0]).videos, tmp_path / "cache"
    first = index_videos(videos, cache=cache)
    for file in cache.rglob("*.json"):
        file.write_text(file.read_text()[:30])
    assert [v.facts for v in index_videos(videos, cache=cache)] == [v.facts for v in first]


def test_several_processes_read_the_same(masks):
    videos = list_videos("davis2017", masks[0]).videos * 2
    assert index_videos(videos, workers=2) == index_videos(videos)


def test_what_is_not_known_yet_is_read_when_it_is_asked_for(masks):
    video = index.TrainingVideo(list_videos("davis2017", masks[0]).videos[1])
    assert video.object_ids == (1, 2)
    assert video.areas(0) == {1: 168, 2: 168}
    assert video.num_pixels == 36 * 48


def test_masks_lie_as_far_apart_as_the_numbers_of_their_files_say(made):
    assert made.known("davis", [{1: 9}] * 4).spacing == 1
    assert made.known("youtube", [{1: 9}] * 4, step=5).spacing == 5
    assert made.known("sparse", [{1: 9}, None, None, {1: 9}]).spacing == 3
    info = made.known("named", [{1: 9}] * 3).info
    named = VideoInfo("named", tuple(path.with_name(f"f{i}.jpg") for i, path in enumerate(info.frames)), info.masks)
    assert index.TrainingVideo(named).spacing == 1


def test_a_place_is_written_in_one_word():
    name, place = parse_place("static=coco/val2017:/data/coco")
    assert (name, place.layout, place.split, str(place.root)) == ("static", "coco", "val2017", "/data/coco")
    assert parse_place("davis=davis2017:D:/x")[1].root.as_posix() == "D:/x"
    for text in ("davis", "davis=/data", "=a:b"):
        with pytest.raises(OptionError, match="write NAME=LAYOUT:ROOT"):
            parse_place(text)
    with pytest.raises(OptionError, match="no layout is called 'davis'"):
        parse_place("davis=davis:/data")
