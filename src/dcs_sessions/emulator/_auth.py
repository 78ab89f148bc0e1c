"""Authentication, permissions and throttling.

Sources: https://support.huaweicloud.com/intl/en-us/api-dcs/dcs-api-0312005.html ("Authentication")
and the API Request Signing Guide, https://support.huaweicloud.com/intl/en-us/devg-apisign/.
"""

from __future__ import annotations

import functools
import hmac
import logging
import re
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import attrs

from dcs_sessions import _signing
from dcs_sessions.emulator import _constants
from dcs_sessions.emulator._errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

_CLOCK_SKEW = timedelta(minutes=15)
_KILL = "dcs:clients:kill"
_SECRET_HEADERS = frozenset({"authorization", "x-auth-token", "x-security-token"})

_log = logging.getLogger(__name__)
# Number of consecutive refused signatures of a key that is not locked; one more locks it.
_REFUSALS = 5
# The service has others: SDK-HMAC-SM3, SDK-ECDSA-P256-SHA256, V11-HMAC-SHA256.
_ALGORITHM = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)+", re.ASCII)


@attrs.frozen(kw_only=True)
class Credentials:
    """Credentials that the emulator accepts. The defaults are public; see the constants.

    Attributes:
        token: Token with all permissions.
        readonly_token: Token without the permission to end sessions.
        noaccess_token: Token without permissions.
        expired_token: Expired token.
        other_project_token: Token of another project.
        ak: Access key of the permanent pair, with all permissions.
        sk: Secret key of the permanent pair.
        temporary_ak: Access key of the temporary pair, with all permissions.
        temporary_sk: Secret key of the temporary pair.
        security_token: Security token of the temporary pair.
    """

    token: str = attrs.field(default=_constants.TOKEN, repr=False)
    readonly_token: str = attrs.field(default=_constants.READONLY_TOKEN, repr=False)
    noaccess_token: str = attrs.field(default=_constants.NOACCESS_TOKEN, repr=False)
    expired_token: str = attrs.field(default=_constants.EXPIRED_TOKEN, repr=False)
    other_project_token: str = attrs.field(default=_constants.OTHER_PROJECT_TOKEN, repr=False)
    ak: str = attrs.field(default=_constants.ACCESS_KEY, repr=False)
    sk: str = attrs.field(default=_constants.SECRET_KEY, repr=False)
    temporary_ak: str = attrs.field(default=_constants.TEMPORARY_ACCESS_KEY, repr=False)
    temporary_sk: str = attrs.field(default=_constants.TEMPORARY_SECRET_KEY, repr=False)
    security_token: str = attrs.field(default=_constants.SECURITY_TOKEN, repr=False)


class Caller(NamedTuple):
    """The caller of a request.

    Attributes:
        name: Name of the credentials, not their value.
        own_project: Whether they belong to the project of the instance.
    """

    name: str
    own_project: bool = True

    def authorize(self, action: str) -> None:
        """Raise an error unless the caller has a permission.

        Raises:
            ApiError: DCS.2007: the permission is missing.
        """
        if self.name == "noaccess_token" or (self.name == "readonly_token" and action == _KILL):
            raise ApiError("DCS.2007", action)


@attrs.define
class KeyLock:
    """Locks an access key after consecutive refused signatures, as the service does.

    Attributes:
        seconds: Duration of the lock; 0 for no lock.
    """

    seconds: float = 0.0
    _refused: dict[str, int] = attrs.field(factory=dict[str, int])
    _until: dict[str, float] = attrs.field(factory=dict[str, float])

    def reset(self) -> None:
        """Reset all counts."""
        self._refused.clear()
        self._until.clear()

    def check(self, name: str) -> None:
        """Raise an error if a key is locked.

        Raises:
            ApiError: APIGW.0301: the key is locked.
        """
        if time.monotonic() < self._until.get(name, 0.0):
            raise ApiError("APIGW.0301", "AK access failed to reach the limit,forbidden")

    def count(self, name: str, *, refused: bool) -> None:
        """Count an accepted or refused signature of a key."""
        self._refused[name] = self._refused.get(name, 0) + 1 if refused else 0
        if self._refused[name] > _REFUSALS:
            self._refused[name] = 0
            self._until[name] = time.monotonic() + self.seconds


def authenticate(
    request: Request, target: str, body: bytes, credentials: Credentials, lock: KeyLock
) -> Caller:
    """Return the caller. A token precedes a signature.

    Args:
        request: The request, for its method and headers.
        target: Path and query as received.
        body: The bytes of the body.
        credentials: Accepted credentials.
        lock: Lock of access keys.

    Raises:
        ApiError: DCS.1001 to DCS.1003: the token is invalid. APIGW.0301: the signature is.
    """
    token = request.headers.get("X-Auth-Token")
    if token:
        for name, value in request.headers.items():
            if name != "x-auth-token" and token in value:
                _warn(name)
        return _by_token(token, credentials)
    authorization = request.headers.get("Authorization")
    if authorization:
        return _by_signature(authorization, request, target, body, credentials, lock)
    raise ApiError("DCS.1003")


@functools.cache
def _warn(name: str) -> None:
    """Warn once about a client that sends its token in a header that the service does not read."""
    _log.warning(
        "a client also sends its token in the header %s; generators make such clients of "
        "openapi.yaml, and not of openapi.clients.yaml",
        name,
    )


def _by_token(token: str, credentials: Credentials) -> Caller:
    if _same(token, credentials.expired_token):
        raise ApiError("DCS.1002")
    for name in ("token", "readonly_token", "noaccess_token"):
        if _same(token, getattr(credentials, name)):
            return Caller(name)
    if _same(token, credentials.other_project_token):
        return Caller("other_project_token", own_project=False)
    raise ApiError("DCS.1001")


def _by_signature(
    value: str,
    request: Request,
    target: str,
    body: bytes,
    credentials: Credentials,
    lock: KeyLock,
) -> Caller:
    algorithm = value.partition(" ")[0]
    if algorithm != _signing.ALGORITHM and _ALGORITHM.fullmatch(algorithm):
        raise ApiError(
            "APIGW.0301", f"the emulator supports {_signing.ALGORITHM}, and not {algorithm}"
        )
    try:
        authorization = _signing.Authorization.parse(value)
        signed = _signed_headers(request, authorization.signed_headers)
        date = datetime.strptime(signed["x-sdk-date"], _signing.DATE_FORMAT).replace(tzinfo=UTC)
    except (ValueError, KeyError):
        raise ApiError("APIGW.0301", "verify aksk signature fail, it is malformed") from None
    name, secret_key = _pair(authorization.access_key, request, credentials)
    lock.check(name)
    refusal = _refusal(authorization, request, target, body, signed, date, secret_key)
    lock.count(name, refused=refusal is not None)
    if refusal is not None:
        headers = _explanation(request, target, body, signed)
        raise ApiError("APIGW.0301", refusal, headers=headers)
    return Caller("ak")


def _pair(access_key: str, request: Request, credentials: Credentials) -> tuple[str, str]:
    """Return the name and the secret key of the pair of an access key.

    Raises:
        ApiError: APIGW.0301: the key is unknown, or its security token is wrong, missing, or sent
            with a permanent pair.
    """
    token = request.headers.get("X-Security-Token")
    if _same(access_key, credentials.ak):
        if token is not None:
            raise ApiError("APIGW.0301", "a permanent access key has no X-Security-Token")
        return "ak", credentials.sk
    if _same(access_key, credentials.temporary_ak):
        if token is None or not _same(token, credentials.security_token):
            raise ApiError("APIGW.0301", "X-Security-Token does not match the temporary access key")
        return "temporary_ak", credentials.temporary_sk
    raise ApiError("APIGW.0301", f"Get secretKey failed,ak:{access_key},err:ak not exist")


def _refusal(
    authorization: _signing.Authorization,
    request: Request,
    target: str,
    body: bytes,
    signed: dict[str, str],
    date: datetime,
    secret_key: str,
) -> str | None:
    """Return why a signature is refused, or None."""
    if abs(datetime.now(UTC) - date) > _CLOCK_SKEW:
        return "verify aksk signature fail, X-Sdk-Date is out of range"
    # Always hash the received bytes, whatever X-Sdk-Content-Sha256 contains. The service allows
    # unsigned bodies other than JSON, which this API does not have.
    expected = _signing.signature(request.method, target, signed, body, secret_key=secret_key)
    if not _same(authorization.signature, expected):
        return "verify aksk signature fail"
    return None


def _explanation(
    request: Request, target: str, body: bytes, signed: dict[str, str]
) -> dict[str, str]:
    """Return a header with the canonical request, for a local caller, and log it.

    Authors of a signer can compare it with theirs. It contains no key.
    """
    shown = signed | dict.fromkeys(signed.keys() & _SECRET_HEADERS, "***")
    text = _signing.canonical_request(request.method, target, shown, body)
    _log.debug("refused signature; the canonical request is")
    # Bytes that are not UTF-8 could not be written to a file.
    for line in text.encode("utf-8", "backslashreplace").decode().split("\n"):
        _log.debug("%s", line)
    if request.client is None or not ip_address(request.client.host).is_loopback:
        return {}
    return {"X-Canonical-Request": quote(text.encode("utf-8", "surrogateescape"), safe=" /:;=&,*")}


def _signed_headers(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    """Return the signed headers; raise KeyError or ValueError if one is missing or repeated."""
    signed: dict[str, str] = {}
    for name in names:
        # If a header is repeated, it is not clear which one was signed.
        (value,) = [raw for key, raw in request.headers.raw if key.decode("latin-1") == name]
        signed[name] = value.decode("utf-8", "surrogateescape")
    return signed


def _same(left: str, right: str) -> bool:
    """Return whether secrets are equal, in constant time."""
    return hmac.compare_digest(
        left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
    )


@attrs.define
class Throttle:
    """Limit of requests of each caller within a fixed window.

    Attributes:
        limit: Maximum number of requests, at least 1.
        seconds: Length of the window.
    """

    limit: int
    seconds: int
    _windows: dict[str, tuple[float, int]] = attrs.field(factory=dict[str, tuple[float, int]])

    def reset(self) -> None:
        """Reset all counts."""
        self._windows.clear()

    def count(self, caller: Caller) -> None:
        """Count a request.

        Raises:
            ApiError: APIGW.0308: the limit is exceeded.
        """
        now = time.monotonic()
        start, count = self._windows.get(caller.name, (now, 0))
        if now - start >= self.seconds:
            start, count = now, 0
        self._windows[caller.name] = start, count + 1
        if count >= self.limit:
            raise ApiError("APIGW.0308", f"limit:{self.limit},time:{self.seconds} second")
