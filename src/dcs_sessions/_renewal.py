"""Credentials that expire: fetched once for all callers, renewed early, never used too late.

A fetch runs on a thread of its own, so that a caller that stops waiting does not stop it, and the
same code serves threads, event loops and `httpx`. A flow yields the `Renewal`; the code that drives
the flow starts it, and waits for it if the flow needs the result.
"""

from __future__ import annotations

import concurrent.futures
import inspect
import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import attrs

from dcs_sessions._errors import (
    ApiConnectionError,
    ApiError,
    ConfigurationError,
    DcsSessionsError,
    bare,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    from dcs_sessions._wire import Reply, Request

_log: Final = logging.getLogger("dcs_sessions")

# Timeout in seconds of a whole fetch.
FETCH_SECONDS: Final = 20.0
# Credentials are not used in the last seconds: the service checks a request when it arrives.
_MARGIN_SECONDS: Final = 60.0
# Credentials are renewed when a quarter of their lifetime is left, but not earlier than this.
_RENEW_SECONDS: Final = 40 * 60.0
# Seconds between two attempts to renew credentials that are still valid: the first, the maximum.
_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 300.0
_CANCELLED: Final = "what the function waits for was cancelled"


class Survivor(Protocol):
    """An object with locks, which another thread may hold when the process forks."""

    def after_fork(self) -> None:
        """Create new locks."""


_survivors: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def survive_fork(survivor: Survivor) -> None:
    """Create the locks of an object, now and after each fork."""
    survivor.after_fork()
    _survivors.add(survivor)


class Credential(Protocol):
    """A credential that can be renewed."""

    @property
    def expires(self) -> float:
        """Seconds since 1970 at which it expires; infinity for never."""
        ...


C = TypeVar("C", bound=Credential)


@attrs.frozen
class Tools:
    """Means of a fetch.

    Attributes:
        send: Sends a request and returns the reply, whatever its status.
        loop: The event loop that waits for the fetch, or None.
    """

    send: Callable[[Request], Reply]
    loop: asyncio.AbstractEventLoop | None

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function of the user, which may be async if there is an event loop.

        Raises:
            ConfigurationError: The function is async, and there is no event loop; or what it waits
                for was cancelled.
            CancelledError: The event loop has been closed or is being closed.
        """
        try:
            found = function()
        except concurrent.futures.CancelledError:
            raise ConfigurationError(_CANCELLED) from None
        if not inspect.isawaitable(found):
            return found
        if self.loop is None:
            if inspect.iscoroutine(found):
                found.close()
            raise ConfigurationError("the function is async: use an AsyncClient")
        import asyncio

        async def result() -> Any:
            try:
                return await found
            except (asyncio.CancelledError, concurrent.futures.CancelledError):
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise  # by a loop that is being closed, as far as is known
                # The next call would fail the same way, and at once.
                raise ConfigurationError(_CANCELLED) from None

        waiting = result()
        try:
            future = asyncio.run_coroutine_threadsafe(waiting, self.loop)
        except RuntimeError:  # the loop has been closed since
            waiting.close()
            if inspect.iscoroutine(found):
                found.close()
            raise concurrent.futures.CancelledError from None
        try:
            return future.result(FETCH_SECONDS)
        finally:
            future.cancel()


class Renewal:
    """One fetch, shared by all callers that wait for it.

    Attributes:
        done: Finished when the fetch is. It has no value: get the credential again.
        failure: Error of the fetch, or None.
    """

    def __init__(self, work: Callable[[Tools | DcsSessionsError], DcsSessionsError | None]) -> None:
        self._work = work
        self.failure: DcsSessionsError | None = None
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()
        # A task that is cancelled while it waits must not cancel the fetch for others.
        self.done.set_running_or_notify_cancel()

    def run(self, tools: Tools | DcsSessionsError) -> None:
        """Fetch, or fail with an error. It is not raised here, but to the callers that wait."""
        try:
            self.failure = self._work(tools)
        finally:
            self.done.set_result(None)

    def give_up(self, why: str) -> None:
        """Finish without fetching."""
        self.run(ConfigurationError(why))


# A flow also yields these: a fetch to start, and a fetch to wait for.
Step = Renewal | concurrent.futures.Future[None]


class Renewed(Generic[C]):
    """A credential, renewed before it expires.

    Args:
        problem: Beginning of error messages, such as "no token from TokenAuth".
        fetch: Fetches a new one.
    """

    def __init__(self, problem: str, fetch: Callable[[Tools], C]) -> None:
        self._problem = problem
        self._fetch = fetch
        # The credential, and the time to renew it, in seconds since 1970.
        self._current: tuple[C, float] | None = None
        self._failures = 0
        self._not_before = 0.0
        survive_fork(self)

    def after_fork(self) -> None:
        """Discard the fetches of the parent process: its threads do not exist in the child."""
        self._lock = threading.Lock()
        self._pending: Renewal | None = None

    def get(self) -> Generator[Step, Any, C]:
        """Return a valid credential, after yielding fetches to start or wait for.

        Raises:
            ConfigurationError: No credential could be fetched.
        """
        awaited: Renewal | None = None
        while True:
            now = time.time()
            current = self._current
            if current is not None and now < current[1]:
                return current[0]
            with self._lock:
                current = self._current
                usable = current is not None and now < current[0].expires - _MARGIN_SECONDS
                if not usable and awaited is not None and awaited.failure is not None:
                    raise self._error(awaited.failure)
                renewal = self._pending
                mine = renewal is None and (not usable or time.monotonic() >= self._not_before)
                if mine:
                    renewal = self._pending = Renewal(self._renew)
            if mine and renewal is not None:
                yield renewal
            if usable and current is not None:
                return current[0]
            if renewal is not None:
                awaited = renewal
                yield renewal.done

    def discard(self, credential: C) -> None:
        """Discard a credential that the service refused as expired, unless there is a newer one."""
        with self._lock:
            if self._current is not None and self._current[0] is credential:
                self._current = None

    def _renew(self, tools: Tools | DcsSessionsError) -> DcsSessionsError | None:
        """Fetch a credential and keep it. Return the error, or None."""
        fetched: C | None = None
        failure: DcsSessionsError | None = None
        try:
            if isinstance(tools, DcsSessionsError):
                raise tools
            fetched = self._fetch(tools)
            if fetched.expires - time.time() <= _MARGIN_SECONDS:
                failure = ConfigurationError(
                    "the credential has expired or expires within a minute, by this machine's clock"
                )
        except concurrent.futures.CancelledError:
            pass  # the event loop of the caller was closed: the next call starts another fetch
        except DcsSessionsError as error:
            failure = error
        except BaseException as error:  # noqa: BLE001 - also what a function of the user raises
            failure = ConfigurationError(f"the function raised {type(error).__name__}")
            failure.__cause__ = error
        with self._lock:
            self._pending = None
            if fetched is not None and failure is None:
                left = fetched.expires - time.time()
                early = max(_MARGIN_SECONDS, min(_RENEW_SECONDS, left / 4))
                self._current = fetched, fetched.expires - early
                self._failures = 0
            elif failure is not None:
                self._failures += 1
                pause = min(_PAUSE_SECONDS * 2 ** (self._failures - 1), _LONGEST_PAUSE_SECONDS)
                self._not_before = time.monotonic() + pause
        if failure is None:
            return None
        _log.info("%s: %s", self._problem, failure)
        return bare(failure)

    def _error(self, failure: DcsSessionsError) -> ConfigurationError:
        """Return a new error for each caller: many may wait for the same fetch."""
        error = ConfigurationError(f"{self._problem}: {failure}")
        # The message has all of our own errors; a response of the service is kept as the cause.
        cause = failure if isinstance(failure, ApiError | ApiConnectionError) else failure.__cause__
        error.__cause__ = cause
        return error


def _after_fork() -> None:
    for survivor in list(_survivors):
        survivor.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
