"""Every recipe by its name."""

from __future__ import annotations

from devos.errors import OptionError
from devos.training.recipes import (
    crowds,
    debug,
    finetune,
    laptop,
    long_clips,
    lures,
    main_1,
    main_2,
    many_objects,
    parts,
    pretrain,
    short_clips,
    turns,
)
from devos.training.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        pretrain.RECIPE, main_1.RECIPE, main_2.RECIPE, main_1.RECIPE_MOSE, main_2.RECIPE_MOSE,
        finetune.RECIPE, laptop.RECIPE, short_clips.RECIPE, long_clips.RECIPE, many_objects.RECIPE,
        crowds.RECIPE, parts.RECIPE, turns.RECIPE, lures.RECIPE, debug.RECIPE,
    )
}  # fmt: skip
"""The paper's first, then ours."""


def find_recipe(name: str) -> Recipe:
    """The recipe of that name; OptionError with all names if there is none."""
    if name not in RECIPES:
        raise OptionError(f"no recipe is called {name!r}; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]
