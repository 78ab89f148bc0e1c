"""The fields of sessions as rows and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from dcs_sessions._cli._output import Column, Row, duration, size
from dcs_sessions._fields import is_missing

if TYPE_CHECKING:
    import ipaddress
    from collections.abc import Sequence

    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

    IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# The fields of a session, in the order of the contract. A test compares them.
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
# The columns of a row: where the session is from, then its fields.
ROW_FIELDS = ("node_id", "list_time", *FIELDS)
_NUMBERS = ("age", "idle", "sub", "psub", "multi", "qbuf", "qbuf_free", "obl", "oll", "omem")
_PEOPLE = ("addr", "name", "user", "db", "age", "idle", "cmd", "flags", "omem")
# Columns that a narrow terminal leaves out, the first one first. Address, name and idle stay.
_DROPPED = ("flags", "db", "user", "omem", "age", "cmd", "node_id")
_SHOWN: dict[str, Column] = {
    **{name: Column(name, right=True) for name in (*_NUMBERS, "id", "fd", "db")},
    **{name: Column(name, whole=True) for name in ("addr", "peer")},
    **{name: Column(name, show=duration, right=True) for name in ("age", "idle")},
    **{name: Column(name, show=size, right=True) for name in ("omem", "qbuf", "qbuf_free", "obl")},
}


def table_columns(names: Sequence[str] | None, nodes: Sequence[str]) -> list[Column]:
    """Return the columns of a table: those named, or the ones that people need most."""
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
    """Return the columns of CSV: those named, or every field of the contract."""
    return [Column(name) for name in names or ROW_FIELDS]


def row_of(node: NodeSessions, session: Session) -> Row:
    """Return a session as a row. Missing fields are left out, fields unknown to us are kept."""
    row: Row = {"node_id": node.node_id, "list_time": node.time}
    for name in FIELDS:
        value = getattr(session, name)
        if value is None or not is_missing(value):
            row[name] = value
    for name, value in session.additional_properties.items():
        row.setdefault(name, value)
    return row


def host_of(address: str) -> str:
    """Return an address without its port."""
    host, colon, port = address.rpartition(":")
    return host.strip("[]") if colon and port.isdecimal() and host else address


def key_of(address: str) -> tuple[IPAddress, int] | None:
    """Return IP address and port, the same for every notation; None if it has another form."""
    import ipaddress

    host, _, port = address.rpartition(":")
    try:
        number = int(port) if port.isascii() and port.isdecimal() else 0
        return (ipaddress.ip_address(host.strip("[]")), number) if 1 <= number <= 65535 else None
    except ValueError:
        return None
