from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from devos.data.sources import Photos, Place, Videos
from devos.errors import InputError, OptionError
from devos.training.places import check_names, name_places, open_folders, open_places
from devos.training.recipes.book import RECIPES
from devos.training.recipes.recipe import parts_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def check(recipe: str, *sources: str, **folders: Path) -> None:
    check_names(recipe, parts_of(RECIPES[recipe].configure()), name_places(sources, **folders))


def test_options_name_data_sets_and_several_may_be_one_source(tmp_path):
    (tmp_path / "video-train").mkdir()
    named = name_places(["static=duts:/d", "static=coco/val2017:/c"], data=tmp_path, photos=Path("/p"))
    assert named == {
        "videos": [Place("davis-like", tmp_path / "video-train")], "photos": [Place("own", Path("/p"))],
        "static": [Place("duts", Path("/d")), Place("coco", Path("/c"), "val2017")],
    }  # fmt: skip


def test_a_recipe_is_content_with_the_sources_of_its_mix():
    check("pretrain", "static=duts:/d")
    check("main-2-mose", "davis=davis2017:/d", "youtube-vos=youtube-vos:/y", "mose=mose:/m")
    check("laptop", photos=Path("/p"))  # either may be absent
    check("finetune", videos=Path("/v"))


@pytest.mark.parametrize(
    ("recipe", "sources", "folders", "words"),
    [
        ("main-1", ["davis=davis2017:/d"], {}, r"there is no youtube-vos; add --source youtube-vos=youtube-vos:ROOT$"),
        ("main-1", [], {}, "no davis and no youtube-vos; add --source davis=davis2017:ROOT, --source youtube-vos"),
        ("pretrain", [], {"videos": Path("/v")}, "from static, not from videos; give --source static=LAYOUT:ROOT"),
        ("main-1", ["davis=davis2017:/d", "youtube-vos=youtube-vos:/y", "mose=mose:/m"], {}, "not from mose; "),
        ("finetune", [], {"photos": Path("/p")}, "there is no videos; add --videos ROOT"),
        ("laptop", [], {}, "there is no videos and no photos; add --videos ROOT, --photos ROOT"),
    ],
)  # fmt: skip
def test_a_missing_or_a_strange_source_is_named_with_the_option_that_mends_it(recipe, sources, folders, words):
    with pytest.raises(OptionError, match=words):
        check(recipe, *sources, **folders)


def test_what_was_found_is_told_and_what_cannot_be_trained_on_is_left_out(video_root, photo_root):
    shutil.rmtree(video_root / "Annotations" / "480p" / "bee")
    lines: list[str] = []
    sources = open_places(name_places(videos=video_root, photos=photo_root), tell=lines.append)
    assert isinstance(sources["videos"], Videos) and [video.name for video in sources["videos"].items] == ["ant"]
    assert isinstance(sources["photos"], Photos) and len(sources["photos"].items) == 4
    assert lines == [
        "videos: 1 of 2 sequences are used; 1 left out",
        "  left out, no masks (1): bee",
        "photos: 4 of 4 photos are used",
    ]


def test_strict_refuses_data_of_which_anything_is_left_out(video_root):
    shutil.rmtree(video_root / "Annotations" / "480p" / "bee")
    with pytest.raises(InputError, match="no masks \\(1\\): bee"):
        open_places(name_places(videos=video_root), strict=True)


def test_two_folders_are_two_sources(video_root, photo_root):
    assert open_folders(video_root, photo_root).keys() == {"videos", "photos"}
    assert open_folders(None, photo_root).keys() == {"photos"}


def test_a_folder_with_neither_videos_nor_photos_says_what_it_should_hold(tmp_path):
    with pytest.raises(InputError, match=r"holds neither video-train .* nor static"):
        name_places(data=tmp_path)


def test_archives_of_training_data_are_unpacked_and_read_as_the_folder_that_they_came_from(
    video_root, photo_root, tmp_path
):
    from devos.data.packing.build import gather, pack

    data = tmp_path / "data"
    data.mkdir()
    video_root.rename(data / "video-train")
    photo_root.rename(data / "static")
    pack(gather(data), tmp_path / "packed")
    home = tmp_path / "packed" / "unpacked"
    named = name_places(data=tmp_path / "packed")
    assert named == {"videos": [Place("davis-like", home / "video-train")], "photos": [Place("own", home / "static")]}
    assert {name: len(source.items) for name, source in open_places(named).items()} == {"videos": 2, "photos": 4}
