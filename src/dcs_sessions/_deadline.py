"""Deadlines of calls with several requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dcs_sessions._errors import ApiTimeoutError

if TYPE_CHECKING:
    from dcs_sessions._wire import Request


class Deadline:
    """The time at which a call must end, retries and waiting included."""

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds: float = seconds
        self._end: float = time.monotonic() + seconds

    def __str__(self) -> str:
        """Return its seconds for messages."""
        return f"{round(self.seconds, 3):g} s"

    def remaining(self) -> float:
        """Return the remaining seconds, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def require(self, request: Request) -> float:
        """Return the timeout in seconds of one request.

        Raises:
            ApiTimeoutError: The deadline has passed.
        """
        left = min(self.remaining(), request.timeout)
        if left <= 0:
            raise ApiTimeoutError(
                f"{request.method} {request.url}: no time left of {self}",
                may_have_arrived=False,
            )
        return left
