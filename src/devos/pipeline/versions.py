"""What is installed, for the record of a run and for `devos doctor`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from devos import __version__

_PACKAGES = {
    "torch": ("torch",),
    "numpy": ("numpy",),
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "av": ("av",),
    "pillow": ("pillow",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "onnx": ("onnx",),
    "openvino": ("openvino",),
}


def versions() -> dict[str, str]:
    """The version of devos, of Python, and of each package that a result depends on."""
    found = {"devos": __version__, "python": platform.python_version()}
    for name, distributions in _PACKAGES.items():
        found[name] = next((v for v in map(package_version, distributions) if v), "not installed")
    return found


def package_version(distribution: str) -> str | None:
    """Of an installed package; None if it is not there."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
