"""What a run depends on beside its settings: the data that it takes clips from, and the weights that it starts from.

It is kept in checkpoints and weights, so that the same command with other data is refused instead of mixed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from devos.data.sources import Photos, Sources, Videos
from devos.errors import InputError, WeightsError
from devos.training.config import TrainConfig

Origin = dict[str, Any]
"""`start`: SHA-256 of the weights file, or None for ImageNet's backbone; `data`: by the name of the source, `count`,
`sha256` and, where they are few, `items`: a hash of each by its name. As JSON has it."""

_MOST_NAMED = 200
_WHOLE_BYTES, _PART_BYTES = 1 << 16, 1 << 14
"""A larger file is told by its size, its beginning, its middle and its end."""
_MOST_TOLD = 4


def origin_of(config: TrainConfig, sources: Sources, init: Path | None) -> Origin:
    """Of a run with these settings. Files are told by name and content: they may be moved, copied, touched."""
    used = {part.source for stage in config.clips.stages for part in stage.sources.parts}
    _file_digest.cache_clear()  # a file may have been changed since an earlier run of this process
    data = {name: _describe(source) for name, source in sorted(sources.items()) if name in used}
    return {"start": None if init is None else hashlib.sha256(init.read_bytes()).hexdigest(), "data": data}


def check_same_origin(stored: Origin | None, own: Origin, where: Path) -> None:
    """WeightsError, with what differs, if a run that is to go on, or is done, was one of other data or another start.

    `stored`: None for a run of a devos that did not keep it. `where`: the run's folder.
    """
    if stored is None:
        return
    found = list(_differences(stored, own))
    if found:
        raise WeightsError(
            f"{where} holds a run of its own: {'; '.join(found)}. Give the data and the weights that it was started "
            "with, or start anew in another folder with -o"
        )


def _describe(source: Videos | Photos) -> dict[str, Any]:
    items = dict(_items(source))
    total = hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in sorted(items.items())).encode())
    described: dict[str, Any] = {"count": len(source.items), "sha256": total.hexdigest()}
    return described | ({"items": items} if len(items) <= _MOST_NAMED else {})


def _items(source: Videos | Photos) -> Iterator[tuple[str, str]]:
    if isinstance(source, Videos):
        for video in source.items:
            yield video.name, _digest([*video.info.frames, *video.info.masks])
    else:
        for photo in source.items:
            yield f"{photo.image.parent.parent.name}/{photo.image.stem}", _digest([photo.image, photo.mask])


def _digest(paths: list[Path | None]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(b"-" if path is None else f"{path.name} {_file_digest(path)}".encode())
    return whole.hexdigest()[:16]


@cache
def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            digest = hashlib.sha256(str(size).encode())
            places = [0] if size <= _WHOLE_BYTES else [0, (size - _PART_BYTES) // 2, size - _PART_BYTES]
            for place in places:
                file.seek(place)
                digest.update(file.read(_WHOLE_BYTES if size <= _WHOLE_BYTES else _PART_BYTES))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); copy it again, or take it out") from error
    return digest.hexdigest()[:16]


def _differences(old: Origin, new: Origin) -> Iterator[str]:
    if old.get("start") != new["start"]:
        yield f"it started from {_start(old.get('start'))}, not from {_start(new['start'])}"
    before: Mapping[str, Any] = old.get("data", {})
    for name in dict.fromkeys([*before, *new["data"]]):
        if name not in before or name not in new["data"]:
            yield f"the source {name} is {'here' if name in new['data'] else 'there'} only"
        elif before[name]["sha256"] != new["data"][name]["sha256"]:
            yield f"the data of {name} differ ({_change(before[name], new['data'][name])})"


def _start(sha256: str | None) -> str:
    return "ImageNet's backbone" if sha256 is None else f"weights of SHA-256 {sha256[:12]}..."


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if "items" not in old or "items" not in new:
        same = "as many, others or changed" if old["count"] == new["count"] else f"{new['count']} here"
        return f"{old['count']} there, {same}"
    there, here = old["items"], new["items"]
    told = {
        "there only": [name for name in there if name not in here],
        "here only": [name for name in here if name not in there],
        "changed": [name for name in here if name in there and here[name] != there[name]],
    }
    return ", ".join(f"{what}: {_listed(names)}" for what, names in told.items() if names)


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
    return " ".join(names[:_MOST_TOLD]) + rest
