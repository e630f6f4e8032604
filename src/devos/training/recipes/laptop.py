"""`laptop`: from data to weights of devos-t in one command, on one CPU thread: `short-clips`, `long-clips`,
`many-objects`, `crowds`, `parts`, `turns`.

    devos train laptop --data DATA -o runs/laptop

Data: DATA/video-train (videos in DAVIS's layout) and DATA/static (sets of photos), or --videos and --photos; either may
be absent. Hardware: one CPU thread. Time: about six hours, our estimate by the steps of the runs behind devos-t.
Result: docs/model_card.md has that of devos-t, whose first part was stopped after 800 of its 1,500 steps and whose
fourth part was taken at step 900 of 1,080.
"""

from __future__ import annotations

from devos.training.recipes.crowds import crowds
from devos.training.recipes.long_clips import long_clips
from devos.training.recipes.many_objects import many_objects
from devos.training.recipes.parts import parts
from devos.training.recipes.recipe import Recipe
from devos.training.recipes.short_clips import short_clips
from devos.training.recipes.turns import turns

RECIPE = Recipe(
    name="laptop",
    phases=(
        ("short-clips", short_clips), ("long-clips", long_clips), ("many-objects", many_objects),
        ("crowds", crowds), ("parts", parts), ("turns", turns),
    ),
)  # fmt: skip
