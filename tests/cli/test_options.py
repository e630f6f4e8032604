"""One house style: the same word means the same in every command."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from devos.cli.main import app

OPENINGS = (
    "Folder for ",
    "New folder for ",
    "The label PNG to write",
    "The picture to write, a .png file",
    "The zip to write",
    "The file to write",
    "A .md, .csv",
)
"""What `--out` may be: a folder, or one file whose kind its help tells."""


def commands(group: Any, name: str = "devos") -> Iterator[tuple[str, Any]]:
    if hasattr(group, "commands"):
        for key, command in group.commands.items():
            yield from commands(command, f"{name} {key}")
    else:
        yield name, group


ALL = dict(commands(typer.main.get_command(app)))
OPTIONS = [(name, one) for name, command in ALL.items() for one in command.params if one.param_type_name == "option"]


def of(word: str) -> dict[str, Any]:
    return {name: one for name, one in OPTIONS if word in one.opts}


def kind_of(option: Any) -> str:
    """What it takes, whichever version of typer holds it."""
    kind = getattr(option, "type", None)
    return type(kind).__name__.removesuffix("Range") if kind is not None else str(option.type_descriptor.annotation)


def test_a_short_option_is_short_for_the_same_word_everywhere():
    words = defaultdict(set)
    for _, option in OPTIONS:
        for short in (one for one in option.opts if re.fullmatch(r"-\w", one)):
            words[short].update(one.rstrip("s") for one in option.opts if one.startswith("--"))  # one mask, masks
    assert {short: long for short, long in words.items() if len(long) > 1} == {}


def test_out_has_its_short_form_and_says_whether_it_is_a_folder_or_which_file():
    for name, option in of("--out").items():
        assert "-o" in option.opts, name
        assert option.help is not None and option.help.startswith(OPENINGS), f"{name}: {option.help}"


@pytest.mark.parametrize("word", ["--json", "--overwrite", "--strict", "--mp4"])
def test_a_word_that_takes_nothing_anywhere_takes_nothing_everywhere(word):
    assert of(word)
    assert {name for name, option in of(word).items() if not option.is_flag} == set()


def test_json_is_printed_by_every_command_that_knows_the_word():
    assert {option.help for option in of("--json").values()} == {"Print one JSON object."}


@pytest.mark.parametrize("word", ["--device", "--flow", "--masks", "--workers", "--seed"])
def test_a_word_takes_the_same_kind_of_value_everywhere(word):
    assert of(word)
    assert len({kind_of(option) for option in of(word).values()}) == 1


def test_a_size_is_a_number_everywhere_and_where_masks_are_given_it_may_be_left_to_them():
    sizes = of("--size")
    by_masks = {name for name, option in sizes.items() if option.metavar == "N|auto"}
    numbers = {kind_of(option) for name, option in sizes.items() if name not in by_masks}
    assert by_masks >= {"devos segment", "devos batch", "devos evaluate davis"} and len(numbers) == 1
    assert all("auto" in option.help for name, option in sizes.items() if name in by_masks)


def test_every_option_and_argument_explains_itself():
    silent = [f"{name} {one.name}" for name, command in ALL.items() for one in command.params
              if one.name != "help" and not getattr(one, "help", None)]  # fmt: skip
    assert silent == []


def test_every_command_explains_itself_in_a_sentence():
    assert [name for name, command in ALL.items() if not (command.help or "").strip().split("\n")[0]] == []
