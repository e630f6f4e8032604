"""What devos needs and what only some of its parts need, as its own package says it, and the command that installs it.

The command names the packages themselves, not devos: it does the same wherever devos came from, and does not ask an
index for it.
"""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

from packaging.requirements import Requirement

_SAME = {
    "opencv-python-headless": ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "onnxruntime": ("onnxruntime-gpu",),
}
"""Packages that do as well as the one that is asked for."""


def requirements(extra: str = "") -> tuple[Requirement, ...]:
    """What devos needs on this machine, or one of its extras; nothing where devos is not installed as a package."""
    try:
        listed = [Requirement(text) for text in metadata.requires("devos") or ()]
    except metadata.PackageNotFoundError:
        return ()
    needed = [one for one in listed if one.marker is None or one.marker.evaluate({"extra": extra})]
    always = [one for one in listed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return tuple(needed if not extra else [one for one in needed if one not in always])


def installed(requirement: Requirement) -> str | None:
    """The version that is there, of the package or of one that does as well; None if there is none."""
    for name in (requirement.name, *_SAME.get(requirement.name, ())):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def missing(extra: str) -> tuple[Requirement, ...]:
    """What of an extra is not there, or too old."""
    return tuple(one for one in requirements(extra) if not fits(one, installed(one)))


def fits(requirement: Requirement, version: str | None) -> bool:
    """Whether a version that is there is one that is asked for."""
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def install(extra: str) -> str:
    """The command that installs an extra."""
    wanted = missing(extra) or requirements(extra)
    names = [f"{one.name}{one.specifier}" for one in wanted] or [f"devos[{extra}]"]
    if any(one.name == "torchvision" for one in wanted):  # else pip might put another torch in the place of this one
        names.append(f"torch=={metadata.version('torch')}")
    return pip_install(*names)


def reinstall() -> str:
    """What to do where devos itself is not as it was installed."""
    home = _source()
    if home is None:
        return "install devos again, from where you had it"
    return pip_install("--force-reinstall", "--no-deps", str(home))


def pip_install(*packages: str) -> str:
    """The command that installs packages, for the Python that devos runs in."""
    python = shlex.quote(sys.executable)
    program = f"{python} -m pip install" if importlib.util.find_spec("pip") else f"uv pip install --python {python}"
    return f"{program} {shlex.join(packages)}"


def _source() -> Path | None:
    """The folder or file that devos was installed from, if it is still there."""
    try:
        text = metadata.distribution("devos").read_text("direct_url.json")
        url = urlparse(json.loads(text or "{}").get("url", ""))
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return None
    path = Path(unquote(url.path))
    return path if url.scheme == "file" and path.exists() else None
