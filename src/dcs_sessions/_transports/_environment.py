"""Proxies of the environment, for both clients. `.netrc` is never read."""

from __future__ import annotations

import ipaddress
import os
import urllib.parse
from typing import TYPE_CHECKING

from dcs_sessions._errors import ConfigurationError, without_frames

if TYPE_CHECKING:
    from dcs_sessions._wire import Request


class Proxies:
    """Selects the proxy of each request. The environment is read once for each origin.

    Args:
        configured: Proxy of all requests; None to use the environment.
    """

    def __init__(self, configured: str | None) -> None:
        self._configured = configured
        self._found: dict[str, str | None] = {}

    def of(self, request: Request) -> str | None:
        """Return the proxy of a request, or None to connect directly."""
        if request.direct:
            return None
        if self._configured is not None:
            return self._configured
        origin = request.origin
        if origin not in self._found:
            self._found[origin] = proxy_for(origin)
        return self._found[origin]


@without_frames
def proxy_for(origin: str) -> str | None:
    """Return the proxy of an origin from the environment, or None to connect directly.

    `HTTPS_PROXY` or `HTTP_PROXY` precedes `ALL_PROXY`; `NO_PROXY` exempts hosts. Lower case
    precedes upper case. If none of them is set, the system settings of macOS and Windows apply.

    Raises:
        ConfigurationError: The proxy is invalid or not supported. The message names the variable.
    """
    import urllib.request  # slow to import, and not every client sends requests

    scheme, _, host = origin.partition("://")
    # With names in lower case, and without HTTP_PROXY under CGI, where clients could set it.
    proxies = urllib.request.getproxies()
    key = scheme if scheme in proxies else "all"
    proxy = proxies.get(key)
    if not proxy or _is_exempt(origin):
        return None
    if not os.environ.get("no_proxy", os.environ.get("NO_PROXY")) and (
        urllib.request.proxy_bypass(host)
    ):
        return None  # from the system settings
    lower = f"{key}_proxy"
    return checked_proxy(lower if lower in os.environ else lower.upper(), proxy)


def checked_proxy(name: str, proxy: str) -> str:
    """Return the URL of a proxy, if it is supported.

    Raises:
        ConfigurationError: It is invalid or not supported. The URL is not quoted, since it may have
            a password.
    """
    address = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urllib.parse.urlsplit(address)
        fits = bool(parts.hostname) and parts.port != 0 and address.isprintable()
    except ValueError:
        raise ConfigurationError(
            f"{name} must be a URL such as http://proxy.example:3128"
        ) from None
    if parts.scheme not in {"http", "https"}:
        shown = parts.scheme if parts.scheme.isalnum() else "another"
        raise ConfigurationError(
            f"{name} names a {shown} proxy, which is not supported: "
            "use an HTTP proxy, or exempt the service in NO_PROXY"
        )
    if not fits or " " in address:
        raise ConfigurationError(f"{name} must be a URL such as http://proxy.example:3128")
    return address


def _is_exempt(origin: str) -> bool:
    """Return whether NO_PROXY exempts the host of an origin. Invalid entries are ignored."""
    value = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    parts = urllib.parse.urlsplit(origin)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return any(_names(entry, host, port) for entry in value.replace(",", " ").lower().split())


def _names(entry: str, host: str, port: int) -> bool:
    """Return whether one entry of NO_PROXY matches a host."""
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    try:
        # An IP address or a network; IPv6 with or without brackets.
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    else:
        return address is not None and address in network
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal():
        return wanted == str(port) and bool(name) and _names(name, host, port)
    domain = entry.removeprefix("*").strip(".")
    return bool(domain) and address is None and (host == domain or host.endswith(f".{domain}"))
