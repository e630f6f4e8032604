from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from devos.data.catalog import find_videos
from devos.data.sources import unchecked
from devos.errors import OptionError, OutputError, WeightsError
from devos.model.checkpoint import load_weights, read_weights, save_weights
from devos.model.config import Matching
from devos.training.distributed import ALONE
from devos.training.phases import Job, plan
from devos.training.recipes.book import RECIPES
from devos.training.recipes.recipe import Phase
from devos.training.run import Run, prepare, starting_network

pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture
def start(tmp_path, make_model) -> Path:
    """Weights of the tiny network."""
    save_weights(make_model(), tmp_path / "start.safetensors", {})
    return tmp_path / "start.safetensors"


@pytest.fixture
def job(config, tmp_path, start) -> Job:
    """Two phases of two steps with other settings, from `start`."""
    config = replace(config, clips=replace(config.clips, num_batches=2))
    second = replace(config, given_share=1.0, frozen=("identity_encoder",))
    return Job((Phase("first", config), Phase("second", second)), tmp_path / "out", start)


@pytest.fixture
def run(job, video_root):
    """Run a job; gives the phases' names, and the weights that each was started from, or None where it was done."""

    def go(job: Job = job) -> list[tuple[str, Path | None]]:
        begun: list[tuple[str, Path | None]] = []
        sources = unchecked(find_videos(video_root), ())

        def make(phase: Phase, home: Path, init: Path | None) -> Run:
            begun.append((phase.name, init))
            return prepare(phase.config, home, sources, init=init)

        def finish(phase: Phase, made: Run | None) -> None:
            if made is None:
                begun.append((phase.name, None))
            else:
                made.to_the_end(workers=0)

        assert job.run(make, finish, ALONE, sources) == job.result
        return begun

    return go


def test_each_phase_starts_from_the_weights_of_the_one_before(job, run, start, tmp_path):
    first, second = (tmp_path / "out" / name / "devos-tiny.safetensors" for name in ("first", "second"))
    assert run() == [("first", start), ("second", first)]
    assert job.result.read_bytes() == second.read_bytes() != first.read_bytes()
    identity = [load_weights(path)[0].identity_encoder.state_dict() for path in (first, second)]
    assert all(torch.equal(value, identity[1][name]) for name, value in identity[0].items())  # frozen there


def test_finished_phases_are_not_run_again(job, run, tmp_path):
    run()
    before = job.result.read_bytes()
    (tmp_path / "out" / "second" / "devos-tiny.safetensors").unlink()
    (tmp_path / "out" / "second" / "checkpoint.pt").unlink()
    assert [(name, init is not None) for name, init in run()] == [("first", False), ("second", True)]
    assert job.result.read_bytes() == before
    assert [init for _, init in run()] == [None, None]


def test_a_finished_phase_of_other_settings_is_refused(job, run):
    run()
    phase = job.phases[0]
    other = replace(job, phases=(Phase("first", replace(phase.config, learning_rate=1.0)), job.phases[1]))
    with pytest.raises(WeightsError, match=r"learning_rate is 0\.0004 there and 1\.0 here"):
        run(other)


def test_one_phase_alone_has_no_folder_of_its_own(job, run, tmp_path):
    alone = replace(job, phases=job.phases[:1])
    run(alone)
    assert read_weights(tmp_path / "out" / "devos-tiny.safetensors").info["step"] == 2
    assert not (tmp_path / "out" / "first").exists()


def test_losses_come_from_the_log_and_say_whether_they_fell(job, run, tmp_path):
    run()
    log = tmp_path / "out" / "first" / "log.csv"
    rows = log.read_text().splitlines()
    assert [losses.name for losses in job.losses()] == ["first", "second"]
    names = rows[0].split(",")
    first, last = (dict(zip(names, row.split(","), strict=True)) for row in (rows[1], rows[-1]))
    losses = next(job.losses())
    assert losses.dice == (float(first["dice"]), float(last["dice"])) and losses.steps == 2


def test_a_job_starts_from_what_its_recipe_says(tmp_path, weights):
    def init(name: str, model: str | None = None, given: Path | None = None) -> Path | None:
        recipe = RECIPES[name]
        return plan(recipe, recipe.configure(model=model), tmp_path / "out", given, [shipped]).init

    shipped = shutil.copy(weights, tmp_path / "devos-t.safetensors")
    assert init("pretrain") is None
    assert init("finetune") == shipped
    assert init("finetune", given=weights) == init("main-2", given=weights) == weights
    with pytest.raises(WeightsError, match=r"holds devos-t, but the recipe trains devos-l .* or another --model"):
        init("main-2", "devos-l", weights)
    with pytest.raises(OptionError, match="none of devos-b come with devos; give them with --init"):
        init("finetune", "devos-b")
    with pytest.raises(OptionError, match="main-2-mose goes on from the weights of main-1-mose; give them with --init"):
        init("main-2-mose")


def test_weights_without_a_kernel_are_trained_on_with_the_recipes(config, start):
    model = replace(config.model, matching=Matching(kernel=3.0))
    network = starting_network(replace(config, model=model), start)
    assert network.config == model and network.long_term["s32"].kernel == 1.5
    assert torch.equal(network.long_term["s32"].key.weight, load_weights(start)[0].long_term["s32"].key.weight)


def test_a_folder_of_another_run_is_not_mixed_with_phases(tmp_path):
    recipe = RECIPES["debug"]
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(OutputError, match=r"a folder for each of its phases \(pretrain, main-1, main-2\)"):
        plan(recipe, recipe.configure(), tmp_path, None, [])
    with pytest.raises(OutputError, match="a file, not a folder"):
        plan(recipe, recipe.configure(), tmp_path / "checkpoint.pt", None, [])
