"""Endpoints of a region, and validation of endpoints."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from typing import Final

from dcs_sessions._errors import ALLOW_HTTP, USE_AUTH, ConfigurationError

# Regions whose identity service has no endpoint of its own, or an unusual one.
_IAM: Final = {
    "af-north-1": "https://iam.myhuaweicloud.com",
    "ap-southeast-5": "https://iam.myhuaweicloud.com",
    "cn-north-11": "https://iam.myhuaweicloud.com",
    "cn-south-4": "https://iam.myhuaweicloud.com",
    "cn-southwest-3": "https://iam.myhuaweicloud.com",
    "eu-west-101": "https://iam.eu-west-101.myhuaweicloud.eu",
    "ru-northwest-2": "https://iam.myhuaweicloud.com",
}
# Regions whose token service (STS) has an endpoint of its own in the vendor's SDK.
_STS: Final = frozenset(
    {
        "af-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "cn-east-3",
        "cn-north-4",
        "cn-south-1",
        "cn-southwest-2",
        "la-south-2",
        "sa-brazil-1",
        "tr-west-1",
    }
)


def service_endpoint(region: str) -> str:
    """Return the endpoint of DCS in a region, or the one set in the environment.

    If `endpoint_variable` has several endpoints, the first one is used.
    """
    _check_region(region)
    override = os.environ.get(endpoint_variable(region), "").split(",")[0].strip()
    return override or f"https://dcs.{region}.myhuaweicloud.com"


def endpoint_variable(region: str) -> str:
    """Return the variable of the vendor's SDK, such as `HUAWEICLOUD_SDK_REGION_DCS_CN_NORTH_4`."""
    return f"HUAWEICLOUD_SDK_REGION_DCS_{region.upper().replace('-', '_')}"


def identity_origin(region: str | None, *, allow_http: bool) -> str:
    """Return the endpoint of the identity service (IAM) for a region, or the global one.

    `HUAWEICLOUD_SDK_IAM_ENDPOINT` comes first, as with the vendor's SDK.

    Raises:
        ConfigurationError: The region or the variable is invalid.
    """
    if region is not None:
        _check_region(region)
    name = "HUAWEICLOUD_SDK_IAM_ENDPOINT"
    override = os.environ.get(name, "").strip()
    if override:
        return checked_origin(name, override, allow_http=allow_http)
    if region is None:
        return "https://iam.myhuaweicloud.com"
    return _IAM.get(region, f"https://iam.{region}.myhuaweicloud.com")


def token_service_origin(region: str | None) -> str:
    """Return the endpoint of the token service (STS) for a region.

    `HUAWEICLOUD_SDK_STS_ENDPOINT` comes first, as with the vendor's SDK.

    Raises:
        ConfigurationError: The variable is invalid.
    """
    name = "HUAWEICLOUD_SDK_STS_ENDPOINT"
    override = os.environ.get(name, "").strip()
    if override:
        return checked_origin(name, override, allow_http=False)
    return f"https://sts.{region if region in _STS else 'cn-north-4'}.myhuaweicloud.com"


def checked_origin(name: str, endpoint: str, *, allow_http: bool) -> str:
    """Return an endpoint as scheme, host and port, if credentials may be sent to it.

    Messages quote only the host: a mistyped URL may contain a password.

    Raises:
        ConfigurationError: The URL is invalid, or uses plain HTTP to another machine.
    """
    try:
        parts = urllib.parse.urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(
            f"{name} must be a URL such as https://dcs.cn-north-4.myhuaweicloud.com"
        ) from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{name} must not contain a user or a password", advice=USE_AUTH)
    if parts.scheme not in {"http", "https"} or not host or not re.fullmatch(r"[\w.:%-]+", host):
        raise ConfigurationError(
            f"{name} must be a URL such as https://dcs.cn-north-4.myhuaweicloud.com"
        )
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigurationError(f"{name} must have no path, query or fragment")
    address = f"[{host}]" if ":" in host else host
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise ConfigurationError(
            f"{name} http://{address} would send credentials unencrypted", advice=ALLOW_HTTP
        )
    return f"{parts.scheme}://{address}" + (f":{port}" if port is not None else "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_region(region: object) -> None:
    if not isinstance(region, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", region):
        raise ConfigurationError(f"region {region!r} must be an ID such as cn-north-4")
