"""Adapter of credentials to `httpx` clients of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from dcs_sessions._deadline import Deadline
from dcs_sessions._transports import _tasks, _threads
from dcs_sessions._transports._exchange import TransportConfig
from dcs_sessions._wire import Reply, Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from dcs_sessions._renewal import Step

# Timeout in seconds of credentials. `httpx` has none for a whole request.
_SECONDS = 60.0
# Headers that follow a redirect.
_PLAIN = ("Content-Type", "Host")


class _Headers(httpx.Headers):
    """Headers of which some are sent with this request only, and do not follow a redirect.

    `httpx` copies the headers of a request when it follows a redirect, except Authorization. It
    sends `raw`, and copies the rest.
    """

    def __init__(self, headers: httpx.Headers, secret: dict[str, str]) -> None:
        self._secret: list[tuple[bytes, bytes]] = []
        super().__init__(headers)
        for name in secret:
            self.pop(name, None)
        self.update({name: secret[name] for name in _PLAIN if name in secret})
        self._secret = [
            (name.encode(), value.encode()) for name, value in secret.items() if name not in _PLAIN
        ]

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that are sent."""
        return [*super().raw, *self._secret]


class HttpxAuth(httpx.Auth):
    """The interface of `httpx`, implemented by a flow."""

    requires_request_body = True
    requires_response_body = True

    def flow(self, request: Request) -> Generator[Request | Step, Any, None]:
        """Complete the request and yield it."""
        raise NotImplementedError

    def auth_flow(self, request: httpx.Request) -> Generator[Any, Any, None]:
        """Yield requests for `httpx`, and other values of a flow unchanged."""
        url = request.url
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        ours = Request(request.method, origin, url.raw_path.decode("ascii"), {}, request.content)
        content_type = request.headers.get("content-type")
        if content_type is not None:
            ours.headers["Content-Type"] = content_type
        flow = self.flow(ours)
        news: Reply | None = None
        while True:
            try:
                outgoing = flow.send(news)
            except StopIteration:
                return
            if not isinstance(outgoing, Request):
                news = yield outgoing
                continue
            request.headers = _Headers(request.headers, outgoing.headers)
            response = yield request
            headers = {name.lower(): value for name, value in response.headers.items()}
            news = Reply(response.status_code, headers, response.content)

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Authenticate requests of `httpx.Client`."""
        request.read()
        flow = self.auth_flow(request)
        deadline = Deadline(_SECONDS)
        news: httpx.Response | None = None
        while True:
            try:
                outgoing = flow.send(news)
            except StopIteration:
                return
            if isinstance(outgoing, httpx.Request):
                news = yield outgoing
                news.read()
            else:
                _threads.settle(outgoing, TransportConfig(), deadline)
                news = None

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authenticate requests of `httpx.AsyncClient`."""
        await request.aread()
        flow = self.auth_flow(request)
        deadline = Deadline(_SECONDS)
        news: httpx.Response | None = None
        while True:
            try:
                outgoing = flow.send(news)
            except StopIteration:
                return
            if isinstance(outgoing, httpx.Request):
                news = yield outgoing
                await news.aread()
            else:
                await _tasks.settle(outgoing, TransportConfig(), deadline)
                news = None
