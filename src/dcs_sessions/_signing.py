"""The signature of Huawei Cloud API requests, `SDK-HMAC-SHA256`.

The client signs with it and the emulator verifies with it; both use the bytes on the wire.

Source: "API Request Signing Guide", https://support.huaweicloud.com/intl/en-us/devg-apisign/,
and, where the guide is silent, the vendor's Python SDK (`huaweicloudsdkcore.signer`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

ALGORITHM = "SDK-HMAC-SHA256"
DATE_HEADER = "X-Sdk-Date"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
"""The form of `X-Sdk-Date`, for `strftime` and `strptime`; always UTC."""

_PAYLOAD_HASH_HEADER = "x-sdk-content-sha256"
_EMPTY_PAYLOAD_HASH = hashlib.sha256(b"").hexdigest()
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{{64}})"
)


class Authorization(NamedTuple):
    """Parts of the `Authorization` header of a signed request.

    Attributes:
        access_key: The access key (AK).
        signed_headers: Names of the headers that were signed, in lower case, in the order signed.
        signature: 64 hexadecimal digits.
    """

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str

    def __str__(self) -> str:
        """The value of the header."""
        return (
            f"{ALGORITHM} Access={self.access_key}, "
            f"SignedHeaders={';'.join(self.signed_headers)}, Signature={self.signature}"
        )

    @classmethod
    def parse(cls, value: str) -> Authorization:
        """Parse the value of the header.

        Raises:
            ValueError: The value does not have the form of the algorithm.
        """
        match = _AUTHORIZATION.fullmatch(value)
        if match is None:
            raise ValueError(f"not an {ALGORITHM} authorization")
        access_key, names, signature = match.groups()
        return cls(access_key, tuple(names.split(";")), signature)


def sign(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    *,
    access_key: str,
    secret_key: str,
) -> str:
    """Sign a request.

    Args:
        method: HTTP method, case-insensitive.
        target: Path and query exactly as sent, percent-encoded: `/v2/p/jobs/j?limit=2`.
        headers: Name and value of every header to sign. `X-Sdk-Date` is required. Names
            with `_` are left out, as the vendor's signer does. Names must be unique.
        body: The bytes of the body, empty if it has no body.
        access_key: The access key (AK).
        secret_key: The secret key (SK).

    Returns:
        The value of the `Authorization` header.

    Raises:
        ValueError: `X-Sdk-Date` is missing.
    """
    signed = {name.lower(): value for name, value in headers if "_" not in name}
    # As in the vendor's signer, an empty body has the hash of no bytes, whatever the header says.
    payload_hash = signed.get(_PAYLOAD_HASH_HEADER) if body else None
    return str(
        Authorization(
            access_key,
            tuple(sorted(signed)),
            signature(
                method, target, signed, body, secret_key=secret_key, payload_hash=payload_hash
            ),
        )
    )


def signature(
    method: str,
    target: str,
    signed: dict[str, str],
    body: bytes,
    *,
    secret_key: str,
    payload_hash: str | None = None,
) -> str:
    """Return the signature, which a verifier compares with the received one.

    Args:
        method: HTTP method, case-insensitive.
        target: Path and query exactly as sent.
        signed: Headers to sign, names in lower case. Values may have surrogate escapes for bytes
            that are not UTF-8.
        body: The bytes of the body.
        secret_key: The secret key (SK).
        payload_hash: Value to use in place of the hash of the body, or None.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: `x-sdk-date` is not among the headers.
    """
    date = signed.get("x-sdk-date")
    if date is None:
        raise ValueError(f"{DATE_HEADER} is not among the headers to sign")
    request = canonical_request(method, target, signed, body, payload_hash=payload_hash)
    digest = hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
    return hmac.digest(
        secret_key.encode(), f"{ALGORITHM}\n{date.strip()}\n{digest}".encode(), "sha256"
    ).hex()


def canonical_request(
    method: str,
    target: str,
    signed: dict[str, str],
    body: bytes,
    *,
    payload_hash: str | None = None,
) -> str:
    """Return the canonical form of a request; arguments as for `signature`."""
    path, _, query = target.partition("?")
    names = sorted(signed)
    if payload_hash is None:
        payload_hash = hashlib.sha256(body).hexdigest() if body else _EMPTY_PAYLOAD_HASH
    return "\n".join(
        (
            method.upper(),
            _canonical_path(path),
            _canonical_query(query),
            *(f"{name}:{signed[name].strip()}" for name in names),
            "",
            ";".join(names),
            payload_hash,
        )
    )


@lru_cache(maxsize=1024)  # a client requests the same few paths again and again
def _canonical_path(path: str) -> str:
    # The trailing slash is signed, not sent. The vendor's signer decodes before it splits, so an
    # escaped slash is a separator here.
    encoded = quote(unquote(path), safe="/~")
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs: list[tuple[str, str]] = []
    for part in query.split("&"):
        if part:
            # On the wire a plus is a space; the output of a signer has neither.
            name, _, value = part.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    pairs.sort()
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
