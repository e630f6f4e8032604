from __future__ import annotations

import pytest
from PIL import Image


@pytest.fixture
def report(devos, video_root, tmp_path, monkeypatch):
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "cache"))
    result = devos("evaluate", "davis", "--root", video_root, "--baseline", "copy-first", "-o", tmp_path / "report")
    assert result.exit_code == 0
    return tmp_path / "report"


def test_there_is_a_sheet_for_each_sequence(devos, report, tmp_path):
    result = devos("figure", "worst", report, "-o", tmp_path / "sheets", "--count", 1)
    assert result.exit_code == 0
    assert result.stdout.split() == [str(tmp_path / "sheets" / f"{name}.png") for name in ("ant", "bee")]
    with Image.open(tmp_path / "sheets" / "ant.png") as picture:
        few = picture.size
    assert (
        devos(
            "figure", "worst", report / "run.json", "-o", tmp_path / "more", "--sequence", "ant", "--count", 2
        ).exit_code
        == 0
    )
    assert [path.name for path in (tmp_path / "more").iterdir()] == ["ant.png"]
    with Image.open(tmp_path / "more" / "ant.png") as picture:
        assert picture.height > few[1] and picture.width == few[0]


def test_saved_masks_that_were_scored_are_found_where_they_are(devos, report, video_root, tmp_path):
    masks = (report / "masks").rename(tmp_path / "elsewhere")
    result = devos("evaluate", "davis", "--root", video_root, "--results", masks, "-o", tmp_path / "scored")
    assert result.exit_code == 0
    assert devos("figure", "worst", tmp_path / "scored", "-o", tmp_path / "sheets", "--count", 1).exit_code == 0
    assert len(list((tmp_path / "sheets").iterdir())) == 2


def test_perfect_masks_have_no_sheets(devos, report, video_root, tmp_path):
    truth = video_root / "Annotations" / "480p"
    assert devos("evaluate", "davis", "--root", video_root, "--results", truth, "-o", tmp_path / "p").exit_code == 0
    result = devos("figure", "worst", tmp_path / "p", "-o", tmp_path / "sheets")
    assert result.exit_code == 0 and result.stdout == ""
    assert "ant: no frame is wrong" in result.stderr


def test_what_is_no_evaluation_is_refused(devos, report, tmp_path):
    assert devos("figure", "worst", tmp_path, "-o", tmp_path / "sheets").exit_code == 2
    result = devos("figure", "worst", report, "-o", tmp_path / "sheets", "--sequence", "cow")
    assert result.exit_code == 2 and "there is no sequence cow" in result.stderr
