"""Discovery of credentials, as in the vendor's SDK: environment, file, server."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import attrs

from dcs_sessions._auth import AkSkAuth, Auth, PasswordAuth, TokenAuth
from dcs_sessions._auth._oidc import IdToken, IdTokenAuth, OidcAuth
from dcs_sessions._auth._server import ServerAuth
from dcs_sessions._endpoints import checked_origin
from dcs_sessions._errors import ConfigurationError, without_frames

_DEFAULT_FILE = "~/.huaweicloud/credentials"
_PROJECT = "HUAWEICLOUD_SDK_PROJECT_ID"
_ID_TOKEN_FILE = "HUAWEICLOUD_SDK_ID_TOKEN_FILE"  # noqa: S105 - a name
_OIDC = "HUAWEICLOUD_OIDC"
PASSWORD_VARIABLES = ("DCS_SESSIONS_DOMAIN", "DCS_SESSIONS_USER", "DCS_SESSIONS_PASSWORD")


@attrs.frozen
class FoundCredentials:
    """Credentials, and their source.

    Attributes:
        auth: The credentials.
        source: Where they were found, for messages.
        project_id: Project ID found with them, or None.
        project_source: Where the project ID was found, or None.
    """

    auth: Auth
    source: str
    project_id: str | None
    project_source: str | None


@without_frames
def find_credentials() -> FoundCredentials:
    """Return the first of: token, password, OIDC, ID token, access key, file, server or pod.

    The names, and the order from OIDC on, are those of the vendor's SDK; see `docs/environment.md`.
    The SDK has neither token nor password; their variables are `DCS_SESSIONS_TOKEN`, and
    `DCS_SESSIONS_DOMAIN`, `DCS_SESSIONS_USER` and `DCS_SESSIONS_PASSWORD`.

    Raises:
        ConfigurationError: Only some of the variables of one kind are set, or the file cannot be
            read.
    """
    project_id = env(_PROJECT)
    found = _from_environment()
    if found is not None:
        auth, source = found
        return FoundCredentials(auth, source, project_id, _PROJECT if project_id else None)
    named = env("HUAWEICLOUD_SDK_CREDENTIALS_FILE")
    path = _file(named)
    if path is not None:
        section = _read_section(path)
        auth = _from_section(section, path)
        if project_id is None and section.get("project_id"):
            return FoundCredentials(auth, str(path), section["project_id"], str(path))
        return FoundCredentials(auth, str(path), project_id, _PROJECT if project_id else None)
    tried = f"not in the environment (HUAWEICLOUD_SDK_AK and _SK), not in {_DEFAULT_FILE}"
    source = "ECS metadata service or pod identity"
    return FoundCredentials(ServerAuth(tried), source, project_id, _PROJECT if project_id else None)


def _file(named: str | None) -> Path | None:
    """Return the credentials file, or None if it does not exist and was not named."""
    path = Path(named or _DEFAULT_FILE)
    try:
        path = path.expanduser()
        if not named:
            path.stat()
    except (RuntimeError, FileNotFoundError, NotADirectoryError):
        # A user without a home directory, as in a container, has no file either.
        return path if named else None
    except OSError as error:
        raise ConfigurationError(
            f"credentials file {path} cannot be read: {error.strerror}"
        ) from None
    return path


def _from_environment() -> tuple[Auth, str] | None:
    token = env("DCS_SESSIONS_TOKEN")
    if token:
        return TokenAuth(token), "DCS_SESSIONS_TOKEN"
    login = _together(*PASSWORD_VARIABLES)
    if login:
        domain, user, password = login
        return PasswordAuth(domain, user, password), "DCS_SESSIONS_USER and DCS_SESSIONS_PASSWORD"
    oidc = _oidc()
    if oidc is not None:
        return oidc, f"{_OIDC}_PROVIDER_URN"
    federated = _together("HUAWEICLOUD_SDK_IDP_ID", _ID_TOKEN_FILE)
    if federated:
        idp_id, path = federated
        return IdTokenAuth(idp_id, IdToken(_ID_TOKEN_FILE, None, path)), _ID_TOKEN_FILE
    pair = _together("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")
    if pair:
        ak, sk = pair
        auth = AkSkAuth(ak, sk, env("HUAWEICLOUD_SDK_SECURITY_TOKEN"))
        return auth, "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK"
    return None


def _oidc() -> Auth | None:
    """Return credentials from an ID token for an agency, which the vendor calls OIDC-STS."""
    text, path = env(f"{_OIDC}_ID_TOKEN"), env(f"{_OIDC}_TOKEN_FILE")
    provider, agency = env(f"{_OIDC}_PROVIDER_URN"), env(f"{_OIDC}_AGENCY_URN")
    # Other tools set some of these as well; like the vendor's SDK, use them only if all are set.
    if provider is None or agency is None or (text is None and path is None):
        return None
    seconds = env(f"{_OIDC}_DURATION_SECONDS") or "3600"
    if not re.fullmatch("[0-9]{1,6}", seconds):
        raise ConfigurationError(f"{_OIDC}_DURATION_SECONDS must be a number of seconds")
    wanted: dict[str, object] = {
        "provider_urn": provider,
        "agency_urn": agency,
        "agency_session_name": env(f"{_OIDC}_SESSION_NAME") or "oidc-sts-session",
        "duration_seconds": int(seconds),
    }
    policy, policy_ids = env(f"{_OIDC}_POLICY"), env(f"{_OIDC}_POLICY_IDS")
    if policy:
        wanted["policy"] = policy
    if policy_ids:
        wanted["policy_ids"] = [part.strip() for part in policy_ids.split(",") if part.strip()]
    name = f"{_OIDC}_ID_TOKEN" if text else f"{_OIDC}_TOKEN_FILE"
    return OidcAuth(wanted, IdToken(name, text, path or ""))


def _from_section(section: dict[str, str], path: Path) -> Auth:
    """Return the credentials of a section. An ID token precedes a key, as in the SDK."""
    origin = section.get("iam_endpoint")
    if section.get("idp_id") and section.get("id_token_file"):
        if origin:
            origin = checked_origin(f"iam_endpoint in {path}", origin, allow_http=False)
        token = IdToken(f"id_token_file in {path}", None, section["id_token_file"])
        return IdTokenAuth(section["idp_id"], token, origin or None)
    for name in ("ak", "sk"):
        if not section.get(name):
            raise ConfigurationError(f"{name} is missing in {path}: a key pair needs both")
    return AkSkAuth(section["ak"], section["sk"], section.get("security_token") or None)


def _together(*names: str) -> list[str] | None:
    """Return variables that must be set together; None if none of them is set.

    Raises:
        ConfigurationError: Only some of them are set.
    """
    values = [env(name) for name in names]
    found = [value for value in values if value is not None]
    if not found:
        return None
    missing = [name for name, value in zip(names, values, strict=True) if value is None]
    if missing:
        given = next(name for name in names if name not in missing)
        raise ConfigurationError(
            f"{' and '.join(missing)} is missing: set it together with {given}"
        )
    return found


def env(name: str) -> str | None:
    """Return an environment variable, or None if it is unset or blank."""
    return os.environ.get(name, "").strip() or None


def _read_section(path: Path) -> dict[str, str]:
    """Return the section of regional services. No message quotes the file, which has secrets."""
    import configparser

    parser = configparser.RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8-sig")
        if os.name == "posix" and path.stat().st_mode & 0o077:
            warnings.warn(
                f"{path} can be read by others: chmod 600 {path}",
                UserWarning,
                stacklevel=5,  # the caller of from_env()
            )
        parser.read_string(text)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ConfigurationError(f"credentials file {path} cannot be read: {why}") from None
    if not parser.has_section("basic"):
        raise ConfigurationError(f"credentials file {path} has no section [basic]")
    return dict(parser.items("basic"))
