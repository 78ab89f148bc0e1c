"""Lets credentials serve the clients of `httpx` that other programs have."""

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

# Seconds to wait for credentials. `httpx` has no limit for a whole request.
_SECONDS = 60.0
# Headers of ours that go along with a redirect.
_PLAIN = ("Content-Type", "Host")


class _Headers(httpx.Headers):
    """Headers with some that are sent with this request, and that no redirect takes along.

    `httpx` copies the headers of a request to wherever an answer redirects it, and leaves out only
    Authorization. What it sends is `raw`, what it copies is the rest.
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
        """Return what is sent."""
        return [*super().raw, *self._secret]


class HttpxAuth(httpx.Auth):
    """What `httpx` asks for, in terms of a flow."""

    requires_request_body = True
    requires_response_body = True

    def flow(self, request: Request) -> Generator[Request | Step, Any, None]:
        """Complete the request and yield it."""
        raise NotImplementedError

    def auth_flow(self, request: httpx.Request) -> Generator[Any, Any, None]:
        """Yield requests as `httpx` wants them, and what else a flow yields as it is."""
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
        """Serve `httpx.Client`."""
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
        """Serve `httpx.AsyncClient`."""
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
