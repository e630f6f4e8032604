"""A library that only one format needs, with a kind word where it is not there."""

from __future__ import annotations

import importlib
from typing import Any

from devos.errors import OptionError
from devos.extras import install, pip_install


def needed(module: str, what: str, extra: str) -> Any:
    """The module; OptionError with the command that installs it. `what` needs it, as a person says it; `extra`: of
    devos, empty where it is in none.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        command = install(extra) if extra else pip_install(module)
        raise OptionError(f"{what} needs {module}, which is not installed: {command}") from error
