"""Waiting, and concurrent calls in tasks, for the async client.

`_threads.py` has the same names for the sync client. The client itself is written once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

from dcs_sessions._renewal import Renewal
from dcs_sessions._transports._fetching import start, too_late

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcs_sessions._deadline import Deadline
    from dcs_sessions._renewal import Step
    from dcs_sessions._transports._exchange import TransportConfig

T = TypeVar("T")
R = TypeVar("R")
Work: TypeAlias = Callable[[T], Coroutine[Any, Any, R]]

sleep = asyncio.sleep


async def settle(step: Step, config: TransportConfig, deadline: Deadline) -> None:
    """Start or wait for a fetch of credentials.

    Args:
        step: A fetch to start, or one to wait for.
        config: Settings of connections.
        deadline: Deadline of the call.

    Raises:
        ApiTimeoutError: The fetch took too long.
    """
    if isinstance(step, Renewal):
        start(step, config, asyncio.get_running_loop())
        return
    waiter = asyncio.wrap_future(step)
    try:
        done, _ = await asyncio.wait({waiter}, timeout=deadline.remaining())
    finally:
        waiter.cancel()
    if not done:
        raise too_late(deadline)


class AsyncSideBySide(Generic[T, R]):
    """Calls a function for each item, in tasks, and iterates over results as they arrive.

    Tasks are started when a result is requested. Those still running at the end of the block are
    cancelled.

    Args:
        function: Called with one item.
        items: Taken one by one. More may appear while results are read.
        limit: Returns the maximum number of running calls; called before each.
    """

    def __init__(
        self,
        function: Work[T, R],
        items: Iterable[T],
        limit: Callable[[], int],
    ) -> None:
        self._function = function
        self._items = items
        self._limit = limit
        self._done: asyncio.Queue[asyncio.Task[R]] = asyncio.Queue()
        self._running: dict[asyncio.Task[R], T] = {}

    async def __aenter__(self) -> Self:
        """Return self."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel running calls."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def __aiter__(self) -> Self:
        """Return self."""
        return self

    async def __anext__(self) -> tuple[T, R]:
        """Return the next finished item with its result, or raise the exception of its call."""
        self.start()
        if not self._running:
            raise StopAsyncIteration
        task = await self._done.get()
        return self._running.pop(task), task.result()

    def start(self) -> None:
        """Start calls before a result is requested, if there are items and the limit allows."""
        for item in self._items if len(self._running) < self._limit() else ():
            task = asyncio.create_task(self._function(item))
            task.add_done_callback(self._done.put_nowait)
            self._running[task] = item
            if len(self._running) >= self._limit():
                break
