"""Transport of the async client, over aiohttp.

It does not use httpx, whose async pool slows down with each simultaneous request: `make bench` has
the figures.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
import math
import os
import socket
import weakref
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import yarl

from dcs_sessions._errors import ApiConnectionError, ConfigurationError, bare
from dcs_sessions._transports import _exchange
from dcs_sessions._transports._environment import Proxies
from dcs_sessions._transports._tls import trust
from dcs_sessions._wire import Reply

if TYPE_CHECKING:
    import ssl

    from aiohttp import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from dcs_sessions._deadline import Deadline
    from dcs_sessions._transports._exchange import TransportConfig
    from dcs_sessions._wire import Request

# Whether the current request has a connection, and so may have arrived.
_connected: Final = contextvars.ContextVar("connected", default=False)
_request: Final = contextvars.ContextVar["Request"]("request")

# aiohttp writes bytes at once, and warns if more of them block the event loop.
_PIECE_BYTES = 2**20

# Sessions inherited by a child process. Python must not destroy them there: they would close TLS
# connections that the parent uses.
_INHERITED: Final[list[_Pool]] = []

# Pools of this process, which a fork must leave before the child can close or destroy them.
_POOLS: Final[weakref.WeakSet[_Pool]] = weakref.WeakSet()


class _Connector(aiohttp.TCPConnector):
    """Opens connections, and does not reuse one with unread bytes.

    Bytes after a response belong to no request. The next request would read them as its response.
    """

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: Any,  # noqa: ASYNC109 - as the base class has it
    ) -> Connection:
        """Return a connection without bytes after its last response."""
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                break
            connection.close()
        try:
            _exchange.require_fresh(_request.get())
        except ApiConnectionError:
            connection.close()
            raise
        _connected.set(True)
        return connection


class _Pool:
    """The connections of one process and event loop."""

    def __init__(self, config: TransportConfig) -> None:
        self.process = os.getpid()
        self.loop = asyncio.get_running_loop()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._sessions = {
            alone: aiohttp.ClientSession(
                connector=_Connector(
                    limit=config.max_connections, force_close=alone, socket_factory=self._socket
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Content-Type", "User-Agent"),
                read_bufsize=2**20,
            )
            for alone in (False, True)
        }
        _POOLS.add(self)

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        made = socket.socket(*address[:3])
        self._sockets.add(made)
        return made

    def session(self, *, alone: bool) -> aiohttp.ClientSession:
        """Return the session to send with; if alone, it opens a connection for each request."""
        return self._sessions[alone]

    def leave(self) -> None:
        """Leave the connections to the parent process, without sending anything.

        Closing them would also remove them from the selector, which both processes share.
        """
        _INHERITED.append(self)
        with socket.socket() as unconnected:
            for inherited in self._sockets:
                if inherited.fileno() >= 0:
                    os.dup2(unconnected.fileno(), inherited.fileno())

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()


class AsyncConnections:
    """A pool of connections that the tasks of one event loop can share."""

    def __init__(self, config: TransportConfig) -> None:
        self.config = config
        self._closed = False
        self._pool: _Pool | None = None
        self._ssl: ssl.SSLContext | None = None
        self._proxies = Proxies(config.proxy)

    def _open(self) -> _Pool:
        """Return the pool, which must be created inside its event loop."""
        if self._closed:
            raise _exchange.closed()
        pool = self._pool
        if pool is not None and pool.process != os.getpid():
            pool = None  # left at the fork
        if pool is None:
            pool = self._pool = _Pool(self.config)
        elif pool.loop is not asyncio.get_running_loop():
            raise ConfigurationError(
                "this AsyncClient belongs to another event loop: create one for each loop"
            )
        return pool

    def _trust(self, request: Request) -> ssl.SSLContext | bool:
        """Return the TLS context, which is slow to load and not needed for plain HTTP."""
        peers = request.origin, self._proxies.of(request) or ""
        if self._ssl is None and any(peer.startswith("https:") for peer in peers):
            self._ssl = trust(self.config.verify)
        return self._ssl or True

    async def send(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request and read the whole response.

        Raises:
            ApiConnectionError: The service could not be reached, or the connection broke.
            ApiTimeoutError: The response did not arrive in time.
        """
        left = deadline.require(request)
        timeout = aiohttp.ClientTimeout(
            total=left,
            sock_connect=min(left, _exchange.CONNECT_SECONDS),
            sock_read=min(left, _exchange.SILENCE_SECONDS),
            # It would round timeouts above five seconds up to a whole second.
            ceil_threshold=math.inf,
        )
        body = request.body
        _connected.set(False)
        _request.set(request)
        try:
            async with (
                self._open()
                .session(alone=request.alone)
                .request(
                    request.method,
                    yarl.URL(request.url, encoded=True),
                    headers=request.headers,
                    data=io.BytesIO(body) if len(body) > _PIECE_BYTES else body or None,
                    allow_redirects=False,
                    # aiohttp would read the environment for each request, on another thread.
                    proxy=self._proxies.of(request),
                    ssl=self._trust(request),
                    timeout=timeout,
                ) as response
            ):
                chunks: list[bytes] = []
                size = 0
                async for chunk in response.content.iter_any():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > _exchange.MAX_BODY_BYTES:
                        raise _exchange.too_large(request)
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            seconds = min(left, _exchange.SILENCE_SECONDS)
            raise _exchange.too_late(request, seconds, may_have_arrived=_connected.get()) from bare(
                error
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise _exchange.broken(request, why, may_have_arrived=_connected.get()) from bare(error)
        headers = {name.lower(): value for name, value in response.headers.items()}
        decoded = _exchange.decode_body(request, headers.get("content-encoding"), b"".join(chunks))
        return Reply(response.status, headers, decoded)

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._pool is not None and self._pool.process == os.getpid():
            await self._pool.close()


def _after_fork() -> None:
    for pool in list(_POOLS):
        pool.leave()
    _POOLS.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
