"""Headless, and without napari: what its manifest names is there and does what napari asks of it."""

from __future__ import annotations

import importlib
import importlib.resources
import inspect
import re
from importlib import metadata

import numpy as np
import pytest
from PIL import Image

import devos
from devos.exchange.given import read_annotations
from devos.napari_plugin.following import follow_stack
from devos.napari_plugin.reading import get_reader
from devos.napari_plugin.writing import write_labels
from devos.pipeline.segment import segment


@pytest.fixture(scope="module")
def segmenter(weights):
    return devos.load(weights, size=64, device="cpu")


def test_the_manifest_names_what_is_there():
    text = (importlib.resources.files("devos") / "napari_plugin" / "napari.yaml").read_text()
    names = re.findall(r"python_name: (\S+):(\S+)", text)
    assert len(names) == 3
    for module, name in names:
        assert callable(getattr(importlib.import_module(module), name))
    commands = set(re.findall(r"- id: (\S+)", text))
    assert set(re.findall(r"command: (\S+)", text)) == commands


def test_napari_finds_the_manifest_by_its_entry_point():
    entry = [one for one in metadata.entry_points(group="napari.manifest") if one.name == "devos"]
    if not entry:
        pytest.skip("devos was installed before it had the plugin")
    assert entry[0].value == "devos.napari_plugin:napari.yaml"


def test_a_widget_can_be_made_of_the_signature():
    from devos.napari_plugin.following import follow

    values = inspect.signature(follow)
    assert [one.annotation for one in values.parameters.values()] == [
        "napari.types.ImageData", "napari.types.LabelsData", "str", "int"]  # fmt: skip
    assert values.return_annotation == "napari.types.LabelsData"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_labels_on_one_frame_are_followed_both_ways(pictures, square, segmenter, kind):
    film = np.stack(pictures(5))
    image = film if kind is np.uint8 else film[..., 0].astype(kind) * 16
    labels = np.zeros(film.shape[:3], np.int32)
    labels[2] = square * 7
    followed = follow_stack(image, labels, segmenter)
    assert followed.dtype == np.uint16 and followed.shape == labels.shape
    assert np.array_equal(followed[2], labels[2]) and set(np.unique(followed)) <= {0, 7}
    session = segmenter.session()
    if kind is np.uint8:
        assert np.array_equal(session.step(film[2], square * 7).labels, followed[2])
        assert np.array_equal(session.step(film[1]).labels, followed[1])


def test_what_does_not_fit_is_told(pictures, square, segmenter):
    film = np.stack(pictures(2))
    with pytest.raises(devos.MaskError, match="all background"):
        follow_stack(film, np.zeros(film.shape[:3], int), segmenter)
    with pytest.raises(devos.MaskError, match="the labels have the shape"):
        follow_stack(film, np.zeros((3, 4, 4), int), segmenter)
    with pytest.raises(devos.VideoError, match="give time, y and x"):
        follow_stack(film[0, 0], square, segmenter)


def test_a_project_opens_as_a_video_and_its_objects(clip, segmenter, tmp_path, pictures):
    assert get_reader(str(clip)) is None
    segment(clip / "frames", clip / "first.png", tmp_path / "out", model=segmenter, overlay=False)
    read = get_reader(str(tmp_path / "out"))
    (video, _, kind), (objects, _, other) = read(str(tmp_path / "out"))
    assert (kind, other) == ("image", "labels")
    assert video.shape == (8, 64, 96, 3) and objects.shape == (8, 64, 96)
    assert np.array_equal(video[3], pictures(8)[3])
    assert np.array_equal(objects[0], np.array(Image.open(clip / "first.png")))
    assert np.array_equal(np.asarray(objects)[2:4, 5], objects[2:4, 5])


def test_a_layer_of_labels_is_written_and_read_back(tmp_path, square):
    labels = np.stack([square, square * 3]).astype(np.int64)
    written = write_labels(str(tmp_path / "a.tif"), labels, {"name": "cells"})
    assert [path.rsplit("/", 1)[1] for path in written] == ["labels.tif", "tracks.csv"]
    back = read_annotations(tmp_path / "a")
    assert all(np.array_equal(back[index], labels[index]) for index in (0, 1))
