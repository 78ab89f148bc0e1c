"""User name and password of the identity service (IAM)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import orjson

from dcs_sessions._auth._base import accepted, checked, identity_request
from dcs_sessions._auth._keys import time_of
from dcs_sessions._auth._token import RenewableToken, Token, project_of
from dcs_sessions._errors import AuthenticationError, ConfigurationError, without_frames
from dcs_sessions._renewal import Renewed, survive_fork

if TYPE_CHECKING:
    from collections.abc import Generator

    from dcs_sessions._renewal import Step, Tools
    from dcs_sessions._wire import Scope


class PasswordAuth(RenewableToken):
    """Authenticate with a token that the identity service (IAM) returns for a password.

    The token is scoped to the client's project, or else to the project of its region, whose ID is
    read from the token. It is renewed before it expires, and once if the service reports it as
    expired.

    By default, five failed logins lock the user. Once the identity service has refused the
    password, this object does not send it again: create a new one.

    See https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html.

    Args:
        domain: Name of the account.
        user: Name of the IAM user.
        password: Password of the IAM user.

    Raises:
        ConfigurationError: An argument is not a non-empty string.
    """

    @without_frames
    def __init__(self, domain: str, user: str, password: str) -> None:
        given: dict[str, object] = {"domain": domain, "user": user, "password": password}
        for name, value in given.items():
            if not isinstance(value, str) or not value:
                raise ConfigurationError(f"{name} must be a non-empty string")
        self._domain = domain
        self._user = user
        self._password = password
        self._refused: AuthenticationError | None = None
        self._tokens: dict[Scope, Renewed[Token]] = {}
        survive_fork(self)

    def after_fork(self) -> None:
        """Create a new lock, since the parent process may have held the old one."""
        # One login at a time, also for different projects, since each failure counts.
        self._lock = threading.Lock()

    def tokens(self, scope: Scope | None) -> Renewed[Token]:
        """Return the source of the tokens for a project.

        Raises:
            ConfigurationError: The project is not known.
        """
        if scope is None or (scope.project_id is None and scope.region is None):
            raise ConfigurationError("PasswordAuth needs the project of a Client or AsyncClient")
        # Without a lock: if two are created at once, one is kept.
        tokens = self._tokens.get(scope)
        if tokens is None:
            problem = "no token from the identity service (PasswordAuth)"
            made = Renewed(problem, lambda tools: self._fetch(tools, scope))
            tokens = self._tokens.setdefault(scope, made)
        return tokens

    def find_project(self, scope: Scope) -> Generator[Step, Any, str | None]:
        """Return the project ID of the token."""
        return project_of(self.tokens(scope))

    def _fetch(self, tools: Tools, scope: Scope) -> Token:
        user = {"domain": {"name": self._domain}, "name": self._user, "password": self._password}
        project = {"name": scope.region} if scope.project_id is None else {"id": scope.project_id}
        request = identity_request(
            scope.identity_origin,
            "/v3/auth/tokens?nocatalog=true",
            {
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": project},
                }
            },
            secrets=(self._password,),
        )
        with self._lock:
            if self._refused is not None:
                raise self._refused
            try:
                reply = accepted(tools.send(request), 201)
            except AuthenticationError as error:
                self._refused = error
                raise
        return token_of(reply.headers, reply.body)


def token_of(headers: dict[str, str], body: bytes) -> Token:
    """Return the token in a response of the identity service."""
    try:
        found: dict[str, Any] = orjson.loads(body)["token"]
        project: dict[str, Any] = found.get("project") or {}
        text = checked("X-Subject-Token", headers.get("x-subject-token"))
        return Token(text, time_of(found["expires_at"]), project.get("id"))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise ConfigurationError("the response has no token") from None
