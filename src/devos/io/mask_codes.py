"""Decide which object id each code of the given masks stands for, for all of them together.

One mask cannot be read alone: a colour must mean the same object in every file, and 255 is an object in a mask of
0 and 255, but the border of nothing in a palette mask that has other ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from devos.errors import MaskError
from devos.io.labels import davis_palette
from devos.io.mask_pictures import Coding

MAX_COLOURS = 20
"""Most colours, black aside, that are read as objects when they are not the data sets' own."""
_VOID = 255
_LONE_WHITES = ({255}, {65535})

CodeTable = dict[int, int]
"""Object id, or 0 for background, of each code."""


def code_tables(masks: Iterable[tuple[Path, Coding, Iterable[int]]]) -> tuple[dict[Coding, CodeTable], list[str]]:
    """For each way of coding that is used, its table; and notes on what was not plain."""
    codes: dict[Coding, set[int]] = {}
    last_file: dict[Coding, Path] = {}
    for path, coding, found in masks:
        codes.setdefault(coding, {0}).update(found)
        last_file[coding] = path
    tables, notes = {}, []
    for coding, found in codes.items():
        objects = found - {0}
        if coding is Coding.COLOUR:
            table, note = _colour_table(objects, last_file[coding])
        else:
            table, note = _value_table(objects, coding)
        tables[coding] = {0: 0, **table}
        notes += note
    return tables, notes


def _value_table(values: set[int], coding: Coding) -> tuple[CodeTable, list[str]]:
    if values in _LONE_WHITES:
        (white,) = values
        return {white: 1}, [f"a mask of 0 and {white}: {white} is read as object 1"]
    others = values - {_VOID}
    is_numbered = others == set(range(1, len(others) + 1))
    if _VOID in values and (coding is Coding.PALETTE or is_numbered):
        return {**{value: value for value in others}, _VOID: 0}, [
            "value 255 beside other ids is read as background (the data sets mark unsure borders so)"
        ]
    return {value: value for value in values}, []


def _colour_table(colours: set[int], path: Path) -> tuple[CodeTable, list[str]]:
    davis = {_code(colour): index for index, colour in enumerate(davis_palette().tolist())}
    if colours <= davis.keys():
        table = {colour: davis[colour] for colour in colours}
        note = f"colours of the DAVIS palette are read as objects {_listing(sorted(table.values()))}"
        if _VOID in table.values() and len(table) > 1:
            table = {colour: 0 if index == _VOID else index for colour, index in table.items()}
        return table, [note]
    if len(colours) > MAX_COLOURS:
        raise MaskError(
            f"{path}: has {len(colours)} colours (all masks together); at most {MAX_COLOURS} can be told apart as "
            "objects; save it as a palette PNG, or with each object's id as its grey value"
        )
    table = {colour: index for index, colour in enumerate(sorted(colours), start=1)}
    return table, [f"colour #{colour:06x} is read as object {index}" for colour, index in table.items()]


def _code(colour: list[int]) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _listing(ids: list[int]) -> str:
    return ", ".join(str(index) for index in ids)
