"""Requests and replies as every module sees them, whichever library sends them."""

from __future__ import annotations

import json
import math
import urllib.parse
from typing import Final

import attrs

from dcs_sessions._text import shown

# Headers whose values are no secrets. All others may be, those of the caller included.
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
# No secret is shorter, and to replace every "ak" would hide what went wrong.
_SHORTEST_SECRET: Final = 6


@attrs.frozen
class Scope:
    """What a request is for. Some credentials differ by it.

    Attributes:
        identity_origin: Endpoint of the identity service (IAM).
        region: ID of the region, or None when it is not known.
        project_id: ID of the project, or None when it has to be looked up.
    """

    identity_origin: str
    region: str | None = None
    project_id: str | None = None


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
        scope: What it is for, or None when that is not known.
        secrets: Secrets in the body, which no error may show.
    """

    method: str
    origin: str
    target: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = b""
    timeout: float = math.inf
    direct: bool = False
    alone: bool = False
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
        """Return a text with `***` for every secret of this request."""
        for secret in self._secrets():
            text = text.replace(secret, "***")
        return text

    def _secrets(self) -> list[str]:
        """List the secrets, also as JSON and URLs write them, the longest first."""
        found = set(self.secrets)
        for name, value in self.headers.items():
            if name.lower() not in _PUBLIC_HEADERS:
                found.add(value)
                if name.lower() == "authorization":
                    # The access key and the signature, which may be quoted alone.
                    parts = value.replace(",", " ").split()
                    found.update(part.partition("=")[2] or part for part in parts[1:])
        found -= {secret for secret in found if len(secret) < _SHORTEST_SECRET}
        for _ in range(2):  # JSON may be in a string of JSON
            for secret in list(found):
                for is_ascii in (True, False):
                    quoted = json.dumps(secret, ensure_ascii=is_ascii)[1:-1]
                    found |= {quoted, quoted.replace("/", r"\/")}
        found |= {urllib.parse.quote(secret, safe="") for secret in found}
        return sorted(found, key=len, reverse=True)


@attrs.define(eq=False)
class Reply:
    """A complete answer.

    Attributes:
        status: HTTP status.
        headers: Headers, names in lower case.
        body: Body, decoded from its content encoding.
        request: The request that it answers, whose secrets no error may show.
    """

    status: int
    # Those of the identity service hold tokens, and bodies hold keys.
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    request: Request | None = attrs.field(default=None, repr=False)

    @property
    def request_id(self) -> str | None:
        """Return the ID that the service gave the request."""
        found = self.headers.get("x-request-id")
        return None if found is None else shown(found)
