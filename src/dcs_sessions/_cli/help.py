"""`dcs-sessions help` and `dcs-sessions version`."""

from __future__ import annotations

import sys

import click

from dcs_sessions._cli import _overview
from dcs_sessions._cli._connection import Command
from dcs_sessions._cli._console import output_options


@click.command("help", cls=Command)
@click.argument("name", metavar="[COMMAND]", required=False)
@output_options
@click.pass_context
def help_(ctx: click.Context, name: str | None) -> None:
    """Show the help of a COMMAND, or this overview.

    \b
    Example:
      dcs-sessions help query
    """  # noqa: D301 - click wants the character
    root = ctx.find_root()
    command = None
    if isinstance(root.command, click.Group) and name is not None:
        _, command, _ = root.command.resolve_command(root, [name])
    if command is None:
        sys.stdout.write(f"{_overview.overview()}\n")
        return
    with click.Context(command, info_name=name, parent=root) as context:
        sys.stdout.write(f"{command.get_help(context)}\n")


@click.command("version", cls=Command)
@output_options
def version() -> None:
    """Show the version of the package and of the contract.

    \b
    Example:
      dcs-sessions version
    """  # noqa: D301 - click wants the character
    sys.stdout.write(f"{_overview.version()}\n")
