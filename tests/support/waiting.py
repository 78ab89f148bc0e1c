"""Waiting for something to come true, as short as it takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], bool], problem: Callable[[], str] | None = None, seconds: float = 20
) -> None:
    """Wait until something is true, and fail with the problem if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, problem() if problem else "it never came true"
        time.sleep(0.005)
