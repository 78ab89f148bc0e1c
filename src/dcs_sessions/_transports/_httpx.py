"""Carries requests for the sync client, over httpx."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx

from dcs_sessions._errors import bare
from dcs_sessions._transports import _exchange
from dcs_sessions._transports._tls import trust
from dcs_sessions._wire import Reply

if TYPE_CHECKING:
    from dcs_sessions._deadline import Deadline
    from dcs_sessions._transports._exchange import TransportConfig
    from dcs_sessions._wire import Request

sleep = time.sleep

# Errors before the last byte of the request was written to a connection.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class SyncTransport:
    """A pool of connections, safe to share between threads."""

    def __init__(self, config: TransportConfig) -> None:
        self._client = httpx.Client(
            verify=trust(config.verify),
            proxy=config.proxy,
            limits=httpx.Limits(
                max_connections=config.max_connections,
                max_keepalive_connections=config.max_connections,
            ),
        )

    def send(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request and read the answer to its end.

        Raises:
            ApiConnectionError: The service could not be reached, or the connection broke.
            ApiTimeoutError: The answer did not come in time.
        """
        left = deadline.require(request)
        silence = min(left, _exchange.SILENCE_SECONDS)
        outgoing = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body or None,
            extensions={
                "timeout": {
                    "connect": min(left, _exchange.CONNECT_SECONDS),
                    "read": silence,
                    "write": silence,
                    "pool": left,
                }
            },
        )
        try:
            response = self._client.send(outgoing, stream=True, auth=None, follow_redirects=False)
            try:
                raw = self._read(request, response, deadline)
            finally:
                response.close()
        except httpx.TimeoutException as error:
            arrived = not isinstance(error, _NOT_SENT)
            raise _exchange.too_late(request, silence, arrived=arrived) from bare(error)
        except httpx.HTTPError as error:
            arrived = not isinstance(error, _NOT_SENT)
            why = str(error) or type(error).__name__
            raise _exchange.broken(request, why, arrived=arrived) from bare(error)
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = _exchange.decode_body(request, headers.get("content-encoding"), raw)
        return Reply(response.status_code, headers, body)

    def _read(self, request: Request, response: httpx.Response, deadline: Deadline) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_raw():
            chunks.append(chunk)
            size += len(chunk)
            if size > _exchange.MAX_BODY_BYTES:
                raise _exchange.too_large(request)
            # A server that sends one byte now and then never falls silent.
            if deadline.remaining() <= 0:
                raise _exchange.too_late(request, deadline.seconds)
        return b"".join(chunks)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
