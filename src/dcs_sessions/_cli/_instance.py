"""The argument INSTANCE: an ID or a name, with a default from the environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dcs_sessions._cli import _completion, _failures
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcs_sessions import Client
    from dcs_sessions_api.models import ListedInstance

F = TypeVar("F", bound="Callable[..., Any]")

VARIABLE = "DCS_SESSIONS_INSTANCE"
# The form of IDs in all sources. Names have at least four characters.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_SHORTEST_NAME = 4
_CLOSEST = 5


class InstanceArgument(click.Argument):
    """The argument INSTANCE. `_connection.Command` inserts the default from the environment."""


class NoInstanceError(click.UsageError):
    """A name that matches no instance, or several. The message lists the closest ones."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def instance_argument(function: F, *, required: bool = True) -> F:
    """Add the argument INSTANCE."""
    return click.argument(
        "instance_id",
        metavar="INSTANCE" if required else "[INSTANCE]",
        required=required,
        cls=InstanceArgument,
        shell_complete=_completion.instances,
    )(function)


def find_instance(client: Client, text: str) -> str:
    """Return the ID of an instance, given by ID or by exact name.

    Text in the form of an ID is taken as an ID, without a call.

    Raises:
        NoInstanceError: No instance, or more than one, has the name.
    """
    if _ID.fullmatch(text) or len(text) < _SHORTEST_NAME:
        return text
    found = client.list_instances(text, exact=True)
    if len(found) > 1:
        raise NoInstanceError(
            f"{len(found)} instances are called {text!r}; use the ID of one of them:\n"
            + ("\n".join(map(_line, found))),
            _failures.USAGE,
        )
    if found:
        return found[0].instance_id
    every = client.list_instances()
    if any(instance.instance_id == text for instance in every):
        return text
    raise NoInstanceError(_none(text, every), _failures.NOT_FOUND)


def _none(text: str, every: list[ListedInstance]) -> str:
    import difflib

    by_name = {str(instance.name).casefold(): instance for instance in every}
    wanted = text.casefold()
    close = [name for name in by_name if wanted in name or name in wanted]
    close += difflib.get_close_matches(wanted, by_name, n=_CLOSEST, cutoff=0.5)
    lines = [_line(by_name[name]) for name in list(dict.fromkeys(close))[:_CLOSEST]]
    if not every:
        return f"no instance is called {text!r}: the project has none"
    if not lines:
        return f"none of the {len(every)} instances is called {text!r}"
    return f"no instance is called {text!r}; the closest names are:\n" + "\n".join(lines)


def _line(instance: ListedInstance) -> str:
    return f"  {printable(instance.name)}  {instance.instance_id}  {printable(instance.status)}"
