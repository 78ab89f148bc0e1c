"""`dcs-sessions kill`."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import attrs
import click

from dcs_sessions._cli import _console, _failures, _signals
from dcs_sessions._cli._columns import key_of
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._ending import (
    EXAMPLES,
    counted,
    filter_in_words,
    name_of,
    overview,
    title_of,
    total_line,
)
from dcs_sessions._cli._filters import Filters, filter_options
from dcs_sessions._cli._instance import find_instance, instance_argument
from dcs_sessions._cli._named import read_named
from dcs_sessions._cli._output import (
    Column,
    Table,
    duration,
    format_option,
    print_rows,
    terminal_width,
)
from dcs_sessions._cli._reading import query_lists
from dcs_sessions._fields import is_missing, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dcs_sessions import Client, DcsSessionsError, Outcome
    from dcs_sessions._cli._connection import Connection
    from dcs_sessions._cli._named import Named
    from dcs_sessions._cli._output import Row
    from dcs_sessions._cli._reading import Lists
    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

COLUMNS = (
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
    """A session to end, or an address without a session.

    Attributes:
        node_id: ID of the node; empty if it is not known.
        address: Address sent to the service.
        chosen: List the session was chosen from, or None.
        session: The session in that list, or None.
        result: Result; empty while the session is still to be ended.
        reason: Why it was not ended.
        missed: Whether it should have been ended, but may not have been.
        error: Error that was the reason, or None.
    """

    node_id: str
    address: str
    chosen: NodeSessions | None = None
    session: Session | None = None
    result: str = ""
    reason: str = ""
    missed: bool = False
    error: DcsSessionsError | None = None

    def row(self) -> Row:
        """Return the row of the report."""
        row: Row = {"result": self.result, "node_id": self.node_id, "address": self.address}
        if self.session is not None:
            for name in ("id", "name", "user", "age", "idle"):
                value = getattr(self.session, name)
                if not is_missing(value):
                    row[name] = value
        if self.reason:
            row["reason"] = self.reason
        return row

    def take(self, outcome: Outcome) -> None:
        """Set the result."""
        self.result, self.reason, self.missed = outcome.result, outcome.reason, outcome.missed
        self.error = outcome.error
        if self.error is not None:
            self.reason = self.reason.replace(str(self.error), _failures.what_happened(self.error))


@command("kill")
@instance_argument
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option(
    "--node",
    "nodes",
    multiple=True,
    metavar="ID",
    help="Only on this node; repeatable.  [default: every node that holds sessions]",
)
@filter_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would be ended.")
@format_option()
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

    ADDRESS is the `peer` of a session, as ip:port or [ip6]:port. - reads standard input, one
    address or one row of `query -o jsonl` a line. Without addresses, the filters choose from a new
    list.

    Each node is queried again right before its sessions are ended. A session is ended only if it is
    certainly the same: ID, name and user are unchanged, and its age has grown by the time since it
    was listed. No request to end sessions is retried.

    The result of each session is `ended`; `gone` if it had disconnected before; `spared`, with the
    reason; `unknown` if the request failed and may have arrived; `refused` by the service;
    `stopped` before a request was sent; or `not found`. A table lists the sessions that were not
    ended, other formats list all. The exit code is 6 if a session that should have been ended may
    not have been, and 1 if you answer no. Clients that reconnect by themselves will be back.

    \b
    Examples:
      dcs-sessions kill INSTANCE 10.63.238.158:2048
      dcs-sessions kill INSTANCE --name 'worker-*' --min-idle 1h --dry-run
      dcs-sessions query INSTANCE -o jsonl | jq -c 'select(.idle > 60)' |
        dcs-sessions kill INSTANCE --yes -
    """  # noqa: D301 - click wants the character
    if bool(addresses) == bool(filters):
        raise click.UsageError("pass either addresses or filters (kill-all ends every session)")
    if "-" in addresses and not (yes or dry_run):
        raise click.UsageError(
            "with addresses from standard input, add --yes or --dry-run: there is no prompt"
        )
    named = read_named(addresses, nodes)
    if addresses and not (named.addresses or named.lists):
        _console.note("No sessions on standard input: nothing was done.")
        return
    with connection.client() as client:
        instance_id = find_instance(client, instance_id)

        def look(node_ids: Sequence[str]) -> Lists:
            seconds = connection.wait_seconds
            return query_lists(
                client, instance_id, node_ids, fresh=True, held=True, seconds=seconds
            )

        partly = False
        victims = [
            _Victim(*_names(node, one), node, one) for node in named.lists for one in node.sessions
        ]
        if filters or named.addresses:
            lists = look(nodes)
            partly = bool(lists.failures)
            found = _fitting(lists, filters) if filters else _found(lists, named)
            found = _without_rows(found, victims)
            _spare(found, lists.nodes)
            victims += found
        if named.lists and dry_run:
            rows = [victim for victim in victims if victim.chosen in named.lists]
            again = look(list(dict.fromkeys(node.node_id for node in named.lists)))
            partly = partly or bool(again.failures)
            _spare(rows, again.nodes)
        if not victims:
            _console.note("No session matches: nothing was done.")
            print_rows([], form, COLUMNS)
        elif dry_run:
            name = name_of(client, instance_id)
            _show_overview(title_of(name, instance_id), filters, victims, ask=False)
            for victim in victims:
                victim.result = victim.result or "would end"
            _report(victims, form)
        else:
            name = name_of(client, instance_id)
            _show_overview(title_of(name, instance_id), filters, victims, ask=not yes)
            with _signals.raised():
                try:
                    _end(client, instance_id, victims, filters, connection.wait_seconds)
                finally:
                    # Also after an interrupt: report what has been done.
                    with _signals.ignored():
                        _report(victims, form)
    errors = {id(victim.error): victim.error for victim in victims if victim.error is not None}
    with contextlib.suppress(BrokenPipeError):
        for error in errors.values():
            _failures.report(error)
    if errors and not any(victim.result in {"ended", "unknown"} for victim in victims):
        raise click.exceptions.Exit(_failures.exit_code(next(iter(errors.values()))))
    if partly or any(victim.missed for victim in victims):
        raise click.exceptions.Exit(_failures.PARTLY)


# Choosing


def _names(node: NodeSessions, session: Session) -> tuple[str, str]:
    from dcs_sessions._ending import address_of

    return node.node_id, address_of(session)


def _fitting(lists: Lists, filters: Filters) -> list[_Victim]:
    return [
        _Victim(*_names(node, session), node, session)
        for node, session in lists
        if filters(session)
    ]


def _found(lists: Lists, named: Named) -> list[_Victim]:
    """Return the sessions with these addresses.

    Raises:
        click.UsageError: An address has sessions on several nodes.
    """
    by_key: dict[object, dict[int, tuple[NodeSessions, Session]]] = {}
    for node, session in lists:
        for address in (text_of(session.peer), text_of(session.addr)):
            by_key.setdefault(key_of(address), {})[id(session)] = node, session
    victims: list[_Victim] = []
    for address in named.addresses:
        found = list(by_key.get(key_of(address), {}).values())
        nodes = list(dict.fromkeys(node.node_id for node, _ in found))
        if len(nodes) > 1:
            raise click.UsageError(
                f"{address} is on several nodes: choose one of --node {' --node '.join(nodes)}"
            )
        if not found:
            reason = "no session has this address"
            if lists.failures:
                reason += " on the nodes that could be queried"
            victims.append(_Victim("", address, None, None, "not found", reason, missed=True))
        for node, session in found:
            victim = _Victim(*_names(node, session), node, session)
            if len(found) > 1:
                victim.result, victim.missed = "spared", True
                victim.reason = f"several sessions have the address {address}"
            victims.append(victim)
    # Two notations of an address are one session.
    return list({id(victim.session or victim): victim for victim in victims}.values())


def _without_rows(found: Iterable[_Victim], rows: Iterable[_Victim]) -> list[_Victim]:
    """Return the victims found by address, without sessions that a row names as well."""
    from dcs_sessions._ending import judge

    named: dict[tuple[str, str], list[_Victim]] = {}
    for row in rows:
        named.setdefault((row.node_id, row.address), []).append(row)

    def is_named(victim: _Victim) -> bool:
        return any(
            judge(row.chosen, row.session, victim.chosen, [victim.session], None) is None
            for row in named.get((victim.node_id, victim.address), ())
            if row.chosen and row.session and victim.chosen and victim.session
        )

    return [victim for victim in found if not is_named(victim)]


def _spare(victims: Iterable[_Victim], nodes: Iterable[NodeSessions]) -> None:
    """Set the result of sessions that a list already shows will not be ended."""
    from dcs_sessions._ending import by_address, judge

    looks = {node.node_id: (node, by_address(node.sessions)) for node in nodes}
    for victim in victims:
        look = looks.get(victim.node_id)
        if victim.result or victim.chosen is None or victim.session is None:
            continue
        if look is None:
            victim.result, victim.missed = "stopped", True
            victim.reason = "its node could not be queried"
            continue
        found = look[1].get(victim.address, ())
        outcome = judge(victim.chosen, victim.session, look[0], found, None)
        if outcome is not None:
            victim.take(outcome)


# Printing


def _show_overview(title: str, filters: Filters, victims: Sequence[_Victim], *, ask: bool) -> None:
    """Print what will be ended on stderr, and ask for confirmation."""
    meant = [victim for victim in victims if not victim.result]
    terminal = sys.stderr.isatty()
    counts = counted((one.node_id, one.session) for one in meant if one.session is not None)
    say = click.echo if ask else _note
    for line in overview(title, filter_in_words(filters), counts, terminal=terminal):
        say(line, err=True)
    if not ask:
        return
    rows: list[Row] = [
        {**victim.row(), "result": victim.result or "to end"} for victim in meant[:EXAMPLES]
    ]
    left_alone = [victim.row() for victim in victims if victim.result]
    width = terminal_width() if terminal else None
    for line in Table.of(rows + left_alone[:EXAMPLES], COLUMNS).lines(width):
        click.echo(line, err=True)
    for what, count in (("to end", len(meant)), ("left alone", len(left_alone))):
        if count > EXAMPLES:
            click.echo(f"and {count - EXAMPLES:,} more {what}", err=True)
    what = "this session" if len(meant) == 1 else f"these {len(meant):,} sessions"
    if meant and not click.confirm(f"End {what}?", err=True):
        raise click.Abort


def _note(line: str, *, err: bool) -> None:
    del err
    _console.note(line)


def _report(victims: Sequence[_Victim], form: str) -> None:
    """Print the results, in a table only those not ended, and the total."""
    rows = [victim.row() for victim in victims]
    total = total_line(victim.result for victim in victims)
    if form != "table":
        print_rows(rows, form, COLUMNS)
        _console.note(total)
        return
    shown = [row for row in rows if row["result"] not in {"ended", "would end"}]
    shown += [row for row in rows if row["result"] == "would end"][:EXAMPLES]
    with _console.reader_may_leave():
        if shown:
            print_rows(shown, form, COLUMNS)
        if len(shown) < len(rows) and any(row["result"] == "would end" for row in shown):
            click.echo(f"and {len(rows) - len(shown):,} more, all with -o jsonl")
        click.echo(total)


# Ending


def _end(
    client: Client,
    instance_id: str,
    victims: Sequence[_Victim],
    filters: Filters,
    seconds: float,
) -> None:
    """End the sessions, and set each result as soon as it is known."""
    from dcs_sessions import QueryResult

    meant = {
        id(victim.session): victim
        for victim in victims
        if not victim.result and victim.session is not None
    }
    for victim in meant.values():
        victim.result, victim.reason, victim.missed = "stopped", "stopped before its request", True
    lists = {
        id(victim.chosen): victim.chosen for victim in meant.values() if victim.chosen is not None
    }
    chosen = QueryResult(
        [
            attrs.evolve(node, sessions=[one for one in node.sessions if id(one) in meant])
            for node in lists.values()
        ]
    )
    ended = 0
    with _console.progress(f"Ending {len(meant):,} sessions of {instance_id}") as show:

        def note(outcome: Outcome) -> None:
            nonlocal ended
            meant[id(outcome.session)].take(outcome)
            if outcome.result == "ended":
                ended += 1
                show(f"Ended {ended:,} of {len(meant):,} sessions of {instance_id}")

        client.end_sessions(instance_id, chosen, filters or None, on_outcome=note, timeout=seconds)
