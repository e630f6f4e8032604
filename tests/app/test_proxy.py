"""The small copy of a video that the page shows while the frames themselves come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="the app's packages are not installed: pip install 'devos[app]'")

from devos.app import proxy_maker
from devos.app.bounded import Bounded
from devos.app.proxy import PICTURES, PLACES, Proxy
from devos.app.proxy_maker import Maker
from devos.io import open_video

CUT = 6


@pytest.fixture
def video(tmp_path: Path, write_video: Any, pictures: Any) -> Path:
    """Dark noise, then something else that is bright and blue."""
    bright = np.full((64, 96, 3), (90, 160, 250), np.uint8)
    bright[::8] = (250, 250, 120)
    write_video(tmp_path / "clip.mp4", [*pictures(CUT), *[bright] * 6])
    return tmp_path / "clip.mp4"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "proxy").mkdir()
    return tmp_path / "proxy"


def make(video: Path, folder: Path) -> Proxy:
    with open_video(video) as reader:
        maker = Maker(folder, reader)
        try:
            maker.make()
        finally:
            maker.close()
    return Proxy(folder)


def test_every_frame_is_in_it_and_cuts_are_told(video: Path, folder: Path) -> None:
    proxy = make(video, folder)
    assert proxy.num_frames == 12
    assert proxy.cuts == [CUT]
    with open_video(video) as reader:
        for frame in reader:
            shown = cv2.imdecode(np.frombuffer(proxy.jpeg(frame.index) or b"", np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            assert np.abs(shown.astype(int) - frame.rgb).mean() < 12
    assert proxy.jpeg(12) is None


def test_one_that_was_cut_off_is_gone_on_with(video: Path, folder: Path) -> None:
    make(video, folder)
    whole, places = (folder / PICTURES).read_bytes(), (folder / PLACES).read_bytes()
    (folder / PLACES).write_bytes(places[: 4 * 16 + 7])
    (folder / PICTURES).write_bytes(whole[:-20])
    proxy = make(video, folder)
    assert proxy.num_frames == 12
    assert (folder / PICTURES).read_bytes() == whole
    assert (folder / PLACES).read_bytes() == places


def test_it_never_takes_more_than_it_may(video: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_maker, "MOST_BYTES", 9000)
    proxy = make(video, folder)
    assert 0 < proxy.num_frames < 12
    assert (folder / PICTURES).stat().st_size <= 9000


def test_of_a_long_video_frames_from_all_over_it_come_first(
    folder: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_maker, "_STRIP", 3)
    with open_video(video) as reader:
        maker = Maker(folder, reader)
        monkeypatch.setattr(reader, "key_frame_before", lambda index: index)
        maker._make_strip()
        maker.close()
    proxy = Proxy(folder)
    assert [proxy.nearest(frame) for frame in (0, 3, 7, 11)] == [0, 4, 8, 8]
    assert make(video, folder).num_frames == 12


def test_the_oldest_goes_where_there_is_no_more_room() -> None:
    kept: Bounded[str] = Bounded(10)
    for name in "abc":
        kept.put(name, name, 4)
    assert [kept.get(name) for name in "abc"] == [None, "b", "c"]
    kept.get("b")
    kept.put("d", "d", 4)
    assert [kept.get(name) for name in "bcd"] == ["b", None, "d"]
