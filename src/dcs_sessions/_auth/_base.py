"""What all kinds of credentials have in common."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import orjson

from dcs_sessions._errors import (
    ApiConnectionError,
    ConfigurationError,
    error_from,
    without_frames,
)
from dcs_sessions._renewal import Step
from dcs_sessions._transports._httpx_auth import HttpxAuth
from dcs_sessions._wire import Reply, Request

if TYPE_CHECKING:
    from dcs_sessions._wire import Scope

Flow = Generator[Request | Step, Any, None]


class Auth(HttpxAuth):
    """How a request says who it is from.

    A flow yields the request once its headers are complete, is sent the answer, and ends or yields
    another request. Before that it may yield a fetch of credentials to be started, or one to be
    waited for. One definition serves the sync and the async client, and `httpx` as well: every
    `Auth` can be given to an `httpx.Client` of your own. There, redirects are followed without
    credentials.
    """

    def flow(self, request: Request) -> Flow:
        """Complete the request and yield it.

        Args:
            request: The request, whose headers may be added to.
        """
        raise NotImplementedError

    def find_project(self, scope: Scope) -> Generator[Step, Any, str | None]:  # noqa: ARG002
        """Return the project ID that the credentials are for, or None when they do not say.

        Args:
            scope: What the project is needed for.
        """
        return None
        yield


@without_frames
def advance(flow: Flow, news: Reply | ApiConnectionError | None) -> Request | Step | None:
    """Tell a flow how its request went, and return what comes next, or None when nothing does."""
    try:
        return flow.throw(news) if isinstance(news, ApiConnectionError) else flow.send(news)
    except StopIteration:
        return None


def identity_request(
    origin: str,
    target: str,
    body: object,
    *,
    secrets: tuple[str, ...],
    headers: dict[str, str] | None = None,
) -> Request:
    """Make a request to the identity service (IAM) or the token service (STS).

    Proxies see what is not encrypted, so plain HTTP, which is for tests, goes through none.
    """
    return Request(
        "POST",
        origin,
        target,
        {
            "Accept": "application/json",
            "Content-Type": "application/json;charset=utf8",
            **(headers or {}),
        },
        orjson.dumps(body),
        direct=origin.startswith("http:"),
        secrets=secrets,
    )


def accepted(reply: Reply, *expected: int) -> Reply:
    """Return an answer to a request for credentials, if its status is one of the expected ones.

    Raises:
        ApiError: It is not. The message has the code and the message of the service; the answer
            itself, which may hold anything, is left out.
    """
    if reply.status in expected:
        return reply
    error = error_from(reply)
    if error.error_code is None:
        error = error_from(Reply(reply.status, {}, b""))
    error.body = b""
    error.headers = {}
    raise error


def checked(name: str, value: object) -> str:
    """Return a secret if a header can carry it. The message never shows it.

    Raises:
        ConfigurationError: It cannot.
    """
    if not isinstance(value, str) or not value:
        msg = f"{name} must be a string that is not empty"
        raise ConfigurationError(msg)
    if not value.isascii() or not value.isprintable() or value != value.strip():
        msg = f"{name} holds blanks, line ends or other characters that no header can carry"
        raise ConfigurationError(msg)
    return value
