"""Masks secrets in the output of --debug."""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path

_VARIABLES = (
    "DCS_SESSIONS_TOKEN",
    "DCS_SESSIONS_PASSWORD",
    "HUAWEICLOUD_OIDC_ID_TOKEN",
    "HUAWEICLOUD_SDK_AK",
    "HUAWEICLOUD_SDK_SK",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# No secret is shorter, and masking single letters would hide the message.
_SHORTEST = 6
# Secrets from neither variables nor files, such as a token typed at a prompt.
_known: set[str] = set()


def remember(secret: str) -> None:
    """Add a secret that is neither in the environment nor in the credentials file."""
    _known.add(secret)


def mask(text: str) -> str:
    """Return text with every known secret replaced by `***`."""
    # The longest first, since one may be part of another.
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


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
    return {secret for secret in found if len(secret) >= _SHORTEST}


def _password(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).password or ""
    except ValueError:
        return ""
