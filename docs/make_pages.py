"""Pages of the site that are made and never written: one for each command, from its help. Run by mkdocs' gen-files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from devos.cli.main import app


def commands(group: Any, name: str = "devos") -> Iterator[tuple[str, Any]]:
    """Every command by its full name."""
    if hasattr(group, "commands"):
        for key, command in group.commands.items():
            yield from commands(command, f"{name} {key}")
    else:
        yield name, group


def page(name: str, command: Any) -> str:
    """Its help: what it does, what it takes, what its options mean."""
    lines = [f"# {name}", "", *(line.strip() for line in (command.help or "").splitlines()), ""]
    wanted = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
    usage = " ".join([name, *(one.metavar or one.name.upper() for one in wanted)])
    lines += [f"    {usage} [OPTIONS]", ""]
    for title, rows in (("takes", wanted), ("option", options)):
        if rows:
            lines += [f"| {title} | what it means |", "| --- | --- |", *(_row(one) for one in rows), ""]
    return "\n".join(lines)


def _row(one: Any) -> str:
    words = (
        ", ".join(f"`{word}`" for word in one.opts)
        if one.param_type_name == "option"
        else f"`{one.metavar or one.name.upper()}`"
    )
    told = one.show_default
    default = told if isinstance(told, str) else one.default
    shown = default not in (None, False, ()) and told is not False and not one.required
    text = (one.help or "").replace("|", "\\|")
    return f"| {words} | {text}{' **Needed.**' if one.required else ''}{f' Default: {default}.' if shown else ''} |"


def main() -> None:
    """Write them where mkdocs looks."""
    import mkdocs_gen_files

    found = dict(commands(typer.main.get_command(app)))
    index = ["# Commands", "", "| command | what it does |", "| --- | --- |"]
    for name, command in found.items():
        file = "-".join(name.split()[1:]) + ".md"
        index.append(f"| [{name}]({file}) | {(command.help or '').strip().splitlines()[0]} |")
        with mkdocs_gen_files.open(f"commands/{file}", "w") as out:
            out.write(page(name, command))
    with mkdocs_gen_files.open("commands/index.md", "w") as out:
        out.write("\n".join(index) + "\n")


if __name__ in ("__main__", "<run_path>"):
    main()
