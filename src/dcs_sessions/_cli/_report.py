"""The text of a summary: counts, limits and notes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs

from dcs_sessions._cli import _console, _failures
from dcs_sessions._cli._output import (
    Column,
    Table,
    print_title,
    terminal_width,
    width_of,
)
from dcs_sessions._cli._statistics import USUAL, Bars
from dcs_sessions._errors import DcsSessionsError
from dcs_sessions._results import ConnectionLimit
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dcs_sessions import Client
    from dcs_sessions._cli._filters import Filters
    from dcs_sessions._cli._output import Row
    from dcs_sessions._cli._statistics import Statistics

_BAR = 40
_LEAST_BAR = 10
# Maximum width of count, share and gaps.
_NUMBERS = 20
# Share of its limit from which a node is mentioned in a note.
_FULL = 0.8


# Number of charts before that of the nodes: who is connected comes first.
_NODES_AT = 2
# Whether pass-through is on -> why addresses are internal.
_WHY_INTERNAL = {
    False: "client IP pass-through is off",
    True: "they were opened before client IP pass-through was on, or sent no command since",
    None: "client IP pass-through was off when they were opened",
}


@attrs.frozen
class Report:
    """A summary of an instance.

    Attributes:
        instance_id: ID of the instance.
        name: Name of the instance, or an empty string.
        limit: Connection limits.
        passes_through: Whether client IP pass-through is on; None if not known.
        filters: Filters of the sessions that were counted.
        statistics: The counts.
        nodes: IDs of the nodes that were read.
        failed: IDs of the nodes that could not be read, or only in part.
        whole: Whether all nodes were requested.
    """

    instance_id: str
    name: str
    limit: ConnectionLimit
    passes_through: bool | None
    filters: Filters
    statistics: Statistics
    nodes: Sequence[str]
    failed: Sequence[str]
    whole: bool

    @property
    def title(self) -> str:
        """Number of connections and their limit."""
        everything = self.statistics.everything
        replicas = self.statistics.on_replicas
        limit = self.limit.instance
        if not self.whole and self.limit.node is not None:
            limit = self.limit.node * len(self.nodes)
        if limit is None or self.failed:
            return f"{everything:,} connections"
        text = f"{everything - replicas:,} of {limit:,} connections"
        text += f" ({percent(everything - replicas, limit)})"
        return f"{text}, and {replicas:,} on replicas" if replicas else text

    def remarks(self) -> Iterator[str]:
        """Yield notes on how to read the counts."""
        total = self.statistics.total
        if self.filters:
            yield f"{total:,} of {self.statistics.everything:,} sessions match: {self.filters}"
        partial = self.partial
        if len(self.failed) > len(partial):
            failed = len(self.failed) - len(partial)
            yield f"{failed} nodes could not be read and are not counted."
        if partial:
            count = sum(self.statistics.connections[node] for node in partial)
            yield (
                f"{len(partial)} nodes were read only in part: {count:,} of their sessions are "
                "counted."
            )
        for node, count in self.by_node():
            limit = self.limit.node
            if limit and count >= _FULL * limit:
                yield f"Node {node}: {count:,} of {limit:,} connections ({percent(count, limit)})"
        if self.statistics.internal:
            yield (
                f"{self.statistics.internal:,} sessions have an internal address, 198.19.x.x, and "
                f"not that of their client: {_WHY_INTERNAL[self.passes_through]}."
            )

    @property
    def partial(self) -> list[str]:
        """IDs of the nodes that failed when some of their sessions had been counted."""
        return [node for node in self.failed if self.statistics.connections[node]]

    def by_node(self) -> list[tuple[str, int]]:
        """Return the connections counted on each node, the fullest first."""
        counts = self.statistics.connections
        nodes = (*self.nodes, *self.partial)
        return sorted(((node, counts[node]) for node in nodes), key=lambda n: (-n[1], n[0]))

    def rows(self, top: int | None) -> Iterator[Row]:
        """Yield the counts as rows for programs."""
        whole: Row = {"group": "instance", "instance_id": self.instance_id}
        whole["count"] = self.statistics.everything
        if self.limit.instance is not None:
            whole["limit"] = self.limit.instance
        yield whole
        for node, count in self.by_node():
            row: Row = {"group": "node", "node_id": node, "count": count}
            yield row if self.limit.node is None else {**row, "limit": self.limit.node}
        yield {"group": "sessions", "filters": str(self.filters), "count": self.statistics.total}
        yield from self.statistics.rows(top)


def percent(count: int, limit: int) -> str:
    """Return a share in percent: 0 only for nothing, 100 only for all."""
    share = 100 * count / (limit or 1)
    if 0 < share < 1:
        return "<1 %"
    return f"{99 if 99 < share < 100 else round(share)} %"


def about(client: Client, instance_id: str) -> tuple[str, ConnectionLimit, bool | None]:
    """Return name, limit and pass-through. A failure is noted only: they are not required."""
    from dcs_sessions._instances import connection_limit

    name, passes, limit = "", None, ConnectionLimit(None, None)
    try:
        instance = client.get_instance(instance_id)
        name = instance.name if isinstance(instance.name, str) else ""
        switch = instance.transparent_client_ip_enable
        passes = switch if isinstance(switch, bool) else None
        limit = connection_limit(instance, client.list_configurations(instance_id))
    except DcsSessionsError as error:
        _console.note(f"The connection limit is not known: {_failures.what_happened(error)}")
    return name, limit, passes


# For people


def print_report(report: Report) -> None:
    """Print a report, cut to the width of a terminal."""
    width = terminal_width() if sys.stdout.isatty() else None
    for line, is_title in report_lines(report, width, bar_block()):
        if is_title:
            print_title(line)
        else:
            sys.stdout.write(f"{line}\n")


def bar_block() -> str:
    """Return the character for bars that standard output can encode."""
    return "█" if sys.stdout.encoding.lower().startswith("utf") else "#"


def report_lines(report: Report, width: int | None, block: str) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a report, each with whether it is a title.

    Args:
        report: The report.
        width: Width of the terminal, or None for a pipe.
        block: Character for bars.
    """
    yield report.title, True
    for remark in report.remarks():
        for line in _console.wrapped(printable(remark), width).splitlines():
            yield line, False
    statistics = report.statistics
    charts = [(chart, statistics.total) for chart in statistics.charts()]
    nodes, limit, top = report.by_node(), report.limit.node, statistics.top
    if len(nodes) > 1 and statistics.groups == USUAL:
        rest = sum(count for _, count in nodes[top:])
        others = f"{len(nodes) - top:,} others: {rest:,}" if nodes[top:] else ""
        title = "Node" if limit is None else f"Node, of {limit:,} connections each"
        charts.insert(_NODES_AT, (Bars(title, nodes[:top], others), limit or statistics.everything))
    for chart, total in charts:
        yield "", False
        yield chart.title, True
        for line in _bars(chart, total, width, block):
            yield line, False
    heaviest = report.statistics.heaviest()
    if heaviest:
        yield "", False
        yield "Most output memory", True
        right = ("output memory", "idle")
        drop = {"user": 3, "last command": 2, "node": 4, "idle": 1}
        columns = [
            Column(
                name,
                right=name in right,
                end=name == "node",
                whole=name == "address",
                drop=drop.get(name, 0),
            )
            for name in heaviest[0]
        ]
        for line in Table.of(heaviest, columns).lines(width):
            yield line, False


def _bars(chart: Bars, total: int, width: int | None, block: str) -> Iterator[str]:
    longest = max((count for _, count in chart.bars), default=0) or 1
    cells = _BAR
    if width is not None:
        # Bars are scaled, since a cut bar would be wrong.
        label = min(max((width_of(label) for label, _ in chart.bars), default=0), width // 2)
        cells = min(_BAR, max(_LEAST_BAR, width - label - _NUMBERS))
    table = Table(
        [Column("label"), Column("count", right=True), Column("share", right=True), Column("bar")],
        [
            [label, f"{count:,}", percent(count, total), block * _cells(count, longest, cells)]
            for label, count in chart.bars
        ],
    )
    lines = table.lines(width)
    next(lines)
    yield from lines
    if chart.rest:
        yield chart.rest


def _cells(count: int, longest: int, cells: int) -> int:
    """Return the length of a bar, at least 1 unless the count is 0."""
    return max(1, round(cells * count / longest)) if count else 0
