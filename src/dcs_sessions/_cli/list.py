"""`dcs-sessions list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _console
from dcs_sessions._cli._columns import csv_columns, row_of, table_columns
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._instance import find_instance, instance_argument
from dcs_sessions._cli._output import format_option, print_rows
from dcs_sessions._cli._records import print_raw, raw_option
from dcs_sessions._results import NodeSessions

if TYPE_CHECKING:
    from dcs_sessions import Response, SessionPage
    from dcs_sessions._cli._connection import Connection


@command("list")
@instance_argument
@click.argument("node_id", metavar="NODE")
@click.option(
    "--offset", type=int, default=0, show_default=True, help="Number of sessions to skip."
)
@click.option(
    "--limit",
    type=int,
    default=10,
    show_default=True,
    help="Maximum number of sessions, 1 to 1000.",
)
@click.option("--addr", metavar="ADDRESS", help="Only sessions with this address, ip:port.")
@click.option("--sort", metavar="FIELD", help="Field to sort by.")
@click.option("--order", type=click.Choice(["asc", "desc"]), help="Direction to sort in.")
@format_option()
@raw_option
def list_(
    connection: Connection,
    instance_id: str,
    node_id: str,
    form: str,
    *,
    offset: int,
    limit: int,
    addr: str | None,
    sort: str | None,
    order: str | None,
    raw: bool,
) -> None:
    """Read one page of the saved list of a NODE of INSTANCE: ListClients.

    The list is as old as the last query of the node: see scan. How the service filters and sorts is
    hardly documented; the query command does both locally.

    \b
    Example:
      dcs-sessions list INSTANCE NODE --limit 100 --sort idle
    """  # noqa: D301 - click wants the character
    with connection.client() as client:
        instance_id = find_instance(client, instance_id)

        def call() -> Response[SessionPage]:
            return client.raw.list_sessions(
                instance_id, node_id, offset=offset, limit=limit, addr=addr, sort=sort, order=order
            )

        if raw:
            print_raw(call)
            return
        page = call().parsed
    _console.note(f"node {node_id}: list of {page.time}, {page.count} sessions match")
    node = NodeSessions(node_id, None, page.time, page.clients)
    columns = table_columns(None, [node_id]) if form == "table" else csv_columns(None)
    print_rows((row_of(node, session) for session in page.clients), form, columns)
