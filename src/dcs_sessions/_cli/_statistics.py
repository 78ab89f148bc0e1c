"""Counts of sessions, which a list of any length is read into."""

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

# Idle for less than so many seconds.
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
# What sessions may be counted by -> title, and how a session is told.
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
# Nodes are shown apart, with all of their connections.
USUAL: tuple[Group, ...] = tuple((name,) for name in FIELDS if name != "node")


@attrs.frozen
class Bars:
    """A chart.

    Attributes:
        title: What is counted.
        bars: Label and count of each bar.
        rest: What the bars leave out, in words, or empty.
    """

    title: str
    bars: list[tuple[str, int]]
    rest: str = ""


@attrs.define
class Statistics:
    """Counts of sessions.

    Attributes:
        groups: What to count by: one field, or several at once.
        top: How many values of each a chart shows.
        connections: Number of sessions by node, whether they fit the filters or not.
        on_replicas: Number of them on replicas.
        total: Number of sessions that fit the filters.
        internal: Number of those that have an internal address.
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
        """Make a counter for each group."""
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
        # The number makes two sessions of the same size comparable.
        heavy = (number_of(session.omem) or 0.0, -self.total, node.node_id, session)
        if heavy[0] > 0:
            keep = heapq.heappush if len(self._heaviest) < TOP else heapq.heappushpop
            keep(self._heaviest, heavy)

    @property
    def everything(self) -> int:
        """The number of all connections that were listed."""
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
        # Equals are put in order, so that the same list gives the same page.
        return sorted(self._counts[group].items(), key=lambda item: (-item[1], item[0]))

    def _idle_chart(self, title: str) -> Bars:
        counts = self._counts["idle",]
        unknown = counts[_NOT_KNOWN,]
        rest = f"{_NOT_KNOWN}: {unknown:,}" if unknown else ""
        return Bars(title, [(text, counts[text,]) for _, text in _IDLE], rest)

    def rows(self, top: int | None) -> Iterator[Row]:
        """Return the counts as rows for programs, group by group."""
        for group in self.groups:
            for values, count in self.ranked(group)[:top]:
                names = ("node_id" if name == "node" else name for name in group)
                yield {
                    "group": ",".join(group),
                    **dict(zip(names, values, strict=True)),
                    "count": count,
                }

    def heaviest(self) -> list[dict[str, str]]:
        """Return the sessions with the most output memory, ready to be shown."""
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
