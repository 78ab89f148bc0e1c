"""Sessions as the commands see them: chosen, as rows, and read from the nodes."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from dcs_sessions._cli import _completion, _console, _failures
from dcs_sessions._cli._output import Column, Row, duration, size
from dcs_sessions._cli._printable import is_missing, printable
from dcs_sessions._errors import DcsSessionsError
from dcs_sessions._fields import number_of as number_of
from dcs_sessions._fields import text_of as text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from dcs_sessions import Client
    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

F = TypeVar("F", bound="Callable[..., Any]")

# The fields of a session, in the order of the contract; a test compares.
FIELDS = (
    "id",
    "addr",
    "fd",
    "name",
    "cmd",
    "age",
    "idle",
    "db",
    "flags",
    "sub",
    "psub",
    "multi",
    "qbuf",
    "qbuf_free",
    "obl",
    "oll",
    "omem",
    "events",
    "network",
    "peer",
    "user",
)
# What a row has before them.
ROW_FIELDS = ("node_id", "list_time", *FIELDS)
_NUMBERS = ("age", "idle", "sub", "psub", "multi", "qbuf", "qbuf_free", "obl", "oll", "omem")
_PEOPLE = ("addr", "name", "user", "db", "age", "idle", "cmd", "flags", "omem")
# What is left out first where a terminal is narrow. Address, name and idle always stay.
_DROPPED = ("flags", "db", "user", "omem", "age", "cmd", "node_id")
_SHOWN: dict[str, Column] = {
    **{name: Column(name, right=True) for name in (*_NUMBERS, "id", "fd", "db")},
    **{name: Column(name, whole=True) for name in ("addr", "peer")},
    **{name: Column(name, show=duration, right=True) for name in ("age", "idle")},
    **{name: Column(name, show=size, right=True) for name in ("omem", "qbuf", "qbuf_free", "obl")},
}


def table_columns(names: Sequence[str] | None, nodes: Sequence[str]) -> list[Column]:
    """Give the columns of a table: those that were asked for, or those that people look at."""
    if names is None:
        chosen = ("node_id", *_PEOPLE) if len(nodes) > 1 else _PEOPLE
        return [
            attrs.evolve(column, drop=len(_DROPPED) - _DROPPED.index(column.name))
            if column.name in _DROPPED
            else column
            for column in table_columns(chosen, nodes)
        ]
    known = {**_SHOWN, "node_id": Column("node_id", title="node", end=True)}
    return [known.get(name, Column(name)) for name in names]


def csv_columns(names: Sequence[str] | None) -> list[Column]:
    """Give the columns of CSV: those that were asked for, or all of the contract."""
    return [Column(name) for name in names or ROW_FIELDS]


def row_of(node: NodeSessions, session: Session) -> Row:
    """Give a session as a row. What it does not have is not there; what is unknown is."""
    row: Row = {"node_id": node.node_id, "list_time": node.time}
    for name in FIELDS:
        value = getattr(session, name)
        if value is None or not is_missing(value):
            row[name] = value
    for name, value in session.additional_properties.items():
        row.setdefault(name, value)
    return row


def host_of(address: str) -> str:
    """Give an address without its port."""
    host, colon, port = address.rpartition(":")
    return host.strip("[]") if colon and port.isdecimal() and host else address


def node_options(command: F) -> F:
    """Add --node and --cached."""
    for option in (
        click.option(
            "--cached", is_flag=True, help="Take the lists that are saved, if any: query no node."
        ),
        click.option(
            "--node",
            "nodes",
            multiple=True,
            metavar="ID",
            shell_complete=_completion.nodes,
            help="Only this node; may be given more than once.  [default: every node that holds "
            "sessions]",
        ),
    ):
        command = option(command)
    return command


# Reading them

# Up to how many nodes are spoken of one by one.
_FEW_NODES = 4


@attrs.define
class Lists:
    """The sessions of some nodes, and the nodes that failed.

    Iterate over it to read the sessions. If they are streamed, that works once, and `nodes` and
    `failures` are complete afterwards.

    Attributes:
        failures: ID of each node that failed, and why.
    """

    _warn: Callable[[str], None]
    _pages: Iterable[NodeSessions] = ()
    _end_reading: Callable[[], None] = lambda: None  # nothing is streamed
    _nodes: dict[str, NodeSessions] = attrs.field(factory=dict[str, "NodeSessions"])
    _counts: Counter[str] = attrs.field(factory=Counter[str])
    failures: list[tuple[str, DcsSessionsError]] = attrs.field(
        factory=list[tuple[str, DcsSessionsError]]
    )

    def __iter__(self) -> Iterator[tuple[NodeSessions, Session]]:
        """Yield the sessions, each with its node."""
        for page in self._pages:
            for session in page.sessions:
                yield page, session
            # The next page may take a while, and somebody may be waiting at the end of a pipe.
            sys.stdout.flush()

    @property
    def nodes(self) -> list[NodeSessions]:
        """The nodes that answered, each with the time of its list."""
        return list(self._nodes.values())

    def hold(self, nodes: Sequence[NodeSessions]) -> None:
        """Keep what has been read of all nodes."""
        self._pages = nodes
        for node in nodes:
            self._add(node)

    def stream(self, pages: Iterable[NodeSessions], started: Callable[[], None]) -> None:
        """Read pages as their sessions are wanted; call `started` when the first one is there."""

        def noted() -> Generator[NodeSessions]:
            # What to say of a node that failed waits: if all fail, that is the error.
            failed: list[NodeSessions] = []
            try:
                for page in pages:
                    started()
                    if page.error is not None and not self._nodes:
                        failed.append(page)
                        continue
                    self._add(page)
                    while failed:
                        self._add(failed.pop())
                    yield page
            finally:
                started()
            if failed and failed[0].error is not None:
                raise failed[0].error

        self._pages = reading = noted()
        self._end_reading = reading.close

    def close(self) -> None:
        """End the reading of what is streamed, while the connections are still open."""
        self._end_reading()

    def _add(self, page: NodeSessions) -> None:
        if page.error is None or page.sessions:
            self._nodes.setdefault(page.node_id, page)
            self._counts[page.node_id] += len(page.sessions)
        if page.error is not None:
            known = page.node_id in self._nodes
            self.failures.append((page.node_id, page.error))
            what = "was read in part only" if known else "failed"
            self._warn(f"node {page.node_id} {what}: {_failures.what_happened(page.error)}")
            self._warn(_failures.what_to_do(page.error))

    def describe(self, *, most: int = _FEW_NODES) -> None:
        """Print the time of each list, and how many sessions of it have been read.

        Args:
            most: Up to how many nodes have a line each; more have one for all of them.
        """
        if len(self.nodes) > most:
            times = sorted({printable(node.time) for node in self.nodes})
            when = " to ".join(dict.fromkeys((times[0], times[-1])))
            total = self._counts.total()
            _console.note(f"{len(self.nodes)} nodes: lists of {when}, {total} sessions")
            return
        for node in self.nodes:
            count = self._counts[node.node_id]
            _console.note(f"node {node.node_id}: list of {printable(node.time)}, {count} sessions")

    def end(self) -> None:
        """End the command with the code for "partly done", if some nodes failed."""
        if self.failures:
            raise click.exceptions.Exit(_failures.PARTLY)


def query_lists(
    client: Client,
    instance_id: str,
    node_ids: Sequence[str],
    *,
    fresh: bool,
    held: bool,
    seconds: float,
    warn: Callable[[str], None] | None = None,
) -> Lists:
    """Query nodes, or the whole instance if none is named.

    Args:
        client: Client to query with.
        instance_id: ID of the instance.
        node_ids: IDs of the nodes.
        fresh: Whether saved lists are not good enough.
        held: Whether to read all sessions into memory now, or as they are wanted.
        seconds: How long it may take.
        warn: Function to report nodes that fail with, if not to stderr.

    Raises:
        DcsSessionsError: Every node has failed. If the sessions are not held, reading them raises.
    """
    lists = Lists(warn or _console.warn)
    what = f"{len(node_ids)} nodes" if len(node_ids) > 1 else "a node" if node_ids else "the nodes"
    doing = f"Querying {what} of {instance_id}" if fresh else f"Reading {what} of {instance_id}"
    with ExitStack() as stack:
        if warn is None:
            stack.enter_context(_console.progress(doing))
        if held:
            found = client.query_sessions(
                instance_id, node_ids or None, fresh=fresh, timeout=seconds
            )
            lists.hold(found.nodes)
        else:
            pages = client.query_pages(instance_id, node_ids or None, fresh=fresh, timeout=seconds)
            lists.stream(pages, stack.pop_all().close)
    return lists
