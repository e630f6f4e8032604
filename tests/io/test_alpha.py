from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from devos.frames import Frame, FrameSize, MaskFrame
from devos.io.alpha import KINDS, CutoutFolder, CutoutVideo


def film(num_frames: int = 4, height: int = 48, width: int = 64) -> list[tuple[Frame, MaskFrame]]:
    made = []
    for index in range(num_frames):
        rgb = np.full((height, width, 3), (200, 60, 40), np.uint8)
        labels = np.zeros((height, width), np.uint16)
        labels[8:32, 8 + 4 * index : 36] = 5
        time_s = [0.0, 0.04, 0.2, 0.24][index]
        made.append((Frame(index, time_s, f"f{index}", rgb), MaskFrame(index, time_s, f"f{index}", labels, ())))
    return made


def test_cut_outs_keep_the_colours_and_are_clear_where_no_object_is(tmp_path):
    with CutoutFolder(tmp_path / "rgba") as folder:
        for frame, masks in film():
            folder.write(frame, masks)
    for frame, masks in film():
        with Image.open(tmp_path / "rgba" / f"{frame.name}.png") as picture:
            rgba = np.array(picture)
        assert np.array_equal(rgba[..., :3], frame.rgb)
        assert np.array_equal(rgba[..., 3] == 255, masks.labels == 5)
        assert set(np.unique(rgba[..., 3])) == {0, 255}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_a_video_has_every_frame_at_its_time_with_its_alpha(tmp_path, kind, size):
    file = KINDS[kind][0]
    with CutoutVideo(tmp_path / file, kind, Fraction(25), FrameSize(*size)) as video:
        for frame, masks in film(4, *size):
            video.write(frame, masks)
    with av.open(str(tmp_path / file)) as container:
        stream = container.streams.video[0]
        if kind == "vp9":  # only libvpx itself gives the alpha
            decoder = av.CodecContext.create("libvpx-vp9", "r")
            packets = [packet for packet in container.demux(stream) if packet.size]
            frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
        else:
            frames = list(container.decode(stream))
        times = [float(frame.pts * stream.time_base) for frame in frames]
        assert stream.codec_context.colorspace == 1
    assert times == pytest.approx([0, 0.04, 0.2, 0.24], abs=2e-3)
    for shown, (_, masks) in zip(frames, film(4, *size), strict=True):
        rgba = shown.to_ndarray(format="rgba").astype(int)[: size[0], : size[1]]
        inside = masks.labels == 5
        if kind == "green":
            assert np.abs(rgba[40:46, 50:60, :3] - (0, 177, 64)).max() < 12
        else:
            assert (rgba[10:30, 24:34, 3] > 250).all() and (rgba[40:46, 50:60, 3] < 5).all()
            assert ((rgba[..., 3] > 127) == inside).mean() > 0.99
        assert np.abs(rgba[12:28, 24:34, :3] - (200, 60, 40)).max() < 12
