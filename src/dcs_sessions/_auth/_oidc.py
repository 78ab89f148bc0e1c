"""Temporary keys for an ID token of an external identity provider (OpenID Connect).

Sources: the vendor's SDK, and the API Explorer's AssumeAgencyWithOIDC for the token service (STS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from dcs_sessions import _endpoints
from dcs_sessions._auth._base import accepted, checked, identity_request
from dcs_sessions._auth._keys import Keys, TemporaryKeysAuth, keys_of
from dcs_sessions._auth._server import secret_in
from dcs_sessions._renewal import Renewed
from dcs_sessions._wire import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcs_sessions._renewal import Tools

_GLOBAL: Final = Scope("https://iam.myhuaweicloud.com")
# Default of the vendor's SDK.
_KEY_SECONDS: Final = 21600


@attrs.frozen
class IdToken:
    """An ID token, as a string or in a file, which is read at each use.

    Attributes:
        name: Variable or setting that it is from.
        text: The token, or None.
        path: The file, if there is no token.
    """

    name: str
    text: str | None = attrs.field(repr=False)
    path: str = ""

    def read(self) -> str:
        """Return the token.

        Raises:
            ConfigurationError: The file cannot be read, or has no token.
        """
        if self.text is None:
            return secret_in(self.name, self.path)
        return checked(self.name, self.text)


class ScopedKeysAuth(TemporaryKeysAuth):
    """Sign with keys of an identity service, which may differ by region."""

    problem: str

    def __init__(self) -> None:
        self._keys: dict[Scope, Renewed[Keys]] = {}

    def keys(self, scope: Scope | None) -> Renewed[Keys]:
        """Return the source of the keys for a scope."""
        # The keys are valid for every project.
        scope = _GLOBAL if scope is None else attrs.evolve(scope, project_id=None)
        keys = self._keys.get(scope)
        if keys is None:
            made = Renewed(self.problem, lambda tools: self.fetch(tools, scope))
            keys = self._keys.setdefault(scope, made)
        return keys

    def fetch(self, tools: Tools, scope: Scope) -> Keys:
        """Fetch new keys."""
        raise NotImplementedError


class IdTokenAuth(ScopedKeysAuth):
    """Sign with keys that the identity service (IAM) returns for an ID token.

    Args:
        idp_id: ID of the identity provider.
        token: The ID token.
        origin: Endpoint of the identity service, if not that of the client.
    """

    problem = "no credentials from the identity service (ID token)"

    def __init__(self, idp_id: str, token: IdToken, origin: str | None = None) -> None:
        super().__init__()
        self._idp_id = checked("idp_id", idp_id)
        self._token = token
        self._origin = origin

    def fetch(self, tools: Tools, scope: Scope) -> Keys:
        """Fetch an unscoped token for the ID token, and keys for that token."""
        origin = self._origin or scope.identity_origin
        id_token = self._token.read()
        request = identity_request(
            origin,
            "/v3.0/OS-AUTH/id-token/tokens",
            {"auth": {"id_token": {"id": id_token}}},
            secrets=(id_token,),
            headers={"X-Idp-Id": self._idp_id},
        )
        reply = accepted(tools.send(request), 200, 201)
        token = checked("X-Subject-Token", reply.headers.get("x-subject-token"))
        wanted = {"methods": ["token"], "token": {"duration_seconds": _KEY_SECONDS}}
        request = identity_request(
            origin,
            "/v3.0/OS-CREDENTIAL/securitytokens",
            {"auth": {"identity": wanted}},
            secrets=(id_token, token),
            headers={"X-Auth-Token": token},
        )
        return keys_of(accepted(tools.send(request), 200, 201).body)


class OidcAuth(ScopedKeysAuth):
    """Sign with keys that the token service (STS) returns for an ID token.

    Args:
        wanted: The fields of AssumeAgencyWithOIDC, apart from the ID token.
        token: The ID token.
    """

    problem = "no credentials from the token service (OIDC)"

    def __init__(self, wanted: Mapping[str, Any], token: IdToken) -> None:
        super().__init__()
        self._wanted = wanted
        self._token = token

    def fetch(self, tools: Tools, scope: Scope) -> Keys:
        """Fetch keys for the ID token."""
        id_token = self._token.read()
        request = identity_request(
            _endpoints.token_service_origin(scope.region),
            "/v5/agencies/assume-with-oidc",
            {**self._wanted, "id_token": id_token},
            secrets=(id_token,),
        )
        return keys_of(accepted(tools.send(request), 200, 201).body)
