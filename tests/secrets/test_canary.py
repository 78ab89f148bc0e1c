"""No secret is in any output of the library, whatever goes wrong.

Tokens and keys are canaries, and the whole of what can be seen is searched for them: messages,
reprs, logs of every library at every level, and the local variables of every frame of a traceback,
which programs such as Sentry and Rich show.
"""

from __future__ import annotations

import logging
import pickle
import re
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest

import dcs_sessions
from dcs_sessions import AkSkAuth, Auth, EcsMetadataAuth, PasswordAuth, TokenAuth
from dcs_sessions_api import AuthenticatedClient, Client
from support.both import AnyClient, Both
from support.identity import IdentityService
from support.scripted import (
    Received,
    ScriptedServer,
    Step,
    answer,
    hang_up,
    reset,
    send,
    silence,
)
from support.waiting import expired

CANARY = "canary-7f3a"
TESTS = str(Path(__file__).parents[1])
EXPIRED = answer(401, {"error_code": "DCS.1002", "error_msg": "Token expired."})

AUTHS: dict[str, Callable[[], Auth]] = {
    "token": lambda: TokenAuth(CANARY),
    "token function": lambda: TokenAuth(lambda: CANARY),
    "keys": lambda: AkSkAuth(CANARY, CANARY),
    "temporary keys": lambda: AkSkAuth(CANARY, CANARY, CANARY),
}


def echo(connection: socket.socket, request: Received) -> None:
    """Answer with all that was sent, as a debugging proxy does, and as JSON writes it."""
    headers = dict(request.headers)
    body = {"error_code": "APIGW.0301", "error_msg": str(headers), "all": headers}
    answer(401, body, {"X-Echo": str(headers)})(connection, request)


def echo_of_key(connection: socket.socket, request: Received) -> None:
    """Answer as the gateway does to an unknown key."""
    found = re.search("Access=([^,]*)", request.headers.get("authorization", ""))
    ak = found[1] if found else request.headers["x-auth-token"]
    said = (
        f"Incorrect IAM authentication information: Get secretKey failed,ak:{ak},err:ak not exist"
    )
    answer(401, {"error_code": "APIGW.0301", "error_msg": said})(connection, request)


def echo_of_teapot(connection: socket.socket, request: Received) -> None:
    answer(418, {"message": str(dict(request.headers))})(connection, request)


def echo_of_success(connection: socket.socket, request: Received) -> None:
    answer(200, list(request.headers.items()))(connection, request)


def echo_broken(before: bytes, after: bytes) -> Step:
    """Answer with what was sent, where the HTTP library says what it cannot read."""

    def step(connection: socket.socket, request: Received) -> None:
        sent = "; ".join(request.headers.values()).encode()
        send(before + sent + after, close=True)(connection, request)

    return step


FAULTS: dict[str, list[Step]] = {
    "echo in an invalid header": [echo_broken(b"HTTP/1.1 200 OK\r\nX Echo", b"\r\n\r\n")],
    "echo in a header's value": [echo_broken(b"HTTP/1.1 200 OK\r\nX: \0", b"\r\n\r\n")],
    "echo in the first line": [echo_broken(b"HTTP/1.1 2x0 ", b"\r\n\r\n")],
    "echo in the version": [echo_broken(b"HTTP/", b" 200 OK\r\n\r\n")],
    "echo in the length": [echo_broken(b"HTTP/1.1 200 OK\r\nContent-Length: ", b"\r\n\r\n")],
    "echo in the coding": [echo_broken(b"HTTP/1.1 200 OK\r\nContent-Encoding: ", b"\r\n\r\n")],
    "echo in a chunk": [
        echo_broken(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz", b"\r\n\r\n")
    ],
    "echo in a long header": [
        echo_broken(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 8150, b"a" * 99_999 + b"\r\n\r\n")
    ],
    "echo": [echo],
    "echo of the key": [echo_of_key],
    "echo where success was due": [echo_of_success],
    "echo with an undocumented status": [echo_of_teapot],
    "a header of 10 kB": [answer(200, {}, {"X-Long": "a" * 10_000})],
    "a header without a name": [send(b"HTTP/1.1 200 OK\r\n: b\r\n\r\n", close=True)],
    "two lengths": [
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", close=True)
    ],
    "broken chunks": [
        send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", close=True)
    ],
    "another version": [send(b"HTTP/9.9 200 OK\r\n\r\n", close=True)],
    "a status of words": [send(b"HTTP/1.1 abc OK\r\n\r\n", close=True)],
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


def chain(error: BaseException) -> Iterator[BaseException]:
    """Return an error and all causes and contexts, including those hidden by `from None`."""
    seen: set[int] = set()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            links += [link.__cause__, link.__context__]
            yield link


def frames(link: BaseException) -> Iterator[str]:
    """Return the variables of every frame outside of tests."""
    traceback: TracebackType | None = link.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if not frame.f_code.co_filename.startswith(TESTS):
            for name, value in frame.f_locals.items():
                yield f"{frame.f_code.co_qualname}: {name} = {value!r}"
        traceback = traceback.tb_next


def inside(value: object, depth: int = 4) -> Iterator[str]:
    """Return a value and its parts as text, as a debugger or an error tracker shows them."""
    yield repr(value)
    yield str(value)
    if depth and isinstance(value, dict):
        for key, part in value.items():
            yield from inside(key, depth - 1)
            yield from inside(part, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from inside(part, depth - 1)
    elif depth and type(value).__module__ != "builtins" and not isinstance(value, type):
        for name in dir(value):
            if not name.startswith("__"):
                try:
                    part = getattr(value, name)
                except Exception:  # noqa: BLE001 - some exist only at other times
                    continue
                if not callable(part):
                    yield from inside(part, depth - 1)


def failed_scan(client: AnyClient, server: ScriptedServer, fault: str) -> BaseException:
    """Return the error of a scan whose request has arrived."""
    return expired(
        dcs_sessions.DcsSessionsError,
        lambda seconds: client.scan_sessions("i", "n", timeout=seconds),
        lambda: server.received,
        0.3 if fault == "silence" else 30,
    )


def everything(error: BaseException) -> str:
    said = [repr(pickle.dumps(error))]
    for link in chain(error):
        said += [str(link), *inside(link.args), *inside(vars(link)), *frames(link)]
        said += [*inside(link), *getattr(link, "__notes__", [])]
    return "\n".join(said)


@pytest.mark.parametrize("fault", [name for name in FAULTS if "echo" not in name])
def test_no_fault_shows_a_header_of_the_caller(
    both: Both, server: ScriptedServer, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.steps = list(FAULTS[fault])
    made = both(endpoint=server.endpoint, headers={"X-Gateway-Key": CANARY}, retry=None)
    for client in made, made.with_options(headers={"X-Other-Key": CANARY}):
        server.received.clear()
        error = failed_scan(client, server, fault)
        assert CANARY not in everything(error) + caplog.text
        assert CANARY in repr(server.received[0].headers)


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
    error = failed_scan(client, server, fault)
    assert any(CANARY in repr(request.headers) for request in server.received)
    signatures = [
        request.headers["authorization"].rpartition("Signature=")[2]
        for request in server.received
        if "keys" in auth
    ]
    seen = everything(error) + caplog.text + repr(client) + repr(client.raw)
    for secret in (CANARY, *signatures):
        assert secret not in seen


PROXY_FAULTS: dict[str, Step] = {
    "refuses": answer(407, b"no", {"Proxy-Authenticate": "Basic"}),
    "forbids": answer(403, b"<html>no</html>"),
    "no HTTP": send(b"SSH-2.0-OpenSSH_9.9\r\n", close=True),
    "hangs up": hang_up,
    "resets": reset,
}


@pytest.mark.parametrize("fault", PROXY_FAULTS)
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("place", ["argument", "environment"])
def test_no_proxy_shows_its_password(
    both: Both,
    server: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    scheme: str,
    place: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.steps = [PROXY_FAULTS[fault]]
    proxy = server.endpoint.replace("//", f"//{CANARY}-user:{CANARY}-password@")
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
    given = proxy if place == "argument" else None
    client = both(
        endpoint=f"{scheme}://dcs.example",
        proxy=given,
        retry=None,
        allow_http=True,
        auth=TokenAuth(f"{CANARY}-token"),
    )
    with pytest.raises(dcs_sessions.DcsSessionsError) as caught:
        client.scan_sessions("i", "n", timeout=30)
    assert CANARY not in everything(caught.value) + caplog.text + repr(client)
    assert server.received, "the proxy was asked"


def test_no_proxy_that_is_not_there_shows_its_password(both: Both) -> None:
    proxy = f"http://{CANARY}-user:{CANARY}-password@127.0.0.1:1"
    client = both(endpoint="https://dcs.example", proxy=proxy, retry=None)
    with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
        client.scan_sessions("i", "n")
    assert CANARY not in everything(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"endpoint": f"https//user:{CANARY}@dcs.example"},
        {"endpoint": f"https://user:{CANARY}@dcs.example"},
        {"endpoint": f"https://user:{CANARY}"},
        {"endpoint": f"https://user:{CANARY}#@dcs.example"},
        {"endpoint": f"user:{CANARY}@dcs.example"},
        {"endpoint": f"https://dcs.example/?token={CANARY}"},
        {"endpoint": f"https://[{CANARY}"},
        {"endpoint": "https://x", "proxy": f"http://user:{CANARY}@proxy:99999"},
        {"endpoint": "https://x", "proxy": f"socks5://user:{CANARY}@proxy"},
        {"endpoint": "https://x", "headers": {"X-Key": f"{CANARY}\n"}},
        {"endpoint": "https://x", "auth": CANARY},
    ],
)
@pytest.mark.parametrize("kind", [dcs_sessions.Client, dcs_sessions.AsyncClient])
def test_no_mistyped_argument_is_shown(kind: type, arguments: dict[str, object]) -> None:
    with pytest.raises(dcs_sessions.DcsSessionsError) as caught:
        kind(**{"project_id": "p", "auth": TokenAuth("t"), **arguments})
    assert CANARY not in everything(caught.value)


@pytest.mark.parametrize("fault", ["junk", "500", "401", "404"])
@pytest.mark.parametrize("make", [EcsMetadataAuth, lambda: PasswordAuth("d", "u", CANARY)])
def test_no_service_that_gives_credentials_shows_any(
    both: Both,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: str,
    make: Callable[[], Auth],
) -> None:
    caplog.set_level(logging.DEBUG)
    with IdentityService() as service:
        monkeypatch.setattr("dcs_sessions._auth._server._METADATA_ENDPOINT", service.endpoint)
        monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", service.endpoint)
        service.fault = fault
        client = both(endpoint="http://127.0.0.1:1", auth=make())
        with pytest.raises(dcs_sessions.ConfigurationError) as caught:
            client.scan_sessions("i", "n")
    assert CANARY not in everything(caught.value) + caplog.text


def test_no_echo_of_the_identity_service_shows_the_password(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(connection: socket.socket, request: Received) -> None:
        body = {"error": {"code": 401, "message": f"wrong: {request.body.decode()}"}}
        answer(401, body)(connection, request)

    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.endpoint)
    server.steps = [step]
    auth = PasswordAuth("d", "u", f'{CANARY}"ä/+=')
    with pytest.raises(dcs_sessions.ConfigurationError, match="401 wrong: ") as caught:
        both(endpoint=server.endpoint, auth=auth).scan_sessions("i", "n")
    assert CANARY not in everything(caught.value)


@pytest.mark.parametrize("library", ["httpx", "plain"])
def test_no_failed_function_shows_a_secret(both: Both, library: str) -> None:
    def fetch() -> str:
        token = CANARY
        if library == "plain":
            raise OSError(5, "no" if token else "")
        import httpx

        with httpx.Client(headers={"Authorization": token}) as client:
            return client.post("http://127.0.0.1:1", content=token).text

    with pytest.raises(dcs_sessions.ConfigurationError, match="the function raised") as caught:
        both(endpoint="http://127.0.0.1:1", auth=TokenAuth(fetch)).scan_sessions("i", "n")
    assert CANARY not in everything(caught.value)


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
    monkeypatch.setattr("dcs_sessions._auth._server._METADATA_ENDPOINT", server.endpoint)
    server.steps = [answer(200, CANARY.encode()), answer(200, body)]
    client = both(endpoint="http://127.0.0.1:1", auth=EcsMetadataAuth())
    with pytest.raises(dcs_sessions.ConfigurationError) as caught:
        client.scan_sessions("i", "n")
    assert CANARY not in everything(caught.value)


def test_generated_clients_show_no_secret() -> None:
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
