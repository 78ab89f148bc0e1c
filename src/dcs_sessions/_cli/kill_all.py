"""`dcs-sessions kill-all`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _console, _failures, _signals
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._ending import counted, name_of, overview, still_there, title_of
from dcs_sessions._cli._instance import find_instance, instance_argument
from dcs_sessions._cli._output import Column, format_option, print_rows
from dcs_sessions._cli._reading import query_lists
from dcs_sessions._errors import DcsSessionsError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from dcs_sessions import Client
    from dcs_sessions._cli._connection import Connection
    from dcs_sessions._cli._output import Row
    from dcs_sessions._cli._reading import Lists

COLUMNS = (
    Column("node_id", title="node", end=True),
    Column("result", whole=True),
    Column("sessions", right=True),
    Column("left", right=True),
    Column("job_id", title="job"),
    Column("status"),
    Column("reason"),
)


@command("kill-all")
@instance_argument
@click.option("--node", "node_id", metavar="ID", help="Only this node.  [default: all nodes]")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@format_option()
def kill_all(
    connection: Connection, instance_id: str, node_id: str | None, form: str, *, yes: bool
) -> None:
    """End every client session of INSTANCE, or of one node, and wait for the job.

    It counts the sessions first, and asks you to type the ID or the name of the instance, unless
    --yes is set. Clients that reconnect by themselves will be back.

    The report has a row for each node: the number of sessions counted, and the result, which is
    `ended`, `not ended`, `partly ended`, `refused` or `unknown`. If an error occurs, the nodes are
    queried again; `left` is the number of counted sessions that are still connected.

    \b
    Example:
      dcs-sessions kill-all INSTANCE --node NODE
    """  # noqa: D301 - click wants the character
    with connection.client() as client:
        given, instance_id = instance_id, find_instance(client, instance_id)
        nodes = [] if node_id is None else [node_id]

        def look() -> Lists:
            seconds = connection.wait_seconds
            return query_lists(client, instance_id, nodes, fresh=True, held=True, seconds=seconds)

        try:
            before = look()
        except DcsSessionsError as error:
            reason = f"nothing was sent: {_failures.what_happened(error)}"
            row = {"node_id": node_id or "", "result": "not ended", "reason": reason}
            print_rows([row], form, COLUMNS)
            raise
        name = name_of(client, instance_id)
        _show_overview(title_of(name, instance_id), before, is_asked=not yes)
        if not yes:
            _ask({given, instance_id, name} - {""}, node_id, before)
        rows: list[Row] = [
            {"node_id": node.node_id, "result": "unknown", "sessions": len(node.sessions)}
            for node in before.nodes
        ]
        rows += [{"node_id": failed, "result": "unknown"} for failed, _ in before.failures]
        with _signals.raised():
            try:
                _end(client, instance_id, node_id, rows, connection.wait_seconds)
            except DcsSessionsError as error:
                if not any(row["result"] == "refused" for row in rows):
                    _find_out(before, look, rows, error)
                raise
            finally:
                # Also after an interrupt: report what is known.
                with _signals.ignored():
                    print_rows(rows, form, COLUMNS)


def _show_overview(title: str, before: Lists, *, is_asked: bool) -> None:
    sessions = [(node.node_id, session) for node, session in before]
    terminal = sys.stderr.isatty()
    for line in overview(title, "", counted(sessions), terminal=terminal):
        if is_asked:
            click.echo(line, err=True)
        else:
            _console.note(line)


def _ask(accepted: Container[str], node_id: str | None, before: Lists) -> None:
    count = sum(len(node.sessions) for node in before.nodes)
    where = "" if node_id is None else f" on node {node_id}"
    if before.failures:
        where += f", and those of {len(before.failures)} nodes that could not be queried"
    what = "1 session" if count == 1 else f"all {count:,} sessions"
    question = f"This ends {what}{where}. Type the ID or the name of the instance to go on"
    if click.prompt(question, err=True).strip() not in accepted:
        click.echo("That is neither the ID nor the name of the instance.", err=True)
        raise click.Abort


def _end(
    client: Client, instance_id: str, node_id: str | None, rows: Sequence[Row], seconds: float
) -> None:
    """Start the job, wait for it, and set the results."""
    from dcs_sessions._ending import is_refusal

    for row in rows:
        row["reason"] = "no answer"
    try:
        job_id = client.kill_all_sessions(instance_id, node_id, all_nodes=node_id is None)
    except DcsSessionsError as error:
        if is_refusal(error):
            for row in rows:
                row.update(result="refused", reason=_failures.what_happened(error))
        raise
    for row in rows:
        row.update(job_id=job_id, reason="the job had not ended")
    with _console.progress(f"Ending the sessions of {instance_id}: job {job_id}"):
        job = client.wait_for_job(job_id, timeout=seconds)
    for row in rows:
        row.update(result="ended", status=job.status)
        del row["reason"]


def _find_out(
    before: Lists, look: Callable[[], Lists], rows: Sequence[Row], error: DcsSessionsError
) -> None:
    """Query the nodes again, and count the sessions that are still connected."""
    what = _failures.what_happened(error)
    try:
        after = {node.node_id: node for node in look().nodes if node.error is None}
    except DcsSessionsError:
        after = {}
    earlier = {node.node_id: node for node in before.nodes}
    for row in rows:
        row["reason"] = what
        if row["node_id"] not in earlier or row["node_id"] not in after:
            row["reason"] = f"the node could not be queried; {what}"
            continue
        left = still_there(earlier[row["node_id"]], after[row["node_id"]])
        row["left"] = left
        if left == 0:
            row["result"] = "ended"
        else:
            row["result"] = "not ended" if left == row["sessions"] else "partly ended"
