"""No secret is in anything that the library says, whatever goes wrong.

Tokens and keys are canaries, and the whole of what can be seen is searched for them: messages,
reprs, logs of every library at every level, and the local variables of every frame of a traceback,
which programs such as Sentry and Rich show.
"""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest

import dcs_sessions
from dcs_sessions import AkSkAuth, Auth, EcsMetadataAuth, TokenAuth
from dcs_sessions_api import AuthenticatedClient, Client
from support.both import Both
from support.scripted import ScriptedServer, Step, answer, hang_up, reset, send, silence

CANARY = "canary-7f3a"
TESTS = str(Path(__file__).parents[1])
EXPIRED = answer(401, {"error_code": "DCS.1002", "error_msg": "Token expired."})

AUTHS: dict[str, Callable[[], Auth]] = {
    "token": lambda: TokenAuth(CANARY),
    "token function": lambda: TokenAuth(lambda: CANARY),
    "keys": lambda: AkSkAuth(CANARY, CANARY),
    "temporary keys": lambda: AkSkAuth(CANARY, CANARY, CANARY),
}
FAULTS: dict[str, list[Step]] = {
    "reset": [reset],
    "hang-up": [hang_up],
    "silence": [silence],
    "no HTTP": [send(b"\x00\x01\x02\r\n\r\n", close=True)],
    "half an answer": [send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", close=True)],
    "half a head": [send(b"HTTP/1.1 200 OK\r\nContent-", close=True)],
    "not JSON": [answer(200, b"<html>")],
    "another shape": [answer(200, [])],
    "not gzip": [answer(200, b"x", {"Content-Encoding": "gzip"})],
    "400": [answer(400, {"error_code": "DCS.4800", "error_msg": "no"})],
    "401": [EXPIRED],
    "403": [answer(403, {})],
    "429": [answer(429, {})],
    "502": [answer(502, b"<html>Bad Gateway</html>")],
    "redirect": [answer(302, b"", {"Location": "http://127.0.0.1:1/elsewhere"})],
}


def frames(error: BaseException) -> Iterator[str]:
    """Show the variables of every frame that is not a test's, causes and contexts included."""
    seen: set[int] = set()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        links += [link.__cause__, link.__context__]
        traceback: TracebackType | None = link.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            if not frame.f_code.co_filename.startswith(TESTS):
                for name, value in frame.f_locals.items():
                    yield f"{frame.f_code.co_qualname}: {name} = {value!r}"
            traceback = traceback.tb_next


def everything(error: BaseException) -> str:
    said = [str(error), repr(error), repr(vars(error)), repr(pickle.dumps(error))]
    return "\n".join([*said, *frames(error)])


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_shows_a_secret(
    both: Both, server: ScriptedServer, caplog: pytest.LogCaptureFixture, auth: str, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    server.steps = list(FAULTS[fault])
    client = both(endpoint=server.endpoint, auth=AUTHS[auth](), retry=None)
    with pytest.raises(dcs_sessions.DcsSessionsError) as caught:
        client.scan_sessions("i", "n", timeout=0.3 if fault == "silence" else 30)
    assert any(CANARY in repr(request.headers) for request in server.received)
    signatures = [
        request.headers["authorization"].rpartition("Signature=")[2]
        for request in server.received
        if "keys" in auth
    ]
    seen = everything(caught.value) + caplog.text + repr(client) + repr(client.raw)
    for secret in (CANARY, *signatures):
        assert secret not in seen


@pytest.mark.parametrize("auth", AUTHS)
def test_no_refused_connection_shows_a_secret(both: Both, auth: str) -> None:
    client = both(endpoint="http://127.0.0.1:1", auth=AUTHS[auth](), retry=None)
    with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
        client.scan_sessions("i", "n")
    assert CANARY not in everything(caught.value)


def test_no_credential_follows_a_redirect(both: Both, server: ScriptedServer) -> None:
    with ScriptedServer([answer(200, {"job_id": "j"})]) as elsewhere:
        server.steps = [answer(307, b"", {"Location": elsewhere.endpoint})]
        with pytest.raises(dcs_sessions.UnexpectedResponseError, match="307"):
            both(endpoint=server.endpoint).scan_sessions("i", "n")
        assert elsewhere.received == []


def wrong_key() -> Auth:
    return AkSkAuth("ak", f"{CANARY}\n")


def wrong_token() -> Auth:
    return TokenAuth(f"{CANARY} ")


def half_a_pair() -> Auth:
    return dcs_sessions.Client.from_env(endpoint="https://x", project_id="p")  # type: ignore[return-value]


@pytest.mark.parametrize("make", [wrong_key, wrong_token, half_a_pair])
def test_no_refused_secret_is_shown(make: type[Auth], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DCS_SESSIONS_TOKEN", raising=False)
    monkeypatch.delenv("HUAWEICLOUD_SDK_SK", raising=False)
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", CANARY)
    with pytest.raises(dcs_sessions.ConfigurationError) as caught:
        make()
    assert CANARY not in everything(caught.value)


def test_no_file_with_a_fault_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "credentials"
    monkeypatch.delenv("DCS_SESSIONS_TOKEN", raising=False)
    monkeypatch.delenv("HUAWEICLOUD_SDK_AK", raising=False)
    monkeypatch.delenv("HUAWEICLOUD_SDK_SK", raising=False)
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(path))
    for text in (f"ak = {CANARY}\n", f"[basic]\nak = {CANARY}\n", f"[basic]\n{CANARY}\n"):
        path.write_text(text)
        path.chmod(0o644)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with pytest.raises(dcs_sessions.ConfigurationError) as caught:
                dcs_sessions.Client.from_env(endpoint="https://x", project_id="p")
        assert CANARY not in everything(caught.value)
        assert CANARY not in "".join(str(warning.message) for warning in warned)


@pytest.mark.parametrize(
    "body",
    [
        f'{{"credential": {{"access": "{CANARY}", "secret": "{CANARY}"}}}}'.encode(),
        f'{{"credential": {{"access": "{CANARY}", "secret": "{CANARY} "}}}}'.encode(),
        f'{{"{CANARY}": "{CANARY}"}}'.encode(),
        f'{{"{CANARY}'.encode(),
    ],
)
def test_no_answer_of_the_metadata_service_is_shown(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr("dcs_sessions._auth._METADATA_ENDPOINT", server.endpoint)
    server.steps = [answer(200, CANARY.encode()), answer(200, body)]
    client = both(endpoint="http://127.0.0.1:1", auth=EcsMetadataAuth())
    with pytest.raises(dcs_sessions.ConfigurationError) as caught:
        client.scan_sessions("i", "n")
    assert CANARY not in everything(caught.value)


def test_the_generated_clients_show_no_secret() -> None:
    authenticated = AuthenticatedClient(base_url="https://x", token=CANARY)
    plain = Client(
        base_url="https://x",
        headers={"X-Auth-Token": CANARY},
        cookies={"c": CANARY},
        httpx_args={"auth": (CANARY, CANARY)},
    )
    authenticated.get_httpx_client().close()  # which puts the token into its headers
    plain.get_httpx_client().close()
    assert CANARY not in repr(authenticated) + repr(plain)
