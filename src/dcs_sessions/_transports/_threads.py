"""Waiting, and concurrent calls in threads, for the sync client.

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

# Seconds to wait for interrupted threads. Those that are connecting are left running.
_JOIN_SECONDS: Final = 1.0


class Stopped(BaseException):
    """Unwinds a thread whose result is not needed any more."""


class Scope:
    """A group of threads that can be interrupted together."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._interrupts: set[Callable[[], None]] = set()

    def stop(self) -> None:
        """Interrupt the threads, and refuse new work."""
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
        """Wait until the scope is stopped at the latest."""
        if self._stopped.wait(seconds):
            raise Stopped


# The scope of the current thread, or None.
_scope: Final = contextvars.ContextVar[Scope | None]("scope", default=None)
_NOTHING: Final = contextlib.nullcontext()


def interruptible(interrupt: Callable[[], None]) -> AbstractContextManager[None]:
    """Call `interrupt` if the work of this thread is not needed any more during the block."""
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
    """Start or wait for a fetch of credentials.

    Args:
        step: A fetch to start, or one to wait for.
        config: Settings of connections.
        deadline: Deadline of the call.

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
    """Calls a function for each item, in threads, and iterates over results as they arrive.

    Threads are started when a result is requested. Those still running at the end of the block are
    interrupted.

    Args:
        function: Called with one item.
        items: Taken one by one. More may appear while results are read.
        limit: Returns the maximum number of running calls; called before each.
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
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Interrupt running calls."""
        self._scope.stop()
        end = time.monotonic() + _JOIN_SECONDS
        for thread in list(self._running):
            thread.join(max(0.0, end - time.monotonic()))

    def __iter__(self) -> Self:
        """Return self."""
        return self

    def __next__(self) -> tuple[T, R]:
        """Return the next finished item with its result, or raise the exception of its call."""
        self.start()
        if not self._under_way:
            raise StopIteration
        done = self._done.get()
        self._under_way -= 1
        if done.error is not None:
            raise done.error
        return done.item, done.result  # type: ignore[return-value]  # there is no error

    def start(self) -> None:
        """Start calls before a result is requested, if there are items and the limit allows."""
        for item in self._items if self._under_way < self._limit() else ():
            # A thread of a `concurrent.futures` pool would keep the program from ending.
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
