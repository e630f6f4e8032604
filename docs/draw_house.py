"""Draw `docs/house.svg`: the rooms of the package, and which of them imports which, as the code has it today.

    python docs/draw_house.py            # draw it anew
    python docs/draw_house.py --check    # exit code 1 if the picture is out of date

Storeys come from the import contract in pyproject.toml, everything else from the source itself. Imports inside
functions and under TYPE_CHECKING count. An arrow has the colour of the room that is imported; all arrows to one room
join on the way down. Only Python's own library is used.
"""

from __future__ import annotations

import ast
import random
import sys
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import fmean

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "src" / "devos"
PICTURE = REPOSITORY / "docs" / "house.svg"

PURPOSES = {
    "cli": "commands, options, exit codes",
    "app": "the page: mark, follow, look, correct",
    "napari_plugin": "reader, writer and widget for napari",
    "experiments": "train and measure in one go",
    "training": "losses, loop, resume, recipes",
    "evaluation": "scores, reports, submissions, figures",
    "pipeline": "the whole job: read, follow, write",
    "project": "a run's folder: history, results",
    "engine": "a session: one video, its objects",
    "data": "data sets, clips, batches",
    "runtimes": "the network as graphs, beside torch",
    "exchange": "other tools' formats, both ways",
    "io": "files to frames, masks to files",
    "model": "the network: one step, its memory",
    "flow": "how the picture moved",
    "image": "frames to tensors",
    "masks": "labels and probabilities",
    "frames": "the nouns that every room shares, and their conventions",
    "errors": "what the user can mend",
    "user_cache": "where things are kept that can be made again",
    "extras": "what only some need, and how to install it",
    "whole_files": "files written whole or not at all",
}
"""One line for each room; a room without one is an error, so that no new room goes unexplained."""

GROUND = ("frames", "errors", "user_cache", "whole_files", "extras")
"""Rooms that every other may import: drawn as the ground, without arrows."""

COLOURS = (
    "#2f6690", "#b5543b", "#3a7d44", "#8a5a9e", "#b8860b", "#20808a", "#a63d6f", "#5c6b2e", "#5566c4", "#7a5c43",
    "#4f5d6b", "#c2703d", "#2e8b6f",
)  # fmt: skip
ROOM_WIDTH, CHANNEL_WIDTH, LINE_HEIGHT = 240, 18, 15
STOREY_GAP, MARGIN, WALL = 58, 40, 30
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Room:
    """A package or module directly below `devos`."""

    name: str
    files: tuple[str, ...]
    num_lines: int
    imports: frozenset[str]

    @property
    def text(self) -> list[str]:
        """The names of its files, in lines that fit the box."""
        lines = [""]
        for word in self.files:
            joined = f"{lines[-1]}, {word}" if lines[-1] else word
            if len(joined) > 36:
                lines[-1] += ","
                lines.append(word)
            else:
                lines[-1] = joined
        return lines if self.files != (self.name,) else []

    @property
    def height(self) -> float:
        """Of its box, in pixels."""
        return 52 + LINE_HEIGHT * len(self.text)


def read_rooms() -> dict[str, Room]:
    """Every room of the package, by its name."""
    found = (path for path in sorted(PACKAGE.iterdir()) if path.suffix == ".py" or any(path.glob("*.py")))
    homes = {path.stem: path for path in found if not path.stem.startswith("__")}
    return {name: _read_room(name, home, set(homes)) for name, home in homes.items()}


def _read_room(name: str, home: Path, rooms: set[str]) -> Room:
    paths = [home] if home.is_file() else sorted(home.rglob("*.py"))
    sources = [path.read_text(encoding="utf-8") for path in paths]
    imported = {room for source in sources for room in _imported_rooms(ast.parse(source))}
    # A folder in a room is named as one: what is in it is a matter of that folder.
    parts = [path.relative_to(home) if path != home else Path(path.name) for path in paths]
    names = (part.stem if len(part.parts) == 1 else f"{part.parts[0]}/" for part in parts)
    files = tuple(dict.fromkeys(name for name in names if not name.startswith("__")))
    return Room(name, files, sum(len(s.splitlines()) for s in sources), frozenset((imported & rooms) - {name}))


def _imported_rooms(tree: ast.Module) -> set[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("devos.")}


def read_storeys(rooms: dict[str, Room]) -> list[list[str]]:
    """The layers of the import contract, highest first."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    storeys = [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]
    placed = {name for storey in storeys for name in storey}
    if strangers := (placed | rooms.keys()) - (placed & rooms.keys() & PURPOSES.keys()):
        raise SystemExit(f"not a room, without a storey in pyproject.toml or a line in PURPOSES: {sorted(strangers)}")
    return [storey for storey in storeys if storey[0] not in GROUND]


@dataclass(frozen=True)
class Spot:
    """A place on a storey: a room, or the channel in which the arrows to a lower room pass by."""

    storey: int
    room: str
    passes: bool

    @property
    def width(self) -> float:
        """In pixels."""
        return CHANNEL_WIDTH if self.passes else ROOM_WIDTH


class Plan:
    """Where every room and every channel is: few crossings, short ways."""

    def __init__(self, rooms: dict[str, Room], storeys: list[list[str]]) -> None:
        self.level = {name: row for row, storey in enumerate(storeys) for name in storey}
        self.rows: list[list[Spot]] = [[Spot(row, n, False) for n in storey] for row, storey in enumerate(storeys)]
        self.steps: list[tuple[Spot, Spot]] = []
        for target, end in self.level.items():
            starts = [self.level[n] for n in self.level if target in rooms[n].imports]
            for row in range(min(starts, default=end) + 1, end):
                self.rows[row].append(Spot(row, target, True))
            for row in range(min(starts, default=end), end):
                below = Spot(row + 1, target, row + 1 < end)
                above = [Spot(row, n, False) for n in storeys[row] if target in rooms[n].imports]
                above += [s for s in self.rows[row] if s.passes and s.room == target]
                self.steps += [(start, below) for start in above]
        self._order()
        self.x = self._settle(self._spread())

    def _order(self) -> None:
        """Hill climbing from many starts, the same ones every time."""
        chance = random.Random(0)
        best, least = self.rows, float("inf")
        for _ in range(60):
            self.rows = [chance.sample(row, len(row)) for row in best]
            cost, improved = self._cost(), True
            while improved:
                improved = False
                for row in self.rows:
                    for i in range(len(row)):
                        for j in range(i):
                            row[i], row[j] = row[j], row[i]
                            if (new := self._cost()) < cost - 1e-6:
                                cost, improved = new, True
                            else:
                                row[i], row[j] = row[j], row[i]
            if cost < least:
                best, least = [list(row) for row in self.rows], cost
        self.rows = best

    def _cost(self) -> float:
        x = self._spread()
        ends = [(s.storey, x[s], x[t], s, t) for s, t in self.steps]
        length = sum(abs(a - b) for _, a, b, _, _ in ends)
        crossings = sum(
            (p[1] - q[1]) * (p[2] - q[2]) < 0
            for i, p in enumerate(ends) for q in ends[:i] if p[0] == q[0] and p[3] != q[3] and p[4] != q[4]
        )  # fmt: skip
        return length + 400 * crossings

    def _spread(self) -> dict[Spot, float]:
        """Each row side by side, around 0."""
        x: dict[Spot, float] = {}
        for row in self.rows:
            left = -sum(s.width + 24 for s in row) / 2
            for spot in row:
                x[spot] = left + (spot.width + 24) / 2
                left += spot.width + 24
        return x

    def _settle(self, x: dict[Spot, float]) -> dict[Spot, float]:
        """Each spot moves towards those that it is joined to, as far as its neighbours let it."""
        joined: dict[Spot, list[Spot]] = {spot: [] for row in self.rows for spot in row}
        for a, b in self.steps:
            joined[a].append(b)
            joined[b].append(a)
        for _ in range(300):
            for row in self.rows:
                wanted = [fmean([x[o] for o in joined[s]] or [x[s]]) for s in row]
                x.update(zip(row, _keep_apart(wanted, [s.width for s in row]), strict=True))
        return x


def _keep_apart(wanted: list[float], widths: list[float]) -> list[float]:
    """The nearest places, in the same order, that do not overlap (isotonic regression)."""
    offsets, left = [], 0.0
    for width in widths:
        offsets.append(left + width / 2)
        left += width + 24
    blocks: list[list[float]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        blocks.append([place - offset])
        while len(blocks) > 1 and fmean(blocks[-2]) >= fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    levels = [fmean(block) for block in blocks for _ in block]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]


def draw(rooms: dict[str, Room]) -> str:
    """The picture, as SVG."""
    plan = Plan(rooms, read_storeys(rooms))
    colours = dict(zip(plan.level, COLOURS * 3, strict=False))
    left = min(x - s.width / 2 for s, x in plan.x.items()) - MARGIN - WALL
    right = max(x + s.width / 2 for s, x in plan.x.items()) + MARGIN + WALL
    centres = {spot: round(x - left, 1) for spot, x in plan.x.items()}
    width = round(right - left)

    tops, heights, y = [], [], 132.0
    for row in plan.rows:
        heights.append(max(rooms[s.room].height for s in row if not s.passes))
        tops.append(y)
        y += heights[-1] + STOREY_GAP
    floor = y - 22
    boxes, arrows = [], []
    for row in plan.rows:
        for spot in row:
            top, height = tops[spot.storey], heights[spot.storey]
            if spot.passes:
                arrows.append(_line(centres[spot], top, centres[spot], top + height, colours[spot.room]))
            else:
                boxes += _box(rooms[spot.room], centres[spot], top, height, colours[spot.room])
    starts: dict[Spot, list[tuple[Spot, Spot]]] = {}
    for step in plan.steps:
        starts.setdefault(step[0], []).append(step)
    for spot, steps in starts.items():
        ordered = sorted(steps, key=lambda step: centres[step[1]])
        for number, (_, end) in enumerate(ordered):
            spread = 0.0 if spot.passes else (number - (len(ordered) - 1) / 2) * 22
            y1 = tops[spot.storey] + heights[spot.storey]
            arrows.append(_curve(centres[spot] + spread, y1, centres[end], tops[end.storey], colours[end.room],
                                 arrives=not end.passes))  # fmt: skip
    return "\n".join([*_house(width, tops[0], floor), *arrows, *boxes, *_ground(rooms, width, floor), "</svg>", ""])


def _house(width: float, first: float, floor: float) -> list[str]:
    """The canvas, and a roof and walls behind the rooms."""
    height = floor + 52 * len(GROUND) + 40
    eaves = first - 44
    roof = f"{MARGIN - 26},{eaves} {width / 2:.1f},14 {width - MARGIN + 26},{eaves}"
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="{FONT}">',
        "<title>The rooms of devos and what they import</title>",
        f'<rect width="{width:g}" height="{height:g}" rx="12" fill="#f4f1ea"/>',
        f'<rect x="{MARGIN}" y="{eaves}" width="{width - 2 * MARGIN:g}" height="{floor - eaves:g}" fill="#fffdf8"/>',
        f'<polygon points="{roof}" fill="#8c4a3a"/>',
        f'<text x="{width / 2:.1f}" y="{eaves - 16}" text-anchor="middle" font-size="22" font-weight="600" '
        'fill="#fffdf8">devos</text>',
    ]


def _ground(rooms: dict[str, Room], width: float, floor: float) -> list[str]:
    parts = []
    for number, name in enumerate(GROUND):
        y = floor + 52 * number
        parts += [
            f'<rect x="{MARGIN - 14}" y="{y:g}" width="{width - 2 * MARGIN + 28:g}" height="48" rx="4" '
            f'fill="{("#6b6358", "#564f46")[number % 2]}"/>',
            f'<text x="{width / 2:.1f}" y="{y + 21:g}" text-anchor="middle" font-size="15" font-weight="600" '
            f'fill="#fffdf8">{name} <tspan font-weight="400" font-size="12">{_size(rooms[name])}</tspan></text>',
            f'<text x="{width / 2:.1f}" y="{y + 38:g}" text-anchor="middle" font-size="12" fill="#e9e3d8">'
            f"{escape(PURPOSES[name])}; any room may import it</text>",
        ]
    return parts


def _box(room: Room, centre: float, top: float, height: float, colour: str) -> list[str]:
    x = centre - ROOM_WIDTH / 2
    lines = [
        f'<rect x="{x:g}" y="{top:g}" width="{ROOM_WIDTH}" height="{height:g}" rx="8" fill="#fff" stroke="{colour}" '
        'stroke-width="2"/>',
        f'<text x="{x + 12:g}" y="{top + 22:g}" font-size="16" font-weight="600" fill="{colour}">{room.name}</text>',
        f'<text x="{x + ROOM_WIDTH - 12:g}" y="{top + 22:g}" text-anchor="end" font-size="11" fill="#6b6358">'
        f"{_size(room)}</text>",
        f'<text x="{x + 12:g}" y="{top + 40:g}" font-size="12" fill="#2b2722">{escape(PURPOSES[room.name])}</text>',
    ]
    for number, text in enumerate(room.text):
        y = top + 58 + LINE_HEIGHT * number
        lines.append(f'<text x="{x + 12:g}" y="{y:g}" font-size="11" fill="#6b6358">{escape(text)}</text>')
    return lines


def _size(room: Room) -> str:
    """Rounded, so that the picture does not change with every line of code."""
    if room.num_lines < 100:
        return "under 100 lines"
    return f"about {round(room.num_lines, -2):,} lines"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _curve(x1: float, y1: float, x2: float, y2: float, colour: str, *, arrives: bool) -> str:
    tip = y2 - 8 if arrives else y2
    middle = (y1 + tip) / 2
    path = f"M{x1:g} {y1:g}C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {tip:g}"
    curve = f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    if not arrives:
        return curve
    return f'{curve}<path d="M{x2 - 5:g} {y2 - 9:g}L{x2:g} {y2 - 1:g}L{x2 + 5:g} {y2 - 9:g}Z" fill="{colour}"/>'


def main(arguments: list[str]) -> int:
    """Draw, or check."""
    picture = draw(read_rooms())
    if arguments == ["--check"]:
        if PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == picture:
            return 0
        print("docs/house.svg is out of date; run: python docs/draw_house.py", file=sys.stderr)
        return 1
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    PICTURE.write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
