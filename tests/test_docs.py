"""The documentation says what is so: names exist, the picture fits the code, links lead somewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
TABLE = REPOSITORY / "docs" / "paper_to_code.md"
NAMES = sorted(set(re.findall(r"`([\w/]+\.py)::([\w.]+)`", TABLE.read_text(encoding="utf-8"))))


def _defined(nodes: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module's or a class's body defines, by its name."""
    found: dict[str, ast.stmt] = {}
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.Assign):
            found.update((target.id, node) for target in node.targets if isinstance(target, ast.Name))
    return found


@pytest.mark.parametrize(("path", "symbol"), NAMES)
def test_every_name_in_paper_to_code_is_defined(path: str, symbol: str) -> None:
    tree = ast.parse((REPOSITORY / "src" / "devos" / path).read_text(encoding="utf-8"))
    body = tree.body
    for name in symbol.split("."):
        defined = _defined(body)
        assert name in defined, f"{path} defines no {symbol}"
        node = defined[name]
        body = node.body if isinstance(node, ast.ClassDef) else []


def test_every_row_of_paper_to_code_names_code_a_document_or_says_later() -> None:
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [row.strip("|").split("|") for row in rows if not row.startswith("| ---")]
    assert all(len(row) == 3 for row in cells)
    code = [row[1].strip() for row in cells if row[1].strip() != "code"]
    assert [c for c in code if c != "later" and "::" not in c and not c.startswith("`docs/")] == []


def test_the_picture_of_the_house_is_what_the_code_makes_today() -> None:
    script = REPOSITORY / "docs" / "draw_house.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_every_room_has_a_row_in_the_architecture() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {p.stem for p in (REPOSITORY / "src" / "devos").iterdir() if p.suffix == ".py" or any(p.glob("*.py"))}
    named = {name for line in text.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)}
    assert {room for room in rooms if not room.startswith("__")} <= named


@pytest.mark.parametrize("document", sorted((REPOSITORY / "docs").glob("*.md")), ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []
