"""``dcs-sessions kill``."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

import attrs
import click

from dcs_sessions._cli import _console, _failures
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._output import (
    Column,
    Table,
    duration,
    format_option,
    print_rows,
    terminal_width,
)
from dcs_sessions._cli._printable import is_missing
from dcs_sessions._cli._sessions import (
    Filters,
    Lists,
    filter_options,
    number_of,
    query_lists,
    text_of,
)
from dcs_sessions._errors import (
    ApiConnectionError,
    AuthenticationError,
    DcsSessionsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dcs_sessions import Client
    from dcs_sessions._cli._connection import Connection
    from dcs_sessions._cli._output import Row
    from dcs_sessions_api.models import Session

# Addresses in one request. No source says how many the service takes.
_BATCH = 100
_COLUMNS = (
    Column("result", whole=True),
    Column("node_id", title="node", end=True),
    Column("address", whole=True),
    Column("name"),
    Column("user"),
    Column("age", show=duration, right=True),
    Column("idle", show=duration, right=True),
    Column("reason"),
)


@attrs.define(eq=False)
class _Victim:
    """An address of a node, and who was there when the list was made.

    Attributes:
        node_id: ID of the node.
        address: What the service is told to end.
        session: Who it was, or None when only the address is known.
        result: What became of it.
        reason: Why, where it was not ended.
        missed: Whether it should have been ended and may not have been.
    """

    node_id: str
    address: str
    session: Session | None = None
    result: str = ""
    reason: str = ""
    missed: bool = False

    def row(self) -> Row:
        """Give what is reported."""
        row: Row = {"result": self.result, "node_id": self.node_id, "address": self.address}
        if self.session is not None:
            for name in ("id", "name", "user", "age", "idle"):
                value = getattr(self.session, name)
                if not is_missing(value):
                    row[name] = value
        if self.reason:
            row["reason"] = self.reason
        return row

    def spare(self, reason: str, *, missed: bool = False) -> None:
        """Leave it alone."""
        self.result, self.reason, self.missed = "skipped", reason, missed


@command("kill")
@click.argument("instance_id", metavar="INSTANCE")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option(
    "--node",
    "nodes",
    multiple=True,
    metavar="ID",
    help="The node that the addresses are on, or the nodes to look at; may be given more than once "
    "with filters.  [default: every node that holds sessions]",
)
@filter_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be ended.")
@format_option
def kill(
    connection: Connection,
    instance_id: str,
    addresses: tuple[str, ...],
    nodes: tuple[str, ...],
    form: str,
    *,
    filters: Filters,
    yes: bool,
    dry_run: bool,
) -> None:
    """End client sessions of INSTANCE, by address or by filter.

    ADDRESS is the `peer` of a session, as ip:port, and - reads addresses from standard input, one
    on a line. Without addresses the filters choose, on a list that is made now. Just before the
    end, the nodes are queried once more, and a session is spared whose address somebody else has
    taken since, or that the filters no longer fit.

    Each one is reported: `ended` when the service said so; `unknown` when it failed and nobody
    knows; `refused` when it was not ended; `skipped`, with the reason. The exit code is 6 when some
    that should have been ended may not have been, and 1 when you say no. A client that reconnects
    by itself will be back.

    \b
    Examples:
      dcs-sessions kill INSTANCE --node NODE 10.63.238.158:2048
      dcs-sessions kill INSTANCE --name 'worker-*' --min-idle 1h --dry-run
      dcs-sessions query INSTANCE --node NODE -o jsonl | jq -r 'select(.idle > 60).peer' |
        dcs-sessions kill INSTANCE --node NODE --yes -
    """  # noqa: D301 - click wants the character
    if bool(addresses) == bool(filters):
        msg = "give addresses, or filters: one of them (kill-all ends every session)"
        raise click.UsageError(msg)
    if addresses and len(nodes) != 1:
        msg = "addresses need the --node that they are on"
        raise click.UsageError(msg)
    if "-" in addresses and not (yes or dry_run):
        msg = "addresses from standard input need --yes or --dry-run: nobody is there to be asked"
        raise click.UsageError(msg)
    with connection.client() as client:

        def look(node_ids: Sequence[str]) -> Lists:
            seconds = connection.wait_seconds
            return query_lists(
                client, instance_id, node_ids, fresh=True, held=True, seconds=seconds
            )

        partly = False
        if addresses:
            victims = [_Victim(nodes[0], address) for address in _all_of(addresses)]
        else:
            lists = look(nodes)
            partly = bool(lists.failures)
            victims = _chosen(lists, filters)
        errors: list[DcsSessionsError] = []
        if not victims:
            _console.note("No session fits: nothing was done.")
        elif dry_run:
            for victim in victims:
                victim.result = victim.result or "would end"
        else:
            if not yes:
                _ask(victims)
            if not addresses:
                again = look(list(dict.fromkeys(victim.node_id for victim in victims)))
                _compare(victims, again, filters)
        try:
            if not dry_run:
                errors = _end(client, instance_id, victims)
        finally:
            # Also when it was interrupted: what has been done has to be known.
            print_rows((victim.row() for victim in victims), form, _COLUMNS)
    codes = [_failures.report(error) for error in errors]
    if codes and not any(victim.result == "ended" for victim in victims):
        raise click.exceptions.Exit(codes[0])
    if partly or errors or any(victim.missed for victim in victims):
        raise click.exceptions.Exit(_failures.PARTLY)


def _all_of(addresses: Iterable[str]) -> list[str]:
    """Give every address once, those from standard input in the place of the dash."""
    found: list[str] = []
    for address in addresses:
        if address == "-":
            found += [line.strip() for line in sys.stdin if line.strip()]
        else:
            found.append(address)
    return list(dict.fromkeys(found))


def _address_of(session: Session) -> str:
    """Give what the service takes for a session. Proxies may leave the peer out."""
    return text_of(session.peer) or text_of(session.addr)


def _by_address(lists: Lists) -> dict[tuple[str, str], list[Session]]:
    found: dict[tuple[str, str], list[Session]] = {}
    for node, session in lists:
        found.setdefault((node.node_id, _address_of(session)), []).append(session)
    return found


def _chosen(lists: Lists, filters: Filters) -> list[_Victim]:
    victims: list[_Victim] = []
    for (node_id, address), sessions in _by_address(lists).items():
        chosen = [session for session in sessions if filters(session)]
        if not chosen:
            continue
        victim = _Victim(node_id, address, chosen[0])
        if not address:
            victim.spare("it has no address", missed=True)
        elif len(chosen) < len(sessions):
            victim.spare("a session that does not fit has the same address", missed=True)
        victims.append(victim)
    return victims


def _ask(victims: Sequence[_Victim]) -> None:
    """Show what is going to be ended, on stderr since it is not the report, and ask."""
    rows: Iterable[Row] = (
        {**victim.row(), "result": victim.result or "to end"} for victim in victims
    )
    width = terminal_width() if sys.stderr.isatty() else None
    for line in Table.of(rows, _COLUMNS).lines(width):
        click.echo(line, err=True)
    count = sum(not victim.result for victim in victims)
    what = "this session" if count == 1 else f"these {count} sessions"
    if not click.confirm(f"End {what}?", err=True):
        raise click.Abort


def _compare(victims: Sequence[_Victim], lists: Lists, filters: Filters) -> None:
    """Spare every address that is no longer what it was when it was chosen."""
    now = _by_address(lists)
    unreadable = {node_id for node_id, _ in lists.failures}
    for victim in victims:
        before = victim.session
        if victim.result or before is None:
            continue
        sessions = now.get((victim.node_id, victim.address), [])
        if victim.node_id in unreadable:
            victim.spare("its node could not be queried again", missed=True)
        elif not sessions:
            victim.spare("it is gone already")
        elif not all(_is_same(before, session) for session in sessions):
            victim.spare("somebody else has its address now")
        elif not all(filters(session) for session in sessions):
            victim.spare("it no longer fits")
        else:
            victim.session = sessions[0]


def _is_same(before: Session, now: Session) -> bool:
    """Tell whether it is surely the same client."""
    if text_of(before.id) != text_of(now.id):
        return False
    ages = number_of(before.age), number_of(now.age)
    if ages[0] is not None and ages[1] is not None:
        return ages[1] >= ages[0]
    return text_of(before.id) != ""


def _end(client: Client, instance_id: str, victims: Sequence[_Victim]) -> list[DcsSessionsError]:
    """End them, node by node and in batches, and take note of what became of each.

    What is interrupted is noted as well, so that it can be reported.
    """
    errors: list[DcsSessionsError] = []
    waiting = [victim for victim in victims if not victim.result]
    for victim in waiting:
        victim.spare("stopped before its turn", missed=True)
    with _console.progress(f"Ending {len(waiting)} sessions of {instance_id}"):
        for node_id, group in itertools.groupby(waiting, key=lambda victim: victim.node_id):
            for batch in _batches(list(group)):
                _set(batch, "unknown", "no answer")
                try:
                    client.kill_sessions(instance_id, node_id, [victim.address for victim in batch])
                except DcsSessionsError as error:
                    errors.append(error)
                    result = "refused" if _cannot_have_ended(error) else "unknown"
                    _set(batch, result, _failures.what_happened(error))
                    if isinstance(error, AuthenticationError | PermissionDeniedError):
                        return errors  # five failures lock a key
                    break  # the next batch of this node would do no better
                _set(batch, "ended", "")
    return errors


def _batches(victims: Sequence[_Victim]) -> Iterator[Sequence[_Victim]]:
    return (victims[start : start + _BATCH] for start in range(0, len(victims), _BATCH))


def _set(victims: Iterable[_Victim], result: str, reason: str) -> None:
    for victim in victims:
        victim.result, victim.reason, victim.missed = result, reason, result != "ended"


def _cannot_have_ended(error: DcsSessionsError) -> bool:
    if isinstance(error, ApiConnectionError):
        return not error.may_have_arrived
    return isinstance(
        error,
        AuthenticationError
        | PermissionDeniedError
        | NotFoundError
        | ThrottledError
        | InvalidArgumentError,
    )
