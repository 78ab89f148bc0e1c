"""Retry policy: which failures are retried, and when."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from dcs_sessions._errors import ApiConnectionError, ApiError, ServerError, ThrottledError

if TYPE_CHECKING:
    from dcs_sessions._errors import DcsSessionsError
    from dcs_sessions._options import Retry

# Statuses of a gateway that could not reach the service, or found it busy.
_PASSING: Final = frozenset({502, 503, 504})
# Seconds between calls that were held back together; doubled with each burst of 429.
_FIRST_GAP: Final = 0.02
_LONGEST_GAP: Final = 1.0
_LEAST_GAP: Final = 0.001
# Seconds within which several 429 are one burst.
_BURST: Final = 0.1


def seconds_until_retry(
    retry: Retry, error: DcsSessionsError, attempt: int, *, repeatable: bool
) -> float | None:
    """Return the seconds to wait before the next attempt, or None for no retry.

    Args:
        retry: The policy.
        error: Error of the attempt.
        attempt: Number of the attempt that failed, from 1.
        repeatable: Whether the call may be sent twice.
    """
    if isinstance(error, ApiConnectionError):
        helps = repeatable or not error.may_have_arrived
    elif isinstance(error, ServerError):
        helps = repeatable and error.status in _PASSING
    else:
        helps = isinstance(error, ThrottledError)
    if not helps or attempt >= retry.attempts:
        return None
    if isinstance(error, ApiError) and error.retry_after is not None:
        return error.retry_after
    # Beyond 2^64 times the first wait, every wait is the maximum.
    backoff = min(retry.wait_max, retry.wait_initial * 2.0 ** min(attempt - 1, 64))
    return backoff + random.uniform(0, retry.wait_jitter)  # noqa: S311 - spreads load, hides nothing


class Pace:
    """Rate of calls: a 429 for one call slows down all calls of a client.

    Copies of a client and its threads share it.
    """

    __slots__ = ("_burst_ends", "_gap", "_next")

    def __init__(self) -> None:
        self._next = 0.0
        self._gap = 0.0
        self._burst_ends = 0.0

    def turn(self) -> float:
        """Return the seconds to wait before a call, and reserve its time."""
        if not self._gap:
            return 0.0
        now = time.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._gap
        return turn - now

    def throttled(self, seconds: float) -> None:
        """Hold back all calls for `seconds`, then release them one by one."""
        now = time.monotonic()
        if now >= self._burst_ends:
            self._gap = min(_LONGEST_GAP, max(_FIRST_GAP, self._gap * 2))
            self._burst_ends = now + max(seconds, _BURST)
        self._next = max(self._next, now + seconds)

    def answered(self) -> None:
        """Speed up a little after a successful call."""
        if self._gap:
            self._gap = self._gap * 0.95 if self._gap > _LEAST_GAP else 0.0
