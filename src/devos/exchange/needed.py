"""A library that only one format needs, with a kind word where it is not there."""

from __future__ import annotations

import importlib
from typing import Any

from devos.errors import OptionError
from devos.extras import install


def needed(module: str, what: str, extra: str) -> Any:
    """The module; OptionError with the command that installs it. `what` needs it, as a person says it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise OptionError(f"{what} needs {module}, which is not installed: {install(extra)}") from error
