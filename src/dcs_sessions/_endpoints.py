"""Where the service is: endpoints of a region, and what may be sent to them."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from typing import Final

from dcs_sessions._errors import ConfigurationError

# Regions whose identity service has no address of its own.
_GLOBAL_IAM: Final = frozenset(
    {
        "af-north-1",
        "ap-southeast-5",
        "cn-north-11",
        "cn-south-4",
        "cn-southwest-3",
        "eu-west-101",
        "ru-northwest-2",
    }
)


def service_endpoint(region: str) -> str:
    """Give the endpoint of DCS in a region, or the one that the environment names instead.

    Of several endpoints in `endpoint_variable`, the first counts.
    """
    _check_region(region)
    override = os.environ.get(endpoint_variable(region), "").split(",")[0].strip()
    return override or f"https://dcs.{region}.myhuaweicloud.com"


def endpoint_variable(region: str) -> str:
    """Name the variable of the vendor's SDK, such as `HUAWEICLOUD_SDK_REGION_DCS_CN_NORTH_4`."""
    return f"HUAWEICLOUD_SDK_REGION_DCS_{region.upper().replace('-', '_')}"


def identity_origin(region: str | None, *, allow_http: bool) -> str | None:
    """Give the endpoint of the identity service (IAM) for a region; None for no region.

    `HUAWEICLOUD_SDK_IAM_ENDPOINT` comes first, as with the vendor's SDK.
    """
    if region is None:
        return None
    _check_region(region)
    override = os.environ.get("HUAWEICLOUD_SDK_IAM_ENDPOINT", "").strip()
    if override:
        name = "HUAWEICLOUD_SDK_IAM_ENDPOINT"
        return checked_origin(name, override, allow_http=allow_http)
    if region in _GLOBAL_IAM:
        return "https://iam.myhuaweicloud.com"
    return f"https://iam.{region}.myhuaweicloud.com"


def checked_origin(name: str, endpoint: str, *, allow_http: bool) -> str:
    """Give the endpoint as scheme, host and port, if credentials may be sent there.

    Raises:
        ConfigurationError: It is no such address, or plain HTTP to another machine.
    """
    try:
        parts = urllib.parse.urlsplit(endpoint)
        port = parts.port
    except (ValueError, AttributeError, TypeError) as error:
        msg = f"{name} is no address: {error}"
        raise ConfigurationError(msg) from None
    if parts.username is not None or parts.password is not None:
        msg = f"{name} must not hold a user or a password: use auth="
        raise ConfigurationError(msg)
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host or not re.fullmatch(r"[\w.:%-]+", host):
        msg = f"{name} {endpoint!r} has to be like https://dcs.cn-north-4.myhuaweicloud.com"
        raise ConfigurationError(msg)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        msg = f"{name} {endpoint!r} has to end after the host and the port"
        raise ConfigurationError(msg)
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        msg = (
            f"{name} {endpoint!r} would send credentials unencrypted: "
            "use https, or say allow_http=True"
        )
        raise ConfigurationError(msg)
    address = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{address}" + (f":{port}" if port is not None else "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_region(region: object) -> None:
    if not isinstance(region, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", region):
        msg = f"region {region!r} has to be an ID such as cn-north-4"
        raise ConfigurationError(msg)
