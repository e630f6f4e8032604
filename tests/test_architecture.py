"""The rules of the house: rooms import one way, importing is cheap, files and functions stay short."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

import devos

ROOT = Path(__file__).parents[1]
PACKAGE = Path(devos.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 60


def test_rooms_import_only_as_the_contracts_allow():
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("module", ["devos", "devos.cli", "devos.cli.main", "devos.io", "devos.frames"])
def test_importing_is_cheap(module):
    program = f"import sys, {module}; print(*(m for m in ('torch', 'transformers', 'scipy') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_short_and_so_are_its_functions(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MOST_LINES_OF_A_FUNCTION, node.name


def test_shapes_are_checked_in_every_test_run():
    from devos.image import to_tensor

    with pytest.raises(jaxtyping.TypeCheckError, match="rgb"):
        to_tensor(np.zeros((3, 4), np.uint8))
