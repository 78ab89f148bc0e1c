"""The command line. Every command lives in a module of its own and is imported when it is used.

Exit codes: 0 done, 1 the service refused, 2 wrong use, 3 not authorised, 4 not found, 5 timed out,
6 partly done, 130 interrupted.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

# Command -> the module that holds a click command of that name.
_COMMANDS: Mapping[str, str] = {
    "emulator": "dcs_sessions._cli.emulator",
    "query": "dcs_sessions._cli.query",
}


class _Group(click.Group):
    """Imports a command only when it is asked for, and turns our errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        from dcs_sessions._errors import DcsSessionsError

        try:
            return super().invoke(ctx)
        except DcsSessionsError as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"dcs-sessions: {error}", err=True)
            raise click.exceptions.Exit(_exit_code(error)) from None


def _exit_code(error: Exception) -> int:
    from dcs_sessions import _errors

    codes = {
        _errors.InvalidArgumentError: 2,
        _errors.ConfigurationError: 2,
        _errors.AuthenticationError: 3,
        _errors.PermissionDeniedError: 3,
        _errors.NotFoundError: 4,
        _errors.ApiTimeoutError: 5,
        _errors.WaitTimeoutError: 5,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dcs-sessions")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(*, debug: bool) -> None:
    """See and end the client sessions of a managed Redis on Huawei Cloud DCS."""
    del debug  # read where an error arrives
