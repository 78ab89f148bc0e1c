"""The group of all commands, and how a command exits."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from dcs_sessions._cli import _console, _failures, _overview

if TYPE_CHECKING:
    from collections.abc import Callable


class _Group(click.Group):
    """Imports a command only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        return list(_overview.COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = _overview.COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(
            importlib.import_module(f"dcs_sessions._cli.{module}"), name
        )
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Connection options may stand before the command."""
        return super().parse_args(ctx, _behind_command(args))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command. A misspelt name gets a suggestion."""
        name = args[0]
        if name not in _overview.COMMANDS and not ctx.resilient_parsing:
            import difflib

            close = difflib.get_close_matches(name, _overview.COMMANDS, n=2, cutoff=0.6)
            hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002
        return _overview.overview()

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and report its errors here, where --debug is known."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except (click.exceptions.Exit, click.UsageError):
            raise
        except BrokenPipeError:
            # The reader closed the pipe, as `head` does: not a failure.
            _console.close_stdout()
            raise click.exceptions.Exit(0) from None
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort
            raise click.exceptions.Exit(_failures.report(error)) from None
        return result


def _behind_command(args: list[str]) -> list[str]:
    """Move connection options from before the command to after it."""
    if not args or not args[0].startswith("-") or args[0] in {"-h", "--help", "--version"}:
        return args
    from dcs_sessions._cli._connection import command

    # The options of every command.
    every = command("")(_show_version).params
    flags = {
        name: param.is_flag
        for param in every
        if isinstance(param, click.Option)
        for name in param.opts
    }
    before: list[str] = []
    moved: list[str] = []
    rest = list(args)
    while rest and rest[0].startswith("-"):
        name, equals, _ = rest[0].partition("=")
        width = 1 if name not in flags or flags[name] or equals else 2
        (moved if name in flags else before).extend(rest[:width])
        del rest[:width]
    return [*before, *rest[:1], *moved, *rest[1:]]


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(_overview.version())
        ctx.exit()


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="See and end the client sessions of a managed Redis on Huawei Cloud DCS.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version)
@_console.output_options
def main() -> None:
    """Do nothing before the command."""


def run() -> NoReturn:
    """Run the command line, and exit with its exit code."""
    _console.prepare()
    sys.exit(_exit_code_of(main))


def _exit_code_of(command: Callable[..., Any]) -> int:
    try:
        # A glob that click expands would never reach the filters.
        result = command(prog_name="dcs-sessions", standalone_mode=False, windows_expand_args=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        return _failures.report(error)
    except (click.Abort, KeyboardInterrupt) as error:
        return _failures.report(error)
    return result if isinstance(result, int) else 0
