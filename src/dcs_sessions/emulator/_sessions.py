"""Conversion of `CLIENT LIST` of a node to sessions of the DCS API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Session = dict[str, str | int]
"""A session as in ListClients: 21 fields, counters as `int`, all others as `str`.

Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ListClients.html, table 4.
"""

# Field of the API -> field of CLIENT LIST, and its default if the server does not have it.
_TEXT: Mapping[str, tuple[bytes, str]] = {
    "id": (b"id", ""),
    "addr": (b"addr", ""),
    "fd": (b"fd", ""),
    "name": (b"name", ""),
    "cmd": (b"cmd", ""),
    "db": (b"db", "0"),
    "flags": (b"flags", "N"),
    "events": (b"events", ""),
    # `addr` may be an internal address of the service; `peer` is the one to end the session by.
    # Without a proxy they are equal.
    "peer": (b"addr", ""),
    "user": (b"user", "default"),
}
_NUMBERS: Mapping[str, tuple[bytes, int]] = {
    "age": (b"age", 0),
    "idle": (b"idle", 0),
    "sub": (b"sub", 0),
    "psub": (b"psub", 0),
    "multi": (b"multi", -1),
    "qbuf": (b"qbuf", 0),
    "qbuf_free": (b"qbuf-free", 0),
    "obl": (b"obl", 0),
    "oll": (b"oll", 0),
    "omem": (b"omem", 0),
}
_NETWORK = "vpc"  # the only value in the documents

FIELDS = frozenset((*_TEXT, *_NUMBERS, "network"))
"""Names of the fields of a session, by which ListClients can sort."""

# Strings that are sorted as numbers: "10" comes after "9".
_NUMERIC_TEXT = frozenset(("id", "fd", "db"))


class ClientListError(ValueError):
    """The reply is not that of `CLIENT LIST`."""


def parse_client_list(reply: bytes) -> list[Session]:
    r"""Return the sessions in a reply of `CLIENT LIST`.

    Fields may be in any order, unknown ones are ignored, and a value may contain `=`. Bytes that
    are not UTF-8, as in names, become `\xNN`. A field that an old server does not have gets its
    default.

    See https://valkey.io/commands/client-list/.

    Raises:
        ClientListError: A line has no ID or address, or a counter is not a number.
    """
    # Only a line feed ends a line: splitlines() would split at bytes that a name may contain.
    return [_parse_line(line) for line in reply.split(b"\n") if line.strip()]


def _parse_line(line: bytes) -> Session:
    values: dict[bytes, bytes] = {}
    for item in line.strip(b"\r").split(b" "):
        name, equals, value = item.partition(b"=")
        # The first of two equal names counts: fields of the server precede those that a client
        # could inject.
        if equals and name not in values:
            values[name] = value
    if not values.get(b"id", b"").isdigit() or not values.get(b"addr"):
        raise ClientListError("CLIENT LIST: a line without an id or an address")

    session: Session = {
        field: values[key].decode("utf-8", "backslashreplace") if key in values else default
        for field, (key, default) in _TEXT.items()
    }
    try:
        for field, (key, missing) in _NUMBERS.items():
            session[field] = int(values[key]) if key in values else missing
    except ValueError:
        raise ClientListError("CLIENT LIST: a counter that is not a number") from None
    session["network"] = _NETWORK
    return session


@attrs.frozen
class Snapshot:
    """The sessions of a node at one time.

    Attributes:
        time: Time of the list in UTC: `2023-06-15T03:10:01.332Z`.
        sessions: The sessions, by ascending ID.
    """

    time: str
    sessions: Sequence[Session]

    @classmethod
    def of(cls, sessions: Sequence[Session]) -> Snapshot:
        """Return a snapshot of the current sessions."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return cls(now, sorted(sessions, key=lambda session: int(session["id"])))

    def page(
        self, *, offset: int, limit: int, addr: str | None, sort: str, descending: bool
    ) -> tuple[list[Session], int]:
        """Return a page of the list, and the number of all sessions that match."""
        found = [session for session in self.sessions if addr is None or _matches(session, addr)]
        # Sorting is stable in both directions, so that pages never overlap.
        found.sort(key=_sort_key(sort), reverse=descending)
        return found[offset : offset + limit], len(found)


def _matches(session: Session, addr: str) -> bool:
    # No document states how `addr` matches. Here: an address with its port, exactly, or an address
    # with any port. A part of an address matches nothing, an empty string everything.
    full = str(session["addr"])
    host = full.rpartition(":")[0]
    return addr in ("", full, host, host.strip("[]"))


def _sort_key(field: str) -> Callable[[Session], tuple[bool, int, str]]:
    def key(session: Session) -> tuple[bool, int, str]:
        value = session[field]
        if isinstance(value, int):
            return False, value, ""
        if field in _NUMERIC_TEXT:
            try:
                return False, int(value), ""
            except ValueError:
                return True, 0, value
        return True, 0, value

    return key
