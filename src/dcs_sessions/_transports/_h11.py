"""Transport of the sync client: HTTP/1.1 by h11, over connections of httpcore.

httpx is built on both. Its own client restarts a timeout with each byte that arrives, and reads
bytes after a response as the next one.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import queue
import socket
import threading
import time
import urllib.parse
import weakref
from typing import TYPE_CHECKING, Final

import attrs
import h11
import httpcore

from dcs_sessions._deadline import Deadline
from dcs_sessions._errors import bare
from dcs_sessions._transports import _exchange, _threads
from dcs_sessions._transports._environment import Proxies
from dcs_sessions._transports._tls import trust
from dcs_sessions._wire import Reply

if TYPE_CHECKING:
    import ssl

    from dcs_sessions._errors import ApiTimeoutError
    from dcs_sessions._transports._exchange import TransportConfig
    from dcs_sessions._wire import Request

# A firewall may have dropped a connection that was idle for longer.
_IDLE_SECONDS: Final = 15.0
_READ_BYTES: Final = 2**18
# Each part of a long body has its own timeout, within that of the call.
_WRITE_BYTES: Final = 2**16
_HEAD_BYTES: Final = 100 * 1024
_BACKEND: Final = httpcore.SyncBackend()


@attrs.define(eq=False)
class _Limit:
    """Deadline of one request, and whether it may have arrived."""

    request: Request
    deadline: Deadline
    sent: bool = False

    def seconds(self, longest: float) -> float:
        """Return the timeout of the next step in seconds."""
        left = self.deadline.remaining()
        if left <= 0:
            raise self.too_late()
        return min(left, longest)

    def too_late(self) -> ApiTimeoutError:
        """Return the error of a response that did not arrive in time."""
        seconds = min(self.deadline.seconds, _exchange.SILENCE_SECONDS)
        return _exchange.too_late(self.request, seconds, may_have_arrived=self.sent)


@attrs.define(eq=False)
class _Connection:
    """One connection to the service, or to a proxy in front of it.

    Attributes:
        stream: Network stream.
        via: Headers for a proxy that forwards plain HTTP; None without such a proxy.
    """

    stream: httpcore.NetworkStream
    via: dict[str, str] | None = None
    _state: h11.Connection = attrs.field(
        factory=lambda: h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
    )
    _idle_since: float = 0.0

    def exchange(
        self, request: h11.Request, body: bytes, limit: _Limit
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request and read the whole response: status, headers and body."""
        send = self._state.send
        outgoing = send(request) or b""
        if body:
            outgoing += send(h11.Data(data=body)) or b""
        outgoing += send(h11.EndOfMessage()) or b""
        # A server may respond before it has read everything, and close: use its response.
        with contextlib.suppress(httpcore.WriteError):
            for start in range(0, len(outgoing), _WRITE_BYTES):
                seconds = limit.seconds(_exchange.SILENCE_SECONDS)
                self.stream.write(outgoing[start : start + _WRITE_BYTES], seconds)
        while isinstance(event := self._next(limit), h11.InformationalResponse):
            pass
        if not isinstance(event, h11.Response):
            raise h11.RemoteProtocolError("no response to this request")
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        chunks: list[bytes] = []
        size = 0
        while isinstance(data := self._next(limit), h11.Data):
            chunks.append(data.data)
            size += len(data.data)
            if size > _exchange.MAX_BODY_BYTES:
                raise _exchange.too_large(limit.request)
        return event.status_code, headers, b"".join(chunks)

    def _next(self, limit: _Limit) -> h11.Event | type[h11.PAUSED]:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            data = self.stream.read(_READ_BYTES, limit.seconds(_exchange.SILENCE_SECONDS))
            if not data and self._state.their_state is h11.SEND_RESPONSE:
                raise h11.RemoteProtocolError("the server closed the connection without a response")
            self._state.receive_data(data)
        return event  # type: ignore[return-value]  # it is not NEED_DATA

    def is_reusable(self) -> bool:
        """Return whether the connection can be reused after an exchange.

        Bytes after a response belong to no request. The next request would read them as its
        response.
        """
        if self._state.trailing_data[0]:
            return False
        try:
            self._state.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        self._idle_since = time.monotonic()
        return True

    def is_fresh(self) -> bool:
        """Return whether the connection is open, without unread bytes."""
        idle = time.monotonic() - self._idle_since
        return idle < _IDLE_SECONDS and not self.stream.get_extra_info("is_readable")

    def interrupt(self) -> None:
        """Stop a read or a write in another thread."""
        with contextlib.suppress(OSError):
            # SSLSocket.shutdown() would also change its state, which the other thread uses.
            socket.socket.shutdown(self.stream.get_extra_info("socket"), socket.SHUT_RDWR)


# Pools of this process, which a fork must reset before a thread of the child can use them.
_TRANSPORTS: Final[weakref.WeakSet[SyncConnections]] = weakref.WeakSet()


class SyncConnections:
    """A pool of connections that threads can share, usable on both sides of a fork."""

    def __init__(self, config: TransportConfig) -> None:
        self.config = config
        self._ssl: ssl.SSLContext | None = None
        self._proxies = Proxies(config.proxy)
        self._closed = False
        self._start()
        _TRANSPORTS.add(self)

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(self.config.max_connections)
        self._idle: dict[tuple[str, str | None], list[_Connection]] = {}

    def send(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request and read the whole response.

        Raises:
            ApiConnectionError: The service could not be reached, or the connection broke.
            ApiTimeoutError: The response did not arrive in time.
        """
        if self._closed:
            raise _exchange.closed()
        limit = _Limit(request, Deadline(deadline.require(request)))
        slots = self._slots
        if not slots.acquire(timeout=limit.deadline.remaining()):
            raise limit.too_late()
        try:
            status, headers, raw = self._exchange(request, limit)
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise limit.too_late() from bare(error)
        except (
            httpcore.NetworkError,
            httpcore.ProxyError,
            h11.ProtocolError,
            OSError,
            ValueError,
        ) as error:
            why = str(error) or type(error).__name__
            raise _exchange.broken(request, why, may_have_arrived=limit.sent) from bare(error)
        finally:
            slots.release()
        body = _exchange.decode_body(request, headers.get("content-encoding"), raw)
        return Reply(status, headers, body)

    def _exchange(self, request: Request, limit: _Limit) -> tuple[int, dict[str, str], bytes]:
        proxy = self._proxies.of(request)
        pool = self._idle.setdefault((request.origin, proxy), [])
        connection = None if request.alone else self._take(pool)
        if connection is None:
            connection = self._connect(request, proxy, limit)
        keep = False
        try:
            target = request.target if connection.via is None else request.url
            headers = {"Host": request.host, **request.headers, **(connection.via or {})}
            if request.body or request.method != "GET":
                headers["Content-Length"] = str(len(request.body))
            outgoing = h11.Request(
                method=request.method, target=target, headers=list(headers.items())
            )
            _exchange.require_fresh(request)
            limit.sent = True
            with _threads.interruptible(connection.interrupt):
                answer = connection.exchange(outgoing, request.body, limit)
            keep = connection.is_reusable()
        finally:
            with self._lock:
                keep = keep and not self._closed and len(pool) < self.config.max_connections
                if keep:
                    pool.append(connection)
            if not keep:
                connection.stream.close()
        return answer

    @staticmethod
    def _take(pool: list[_Connection]) -> _Connection | None:
        """Return the connection that was used last, so that others can expire."""
        while pool:
            with contextlib.suppress(IndexError):  # another thread may have taken it
                connection = pool.pop()
                if connection.is_fresh():
                    return connection
                connection.stream.close()
        return None

    def _connect(self, request: Request, proxy: str | None, limit: _Limit) -> _Connection:
        server = urllib.parse.urlsplit(request.origin)
        secure = server.scheme == "https"
        if self._ssl is None and (secure or (proxy or "").startswith("https:")):
            # Loading certificates is slow, and not needed for plain HTTP.
            self._ssl = trust(self.config.verify)
        if proxy is None:
            stream = _dial(server, limit)
            return _Connection(self._encrypt(stream, server, limit) if secure else stream)
        front = urllib.parse.urlsplit(proxy)
        stream = _dial(front, limit)
        if front.scheme == "https":
            stream = self._encrypt(stream, front, limit)
        headers = _proxy_authorization(front)
        if not secure:
            return _Connection(stream, headers)
        try:
            authority = f"{server.netloc}" if server.port else f"{server.netloc}:443"
            connect = h11.Request(
                method="CONNECT",
                target=authority,
                headers=list({"Host": authority, **headers}.items()),
            )
            status, _, _ = _Connection(stream).exchange(connect, b"", limit)
            if not 200 <= status <= 299:
                raise httpcore.ProxyError(f"the proxy responded with {status}")
        except BaseException:
            stream.close()
            raise
        return _Connection(self._encrypt(stream, server, limit))

    def _encrypt(
        self, stream: httpcore.NetworkStream, to: urllib.parse.SplitResult, limit: _Limit
    ) -> httpcore.NetworkStream:
        assert self._ssl is not None  # noqa: S101 - loaded before the connection is opened
        return stream.start_tls(self._ssl, to.hostname, limit.seconds(_exchange.CONNECT_SECONDS))

    def after_fork(self) -> None:
        """Leave the connections to the parent process, without sending anything."""
        inherited = self._idle
        self._start()
        for pool in inherited.values():
            for connection in pool:
                connection.stream.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._closed = True
            idle = [connection for pool in self._idle.values() for connection in pool]
            self._idle.clear()
        for connection in idle:
            connection.stream.close()


def _after_fork() -> None:
    for transport in list(_TRANSPORTS):
        transport.after_fork()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)


def _dial(to: urllib.parse.SplitResult, limit: _Limit) -> httpcore.NetworkStream:
    """Connect to the first address of a host that accepts."""
    port = to.port or {"http": 80, "https": 443}[to.scheme]
    addresses = _addresses(to.hostname or "", port, limit)
    while True:
        address = addresses.pop(0)
        # An address that does not respond must leave time for the others.
        seconds = limit.seconds(_exchange.CONNECT_SECONDS) / (len(addresses) + 1)
        try:
            return _BACKEND.connect_tcp(address, port, seconds)
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            if not addresses:
                raise


def _addresses(host: str, port: int, limit: _Limit) -> list[str]:
    """Resolve a host. The system's resolver has no timeout, so it runs in a thread."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return [host]
    found: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(info[4][0]) for info in infos)))
        except (OSError, ValueError) as error:
            found.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = found.get(timeout=limit.seconds(_exchange.CONNECT_SECONDS))
    except queue.Empty:
        raise limit.too_late() from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _proxy_authorization(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = ":".join(urllib.parse.unquote(part or "") for part in (proxy.username, proxy.password))
    return {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode('ascii')}"}
