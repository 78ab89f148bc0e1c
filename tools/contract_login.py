"""The login that the environment of `make contract-live` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcs_sessions import AkSkAuth, Auth, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Mapping


def login(environment: Mapping[str, str]) -> Auth:
    """A token from DCS_SESSIONS_TOKEN, or else signatures with a key pair.

    The pair is HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK; temporary keys come with
    HUAWEICLOUD_SDK_SECURITY_TOKEN.
    """
    token = environment.get("DCS_SESSIONS_TOKEN")
    if token:
        return TokenAuth(token)
    return AkSkAuth(
        environment["HUAWEICLOUD_SDK_AK"],
        environment["HUAWEICLOUD_SDK_SK"],
        environment.get("HUAWEICLOUD_SDK_SECURITY_TOKEN") or None,
    )
