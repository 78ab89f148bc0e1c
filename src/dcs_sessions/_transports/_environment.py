"""What the transports read from the environment of the process."""

from __future__ import annotations

import urllib.request


def proxy_for(origin: str) -> str | None:
    """Return the proxy that the environment names for an origin, or None to connect directly."""
    scheme, _, host = origin.partition("://")
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)
