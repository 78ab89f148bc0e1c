"""Sessions named by address, or as rows on standard input."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any, cast

import attrs
import click

from dcs_sessions._cli._columns import key_of
from dcs_sessions._fields import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

_ADDRESS = re.compile(r"(?:([0-9.]+)|\[([^\[\]]*:[^\[\]]*)\]):([1-9][0-9]{0,4})", re.ASCII)
# Fields that a row needs to be compared with the current list.
_NEEDED = ("node_id", "list_time", "age")


@attrs.define
class Named:
    """The addresses and rows that were named.

    Attributes:
        addresses: Plain addresses, each once.
        lists: Rows, grouped by the list they are from.
    """

    addresses: list[str]
    lists: list[NodeSessions]


def read_named(arguments: Iterable[str], nodes: tuple[str, ...]) -> Named:
    """Return the sessions named by arguments; `-` reads standard input.

    Args:
        arguments: The arguments.
        nodes: IDs of the nodes that rows may be of; empty for any.

    Raises:
        click.UsageError: An argument or line is neither an address nor a row. It is named.
    """
    addresses: dict[str, None] = {}
    rows: dict[tuple[str, str], dict[str, Session]] = {}
    for argument in arguments:
        if argument != "-":
            addresses[_checked(argument, "")] = None
            continue
        for where, line in _lines():
            if line.startswith("{"):
                node_id, time, session = _row(line, where, nodes)
                rows.setdefault((node_id, time), {})[line] = session
            else:
                addresses[_checked(line, where)] = None
    lists = [_list(*of, list(found.values())) for of, found in rows.items()]
    return Named(list(addresses), _newest(lists))


def _lines() -> Iterator[tuple[str, str]]:
    for number, raw in enumerate(sys.stdin.buffer, 1):
        line = raw.decode("utf-8", "backslashreplace").strip()
        if line:
            yield f"line {number} of standard input: ", line


def _checked(text: str, where: str) -> str:
    if key_of(text) is None or not _ADDRESS.fullmatch(text):
        rows = ", nor a row of query -o jsonl" if where else ""
        raise click.UsageError(
            f"{where}{text[:80]!r} is not an address as ip:port or [ip6]:port{rows}"
        )
    return text


def _row(line: str, where: str, nodes: tuple[str, ...]) -> tuple[str, str, Session]:
    from dcs_sessions_api.models import Session

    def refused(why: str) -> click.UsageError:
        return click.UsageError(f"{where}{why}")

    try:
        fields = cast("dict[str, Any]", json.loads(line))
    except (ValueError, RecursionError):
        raise refused(
            "the row is not JSON: use query -o jsonl, which prints one row a line"
        ) from None
    missing = [name for name in _NEEDED if fields.get(name) is None]
    if not (fields.get("peer") or fields.get("addr")):
        missing.append("peer")
    if missing:
        raise refused(f"the row has no {', '.join(missing)}: use whole rows, without --columns")
    node_id, time = fields.pop("node_id"), fields.pop("list_time")
    if not isinstance(node_id, str) or not isinstance(time, str):
        raise refused("node_id and list_time of the row must be strings")
    if nodes and node_id not in nodes:
        raise refused(f"the row is of node {node_id}, which is not among --node")
    try:
        return node_id, time, Session.from_dict(fields)
    except (TypeError, ValueError, AttributeError):
        raise refused("the row is not a session as query -o jsonl prints it") from None


def _newest(lists: Iterable[NodeSessions]) -> list[NodeSessions]:
    """Return the lists without sessions that a newer list of the node has too.

    Without this, a session in the rows of two queries would be counted twice.
    """
    from dcs_sessions._ending import address_of

    seen: set[tuple[str, str, str]] = set()
    kept: list[NodeSessions] = []
    for node in sorted(lists, key=lambda node: node.time or "", reverse=True):
        keys = [(node.node_id, address_of(one), text_of(one.id)) for one in node.sessions]
        sessions = [one for one, key in zip(node.sessions, keys, strict=True) if key not in seen]
        seen.update(keys)
        if sessions:
            kept.append(attrs.evolve(node, sessions=sessions))
    return kept


def _list(node_id: str, time: str, sessions: list[Session]) -> NodeSessions:
    """Return rows as a list. When it was read by our clock is not known."""
    from dcs_sessions._results import NodeSessions

    return NodeSessions(node_id, None, time, sessions, asked_at=math.inf, read_at=math.inf)
