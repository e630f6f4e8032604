from __future__ import annotations

from pathlib import Path

from devos.pipeline import demo as demo_module
from devos.pipeline.demo import demo_clip


def test_the_demo_prints_the_overlay_last_and_can_be_run_twice(devos, weights, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo_module, "demo_clip", lambda: (clip / "clip.mp4", clip / "first.png"))
    for _ in range(2):
        result = devos("demo", "--model", weights, "--size", 64)
        assert result.exit_code == 0, result.output
        assert result.stdout == f"{Path('devos-demo') / 'overlay.mp4'}\n"
        assert Path(result.stdout.strip()).is_file()


def test_a_folder_that_the_user_names_is_not_overwritten(devos, weights, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_module, "demo_clip", lambda: (clip / "clip.mp4", clip / "first.png"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    result = devos("demo", "-o", tmp_path / "mine", "--model", weights, "--size", 64)
    assert result.exit_code == 2 and "--overwrite" in result.stderr


def test_the_clip_comes_with_the_package_and_its_mask_fits():
    from devos.io import open_video, read_masks

    video, mask = demo_clip()
    with open_video(video) as reader:
        assert read_masks(mask, reader).object_ids == (1,)
        assert reader.num_frames == 54
