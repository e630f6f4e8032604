"""What was used last, kept as far as there is room."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

MOST_BYTES = 64 << 20
_Value = TypeVar("_Value")


class Bounded(Generic[_Value]):
    """What was used last, as many bytes of it as are allowed; for any thread."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._held = most, 0
        self._items: OrderedDict[object, tuple[_Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: object) -> _Value | None:
        """What is kept under a key, if it still is."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def put(self, key: object, value: _Value, size: int) -> None:
        """Keep something."""
        with self._lock:
            if key in self._items:
                self._held -= self._items.pop(key)[1]
            self._items[key] = (value, size)
            self._held += size
            while self._held > self._most and len(self._items) > 1:
                self._held -= self._items.popitem(last=False)[1][1]
