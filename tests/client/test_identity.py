"""Requests for credentials, whole, and what is made of every answer to them."""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import re
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dcs_sessions import (
    AkSkAuth,
    ApiError,
    Auth,
    BadRequestError,
    ConfigurationError,
    EcsMetadataAuth,
    PasswordAuth,
    Reply,
    Request,
    TokenAuth,
    _signing,
)
from dcs_sessions._auth import _keys
from dcs_sessions._auth._keys import Keys, keys_of, time_of
from dcs_sessions._auth._oidc import IdToken, IdTokenAuth, OidcAuth
from dcs_sessions._auth._password import token_of
from dcs_sessions._auth._server import ServerAuth
from dcs_sessions._auth._token import Token
from dcs_sessions._renewal import Renewal, Tools
from dcs_sessions._wire import Scope
from support.flows import FAR, KEYS, SCOPE, TOKEN, authenticate, services

CANARY = "canary-7f3a"
JSON = {"Accept": "application/json", "Content-Type": "application/json;charset=utf8"}
METADATA = "http://169.254.169.254"
POD = "https://pod.example:8443/keys?a=b"


def to_identity(url: str, body: object, *secrets: str, **headers: str) -> dict[str, Any]:
    return {
        "method": "POST",
        "url": url,
        "headers": {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}},
        "body": body,
        "timeout": math.inf,
        "direct": False,
        "secrets": set(secrets),
    }


def to_metadata(method: str, path: str, **headers: str) -> dict[str, Any]:
    return {
        "method": method,
        "url": METADATA + path,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "body": None,
        "timeout": 3.0,
        "direct": True,
        "secrets": set(),
    }


JWT = IdToken("A_VARIABLE", f"jwt-{CANARY}")
MAKES: dict[str, Callable[[], Auth]] = {
    "password": lambda: PasswordAuth("an-account", "a-user", f"pass-{CANARY}"),
    "id token": lambda: IdTokenAuth("my-idp", JWT),
    "oidc": lambda: OidcAuth({"agency_urn": "urn:agency"}, JWT),
    "server": EcsMetadataAuth,
    "pod": lambda: ServerAuth("not in the environment"),
}
PROBLEMS = {
    "password": "no token from the identity service (PasswordAuth)",
    "id token": "no credentials from the identity service (ID token)",
    "oidc": "no credentials from the token service (OIDC)",
    "server": "no credentials from the ECS metadata service",
    "pod": "no credentials",
}
USER = {"domain": {"name": "an-account"}, "name": "a-user", "password": f"pass-{CANARY}"}
REQUESTS: dict[str, list[dict[str, Any]]] = {
    "password": [
        to_identity(
            "https://iam.example/v3/auth/tokens?nocatalog=true",
            {
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": USER}},
                    "scope": {"project": {"id": "a-project"}},
                }
            },
            f"pass-{CANARY}",
        )
    ],
    "id token": [
        to_identity(
            "https://iam.example/v3.0/OS-AUTH/id-token/tokens",
            {"auth": {"id_token": {"id": f"jwt-{CANARY}"}}},
            f"jwt-{CANARY}",
            X_Idp_Id="my-idp",
        ),
        to_identity(
            "https://iam.example/v3.0/OS-CREDENTIAL/securitytokens",
            {"auth": {"identity": {"methods": ["token"], "token": {"duration_seconds": 21600}}}},
            *(f"jwt-{CANARY}", "new-token"),
            X_Auth_Token="new-token",
        ),
    ],
    "oidc": [
        to_identity(
            "https://sts.cn-north-4.myhuaweicloud.com/v5/agencies/assume-with-oidc",
            {"agency_urn": "urn:agency", "id_token": f"jwt-{CANARY}"},
            f"jwt-{CANARY}",
        )
    ],
    "server": [
        to_metadata("PUT", "/meta-data/latest/api/token", X_Metadata_Token_Ttl_Seconds="21600"),
        to_metadata("GET", "/openstack/latest/securitykey", X_Metadata_Token="a-session"),
    ],
    "pod": [
        to_metadata("PUT", "/meta-data/latest/api/token", X_Metadata_Token_Ttl_Seconds="21600"),
        to_metadata("GET", "/openstack/latest/securitykey", X_Metadata_Token="a-session"),
        {
            "method": "POST",
            "url": POD,
            "headers": {"Authorization": f"pod-{CANARY}", "Content-Type": "application/json"},
            "body": {},
            "timeout": 5.0,
            "direct": True,
            "secrets": {f"pod-{CANARY}"},
        },
    ],
}
every_kind = pytest.mark.parametrize("kind", MAKES)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("IAM", "STS"):
        monkeypatch.delenv(f"HUAWEICLOUD_SDK_{name}_ENDPOINT", raising=False)
    (tmp_path / "pod-token").write_text(f"pod-{CANARY}\n")
    monkeypatch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "pod-token"))
    monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", POD)


def services_of(kind: str) -> Callable[[Request], Reply]:
    """Return all services, but no keys of a server for those of the pod."""

    def answer(request: Request) -> Reply:
        missing = kind == "pod" and request.target == "/openstack/latest/securitykey"
        return Reply(404, {}, b"") if missing else services(request)

    return answer


@every_kind
def test_credentials_are_requested_as_documented(kind: str) -> None:
    sent, headers = authenticate(MAKES[kind](), services_of(kind))
    assert sent == REQUESTS[kind]
    if kind == "password":
        assert headers == {"X-Auth-Token": "new-token"}
    else:
        assert headers["X-Security-Token"] == "new-st"
        assert "Access=new-ak, " in headers["Authorization"]


@every_kind
def test_credentials_are_requested_once_for_many_calls(kind: str) -> None:
    auth = MAKES[kind]()
    _, headers = authenticate(auth, services_of(kind))
    sent, again = authenticate(auth, services_of(kind))
    assert sent == []
    assert again.keys() == headers.keys()


@pytest.mark.parametrize("project", ["one", None])
def test_project_or_else_region_is_the_scope_of_a_password(project: str | None) -> None:
    auth = MAKES["password"]()
    (sent,), _ = authenticate(auth, scope=Scope("http://127.0.0.1:1", "cn-north-4", project))
    expected = {"name": "cn-north-4"} if project is None else {"id": "one"}
    assert sent["body"]["auth"]["scope"] == {"project": expected}
    assert sent["direct"], "no proxy reads what goes over plain HTTP"


@pytest.mark.parametrize("scope", [None, Scope("https://iam.example")])
def test_password_without_a_project_is_refused(scope: Scope | None) -> None:
    with pytest.raises(ConfigurationError, match=r"^PasswordAuth needs the project of a Client or"):
        authenticate(MAKES["password"](), scope=scope)


@pytest.mark.parametrize("kind", ["id token", "oidc"])
def test_keys_for_an_id_token_are_those_of_all_projects_of_a_region(kind: str) -> None:
    auth = MAKES[kind]()
    for scope in (SCOPE, Scope("https://iam.tr", "tr-west-1", "p")):
        sent, _ = authenticate(auth, scope=scope)
        where = {
            "id token": scope.identity_origin,
            "oidc": f"https://sts.{scope.region}.myhuaweicloud.com",
        }
        assert all(each["url"].startswith(f"{where[kind]}/v") for each in sent)
        assert not authenticate(auth, scope=Scope(scope.identity_origin, scope.region, "q"))[0]
    (first, *_), _ = authenticate(MAKES[kind](), scope=None)
    usual = {"id token": "https://iam.", "oidc": "https://sts.cn-north-4."}[kind]
    assert first["url"].startswith(f"{usual}myhuaweicloud.com/")


def test_endpoint_of_an_id_token_precedes_that_of_the_client() -> None:
    sent, _ = authenticate(IdTokenAuth("my-idp", JWT, "https://iam.mine"))
    assert [each["url"].partition("/v3.0")[0] for each in sent] == ["https://iam.mine"] * 2


@pytest.mark.parametrize("kind", ["password", "id token"])
def test_answer_without_a_token_is_refused(kind: str) -> None:
    def service(request: Request) -> Reply:
        return Reply(201, {}, services(request).body)

    with pytest.raises(ConfigurationError) as caught:
        authenticate(MAKES[kind](), service)
    assert str(caught.value) == f"{PROBLEMS[kind]}: X-Subject-Token must be a non-empty string"


def refusals() -> list[tuple[str, int]]:
    return [(kind, number) for kind in MAKES for number in range(len(REQUESTS[kind]))]


@pytest.mark.parametrize(("kind", "number"), refusals())
def test_refusal_of_any_request_is_the_error_without_its_secrets(kind: str, number: int) -> None:
    count = 0

    def service(request: Request) -> Reply:
        nonlocal count
        count += 1
        if count <= number:
            return services_of(kind)(request)
        # It repeats all that it received, and adds what must not get out either.
        said = f"{dict(request.headers)} {request.body.decode()}"
        body = {"error_code": "X.1", "error_msg": said[:900], "secret": CANARY}
        return Reply(400, {"x-subject-token": CANARY}, json.dumps(body).encode())

    with pytest.raises(ConfigurationError) as caught:
        authenticate(MAKES[kind](), service)
    assert str(caught.value).startswith(f"{PROBLEMS[kind]}: ")
    assert "400 X.1 " in str(caught.value)
    assert CANARY not in str(caught.value)
    cause = caught.value.__cause__
    if kind != "pod":  # which may fail for several reasons
        assert isinstance(cause, BadRequestError)
        assert (cause.body, cause.headers) == (b"", {})
        assert CANARY not in f"{cause} {vars(cause)}"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 302, 404, 503])
@every_kind
def test_other_statuses_are_refusals(kind: str, status: int) -> None:
    def service(request: Request) -> Reply:
        reply = services_of(kind)(request)
        reply.status = status
        return reply

    documented = {
        "password": {201},
        "id token": {200, 201},
        "oidc": {200, 201},
        "server": {200},
        "pod": {200, 201},
    }
    if status in documented[kind]:
        assert authenticate(MAKES[kind](), service)[1]
        return
    with pytest.raises(ConfigurationError, match=f"{status} ") as caught:
        authenticate(MAKES[kind](), service)
    if kind != "pod":
        assert isinstance(caught.value.__cause__, ApiError)


@pytest.mark.parametrize("status", [404, 405, 503])
def test_server_without_sessions_needs_none(status: int) -> None:
    def service(request: Request) -> Reply:
        return Reply(status, {}, b"") if request.method == "PUT" else services(request)

    sent, _ = authenticate(EcsMetadataAuth(), service)
    assert sent[1] == to_metadata("GET", "/openstack/latest/securitykey")


@pytest.mark.parametrize("session", [b"", b"a\0b", b"\xff", b"a\r\nX-Evil: 1"])
def test_session_of_a_server_that_no_header_can_carry_is_refused(session: bytes) -> None:
    def service(request: Request) -> Reply:
        return Reply(200, {}, session) if request.method == "PUT" else services(request)

    with pytest.raises(ConfigurationError, match=r"service: the metadata token (must be|has) "):
        authenticate(EcsMetadataAuth(), service)


def test_source_that_had_keys_is_asked_first() -> None:
    auth: Any = ServerAuth("not in the environment")
    authenticate(auth, services_of("pod"))
    auth._keys.discard(auth._keys._current[0])
    sent, _ = authenticate(auth, services_of("pod"))
    assert sent == REQUESTS["pod"][2:]


def test_every_source_that_was_tried_is_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    with pytest.raises(ConfigurationError) as caught:
        authenticate(ServerAuth("not in a file"), services_of("pod"))
    assert str(caught.value) == (
        "no credentials: not in a file, not from the ECS metadata service (404 empty answer), not "
        "from the identity of the pod (HC_CONTAINER_AUTHORIZATION_TOKEN_FILE is not set)"
    )


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("https://pod.example", "https://pod.example/"),
        ("https://pod.example/x/y?z", "https://pod.example/x/y?z"),
        ("https://8.8.8.8:8443/x", "https://8.8.8.8:8443/x"),
        ("http://localhost:1/x", "http://localhost:1/x"),
        ("http://127.0.0.1/x", "http://127.0.0.1/x"),
        ("http://10.1.2.3/x", "http://10.1.2.3/x"),
        ("http://169.254.1.1/x", "http://169.254.1.1/x"),
        ("http://[::1]:8/x", "http://[::1]:8/x"),
        ("http://[fe80::1]/x", "http://[fe80::1]/x"),
        ("http://[::ffff:10.1.2.3]/x", "http://[::ffff:10.1.2.3]/x"),
        ("http://[::ffff:8.8.8.8]/x", None),
        ("http://[2001:4860::8888]/x", None),
        ("http://8.8.8.8/x", None),
        ("http://pod.example/x", None),
        ("http://localhost.example/x", None),
        ("ftp://127.0.0.1/x", None),
        ("https://user@pod.example/x", None),
        ("https://:password@pod.example/x", None),
        ("https:///x", None),
        ("https://pod.example:port/x", None),
        ("https://[::1/x", None),
        ("https://pod.example/é", None),
        ("https://pod.example/\x7f", None),
        ("pod.example", None),
    ],
)
def test_pod_is_asked_only_where_nobody_can_read_its_token(
    monkeypatch: pytest.MonkeyPatch, uri: str, url: str | None
) -> None:
    monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", f" {uri} ")
    auth = ServerAuth("not in the environment")
    if url is None:
        with pytest.raises(
            ConfigurationError,
            match=r"pod \(HC_CONTAINER_CREDENTIALS_FULL_URI must be https, or plain HTTP to a "
            r"loopback or private address\)$",
        ):
            authenticate(auth, services_of("pod"))
    else:
        assert authenticate(auth, services_of("pod"))[0][-1]["url"] == url


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "the content of the file in NAME must be a non-empty string"),
        (b" \n", "the content of the file in NAME must be a non-empty string"),
        (b"a\0b", "the content of the file in NAME has blanks, line breaks or other characters"),
        ("é".encode(), "cannot be read: UnicodeDecodeError"),
    ],
)
@pytest.mark.parametrize("kind", ["id token", "pod"])
def test_file_without_a_token_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
    content: bytes | None,
    problem: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    name = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE" if kind == "pod" else "A_VARIABLE"
    monkeypatch.setenv(name, "~/token")
    auth = MAKES["pod"]() if kind == "pod" else IdTokenAuth("i", IdToken(name, None, "~/token"))
    with pytest.raises(ConfigurationError) as caught:
        authenticate(auth, services_of("pod"))
    assert problem.replace("NAME", name) in str(caught.value)
    if content is None:
        assert f"{name}: ~/token " in str(caught.value)


@pytest.mark.parametrize("text", ["", " a", "a\nb", "\x7f", "é"])
def test_id_token_that_no_header_can_carry_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\(ID token\): A_VARIABLE (must be|has) "):
        authenticate(IdTokenAuth("i", IdToken("A_VARIABLE", text)))
    with pytest.raises(ConfigurationError, match=r"^idp_id (must be|has) "):
        IdTokenAuth(text, JWT)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("value", ["", None, 5, b"x"])
def test_empty_argument_of_a_password_is_named(place: int, value: Any) -> None:
    arguments: list[Any] = ["d", "u", "p"]
    arguments[place] = value
    name = ("domain", "user", "password")[place]
    with pytest.raises(ConfigurationError, match=f"^{name} must be a non-empty string$"):
        PasswordAuth(*arguments)


HEADERS = st.sets(
    st.sampled_from(["Content-Type", "X-Project-Id", "User-Agent", "Accept", "X-Mine"])
).map(lambda names: {name: f"of {name}" for name in names})


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    target=st.sampled_from(["/", "/v2/p/jobs/j", "/v2/p?b=1&a=%2F", "/a%20b?c"]),
    headers=HEADERS,
    body=st.binary(max_size=9),
    token=st.none() | st.just("an-st"),
    seconds=st.integers(0, 32_000_000_000),
)
def test_signature_covers_the_headers_that_no_proxy_changes(
    method: str, target: str, headers: dict[str, str], body: bytes, token: str | None, seconds: int
) -> None:
    request = Request(method, "https://dcs.example:8443", target, dict(headers), body)
    still = types.SimpleNamespace(strftime=time.strftime, gmtime=lambda: time.gmtime(seconds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_keys, "time", still)
        assert list(AkSkAuth("an-ak", "an-sk", token).flow(request)) == [request]
    when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    added = {"Host": "dcs.example:8443", "X-Sdk-Date": f"{when:%Y%m%dT%H%M%SZ}"}
    if token is not None:
        added["X-Security-Token"] = token
    covered = {
        name: value for name, value in headers.items() if name in {"Content-Type", "X-Project-Id"}
    }
    authorization = _signing.sign(
        *(method, target, [*covered.items(), *added.items()], body),
        access_key="an-ak",
        secret_key="an-sk",
    )
    assert request.headers == {**headers, **added, "Authorization": authorization}


def nothing(_: Request) -> Reply:
    pytest.fail("nothing is to be sent")


EXPIRED = ("APIGW.0307", "DCS.1002", "111401002")


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("code", [*EXPIRED, "APIGW.0301", "DCS.1001", None])
def test_token_is_replaced_once_if_it_is_refused_as_expired(status: int, code: str | None) -> None:
    texts = iter(["old", "new", "newer"])
    request = Request("GET", "https://dcs.example", "/v2/p/jobs/j", {"X-Mine": "1"})
    flow: Any = TokenAuth(lambda: next(texts)).flow(request)
    refusal = Reply(status, {}, json.dumps({"error_code": code, "error_msg": "no"}).encode())
    sent: list[dict[str, str]] = []
    news: Reply | None = None
    with contextlib.suppress(StopIteration):
        while True:
            step = flow.send(news)
            news = None
            if isinstance(step, Renewal):
                step.run(Tools(nothing, None))
            elif step is request:
                sent.append(dict(request.headers))
                news = refusal
    expected = ["old", "new"] if status == 401 and code in EXPIRED else ["old"]
    assert sent == [{"X-Mine": "1", "X-Auth-Token": text} for text in expected]


# Answers with keys and tokens

SPELLINGS = {
    "server": ("access", "secret", "securitytoken", "expires_at"),
    "camel case": ("accessKeyId", "secretAccessKey", "securityToken", "expiration"),
    "snake case": ("access_key_id", "secret_access_key", "security_token", "expiration"),
}
AROUND: dict[str, Callable[[Any], Any]] = {
    "credential": lambda keys: {"credential": keys},
    "credentials": lambda keys: {"credentials": keys},
    "nothing": lambda keys: keys,
}
VALUES = ("an-ak", "an-sk", "an-st", "2026-01-02T03:04:05Z")
WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC).timestamp()


def keys_as(spelling: str, around: str, **changed: object) -> bytes:
    values = dict(zip(("access", "secret", "token", "end"), VALUES, strict=True)) | changed
    pairs = zip(SPELLINGS[spelling], values.values(), strict=True)
    return json.dumps(
        AROUND[around]({name: value for name, value in pairs if value is not ...}), default=str
    ).encode()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("around", AROUND)
def test_keys_are_read_in_every_spelling(spelling: str, around: str) -> None:
    keys = keys_of(keys_as(spelling, around))
    found = (keys.access_key, keys.secret_key, keys.security_token, keys.expires)
    assert found == (*VALUES[:3], WHEN)
    assert not any(value in repr(keys) for value in VALUES[:3])


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("field", ["access", "secret", "token", "end"])
@pytest.mark.parametrize("value", [..., None, "", 5, [], {"a": CANARY}, f"{CANARY}\n"])
def test_answer_without_one_of_the_keys_is_refused(
    spelling: str, field: str, value: object
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        keys_of(keys_as(spelling, "credential", **{field: value}))
    names = {"access": "access", "secret": "secret", "token": "securitytoken"}
    name, problem = names.get(field), str(caught.value)
    if name is None:
        assert re.fullmatch(r"the response has no keys \((Key|Type|Value)Error\)", problem)
    elif isinstance(value, str) and value:
        assert problem.startswith(f"{name} has blanks, line breaks or other characters")
    else:
        assert problem == f"{name} must be a non-empty string"
    assert CANARY not in problem


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.just(CANARY),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["credential", "credentials", "token", "project", "id", *SPELLINGS["server"]]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


ANSWERED = r"^the response has no (keys \(\w+\)|token)$|^\w+ must be a non-empty string$"


def token_in(body: bytes) -> Token:
    return token_of({"x-subject-token": "a-token"}, body)


@given(answer=ANYTHING)
@example(answer=[CANARY])
@example(answer={"token": {"expires_at": CANARY}})
@example(answer={"credential": {**KEYS, "expires_at": CANARY}})
@example(answer={"token": {"expires_at": FAR, "project": [CANARY]}})
def test_answer_of_any_other_shape_is_refused_and_not_quoted(answer: Any) -> None:
    body = json.dumps(answer).encode()
    reads: tuple[Callable[[bytes], Keys | Token], ...] = (keys_of, token_in)
    for read in reads:
        for raw in (body, body[:-1], b"\xff"):
            with contextlib.suppress(ConfigurationError):
                assert read(raw).expires > time.time()
                continue
            with pytest.raises(ConfigurationError, match=ANSWERED) as caught:
                read(raw)
            assert CANARY not in str(caught.value)
            assert caught.value.__cause__ is None


def test_token_is_read_with_its_end_and_its_project() -> None:
    headers = {"x-subject-token": "a-token"}
    token = token_of(headers, json.dumps(TOKEN).encode())
    assert (token.text, token.expires) == ("a-token", time_of(FAR))
    assert token.project_id == "project-of-the-token"
    assert "a-token" not in repr(token)
    without: tuple[dict[str, str] | None, ...] = ({}, None)
    for project in without:
        inner = {**TOKEN["token"], "project": project}
        assert token_of(headers, json.dumps({"token": inner}).encode()).project_id is None
    with pytest.raises(ConfigurationError, match=r"^X-Subject-Token must be a non-empty string$"):
        token_of({}, json.dumps(TOKEN).encode())


@given(
    seconds=st.integers(86400, 32_000_000_000),
    hours=st.integers(-12, 12),
)
def test_time_without_a_zone_is_in_utc(seconds: int, hours: int) -> None:
    utc = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    there = utc.astimezone(datetime.timezone(datetime.timedelta(hours=hours)))
    without = utc.isoformat().removesuffix("+00:00")
    for text in (without, f"{without}Z", f"{without}.000000Z", utc.isoformat(), there.isoformat()):
        assert time_of(text) == seconds


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs a time zone of its own")
def test_time_of_the_service_does_not_depend_on_the_zone_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try:
        with monkeypatch.context() as changed:
            changed.setenv("TZ", "CST-8")
            time.tzset()
            assert time_of("2026-01-02T03:04:05") == time_of(VALUES[3]) == WHEN
    finally:
        time.tzset()


def test_keys_without_an_end_last() -> None:
    assert Keys("a", "s").expires == math.inf
    assert Keys("a", "s").security_token is None
