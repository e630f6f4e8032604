from __future__ import annotations

from pathlib import Path

import pytest

from devos.experiments.results import Budget, Result, keep_result


@pytest.fixture
def finished(tmp_path: Path, video_root: Path) -> Path:
    """Runs of crowds that are done, with the command's own budget but for the steps."""
    budget = Budget(num_steps=7, train_size=160, size=192)
    for seed in range(2):
        for name, jf in (("videos", 0.50), ("crowds", 0.52), ("crowds-sampled", 0.51)):
            score = {"jf": jf + 0.1 * seed, "j": 0.5, "f": 0.5}
            keep_result(Result(name, seed, budget, {"videos": score, "crowds": score}, 2.0, 0.5), tmp_path / "runs")
    (tmp_path / "runs" / "crowds-train").mkdir()
    (tmp_path / "runs" / "crowds-test").symlink_to(video_root)
    return tmp_path / "runs"


@pytest.fixture
def data(tmp_path: Path, video_root: Path, photo_root: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "video-train").symlink_to(video_root)
    (folder / "static").symlink_to(photo_root)
    return folder


def test_finished_runs_become_the_table_and_are_not_made_again(devos, data, finished, video_root):
    result = devos("ablate", "crowds", "--data", data, "--root", video_root, "-o", finished, "--seeds", 2,
                   "--steps", 7)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "| with crowds, each alike | 2 | 57.0 ± 7.1 | +2.0 ± 0.0 |" in result.stdout
    assert "| with crowds, by importance sampling | 2 | 56.0 ± 7.1 | -1.0 ± 0.0 |" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such",), "no variant is called 'no-such'; choose among full, no-flow"),
        (("crowds", "full"), "crowds is a table of its own; give it alone"),
        (("full",), "give --data"),
        (("table1",), "goes on from the weights of pretrain, of any of the three sizes; give them with --init"),
    ],
)
def test_what_is_missing_is_asked_for(devos, video_root, tmp_path, arguments, message):
    result = devos("ablate", *arguments, "--root", video_root, "-o", tmp_path / "runs")
    assert result.exit_code == 2
    assert message in result.stderr and len(result.stderr.splitlines()) == 1


def test_table_1_names_the_sets_that_it_lacks(devos, video_root, weights, tmp_path):
    result = devos("ablate", "table1", "--root", video_root, "-o", tmp_path / "runs", "--init", weights,
                   "--source", f"davis=davis-like:{video_root}")  # fmt: skip
    assert result.exit_code == 2
    assert "there is no youtube-vos and no mose" in result.stderr
    assert "--source mose=mose:ROOT" in result.stderr


def test_crowds_need_videos_and_photos(devos, video_root, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "video-train").symlink_to(video_root)
    result = devos("ablate", "crowds", "--data", tmp_path / "data", "--root", video_root, "-o", tmp_path / "runs")
    assert result.exit_code == 2
    assert "crowds needs both video-train (videos) and static (photos" in result.stderr
