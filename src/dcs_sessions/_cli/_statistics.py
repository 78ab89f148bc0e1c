"""Counts of sessions, which a list of any length is read into."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from dcs_sessions._cli._output import duration, size
from dcs_sessions._cli._printable import printable
from dcs_sessions._cli._sessions import host_of, number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

TOP = 10

# Title -> what a session is counted by.
_GROUPS: dict[str, Callable[[Session], str]] = {
    "Client host": lambda session: host_of(text_of(session.addr)),
    "Name": lambda session: text_of(session.name),
    "Last command": lambda session: text_of(session.cmd),
    "User": lambda session: text_of(session.user),
    "Database": lambda session: text_of(session.db),
}
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
        total: Number of sessions.
    """

    total: int = 0
    _groups: dict[str, Counter[str]] = attrs.field(
        factory=lambda: {title: Counter[str]() for title in _GROUPS}
    )
    _idle: Counter[str] = attrs.field(factory=Counter[str])
    _heaviest: list[tuple[float, int, str, Session]] = attrs.field(
        factory=list["tuple[float, int, str, Session]"]
    )

    def add(self, sessions: Iterable[tuple[NodeSessions, Session]]) -> None:
        """Count sessions."""
        for node, session in sessions:
            self.total += 1
            for title, key in _GROUPS.items():
                self._groups[title][key(session)] += 1
            idle = number_of(session.idle)
            if idle is not None:
                self._idle[next(label for least, label in _IDLE if idle < least)] += 1
            # The number makes two sessions of the same size comparable.
            heavy = (number_of(session.omem) or 0.0, -self.total, node.node_id, session)
            if heavy[0] > 0:
                keep = heapq.heappush if len(self._heaviest) < TOP else heapq.heappushpop
                keep(self._heaviest, heavy)

    def charts(self) -> list[Bars]:
        """Give the charts, each with the most frequent values."""
        charts: list[Bars] = []
        for title, counts in self._groups.items():
            # Equals are put in order, so that the same list gives the same page.
            ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            bars = [(printable(label) or "(none)", count) for label, count in ranked[:TOP]]
            others = sum(count for _, count in ranked[TOP:])
            rest = f"{len(ranked) - TOP} others: {others:,}" if others else ""
            charts.append(Bars(title, bars, rest))
        unknown = self.total - self._idle.total()
        rest = f"not known: {unknown:,}" if unknown else ""
        return [*charts, Bars("Idle for", [(text, self._idle[text]) for _, text in _IDLE], rest)]

    def heaviest(self) -> list[dict[str, str]]:
        """Give the sessions with the most output memory, ready to be shown."""
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
