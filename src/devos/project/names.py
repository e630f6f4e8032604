"""What a person calls the objects: beside the history, for a name changes no result."""

from __future__ import annotations

import json
from collections.abc import Mapping

from devos.io.files import write_json
from devos.project.content import DAMAGED
from devos.project.folder import ProjectFolder

_FILE = "names.json"


def read_names(folder: ProjectFolder) -> dict[int, str]:
    """Names by object id; of objects that have one."""
    try:
        values = json.loads((folder.inner / _FILE).read_text(encoding="utf-8"))
        return {int(object_id): str(name) for object_id, name in values.items()}
    except DAMAGED:  # lost names lose no work
        return {}


def write_names(folder: ProjectFolder, names: Mapping[int, str]) -> None:
    """Keep them, in place of those that there were; an empty name is none."""
    write_json(folder.inner / _FILE, {str(i): name for i, name in sorted(names.items()) if name}, durable=True)
