"""Temporary keys of the ECS server or the pod that the program runs on.

Sources: https://support.huaweicloud.com/intl/en-us/usermanual-ecs/ecs_03_0166.html for servers,
https://support.huaweicloud.com/intl/en-us/usermanual-cce/cce_10_1110.html for pods, and,
where they are silent, the vendor's SDK.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dcs_sessions._auth._base import accepted, checked
from dcs_sessions._auth._keys import Keys, TemporaryKeysAuth, keys_of
from dcs_sessions._errors import ConfigurationError, DcsSessionsError
from dcs_sessions._renewal import Renewed
from dcs_sessions._wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcs_sessions._renewal import Tools
    from dcs_sessions._wire import Scope

_METADATA_ENDPOINT: Final = "http://169.254.169.254"
_METADATA_SECONDS: Final = 3.0
_POD_SECONDS: Final = 5.0
_POD_URI: Final = "HC_CONTAINER_CREDENTIALS_FULL_URI"
_POD_TOKEN_FILE: Final = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - a name


class EcsMetadataAuth(TemporaryKeysAuth):
    """Sign with the temporary keys of the agency of an ECS server.

    The keys are fetched from the metadata service of the server, never through a proxy. Calls share
    one fetch. Keys are renewed before they expire, in the background. If that fails, they are used
    until a minute before they expire.
    """

    def __init__(self) -> None:
        self._keys = Renewed("no credentials from the ECS metadata service", metadata_keys)

    def keys(self, scope: Scope | None) -> Renewed[Keys]:
        """Return the source of the keys, the same for every scope."""
        del scope
        return self._keys


class ServerAuth(TemporaryKeysAuth):
    """Sign with the keys of the ECS server, or else of the pod, in the order of the vendor's SDK.

    Args:
        tried: Places searched before, for the message if there are no credentials.
    """

    def __init__(self, tried: str) -> None:
        self._tried = tried
        self._sources: Mapping[str, Callable[[Tools], Keys]] = {
            "the ECS metadata service": metadata_keys,
            "the identity of the pod": pod_keys,
        }
        self._keys = Renewed("no credentials", self._fetch)

    def keys(self, scope: Scope | None) -> Renewed[Keys]:
        """Return the source of the keys, the same for every scope."""
        del scope
        return self._keys

    def _fetch(self, tools: Tools) -> Keys:
        failures: list[str] = []
        for name, fetch in self._sources.items():
            try:
                keys = fetch(tools)
            except DcsSessionsError as error:
                failures.append(f"not from {name} ({error})")
                continue
            # Do not wait again for a metadata service that does not exist.
            self._sources = {name: fetch, **self._sources}
            return keys
        raise ConfigurationError(", ".join([self._tried, *failures]))


def metadata_keys(tools: Tools) -> Keys:
    """Fetch keys from the metadata service of an ECS server."""
    ttl = {"X-Metadata-Token-Ttl-Seconds": "21600"}
    session = tools.send(_metadata("PUT", "/meta-data/latest/api/token", ttl))
    headers: dict[str, str] = {}
    # Servers without the token service need no token.
    if accepted(session, 200, 404, 405, 503).status == 200:
        headers["X-Metadata-Token"] = session.body.decode("ascii", "replace").strip()
        checked("the metadata token", headers["X-Metadata-Token"])
    reply = tools.send(_metadata("GET", "/openstack/latest/securitykey", headers))
    return keys_of(accepted(reply, 200).body)


def pod_keys(tools: Tools) -> Keys:
    """Fetch keys from the service that CCE configures for pods. The file is read each time."""
    uri = os.environ.get(_POD_URI, "").strip()
    path = os.environ.get(_POD_TOKEN_FILE, "").strip()
    if not uri or not path:
        raise ConfigurationError(f"{_POD_TOKEN_FILE if uri else _POD_URI} is not set")
    token = secret_in(_POD_TOKEN_FILE, path)
    origin, target = _pod_address(uri)
    headers = {"Authorization": token, "Content-Type": "application/json"}
    request = Request(
        "POST", origin, target, headers, b"{}", timeout=_POD_SECONDS, direct=True, secrets=(token,)
    )
    return keys_of(accepted(tools.send(request), 200, 201).body)


def secret_in(name: str, path: str) -> str:
    """Return the secret in a file that a variable or a setting names.

    Raises:
        ConfigurationError: The file cannot be read, or its content is invalid in a header.
    """
    try:
        text = Path(path).expanduser().read_text("ascii").strip()
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ConfigurationError(f"{name}: {path} cannot be read: {why}") from None
    return checked(f"the content of the file in {name}", text)


def _pod_address(uri: str) -> tuple[str, str]:
    """Return the parts of the URL. It must be local or private, or use https."""
    try:
        parts = urllib.parse.urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urllib.parse.urlsplit("")
    near = host == "localhost"
    with contextlib.suppress(ValueError):
        near = ipaddress.ip_address(host).is_private  # or loopback, or link-local
    fits = parts.scheme == "https" or (parts.scheme == "http" and near)
    if not host or not fits or "@" in parts.netloc or not uri.isascii() or not uri.isprintable():
        raise ConfigurationError(
            f"{_POD_URI} must be https, or plain HTTP to a loopback or private address"
        )
    name = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{name}" + (f":{port}" if port is not None else "")
    return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _metadata(method: str, target: str, headers: dict[str, str]) -> Request:
    return Request(
        method, _METADATA_ENDPOINT, target, headers, timeout=_METADATA_SECONDS, direct=True
    )
