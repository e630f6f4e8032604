"""The law of identity: ids are the user's and never change; groups and slots are ours, only this table maps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from devos.frames import MAX_OBJECT_ID


class Place(NamedTuple):
    """Where the network keeps an object."""

    group: int
    slot: int
    """From 1; slot 0 is background."""


@dataclass(frozen=True)
class ObjectTable:
    """Which object is where. A value: adding and removing give a new one."""

    slots_per_group: int = 10
    places: Mapping[int, Place] = field(default_factory=lambda: MappingProxyType({}))

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle, which knows no mapping that cannot be written to."""
        return ObjectTable, (self.slots_per_group, dict(self.places))

    @property
    def ids(self) -> tuple[int, ...]:
        """Every object, in the order of the ids."""
        return tuple(sorted(self.places))

    @property
    def num_groups(self) -> int:
        """Groups in use, at least 1."""
        return 1 + max((place.group for place in self.places.values()), default=0)

    def add(self, ids: Iterable[int]) -> ObjectTable:
        """With these objects too; those that are known stay where they are. ValueError for an id out of range."""
        places = dict(self.places)
        taken = set(places.values())
        for object_id in ids:
            if not 1 <= object_id <= MAX_OBJECT_ID:
                raise ValueError(f"an object id is a whole number from 1 to {MAX_OBJECT_ID}, got {object_id}")
            if object_id in places:
                continue
            place = self._free(taken)
            taken.add(place)
            places[object_id] = place
        return self.with_places(places)

    def with_places(self, places: Mapping[int, Place]) -> ObjectTable:
        """The same with these objects, each at its place, and no others."""
        return ObjectTable(self.slots_per_group, MappingProxyType(dict(places)))

    def remove(self, object_id: int) -> ObjectTable:
        """Without this object. KeyError, with the ids that are there, if it is not."""
        if object_id not in self.places:
            known = ", ".join(map(str, self.ids)) or "none"
            raise KeyError(f"object {object_id} is not being followed; followed are: {known}")
        return self.with_places({i: p for i, p in self.places.items() if i != object_id})

    def _free(self, taken: set[Place]) -> Place:
        index = 0
        while (place := Place(index // self.slots_per_group, index % self.slots_per_group + 1)) in taken:
            index += 1
        return place

    def used(self) -> Bool[Tensor, "groups slots"]:
        """Slots that the network may give pixels to: each group's background, and every object's."""
        used = torch.zeros(self.num_groups, self.slots_per_group + 1, dtype=torch.bool)
        used[:, 0] = True
        for place in self.places.values():
            used[place] = True
        return used
