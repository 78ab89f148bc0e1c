"""URLs of servers of one's own: the server that is named is the one that is used, or none is."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from valkey.asyncio.connection import AbstractConnection, Connection, SSLConnection

from dcs_sessions.emulator import Emulator, EmulatorError, Instance
from dcs_sessions.emulator._nodes import Node, masked
from support.fake_valkey import FakeValkey

if TYPE_CHECKING:
    from emulator.conftest import MakeApi, MakeDcs

# Every part of a URL, with whether it is valid. `canary` is in each secret.
SCHEMES = st.sampled_from(
    [
        *((scheme, True) for scheme in ("redis", "rediss", "valkey", "valkeys", "REDIS")),
        *((scheme, False) for scheme in ("http", "unix", "redis+socket", "redisss", "")),
    ]
)
LOGINS = st.sampled_from(
    [
        *((login, True) for login in ("", "ops@", ":canary@", "ops:canary@", "ops:canary@1@", "@")),
        *((login, True) for login in (f":{quote('#/?@:canary', safe='')}@", "ops:canary:1@")),
        *((login, False) for login in ("canary#@", ":12#canary@", ":12/canary@", "canary/@")),
        *((login, False) for login in (":12?canary@", "canary?x=1@", ":canary\n@", ":[canary@")),
        (":\udc80canary@", False),
    ]
)
HOSTS = st.sampled_from(
    [
        *((host, True) for host in ("127.0.0.1", "redis-1.example", "[::1]", "[fe80::1%eth0]")),
        *((host, False) for host in ("[::1", "::1", "a b", "a\nb", "a\0b", "[x]y", "[]")),
    ]
)
PORTS = st.sampled_from(
    [
        *((port, True) for port in ("", ":1", ":6379", ":65535", ":06380")),
        *((port, False) for port in (":0", ":65536", ":", ":x", ":-1", ":1.5", ":100000", ":1 ")),
    ]
)
PATHS = st.sampled_from(
    [
        *((path, True) for path in ("", "/", "/0", "/15")),
        *((path, False) for path in ("/x", "/0/1", "//", "/-1", "/0#x", "#", "/@127.0.0.2")),
    ]
)
PLAIN = ("db", "username", "password", "client_name", "socket_timeout", "socket_connect_timeout")
TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
OPTIONS = st.sampled_from(
    [
        ("", ()),
        ("?", ()),
        ("?password=canary", ("password",)),
        ("?client_name=me&db=3", ("client_name", "db")),
        ("?ssl_cert_reqs=none&ssl_check_hostname=no", ("ssl_cert_reqs", "ssl_check_hostname")),
        *((f"?{name}=1", (name,)) for name in (*PLAIN, *TLS)),
        *((f"?{name}=127.0.0.2", None) for name in ("host", "port", "path", "protocol", "DB")),
        *(
            (options, None)
            for options in ("?canary", "?canary&db=1", "?db=x", "?password=canary@1")
        ),
        *((options, None) for options in ("?ssl_cert_reqs=maybe", "?db=1;x=2", "?password=a b")),
    ]
)
Part = tuple[str, bool]


@given(SCHEMES, LOGINS, HOSTS, PORTS, PATHS, OPTIONS)
@example(("redis", True), ("", True), ("127.0.0.1", True), (":0", False), ("", True), ("", ()))
def test_url_names_the_server_or_is_refused(
    scheme: Part,
    login: Part,
    host: Part,
    port: Part,
    path: Part,
    options: tuple[str, tuple[str, ...] | None],
) -> None:
    url = f"{scheme[0]}://{login[0]}{host[0]}{port[0]}{path[0]}{options[0]}"
    has_tls = scheme[0] in {"rediss", "valkeys"}
    is_valid = (
        all(part[1] for part in (scheme, login, host, port, path))
        and options[1] is not None
        and (has_tls or not any(name.startswith("ssl_") for name in options[1]))
    )
    assert "canary" not in masked(url)
    if not is_valid:
        with pytest.raises(ValueError, match=r"^must be a URL such as redis://user:pass") as caught:
            Node("n", url)
        assert "canary" not in str(caught.value)
        return
    node = Node("n", url)
    assert node.host == host[0].strip("[]")
    assert node.port == int(port[0][1:] or 6379)
    assert masked(url) == (f"{scheme[0]}://{'***@' if login[0] else ''}{host[0]}{port[0]}{path[0]}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("rediss://user:pa%40ss@h:1/0?ssl_password=x", "rediss://***@h:1/0"),
        ("redis://user:pa#s@s@h:1", "redis://***@h:1"),
        ("redis://h:1?password=pa@ss", "redis://***"),
        ("user:pass@h:1", "***@h:1"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_password_in_url_is_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


# Whatever the client library could be passed, each by its name.
CONNECTIONS: tuple[Any, ...] = (AbstractConnection, Connection, SSLConnection)
NAMES = sorted(
    {
        name
        for connection in CONNECTIONS
        for name in inspect.signature(connection.__init__).parameters
    }
    | {"connection_class", "max_connections", "path", "timeout", "x", ""}
)


def error_of_a_start(url: str) -> EmulatorError | None:
    """Return the error of an emulator that cannot start."""
    try:
        with Emulator(redis=[url]) as dcs:
            assert dcs.redis_urls == (url,)
    except EmulatorError as error:
        return error
    return None


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
@pytest.mark.parametrize("value", ["canary", "1", "-1", "nan", ""])
def test_emulator_starts_with_each_option_or_says_what_is_wrong(scheme: str, value: str) -> None:
    with FakeValkey() as server:
        for name in NAMES:
            # Nothing listens there with TLS: an option could only be refused.
            address = server.url.partition("://")[2] if scheme == "redis" else "127.0.0.1:1"
            url = f"{scheme}://{address}?{name}={value}"
            error = error_of_a_start(url)
            if error is None:
                assert name in PLAIN
                continue
            assert error.argument == "redis"
            assert error.reason.startswith(f"{scheme}://{address}: ")
            assert re.fullmatch(r"(?!.*None).{40,}", error.reason)
            assert "canary" not in error.reason


# An error, replies of every type and of another protocol.
REPLIES = (
    *(
        b"-ERR canary\r\n",
        b":5\r\n",
        b"+OK\r\n",
        b"$2\r\nid\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
    ),
    *(b"*1\r\n:1\r\n", b"*1\r\n$1\r\nx\r\n", b"*2\r\n$1\r\nx\r\n:1\r\n", b"*1\r\n-ERR no\r\n"),
    *(
        b"*2\r\n$1\r\nx\r\n*0\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\r\n",
        b"\xff\r\n",
        b"*x\r\n",
    ),
)


@pytest.mark.parametrize(
    "command", ["CLIENT ID", "CLIENT LIST", "AUTH", "SELECT", "CLIENT SETINFO"]
)
@pytest.mark.parametrize("reply", REPLIES)
def test_server_that_answers_something_else_is_named(command: str, reply: bytes) -> None:
    with FakeValkey() as server:
        server.replies[command] = reply
        url = f"redis://:canary@{server.host}:{server.port}/1"
        error = error_of_a_start(url)
        if error is None:
            assert command != "CLIENT LIST"
        else:
            assert error.argument == "redis"
            assert error.reason.startswith(f"redis://***@{server.host}:{server.port}/1: ")


@pytest.mark.parametrize("command", ["PING", "CLIENT LIST", "CLIENT KILL", "CONFIG GET", "ROLE"])
def test_server_that_answers_something_else_fails_alone(
    make_dcs: MakeDcs, make_api: MakeApi, command: str
) -> None:
    with FakeValkey() as server, FakeValkey() as other:
        api = make_api(make_dcs(redis=[server.url, other.url]))
        victim = server.arrive(addr="10.0.0.1:1")
        for reply in REPLIES:
            server.replies[command] = reply
            answers = [
                *(api.scan(clean_cache=True), api.kill([victim.addr]), api.nodes()),
                *(api.kill_all(kill_all_nodes=True), api.http.get(f"{api.instance}/configs")),
            ]
            for answer in answers:
                assert answer.status_code < 300 or answer.json()["error_code"] == "DCS.5053", reply
                if answer.status_code == 200 and "job_id" in answer.json():
                    reason = api.done(answer)["fail_reason"]
                    assert reason is None or reason.startswith(f"{server.host}:{server.port}: ")
            assert [node["status"] for node in api.nodes().json()["nodes"]][1] == "Active"
            assert api.sessions(1) == []


def test_url_of_each_instance_is_checked() -> None:
    with FakeValkey() as server:
        further: Any = [Instance(name="second", redis=["redis://127.0.0.1?x=1"])]
        with (
            pytest.raises(EmulatorError, match=r"^redis: redis://127\.0\.0\.1: must be a URL"),
            Emulator(redis=[server.url], instances=further),
        ):
            pass
