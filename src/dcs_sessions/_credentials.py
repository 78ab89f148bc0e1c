"""Finds credentials where the vendor's SDK finds them: environment, file, server."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import attrs

from dcs_sessions._auth import AkSkAuth, Auth, EcsMetadataAuth, TokenAuth
from dcs_sessions._errors import ConfigurationError, without_frames

_DEFAULT_FILE = "~/.huaweicloud/credentials"


@attrs.frozen
class Found:
    """Credentials, and where they are from.

    Attributes:
        auth: The credentials.
        source: Where they were found, in words for a person.
        project_id: Project ID that stood beside them, or None.
        project_source: Where the project ID was found, or None.
    """

    auth: Auth
    source: str
    project_id: str | None
    project_source: str | None


@without_frames
def find_credentials() -> Found:
    """Take the first of: token, access key, credentials file, ECS metadata service.

    The names are those of the vendor's SDK: `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK`,
    `HUAWEICLOUD_SDK_SECURITY_TOKEN`, `HUAWEICLOUD_SDK_PROJECT_ID`, and
    `HUAWEICLOUD_SDK_CREDENTIALS_FILE` for a file other than `~/.huaweicloud/credentials`. The SDK
    has no token; its variable here is `DCS_SESSIONS_TOKEN`, which comes first.

    Raises:
        ConfigurationError: Half of a key pair is there, or the file cannot be read.
    """
    project_id = env("HUAWEICLOUD_SDK_PROJECT_ID")
    project_source = "HUAWEICLOUD_SDK_PROJECT_ID" if project_id else None
    token = env("DCS_SESSIONS_TOKEN")
    if token:
        return Found(TokenAuth(token), "DCS_SESSIONS_TOKEN", project_id, project_source)
    ak, sk = env("HUAWEICLOUD_SDK_AK"), env("HUAWEICLOUD_SDK_SK")
    if ak or sk:
        auth = _key_pair(
            "HUAWEICLOUD_SDK_AK",
            ak,
            "HUAWEICLOUD_SDK_SK",
            sk,
            env("HUAWEICLOUD_SDK_SECURITY_TOKEN"),
        )
        source = "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK"
        return Found(auth, source, project_id, project_source)
    named = env("HUAWEICLOUD_SDK_CREDENTIALS_FILE")
    path = Path(named or _DEFAULT_FILE).expanduser()
    if named or path.exists():
        section = _read_section(path)
        auth = _key_pair(
            "ak",
            section.get("ak"),
            "sk",
            section.get("sk"),
            section.get("security_token"),
            where=f" in {path}",
        )
        if project_id is None and section.get("project_id"):
            project_id, project_source = section["project_id"], str(path)
        return Found(auth, str(path), project_id, project_source)
    return Found(EcsMetadataAuth(), "ECS metadata service", project_id, project_source)


def env(name: str) -> str | None:
    """Give a variable of the environment, or None when it is not set or blank."""
    return os.environ.get(name, "").strip() or None


def _key_pair(
    ak_name: str,
    ak: str | None,
    sk_name: str,
    sk: str | None,
    security_token: str | None,
    *,
    where: str = "",
) -> Auth:
    if not ak or not sk:
        msg = f"{ak_name if not ak else sk_name} is missing{where}: a key pair has both"
        raise ConfigurationError(msg)
    return AkSkAuth(ak, sk, security_token or None)


def _read_section(path: Path) -> dict[str, str]:
    """Read the section of regional services. No message quotes the file, which holds secrets."""
    import configparser

    parser = configparser.RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8")
        if os.name == "posix" and path.stat().st_mode & 0o077:
            warnings.warn(
                f"{path} can be read by others: chmod 600 {path}",
                UserWarning,
                stacklevel=5,  # whoever calls from_env()
            )
        parser.read_string(text)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        msg = f"credentials file {path} cannot be read: {why}"
        raise ConfigurationError(msg) from None
    if not parser.has_section("basic"):
        msg = f"credentials file {path} has no section [basic]"
        raise ConfigurationError(msg)
    return dict(parser.items("basic"))
