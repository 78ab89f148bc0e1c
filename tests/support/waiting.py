"""Waiting for something to come true, as short as it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

E = TypeVar("E", bound=BaseException)


def wait_until(
    condition: Callable[[], bool], problem: Callable[[], str] | None = None, seconds: float = 20
) -> None:
    """Wait until something is true, and fail with the problem if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, problem() if problem else "it never came true"
        time.sleep(0.005)


def expired(
    error: type[E],
    call: Callable[[float], object],
    arrived: Callable[[], object],
    seconds: float = 0.3,
) -> E:
    """Return the error of a call that reached its timeout after something had arrived.

    On a busy machine a short timeout can pass before the request is sent. The call is then made
    again with a longer one.

    Args:
        error: Expected type.
        call: Called with the timeout in seconds.
        arrived: Whether what the test needs has arrived.
        seconds: First timeout.
    """
    while True:
        with pytest.raises(error) as caught:
            call(seconds)
        if arrived():
            return caught.value
        seconds *= 3
        assert seconds < 60, "nothing arrived"
