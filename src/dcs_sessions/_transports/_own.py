"""Transports of the caller, and the guarantees that do not depend on them.

With any transport, a call keeps its deadline, an error shows no secret, and a request that may have
arrived is not retried as one that has not.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, runtime_checkable

import attrs

from dcs_sessions._errors import ApiConnectionError, ApiTimeoutError, ConfigurationError
from dcs_sessions._transports import _exchange, _threads
from dcs_sessions._wire import Reply

if TYPE_CHECKING:
    import httpx

    from dcs_sessions._deadline import Deadline
    from dcs_sessions._transports._exchange import TransportConfig
    from dcs_sessions._wire import Request

# Errors of httpx with which a request cannot have arrived.
_NOT_SENT: Final = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"}
)


@runtime_checkable
class Transport(Protocol):
    """Sends the requests of a `Client`, in place of its own connections."""

    def send(self, request: Request, timeout: float) -> Reply:
        """Send a request once, and return the response with a decoded body.

        Called by several threads at a time. Raise `ApiConnectionError`, with
        `may_have_arrived=False` only if the request has certainly not arrived. Any other exception
        and an invalid response are treated as a broken connection.

        Args:
            request: The request. Its headers contain credentials.
            timeout: Seconds until the caller stops waiting.
        """
        ...


@runtime_checkable
class AsyncTransport(Protocol):
    """Sends the requests of an `AsyncClient`, in place of its own connections."""

    async def send(self, request: Request, timeout: float) -> Reply:  # noqa: ASYNC109
        """Send a request once, and return the response, as `Transport.send` does.

        It is cancelled at the timeout.
        """
        ...


class SyncSends(Protocol):
    """Interface of both transports: our connections, or a transport of the caller."""

    config: TransportConfig

    def send(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request, and return the response."""
        ...

    def close(self) -> None:
        """Stop sending."""
        ...


class AsyncSends(Protocol):
    """The same for the async client."""

    config: TransportConfig

    async def send(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request, and return the response."""
        ...

    async def close(self) -> None:
        """Stop sending."""
        ...


class _Own:
    """Base class of both."""

    def __init__(self, transport: Any, config: TransportConfig) -> None:
        self.config = config
        self._transport = transport
        self._closed = False

    def _copy(self, request: Request) -> Request:
        """Return a copy of the request, which the transport may change."""
        if self._closed:
            raise _exchange.closed()
        return attrs.evolve(request, headers=dict(request.headers))


class OwnTransport(_Own):
    """Sends over a `Transport`, on a thread that is abandoned at the deadline."""

    def send(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request, and return the response."""
        left = deadline.require(request)
        handed = self._copy(request)
        found: list[object] = []
        failed: list[BaseException] = []
        over = threading.Event()

        def run() -> None:
            try:
                found.append(self._transport.send(handed, left))
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                failed.append(error)
            over.set()

        threading.Thread(
            target=contextvars.copy_context().run, args=(run,), name="dcs-sessions", daemon=True
        ).start()
        with _threads.interruptible(over.set):
            over.wait(left)
        if over.is_set() and not found and not failed:
            raise _threads.Stopped
        return _outcome(request, left, found, failed)

    def close(self) -> None:
        """Stop sending. The transport belongs to the caller."""
        self._closed = True


class AsyncOwnTransport(_Own):
    """Sends over an `AsyncTransport`, in a task that is cancelled at the deadline."""

    async def send(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request, and return the response."""
        left = deadline.require(request)
        handed = self._copy(request)
        found: list[object] = []
        failed: list[BaseException] = []

        async def run() -> None:
            try:
                found.append(await self._transport.send(handed, left))
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                failed.append(error)

        task = asyncio.ensure_future(run())
        try:
            await asyncio.wait({task}, timeout=left)
        finally:
            task.cancel()
        return _outcome(request, left, found, failed)

    async def close(self) -> None:
        """Stop sending. The transport belongs to the caller."""
        self._closed = True


def _outcome(
    request: Request, seconds: float, found: list[object], failed: list[BaseException]
) -> Reply:
    if found:
        try:
            return _checked(request, found[0])
        except ApiConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - it is somebody else's
            failed = [error]
    if not failed:
        raise _exchange.too_late(request, seconds)
    cause = failed.pop()
    if isinstance(cause, KeyboardInterrupt | SystemExit):
        raise cause
    failure = _failure(request, seconds, cause)
    del cause  # its frames contain the request
    raise failure


def _failure(request: Request, seconds: float, error: BaseException) -> ApiConnectionError:
    """Return our error for any exception of a transport."""
    arrived = True
    if isinstance(error, ApiConnectionError):
        arrived = error.may_have_arrived is not False
    elif type(error).__module__.partition(".")[0] == "httpx":
        arrived = type(error).__name__ not in _NOT_SENT
    late = isinstance(error, TimeoutError | ApiTimeoutError) or (
        type(error).__module__.partition(".")[0] == "httpx" and "Timeout" in type(error).__name__
    )
    if late:
        return _exchange.too_late(request, seconds, may_have_arrived=arrived)
    try:
        why = str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - it is somebody else's
        why = type(error).__name__
    return _exchange.broken(request, why, may_have_arrived=arrived)


def _checked(request: Request, found: object) -> Reply:
    """Return the response of a transport, if it is valid."""
    if not isinstance(found, Reply):
        raise _exchange.broken(request, f"the transport returned no Reply: {type(found).__name__}")
    reply: Any = found  # its attributes may have any type
    status, headers, body = reply.status, reply.headers, reply.body
    if type(status) is not int or not 100 <= status <= 599:
        raise _exchange.broken(request, "the transport returned an invalid status")
    if not isinstance(body, bytes):
        raise _exchange.broken(request, "the transport returned a body that is not bytes")
    if len(body) > _exchange.MAX_BODY_BYTES:
        raise _exchange.too_large(request)
    if not isinstance(headers, Mapping) or not all(
        isinstance(part, str)
        for pair in cast("Mapping[object, object]", headers).items()
        for part in pair
    ):
        raise _exchange.broken(request, "the transport returned headers that are not strings")
    given = cast("Mapping[str, str]", headers)
    return Reply(status, {name.lower(): value for name, value in given.items()}, body)


class _Httpx:
    """Sends over a client of httpx, without its credentials and redirects."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._httpx: Any = sys.modules["httpx"]

    def _outgoing(self, request: Request, timeout: float) -> httpx.Request:
        limits = self._httpx.Timeout(timeout).as_dict()
        if request.fresh is not None:
            # Waiting for a connection of the pool makes the addresses old.
            left = max(0.0, min(timeout, request.fresh.remaining()))
            limits |= {"pool": left, "connect": left}
        # Not built by the client, which would add its own headers and cookies.
        made: httpx.Request = self._httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body or None,
            extensions={"timeout": limits},
        )
        return made

    @staticmethod
    def _reply(response: httpx.Response) -> Reply:
        return Reply(response.status_code, dict(response.headers), response.content)


class HttpxTransport(_Httpx):
    """Sends over an `httpx.Client`."""

    def send(self, request: Request, timeout: float) -> Reply:
        """Send a request once, and return the response."""
        outgoing = self._outgoing(request, timeout)
        return self._reply(self._client.send(outgoing, auth=None, follow_redirects=False))


class AsyncHttpxTransport(_Httpx):
    """Sends over an `httpx.AsyncClient`."""

    async def send(self, request: Request, timeout: float) -> Reply:  # noqa: ASYNC109
        """Send a request once, and return the response."""
        outgoing = self._outgoing(request, timeout)
        return self._reply(await self._client.send(outgoing, auth=None, follow_redirects=False))


def chosen_transport(transport: object, http_client: object, kind: str) -> Any:
    """Return the transport chosen by the caller.

    Args:
        transport: A transport, or None.
        http_client: A client of httpx, or None.
        kind: Name of the class of httpx: `Client` or `AsyncClient`.

    Raises:
        ConfigurationError: An argument is invalid, or both are set.
    """
    if transport is not None and http_client is not None:
        raise ConfigurationError("pass either transport= or http_client=")
    if transport is not None:
        if isinstance(transport, type) or not callable(getattr(transport, "send", None)):
            raise ConfigurationError("transport must have a method send(request, timeout)")
        return transport
    httpx = sys.modules.get("httpx")
    if httpx is None or not isinstance(http_client, getattr(httpx, kind)):
        raise ConfigurationError(f"http_client must be an httpx.{kind}")
    return (HttpxTransport if kind == "Client" else AsyncHttpxTransport)(http_client)
