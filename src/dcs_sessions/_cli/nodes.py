"""`dcs-sessions nodes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcs_sessions._cli._connection import command
from dcs_sessions._cli._instance import find_instance, instance_argument
from dcs_sessions._cli._output import format_option, print_rows
from dcs_sessions._cli._records import NODE_COLUMNS, node_row, print_raw, raw_option

if TYPE_CHECKING:
    from dcs_sessions._cli._connection import Connection


@command("nodes")
@instance_argument
@format_option()
@raw_option
def nodes(connection: Connection, instance_id: str, form: str, *, raw: bool) -> None:
    """List the nodes of INSTANCE: ShowNodesInformation.

    Sessions are on the nodes with the role redis-proxy where there are any, on those with the role
    redis-server otherwise.

    \b
    Example:
      dcs-sessions nodes INSTANCE
    """  # noqa: D301 - click wants the character
    with connection.client() as client:
        instance_id = find_instance(client, instance_id)
        if raw:
            print_raw(lambda: client.raw.list_nodes(instance_id))
        else:
            print_rows(map(node_row, client.list_nodes(instance_id)), form, NODE_COLUMNS)
