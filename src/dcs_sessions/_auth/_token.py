"""Tokens of the identity service (IAM)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from dcs_sessions._auth._base import Auth, checked
from dcs_sessions._errors import error_from, without_frames
from dcs_sessions._renewal import Renewed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from dcs_sessions._flow import Flow
    from dcs_sessions._renewal import Step, Tools
    from dcs_sessions._wire import Reply, Request, Scope

# Error codes of an expired token.
_EXPIRED: Final = frozenset({"APIGW.0307", "DCS.1002", "111401002"})


@attrs.frozen(eq=False)
class Token:
    """A token.

    Attributes:
        text: The token.
        expires: Seconds since 1970; infinity if not known.
        project_id: ID of its project, or None.
    """

    text: str = attrs.field(repr=False)
    expires: float = float("inf")
    project_id: str | None = None


class RenewableToken(Auth):
    """A token that is fetched, and fetched again once if the service reports it as expired."""

    def __repr__(self) -> str:
        """Return a representation without the token."""
        return f"{type(self).__name__}(***)"

    def tokens(self, scope: Scope | None) -> Renewed[Token]:
        """Return the source of the tokens for a scope."""
        raise NotImplementedError

    def flow(self, request: Request) -> Flow:
        """Send the token, and a new one, once, if it has expired."""
        tokens = self.tokens(request.scope)
        token = yield from tokens.get()
        request.headers["X-Auth-Token"] = token.text
        reply: Reply = yield request
        if reply.status == 401 and error_from(reply).error_code in _EXPIRED:
            tokens.discard(token)
            token = yield from tokens.get()
            request.headers["X-Auth-Token"] = token.text
            yield request


class TokenAuth(RenewableToken):
    """Authenticate with a token of the identity service (IAM), scoped to the project.

    Args:
        token: The token, or a function that returns one. A function is called before the first
            request and again if the service reports the token as expired, one call at a time. A
            plain function is called on a thread of its own, so that it does not block the event
            loop and each call keeps its timeout. An async function is awaited on the event loop of
            the `AsyncClient`; with a `Client`, it raises a `ConfigurationError`.

    Raises:
        ConfigurationError: The token is empty, or is invalid in a header.
    """

    @without_frames
    def __init__(self, token: str | Callable[[], str] | Callable[[], Awaitable[str]]) -> None:
        self._function = token if callable(token) else None
        self._fixed = None if callable(token) else checked("token", token)
        self._tokens = Renewed("no token from TokenAuth", self._fetch)

    def flow(self, request: Request) -> Flow:
        """Send the token."""
        if self._fixed is None:
            yield from super().flow(request)
        else:
            request.headers["X-Auth-Token"] = self._fixed
            yield request

    def tokens(self, scope: Scope | None) -> Renewed[Token]:
        """Return the source of the tokens, the same for every scope."""
        del scope
        return self._tokens

    def _fetch(self, tools: Tools) -> Token:
        function: Any = self._function
        return Token(checked("token", tools.call(function)))


def project_of(tokens: Renewed[Token]) -> Generator[Step, Any, str | None]:
    """Return the project ID of a token."""
    return (yield from tokens.get()).project_id
