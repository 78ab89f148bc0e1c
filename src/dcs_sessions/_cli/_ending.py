"""Overview of the sessions to end, and counts of the results."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

import attrs

from dcs_sessions._cli._columns import host_of
from dcs_sessions._cli._output import duration, size, terminal_width, width_of
from dcs_sessions._errors import DcsSessionsError
from dcs_sessions._fields import text_of
from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dcs_sessions import Client
    from dcs_sessions._cli._filters import Filters
    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

# Maximum number of examples, and of values of each kind.
EXAMPLES = 10
_VALUES = 8

# Results in the order shown, with their names. The first four are always shown.
_TOTALS = {
    "ended": "ended",
    "gone": "gone already",
    "spared": "spared",
    "unknown": "unknown",
    "refused": "refused",
    "stopped": "stopped",
    "not found": "not found",
}
_ALWAYS = 4


def total_line(results: Iterable[str]) -> str:
    """Return the counts by result: `1,985 ended, 3 gone already, 12 spared, 0 unknown`."""
    counts = Counter(results)
    wanted = counts.pop("would end", None)
    parts = [] if wanted is None else [f"{wanted:,} would end"]
    parts += [
        f"{counts[result]:,} {words}"
        for place, (result, words) in enumerate(_TOTALS.items())
        if counts[result] or (wanted is None and place < _ALWAYS)
    ]
    return ", ".join(parts)


def filter_in_words(filters: Filters) -> str:
    """Return filters in words: `name worker-* or job-*, min idle 1h00m`."""
    parts: list[str] = []
    for field in attrs.fields(type(filters)):
        value: object = getattr(filters, field.name)
        words = field.name.replace("_", " ")
        if isinstance(value, tuple):
            if value:
                parts.append(f"{words} {' or '.join(map(repr, cast('tuple[object]', value)))}")
        elif value is not None and value is not False:
            amount = size(value) if field.name == "min_omem" else duration(value)
            parts.append(words if value is True else f"{words} {amount}")
    return ", ".join(parts)


@attrs.frozen
class Counted:
    """Counts of the values of one kind.

    Attributes:
        title: What is counted.
        counts: Counts by value.
        short: Shortens a value for a narrow terminal.
    """

    title: str
    counts: Counter[str]
    short: Callable[[str], str] = lambda text: text

    def line(self, width: int | None) -> str:
        """Return the most frequent values on one line, as many as fit."""
        ranked = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        for shown in range(min(len(ranked), _VALUES), 0, -1):
            parts = [
                f"{self.short(printable(value)) if width else printable(value)} {count:,}"
                if value
                else f"(none) {count:,}"
                for value, count in ranked[:shown]
            ]
            rest = ranked[shown:]
            if rest:
                others = "other" if len(rest) == 1 else "others"
                parts.append(f"{len(rest):,} {others} {sum(count for _, count in rest):,}")
            line = f"{self.title:<9}{', '.join(parts)}"
            if width is None or shown == 1 or width_of(line) <= width:
                return line
        return self.title


def counted(sessions: Iterable[tuple[str, Session]]) -> list[Counted]:
    """Count sessions by node, host, user and name.

    Args:
        sessions: ID of the node, and the session.
    """
    nodes, hosts, users, names = (Counter[str]() for _ in range(4))
    for node_id, session in sessions:
        nodes[node_id] += 1
        hosts[host_of(text_of(session.addr) or text_of(session.peer))] += 1
        users[text_of(session.user)] += 1
        names[text_of(session.name)] += 1
    return [
        Counted("Nodes", nodes, short_id),
        Counted("Hosts", hosts),
        Counted("Users", users),
        Counted("Names", names),
    ]


def still_there(before: NodeSessions, after: NodeSessions) -> int:
    """Return the number of sessions of one list that may be in the other."""
    from dcs_sessions._ending import ANOTHER, address_of, by_address, judge

    found = by_address(after.sessions)

    def has_ended(session: Session) -> bool:
        address, own_id = address_of(session), text_of(session.id)
        now = found.get(address, ())
        if not address or not now:
            return bool(address)
        if len(now) > 1:
            # As behind a proxy: only IDs tell them apart.
            return bool(own_id) and all(text_of(one.id) not in {"", own_id} for one in now)
        outcome = judge(before, session, after, now, None)
        return outcome is not None and outcome.reason == ANOTHER

    return sum(not has_ended(session) for session in before.sessions)


def title_of(name: str, instance_id: str) -> str:
    """Return the name and the ID of an instance."""
    return f"{name} ({instance_id})" if name else instance_id


def name_of(client: Client, instance_id: str) -> str:
    """Return the name of an instance, or an empty string if it cannot be read."""
    try:
        return text_of(client.get_instance(instance_id).name)
    except DcsSessionsError:
        return ""


def short_id(text: str) -> str:
    """Return the end of a long ID, the part that differs."""
    return text if len(text) <= 12 else f"…{text[-11:]}"


def overview(
    instance: str, filters: str, counted: Iterable[Counted], *, terminal: bool
) -> Iterator[str]:
    """Yield the lines of the overview."""
    width = terminal_width() if terminal else None
    yield f"{'Instance':<9}{printable(instance)}"
    if filters:
        yield f"{'Filter':<9}{printable(filters)}"
    for each in counted:
        if each.counts:
            yield each.line(width)
