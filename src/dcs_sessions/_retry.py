"""Which failures are worth another attempt, and when. Only loaded after one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import tenacity

from dcs_sessions._errors import ApiConnectionError, ApiError, ServerError, ThrottledError

if TYPE_CHECKING:
    from dcs_sessions._deadline import Deadline
    from dcs_sessions._options import Retry

_log: Final = logging.getLogger("dcs_sessions")

# Answers of a gateway that could not reach the service, or found it busy.
_PASSING: Final = frozenset({502, 503, 504})


class RetryDecision:
    """Decides for one call whether an error is worth another attempt, and when.

    Its methods are what tenacity asks.
    """

    __slots__ = ("_backoff", "_deadline", "_pause", "_repeatable")

    def __init__(self, retry: Retry, deadline: Deadline, *, repeatable: bool) -> None:
        self._backoff = tenacity.wait_exponential(
            multiplier=retry.wait_initial, max=retry.wait_max
        ) + tenacity.wait_random(0, retry.wait_jitter)
        self._deadline = deadline
        self._repeatable = repeatable
        self._pause = 0.0

    def again(self, state: tenacity.RetryCallState) -> bool:
        """Tell whether there is to be another attempt, and there is time for it."""
        error = state.outcome.exception() if state.outcome is not None else None
        if error is None or not self._may_help(error):
            return False
        asked = error.retry_after if isinstance(error, ApiError) else None
        self._pause = self._backoff(state) if asked is None else asked
        return self._pause < self._deadline.remaining()

    def _may_help(self, error: BaseException) -> bool:
        if isinstance(error, ApiConnectionError):
            return self._repeatable or not error.arrived
        if isinstance(error, ServerError):
            return self._repeatable and error.status in _PASSING
        return isinstance(error, ThrottledError)

    def pause(self, state: tenacity.RetryCallState) -> float:
        """Give the seconds until the next attempt."""
        del state
        return self._pause

    def announce(self, state: tenacity.RetryCallState) -> None:
        """Log that there will be another attempt."""
        error = state.outcome.exception() if state.outcome is not None else None
        _log.info("attempt %d in %.1f s: %s", state.attempt_number + 1, self._pause, error)
