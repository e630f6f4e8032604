"""Where the server may look and write, and the projects that are open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from devos.app.desk import Desk
from devos.app.messages import Candidate
from devos.engine.click_models import load_marker
from devos.engine.marker import Marker
from devos.errors import InputError
from devos.io.files import PROJECT_FOLDER
from devos.io.pictures import list_pictures
from devos.pipeline.project import Project

VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".mts", ".mxf", ".ogv", ".gif"}
_MOST_CANDIDATES = 500
_DEPTH = 3


class Place:
    """Projects by key. Only what lies below the roots can be opened by the page; the first root takes new projects."""

    def __init__(self, roots: Sequence[Path], click_model: str = "auto", **settings: Any) -> None:
        self.roots = [root.resolve() for root in roots]
        self._settings = settings
        self._lock = Lock()
        self.desks: dict[str, Desk] = {}

        @cache
        def marker() -> Marker:
            return load_marker(click_model, device=settings.get("device", "auto"))

        self._marker: Callable[[], Marker] = marker

    def open(self, path: Path, out: Path | None = None) -> Desk:
        """A project, or a video with the project that it has in `out`, made if there is none."""
        project = self._project(path, out)
        key = hashlib.sha256(str(project.folder.path.resolve()).encode()).hexdigest()[:12]
        with self._lock:
            if key not in self.desks:
                self.desks[key] = Desk(key, project, self._marker)
            return self.desks[key]

    def open_below(self, text: str) -> Desk:
        """The same for the page: InputError for what does not lie below the roots."""
        path = self.below(text)
        if not path.exists():
            raise InputError(f"{text}: no such file or folder")
        if is_project(path) or path.is_file() or is_frames(path):
            return self.open(path)
        raise InputError(f"{text}: is neither a video, nor a folder of frames, nor a project")

    def below(self, text: str) -> Path:
        """A path as a person gives it, from the first root unless it is whole; InputError unless it lies in a root."""
        if "\0" in text:
            raise InputError("a path without the character 0, please")
        path = (self.base / text).resolve()
        if not any(path == root or root in path.parents for root in self.roots):
            raise InputError(f"{text}: lies outside of what this server was given; start it with --root FOLDER")
        return path

    @property
    def base(self) -> Path:
        """Where new projects and videos go."""
        return self.roots[0] if self.roots else Path.cwd()

    def candidates(self) -> list[Candidate]:
        """What can be opened, some hundreds at most."""
        found = (one for root in self.roots for one in _search(root, _DEPTH))
        return list(islice(found, _MOST_CANDIDATES))

    def close(self) -> None:
        """End all work, and keep it."""
        with self._lock:
            for desk in self.desks.values():
                desk.close()
            self.desks.clear()

    def _project(self, path: Path, out: Path | None) -> Project:
        if is_project(path):
            return Project.open(path)
        folder = out if out is not None else self.base / f"{path.stem}-devos"
        if is_project(folder):
            return Project.open(folder, video=path)
        return Project.create(folder, path, overlay=False, **self._settings)


def is_project(path: Path) -> bool:
    """Whether a folder is one that devos segment wrote."""
    return (path / PROJECT_FOLDER / "project.json").is_file()


def is_frames(path: Path) -> bool:
    """Whether a folder holds pictures."""
    return path.is_dir() and bool(list_pictures(path))


def _search(folder: Path, depth: int) -> Iterator[Candidate]:
    if is_project(folder):
        yield Candidate(str(folder), "project")
        return
    try:
        if is_frames(folder):
            yield Candidate(str(folder), "frames")
            return
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return
    for entry in entries:
        if entry.is_file() and entry.suffix.lower() in VIDEOS:
            yield Candidate(str(entry), "video")
        elif entry.is_dir() and not entry.is_symlink() and depth:
            yield from _search(entry, depth - 1)
