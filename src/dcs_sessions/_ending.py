"""Who is ended: whether a session is surely the one that was chosen, and what became of it."""

from __future__ import annotations

import datetime
import functools
from typing import TYPE_CHECKING, Final, Literal

import attrs

from dcs_sessions._errors import (
    ApiConnectionError,
    ApiError,
    BadRequestError,
    InvalidArgumentError,
)
from dcs_sessions._fields import is_missing, number_of, text_of
from dcs_sessions._operations import checked_ids
from dcs_sessions._retry import seconds_until_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dcs_sessions._errors import DcsSessionsError
    from dcs_sessions._options import Retry
    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

# Seconds by which the growth of an age may differ from the time between two lists. Ages are whole
# seconds, taken from a clock that a busy server reads late: one second. Times of lists may be whole
# seconds as well: another one.
_TOLERANCE: Final = 2.0

# Statuses that say that the service has not done what it was asked for.
_NOT_DONE: Final = frozenset({400, 401, 403, 404, 413, 429})
# What a request with too many addresses may be refused with, besides 413: a parameter is out of
# range. No source names the largest number.
_TOO_LARGE: Final = frozenset({"DCS.4062", "DCS.4063", "DCS.4800", "APIGW.0201"})
# "A job is still running": a query of the same node.
_BUSY: Final = "DCS.4957"

Result = Literal["ended", "gone", "spared", "refused", "unknown", "stopped"]


@attrs.frozen(eq=False)
class Outcome:
    """What became of a session that was to be ended.

    Attributes:
        node_id: ID of the node.
        session: The session as it was chosen.
        result: `ended`: the service has ended it. `gone`: it had left before. `spared`: it was left
            alone, for the reason given. `refused`: the service refused, and nothing has ended.
            `unknown`: the request may have arrived, and nobody knows whether it has ended.
            `stopped`: nothing was sent, since something went wrong before its turn.
        reason: Why it was not ended, or empty.
        missed: Whether a session that should have been ended may still be there.
        error: The error that was the reason, or None.
    """

    node_id: str
    session: Session
    result: Result
    reason: str = ""
    missed: bool = False
    error: DcsSessionsError | None = None

    @property
    def address(self) -> str:
        """What the service ends the session by: its `peer`, or else its `addr`."""
        return address_of(self.session)


def address_of(session: Session) -> str:
    """Return what the service ends a session by. Proxies may leave the peer out."""
    return text_of(session.peer) or text_of(session.addr)


# Sameness


def by_address(sessions: Iterable[Session]) -> dict[str, list[Session]]:
    """Sort sessions by what they are ended by."""
    found: dict[str, list[Session]] = {}
    for session in sessions:
        found.setdefault(address_of(session), []).append(session)
    return found


def judge(
    chosen: NodeSessions,
    session: Session,
    look: NodeSessions,
    found: Sequence[Session],
    fits: Callable[[Session], bool] | None,
) -> Outcome | None:
    """Decide whether a session must be left alone.

    Args:
        chosen: The list that the session was chosen from.
        session: The session as it was chosen.
        look: The list of now.
        found: The sessions of that list that have the same address.
        fits: Whether a session is still meant, or None for any that is the same.

    Returns:
        Why it is left alone, or None if it may be ended.
    """

    def spared(reason: str, *, missed: bool = False) -> Outcome:
        return Outcome(chosen.node_id, session, "spared", reason, missed)

    address = address_of(session)
    if not address:
        return spared("it has no address", missed=True)
    try:
        checked_ids("addresses", [address])
    except InvalidArgumentError as error:
        return spared(str(error), missed=True)
    if not found:
        return Outcome(chosen.node_id, session, "gone", "it is gone already")
    if len(found) > 1:
        return spared("several sessions have its address", missed=True)
    now = found[0]
    if _id_changed(session, now) or not _age_fits(chosen, session, look, now):
        return spared("somebody else has its address now")
    changed = next((name for name in ("name", "user") if _changed(session, now, name)), None)
    if changed is not None:
        return spared(f"its {changed} has changed")
    if not _is_enough(chosen, session, look, now):
        return spared("too little is known to be sure that it is the same session", missed=True)
    if fits is not None and not fits(now):
        return spared("it no longer fits")
    return None


def _id_changed(before: Session, now: Session) -> bool:
    return bool(text_of(before.id)) and bool(text_of(now.id)) and _changed(before, now, "id")


def _changed(before: Session, now: Session, name: str) -> bool:
    """Return whether a field that was known has another value now. No value is an empty one."""
    value = getattr(before, name)
    return not is_missing(value) and text_of(value) != text_of(getattr(now, name))


def _age_fits(chosen: NodeSessions, before: Session, look: NodeSessions, now: Session) -> bool:
    """Return whether the age has grown by the time between the two lists, as far as it is known."""
    ages = number_of(before.age), number_of(now.age)
    elapsed = _elapsed(chosen, look)
    if ages[0] is None or ages[1] is None or elapsed is None:
        return True
    grown = ages[1] - ages[0]
    # The lists were made at least so far apart, whatever times they bear.
    least = look.asked_at - chosen.read_at
    slack = _TOLERANCE
    if text_of(before.id):
        # Where the ID is the same, only a server that was started anew can have given it to
        # somebody else. So it does no harm to allow for queries that take longer than others.
        slack += _blur(chosen, look)
    return max(elapsed, least) - slack <= grown <= elapsed + slack


def _blur(chosen: NodeSessions, look: NodeSessions) -> float:
    """Return by how many seconds the time between two lists may be wrong.

    A list is of some moment of its query; no source says of which, nor which one it bears.
    """
    return sum(max(0.0, node.read_at - node.asked_at) for node in (chosen, look))


def _is_enough(chosen: NodeSessions, before: Session, look: NodeSessions, now: Session) -> bool:
    """Return whether ID and age leave no room for somebody else.

    Whoever takes an address connects after the first list was made. So without an ID, the age tells
    the two apart, if the first one was older than the ages and times may be wrong by.
    """
    age = number_of(before.age)
    if age is None or number_of(now.age) is None or _elapsed(chosen, look) is None:
        return False
    if text_of(before.id):
        return bool(text_of(now.id))
    return age > _TOLERANCE + 1 + _blur(chosen, look)


def _elapsed(chosen: NodeSessions, look: NodeSessions) -> float | None:
    """Return the seconds between two lists: by the times they bear, or else by our own clock."""
    before, now = _moment(chosen.time), _moment(look.time)
    if before is not None and now is not None and bool(before.tzinfo) == bool(now.tzinfo):
        return (now - before).total_seconds()
    elapsed = look.read_at - chosen.read_at
    return elapsed if elapsed >= 0 else None


@functools.lru_cache(maxsize=64)  # asked for each session, and the same for a whole list
def _moment(time: str | None) -> datetime.datetime | None:
    """Read the time of a list, which the vendor's examples write in two ways."""
    try:
        return None if time is None else datetime.datetime.fromisoformat(time)
    except ValueError:
        return None


# What an error says


def is_refusal(error: DcsSessionsError) -> bool:
    """Return whether nothing can have ended."""
    if isinstance(error, ApiConnectionError):
        return not error.may_have_arrived
    if isinstance(error, ApiError):
        return error.status in _NOT_DONE
    return isinstance(error, InvalidArgumentError)


def seconds_until_next_look(retry: Retry, error: DcsSessionsError, failures: int) -> float | None:
    """Return how long to wait before another look and request, or None if there should be none.

    Args:
        retry: The policy of the client.
        error: Why the request failed.
        failures: How many requests in a row have failed.
    """
    if isinstance(error, BadRequestError) and error.error_code == _BUSY:
        # The next look waits for the query that was in the way.
        return 0.0 if failures < retry.attempts else None
    return seconds_until_retry(retry, error, failures, repeatable=False)


def is_too_large(error: DcsSessionsError) -> bool:
    """Return whether the service may have refused a request for the number of its addresses."""
    return isinstance(error, ApiError) and (
        error.status == 413 or (error.status == 400 and error.error_code in _TOO_LARGE)
    )
