"""Which certificates are trusted."""

from __future__ import annotations

import ssl

import httpx

from dcs_sessions._errors import ConfigurationError


def trust(verify: object) -> ssl.SSLContext:
    """Make what `verify` stands for.

    Args:
        verify: True for the usual authorities, False for anybody, the path of a file with
            certificates, or a context as it is.

    Raises:
        ConfigurationError: It is none of these, or the file cannot be read or holds no
            certificates.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, bool):
        return httpx.create_ssl_context(verify=verify)
    if not isinstance(verify, str):
        msg = f"verify: {verify!r} is none of True, False, the path of a file, and an SSL context"
        raise ConfigurationError(msg)
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        msg = f"verify: {verify}: {error.strerror or error}"
        raise ConfigurationError(msg) from None
