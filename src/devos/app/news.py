"""What happens, told to every page that listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from threading import Lock
from typing import Any

_MOST = 2000
"""Events that may wait for a page; one that is slower loses the oldest, and is told the whole state."""
_QUIET_S = 15.0


class News:
    """Told by any thread, heard in the server's loop."""

    def __init__(self) -> None:
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Queue[str | None]]] = set()
        self._lock = Lock()

    def tell(self, what: str, message: Any) -> None:
        """Tell everybody."""
        if self._listeners:
            self._send(as_event(what, message))

    def end(self) -> None:
        """Nothing more is told: whoever listens is let go."""
        self._send(None)

    def _send(self, text: str | None) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for loop, queue in listeners:
            with suppress(RuntimeError):  # a loop that has ended
                loop.call_soon_threadsafe(_put, queue, text)

    async def listen(self, first: str) -> AsyncIterator[str]:
        """Events for one page, `first` before all; a comment now and then, so that a lost page is noticed."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(_MOST)
        entry = (asyncio.get_running_loop(), queue)
        with self._lock:
            self._listeners.add(entry)
        try:
            yield first
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), _QUIET_S)
                except TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    return
                yield text
        finally:
            with self._lock:
                self._listeners.discard(entry)


def _put(queue: asyncio.Queue[str | None], text: str | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(text)


def as_event(what: str, message: Any) -> str:
    """As server-sent events have it."""
    values = asdict(message) if is_dataclass(message) and not isinstance(message, type) else message
    return f"event: {what}\ndata: {json.dumps(values, separators=(',', ':'))}\n\n"
