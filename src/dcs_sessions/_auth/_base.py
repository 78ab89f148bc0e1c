"""Base class and helpers of all kinds of credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from dcs_sessions._errors import (
    ConfigurationError,
    error_from,
)
from dcs_sessions._transports._httpx_auth import HttpxAuth
from dcs_sessions._wire import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Generator

    from dcs_sessions._flow import Flow
    from dcs_sessions._renewal import Step
    from dcs_sessions._wire import Scope


class Auth(HttpxAuth):
    """Authentication of requests.

    A flow yields the request once its headers are complete, receives the reply, and ends or yields
    another request. Before that it may yield a fetch of credentials to start, or one to wait for.
    One definition serves the sync and the async client, and `httpx` as well: every `Auth` can be
    passed to an `httpx.Client`. Redirects are then followed without credentials.
    """

    def flow(self, request: Request) -> Flow:
        """Complete the request and yield it.

        Args:
            request: Request, to whose headers the flow may add.
        """
        raise NotImplementedError

    def find_project(self, scope: Scope) -> Generator[Step, Any, str | None]:  # noqa: ARG002
        """Return the project ID of the credentials, or None if they have none.

        Args:
            scope: Endpoints and region of the client.
        """
        return None
        yield


def identity_request(
    origin: str,
    target: str,
    body: object,
    *,
    secrets: tuple[str, ...],
    headers: dict[str, str] | None = None,
) -> Request:
    """Make a request to the identity service (IAM) or the token service (STS).

    Plain HTTP, which is for tests, does not go through a proxy, which could read it.
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
    """Return the reply to a request for credentials, if its status is expected.

    Raises:
        ApiError: The status is not expected. The message has the code and the message of the
            service, but not the body, which may hold secrets.
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
    """Return a secret if it is valid in a header. The message never shows it.

    Raises:
        ConfigurationError: The secret is empty or has invalid characters.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be a non-empty string")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ConfigurationError(
            f"{name} has blanks, line breaks or other characters that are invalid in a header"
        )
    return value
