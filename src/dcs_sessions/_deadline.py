"""Time limits that span several requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dcs_sessions._errors import ApiTimeoutError

if TYPE_CHECKING:
    from dcs_sessions._wire import Request


class Deadline:
    """The moment at which a call has to be over, retries and waiting included."""

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left, never less than zero."""
        return max(0.0, self._end - time.monotonic())

    def require(self, request: Request) -> float:
        """Return the seconds that one request may take.

        Raises:
            ApiTimeoutError: No time is left.
        """
        left = min(self.remaining(), request.timeout)
        if left <= 0:
            msg = f"{request.method} {request.url}: no time left of {self.seconds:g} s"
            raise ApiTimeoutError(msg, may_have_arrived=False)
        return left
