"""Reading the sessions of the nodes, as lists or page by page."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from dcs_sessions._cli import _completion, _console, _failures
from dcs_sessions._errors import DcsSessionsError
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from dcs_sessions import Client
    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

F = TypeVar("F", bound="Callable[..., Any]")

# Up to how many nodes have a line each.
_FEW_NODES = 4


def node_options(command: F) -> F:
    """Add --node and --cached."""
    for option in (
        click.option(
            "--cached",
            is_flag=True,
            help="Use the saved lists, if any, instead of querying the nodes.",
        ),
        click.option(
            "--node",
            "nodes",
            multiple=True,
            metavar="ID",
            shell_complete=_completion.nodes,
            help="Only this node; repeatable.  [default: every node that holds sessions]",
        ),
    ):
        command = option(command)
    return command


@attrs.define
class Lists:
    """The sessions of some nodes, and the nodes that failed.

    Iterate over it to read the sessions. Streamed sessions can be read once, and only then are
    `nodes` and `failures` complete.

    Attributes:
        failures: ID and error of each node that failed.
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
            # The next page may take a while, and a reader of the pipe may be waiting.
            sys.stdout.flush()

    @property
    def nodes(self) -> list[NodeSessions]:
        """The nodes that were read, each with the time of its list."""
        return list(self._nodes.values())

    def hold(self, nodes: Sequence[NodeSessions]) -> None:
        """Keep lists that have been read."""
        self._pages = nodes
        for node in nodes:
            self._add(node)

    def stream(self, pages: Iterable[NodeSessions], started: Callable[[], None]) -> None:
        """Read pages on demand; call `started` when the first one has arrived."""

        def noted() -> Generator[NodeSessions]:
            # Failures are held back: if all nodes fail, the first one is raised.
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
        """Stop streaming, while the connections are still open."""
        self._end_reading()

    def _add(self, page: NodeSessions) -> None:
        if page.error is None or page.sessions:
            self._nodes.setdefault(page.node_id, page)
            self._counts[page.node_id] += len(page.sessions)
        if page.error is not None:
            known = page.node_id in self._nodes
            self.failures.append((page.node_id, page.error))
            what = "was read only in part" if known else "failed"
            self._warn(f"node {page.node_id} {what}: {_failures.what_happened(page.error)}")
            self._warn(_failures.what_to_do(page.error))

    def describe(self, *, most: int = _FEW_NODES) -> None:
        """Print the time and the number of sessions of each list, or of all lists together.

        Args:
            most: Maximum number of nodes with a line each; more share one line.
        """
        if len(self.nodes) > most:
            oldest = min(printable(node.time) for node in self.nodes)
            total = self._counts.total()
            _console.note(f"{len(self.nodes)} nodes: oldest list of {oldest}, {total} sessions")
            return
        for node in self.nodes:
            count = self._counts[node.node_id]
            _console.note(f"node {node.node_id}: list of {printable(node.time)}, {count} sessions")

    def end(self) -> None:
        """Exit with the code for "partly done" if some nodes failed."""
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
    """Query some nodes, or all nodes of an instance.

    Args:
        client: Client to query with.
        instance_id: ID of the instance.
        node_ids: IDs of the nodes; empty for all.
        fresh: Whether to query the nodes, and not to use saved lists.
        held: Whether to read all sessions now, or on demand.
        seconds: Timeout in seconds.
        warn: Function called with a warning about a failed node; default: print it.

    Raises:
        DcsSessionsError: Every node failed; if `held` is false, raised while reading.
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
