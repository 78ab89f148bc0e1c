"""Which proxy the environment names, for both clients. `.netrc` is never read."""

from __future__ import annotations

import ipaddress
import os
import urllib.parse
from typing import TYPE_CHECKING

from dcs_sessions._errors import ConfigurationError, without_frames

if TYPE_CHECKING:
    from dcs_sessions._wire import Request


class Proxies:
    """Which proxy each request goes through. The environment is asked once for each origin.

    Args:
        configured: The proxy for all requests; None to ask the environment.
    """

    def __init__(self, configured: str | None) -> None:
        self._configured = configured
        self._found: dict[str, str | None] = {}

    def of(self, request: Request) -> str | None:
        """Return the proxy for a request, or None to connect directly."""
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
    """Return the proxy that the environment names for an origin, or None to connect directly.

    `HTTPS_PROXY` or `HTTP_PROXY` comes first, then `ALL_PROXY`; `NO_PROXY` exempts hosts. Lower
    case counts before upper case. Where none of them is set, macOS and Windows have settings of
    their own.

    Raises:
        ConfigurationError: It is no proxy that can be used. The message names the variable.
    """
    import urllib.request  # it takes a while, and not every client sends something

    scheme, _, host = origin.partition("://")
    # With the names in lower case, and without HTTP_PROXY under CGI, where anybody could set it.
    proxies = urllib.request.getproxies()
    key = scheme if scheme in proxies else "all"
    proxy = proxies.get(key)
    if not proxy or _is_exempt(origin):
        return None
    if not os.environ.get("no_proxy", os.environ.get("NO_PROXY")) and (
        urllib.request.proxy_bypass(host)
    ):
        return None  # by the settings of the system
    lower = f"{key}_proxy"
    return checked_proxy(lower if lower in os.environ else lower.upper(), proxy)


def checked_proxy(name: str, proxy: str) -> str:
    """Return the address of a proxy, if it can be used.

    Raises:
        ConfigurationError: It cannot. The address is not quoted, for it may hold a password.
    """
    address = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urllib.parse.urlsplit(address)
        fits = bool(parts.hostname) and parts.port != 0 and address.isprintable()
    except ValueError:
        msg = f"{name} must be an address such as http://proxy.example:3128"
        raise ConfigurationError(msg) from None
    if parts.scheme not in {"http", "https"}:
        shown = parts.scheme if parts.scheme.isalnum() else "another"
        msg = (
            f"{name} names a proxy of the kind {shown}, which is not supported: "
            "use an HTTP proxy, or exempt the service in NO_PROXY"
        )
        raise ConfigurationError(msg)
    if not fits or " " in address:
        msg = f"{name} must be an address such as http://proxy.example:3128"
        raise ConfigurationError(msg)
    return address


def _is_exempt(origin: str) -> bool:
    """Tell whether NO_PROXY names the host of an origin. Entries that make no sense name none."""
    value = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    parts = urllib.parse.urlsplit(origin)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return any(_names(entry, host, port) for entry in value.replace(",", " ").lower().split())


def _names(entry: str, host: str, port: int) -> bool:
    """Tell whether one entry of NO_PROXY names a host."""
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    try:
        # An address or a network; IPv6 with brackets or without.
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
