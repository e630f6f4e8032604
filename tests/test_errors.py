"""What goes away goes away in one manner, and is not forgotten."""

from __future__ import annotations

import ast
import inspect
import warnings
from pathlib import Path

import pytest
from packaging.version import Version

import devos
from devos.errors import DevosDeprecationWarning, deprecated

SOURCE = Path(devos.__file__).parent


def test_what_goes_away_is_told_with_what_to_write_in_its_place_at_the_users_line():
    def old() -> None:
        inspect.unwrap(deprecated)("old()", "new()", gone_in="9.0.0")  # the checks of shapes would stand in between

    with pytest.warns(
        DevosDeprecationWarning, match=r"^old\(\) goes away with devos 9\.0\.0; new\(\) does the same$"
    ) as told:
        old()
    assert told[0].filename == __file__


def test_nothing_stays_that_was_to_be_gone_by_now_and_nothing_is_told_otherwise():
    late, otherwise = [], []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "deprecated":
                gone_in = next(ast.literal_eval(one.value) for one in node.keywords if one.arg == "gone_in")
                late += [path] if Version(gone_in) <= Version(devos.__version__) else []
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "warn" and path.name != "errors.py":
                otherwise.append(path)
    assert late == [] and otherwise == []


def test_a_command_tells_it_as_a_note(capsys):
    from devos.cli import main

    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = main._shown_as_a_note(lambda message, *_: shown.append(str(message)))
        warnings.warn("--old goes away", DevosDeprecationWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "note: --old goes away\n" and shown == ["something else"]
