"""Sends calls: finds the project, authenticates, retries, paces and logs.

Edited in `_async/_sending.py`; `_sync/_sending.py` is made from it by `make generate`.
"""

from __future__ import annotations

import functools
import itertools
import logging
import math
import platform
import time
import weakref
from typing import TYPE_CHECKING, Final, NoReturn, Self, TypeVar

import attrs

from dcs_sessions import _contract, _operations
from dcs_sessions._deadline import Deadline
from dcs_sessions._errors import (
    ApiConnectionError,
    AuthenticationError,
    ConfigurationError,
    ServerError,
    ThrottledError,
    bare,
)
from dcs_sessions._flow import advance
from dcs_sessions._options import Options, checked_headers, checked_seconds
from dcs_sessions._retry import Pace, seconds_until_retry
from dcs_sessions._tracing import Exchange
from dcs_sessions._transports._exchange import require_fresh
from dcs_sessions._transports._tasks import settle, sleep
from dcs_sessions._wire import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dcs_sessions._auth import Auth
    from dcs_sessions._operations import Call
    from dcs_sessions._results import Response
    from dcs_sessions._transports._own import AsyncSends

T = TypeVar("T")

_log: Final = logging.getLogger("dcs_sessions")

# Seconds for which accepted credentials are assumed to be still valid.
_ACCEPTED_SECONDS: Final = 60.0


@functools.cache
def _user_agent() -> str:
    """Return the User-Agent header of all requests."""
    return f"dcs-sessions/{_contract.version()} python/{platform.python_version()}"


@attrs.define(eq=False)
class _Accepted:
    """The credentials that the service accepted last, and the time.

    It does not keep them alive: a program may create a copy of a client for each of its users.
    """

    auth: Callable[[], Auth | None] = lambda: None
    at: float = -math.inf


@attrs.frozen
class AsyncSender:
    """Sends calls over the connections of a transport.

    Attributes:
        options: Configuration of the client.
        transport: Sends one request. Copies of a client share it.
        projects: Project IDs that were looked up, by region. Copies with the same credentials
            share them.
        pace: Rate of calls. Copies share it.
        accepted: The credentials that the service accepted last. Copies share it.
        fresh: Until when its requests may be sent; None for no limit.
    """

    options: Options
    transport: AsyncSends
    projects: dict[str, str] = attrs.field(factory=dict[str, str])
    pace: Pace = attrs.field(factory=Pace)
    accepted: _Accepted = attrs.field(factory=lambda: _Accepted())
    fresh: Deadline | None = None

    def __getstate__(self) -> NoReturn:
        """Raise `TypeError`: connections belong to the process that opened them."""
        raise TypeError("a client cannot be pickled: make one in each process")

    def with_options(self, options: Options) -> Self:
        """Return a copy with other options."""
        # Other credentials may be those of another account, whose projects are others.
        same = options.auth is self.options.auth
        return attrs.evolve(self, options=options, projects=self.projects if same else {})

    def is_accepted(self) -> bool:
        """Return whether the service has accepted the credentials recently.

        If not, one call must succeed before many are made at a time, so that wrong credentials are
        refused once. Five failures lock a key.
        """
        recent = time.monotonic() - self.accepted.at < _ACCEPTED_SECONDS
        return recent and self.accepted.auth() is self.options.auth

    async def send(
        self,
        build: Callable[..., Call[T]],
        *arguments: object,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> Response[T]:
        """Send the call of one operation, with retries, and return its result.

        Args:
            build: Function of `_operations` that builds the call.
            *arguments: Its arguments after the project ID.
            timeout: Timeout of the call in seconds, with retries and the look-up of the project;
                default: that of the options.
            headers: Headers in addition to those of the options.
            **more: Its keyword arguments.
        """
        options = self.options
        seconds = options.timeout if timeout is None else checked_seconds("timeout", timeout)
        sent = options.headers | checked_headers(headers) if headers else options.headers
        deadline = Deadline(seconds)
        project_id = options.project_id
        if project_id is None:
            build("unknown", *arguments, **more)  # nothing is sent if an argument is invalid
            project_id = await self._find_project(deadline)
        return await self._call(build(project_id, *arguments, **more), deadline, sent)

    async def _find_project(self, deadline: Deadline) -> str:
        """Return the project ID, looked up at the first time."""
        region = self.options.region
        if region is None:
            raise ConfigurationError("pass project_id=, or region= to look it up")
        found = self.projects.get(region)
        if found is None:
            found = await self._project_of_credentials(deadline)
        if found is None:
            call = _operations.find_project(region)
            found = (await self._call(call, deadline, self.options.headers)).parsed
        self.projects[region] = found
        return found

    async def _project_of_credentials(self, deadline: Deadline) -> str | None:
        """Return the project ID of the credentials."""
        steps = self.options.auth.find_project(self.options.scope)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                project_id: str | None = end.value
                return project_id
            await settle(step, self.transport.config, deadline)

    async def _call(
        self, call: Call[T], deadline: Deadline, headers: Mapping[str, str]
    ) -> Response[T]:
        options = self.options
        attempt = 1
        requests = itertools.count()
        while True:
            # A call that ends sessions is sent at once, since it has addresses that were just
            # listed.
            wait = self.pace.turn() if call.repeatable else 0.0
            if 0 < wait < deadline.remaining():
                await sleep(wait)
            try:
                response = call.response(await self._exchange(call, deadline, headers, requests))
            except (ApiConnectionError, ServerError, ThrottledError) as error:
                pause = seconds_until_retry(
                    options.retry, error, attempt, repeatable=call.repeatable
                )
                if isinstance(error, ThrottledError):
                    self.pace.throttled(pause or error.retry_after or 0.0)
                if pause is None or pause >= deadline.remaining():
                    raise
                attempt += 1
                _log.info("attempt %d in %.1f s: %s", attempt, pause, error)
            except AuthenticationError:
                self.accepted.at = -math.inf
                raise
            else:
                self.pace.answered()
                self.accepted.auth = weakref.ref(options.auth)
                self.accepted.at = time.monotonic()
                return response
            await sleep(pause)

    async def _exchange(
        self,
        call: Call[T],
        deadline: Deadline,
        headers: Mapping[str, str],
        requests: Iterator[int],
    ) -> Reply:
        """Send one request, and those that its authentication needs, and return the reply."""
        options = self.options
        request = Request(
            call.method,
            options.identity_origin if call.project_id is None else options.origin,
            call.target,
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": _user_agent(),
                **headers,
            },
            call.body,
            # The identity service is not asked through a proxy that could read the token.
            direct=call.project_id is None and options.identity_origin.startswith("http:"),
            alone=not call.repeatable,
            fresh=self.fresh,
            scope=options.scope,
        )
        if call.body:
            request.headers["Content-Type"] = "application/json"
        if call.project_id is not None:
            request.headers["X-Project-Id"] = call.project_id
        flow = options.auth.flow(request)
        news: Reply | ApiConnectionError | None = None
        while (step := advance(flow, news)) is not None:
            if isinstance(step, Request):
                with Exchange(step, call.operation, next(requests)) as exchange:
                    news = await self._send(step, deadline)
                    if isinstance(news, Reply):
                        exchange.status = news.status
                    else:
                        exchange.error = news
            else:
                await settle(step, self.transport.config, deadline)
                news = None
        if isinstance(news, Reply):
            return news
        raise news or AssertionError  # the authentication does not repeat it

    async def _send(self, request: Request, deadline: Deadline) -> Reply | ApiConnectionError:
        """Send one request, and return its reply or error."""
        require_fresh(request)
        started = time.perf_counter()
        try:
            reply = await self.transport.send(request, deadline)
        except ApiConnectionError as error:
            _log.info("%s", error)
            return bare(error)
        if request.fresh is not None:
            # A new token must not repeat it without a new list.
            request.fresh = Deadline(0.0)
        reply.request = request
        if _log.isEnabledFor(logging.DEBUG):
            milliseconds = (time.perf_counter() - started) * 1000
            _log.debug(
                "%s %s -> %d in %.0f ms, request %s",
                request.method,
                request.url,
                reply.status,
                milliseconds,
                reply.request_id,
            )
        return reply
