"""Access keys, which sign requests (SDK-HMAC-SHA256)."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson

from dcs_sessions import _signing
from dcs_sessions._auth._base import Auth, checked
from dcs_sessions._errors import ConfigurationError, without_frames

if TYPE_CHECKING:
    from dcs_sessions._flow import Flow
    from dcs_sessions._renewal import Renewed
    from dcs_sessions._wire import Request, Scope

# A proxy may change other headers, such as User-Agent.
_SIGNED_HEADERS: Final = ("Content-Type", "Host", "X-Project-Id", "X-Sdk-Date", "X-Security-Token")


@attrs.frozen(eq=False)
class Keys:
    """An access key pair, temporary when it has a security token.

    Attributes:
        access_key: Access key ID.
        secret_key: Secret access key.
        security_token: Security token of a temporary pair, or None.
        expires: Seconds since 1970; infinity for permanent keys.
    """

    access_key: str = attrs.field(repr=False)
    secret_key: str = attrs.field(repr=False)
    security_token: str | None = attrs.field(default=None, repr=False)
    expires: float = float("inf")


class AkSkAuth(Auth):
    """Sign every request with an access key (SDK-HMAC-SHA256).

    See https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html.

    Args:
        ak: Access key ID.
        sk: Secret access key.
        security_token: Security token of a temporary access key.

    Raises:
        ConfigurationError: An argument is empty, or is invalid in a header.
    """

    @without_frames
    def __init__(self, ak: str, sk: str, security_token: str | None = None) -> None:
        self._keys = Keys(
            checked("ak", ak),
            checked("sk", sk),
            None if security_token is None else checked("security_token", security_token),
        )

    def __repr__(self) -> str:
        """Return a representation without the keys."""
        return "AkSkAuth(***)"

    def flow(self, request: Request) -> Flow:
        """Sign the request at the current time."""
        sign(request, self._keys)
        yield request


class TemporaryKeysAuth(Auth):
    """Sign with temporary keys, which are renewed before they expire."""

    def __repr__(self) -> str:
        """Return a representation without the keys."""
        return f"{type(self).__name__}(***)"

    def keys(self, scope: Scope | None) -> Renewed[Keys]:
        """Return the source of the keys for a scope."""
        raise NotImplementedError

    def flow(self, request: Request) -> Flow:
        """Fetch or renew the keys if due, then sign the request."""
        keys = yield from self.keys(request.scope).get()
        sign(request, keys)
        yield request


def sign(request: Request, keys: Keys) -> None:
    """Add the date and the signature, over the headers that the vendor's SDK signs."""
    headers = request.headers
    headers["Host"] = request.host
    headers["X-Sdk-Date"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    if keys.security_token is not None:
        headers["X-Security-Token"] = keys.security_token
    signed = [(name, headers[name]) for name in _SIGNED_HEADERS if name in headers]
    headers["Authorization"] = _signing.sign(
        request.method,
        request.target,
        signed,
        request.body,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
    )


def keys_of(body: bytes) -> Keys:
    """Return temporary keys from any of the response formats of the vendor's services.

    Raises:
        ConfigurationError: The response has no keys. The message does not quote it.
    """
    try:
        answer: dict[str, Any] = orjson.loads(body)
        found = answer.get("credential") or answer.get("credentials") or answer

        def text(*names: str) -> str:
            return checked(names[0], next((found[name] for name in names if name in found), None))

        return Keys(
            text("access", "accessKeyId", "access_key_id"),
            text("secret", "secretAccessKey", "secret_access_key"),
            text("securitytoken", "securityToken", "security_token"),
            time_of(found.get("expires_at") or found["expiration"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ConfigurationError(f"the response has no keys ({type(error).__name__})") from None


def time_of(text: str) -> float:
    """Return a time of the identity service, in UTC, as seconds since 1970."""
    time_there = datetime.datetime.fromisoformat(text)
    if time_there.tzinfo is None:
        time_there = time_there.replace(tzinfo=datetime.UTC)
    return time_there.timestamp()
