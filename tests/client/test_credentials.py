"""Credentials that expire: where they come from, how long they last, and what happens if not."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import dcs_sessions
from dcs_sessions import (
    AkSkAuth,
    ApiTimeoutError,
    Auth,
    AuthenticationError,
    ConfigurationError,
    EcsMetadataAuth,
    PasswordAuth,
    TokenAuth,
)
from support.both import Both
from support.identity import CANARY, PROJECT, IdentityService
from support.scripted import ScriptedServer, answer
from support.waiting import wait_until

OIDC = {
    "HUAWEICLOUD_OIDC_PROVIDER_URN": "urn:provider",
    "HUAWEICLOUD_OIDC_AGENCY_URN": "urn:agency",
}


@pytest.fixture
def service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[IdentityService]:
    for name in list(os.environ):
        if name.startswith(("HUAWEICLOUD_", "DCS_SESSIONS_", "HC_CONTAINER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with IdentityService() as running:
        monkeypatch.setattr("dcs_sessions._auth._server._METADATA_ENDPOINT", running.endpoint)
        # Long enough for a busy machine; a service that hangs never answers.
        monkeypatch.setattr(
            "dcs_sessions._auth._server._METADATA_SECONDS",
            2 if "hang" in request.node.name else 20,
        )
        monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", running.endpoint)
        monkeypatch.setenv("HUAWEICLOUD_SDK_STS_ENDPOINT", running.endpoint)
        yield running


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the time by which credentials expire, and by which renewing them pauses."""
    moved = [0.0]

    class Clock:
        @staticmethod
        def time() -> float:
            return time.time() + moved[0]

        @staticmethod
        def monotonic() -> float:
            return time.monotonic() + moved[0]

    def move(seconds: float) -> None:
        moved[0] += seconds

    monkeypatch.setattr("dcs_sessions._renewal.time", Clock)
    return move


def call(both: Both, service: IdentityService, auth: Auth, **options: Any) -> Any:
    return both(endpoint=service.endpoint, auth=auth, retry=None, **options)


# Keys that expire, with the metadata service for an example


def test_keys_are_fetched_once_for_many_calls(both: Both, service: IdentityService) -> None:
    client = call(both, service, EcsMetadataAuth())
    for _ in range(3):
        client.get_job("j")
    assert service.used == ["ecs-ak-1"] * 3
    assert service.given == {"metadata token": 1, "metadata": 1}
    assert service.headers[0]["x-metadata-token-ttl-seconds"] == "21600"
    assert service.headers[1]["x-metadata-token"] == "session"


def test_fifty_threads_share_one_fetch(service: IdentityService) -> None:
    service.pause = 0.1
    with (
        dcs_sessions.Client(
            endpoint=service.endpoint, project_id="p", auth=EcsMetadataAuth()
        ) as client,
        ThreadPoolExecutor(50) as pool,
    ):
        assert len(list(pool.map(lambda _: client.get_job("j"), range(50)))) == 50
    assert service.given["metadata"] == 1


def test_fifty_tasks_and_two_event_loops_share_one_fetch(service: IdentityService) -> None:
    service.pause = 0.1
    auth = EcsMetadataAuth()

    async def many() -> None:
        async with dcs_sessions.AsyncClient(
            endpoint=service.endpoint, project_id="p", auth=auth
        ) as client:
            await asyncio.gather(*(client.get_job("j") for _ in range(50)))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: asyncio.run(many()), range(2)))
    assert len(service.used) == 100
    assert service.given["metadata"] == 1


def test_no_call_is_lost_when_the_one_that_began_the_fetch_is_cancelled(
    service: IdentityService,
) -> None:
    service.pause = 0.2

    async def main() -> None:
        async with dcs_sessions.AsyncClient(
            endpoint=service.endpoint, project_id="p", auth=EcsMetadataAuth()
        ) as client:
            first = asyncio.create_task(client.get_job("j"))
            await asyncio.sleep(0.05)
            rest = [asyncio.create_task(client.get_job("j")) for _ in range(5)]
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.gather(*rest)

    asyncio.run(main())
    assert service.given["metadata"] == 1
    assert len(service.used) == 5


@pytest.mark.parametrize("fault", ["hang", "close", "junk", "500", "503", "404", "403"])
def test_keys_that_are_still_good_are_used_while_renewing_fails(
    both: Both,
    service: IdentityService,
    clock: Callable[[float], None],
    fault: str,
) -> None:
    service.seconds = 3600
    client = call(both, service, EcsMetadataAuth())
    client.get_job("j")
    service.fault = fault
    clock(3600 - 39 * 60)
    started = time.monotonic()
    for _ in range(10):
        client.get_job("j", timeout=30)
    clock(37 * 60)
    for _ in range(10):
        client.get_job("j", timeout=30)
    assert time.monotonic() - started < 20, "no call waits for a fetch that it does not need"
    assert service.used == ["ecs-ak-1"] * 21
    wait_until(lambda: service.given["metadata token"] >= 2)
    clock(70)
    with pytest.raises(ConfigurationError, match=r"^no credentials from the ECS metadata"):
        client.get_job("j")
    assert len(service.used) == 21, "keys are never used in the minute before they expire"
    service.fault, service.seconds = "", 86400
    client.get_job("j")


@pytest.mark.parametrize("fault", ["hang", "close", "junk", "500", "503", "expired", ""])
def test_fifty_threads_and_fifty_tasks_lose_no_call_while_keys_are_good(
    service: IdentityService, clock: Callable[[float], None], fault: str
) -> None:
    auth = EcsMetadataAuth()
    service.seconds = 1800
    use(service.endpoint, auth)
    service.fault = fault.replace("expired", "")
    if fault == "expired":
        service.seconds = -60
    clock(1500)

    async def tasks() -> None:
        async with dcs_sessions.AsyncClient(
            endpoint=service.endpoint, project_id="p", auth=auth, retry=None
        ) as client:
            await asyncio.gather(*(client.get_job("j") for _ in range(50)))

    with (
        dcs_sessions.Client(
            endpoint=service.endpoint, project_id="p", auth=auth, retry=None
        ) as client,
        ThreadPoolExecutor(51) as pool,
    ):
        both_kinds: list[Future[Any]] = [pool.submit(asyncio.run, tasks())]
        both_kinds += [pool.submit(client.get_job, "j") for _ in range(50)]
        for done in both_kinds:
            done.result()
    assert len(service.used) == 101
    wait_until(lambda: service.given["metadata token"] >= 2)
    assert service.given["metadata token"] == 2, "one try to renew, whatever comes of it"


def test_renewing_that_fails_is_not_tried_again_at_once(
    both: Both, service: IdentityService, clock: Callable[[float], None]
) -> None:
    service.seconds = 3600
    client = call(both, service, EcsMetadataAuth())
    client.get_job("j")
    service.fault = "500"
    clock(55 * 60)
    for _ in range(20):
        client.get_job("j")
        time.sleep(0.01)
    assert service.given["metadata token"] == 2
    clock(10)
    client.get_job("j")
    wait_until(lambda: service.given["metadata token"] == 3)


@pytest.mark.parametrize("minutes", [15, 30, 60, 360])
def test_keys_are_renewed_in_the_background_before_they_expire(
    both: Both, service: IdentityService, clock: Callable[[float], None], minutes: int
) -> None:
    service.seconds = minutes * 60
    client = call(both, service, EcsMetadataAuth())
    for _ in range(5):
        client.get_job("j")
    clock(minutes * 60 * 0.7)
    client.get_job("j")
    assert service.given["metadata"] == 1, "they have a good part of their life before them"
    clock(minutes * 60 * 0.2)
    service.pause = 0.2
    client.get_job("j")
    assert service.used[-1] == "ecs-ak-1", "the call does not wait"
    wait_until(lambda: service.given["metadata"] == 2)
    time.sleep(0.3)
    client.get_job("j")
    assert service.used[-1] == "ecs-ak-2"


@pytest.mark.parametrize("seconds", [-3600, 0, 59])
def test_keys_that_have_expired_are_never_used(
    both: Both, service: IdentityService, seconds: float
) -> None:
    service.seconds = seconds
    with pytest.raises(ConfigurationError, match="expires within a minute, by this"):
        call(both, service, EcsMetadataAuth()).get_job("j")
    assert service.used == []


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("500", r"service: 500 empty answer$"),
        ("404", r"service: 404 empty answer$"),
        ("junk", r"holds blanks, line ends or other characters|no keys \(JSONDecodeError\)$"),
        ("close", "service: PUT http"),
        ("hang", "service: PUT http.*: no response within 2 s$"),
    ],
)
def test_error_lists_what_was_tried(
    both: Both, service: IdentityService, fault: str, problem: str
) -> None:
    service.fault = fault
    with pytest.raises(ConfigurationError, match=problem) as caught:
        call(both, service, EcsMetadataAuth()).get_job("j")
    assert str(caught.value).startswith("no credentials from the ECS metadata service: ")
    assert "environment" not in str(caught.value), "nobody looked there"
    assert CANARY not in repr(caught.value)


@pytest.mark.parametrize("status", [404, 405, 503])
def test_metadata_services_without_tokens_need_none(
    both: Both, service: IdentityService, server: ScriptedServer, status: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr("dcs_sessions._auth._server._METADATA_ENDPOINT", server.endpoint)
    keys = {"access": "a-key", "secret": "s", "securitytoken": "st", "expires_at": "2999-01-01"}
    server.steps = [answer(status), answer(200, {"credential": keys})]
    call(both, service, EcsMetadataAuth()).get_job("j")
    assert "x-metadata-token" not in server.received[1].headers
    assert service.used == ["a-key"]


def test_keys_are_never_fetched_through_a_proxy(
    both: Both, service: IdentityService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer([answer(200, {"job_id": "j", "status": "SUCCESS"})]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        for given in (None, proxy.endpoint):
            call(both, service, EcsMetadataAuth(), proxy=given).get_job("j")
        assert [request.target.rpartition("/")[2] for request in proxy.received] == ["j", "j"]
    assert service.given["metadata"] == 2


@pytest.mark.skipif(os.name != "posix", reason="Windows has no fork")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_fetch_their_own_keys(
    service: IdentityService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcs_sessions._auth._server._METADATA_SECONDS", 20)
    auth = EcsMetadataAuth()
    service.pause = 0.5
    thread = threading.Thread(target=use, args=(service.endpoint, auth))
    thread.start()
    wait_until(lambda: service.given["metadata token"] > 0)
    with auth._keys._lock:  # as another thread may
        child = os.fork()
    if child == 0:
        code = 1
        try:
            use(service.endpoint, auth)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
    assert service.given["metadata"] == 2


def use(endpoint: str, auth: Auth) -> None:
    with dcs_sessions.Client(endpoint=endpoint, project_id="p", auth=auth) as client:
        client.get_job("j", timeout=20)


# The chain of the vendor's SDK


def from_env(both: Both, service: IdentityService) -> Any:
    return both.adopt(both.cls.from_env(endpoint=service.endpoint, project_id="p", retry=None))


def test_server_comes_before_the_pod(
    both: Both, service: IdentityService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod(service, monkeypatch, tmp_path)
    from_env(both, service).get_job("j")
    assert service.used == ["ecs-ak-1"]


@pytest.mark.parametrize("fault", ["hang", "close", "junk", "404", "500"])
def test_servers_without_keys_do_not_hide_the_pod(
    both: Both,
    service: IdentityService,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clock: Callable[[float], None],
    fault: str,
) -> None:
    file = pod(service, monkeypatch, tmp_path)
    service.fault = fault
    service.broken = {"metadata"}
    service.seconds = 3600
    client = from_env(both, service)
    client.get_job("j")
    assert service.used == ["pod-ak-1"]
    assert service.headers[-1]["authorization"] == "pod-token-1"
    assert service.bodies[-1] == {}
    file.write_text("pod-token-2")
    asked = service.given["metadata token"]
    clock(55 * 60)
    client.get_job("j")
    wait_until(lambda: service.given["pod"] == 2)
    assert service.headers[-1]["authorization"] == "pod-token-2", "the file is read again"
    assert service.given["metadata token"] == asked, "what is not there is not waited for again"


def test_pods_are_never_asked_through_a_proxy(
    both: Both, service: IdentityService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod(service, monkeypatch, tmp_path)
    service.fault, service.broken = "404", {"metadata"}
    with ScriptedServer([answer(200, {"job_id": "j", "status": "SUCCESS"})]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        from_env(both, service).get_job("j")
        assert len(proxy.received) == 1
    assert service.given["pod"] == 1


@pytest.mark.parametrize("uri", ["http://dcs.example/x", "ftp://127.0.0.1/", "https://u:p@h/", "x"])
def test_pod_addresses_that_would_give_the_token_away_are_refused(
    both: Both,
    service: IdentityService,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    uri: str,
) -> None:
    pod(service, monkeypatch, tmp_path)
    service.fault, service.broken = "404", {"metadata"}
    monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", uri)
    with pytest.raises(ConfigurationError, match="HC_CONTAINER_CREDENTIALS_FULL_URI must be https"):
        from_env(both, service).get_job("j")


def pod(service: IdentityService, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    file = folder / "pod-token"
    file.write_text("pod-token-1\n")
    monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", f"{service.endpoint}/pod")
    monkeypatch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    return file


def test_error_lists_every_source_that_was_tried(both: Both, service: IdentityService) -> None:
    service.fault = "500"
    with pytest.raises(ConfigurationError) as caught:
        from_env(both, service).get_job("j")
    assert str(caught.value) == (
        "no credentials: not in the environment (HUAWEICLOUD_SDK_AK and _SK), not in "
        "~/.huaweicloud/credentials, not from the ECS metadata service (500 empty answer), not "
        "from the identity of the pod (HC_CONTAINER_CREDENTIALS_FULL_URI is not set)"
    )


def test_agency_is_assumed_with_an_id_token(
    both: Both,
    service: IdentityService,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clock: Callable[[float], None],
) -> None:
    file = tmp_path / "jwt"
    file.write_text("jwt-1\n")
    for name, value in OIDC.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HUAWEICLOUD_OIDC_TOKEN_FILE", str(file))
    monkeypatch.setenv("HUAWEICLOUD_OIDC_POLICY_IDS", "one, two")
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "of-no-use")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "of-no-use")
    service.seconds = 3600
    client = from_env(both, service)
    client.get_job("j")
    assert service.used == ["sts-ak-1"]
    assert service.bodies == [
        {
            "provider_urn": "urn:provider",
            "agency_urn": "urn:agency",
            "agency_session_name": "oidc-sts-session",
            "duration_seconds": 3600,
            "policy_ids": ["one", "two"],
            "id_token": "jwt-1",
        }
    ]
    file.write_text("jwt-2")
    clock(40 * 60)
    client.get_job("j")
    assert service.given["sts"] == 1, "keys of an hour are good for more than 20 minutes"
    clock(10 * 60)
    client.get_job("j")
    wait_until(lambda: service.given["sts"] == 2)
    assert service.bodies[1]["id_token"] == "jwt-2", "the file is read again"


@pytest.mark.parametrize("place", ["environment", "file"])
def test_id_token_is_exchanged_for_keys(
    both: Both,
    service: IdentityService,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
) -> None:
    file = tmp_path / "jwt"
    file.write_text("jwt-1\n")
    if place == "environment":
        monkeypatch.setenv("HUAWEICLOUD_SDK_IDP_ID", "my-idp")
        monkeypatch.setenv("HUAWEICLOUD_SDK_ID_TOKEN_FILE", str(file))
        monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "of-no-use")
    else:
        profile = tmp_path / "profile"
        profile.write_text(
            f"[basic]\nidp_id=my-idp\nid_token_file={file}\niam_endpoint={service.endpoint}\nak=a\n"
        )
        profile.chmod(0o600)
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(profile))
        monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "https://127.0.0.1:1")
    from_env(both, service).get_job("j")
    assert service.used == ["idp-ak-1"]
    assert service.headers[0]["x-idp-id"] == "my-idp"
    assert service.bodies[0] == {"auth": {"id_token": {"id": "jwt-1"}}}
    assert service.headers[1]["x-auth-token"] == "token-1"
    assert service.bodies[1] == {
        "auth": {"identity": {"methods": ["token"], "token": {"duration_seconds": 21600}}}
    }


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"DCS_SESSIONS_USER": "u"}, "DCS_SESSIONS_DOMAIN and DCS_SESSIONS_PASSWORD is missing"),
        ({"HUAWEICLOUD_SDK_IDP_ID": "i"}, "HUAWEICLOUD_SDK_ID_TOKEN_FILE is missing"),
        ({"HUAWEICLOUD_SDK_SK": CANARY}, "HUAWEICLOUD_SDK_AK is missing"),
        (
            {**OIDC, "HUAWEICLOUD_OIDC_ID_TOKEN": CANARY, "HUAWEICLOUD_OIDC_DURATION_SECONDS": "x"},
            "HUAWEICLOUD_OIDC_DURATION_SECONDS must be a number",
        ),
    ],
)
def test_missing_variable_of_a_pair_is_named(
    service: IdentityService,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    problem: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        dcs_sessions.Client.from_env(endpoint=service.endpoint, project_id="p")
    assert CANARY not in str(caught.value)


def test_missing_id_tokens_are_named(
    both: Both, service: IdentityService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IDP_ID", "my-idp")
    monkeypatch.setenv("HUAWEICLOUD_SDK_ID_TOKEN_FILE", "/no/such/file")
    with pytest.raises(
        ConfigurationError, match="_ID_TOKEN_FILE: /no/such/file cannot be read: No"
    ):
        from_env(both, service).get_job("j")


# Passwords


def test_password_is_exchanged_for_a_token_and_its_project(
    both: Both, service: IdentityService
) -> None:
    auth = PasswordAuth("my-account", "my-user", "my-password")
    client = both(endpoint=service.endpoint, region="cn-north-4", auth=auth)
    client.get_job("j")
    client.get_job("j")
    assert service.used == ["token-1"] * 2
    (body,) = service.bodies
    assert body["auth"]["scope"] == {"project": {"name": "cn-north-4"}}
    assert body["auth"]["identity"]["password"]["user"] == {
        "domain": {"name": "my-account"},
        "name": "my-user",
        "password": "my-password",
    }


def test_project_of_a_token_is_in_the_path(both: Both, server: ScriptedServer) -> None:
    token = {"expires_at": "2999-01-01T00:00:00.000000Z", "project": {"id": PROJECT}}
    job = answer(200, {"job_id": "j", "status": "SUCCESS"})
    server.steps = [answer(201, {"token": token}, {"X-Subject-Token": "t-1"}), job]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.endpoint)
        client = both(
            endpoint=server.endpoint, region="cn-north-4", auth=PasswordAuth("d", "u", "p")
        )
    client.get_job("j")
    assert [request.target for request in server.received] == [
        "/v3/auth/tokens?nocatalog=true",
        f"/v2/{PROJECT}/jobs/j",
    ]


def test_each_project_has_a_token_of_its_own(both: Both, service: IdentityService) -> None:
    auth = PasswordAuth("d", "u", "p")
    for project in ("one", "two", "one"):
        both(endpoint=service.endpoint, project_id=project, auth=auth).get_job("j")
    assert [body["auth"]["scope"] for body in service.bodies] == [
        {"project": {"id": "one"}},
        {"project": {"id": "two"}},
    ]


def test_expired_tokens_are_renewed_once(both: Both, service: IdentityService) -> None:
    client = call(both, service, PasswordAuth("d", "u", "p"))
    client.get_job("j")
    service.refused = {"token-1"}
    client.get_job("j")
    assert service.used == ["token-1", "token-1", "token-2"]
    service.refused = {"token-2", "token-3"}
    with pytest.raises(AuthenticationError):
        client.get_job("j")
    assert service.used[3:] == ["token-2", "token-3"]


def test_tokens_are_renewed_ahead_of_time(
    both: Both, service: IdentityService, clock: Callable[[float], None]
) -> None:
    client = call(both, service, PasswordAuth("d", "u", "p"))
    client.get_job("j")
    clock(86400 - 30 * 60)
    client.get_job("j")
    wait_until(lambda: service.given["iam password"] == 2)
    wait_until(lambda: client.get_job("j") and service.used[-1] == "token-2")


def test_passwords_that_are_refused_are_never_sent_again(
    both: Both, service: IdentityService
) -> None:
    auth = PasswordAuth("d", "u", "wrong-password")
    service.fault = "401"
    for project in ("one", "one", "two"):
        client = both(endpoint=service.endpoint, project_id=project, auth=auth)
        with pytest.raises(ConfigurationError, match=r"PasswordAuth\): 401 ") as caught:
            client.get_job("j")
        assert isinstance(caught.value.__cause__, AuthenticationError)
    assert service.given["iam password"] == 1


def test_fifty_threads_with_a_wrong_password_send_it_once(service: IdentityService) -> None:
    service.fault, service.pause = "401", 0.1
    auth = PasswordAuth("d", "u", "wrong-password")

    def attempt(number: int) -> None:
        with (
            dcs_sessions.Client(
                endpoint=service.endpoint, project_id=str(number % 5), auth=auth
            ) as client,
            pytest.raises(ConfigurationError),
        ):
            client.get_job("j")

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(attempt, range(50)))
    assert service.given["iam password"] == 1


def test_passwords_come_from_the_environment(
    both: Both, service: IdentityService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOMAIN", "USER", "PASSWORD"):
        monkeypatch.setenv(f"DCS_SESSIONS_{name}", f"my-{name}")
    from_env(both, service).get_job("j")
    assert service.bodies[0]["auth"]["identity"]["password"]["user"]["password"] == "my-PASSWORD"


# Functions that return tokens


def test_slow_functions_do_not_stop_the_event_loop(service: IdentityService) -> None:
    ticks: list[float] = []
    release = threading.Event()

    def slow() -> str:
        release.wait(20)
        return "a-token"

    async def main() -> None:
        async with dcs_sessions.AsyncClient(
            endpoint=service.endpoint, project_id="p", auth=TokenAuth(slow)
        ) as client:
            calls = [asyncio.create_task(client.get_job("j")) for _ in range(5)]
            for _ in range(20):
                await asyncio.sleep(0.005)
                ticks.append(time.monotonic())
            assert service.used == []
            release.set()
            await asyncio.gather(*calls)

    asyncio.run(main())
    assert len(ticks) == 20
    assert service.used == ["a-token"] * 5


def test_async_functions_run_on_the_event_loop_of_the_client(service: IdentityService) -> None:
    loops: list[object] = []

    async def fetch() -> str:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        return f"token-{len(loops)}"

    async def main() -> None:
        async with dcs_sessions.AsyncClient(
            endpoint=service.endpoint, project_id="p", auth=TokenAuth(fetch)
        ) as client:
            await asyncio.gather(*(client.get_job("j") for _ in range(20)))
            service.refused = {"token-1"}
            await client.get_job("j")
        assert loops == [asyncio.get_running_loop()] * 2

    asyncio.run(main())
    assert service.used[-2:] == ["token-1", "token-2"]


def test_event_loops_that_end_in_the_middle_of_a_function_lose_no_call_elsewhere(
    service: IdentityService,
) -> None:
    begun = threading.Event()
    times: list[int] = []

    async def fetch() -> str:
        times.append(1)
        begun.set()
        if len(times) == 1:
            await asyncio.sleep(60)
        return "a-token"

    auth = TokenAuth(fetch)

    async def use_it() -> None:
        async with dcs_sessions.AsyncClient(
            endpoint=service.endpoint, project_id="p", auth=auth
        ) as client:
            await client.get_job("j")

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(use_it(), 1)

    first = threading.Thread(target=asyncio.run, args=(give_up(),))
    first.start()
    assert begun.wait(20)
    asyncio.run(use_it())
    first.join()
    assert service.used == ["a-token"]


def test_sync_clients_refuse_async_functions(service: IdentityService) -> None:
    async def fetch() -> str:
        raise AssertionError

    with (
        dcs_sessions.Client(
            endpoint=service.endpoint, project_id="p", auth=TokenAuth(fetch)
        ) as client,
        pytest.raises(
            ConfigurationError, match="TokenAuth: the function is async: use an AsyncClient"
        ),
    ):
        client.get_job("j")


def test_exception_of_a_token_function_is_the_cause(both: Both, service: IdentityService) -> None:
    def fetch() -> str:
        secret = CANARY
        raise LookupError("the vault is sealed" if secret else "")

    with pytest.raises(
        ConfigurationError, match="TokenAuth: the function raised LookupE"
    ) as caught:
        call(both, service, TokenAuth(fetch)).get_job("j")
    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.__cause__.__traceback__ is None
    assert service.used == []


def test_functions_that_never_return_do_not_make_a_call_late(
    both: Both, service: IdentityService
) -> None:
    release = threading.Event()
    started = time.monotonic()
    try:
        with pytest.raises(ApiTimeoutError, match=r"^no credentials within 0\.2 s$"):
            call(both, service, TokenAuth(lambda: str(release.wait(60)))).get_job("j", timeout=0.2)
        assert time.monotonic() - started < 20
    finally:
        release.set()


# In an httpx client of one's own


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: TokenAuth(f"{CANARY}-token"),
        lambda: TokenAuth(lambda: f"{CANARY}-token"),
        lambda: AkSkAuth(f"{CANARY}-ak", f"{CANARY}-sk", f"{CANARY}-st"),
        EcsMetadataAuth,
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_follow_no_redirect(
    service: IdentityService,
    server: ScriptedServer,
    make: Callable[[], Auth],
    status: int,
    kind: str,
) -> None:
    with ScriptedServer([answer(200, {})]) as elsewhere:
        server.steps = [answer(status, b"", {"Location": f"{elsewhere.endpoint}/x"})]
        address, content = f"{server.endpoint}/y", {"node_id": "n"}
        if kind == "sync":
            with httpx.Client(auth=make(), follow_redirects=True) as client:
                assert client.post(address, json=content).status_code == 200
        else:

            async def send() -> None:
                async with httpx.AsyncClient(auth=make(), follow_redirects=True) as client:
                    assert (await client.post(address, json=content)).status_code == 200

            asyncio.run(send())
        (here,), (there,) = server.received, elsewhere.received
    assert {"x-auth-token", "authorization"} & here.headers.keys()
    secret = {"x-auth-token", "authorization", "x-security-token", "x-sdk-date"}
    assert not secret & there.headers.keys()
    assert CANARY not in repr(there)
    assert "Access=" not in repr(there)


def test_redirects_on_the_same_host_keep_credentials(server: ScriptedServer) -> None:
    server.steps = [answer(307, b"", {"Location": "/x"}), answer(200, {})]
    with httpx.Client(auth=AkSkAuth("an-access-key", "sk"), follow_redirects=True) as client:
        assert client.post(server.endpoint, json={"a": 1}).status_code == 200
    assert server.received[1].body == server.received[0].body
    assert "authorization" not in server.received[1].headers
