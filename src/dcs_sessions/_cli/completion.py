"""`dcs-sessions completion`."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from dcs_sessions._cli._connection import Command
from dcs_sessions._cli._console import output_options, reader_may_leave


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@output_options
def completion(shell: str) -> None:
    """Print the completion script for a SHELL.

    \b
    Examples, for the startup file of each shell:
      eval "$(dcs-sessions completion bash)"         # ~/.bashrc, bash 4.4 or later
      eval "$(dcs-sessions completion zsh)"          # ~/.zshrc, after compinit
      dcs-sessions completion fish | source          # ~/.config/fish/config.fish
    """  # noqa: D301 - click wants the character
    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError  # `click.Choice` allows only shells that click supports
    script = kind(root, {}, "dcs-sessions", "_DCS_SESSIONS_COMPLETE").source()
    with reader_may_leave():
        sys.stdout.write(f"{script}\n")
