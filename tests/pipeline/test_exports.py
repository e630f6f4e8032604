"""What `--write` writes is what the results are: after a run, a kill, a correction, undo and redo."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing, suppress

import cv2
import numpy as np
import pytest
from PIL import Image

import devos
from devos.errors import OptionError, OutputError
from devos.exchange.given import read_annotations
from devos.exchange.measures import MeasuresWriter
from devos.exchange.registry import FORMATS
from devos.io.files import LISTING
from devos.io.labels import read_label_png
from devos.pipeline.convert import convert
from devos.pipeline.segment import drained, segment
from devos.project.names import write_names

MOST = ["davis", "objects", "rgba", "green", "coco", "cvat-video", "ctc", "npz", "csv"]


@pytest.fixture(scope="module")
def segmenter(weights):
    return devos.load(weights, size=64, device="cpu")


def contents(folder):
    """Every file by its content, but lists of what was written."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(LISTING))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def followed(clip, segmenter, tmp_path):
    segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter, write=MOST)
    return devos.Project.open(tmp_path / "out", model=segmenter)


def other_mask(project, frame):
    labels = project.masks[frame].copy()
    labels[20:44, 12:36] = 1
    labels[2:14, 60:80] = 9
    return labels


def test_what_is_written_while_following_is_what_convert_writes_later(followed, tmp_path):
    export = followed.folder.path / "export"
    assert {path.name for path in export.iterdir()} == {*(FORMATS[name].place for name in MOST), LISTING}
    convert(followed, MOST, tmp_path / "later")
    assert contents(export) == contents(tmp_path / "later")


def test_a_run_that_was_cut_off_ends_in_the_same_exports(clip, segmenter, pictures, write_video, tmp_path):
    def stop(progress):
        if progress.num_done == 5:
            raise KeyboardInterrupt

    write_video(clip / "long.mp4", pictures(30))  # many more than are on their way between the threads
    given = {"model": segmenter, "write": MOST}
    with pytest.raises(KeyboardInterrupt):
        segment(clip / "long.mp4", clip / "first.png", tmp_path / "cut", progress=stop, **given)
    half = json.loads((tmp_path / "cut" / "export" / "coco.json").read_text())  # Ctrl-C leaves what can be read
    assert 5 <= len(half["images"]) < 30
    segment(clip / "long.mp4", clip / "first.png", tmp_path / "cut", resume=True, **given)
    segment(clip / "long.mp4", clip / "first.png", tmp_path / "whole", **given)
    assert contents(tmp_path / "cut" / "export") == contents(tmp_path / "whole" / "export")


def test_a_correction_is_in_the_exports_and_undo_and_redo_give_their_bytes_back(followed, tmp_path):
    export, before = followed.folder.path / "export", contents(followed.folder.path / "export")
    drained(followed.correct({3: other_mask(followed, 3)}))
    after = contents(export)
    assert after != before and "objects/009/00003.png" in after
    assert read_annotations(export / "coco.json").ids("00003") == (1, 9)
    followed.undo()
    assert contents(export) == before
    followed.redo()
    assert contents(export) == after
    followed.remove([9])
    found = read_annotations(export / "coco.json")
    assert {object_id for key in found for object_id in found.ids(key)} == {1}


@pytest.mark.parametrize("name", ["coco", "youtube-vis", "cvat", "cvat-video", "label-studio", "labelme", "objects",
                                  "napari", "ctc"])  # fmt: skip
def test_what_was_exported_and_corrected_elsewhere_comes_back_under_its_ids_and_frames(followed, tmp_path, name):
    from devos.exchange.given import read_given

    write_names(followed.folder, {1: "swan"})
    drained(followed.correct({3: other_mask(followed, 3)}))
    (path,) = convert(followed, [name], tmp_path / "export")
    with followed.video() as video:
        given = read_given(path, video)
        same = dict(given.items())
    for index, labels in followed.masks.items():
        assert np.array_equal(same.get(index, np.zeros_like(labels)), labels)
    with pytest.raises(devos.MaskError, match="the masks are what the results are already"):
        drained(followed.correct(same))
    changed = other_mask(followed, 5)
    changed[30:40, 70:90] = 9
    _correct_elsewhere(followed, name, path, changed)
    with followed.video() as video:
        summary = drained(followed.correct(dict(read_given(path, video).items()), last=5))
    assert summary.object_ids == (1, 9)
    assert np.array_equal(followed.masks[5], changed)


def _correct_elsewhere(project, name, path, labels):
    """Write the same film with another mask on frame 5, as a tool does that has loaded it."""
    from dataclasses import replace

    from devos.exchange.writers import Shot
    from devos.pipeline.exports import video_info

    with project.video() as video, FORMATS[name].open(path, video_info(project.folder, video, 8)) as writer:
        for index in project.results:
            masks = project.result(index)
            writer.write(Shot(replace(masks, labels=labels) if index == 5 else masks))


def test_soft_alpha_is_what_the_network_said_and_stays_with_undo(clip, segmenter, tmp_path):
    segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter, write=["alpha16"], overlay=False)
    project = devos.Project.open(tmp_path / "out", model=segmenter)
    assert project.record.choices["keep_probabilities"]  # alpha16 needs it
    export, before = tmp_path / "out" / "export", contents(tmp_path / "out" / "export")
    with project.video() as video:
        session, given = segmenter.session(), {0: read_label_png(clip / "first.png")}
        for frame in video:
            masks = session.step(frame, given.get(frame.index), probabilities=True)
            kept = cv2.imread(str(export / "alpha16" / "001" / f"{frame.name}.png"), cv2.IMREAD_UNCHANGED)
            assert np.abs(kept - masks.probabilities[0].astype(float) * 65535).max() <= 1
    drained(project.correct({3: other_mask(project, 3)}, objects=[9]))
    assert (export / "alpha16" / "009" / "00003.png").is_file() and contents(export) != before
    first = {name for name, content in contents(export).items() if before.get(name) == content}
    assert first >= {f"alpha16/001/0000{index}.png" for index in (0, 1, 2)}
    project.remove([9])
    assert {name for name, content in contents(export).items() if before[name] != content} <= {"alpha16/001/00003.png"}
    project.undo()
    project.undo()
    assert contents(export) == before


def test_soft_alpha_that_was_not_kept_is_told_before_any_work(followed, tmp_path):
    with pytest.raises(OptionError, match="alpha8: needs the probabilities, which this project does not keep"):
        convert(followed, ["alpha8"], tmp_path / "later")
    assert not (tmp_path / "later").exists()


def test_a_format_that_there_is_not_stops_a_run_before_any_work(clip, segmenter, tmp_path):
    with pytest.raises(OptionError, match="no format tiffany"):
        segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter, write=["tiffany"])
    assert not (tmp_path / "out").exists()


def test_a_format_whose_library_is_missing_is_told_with_the_command_that_installs_it(clip, segmenter, tmp_path,
                                                                                      monkeypatch):  # fmt: skip
    import sys

    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(OptionError, match=r"exr needs OpenEXR, which is not installed: .*pip install"):
        segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter, write=["exr"])
    assert not (tmp_path / "out").exists()


def test_a_writer_that_fails_leaves_its_file_out_and_the_results_in(clip, segmenter, tmp_path, monkeypatch):
    written = MeasuresWriter.write

    def full(self, shot):
        if shot.masks.index == 4:
            raise OutputError("the disk is full")
        written(self, shot)

    given = {"model": segmenter, "write": ["csv", "coco"]}
    with monkeypatch.context() as patch:
        patch.setattr(MeasuresWriter, "write", full)
        with pytest.raises(OutputError, match="the disk is full"):
            segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", **given)
    export = tmp_path / "out" / "export"
    assert [path.name for path in export.iterdir()] == [LISTING]
    assert len(list((tmp_path / "out" / "masks").iterdir())) >= 4
    segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", resume=True, **given)
    assert len(json.loads((export / "coco.json").read_text())["images"]) == 8


def test_overwriting_takes_away_what_was_exported_and_nothing_else(followed, clip, segmenter):
    out = followed.folder.path
    (out / "export" / "labelme").mkdir()
    (out / "export" / "labelme" / "mine.json").write_text("{}")
    segment(clip / "clip.mp4", clip / "first.png", out, model=segmenter, overwrite=True, overlay=False)
    left = [path.relative_to(out / "export").as_posix() for path in (out / "export").rglob("*") if path.is_file()]
    assert left == ["labelme/mine.json"]


def test_leaving_the_iteration_early_leaves_exports_that_can_be_read(clip, segmenter, square, tmp_path):
    project = devos.Project.create(tmp_path / "out", clip / "clip.mp4", model=segmenter, write=["davis", "npz"])
    project.annotate(0, square)
    with closing(project.run()) as run, suppress(StopIteration):
        for _ in range(3):
            next(run)
    with np.load(tmp_path / "out" / "export" / "labels.npz") as content:
        assert len(content["labels"]) >= 3
    drained(project.run())
    with np.load(tmp_path / "out" / "export" / "labels.npz") as content:
        assert np.array_equal(content["labels"], [project.masks[i] for i in range(8)])


def test_a_new_project_takes_the_stream_the_white_value_and_no_sound(clip, segmenter, tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(np.full((64, 96), 500 * number, np.uint16)).save(folder / f"{number}.png")
    project = devos.Project.create(tmp_path / "out", folder, model=segmenter, white=4000, sound=False)
    with project.video() as video:
        assert next(iter(video.read_range(2, 3))).rgb.max() == round(1000 * 255 / 4000)
    with pytest.raises(devos.VideoError, match="has no video stream 3"):
        devos.Project.create(tmp_path / "other", clip / "clip.mp4", model=segmenter, stream=3)


def test_arrays_are_followed_recorded_and_can_be_corrected_like_a_file(clip, segmenter, pictures, tmp_path):
    frames = (picture for picture in pictures(8))
    summary = segment(frames, clip / "first.png", tmp_path / "out", model=segmenter, write=["coco"])
    assert summary.num_frames == 8
    project = devos.Project.open(tmp_path / "out", model=segmenter)
    with project.video() as video:
        assert all(np.array_equal(frame.rgb, picture) for frame, picture in zip(video, pictures(8), strict=True))
    drained(project.correct({3: other_mask(project, 3)}))
    assert project.object_ids == (1, 9) and len(project.results) == 8
    for wrong in ({"resume": True}, {"direction": "both"}, {"stream": 1}):
        with pytest.raises(OptionError, match="comes but once"):
            segment(iter(pictures(8)), clip / "first.png", tmp_path / "other", model=segmenter, **wrong)
