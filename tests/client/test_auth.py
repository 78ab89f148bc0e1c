"""Authentication of the client."""

from __future__ import annotations

import calendar
import os
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

import dcs_sessions
from dcs_sessions import AkSkAuth, ConfigurationError, EcsMetadataAuth, TokenAuth, _signing
from dcs_sessions._credentials import find_credentials
from dcs_sessions._endpoints import checked_origin, identity_origin
from support.both import Both
from support.scripted import ScriptedServer, answer

JOB = answer(200, {"job_id": "j", "status": "SUCCESS"})
EXPIRED = answer(401, {"error_code": "APIGW.0307", "error_msg": "must be updated"})


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HC_CONTAINER_CREDENTIALS_FULL_URI", "HUAWEICLOUD_OIDC_PROVIDER_URN"):
        monkeypatch.delenv(name, raising=False)
    for name in (
        "AK",
        "SK",
        "SECURITY_TOKEN",
        "PROJECT_ID",
        "CREDENTIALS_FILE",
        "IAM_ENDPOINT",
        "IDP_ID",
    ):
        monkeypatch.delenv(f"HUAWEICLOUD_SDK_{name}", raising=False)
    for name in ("TOKEN", "ENDPOINT", "REGION", "DOMAIN", "USER", "PASSWORD"):
        monkeypatch.delenv(f"DCS_SESSIONS_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_token_function_is_called_once(both: Both, server: ScriptedServer) -> None:
    server.steps = [JOB]
    tokens = iter(["token-1", "token-2"])
    client = both(endpoint=server.endpoint, auth=TokenAuth(lambda: next(tokens)))
    client.get_job("j")
    client.get_job("j")
    assert [request.headers["x-auth-token"] for request in server.received] == ["token-1"] * 2


def test_expired_token_is_replaced_once(both: Both, server: ScriptedServer) -> None:
    server.steps = [EXPIRED, JOB]
    tokens = iter(["old", "new"])
    client = both(endpoint=server.endpoint, auth=TokenAuth(lambda: next(tokens)))
    assert client.get_job("j").status == "SUCCESS"
    assert [request.headers["x-auth-token"] for request in server.received] == ["old", "new"]


def test_token_that_stays_expired_is_an_error(both: Both, server: ScriptedServer) -> None:
    server.steps = [EXPIRED]
    client = both(endpoint=server.endpoint, auth=TokenAuth(lambda: "old"))
    with pytest.raises(dcs_sessions.AuthenticationError):
        client.get_job("j")
    assert len(server.received) == 2


@pytest.mark.parametrize("code", ["DCS.1001", "APIGW.0301", "DCS.1004"])
def test_other_401s_do_not_fetch_a_token(both: Both, server: ScriptedServer, code: str) -> None:
    server.steps = [answer(401, {"error_code": code, "error_msg": "no"}), JOB]
    client = both(endpoint=server.endpoint, auth=TokenAuth(lambda: "t"))
    with pytest.raises(dcs_sessions.AuthenticationError):
        client.get_job("j")
    assert len(server.received) == 1


def test_fixed_token_is_not_sent_again_when_it_has_expired(
    both: Both, server: ScriptedServer
) -> None:
    server.steps = [EXPIRED, JOB]
    with pytest.raises(dcs_sessions.AuthenticationError, match="get a new one"):
        both(endpoint=server.endpoint, auth=TokenAuth("t")).get_job("j")
    assert len(server.received) == 1


def test_many_threads_share_one_call_of_the_token_function(server: ScriptedServer) -> None:
    server.steps = [JOB]
    asked: list[int] = []

    def slow() -> str:
        asked.append(1)
        time.sleep(0.1)
        return "t"

    with dcs_sessions.Client(
        endpoint=server.endpoint, project_id="p", auth=TokenAuth(slow)
    ) as client:
        threads = [threading.Thread(target=client.get_job, args=("j",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(asked), len(server.received)) == (1, 8)


@pytest.mark.parametrize("value", ["", "a b\n", "é", " x", "x\r\nX-Evil: 1", None, 5, b"x"])
def test_secret_that_no_header_can_carry_is_not_shown(value: object) -> None:
    if not callable(value):
        with pytest.raises((ConfigurationError, TypeError)) as caught:
            AkSkAuth("good-ak", value)  # type: ignore[arg-type]
        assert "sk" in str(caught.value)
        assert value in {"", None, 5} or str(value) not in str(caught.value)


def test_function_that_returns_no_token_is_named(both: Both, server: ScriptedServer) -> None:
    client = both(endpoint=server.endpoint, auth=TokenAuth(lambda: ""))
    with pytest.raises(
        ConfigurationError,
        match=r"^no token from TokenAuth: token must be a non-empty string",
    ):
        client.get_job("j")
    assert server.received == []


def test_nothing_shows_a_secret() -> None:
    auths = [TokenAuth("canary"), AkSkAuth("canary", "canary", "canary"), EcsMetadataAuth()]
    for auth in auths:
        client = dcs_sessions.Client(endpoint="https://x", project_id="p", auth=auth)
        assert "canary" not in repr(auth) + str(auth) + repr(client) + str(client)
        assert repr(auth) == f"{type(auth).__name__}(***)"


def test_signed_request_carries_what_the_signature_covers(
    both: Both, server: ScriptedServer
) -> None:
    server.steps = [answer(200, {"job_id": "j"})]
    auth = AkSkAuth("my-ak", "my-sk", "my-security-token")
    both(endpoint=server.endpoint, auth=auth).scan_sessions("i", "n")
    (request,) = server.received
    headers = request.headers
    assert headers["authorization"].startswith(
        "SDK-HMAC-SHA256 Access=my-ak, SignedHeaders="
        "content-type;host;x-project-id;x-sdk-date;x-security-token, Signature="
    )
    assert headers["x-security-token"] == "my-security-token"
    date = time.strptime(headers["x-sdk-date"], "%Y%m%dT%H%M%SZ")
    assert abs(calendar.timegm(date) - time.time()) < 60
    assert headers["host"] == server.endpoint.removeprefix("http://")
    assert "x-auth-token" not in headers


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs a time zone of its own")
def test_date_of_a_signature_is_in_utc(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.steps = [JOB]
    try:
        with monkeypatch.context() as changed:
            changed.setenv("TZ", "CST-8")
            time.tzset()
            both(endpoint=server.endpoint, auth=AkSkAuth("ak", "sk")).get_job("j")
    finally:
        time.tzset()
    date = time.strptime(server.received[0].headers["x-sdk-date"], "%Y%m%dT%H%M%SZ")
    assert abs(calendar.timegm(date) - time.time()) < 60


def test_auth_serves_an_httpx_client_as_well(server: ScriptedServer) -> None:
    server.steps = [EXPIRED, answer(200, {})]
    tokens = iter(["old", "new"])
    with httpx.Client(auth=TokenAuth(lambda: next(tokens))) as client:
        assert client.get(server.endpoint).status_code == 200
        client.post(
            server.endpoint + "/a b?c=d e",
            json={"node_id": "n"},
            headers={"Authorization": "of another", "X-Custom": "mine"},
            auth=AkSkAuth("ak", "sk"),
        )
    assert [r.headers.get("x-auth-token") for r in server.received] == ["old", "new", None]
    signed = server.received[2].headers["authorization"]
    assert "SignedHeaders=content-type;host;x-sdk-date, " in signed
    request = server.received[2]
    assert request.headers["x-custom"] == "mine"
    authorization = _signing.Authorization.parse(signed)
    headers = {name: request.headers[name] for name in authorization.signed_headers}
    assert authorization.signature == _signing.signature(
        request.method, request.target, headers, request.body, secret_key="sk"
    )


# Where credentials come from


def test_source_of_credentials_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def found() -> tuple[str, str, str | None, str | None]:
        found = find_credentials()
        return type(found.auth).__name__, found.source, found.project_id, found.project_source

    assert found() == ("ServerAuth", "ECS metadata service or pod identity", None, None)
    path = credentials_file(tmp_path, "[basic]\nak=a\nsk=s\n")
    assert found() == ("AkSkAuth", str(path), None, None)
    path.write_text("[basic]\nak=a\nsk=s\nproject_id=file-project\n")
    assert found() == ("AkSkAuth", str(path), "file-project", str(path))
    project = "HUAWEICLOUD_SDK_PROJECT_ID"
    monkeypatch.setenv(project, "p")
    assert found() == ("AkSkAuth", str(path), "p", project)
    path.unlink()
    assert found() == ("ServerAuth", "ECS metadata service or pod identity", "p", project)
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "a")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "s")
    both = "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK"
    assert found() == ("AkSkAuth", both, "p", project)
    monkeypatch.setenv("DCS_SESSIONS_TOKEN", "t")
    assert found() == ("TokenAuth", "DCS_SESSIONS_TOKEN", "p", project)


@pytest.mark.parametrize("place", ["environment", "file"])
def test_temporary_keys_have_a_security_token(
    place: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.steps = [JOB]
    if place == "file":
        credentials_file(tmp_path, "[basic]\nak=a\nsk=s\nsecurity_token=st\n")
    else:
        for name, value in (("AK", "a"), ("SK", "s"), ("SECURITY_TOKEN", "st")):
            monkeypatch.setenv(f"HUAWEICLOUD_SDK_{name}", value)
    with dcs_sessions.Client.from_env(endpoint=server.endpoint, project_id="p") as client:
        client.get_job("j")
    assert server.received[0].headers["x-security-token"] == "st"


def test_environment_precedes_the_file(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.steps = [JOB]
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "env-ak")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "env-sk")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "env-st")
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "env-project")
    monkeypatch.setenv("DCS_SESSIONS_ENDPOINT", server.endpoint)
    both.adopt(both.cls.from_env()).get_job("j")
    (request,) = server.received
    assert request.target == "/v2/env-project/jobs/j"
    assert "Access=env-ak, " in request.headers["authorization"]
    assert request.headers["x-security-token"] == "env-st"
    monkeypatch.setenv("DCS_SESSIONS_TOKEN", "env-token")
    both.adopt(both.cls.from_env(project_id="given")).get_job("j")
    assert server.received[1].headers["x-auth-token"] == "env-token"
    assert server.received[1].target == "/v2/given/jobs/j"


def credentials_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".huaweicloud" / "credentials"
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(mode)
    return path


def test_file_is_read_without_environment_variables(
    both: Both, server: ScriptedServer, tmp_path: Path
) -> None:
    server.steps = [JOB]
    credentials_file(
        tmp_path, "[global]\nak=no\n[basic]\nak = f%k\nsk = s\nproject_id = file-project\n"
    )
    both.adopt(both.cls.from_env(endpoint=server.endpoint)).get_job("j")
    (request,) = server.received
    assert "Access=f%k, " in request.headers["authorization"]
    assert request.target == "/v2/file-project/jobs/j"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no section", "cannot be read: MissingSectionHeaderError"),
        ("[global]\nak=canary\n", "no section"),
        ("[basic]\nsk=canary\n", "ak is missing in"),
        ("[basic]\nak=canary\n", "sk is missing in"),
        ("[basic]\nak=canary\nak=canary\n", "cannot be read: DuplicateOptionError"),
    ],
)
def test_invalid_file_is_named_and_not_quoted(tmp_path: Path, text: str, problem: str) -> None:
    path = credentials_file(tmp_path, text)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        dcs_sessions.Client.from_env(endpoint="https://x", project_id="p")
    assert str(path) in str(caught.value)
    assert "canary" not in str(caught.value)


def test_missing_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "/no/such/file")
    with pytest.raises(ConfigurationError, match="/no/such/file cannot be read: No such file"):
        dcs_sessions.Client.from_env(endpoint="https://x", project_id="p")


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
def test_file_readable_by_others_gives_a_warning(tmp_path: Path) -> None:
    credentials_file(tmp_path, "[basic]\nak=a\nsk=s\n", 0o644)
    with pytest.warns(UserWarning, match="can be read by others: chmod 600") as warned:
        dcs_sessions.Client.from_env(endpoint="https://x", project_id="p")
    assert warned[0].filename == __file__, "the line to look at is that of the caller"


def test_half_a_key_pair_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "canary")
    with pytest.raises(ConfigurationError, match="HUAWEICLOUD_SDK_SK is missing") as caught:
        dcs_sessions.Client.from_env(endpoint="https://x", project_id="p")
    assert "canary" not in str(caught.value)


# Where the service is


def test_endpoint_is_derived_from_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    auth = TokenAuth("t")
    client = dcs_sessions.Client(region="cn-north-4", auth=auth)
    assert "https://dcs.cn-north-4.myhuaweicloud.com" in repr(client)
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_DCS_CN_NORTH_4", "https://a.example, https://b")
    client = dcs_sessions.Client(region="cn-north-4", project_id="p", auth=auth)
    assert "https://a.example" in repr(client)
    client = dcs_sessions.Client(endpoint="https://c", region="cn-north-4", auth=auth)
    assert "https://c" in repr(client)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "endpoint= or region="),
        ({"endpoint": "https://x"}, "project_id="),
        ({"region": "CN North"}, "must be an ID"),
        ({"region": "cn-north-4/../x"}, "must be an ID"),
        ({"endpoint": "x", "project_id": "p"}, "must be a URL such as"),
        ({"endpoint": "ftp://x", "project_id": "p"}, "must be a URL such as"),
        ({"endpoint": "https://", "project_id": "p"}, "must be a URL such as"),
        ({"endpoint": "https://x/v2", "project_id": "p"}, "must have no path"),
        ({"endpoint": "https://x?y", "project_id": "p"}, "must have no path"),
        ({"endpoint": "https://canary:canary@x", "project_id": "p"}, "user or a password"),
        ({"endpoint": "https://canary@x", "project_id": "p"}, "user or a password"),
        ({"endpoint": "https://:canary@x", "project_id": "p"}, "user or a password"),
        ({"endpoint": 5, "project_id": "p"}, "^endpoint must be a URL"),
        ({"region": 5}, "^region 5 must be an ID"),
        ({"region": "cn-north-4", "auth": "canary"}, r"^auth must be TokenAuth\("),
        ({"region": "cn-north-4", "proxy": "canary:1"}, "^proxy must be a URL"),
        ({"region": "cn-north-4", "proxy": 5}, "^proxy must be a URL"),
        ({"region": "cn-north-4", "max_connections": 0}, "^max_connections 0 must be"),
        ({"region": "cn-north-4", "verify": 5}, "^verify: 5 must be"),
        ({"endpoint": "https://x:port", "project_id": "p"}, "must be a URL"),
        ({"endpoint": "https://a b", "project_id": "p"}, "must be a URL such as"),
        ({"endpoint": "http://dcs.example", "project_id": "p"}, "unencrypted: use https"),
    ],
)
def test_invalid_client_arguments_are_refused(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        dcs_sessions.Client(**{"auth": TokenAuth("t"), **arguments})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["http://localhost:1", "http://127.0.0.1", "http://[::1]:8", "http://a.localhost/"]
)
def test_plain_http_to_this_machine_is_allowed(endpoint: str) -> None:
    dcs_sessions.Client(endpoint=endpoint, project_id="p", auth=TokenAuth("t")).close()


def test_plain_http_to_other_machines_needs_allow_http() -> None:
    dcs_sessions.Client(
        endpoint="http://dcs.example", project_id="p", auth=TokenAuth("t"), allow_http=True
    ).close()


def test_endpoint_of_the_identity_service_depends_on_the_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert identity_origin(None, allow_http=False) == "https://iam.myhuaweicloud.com"
    regional = identity_origin("cn-north-4", allow_http=False)
    assert regional == "https://iam.cn-north-4.myhuaweicloud.com"
    assert identity_origin("cn-south-4", allow_http=False) == "https://iam.myhuaweicloud.com"
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "http://iam.example")
    with pytest.raises(ConfigurationError, match=r"^HUAWEICLOUD_SDK_IAM_ENDPOINT .* unencrypted"):
        identity_origin("cn-north-4", allow_http=False)
    assert identity_origin("cn-north-4", allow_http=True) == "http://iam.example"


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://x", "https://x"),
        ("https://x:8443/", "https://x:8443"),
        ("http://[::1]:8", "http://[::1]:8"),
        ("http://127.0.0.1", "http://127.0.0.1"),
    ],
)
def test_endpoint_is_kept(endpoint: str, origin: str) -> None:
    assert checked_origin("endpoint", endpoint, allow_http=False) == origin


def test_project_is_not_looked_up_through_a_proxy_that_could_read_the_token(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.endpoint)
    server.steps = [answer(200, {"projects": [{"id": "found"}]})]
    with ScriptedServer([JOB]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        client = both(endpoint="http://127.0.0.1:1", region="cn-north-4", auth=TokenAuth("a-token"))
        client.get_job("j")
        assert [request.path for request in proxy.received] == ["/v2/found/jobs/j"]
    assert [request.target for request in server.received] == ["/v3/projects?name=cn-north-4"]


def test_project_is_looked_up_once(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.endpoint)
    server.steps = [answer(200, {"projects": [{"id": "found"}]}), JOB]
    client = both(endpoint=server.endpoint, region="cn-north-4", auth=AkSkAuth("ak", "sk"))
    client.get_job("j")
    client.with_options(timeout=5).get_job("j")
    targets = [request.target for request in server.received]
    assert (server.received[0].method, server.received[0].body) == ("GET", b"")
    assert targets == ["/v3/projects?name=cn-north-4"] + ["/v2/found/jobs/j"] * 2
    assert "Access=ak, " in server.received[0].headers["authorization"]
    assert "x-project-id" not in server.received[0].headers
    assert server.received[1].headers["x-project-id"] == "found"


@pytest.mark.parametrize(
    ("projects", "problem"),
    [([], "found none"), ([{"id": "a"}, {"id": "b"}], "found a, b: pass project_id=")],
)
def test_region_with_no_or_several_projects_is_an_error(
    both: Both,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    projects: list[object],
    problem: str,
) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.endpoint)
    server.steps = [answer(200, {"projects": projects})]
    with pytest.raises(ConfigurationError, match=problem):
        both(endpoint=server.endpoint, region="cn-north-4").get_job("j")


def test_invalid_response_of_the_identity_service_is_an_error(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.endpoint)
    server.steps = [answer(200, orjson.dumps({"projects": None}))]
    with pytest.raises(dcs_sessions.UnexpectedResponseError, match=r"^200 no list of projects$"):
        both(endpoint=server.endpoint, region="cn-north-4").get_job("j")
