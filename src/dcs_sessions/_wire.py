"""Requests and replies, independent of the HTTP library."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs

from dcs_sessions._text import masked, shown

if TYPE_CHECKING:
    from dcs_sessions._deadline import Deadline

# Headers whose values are not secret. All others may be, including those of the caller.
_PUBLIC_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "content-type",
        "host",
        "user-agent",
        "x-idp-id",
        "x-language",
        "x-metadata-token-ttl-seconds",
        "x-project-id",
        "x-sdk-date",
    }
)


@attrs.frozen
class Scope:
    """Endpoints, region and project of a request, on which credentials may depend.

    Attributes:
        identity_origin: Endpoint of the identity service (IAM).
        region: ID of the region, or None if not known.
        project_id: ID of the project, or None if it must be looked up.
    """

    identity_origin: str
    region: str | None = None
    project_id: str | None = None


@attrs.define(eq=False)
class Request:
    """A request to send. Headers may have secrets, so its representation leaves them out.

    Attributes:
        method: HTTP method.
        origin: Scheme, host and port, such as `https://dcs.cn-north-4.myhuaweicloud.com`.
        target: Path and query as they are sent, percent-encoded.
        headers: Headers to send.
        body: Body to send; empty for none.
        timeout: Timeout in seconds of this request, if less than the rest of the call's.
        direct: Whether it must not go through a proxy.
        alone: Whether it must use a new connection, without leftovers of another response.
        fresh: Until when it may be sent, if the addresses in it are those of a list: later, other
            clients may have them. None for no limit.
        scope: Endpoints, region and project, or None if not known.
        secrets: Secrets in the body, masked in errors.
    """

    method: str
    origin: str
    target: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = b""
    timeout: float = math.inf
    direct: bool = False
    alone: bool = False
    fresh: Deadline | None = attrs.field(default=None, repr=False)
    scope: Scope | None = None
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)

    @property
    def host(self) -> str:
        """Host and port, as in the Host header."""
        return self.origin.partition("://")[2]

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.origin + self.target

    def mask(self, text: str) -> str:
        """Return a string with every secret of this request replaced by `***`."""
        return masked(text, self._secrets())

    def _secrets(self) -> set[str]:
        found = set(self.secrets)
        for name, value in self.headers.items():
            if name.lower() not in _PUBLIC_HEADERS:
                found.add(value)
                if name.lower() == "authorization":
                    # A token, the access key and the signature may be quoted on their own.
                    login = value.partition(" ")[2].strip()
                    found.add(login)
                    for part in login.replace(",", " ").split():
                        found |= {part, part.partition("=")[2]}
        return found


@attrs.define(eq=False)
class Reply:
    """A complete response.

    Attributes:
        status: HTTP status.
        headers: Headers, names in lower case.
        body: Body, decoded from its content encoding.
        request: Its request, whose secrets errors mask.
    """

    status: int
    # Headers of the identity service have tokens, and bodies have keys.
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    request: Request | None = attrs.field(default=None, repr=False)

    @property
    def request_id(self) -> str | None:
        """Return the request ID that the service assigned."""
        found = self.headers.get("x-request-id")
        if found is None:
            return None
        return shown(found if self.request is None else self.request.mask(found))
