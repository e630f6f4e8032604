"""What the page and the server say to each other is typed once."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "messages"


def test_the_types_of_the_page_are_those_of_the_server() -> None:
    made = runpy.run_path(str(SCRIPT))
    assert made["OUT"].read_text(encoding="utf-8") == made["declarations"](), "run scripts/messages"
