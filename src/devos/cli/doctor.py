"""`devos doctor`: is everything here that is needed, and what to do if not."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Say what is installed, a line each, and what to do where something is wrong. Exit code 1 if anything is."""
    from devos.pipeline.checkup import check_everything

    findings = check_everything()
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        typer.echo(f"{finding.state.value:<7}  {finding.what:<{width}}  {finding.found}")
        if finding.remedy:
            typer.echo(f"{'':<9}{'':<{width}}  -> {finding.remedy}")
    if any(finding.is_wrong for finding in findings):
        raise typer.Exit(1)
