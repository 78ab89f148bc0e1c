"""Shared by both transports: settings, limits, decoding and errors."""

from __future__ import annotations

import contextlib
import urllib.parse
import zlib
from typing import TYPE_CHECKING, Any, Final

import attrs

from dcs_sessions._defaults import MAX_CONNECTIONS
from dcs_sessions._errors import ApiConnectionError, ApiTimeoutError, ConfigurationError

if TYPE_CHECKING:
    import os
    import ssl

    from dcs_sessions._wire import Request

# A page of 1,000 sessions has 250 kB; no response of the service comes near this.
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
# Detects a broken network long before a long timeout of the call has passed.
CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 30.0


def _check_proxy(_: object, __: object, value: Any) -> None:
    given: object = value
    if given is None:
        return
    fits = False
    if isinstance(given, str):
        with contextlib.suppress(ValueError):
            parts = urllib.parse.urlsplit(given)
            fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    if not fits:
        # It may have a password.
        raise ConfigurationError("proxy must be a URL such as http://proxy.example:3128")


def _check_max_connections(_: object, __: object, value: object) -> None:
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"max_connections {value!r} must be an integer of at least 1")


@attrs.frozen
class TransportConfig:
    """Settings of connections.

    Attributes:
        verify: True, False, the path of CA certificates, or an SSL context.
        proxy: URL of a proxy; default: from the environment.
        max_connections: Maximum number of connections.
    """

    verify: bool | str | os.PathLike[str] | ssl.SSLContext = True
    proxy: str | None = attrs.field(default=None, repr=False, validator=_check_proxy)
    max_connections: int = attrs.field(default=MAX_CONNECTIONS, validator=_check_max_connections)


def checked_trust(
    verify: bool | str | os.PathLike[str] | ssl.SSLContext,
) -> bool | ssl.SSLContext:
    """Return the TLS settings. Certificates passed by the caller are read at once."""
    if isinstance(verify, bool):
        return verify
    from dcs_sessions._transports._tls import trust

    return trust(verify)


def decode_body(request: Request, encoding: str | None, raw: bytes) -> bytes:
    """Decode the content encoding, up to `MAX_BODY_BYTES`."""
    if encoding is None or encoding.lower() == "identity" or not raw:
        return raw
    if encoding.lower() != "gzip":
        raise broken(request, f"unknown content encoding {encoding!r}")
    inflater = zlib.decompressobj(wbits=31)
    try:
        body = inflater.decompress(raw, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise broken(request, f"broken gzip: {error}") from error
    if len(body) > MAX_BODY_BYTES:
        raise too_large(request)
    if not inflater.eof:
        raise broken(request, "truncated gzip")
    return body


def broken(request: Request, why: object, *, may_have_arrived: bool = True) -> ApiConnectionError:
    """Return the error of a connection that broke, or could not be opened."""
    # The reason quotes unreadable responses, which may repeat secrets.
    msg = f"{request.method} {request.url}: {request.mask(str(why))}"
    return ApiConnectionError(msg, may_have_arrived=may_have_arrived)


def too_late(request: Request, seconds: float, *, may_have_arrived: bool = True) -> ApiTimeoutError:
    """Return the error of a response that did not arrive in time."""
    msg = f"{request.method} {request.url}: no response within {round(seconds, 2):g} s"
    return ApiTimeoutError(msg, may_have_arrived=may_have_arrived)


def require_fresh(request: Request) -> None:
    """Check a request right before it is sent.

    Raises:
        ApiConnectionError: It was made from a list that is too old by now, or was sent before.
    """
    if request.fresh is not None and request.fresh.remaining() <= 0:
        why = "not sent, since other clients may have taken over the addresses meanwhile"
        raise broken(request, why, may_have_arrived=False)


def closed() -> ConfigurationError:
    """Return the error of a client used after it was closed."""
    return ConfigurationError("this client is closed: create another one")


def too_large(request: Request) -> ApiConnectionError:
    """Return the error of a response that is too large."""
    return broken(request, f"the response is larger than {MAX_BODY_BYTES} bytes")
