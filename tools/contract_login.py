"""The logins that the environment of `make contract` and `make contract-live` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcs_sessions import AkSkAuth, Auth, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Mapping


def logins(environment: Mapping[str, str]) -> list[Auth]:
    """Return a token from DCS_SESSIONS_TOKEN, and signatures with a key pair, or one of the two.

    The pair is HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK; temporary keys come with
    HUAWEICLOUD_SDK_SECURITY_TOKEN.
    """
    found: list[Auth] = []
    if environment.get("DCS_SESSIONS_TOKEN"):
        found.append(TokenAuth(environment["DCS_SESSIONS_TOKEN"]))
    if environment.get("HUAWEICLOUD_SDK_AK"):
        found.append(
            AkSkAuth(
                environment["HUAWEICLOUD_SDK_AK"],
                environment["HUAWEICLOUD_SDK_SK"],
                environment.get("HUAWEICLOUD_SDK_SECURITY_TOKEN") or None,
            )
        )
    return found
