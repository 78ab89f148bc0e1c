"""Virtual time, in which hours pass in no time."""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVarTuple

Arguments = TypeVarTuple("Arguments")

_REAL_MONOTONIC = time.monotonic


class Clock:
    """Virtual time, for the event loop and for `time.monotonic()`, in the thread that makes it.

    Other threads go on in real time. An event loop there, such as that of a shared emulator, would
    plan its next step in a time that does not come for minutes.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self._thread = threading.get_ident()

    def monotonic(self) -> float:
        return self.now if threading.get_ident() == self._thread else _REAL_MONOTONIC()


class _Selector(selectors.SelectSelector):
    """A selector that does not wait, since virtual time has passed already."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits for ever"
        if timeout > 0:
            # Never a rounding error less than what was waited for.
            self._clock.now += timeout + 1e-9
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, in which timers of the same moment keep their order."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(_Selector(clock))
        self._virtual = clock
        self._timers = 0

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        self._timers += 1
        return super().call_at(when + self._timers * 1e-11, callback, *args, context=context)

    def time(self) -> float:
        return self._virtual.now
