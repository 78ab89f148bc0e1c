"""TLS certificates."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import cast

import certifi

from dcs_sessions._errors import ConfigurationError

# Variables with the path of CA certificates. The first one that is set is used.
_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def trust(verify: object) -> ssl.SSLContext:
    """Return the TLS context for `verify`.

    Args:
        verify: True for the CA certificates of the environment, or else the default ones; False to
            trust any certificate; the path of a file or directory of CA certificates; or a context.

    Raises:
        ConfigurationError: The value is invalid, the file cannot be read or has no certificates, or
            `SSLKEYLOGFILE` cannot be written.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    _check_key_log()
    if verify is True:
        for name in _FILES:
            path = os.environ.get(name)
            if path:
                return _read(name, path)
        return ssl.create_default_context(cafile=certifi.where())
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    # An empty path would be the current folder, for which OpenSSL trusts the usual authorities.
    if not isinstance(verify, str | os.PathLike) or verify == "":
        raise ConfigurationError(
            f"verify: {verify!r} must be True, False, a path, or an SSL context"
        )
    return _read("verify", os.fsdecode(cast("str | os.PathLike[str]", verify)))


def _read(name: str, path: str) -> ssl.SSLContext:
    """Return a context that trusts the certificates of a file or directory."""
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{name}: {path}: cannot be read as CA certificates: {_why(error)}"
        ) from None


def _check_key_log() -> None:
    """Raise an error if `SSLKEYLOGFILE`, which every new context writes to, cannot be written."""
    path = os.environ.get("SSLKEYLOGFILE")
    if path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = path
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"SSLKEYLOGFILE: {path} cannot be written: {_why(error)}"
            ) from None


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
