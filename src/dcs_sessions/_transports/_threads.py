"""Waiting, and running calls side by side, in threads: for the sync client.

`_tasks.py` has the same names for the async client. The client itself is written once.
"""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, Self, TypeAlias, TypeVar

import attrs

from dcs_sessions._renewal import Renewal
from dcs_sessions._transports._fetching import start, too_late

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from contextlib import AbstractContextManager

    from dcs_sessions._deadline import Deadline
    from dcs_sessions._renewal import Step
    from dcs_sessions._transports._exchange import TransportConfig

T = TypeVar("T")
R = TypeVar("R")
Work: TypeAlias = Callable[[T], R]

# Seconds to wait for threads whose calls have been interrupted. Those that connect go on alone.
_JOIN_SECONDS: Final = 1.0


class Stopped(BaseException):
    """Unwinds a thread whose result nobody waits for any more."""


class Scope:
    """What threads that run side by side have in common: they can be interrupted together."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._interrupts: set[Callable[[], None]] = set()

    def stop(self) -> None:
        """Interrupt whatever the threads are doing, and refuse to begin anything new."""
        with self._lock:
            self._stopped.set()
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            interrupt()

    @contextlib.contextmanager
    def interruptible(self, interrupt: Callable[[], None]) -> Generator[None]:
        """Call `interrupt` from another thread if the scope is stopped during the block."""
        with self._lock:
            if self._stopped.is_set():
                raise Stopped
            self._interrupts.add(interrupt)
        try:
            yield
        finally:
            with self._lock:
                self._interrupts.discard(interrupt)

    def sleep(self, seconds: float) -> None:
        """Wait, but not after the scope has been stopped."""
        if self._stopped.wait(seconds):
            raise Stopped


# The scope of the present thread, if it has one.
_scope: Final = contextvars.ContextVar[Scope | None]("scope", default=None)
_NOTHING: Final = contextlib.nullcontext()


def interruptible(interrupt: Callable[[], None]) -> AbstractContextManager[None]:
    """Call `interrupt` if what this thread does in the block is not wanted any more."""
    within = _scope.get()
    return _NOTHING if within is None else within.interruptible(interrupt)


def sleep(seconds: float) -> None:
    """Wait for `seconds`."""
    within = _scope.get()
    if within is None:
        time.sleep(seconds)
    else:
        within.sleep(seconds)


def settle(step: Step, config: TransportConfig, deadline: Deadline) -> None:
    """Do what the credentials ask for besides requests.

    Args:
        step: A fetch to be started, or one to be waited for.
        config: How connections are made.
        deadline: When to stop waiting.

    Raises:
        ApiTimeoutError: The fetch took too long.
    """
    if isinstance(step, Renewal):
        start(step, config, None)
        return
    over = threading.Event()
    step.add_done_callback(lambda _: over.set())
    with interruptible(over.set):
        if not over.wait(deadline.remaining()):
            raise too_late(deadline)
    if not step.done():
        raise Stopped


@attrs.frozen
class _Done(Generic[T, R]):
    item: T
    result: R | None = None
    error: BaseException | None = None


class SideBySide(Generic[T, R]):
    """Calls a function for each item, in threads, and iterates over the results as they come.

    Threads are started when a result is asked for. What is still running when the block is left is
    interrupted.

    Args:
        function: Called with one item.
        items: Taken one by one. More may appear while results are being read.
        limit: Returns how many calls may be under way; asked before each.
    """

    def __init__(self, function: Work[T, R], items: Iterable[T], limit: Callable[[], int]) -> None:
        self._function = function
        self._items = items
        self._limit = limit
        self._done: queue.SimpleQueue[_Done[T, R]] = queue.SimpleQueue()
        self._running: set[threading.Thread] = set()
        self._under_way = 0
        self._scope = Scope()

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Interrupt the calls that are under way."""
        self._scope.stop()
        end = time.monotonic() + _JOIN_SECONDS
        for thread in list(self._running):
            thread.join(max(0.0, end - time.monotonic()))

    def __iter__(self) -> Self:
        """Return the object itself."""
        return self

    def __next__(self) -> tuple[T, R]:
        """Return the next item that is done, with its result; raise what its call raised."""
        self.start()
        if not self._under_way:
            raise StopIteration
        done = self._done.get()
        self._under_way -= 1
        if done.error is not None:
            raise done.error
        return done.item, done.result  # type: ignore[return-value]  # there is no error

    def start(self) -> None:
        """Start calls before a result is asked for, if there are items and the limit allows."""
        for item in self._items if self._under_way < self._limit() else ():
            # A thread of the interpreter's own pool would keep the program from ending.
            thread = threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._run, item),
                name="dcs-sessions",
                daemon=True,
            )
            self._under_way += 1
            self._running.add(thread)
            thread.start()
            if self._under_way >= self._limit():
                break

    def _run(self, item: T) -> None:
        try:
            with interruptible(self._scope.stop):
                _scope.set(self._scope)
                done = _Done[T, R](item, self._function(item))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            done = _Done[T, R](item, error=error)
        self._running.discard(threading.current_thread())
        self._done.put(done)
