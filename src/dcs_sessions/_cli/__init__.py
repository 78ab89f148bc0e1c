"""The command line. Every command lives in a module of its own and is imported when it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

# Command -> the module that holds a click command of that name.
_COMMANDS: Mapping[str, str] = {
    "emulator": "dcs_sessions._cli.emulator",
    "query": "dcs_sessions._cli.query",
}


class _LazyGroup(click.Group):
    """A group that imports a command only when it is asked for, so that ``--help`` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dcs-sessions")
def main() -> None:
    """See and end the client sessions of a managed Redis on Huawei Cloud DCS."""
