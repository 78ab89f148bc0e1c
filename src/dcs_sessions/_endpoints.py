"""Where the service is: endpoints of a region, and what may be sent to them."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from typing import Final

from dcs_sessions._errors import ConfigurationError

# Regions whose identity service has no address of its own, or another one than the rest.
_IAM: Final = {
    "af-north-1": "https://iam.myhuaweicloud.com",
    "ap-southeast-5": "https://iam.myhuaweicloud.com",
    "cn-north-11": "https://iam.myhuaweicloud.com",
    "cn-south-4": "https://iam.myhuaweicloud.com",
    "cn-southwest-3": "https://iam.myhuaweicloud.com",
    "eu-west-101": "https://iam.eu-west-101.myhuaweicloud.eu",
    "ru-northwest-2": "https://iam.myhuaweicloud.com",
}
# Regions whose token service (STS) has an address of its own, in the vendor's SDK.
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
    """Return the endpoint of DCS in a region, or the one that the environment names instead.

    Of several endpoints in `endpoint_variable`, the first counts.
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
        ConfigurationError: The region or the variable cannot be right.
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
        ConfigurationError: The variable cannot be right.
    """
    name = "HUAWEICLOUD_SDK_STS_ENDPOINT"
    override = os.environ.get(name, "").strip()
    if override:
        return checked_origin(name, override, allow_http=False)
    return f"https://sts.{region if region in _STS else 'cn-north-4'}.myhuaweicloud.com"


def checked_origin(name: str, endpoint: str, *, allow_http: bool) -> str:
    """Return the endpoint as scheme, host and port, if credentials may be sent there.

    No message quotes more of it than the host: what is mistyped may hold a password.

    Raises:
        ConfigurationError: It is no such address, or plain HTTP to another machine.
    """
    try:
        parts = urllib.parse.urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except (ValueError, AttributeError, TypeError):
        msg = f"{name} is no address like https://dcs.cn-north-4.myhuaweicloud.com"
        raise ConfigurationError(msg) from None
    if parts.username is not None or parts.password is not None:
        msg = f"{name} must not hold a user or a password: use auth="
        raise ConfigurationError(msg)
    if parts.scheme not in {"http", "https"} or not host or not re.fullmatch(r"[\w.:%-]+", host):
        msg = f"{name} must be like https://dcs.cn-north-4.myhuaweicloud.com"
        raise ConfigurationError(msg)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        msg = f"{name} must end after the host and the port"
        raise ConfigurationError(msg)
    address = f"[{host}]" if ":" in host else host
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        msg = (
            f"{name} http://{address} would send credentials unencrypted: "
            "use https, or say allow_http=True"
        )
        raise ConfigurationError(msg)
    return f"{parts.scheme}://{address}" + (f":{port}" if port is not None else "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_region(region: object) -> None:
    if not isinstance(region, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", region):
        msg = f"region {region!r} must be an ID such as cn-north-4"
        raise ConfigurationError(msg)
