"""How the objects of a data set make a headline, and the further figures that a benchmark prints beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from devos.evaluation.rules.quality import Means, ObjectQuality

Objects = Sequence[ObjectQuality]


def flat_means(objects: Objects) -> Means:
    """Every object weighs the same: a sequence of five weighs five times one of a single object."""
    return Means.of(objects)


def no_extras(objects: Objects) -> dict[str, float]:
    """Nothing beside the headline."""
    return {}


def group_means(objects: Objects) -> Means:
    """Seen and unseen objects weigh the same as groups, each object in its group (YouTube-VOS, LVOS).

    `jf` is then what YouTube-VOS calls G: the mean of J and F of both groups. Where one of the groups is empty or
    nothing is known of them, all objects weigh the same.
    """
    groups = [Means.of(group) for group in _groups(objects)]
    if len(groups) < 2:
        return flat_means(objects)
    j, f = (sum(values) / len(groups) for values in zip(*((group.j, group.f) for group in groups), strict=True))
    return Means(jf=(j + f) / 2, j=j, f=f)


def group_extras(objects: Objects) -> dict[str, float]:
    """J and F of the seen and of the unseen objects, and G, the mean of the four; each as far as it is known."""
    extras: dict[str, float] = {}
    for name, seen in (("seen", True), ("unseen", False)):
        group = [quality for quality in objects if quality.seen is seen]
        if group:
            means = Means.of(group)
            extras |= {f"J {name}": means.j, f"F {name}": means.f}
    if len(_groups(objects)) == 2:
        extras["G"] = group_means(objects).jf
    return extras


def lvos_extras(objects: Objects) -> dict[str, float]:
    """The figures of both groups, and V: how much (J + F) / 2 varies over an object's frames, less being better."""
    groups = {"seen": True, "unseen": False}
    named = {name: [quality for quality in objects if quality.seen is seen] for name, seen in groups.items()}
    variations = {f"V {name}": _mean(group, lambda one: one.extras["V"]) for name, group in named.items() if group}
    both = len(variations) == 2
    overall = sum(variations.values()) / 2 if both else _mean(objects, lambda one: one.extras["V"])
    return {**group_extras(objects), **variations, "V": overall}


def mose2_extras(objects: Objects) -> dict[str, float]:
    """The classic F and J&F, and J&F_dot where objects are away and where they are back again."""
    classic = _mean(objects, lambda one: one.others["F"].mean)
    extras = {"F": classic, "J&F": (Means.of(objects).j + classic) / 2}
    for event in ("disappear", "reappear"):
        found = [one for one in objects if f"{event} J" in one.extras]
        if found:
            pair = [_mean(found, _extra(f"{event} {measure}")) for measure in ("J", "F_dot")]
            extras[f"{event} J&F_dot"] = sum(pair) / 2
    return extras


def _extra(name: str) -> Callable[[ObjectQuality], float]:
    return lambda one: one.extras[name]


def _groups(objects: Iterable[ObjectQuality]) -> list[list[ObjectQuality]]:
    """The seen and the unseen objects, without an empty group."""
    groups: dict[bool, list[ObjectQuality]] = {True: [], False: []}
    for quality in objects:
        if quality.seen is not None:
            groups[quality.seen].append(quality)
    return [group for group in groups.values() if group]


def _mean(objects: Iterable[ObjectQuality], figure: Callable[[ObjectQuality], float]) -> float:
    values = [figure(quality) for quality in objects]
    return math.fsum(values) / len(values)
