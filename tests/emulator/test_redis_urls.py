"""URLs of servers of one's own: the server that is named is the one that is used, or none is."""

from __future__ import annotations

import inspect
import random
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from valkey.asyncio.connection import AbstractConnection, Connection, SSLConnection

from dcs_sessions.emulator import Emulator, EmulatorError, Instance
from dcs_sessions.emulator._nodes import Node, masked
from support.fake_valkey import FakeValkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emulator.conftest import MakeApi, MakeDcs

PLAIN = ("db", "username", "password", "client_name", "socket_timeout", "socket_connect_timeout")
TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
# Every part of a URL: what is valid, and what is not. `canary` is in each secret.
PARTS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "scheme": (
        ("redis", "rediss", "valkey", "valkeys", "REDIS", "Rediss"),
        ("http", "unix", "redis+socket", "redisss", ""),
    ),
    "login": (
        (
            *("", "ops@", ":canary@", "ops:canary@", "ops:canary@1@", "@", "ops:canary:1@"),
            f":{quote('#/?@:canary', safe='')}@",
        ),
        (
            *("canary#@", ":12#canary@", ":12/canary@", "canary/@", ":12?canary@", "canary?x=1@"),
            *(":canary\n@", ":[canary@", ":\udc80canary@"),
        ),
    ),
    "host": (
        ("127.0.0.1", "redis-1.example", "[::1]", "[fe80::1%eth0]", ""),
        ("[::1", "::1", "a b", "a\nb", "a\0b", "[x]y", "[]"),
    ),
    "port": (
        ("", ":1", ":6379", ":65535", ":06380"),
        (":0", ":65536", ":", ":x", ":-1", ":1.5", ":100000", ":1 "),
    ),
    "path": (
        ("", "/", "/0", "/15"),
        ("/x", "/0/1", "//", "/-1", "/0#x", "#", "/@127.0.0.2"),
    ),
    "options": (
        (
            *("", "?", "?client_name=me&db=3", "?password=canary"),
            *(f"?{name}=1" for name in PLAIN),
        ),
        (
            *(f"?{name}=127.0.0.2" for name in ("host", "port", "path", "protocol", "DB", "x")),
            *(
                "?canary",
                "?canary&db=1",
                "?db=x",
                "?password=canary@1",
                "?db=1;x=2",
                "?password=a b",
            ),
            *("?db=1#x", "?socket_timeout=soon", "?ssl_cert_reqs=maybe", "?db=1&ssl_x=1", "?=1"),
        ),
    ),
    "tls": (
        ("?ssl_cert_reqs=none&ssl_check_hostname=no&db=1", *(f"?{name}=1" for name in TLS)),
        ("?ssl_cert_reqs=maybe", "?ssl_min_version=1", "?ssl_context=1", "?ssl=1"),
    ),
}


def urls(part: str, values: Sequence[str]) -> Iterator[dict[str, str]]:
    """Return URLs with each value of a part, and some valid values of the others."""
    dice = random.Random(part)
    for value in values:
        for _ in range(8):
            chosen = {name: dice.choice(valid) for name, (valid, _) in PARTS.items()}
            has_tls = chosen["scheme"].lower() in {"rediss", "valkeys"}
            if part == "tls" and not has_tls:
                chosen["scheme"] = "rediss"
            if part != "options" and (part == "tls" or (has_tls and dice.random() < 0.5)):
                chosen["options"] = value if part == "tls" else chosen["tls"]
            del chosen["tls"]
            yield {**chosen, **({} if part == "tls" else {part: value})}


def joined(scheme: str, login: str, host: str, port: str, path: str, options: str) -> str:
    return f"{scheme}://{login}{host}{port}{path}{options}"


@pytest.mark.parametrize("part", PARTS)
def test_url_names_the_server(part: str) -> None:
    for parts in urls(part, PARTS[part][0]):
        if part == "scheme" and "ssl_" in parts["options"]:
            parts["options"] = ""
        url = joined(**parts)
        node = Node("n", url)
        assert node.host == (parts["host"].strip("[]") or "localhost"), url
        assert node.port == int(parts["port"][1:] or 6379), url
        shown = {**parts, "login": "***@" if parts["login"] else "", "options": ""}
        assert masked(url) == joined(**shown)


@pytest.mark.parametrize("part", PARTS)
def test_url_that_is_invalid_is_refused_without_a_secret(part: str) -> None:
    for parts in urls(part, PARTS[part][1]):
        url = joined(**parts)
        with pytest.raises(ValueError, match=r"^must be a URL such as redis://user:pass") as caught:
            Node("n", url)
        assert "canary" not in str(caught.value)
        assert "canary" not in masked(url)


@pytest.mark.parametrize("name", [*TLS, "ssl_cert_reqs", "ssl_check_hostname"])
def test_options_of_tls_are_for_tls(name: str) -> None:
    value = "none" if name == "ssl_cert_reqs" else "no"
    for scheme, other in (("redis", "rediss"), ("valkey", "valkeys")):
        Node("n", f"{other}://h:1?{name}={value}")
        with pytest.raises(ValueError, match=r"^must be a URL"):
            Node("n", f"{scheme}://h:1?{name}={value}")


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


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "0"])
@pytest.mark.parametrize("name", ["socket_timeout", "socket_connect_timeout"])
def test_timeout_that_no_server_could_keep_is_refused(name: str, value: str) -> None:
    with FakeValkey() as server:
        error = error_of_a_start(f"{server.url}?{name}={value}")
    assert error is not None
    assert error.reason == f"{server.url}: {name} must be a number of seconds greater than 0"


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
        victim, where = server.arrive(addr="10.0.0.1:1"), f"{server.host}:{server.port}: "
        for reply in REPLIES:
            server.replies[command] = reply
            answers = [
                *(api.scan(clean_cache=True), api.kill([victim.addr]), api.nodes()),
                *(api.kill_all(kill_all_nodes=True), api.http.get(f"{api.instance}/configs")),
            ]
            for answer in answers:
                if answer.status_code >= 300:
                    assert answer.json()["error_code"] == "DCS.5053", reply
                    assert answer.json()["error_ext_msg"].startswith(where)
                elif "job_id" in answer.text:
                    reason = api.done(answer)["fail_reason"]
                    assert reason is None or reason.startswith(where)
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
