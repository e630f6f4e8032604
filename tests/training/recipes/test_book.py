from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import replace

import pytest

from devos.data.batching import Batches
from devos.errors import OptionError
from devos.model.config import PRESETS, Matching, devos_b
from devos.training.recipes.ablation import ablation
from devos.training.recipes.book import RECIPES, find_recipe
from devos.training.recipes.recipe import Start, parts_of

DOCUMENTS = {"main-1-mose": "main_1", "main-2-mose": "main_2"}


@pytest.mark.parametrize("model", PRESETS)
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_built_for_every_model_and_takes_steps_seed_and_size(name, model):
    phases = RECIPES[name].configure(model=model, steps=12, seed=5, size=96)
    assert [phase.config.clips.seed for phase in phases] == [5 + number for number in range(len(phases))]
    for config in (phase.config for phase in phases):
        assert config.model == PRESETS[model]()
        assert config.num_steps == 12 and config.clips.size == 96 and config.clips.stages[-1].until == 1
        assert all(0 < config.rate_at(step) <= config.learning_rate for step in range(12))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_draws_its_batches_from_the_sources_that_it_names(name, sources):
    phases = RECIPES[name].configure()
    known = {source: sources[source] for source in parts_of(phases)}
    for phase in phases:
        batches = Batches(phase.config.clips, known)
        first, last = 0, len(batches) - 1
        draws = [batches.draw(index, place).source for index in (first, last) for place in range(200)]
        sometimes = {part.source for stage in (phase.config.clips.stage(first), phase.config.clips.stage(last))
                     for part in stage.sources.parts if part.share_at(0.5)}  # fmt: skip
        assert set(draws) == sometimes


def test_with_mose_crowded_videos_come_more_often_and_are_never_merged(sources):
    (phase,) = RECIPES["main-2-mose"].configure()
    batches = Batches(phase.config.clips, {name: sources[name] for name in ("davis", "youtube-vos", "mose")})
    draws = [batches.draw(99_999, place) for place in range(9_000)]  # MOSE has 0.85 of 6 there: some 1,275
    mose = Counter(draw.video for draw in draws if draw.source == "mose")
    assert all(draw.partner is None for draw in draws if draw.source == "mose")
    assert [mose[video] / mose.total() for video in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.05)
    merged = [draw.partner is not None for draw in draws if draw.source != "mose"]
    assert sum(merged) / len(merged) == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipes_page_says_command_data_hardware_time_and_result(name):
    module = importlib.import_module(f"devos.training.recipes.{DOCUMENTS.get(name, name.replace('-', '_'))}")
    text = module.__doc__
    assert f"train {name}" in text or f"`{name}`" in text
    assert all(f"{word}" in text for word in ("devos train", "Data: ", "Hardware: ", "Time", "esult: "))


def test_debug_is_the_papers_three_phases_but_for_their_size():
    debug = RECIPES["debug"].configure(steps=1000)
    for phase in debug:
        paper = RECIPES[phase.name].configure(steps=1000, size=96, seed=phase.config.clips.seed)[0].config
        alike = replace(paper, clips=phase.config.clips, ema_decay=phase.config.ema_decay)
        habits = {name: getattr(alike, name) for name in ("checkpoint_every", "log_every", "pictures_every")}
        assert replace(phase.config, **habits) == alike


def test_only_what_goes_on_from_weights_does_not_start_from_imagenet():
    starts = {name: recipe.start for name, recipe in RECIPES.items() if recipe.start is not Start.IMAGENET}
    given = dict.fromkeys(("main-2", "main-2-mose", "many-objects", "crowds", "parts", "turns", "lures"), Start.GIVEN)
    assert starts == given | {"finetune": Start.SHIPPED}
    assert all(recipe.before in RECIPES for recipe in RECIPES.values() if recipe.start is Start.GIVEN)


def test_laptop_is_its_six_parts_one_after_the_other():
    parts = RECIPES["laptop"].configure()
    assert [phase.config for phase in parts] == [RECIPES[p.name].configure()[0].config for p in parts]
    names = ["short-clips", "long-clips", "many-objects", "crowds", "parts", "turns"]
    assert [phase.name for phase in parts] == names
    assert [RECIPES[name].before for name in names[2:]] == names[1:-1]


def test_an_ablation_has_the_matching_that_was_asked_for():
    matching = Matching(strides=(16,))
    assert ablation(matching).model.matching == matching


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "devos-x"}, "no model is called 'devos-x'; choose one of devos-t, devos-b, devos-l"),
        ({"steps": 0}, "--steps is a number of steps from 1, got 0"),
        ({"size": 100}, "--size is a multiple of 32"),
    ],
)
def test_what_no_recipe_can_do_is_refused(given, words):
    with pytest.raises(OptionError, match=words):
        find_recipe("main-1").configure(**given)
    assert find_recipe("main-1").configure(model="devos-b")[0].config.model == devos_b()
    with pytest.raises(OptionError, match=r"no recipe is called 'main-3'; choose one of pretrain, main-1, main-2"):
        find_recipe("main-3")
