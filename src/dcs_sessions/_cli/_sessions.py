"""Sessions as the commands see them: chosen, as rows, and read from the nodes."""

from __future__ import annotations

import re
import sys
from collections import Counter
from contextlib import ExitStack
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from dcs_sessions._cli import _console, _failures
from dcs_sessions._cli._output import Column, Row, duration, size
from dcs_sessions._cli._printable import is_missing, printable
from dcs_sessions._errors import DcsSessionsError
from dcs_sessions._fields import number_of as number_of
from dcs_sessions._fields import text_of as text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
_SHOWN: dict[str, Column] = {
    **{name: Column(name, right=True) for name in (*_NUMBERS, "id", "fd", "db")},
    **{name: Column(name, whole=True) for name in ("addr", "peer")},
    **{name: Column(name, show=duration, right=True) for name in ("age", "idle")},
    **{name: Column(name, show=size, right=True) for name in ("omem", "qbuf", "qbuf_free", "obl")},
}


def table_columns(names: Sequence[str] | None, nodes: Sequence[str]) -> list[Column]:
    """Give the columns of a table: those that were asked for, or those that people look at."""
    if names is None:
        names = ("node_id", *_PEOPLE) if len(nodes) > 1 else _PEOPLE
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


# Which sessions


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,12})([smhd]?)", value.strip(), re.ASCII)
    if match is None:
        msg = f"{value!r} has to be seconds, or like 90s, 15m, 2h, 1d"
        raise click.BadParameter(msg, ctx, param)
    return int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


@attrs.frozen
class Filters:
    """Which sessions are meant. All of what is given has to fit.

    A session that does not say what a filter asks for does not fit.

    Attributes:
        addr: Globs of which one has to fit the address, with or without its port, or the peer.
        name: Globs of which one has to fit the name.
        user: Globs of which one has to fit the user.
        cmd: Globs of which one has to fit the last command, in any case.
        min_idle: Seconds, or None.
        min_age: Seconds, or None.
        flag: Letters that all have to be among the flags.
    """

    addr: tuple[str, ...]
    name: tuple[str, ...]
    user: tuple[str, ...]
    cmd: tuple[str, ...]
    min_idle: int | None
    min_age: int | None
    flag: tuple[str, ...]

    def __bool__(self) -> bool:
        """Tell whether anything is asked for."""
        return any(value not in ((), None) for value in attrs.astuple(self, recurse=False))

    def __call__(self, session: Session) -> bool:
        """Tell whether a session is meant."""
        return (
            _at_least(session.idle, self.min_idle)
            and _at_least(session.age, self.min_age)
            and _fits(self.name, text_of(session.name))
            and _fits(self.user, text_of(session.user))
            and _fits([glob.lower() for glob in self.cmd], text_of(session.cmd).lower())
            and _fits(self.addr, *_addresses(session))
            and all(letter in text_of(session.flags) for letters in self.flag for letter in letters)
        )


def _addresses(session: Session) -> list[str]:
    full = [text_of(session.addr), text_of(session.peer)]
    return [*full, *map(host_of, full)]


def _fits(globs: Sequence[str], *texts: str) -> bool:
    # An IPv6 address is taken as it is: as a glob, its brackets would mean something else.
    return not globs or any(
        text == glob or fnmatchcase(text, glob) for text in texts for glob in globs
    )


def _at_least(value: object, least: float | None) -> bool:
    number = number_of(value)
    return least is None or (number is not None and number >= least)


def filter_options(command: F) -> F:
    """Add the filters, handed to the command as `filters`."""
    import functools

    @functools.wraps(command)
    def run(*args: Any, **rest: Any) -> Any:
        names = [field.name for field in attrs.fields(Filters)]
        filters = Filters(**{name: rest.pop(name) for name in names})
        return command(*args, filters=filters, **rest)

    for option in reversed(
        (
            _glob("--addr", "Address, as ip:port or ip."),
            _glob("--name", "Name that the client gave itself."),
            _glob("--user", "User."),
            _glob("--cmd", "Last command."),
            click.option(
                "--min-idle",
                callback=_seconds,
                metavar="TIME",
                help="Idle for so long: seconds, or 90s, 15m, 2h, 1d.",
            ),
            click.option(
                "--min-age", callback=_seconds, metavar="TIME", help="Connected for so long."
            ),
            click.option(
                "--flag",
                multiple=True,
                metavar="LETTERS",
                help="Has these flags, such as b for blocked or P for a subscriber.",
            ),
        )
    ):
        run = option(run)
    return run  # type: ignore[return-value]  # the same command, with the filters in one argument


def _glob(name: str, what: str) -> Callable[[Any], Any]:
    what = f"{what} A glob; given more than once, one has to fit."
    return click.option(name, multiple=True, metavar="GLOB", help=what)


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
            help="Only this node; may be given more than once.  [default: every node that holds "
            "sessions]",
        ),
    ):
        command = option(command)
    return command


# Reading them


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

        def noted() -> Iterator[NodeSessions]:
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

        self._pages = noted()

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

    def describe(self) -> None:
        """Print the time of each list, and how many sessions of it have been read."""
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
