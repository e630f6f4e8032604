from __future__ import annotations

import subprocess
import sys
import types

import pytest

import devos


@pytest.mark.parametrize("name", devos.__all__)
def test_every_name_at_the_door_leads_somewhere(name):
    assert getattr(devos, name) is not None


def test_the_door_is_complete():
    public = {name for name, value in vars(devos).items()
              if not name.startswith("_") and not isinstance(value, types.ModuleType)}  # fmt: skip
    public -= {"annotations", "Any", "TYPE_CHECKING"}
    assert public | set(devos._HEAVY) | {"__version__"} == set(devos.__all__)


def test_the_door_is_in_order():
    assert list(devos.__all__) == sorted(devos.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'devos' has no attribute 'segmentt'"):
        devos.segmentt  # noqa: B018


@pytest.mark.parametrize(("module", "heavy"), [
    ("devos", {"torch", "cv2", "av"}),
    ("devos.cli.main", {"torch", "cv2", "av"}),
    ("devos.pipeline.segment, devos.app.server", {"onnx", "onnxruntime", "openvino", "matplotlib", "scipy"}),
])  # fmt: skip
def test_what_takes_long_to_import_is_not_imported_before_it_is_needed(module, heavy):
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not found.stdout.split()
