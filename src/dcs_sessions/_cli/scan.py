"""`dcs-sessions scan`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dcs_sessions._cli._connection import command
from dcs_sessions._cli._console import reader_may_leave
from dcs_sessions._cli._instance import find_instance, instance_argument
from dcs_sessions._cli._records import print_raw, raw_option
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from dcs_sessions._cli._connection import Connection


@command("scan")
@instance_argument
@click.argument("node_id", metavar="NODE")
@click.option(
    "--clean-cache",
    is_flag=True,
    help="Replace a saved list. Without it, a saved list is kept.",
)
@raw_option
def scan(
    connection: Connection, instance_id: str, node_id: str, *, clean_cache: bool, raw: bool
) -> None:
    """Start a job that queries the sessions of a NODE of INSTANCE: ScanClients.

    Prints the ID of the job and does not wait for it.

    \b
    Example:
      dcs-sessions job --wait "$(dcs-sessions scan INSTANCE NODE --clean-cache)"
    """  # noqa: D301 - click wants the character
    with connection.client() as client:
        instance_id = find_instance(client, instance_id)
        if raw:
            print_raw(
                lambda: client.raw.scan_sessions(instance_id, node_id, clean_cache=clean_cache)
            )
            return
        job_id = client.scan_sessions(instance_id, node_id, clean_cache=clean_cache)
        with reader_may_leave():
            sys.stdout.write(f"{printable(job_id)}\n")
