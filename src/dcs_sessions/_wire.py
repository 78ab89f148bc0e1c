"""Requests and replies as every module sees them, whichever library sends them."""

from __future__ import annotations

import math

import attrs


@attrs.define(eq=False)
class Request:
    """A request to be sent. Headers may hold secrets, so they are not shown.

    Attributes:
        method: HTTP method.
        origin: Scheme, host and port, such as `https://dcs.cn-north-4.myhuaweicloud.com`.
        target: Path and query as they are sent, percent-encoded.
        headers: Headers to send.
        body: Body to send; empty for none.
        timeout: Seconds that this request may take, if less than what the call has left.
        direct: Whether it must not go through a proxy.
        alone: Whether it must go over a connection of its own, that no answer to another request
            can be left on.
    """

    method: str
    origin: str
    target: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = b""
    timeout: float = math.inf
    direct: bool = False
    alone: bool = False

    @property
    def host(self) -> str:
        """Host and port, as in the Host header."""
        return self.origin.partition("://")[2]

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.origin + self.target


@attrs.frozen(eq=False)
class Reply:
    """A complete answer.

    Attributes:
        status: HTTP status.
        headers: Headers, names in lower case.
        body: Body, decoded from its content encoding.
    """

    status: int
    headers: dict[str, str]
    body: bytes = attrs.field(repr=False)  # that of the metadata service holds keys

    @property
    def request_id(self) -> str | None:
        """ID that the service gave the request."""
        return self.headers.get("x-request-id")
