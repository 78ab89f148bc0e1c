"""`dcs-sessions instances`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _completion, _console
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._output import format_option, print_rows
from dcs_sessions._cli._records import INSTANCE_COLUMNS, instance_row, print_raw, raw_option

if TYPE_CHECKING:
    from dcs_sessions._cli._connection import Connection


@command("instances")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=_completion.instances)
@raw_option
@format_option()
def instances(connection: Connection, name: str | None, form: str, *, raw: bool) -> None:
    """List the instances of the project: ListInstances.

    NAME is part of a name, case-insensitive, or a glob.

    \b
    Examples:
      dcs-sessions instances
      dcs-sessions instances checkout
      dcs-sessions instances '*-prod' -o csv
    """  # noqa: D301 - click wants the character
    with connection.client() as client:
        if raw:
            print_raw(lambda: client.raw.list_instances(name=name, limit=1000))
            return
        with _console.progress("Listing the instances"):
            found = client.list_instances()
    wanted = (name or "").casefold()
    pattern = wanted if any(char in wanted for char in "*?[") else f"*{wanted}*"
    rows = [instance_row(one) for one in found if fnmatchcase(str(one.name).casefold(), pattern)]
    rows.sort(key=lambda row: str(row.get("name")))
    print_rows(rows, form, INSTANCE_COLUMNS)
    if name and not rows:
        _console.note(f"None of {len(found)} instances matches {name!r}.")
