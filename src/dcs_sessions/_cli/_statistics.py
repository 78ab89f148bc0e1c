"""Counts of sessions, in constant memory for lists of any length."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import attrs

from dcs_sessions._cli._columns import host_of
from dcs_sessions._cli._filters import NONE
from dcs_sessions._cli._output import duration, size
from dcs_sessions._fields import number_of, text_of
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dcs_sessions._cli._filters import Filters
    from dcs_sessions._cli._output import Row
    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

TOP = 10

# Upper limit in seconds -> label.
_IDLE = (
    (1, "under 1s"),
    (10, "1s to 10s"),
    (60, "10s to 1m"),
    (600, "1m to 10m"),
    (3600, "10m to 1h"),
    (86400, "1h to 1d"),
    (float("inf"), "1d and more"),
)
_NOT_KNOWN = "not known"


def _idle_of(_: NodeSessions, session: Session) -> str:
    idle = number_of(session.idle)
    if idle is None:
        return _NOT_KNOWN
    return next(label for least, label in _IDLE if idle < least)


Reader: TypeAlias = "Callable[[NodeSessions, Session], str]"
# Field to count by -> title, and function that returns its value.
FIELDS: dict[str, tuple[str, Reader]] = {
    "host": ("Client host", lambda _, session: host_of(text_of(session.addr))),
    "name": ("Name", lambda _, session: text_of(session.name)),
    "cmd": ("Last command", lambda _, session: text_of(session.cmd)),
    "user": ("User", lambda _, session: text_of(session.user)),
    "db": ("Database", lambda _, session: text_of(session.db)),
    "idle": ("Idle for", _idle_of),
    "node": ("Node", lambda node, _: node.node_id),
}
Group = tuple[str, ...]
# Nodes have a chart of their own, with all connections.
USUAL: tuple[Group, ...] = tuple((name,) for name in FIELDS if name != "node")


@attrs.frozen
class Bars:
    """A chart.

    Attributes:
        title: Title of the chart.
        bars: Label and count of each bar.
        rest: Text about values without a bar, or an empty string.
    """

    title: str
    bars: list[tuple[str, int]]
    rest: str = ""


@attrs.define
class Statistics:
    """Counts of sessions.

    Attributes:
        groups: Fields to count by, each one field or several.
        top: Maximum number of values in a chart.
        connections: Number of all sessions by node, filtered or not.
        on_replicas: Number of sessions on replicas.
        total: Number of sessions that match the filters.
        internal: Number of matching sessions with an internal address.
    """

    groups: Sequence[Group] = USUAL
    top: int = TOP
    connections: Counter[str] = attrs.field(factory=Counter[str])
    on_replicas: int = 0
    total: int = 0
    internal: int = 0
    _counts: dict[Group, Counter[Group]] = attrs.field(init=False)
    _readers: list[tuple[Counter[Group], list[Reader]]] = attrs.field(init=False)
    _heaviest: list[tuple[float, int, str, Session]] = attrs.field(
        factory=list["tuple[float, int, str, Session]"]
    )

    def __attrs_post_init__(self) -> None:
        """Create a counter for each group."""
        self._counts = {group: Counter[Group]() for group in self.groups}
        self._readers = [
            (counter, [FIELDS[name][1] for name in group])
            for group, counter in self._counts.items()
        ]

    def add(self, node: NodeSessions, session: Session, filters: Filters) -> None:
        """Count a session."""
        self.connections[node.node_id] += 1
        if node.node is not None and node.node.node_type == "slave":
            self.on_replicas += 1
        if not filters(session):
            return
        self.total += 1
        for counter, reads in self._readers:
            counter[tuple([read(node, session) for read in reads])] += 1
        if text_of(session.addr).startswith("198.19."):
            self.internal += 1
        # The number orders two sessions of the same size.
        heavy = (number_of(session.omem) or 0.0, -self.total, node.node_id, session)
        if heavy[0] > 0:
            keep = heapq.heappush if len(self._heaviest) < TOP else heapq.heappushpop
            keep(self._heaviest, heavy)

    @property
    def everything(self) -> int:
        """Number of all sessions, filtered or not."""
        return self.connections.total()

    def charts(self) -> list[Bars]:
        """Return the charts, each with the most frequent values."""
        charts: list[Bars] = []
        for group in self.groups:
            title = ", ".join(
                FIELDS[name][0] if not at else FIELDS[name][0].lower()
                for at, name in enumerate(group)
            )
            if group == ("idle",):
                charts.append(self._idle_chart(title))
                continue
            ranked = self.ranked(group)
            bars = [(", ".join(map(_label, values)), n) for values, n in ranked[: self.top]]
            others = sum(count for _, count in ranked[self.top :])
            rest = f"{len(ranked) - self.top:,} others: {others:,}" if others else ""
            charts.append(Bars(title, bars, rest))
        return charts

    def ranked(self, group: Group) -> list[tuple[Group, int]]:
        """Return all values of a group, the most frequent first."""
        # Ties are sorted by value, so that the same list prints the same page.
        return sorted(self._counts[group].items(), key=lambda item: (-item[1], item[0]))

    def _idle_chart(self, title: str) -> Bars:
        counts = self._counts["idle",]
        unknown = counts[_NOT_KNOWN,]
        rest = f"{_NOT_KNOWN}: {unknown:,}" if unknown else ""
        return Bars(title, [(text, counts[text,]) for _, text in _IDLE], rest)

    def rows(self, top: int | None) -> Iterator[Row]:
        """Yield the counts as rows for programs, group by group."""
        for group in self.groups:
            for values, count in self.ranked(group)[:top]:
                names = ("node_id" if name == "node" else name for name in group)
                yield {
                    "group": ",".join(group),
                    **dict(zip(names, values, strict=True)),
                    "count": count,
                }

    def heaviest(self) -> list[dict[str, str]]:
        """Return the sessions with the most output memory, formatted."""
        return [
            {
                "output memory": size(session.omem),
                "address": printable(session.addr),
                "name": printable(session.name),
                "user": printable(session.user),
                "last command": printable(session.cmd),
                "idle": duration(session.idle),
                "node": printable(node_id),
            }
            for _, _, node_id, session in sorted(self._heaviest, reverse=True)
        ]


def _label(value: str) -> str:
    return printable(value) or NONE
