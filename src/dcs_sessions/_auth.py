"""Who you are: a token, an access key, or the agency of the server this runs on."""

from __future__ import annotations

import datetime
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import attrs
import httpx
import orjson

from dcs_sessions import _signing
from dcs_sessions._errors import (
    ApiConnectionError,
    ConfigurationError,
    DcsSessionsError,
    error_from,
    without_frames,
)
from dcs_sessions._wire import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Flow = Generator[Request, Reply, None]

# The answers that mean "this token was good once".
_EXPIRED: Final = frozenset({"APIGW.0307", "DCS.1002", "111401002"})
_METADATA_ENDPOINT: Final = "http://169.254.169.254"
_METADATA_SECONDS: Final = 3.0
# The vendor renews temporary keys this long before they expire.
_RENEW_SECONDS: Final = 40 * 60.0


class Auth(httpx.Auth):
    """How a request says who it is from.

    A flow yields the request once its headers are complete, is sent the answer, and ends or yields
    another request. One definition serves the sync and the async client, and `httpx` as well: every
    `Auth` can be given to an `httpx.Client` of your own.
    """

    requires_request_body = True
    requires_response_body = True

    def flow(self, request: Request) -> Flow:
        """Complete the request and yield it.

        Args:
            request: The request, whose headers may be added to.
        """
        raise NotImplementedError

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Serve `httpx`."""
        url = request.url
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        target = url.raw_path.decode("ascii")
        ours = Request(request.method, origin, target, {}, request.content)
        content_type = request.headers.get("content-type")
        if content_type is not None:
            ours.headers["Content-Type"] = content_type
        flow = self.flow(ours)
        outgoing: Request | None = next(flow)
        while outgoing is not None:
            if outgoing is ours:
                request.headers.update(ours.headers)
                response = yield request
            else:
                response = yield httpx.Request(
                    outgoing.method, outgoing.url, headers=outgoing.headers, content=outgoing.body
                )
            headers = {name.lower(): value for name, value in response.headers.items()}
            outgoing = advance(flow, Reply(response.status_code, headers, response.content))


@without_frames
def advance(flow: Flow, news: Reply | ApiConnectionError) -> Request | None:
    """Tell a flow how its request went, and give the next one, or None when there is none."""
    try:
        return flow.throw(news) if isinstance(news, ApiConnectionError) else flow.send(news)
    except StopIteration:
        return None


class TokenAuth(Auth):
    """Authenticate with a token of the identity service (IAM), scoped to the project.

    Args:
        token: The token, or a function that gives one. A function is called before the first
            request and again when the service says that the token has expired, from any thread
            but from one at a time.
    """

    @without_frames
    def __init__(self, token: str | Callable[[], str]) -> None:
        self._provider = None if isinstance(token, str) else token
        self._token = _checked("token", token) if isinstance(token, str) else None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Show nothing of the token."""
        return "TokenAuth(***)"

    def flow(self, request: Request) -> Flow:
        """Send the token; ask for a new one, once, when it has expired."""
        used = self._current(stale=None)
        request.headers["X-Auth-Token"] = used
        reply = yield request
        if reply.status != 401 or self._provider is None:
            return
        if error_from(reply).error_code in _EXPIRED:
            request.headers["X-Auth-Token"] = self._current(stale=used)
            yield request

    def _current(self, *, stale: str | None) -> str:
        """Give the token, a new one if the present one is known to be stale."""
        if self._provider is None:
            return self._token or ""
        with self._lock:
            if self._token is None or self._token == stale:
                self._token = _checked("token", self._provider())
            return self._token


@attrs.frozen
class _Keys:
    """An access key pair, temporary when it has a security token."""

    access_key: str = attrs.field(repr=False)
    secret_key: str = attrs.field(repr=False)
    security_token: str | None = attrs.field(default=None, repr=False)
    # In seconds since 1970; keys from a person do not expire.
    expires: float = float("inf")


class AkSkAuth(Auth):
    """Sign every request with an access key (SDK-HMAC-SHA256).

    See https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html.

    Args:
        ak: Access key ID.
        sk: Secret access key.
        security_token: Security token of a temporary access key.
    """

    @without_frames
    def __init__(self, ak: str, sk: str, security_token: str | None = None) -> None:
        self._keys = _Keys(
            _checked("ak", ak),
            _checked("sk", sk),
            None if security_token is None else _checked("security_token", security_token),
        )

    def __repr__(self) -> str:
        """Show nothing of the keys."""
        return "AkSkAuth(***)"

    def flow(self, request: Request) -> Flow:
        """Sign the request at the present time."""
        _sign(request, self._keys)
        yield request


class EcsMetadataAuth(Auth):
    """Sign with the temporary keys that an ECS server gets from its agency.

    The keys come from the metadata service of the server, and are renewed before they expire.
    """

    def __init__(self) -> None:
        self._keys: _Keys | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Show nothing of the keys."""
        return "EcsMetadataAuth(***)"

    def flow(self, request: Request) -> Flow:
        """Get or renew the keys where that is due, then sign the request."""
        keys = self._keys
        if keys is None or keys.expires - time.time() < _RENEW_SECONDS:
            keys = yield from self._fetch()
            with self._lock:
                self._keys = keys
        _sign(request, keys)
        yield request

    def _fetch(self) -> Generator[Request, Reply, _Keys]:
        try:
            session = yield _metadata(
                "PUT", "/meta-data/latest/api/token", {"X-Metadata-Token-Ttl-Seconds": "21600"}
            )
            headers: dict[str, str] = {}
            if session.status == 200:
                headers["X-Metadata-Token"] = session.body.decode("ascii", "replace").strip()
            # Servers without the token service answer so; they need no token.
            elif session.status not in {404, 405, 503}:
                raise error_from(session)
            answer = yield _metadata("GET", "/openstack/latest/securitykey", headers)
            if answer.status != 200:
                raise error_from(answer)
        except DcsSessionsError as error:
            msg = (
                "no credentials: not in the environment (HUAWEICLOUD_SDK_AK and _SK), not in "
                f"~/.huaweicloud/credentials, not from the ECS metadata service ({error})"
            )
            raise ConfigurationError(msg) from error
        try:
            found: dict[str, Any] = orjson.loads(answer.body)["credential"]
            expires = datetime.datetime.fromisoformat(found["expires_at"])
            return _Keys(
                _checked("access", found["access"]),
                _checked("secret", found["secret"]),
                _checked("securitytoken", found["securitytoken"]),
                expires.timestamp(),
            )
        except (ValueError, KeyError, TypeError) as error:
            msg = f"the ECS metadata service gave no credentials ({type(error).__name__})"
            raise ConfigurationError(msg) from None


def _metadata(method: str, target: str, headers: dict[str, str]) -> Request:
    return Request(method, _METADATA_ENDPOINT, target, headers, timeout=_METADATA_SECONDS)


def _sign(request: Request, keys: _Keys) -> None:
    """Add the date and the signature. What is signed is what the vendor's SDK signs."""
    headers = request.headers
    headers.pop("Authorization", None)
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


# The rest, such as User-Agent, a proxy may change on the way.
_SIGNED_HEADERS: Final = ("Content-Type", "Host", "X-Project-Id", "X-Sdk-Date", "X-Security-Token")


def _checked(name: str, value: object) -> str:
    """Give a secret back if a header can carry it. The message never shows it."""
    if not isinstance(value, str) or not value:
        msg = f"{name} has to be a text that is not empty"
        raise ConfigurationError(msg)
    if not value.isascii() or not value.isprintable() or value != value.strip():
        msg = f"{name} holds blanks, line ends or other characters that no header can carry"
        raise ConfigurationError(msg)
    return value
