"""A training set as a few archives and a list of what is in them: what travels to another machine.

    OUT/manifest.json
    OUT/data-000.tar, data-001.tar, ...      video-train/JPEGImages/..., video-train/Annotations/..., static/...

The same files give the same bytes, wherever and whenever: members are in a fixed order and have no dates and no owners.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from devos.errors import InputError, OptionError, OutputError
from devos.whole_files import new_folder, replacing

MANIFEST = "manifest.json"
"""In the folder of the archives: what is in them. It is written last."""
UNPACKED = "unpacked"
"""In the same folder: where training unpacks them."""
FORMAT = 1
"""Of the manifest. Raise it when its entries change their meaning."""
VIDEOS_FOLDER, PHOTOS_FOLDER = "video-train", "static"
"""What a folder of training data holds: videos as DAVIS has them, and sets of photos with masks."""

_BLOCK = 512
_LONGEST_NAME = 100
_HASHED_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Member:
    """A file of the training set."""

    name: str
    """Its path in the archives, with slashes."""
    file: Path


@dataclass(frozen=True)
class Shard:
    """One archive, as the manifest tells it."""

    file: str
    size: int
    """In bytes."""
    sha256: str
    members: int
    """How many files are in it."""


def write_shards(members: Sequence[Member], out: Path, most_bytes: int) -> tuple[Shard, ...]:
    """Archives of at most so many bytes each in the folder `out`, which is there; the files in the order given.

    OptionError if a file alone is larger; OutputError if they cannot be written, InputError if a file cannot be read.
    """
    shards = []
    for number, part in enumerate(_parts(members, most_bytes)):
        path = out / f"data-{number:03d}.tar"
        with replacing(path) as temporary:
            _write(part, temporary)
            shards.append(Shard(path.name, temporary.stat().st_size, _sha256(temporary), len(part)))
    return tuple(shards)


def _parts(members: Sequence[Member], most_bytes: int) -> Iterator[list[Member]]:
    room = most_bytes - tarfile.RECORDSIZE  # the end of an archive is filled up to a whole record
    part: list[Member] = []
    used = 0
    for member in members:
        cost = _cost(member)
        if cost > room:
            raise OptionError(f"{member.file} alone is too large for archives of {most_bytes / 1e6:.0f} MB; "
                              "allow larger ones with --shard-mb")  # fmt: skip
        if used + cost > room:
            yield part
            part, used = [], 0
        part.append(member)
        used += cost
    if part:
        yield part


def _cost(member: Member) -> int:
    """What a file takes in an archive: its header, its content filled up to whole blocks, and a long name twice."""
    long_name = 3 * _BLOCK if len(member.name.encode()) >= _LONGEST_NAME else 0
    return long_name + _BLOCK + -(-member.file.stat().st_size // _BLOCK) * _BLOCK


def _write(part: Sequence[Member], path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for member in part:
            entry = tarfile.TarInfo(member.name)  # date, owner and rights are the same for all
            try:
                with member.file.open("rb") as content:
                    entry.size = member.file.stat().st_size
                    archive.addfile(entry, content)
            except FileNotFoundError as error:
                raise InputError(f"{member.file} went away while it was packed; begin anew") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASHED_AT_ONCE):
            digest.update(block)
    return digest.hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a folder of archives says of itself; InputError if it is none."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise InputError(
                f"{path} has format {str(manifest['format'])[:40]}, this devos reads {FORMAT}; build it anew"
            )
        for shard in manifest["shards"]:
            _check_shard(Shard(**shard))
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is no folder of archives that `devos data build` wrote ({error}); "
                         f"expected {MANIFEST} and data-000.tar, ...") from error  # fmt: skip
    return manifest


def _check_shard(shard: Shard) -> None:
    """ValueError where what a manifest says of an archive is of another kind, or leads out of its folder."""
    if not (isinstance(shard.file, str) and isinstance(shard.sha256, str) and type(shard.size) is int):
        raise ValueError("an archive whose name, size or SHA-256 is none")
    if shard.file != PurePosixPath(shard.file).name or "\0" in shard.file:
        raise ValueError(f"{shard.file[:40]!r} is no archive beside it")


def unpack(folder: Path, to: Path) -> Path:
    """The training set below `to`, as training reads it, once every archive's hash is found right. Returns `to`.

    InputError for an archive that is missing or damaged; OutputError if `to` is there already or cannot be written. It
    appears whole or not at all, also where several processes unpack at once.
    """
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise OutputError(f"{to} is there already and is not an empty folder; name a new one for the training data")
    shards = [Shard(**shard) for shard in read_manifest(folder)["shards"]]
    for shard in shards:
        path = folder / shard.file
        if not path.is_file():
            raise InputError(f"{path} is missing; copy all {len(shards)} archives beside {MANIFEST}")
        if path.stat().st_size != shard.size or _sha256(path) != shard.sha256:
            raise InputError(f"{path} is damaged: its size or SHA-256 is not what {MANIFEST} says; copy it again")
    with new_folder(to) as temporary:
        for shard in shards:
            _extract(folder / shard.file, temporary)
        shutil.copyfile(folder / MANIFEST, temporary / MANIFEST)
    return to


def _extract(path: Path, to: Path) -> None:
    try:
        with tarfile.open(path, "r:") as archive:
            for entry in archive:
                parts = PurePosixPath(entry.name).parts
                content = archive.extractfile(entry) if entry.isfile() else None
                if content is None or not parts or ".." in parts or PurePosixPath(entry.name).is_absolute():
                    raise InputError(f"{path} holds {entry.name!r}, which is no file of a training set; build it anew")
                target = to.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file)
    except tarfile.TarError as error:
        raise InputError(f"{path} cannot be read as an archive ({error}); copy it again") from error


def is_packed(folder: Path) -> bool:
    """Whether a folder holds archives and no training data as such."""
    return (folder / MANIFEST).is_file() and not any(
        (folder / name).is_dir() for name in (VIDEOS_FOLDER, PHOTOS_FOLDER)
    )


def unpacked(folder: Path) -> Path:
    """The folder in which training finds the data of archives: `unpacked` beside them, made now if it is not there.

    The errors are those of `unpack`; InputError too if what is there was unpacked from other archives.
    """
    home = folder / UNPACKED
    if not home.is_dir():
        try:
            return unpack(folder, home)
        except OutputError:
            if not home.is_dir():  # else another process was first
                raise
    if not (home / MANIFEST).is_file() or (home / MANIFEST).read_bytes() != (folder / MANIFEST).read_bytes():
        raise InputError(f"{home} was unpacked from other archives than those beside it; remove it, and run again")
    return home


def manifest_of(shards: Sequence[Shard], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What `manifest.json` says: the archives, and what is in them."""
    listed = [{"file": s.file, "size": s.size, "sha256": s.sha256, "members": s.members} for s in shards]
    return {"format": FORMAT, "shards": listed, **facts}
