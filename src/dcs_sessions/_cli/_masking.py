"""Masks secrets in the output of --debug."""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path

from dcs_sessions._text import masked

_VARIABLES = (
    "DCS_SESSIONS_TOKEN",
    "DCS_SESSIONS_PASSWORD",
    "HUAWEICLOUD_OIDC_ID_TOKEN",
    "HUAWEICLOUD_SDK_AK",
    "HUAWEICLOUD_SDK_SK",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# Secrets from neither variables nor files, such as a token typed at a prompt.
_known: set[str] = set()


def remember(secret: str) -> None:
    """Add a secret that is neither in the environment nor in the credentials file."""
    _known.add(secret)


def mask(text: str) -> str:
    """Return text with every known secret replaced by `***`."""
    return masked(text, _secrets())


def _secrets() -> set[str]:
    found = {os.environ.get(name, "").strip() for name in _VARIABLES} | _known
    for name in _PROXIES:
        for spelling in (name, name.lower()):
            found.add(_password(os.environ.get(spelling, "")))
    file = os.environ.get("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "").strip()
    try:
        text = Path(file or "~/.huaweicloud/credentials").expanduser().read_text("utf-8")
    except (OSError, ValueError, RuntimeError):
        text = ""
    found.update(re.findall(r"(?im)^\s*(?:ak|sk|security_token)\s*[=:]\s*(.*?)\s*$", text))
    return found


def _password(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).password or ""
    except ValueError:
        return ""
