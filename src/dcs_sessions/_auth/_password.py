"""Name and password of a user of the identity service (IAM)."""

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
    """Authenticate with a token that the identity service (IAM) gives for a password.

    The token is for the client's project, or for the project of its region; the project ID is taken
    from it. It is renewed ahead of time, and once when the service says that it has expired.

    Wrong passwords lock the user, after five of them by default. So once the identity service has
    refused the password, this object does not send it again: make another one.

    See https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html.

    Args:
        domain: Name of the account.
        user: Name of the IAM user.
        password: Password of the IAM user.

    Raises:
        ConfigurationError: One of them is empty or no string.
    """

    @without_frames
    def __init__(self, domain: str, user: str, password: str) -> None:
        given: dict[str, object] = {"domain": domain, "user": user, "password": password}
        for name, value in given.items():
            if not isinstance(value, str) or not value:
                msg = f"{name} must be a string that is not empty"
                raise ConfigurationError(msg)
        self._domain = domain
        self._user = user
        self._password = password
        self._refused: AuthenticationError | None = None
        self._tokens: dict[Scope, Renewed[Token]] = {}
        survive_fork(self)

    def after_fork(self) -> None:
        """Take a new lock, for the parent may have held the old one."""
        # One at a time also for different projects: each wrong password counts.
        self._lock = threading.Lock()

    def tokens(self, scope: Scope | None) -> Renewed[Token]:
        """Return the tokens for a project.

        Raises:
            ConfigurationError: It is not known which project that is.
        """
        if scope is None or (scope.project_id is None and scope.region is None):
            msg = "PasswordAuth needs a Client or AsyncClient, whose project the token is for"
            raise ConfigurationError(msg)
        # Without a lock: of two that are made at once, one stays.
        tokens = self._tokens.get(scope)
        if tokens is None:
            problem = "no token from the identity service (PasswordAuth)"
            made = Renewed(problem, lambda tools: self._fetch(tools, scope))
            tokens = self._tokens.setdefault(scope, made)
        return tokens

    def find_project(self, scope: Scope) -> Generator[Step, Any, str | None]:
        """Return the ID of the project that the token is for."""
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
    """Read the answer of the identity service to a request for a token."""
    try:
        found: dict[str, Any] = orjson.loads(body)["token"]
        project: dict[str, Any] = found.get("project") or {}
        text = checked("X-Subject-Token", headers.get("x-subject-token"))
        return Token(text, time_of(found["expires_at"]), project.get("id"))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        msg = "its answer holds no token"
        raise ConfigurationError(msg) from None
