"""Where credentials are found, compared with a model of the table in `docs/environment.md`."""

from __future__ import annotations

import collections
import errno
import os
import time
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dcs_sessions import AkSkAuth, Auth, ConfigurationError, PasswordAuth, TokenAuth
from dcs_sessions._auth import _keys
from dcs_sessions._auth._oidc import IdToken, IdTokenAuth, OidcAuth
from dcs_sessions._auth._server import ServerAuth
from dcs_sessions._credentials import find_credentials
from support.flows import authenticate

CANARY = "canary-7f3a"
LOGIN = ("DCS_SESSIONS_DOMAIN", "DCS_SESSIONS_USER", "DCS_SESSIONS_PASSWORD")
FEDERATED = ("HUAWEICLOUD_SDK_IDP_ID", "HUAWEICLOUD_SDK_ID_TOKEN_FILE")
PAIR = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")
OIDC = "HUAWEICLOUD_OIDC_"
PROJECT = "HUAWEICLOUD_SDK_PROJECT_ID"
FILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
GROUPS = (
    ("DCS_SESSIONS_TOKEN",),
    LOGIN,
    (f"{OIDC}PROVIDER_URN", f"{OIDC}AGENCY_URN", f"{OIDC}ID_TOKEN", f"{OIDC}TOKEN_FILE"),
    (f"{OIDC}DURATION_SECONDS", f"{OIDC}SESSION_NAME", f"{OIDC}POLICY", f"{OIDC}POLICY_IDS"),
    FEDERATED,
    PAIR,
    ("HUAWEICLOUD_SDK_SECURITY_TOKEN",),
    (PROJECT,),
)
VALUES = {
    f"{OIDC}DURATION_SECONDS": ["900", "000900", "0900000", "9x", "-1", "1.5", CANARY],
    f"{OIDC}POLICY_IDS": ["one", "one, two", ",one,, two ,"],
}


# What a file has: its section, the problem with it, or None if there is no file.
Section = dict[str, str] | str | None


class Found(NamedTuple):
    """The credentials, where they come from, and where the project does."""

    auth: Auth
    source: str
    project_id: str | None = None
    project_source: str | None = None


class Model:
    """The table of the documentation, from top to bottom."""

    def __init__(self, variables: Mapping[str, str], file: Path, section: Section) -> None:
        given = {name: value.strip() for name, value in variables.items()}
        self.given = {name: value for name, value in given.items() if value}
        self.file = file
        self.section = section

    def found(self) -> Found:
        project = self.given.get(PROJECT)
        for find in (self.token, self.login, self.oidc, self.federated, self.pair):
            found = find(self.given)
            if found is not None:
                return found._replace(project_id=project, project_source=project and PROJECT)
        if self.section is None and FILE not in self.given:
            tried = (
                "not in the environment (HUAWEICLOUD_SDK_AK and _SK), "
                "not in ~/.huaweicloud/credentials"
            )
            source = "ECS metadata service or pod identity"
            return Found(ServerAuth(tried), source, project, project and PROJECT)
        auth, source, own = self.in_file()
        if project is None and own:
            return Found(auth, source, own, source)
        return Found(auth, source, project, project and PROJECT)

    @staticmethod
    def token(given: Mapping[str, str]) -> Found | None:
        name = "DCS_SESSIONS_TOKEN"
        return Found(TokenAuth(given[name]), name) if name in given else None

    @staticmethod
    def together(given: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
        missing = [name for name in names if name not in given]
        there = [name for name in names if name in given]
        if there and missing:
            names_of = " and ".join(missing)
            raise ConfigurationError(f"{names_of} is missing: set it together with {there[0]}")
        return [given[name] for name in there]

    def login(self, given: Mapping[str, str]) -> Found | None:
        values = self.together(given, LOGIN)
        source = "DCS_SESSIONS_USER and DCS_SESSIONS_PASSWORD"
        return Found(PasswordAuth(*values), source) if values else None

    @staticmethod
    def oidc(given: Mapping[str, str]) -> Found | None:
        asked = {
            name.removeprefix(OIDC): value for name, value in given.items() if name.startswith(OIDC)
        }
        if not {"PROVIDER_URN", "AGENCY_URN"} <= asked.keys():
            return None
        if not {"ID_TOKEN", "TOKEN_FILE"} & asked.keys():
            return None
        seconds = asked.get("DURATION_SECONDS", "3600")
        if not seconds.isdecimal() or len(seconds) > 6:
            raise ConfigurationError(f"{OIDC}DURATION_SECONDS must be a number of seconds")
        wanted: dict[str, Any] = {
            "provider_urn": asked["PROVIDER_URN"],
            "agency_urn": asked["AGENCY_URN"],
            "agency_session_name": asked.get("SESSION_NAME", "oidc-sts-session"),
            "duration_seconds": int(seconds),
        }
        if "POLICY" in asked:
            wanted["policy"] = asked["POLICY"]
        if "POLICY_IDS" in asked:
            parts = asked["POLICY_IDS"].replace(" ", "").split(",")
            wanted["policy_ids"] = [part for part in parts if part]
        if "ID_TOKEN" in asked:
            token = IdToken(f"{OIDC}ID_TOKEN", asked["ID_TOKEN"])
        else:
            token = IdToken(f"{OIDC}TOKEN_FILE", None, asked["TOKEN_FILE"])
        return Found(OidcAuth(wanted, token), f"{OIDC}PROVIDER_URN")

    def federated(self, given: Mapping[str, str]) -> Found | None:
        values = self.together(given, FEDERATED)
        if not values:
            return None
        token = IdToken(FEDERATED[1], None, values[1])
        return Found(IdTokenAuth(values[0], token), FEDERATED[1])

    def pair(self, given: Mapping[str, str]) -> Found | None:
        values = self.together(given, PAIR)
        token = given.get("HUAWEICLOUD_SDK_SECURITY_TOKEN")
        return Found(AkSkAuth(values[0], values[1], token), " and ".join(PAIR)) if values else None

    def in_file(self) -> tuple[Auth, str, str | None]:
        file, section = self.file, self.section
        if section is None:
            section = f"credentials file {file} cannot be read: No such file or directory"
        if isinstance(section, str):
            raise ConfigurationError(section)
        has = {name: value for name, value in section.items() if value}
        own = has.get("project_id")
        if "idp_id" in has and "id_token_file" in has:
            token = IdToken(f"id_token_file in {file}", None, has["id_token_file"])
            return IdTokenAuth(has["idp_id"], token, has.get("iam_endpoint")), str(file), own
        for name in ("ak", "sk"):
            if name not in has:
                raise ConfigurationError(f"{name} is missing in {file}: a key pair needs both")
        return AkSkAuth(has["ak"], has["sk"], has.get("security_token")), str(file), own


def transcript(auth: Auth) -> object:
    """Return all that is sent with credentials, or the error."""
    try:
        return type(auth), authenticate(auth)
    except ConfigurationError as error:
        return type(auth), str(error)


def outcome(find: Any) -> object:
    """Return what was found, and all that is sent with it, or the error."""
    try:
        found = find()
    except ConfigurationError as error:
        return str(error)
    return transcript(found.auth), found.source, found.project_id, found.project_source


def value_of(name: str) -> st.SearchStrategy[str]:
    own = VALUES.get(name) or [f"of-{name}", f" of-{name}\n"]
    if name.endswith("_FILE"):
        own = ["TOKEN FILE", "TOKEN FILE", "/no/such/file"]
    return st.sampled_from([*own, *own, "", " "])


def group(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
    """Return variables of a group, most often none or all."""
    values = {name: value_of(name) for name in names}
    none = st.just(dict[str, str]())
    return none | none | st.fixed_dictionaries(values) | st.fixed_dictionaries({}, optional=values)


ENVIRONMENTS = st.tuples(*map(group, GROUPS)).map(
    lambda groups: dict(collections.ChainMap(*groups))
)

FIELDS = ("ak", "sk", "security_token", "project_id", "idp_id", "id_token_file", "iam_endpoint")
SECTIONS = st.one_of(
    st.none(),
    st.sampled_from([FIELDS[:2], FIELDS[:4], FIELDS, FIELDS[3:6]]).map(list)
    | st.lists(st.sampled_from(FIELDS), unique=True),
    st.sampled_from(["no section", "twice", "no sections", "not UTF-8"]),
)
PROBLEMS = {
    "no section": (f"[global]\nak = {CANARY}\n", "credentials file FILE has no section [basic]"),
    "no sections": (f"ak = {CANARY}\n", "MissingSectionHeaderError"),
    "twice": (f"[basic]\nak = {CANARY}\nak = {CANARY}\n", "DuplicateOptionError"),
    "not UTF-8": (f"[basic]\nak = {CANARY}\xff\n", "UnicodeDecodeError"),
}


def write(file: Path, content: Any, filled: bool, token: Path) -> Section:
    """Write the file, and return what it has."""
    if content is None:
        return None
    if isinstance(content, str):
        text, problem = PROBLEMS[content]
        file.write_bytes(text.encode("latin-1"))
        problem = problem.replace("FILE", str(file))
        return problem if " " in problem else f"credentials file {file} cannot be read: {problem}"
    section = {name: f"of%{name}" if filled else "" for name in content}
    if filled:
        section |= {"id_token_file": str(token)} if "id_token_file" in section else {}
        section |= {"iam_endpoint": "https://iam.mine"} if "iam_endpoint" in section else {}
    lines = [f"{name.upper()} = {value}" for name, value in section.items()]
    file.write_text("\n".join(["[global]", "ak = not-this", "[basic]", *lines]), encoding="utf-8")
    return section


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def check(home: Path, variables: dict[str, str], file: Path, section: Section) -> None:
    """Compare what is found with the model."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("HUAWEICLOUD_", "DCS_SESSIONS_", "HC_CONTAINER_")):
                patch.delenv(name)
        for name, value in {**variables, "HOME": str(home)}.items():
            patch.setenv(name, value)
        # Signatures are the same, and no clock ticks in between.
        now = time.gmtime()
        still = types.SimpleNamespace(strftime=time.strftime, gmtime=lambda: now)
        patch.setattr(_keys, "time", still)
        expected = outcome(Model(variables, file, section).found)
        found = outcome(find_credentials)
    assert found == expected
    if isinstance(found, str):
        assert CANARY not in found


EVERYTHING = {name: "TOKEN FILE" for names in GROUPS for name in names}
EVERYTHING[f"{OIDC}DURATION_SECONDS"] = "900"


def without(*groups: int) -> dict[str, str]:
    """Return all variables but those of some groups."""
    left_out = {name for group in groups for name in GROUPS[group]}
    return {name: value for name, value in EVERYTHING.items() if name not in left_out}


@given(variables=ENVIRONMENTS)
@example(EVERYTHING)
@example(without(0))
@example(without(0, 1))
@example(without(0, 1, 3))
@example({**without(0, 1), f"{OIDC}ID_TOKEN": "", f"{OIDC}POLICY_IDS": "one, ,two"})
@example({**without(0, 1), f"{OIDC}ID_TOKEN": "", f"{OIDC}TOKEN_FILE": "/no/such/file"})
@example(without(0, 1, 2))
@example(without(0, 1, 2, 4))
@example(without(0, 1, 2, 4, 6))
@example(without(0, 1, 2, 4, 5))
def test_credentials_of_the_environment_are_those_that_the_documentation_says(
    home: Path, variables: dict[str, str]
) -> None:
    token = home / "token"
    token.write_text(f"jwt-{CANARY}\n")
    given = {name: value.replace("TOKEN FILE", str(token)) for name, value in variables.items()}
    check(home / "empty", given, home / "nothing", None)


@given(
    content=SECTIONS, filled=st.integers(0, 5).map(bool), named=st.booleans(), project=st.booleans()
)
@example(content=None, filled=True, named=False, project=False)
@example(content=None, filled=True, named=True, project=True)
@example(content=["ak", "sk", "project_id"], filled=True, named=False, project=True)
def test_credentials_of_a_file_are_those_that_the_documentation_says(
    home: Path, content: object, filled: bool, named: bool, project: bool
) -> None:
    token = home / "token"
    token.write_text(f"jwt-{CANARY}\n")
    file = home / ("named" if named else ".huaweicloud/credentials")
    file.unlink(missing_ok=True)
    file.parent.mkdir(exist_ok=True)
    section = write(file, content, filled, token)
    if file.exists():
        file.chmod(0o600)
    variables = {FILE: str(file)} if named else {}
    if project:
        variables[PROJECT] = "a-project"
    check(home, variables, file, section)


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without credentials, and its home directory."""
    for name in (*PAIR, *LOGIN, *FEDERATED, "DCS_SESSIONS_TOKEN", f"{OIDC}PROVIDER_URN", FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_user_without_a_home_directory_has_no_credentials_file(
    nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expanduser(_: str) -> str:
        return "~"  # as Python does where it finds no home directory

    monkeypatch.setattr(os.path, "expanduser", expanduser)
    assert find_credentials().source == "ECS metadata service or pod identity"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ELOOP])
def test_credentials_file_that_cannot_be_reached_is_named(
    code: int, nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stat(path: Path, **_: object) -> os.stat_result:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "stat", stat)
    file = nothing / ".huaweicloud" / "credentials"
    with pytest.raises(ConfigurationError) as caught:
        find_credentials()
    assert str(caught.value) == f"credentials file {file} cannot be read: {os.strerror(code)}"


def test_byte_order_mark_of_a_credentials_file_is_no_part_of_it(nothing: Path) -> None:
    file = nothing / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.write_text("[basic]\nak = a\nsk = s\n", encoding="utf-8-sig")
    file.chmod(0o600)
    assert find_credentials().source == str(file)


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700, 0o640, 0o620, 0o610, 0o604, 0o602, 0o601])
def test_file_that_others_can_use_is_named_in_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    for name in (*PAIR, *LOGIN, *FEDERATED, "DCS_SESSIONS_TOKEN", f"{OIDC}PROVIDER_URN"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials"
    file.write_text("[basic]\nak = a\nsk = s\n")
    file.chmod(mode)
    monkeypatch.setenv(FILE, str(file))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        find_credentials()
    said = [f"{file} can be read by others: chmod 600 {file}"] if mode & 0o077 else []
    assert [str(each.message) for each in warned if each.category is UserWarning] == said


def test_identity_service_of_a_file_must_use_https(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*PAIR, *LOGIN, *FEDERATED, "DCS_SESSIONS_TOKEN", f"{OIDC}PROVIDER_URN"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials"
    file.write_text("[basic]\nidp_id = i\nid_token_file = t\niam_endpoint = http://iam.mine\n")
    file.chmod(0o600)
    monkeypatch.setenv(FILE, str(file))
    with pytest.raises(ConfigurationError) as caught:
        find_credentials()
    assert str(caught.value).startswith(f"iam_endpoint in {file} http://iam.mine would send ")
