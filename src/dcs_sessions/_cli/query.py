"""``dcs-sessions query``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dcs_sessions._cli._connection import connection_options

if TYPE_CHECKING:
    from dcs_sessions import Client

_COLUMNS = ("addr", "name", "user", "db", "age", "idle", "cmd", "flags", "omem")


@click.command()
@click.argument("instance_id")
@click.argument("node_id", required=False)
@connection_options
def query(client: Client, instance_id: str, node_id: str | None) -> None:
    """Query the sessions of INSTANCE_ID, or of its node NODE_ID, and print them.

    Credentials come from DCS_SESSIONS_TOKEN, or HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, or the
    file ~/.huaweicloud/credentials.

    \b
    Example:
      dcs-sessions query --region cn-north-4 5560df16-cebf-4473-95c4-d1b573c16e79
    """  # noqa: D301 - click wants the character
    from dcs_sessions._cli._output import print_table, printable

    result = client.query_sessions(instance_id, node_id)
    for node in result.nodes:
        if node.error is not None:
            click.echo(f"node {printable(node.node_id)} failed: {node.error}", err=True)
            continue
        title = f"node {node.node_id}: {len(node.sessions)} sessions at {printable(node.time)}"
        rows = ([getattr(session, name) for name in _COLUMNS] for session in node.sessions)
        print_table(title, _COLUMNS, rows)
    if result.failed:
        raise click.exceptions.Exit(6)
