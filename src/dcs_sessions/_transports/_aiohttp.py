"""Carries requests for the async client, over aiohttp.

Not over httpx, whose async pool slows down with every request in flight: `make bench` has the
figures.
"""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import aiohttp
import yarl

from dcs_sessions._errors import ConfigurationError, bare
from dcs_sessions._transports import _exchange
from dcs_sessions._transports._environment import proxy_for
from dcs_sessions._transports._tls import trust
from dcs_sessions._wire import Reply

if TYPE_CHECKING:
    import ssl

    from dcs_sessions._deadline import Deadline
    from dcs_sessions._transports._exchange import TransportConfig
    from dcs_sessions._wire import Request

sleep = asyncio.sleep

# Errors before the last byte of the request was written to a connection.
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientProxyConnectionError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


# aiohttp writes bytes in one go, and warns that more of them keep the event loop waiting.
_PIECE_BYTES = 2**20


def _in_pieces(body: bytes) -> bytes | io.BytesIO | None:
    return io.BytesIO(body) if len(body) > _PIECE_BYTES else body or None


class AsyncTransport:
    """A pool of connections, safe to share between the tasks of one event loop."""

    def __init__(self, config: TransportConfig) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ssl: ssl.SSLContext | None = None
        self._proxies: dict[str, str | None] = {}

    def _open(self) -> aiohttp.ClientSession:
        """Give the session, which has to be made inside the event loop that it serves."""
        loop = asyncio.get_running_loop()
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._config.max_connections)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Content-Type", "User-Agent"),
                read_bufsize=2**20,
            )
            self._loop = loop
        elif self._loop is not loop:
            msg = "this AsyncClient belongs to another event loop: make one for each loop"
            raise ConfigurationError(msg)
        return self._session

    def _trust(self, request: Request) -> ssl.SSLContext | bool:
        """Give what to trust, which takes a while to load and is not needed for plain HTTP."""
        if self._ssl is None and request.origin.startswith("https:"):
            self._ssl = trust(self._config.verify)
        return self._ssl or True

    def _proxy_for(self, request: Request) -> str | None:
        """Return the proxy for a request.

        aiohttp would ask the environment as well, but for each request, and on another thread.
        """
        if request.direct:
            return None
        if self._config.proxy is not None:
            return self._config.proxy
        origin = request.origin
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(origin)
        return self._proxies[origin]

    async def send(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request and read the answer to its end.

        Raises:
            ApiConnectionError: The service could not be reached, or the connection broke.
            ApiTimeoutError: The answer did not come in time.
        """
        left = deadline.require(request)
        timeout = aiohttp.ClientTimeout(
            total=left,
            sock_connect=min(left, _exchange.CONNECT_SECONDS),
        )
        try:
            async with self._open().request(
                request.method,
                yarl.URL(request.url, encoded=True),
                headers=request.headers,
                data=_in_pieces(request.body),
                allow_redirects=False,
                proxy=self._proxy_for(request),
                ssl=self._trust(request),
                timeout=timeout,
            ) as response:
                chunks: list[bytes] = []
                size = 0
                async for chunk in response.content.iter_any():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > _exchange.MAX_BODY_BYTES:
                        raise _exchange.too_large(request)
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            arrived = not isinstance(error, _NOT_SENT)
            raise _exchange.too_late(request, left, arrived=arrived) from bare(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            arrived = not isinstance(error, _NOT_SENT)
            why = str(error) or type(error).__name__
            raise _exchange.broken(request, why, arrived=arrived) from bare(error)
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = _exchange.decode_body(request, headers.get("content-encoding"), b"".join(chunks))
        return Reply(response.status, headers, body)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
