"""``dcs-sessions kill-all``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _console
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._output import format_option, print_rows
from dcs_sessions._cli._records import JOB_COLUMNS, job_row

if TYPE_CHECKING:
    from dcs_sessions._cli._connection import Connection


@command("kill-all")
@click.argument("instance_id", metavar="INSTANCE")
@click.option("--node", "node_id", metavar="ID", help="Only this node.  [default: all nodes]")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for the instance's ID.")
@format_option
def kill_all(
    connection: Connection, instance_id: str, node_id: str | None, form: str, *, yes: bool
) -> None:
    """End every client session of INSTANCE, or of one of its nodes, and wait until that is done.

    The ID of the instance has to be typed again, unless --yes is given. Clients that reconnect by
    themselves will be back.

    \b
    Example:
      dcs-sessions kill-all INSTANCE --node NODE
    """  # noqa: D301 - click wants the character
    if not yes:
        what = "every session" if node_id is None else f"every session on node {node_id}"
        question = f"This ends {what}. Type the ID of the instance to go on"
        if click.prompt(question, err=True).strip() != instance_id:
            click.echo("This is not the ID of the instance.", err=True)
            raise click.Abort
    with connection.client() as client:
        job_id = client.kill_all_sessions(instance_id, node_id, all_nodes=node_id is None)
        with _console.progress(f"Ending the sessions of {instance_id}: job {job_id}"):
            job = client.wait_for_job(job_id, timeout=connection.wait_seconds)
    print_rows([job_row(job)], form, JOB_COLUMNS)
