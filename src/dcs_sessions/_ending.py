"""Comparison of a session with the one that was chosen, and the result of ending it."""

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
from dcs_sessions._options import is_fit
from dcs_sessions._retry import seconds_until_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dcs_sessions._errors import DcsSessionsError
    from dcs_sessions._options import Retry
    from dcs_sessions._results import NodeSessions
    from dcs_sessions_api.models import Session

# Seconds by which the growth of an age may differ from the time between two lists. Ages are in full
# seconds, from a clock that a busy server reads late: one second. Times of lists may be in full
# seconds as well: another second.
_TOLERANCE: Final = 2.0

# Statuses of requests that the service has not carried out.
_NOT_DONE: Final = frozenset({400, 401, 403, 404, 413, 429})
# Codes of a request with too many addresses, besides 413: a parameter is out of range. No source
# names the maximum.
_TOO_LARGE: Final = frozenset({"DCS.4062", "DCS.4063", "DCS.4800", "APIGW.0201"})
# "A job is still running": another query of the node.
_BUSY: Final = "DCS.4957"

Result = Literal["ended", "gone", "spared", "refused", "unknown", "stopped"]


@attrs.frozen(eq=False)
class Outcome:
    """Result of ending a session.

    Attributes:
        node_id: ID of the node.
        session: The session as it was chosen.
        result: `ended`: the service ended it. `gone`: it had disconnected before. `spared`: it was
            not ended, for the reason given. `refused`: the service refused, and did not end it.
            `unknown`: the request may have arrived, so it may have been ended. `stopped`: no
            request was sent, because of an earlier error.
        reason: Why it was not ended, or an empty string.
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
        """The address sent to the service: `peer`, or else `addr`."""
        return address_of(self.session)


def address_of(session: Session) -> str:
    """Return the address sent to the service to end a session."""
    return text_of(session.peer) or text_of(session.addr)


# Sameness


def by_address(sessions: Iterable[Session]) -> dict[str, list[Session]]:
    """Return sessions by the address that ends them."""
    found: dict[str, list[Session]] = {}
    for session in sessions:
        found.setdefault(address_of(session), []).append(session)
    return found


ANOTHER: Final = "another session has its address now"


def judge(
    chosen: NodeSessions,
    session: Session,
    look: NodeSessions,
    found: Sequence[Session],
    fits: Callable[[Session], bool] | None,
) -> Outcome | None:
    """Return why a session must not be ended, or None if it may be.

    Args:
        chosen: The list that the session was chosen from.
        session: The session as it was chosen.
        look: The current list.
        found: Sessions of the current list with the same address.
        fits: Returns whether a session still matches; None for any that is the same.

    Returns:
        The reason, or None.
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
        return spared(ANOTHER)
    changed = next((name for name in ("name", "user") if _changed(session, now, name)), None)
    if changed is not None:
        return spared(f"its {changed} has changed")
    if not _is_enough(chosen, session, look, now):
        return spared(
            "the list has too few fields to be sure that it is the same session", missed=True
        )
    if fits is not None and not is_fit(fits, now):
        return spared("it no longer matches")
    return None


def _id_changed(before: Session, now: Session) -> bool:
    return bool(text_of(before.id)) and bool(text_of(now.id)) and _changed(before, now, "id")


def _changed(before: Session, now: Session, name: str) -> bool:
    """Return whether a field has changed. A missing value equals an empty one."""
    value = getattr(before, name)
    return not is_missing(value) and text_of(value) != text_of(getattr(now, name))


def _age_fits(chosen: NodeSessions, before: Session, look: NodeSessions, now: Session) -> bool:
    """Return whether the age has grown by the time between two lists, as far as it is known."""
    ages = number_of(before.age), number_of(now.age)
    elapsed = _elapsed(chosen, look)
    if ages[0] is None or ages[1] is None or elapsed is None:
        return True
    grown = ages[1] - ages[0]
    # The lists were made at least this far apart, whatever their times.
    least = look.asked_at - chosen.read_at
    slack = _TOLERANCE
    if text_of(before.id):
        # With the same ID, only a restarted server can have assigned it to another session. So
        # the duration of queries may be allowed for.
        slack += _blur(chosen, look)
    return max(elapsed, least) - slack <= grown <= elapsed + slack


def _blur(chosen: NodeSessions, look: NodeSessions) -> float:
    """Return the error in seconds of the time between two lists.

    A list is made at some time during its query; no source states which time it has.
    """
    return sum(max(0.0, node.read_at - node.asked_at) for node in (chosen, look))


def _is_enough(chosen: NodeSessions, before: Session, look: NodeSessions, now: Session) -> bool:
    """Return whether ID and age prove that it is the same session.

    A session that reuses an address connects after the first list was made. So without an ID, the
    age tells the two apart, if the first one is older than the error of ages and times.
    """
    age = number_of(before.age)
    if age is None or number_of(now.age) is None or _elapsed(chosen, look) is None:
        return False
    if text_of(before.id):
        return bool(text_of(now.id))
    # Our own clock does not know how old a saved list was when it was read.
    apart = _seconds_apart(chosen, look)
    return apart is not None and age > _TOLERANCE + 1 + _blur(chosen, look)


def _elapsed(chosen: NodeSessions, look: NodeSessions) -> float | None:
    """Return the seconds between two lists: by their times, or else by our own clock."""
    apart = _seconds_apart(chosen, look)
    if apart is not None:
        return apart
    elapsed = look.read_at - chosen.read_at
    return elapsed if elapsed >= 0 else None


def _seconds_apart(chosen: NodeSessions, look: NodeSessions) -> float | None:
    """Return the seconds between two lists by their times, or None if these are not known."""
    before, now = _moment(chosen.time), _moment(look.time)
    if before is None or now is None or bool(before.tzinfo) != bool(now.tzinfo):
        return None
    return (now - before).total_seconds()


@functools.lru_cache(maxsize=64)  # called for each session, with the same value for a whole list
def _moment(time: str | None) -> datetime.datetime | None:
    """Parse the time of a list, which has two formats in the vendor's examples."""
    try:
        return None if time is None else datetime.datetime.fromisoformat(time)
    except ValueError:
        return None


# Errors


def is_refusal(error: DcsSessionsError) -> bool:
    """Return whether the request cannot have ended a session."""
    if isinstance(error, ApiConnectionError):
        return not error.may_have_arrived
    if isinstance(error, ApiError):
        return error.status in _NOT_DONE
    return isinstance(error, InvalidArgumentError)


def seconds_until_next_look(retry: Retry, error: DcsSessionsError, failures: int) -> float | None:
    """Return the seconds to wait before the next query and request, or None for no retry.

    Args:
        retry: The policy of the client.
        error: Error of the request.
        failures: Number of consecutive failures.
    """
    if isinstance(error, BadRequestError) and error.error_code == _BUSY:
        # The next query waits for the one that was running.
        return 0.0 if failures < retry.attempts else None
    return seconds_until_retry(retry, error, failures, repeatable=False)


def is_too_large(error: DcsSessionsError) -> bool:
    """Return whether a request may have been refused for its number of addresses."""
    return isinstance(error, ApiError) and (
        error.status == 413 or (error.status == 400 and error.error_code in _TOO_LARGE)
    )
