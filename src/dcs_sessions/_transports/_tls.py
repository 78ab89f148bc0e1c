"""Which certificates are trusted."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import cast

import certifi

from dcs_sessions._errors import ConfigurationError

# Where CA certificates are, unless the client is told. The first one that is set counts.
_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def trust(verify: object) -> ssl.SSLContext:
    """Return what `verify` stands for.

    Args:
        verify: True for the authorities that the environment names, or else the usual ones; False
            for anybody; the path of a file or a folder with certificates; or a context as it is.

    Raises:
        ConfigurationError: It is none of these, or the file cannot be read or holds no
            certificates, or `SSLKEYLOGFILE` cannot be written.
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
    if not isinstance(verify, str | os.PathLike):
        msg = f"verify: {verify!r} is none of True, False, the path of a file, and an SSL context"
        raise ConfigurationError(msg)
    return _read("verify", os.fsdecode(cast("str | os.PathLike[str]", verify)))


def _read(name: str, path: str) -> ssl.SSLContext:
    """Return a context that trusts what a file or a folder holds."""
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        msg = f"{name}: {path}: cannot be read as CA certificates: {_why(error)}"
        raise ConfigurationError(msg) from None


def _check_key_log() -> None:
    """Say what is wrong with `SSLKEYLOGFILE`, which every new context writes to."""
    path = os.environ.get("SSLKEYLOGFILE")
    if path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = path
        except (OSError, ValueError) as error:
            msg = f"SSLKEYLOGFILE: {path} cannot be written: {_why(error)}"
            raise ConfigurationError(msg) from None


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
