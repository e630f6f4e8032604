from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

import devos
from devos.errors import OptionError, WeightsError
from devos.pipeline import cluster
from devos.pipeline.batch import Watch, batch, do_job
from devos.pipeline.cluster import do_on_cluster

NUM_FRAMES = 24


@pytest.fixture
def folder(tmp_path, write_video, pictures, square):
    """Two videos with a mask each, and one whose mask has another size."""
    path = tmp_path / "in"
    path.mkdir()
    for name in ("a", "b", "bad"):
        write_video(path / f"{name}.mp4", pictures(NUM_FRAMES))
        Image.fromarray(square if name != "bad" else square[:-2]).save(path / f"{name}.png")
    return path


@pytest.fixture
def run(folder, weights, tmp_path):
    def run(**options):
        return batch(folder, tmp_path / "out", **{"model": weights, "size": 64, "runtime": "torch", "overlay": False,
                                                  "device": "cpu", "workers": 1, **options})  # fmt: skip

    return run


def rows(out):
    with (out / "batch.csv").open(newline="") as file:
        return {row["name"]: (row["status"], int(row["frames"])) for row in csv.DictReader(file)}


def contents(out):
    """The masks and tables of a project, by their content."""
    paths = [*sorted((out / "masks").iterdir()), out / "objects.csv", out / "run.json"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_one_bad_video_is_told_and_the_others_are_followed_then_skipped_until_it_is_mended(run, folder, square):
    summary = run(workers=2)
    out = summary.out
    assert rows(out) == {"a": ("finished", NUM_FRAMES), "b": ("finished", NUM_FRAMES), "bad": ("failed", 0)}
    assert "62" in summary.videos[2].reason and "\n" not in summary.videos[2].reason
    assert devos.Project.open(out / "a").object_ids == (1,)
    times = {path: path.stat().st_mtime_ns for path in (out / "a").rglob("*.png")}

    Image.fromarray(square).save(folder / "bad.png")
    ended = []
    again = run(watch=Watch(ended=ended.append))
    assert not ended and again.num_before == 2 and again.count("failed") == 1

    last = run(retry=True, watch=Watch(ended=ended.append))
    assert [row.name for row in ended] == ["bad"] and last.count("finished") == 3
    assert times == {path: path.stat().st_mtime_ns for path in (out / "a").rglob("*.png")}


def test_a_killed_worker_costs_only_its_video_which_a_retry_ends_in_the_bytes_of_an_unbroken_run(run, folder, tmp_path):
    (folder / "bad.mp4").unlink()
    killed = []

    def kill_once(name, progress):
        if name == "a" and progress.num_done >= NUM_FRAMES // 3 and not killed:
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(name)

    summary = run(watch=Watch(progress=kill_once))
    assert killed and [row.status for row in summary.videos] == ["failed", "finished"]
    assert "SIGKILL" in summary.videos[0].reason and "--retry" in summary.videos[0].reason
    assert not multiprocessing.active_children()
    num_left = len(list((summary.out / "a" / "masks").glob("*.png")))
    assert 0 < num_left < NUM_FRAMES
    assert run(retry=True).count("finished") == 2
    again, unbroken = contents(summary.out / "a"), contents(summary.out / "b")
    assert {name: same for name, same in again.items() if name != "run.json"} == {
        name: same for name, same in unbroken.items() if name != "run.json"
    }


def test_stopped_it_ends_its_workers_and_goes_on_the_next_time(run, folder):
    (folder / "bad.mp4").unlink()

    def stop(name, progress):
        if progress.num_done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(watch=Watch(progress=stop))
    out = folder.parent / "out"
    assert not multiprocessing.active_children()
    found = rows(out)
    assert {name: status for name, (status, _) in found.items()} == {"a": "stopped", "b": "waiting"}
    assert found["a"][1] >= 5
    assert 5 <= len(list((out / "a" / "masks").glob("*.png"))) < NUM_FRAMES
    assert run().count("finished") == 2


def test_what_is_finished_but_was_made_otherwise_is_told_and_left_as_it_is(run, folder, square):
    (folder / "bad.mp4").unlink()
    before = contents(run().out / "a")
    Image.fromarray(square[:, ::-1].copy()).save(folder / "b.png")
    summary = run(size=96)
    assert summary.count("failed") == 2
    assert "size was 64 and is 96" in summary.videos[0].reason
    assert "b.png holds other masks now" in summary.videos[1].reason
    assert contents(summary.out / "a") == before


def test_what_would_go_wrong_with_every_video_is_refused_before_any_work(run, tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        run(model=tmp_path / "none.safetensors")
    with pytest.raises(OptionError, match="--size is"):
        run(size=8)
    assert not (tmp_path / "out").exists()


def test_without_ray_a_cluster_is_refused_with_a_kind_word(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r"needs Ray, .*pip install '(ray>=2\.9|devos\[cluster\])'"):
        run(cluster="auto")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nowhere", "127.0.0.1:x"])
def test_an_address_without_a_cluster_is_refused_at_once(run, monkeypatch, tmp_path, address):
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    with pytest.raises(OptionError, match="no Ray cluster answers there"):
        run(cluster=address)
    assert not (tmp_path / "out").exists()


def _killed_half_way_once(job, tell):
    """`do_job`, whose worker is killed half-way through video `a` the first time."""
    mark = Path(job.out.parent / "was_killed")

    def told(progress):
        if job.video.name == "a" and progress.num_done >= NUM_FRAMES // 2 and not mark.exists():
            mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        tell(progress)

    return do_job(job, told)


@pytest.mark.release
@pytest.mark.filterwarnings("ignore")
def test_ray_goes_on_with_a_video_whose_worker_was_killed_half_way(run, folder, monkeypatch):
    pytest.importorskip("ray")
    from ray import cloudpickle

    (folder / "bad.mp4").unlink()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(cluster, "do_on_cluster",
                        lambda task, *options: do_on_cluster(_killed_half_way_once, *options))  # fmt: skip
    summary = run(cluster="auto", workers=2)
    assert (summary.out / "was_killed").exists()
    assert [row.status for row in summary.videos] == ["finished", "finished"]
    assert {name: same for name, same in contents(summary.out / "a").items() if name != "run.json"} == {
        name: same for name, same in contents(summary.out / "b").items() if name != "run.json"
    }
