"""How the sync client connects: addresses, time for each, and the login of a proxy."""

from __future__ import annotations

import base64
import socket
import threading
import time
import types
import urllib.parse
from typing import Any

import httpcore
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dcs_sessions import ApiTimeoutError, Request, _deadline
from dcs_sessions._deadline import Deadline
from dcs_sessions._transports import _h11

REQUEST = Request("GET", "http://dcs.example", "/x", {})
# Eighths of a second, which floating-point numbers have exactly.
EIGHTHS = st.integers(0, 320).map(lambda count: count / 8)


# No part of a time that a test gives to all addresses is one of these.
TAKES = st.none() | st.sampled_from([0.0, 0.101, 1.101, 3.101])


def limit_of(seconds: float) -> _h11._Limit:
    return _h11._Limit(REQUEST, Deadline(seconds))


@given(
    seconds=EIGHTHS.filter(bool),
    # How long each address takes to accept or to refuse; None for one that never responds.
    addresses=st.lists(st.tuples(TAKES, st.booleans()), min_size=1, max_size=4),
)
@example(seconds=8.0, addresses=[(None, False), (0.0, True)])
@example(seconds=40.0, addresses=[(None, False)] * 4)
@example(seconds=40.0, addresses=[(10.0, True)])
@example(seconds=5.0, addresses=[(0.0, False), (5.0, True)])
def test_every_address_of_a_host_has_a_share_of_the_time(
    seconds: float, addresses: list[tuple[float | None, bool]]
) -> None:
    now = 1000.0
    tried: list[tuple[str, int, float]] = []

    def connect(address: str, port: int, timeout: float) -> Any:
        nonlocal now
        tried.append((address, port, timeout))
        takes, accepts = addresses[int(address)]
        if takes is None or takes > timeout:
            now += timeout
            raise httpcore.ConnectTimeout
        now += takes
        if accepts:
            return address
        raise httpcore.ConnectError

    # By the rules: what is left of the call, or 10 seconds, in equal parts for those that are left.
    left, expected, outcome = seconds, list[tuple[str, int, float]](), "late"
    for number, (takes, accepts) in enumerate(addresses):
        if left <= 0:
            outcome = "late"
            break
        share = min(left, 10.0) / (len(addresses) - number)
        expected.append((str(number), 8080, share))
        responds = takes is not None and takes <= share
        left -= takes if responds and takes is not None else share
        outcome = "refused" if responds else "timeout"
        if responds and accepts:
            outcome = str(number)
            break
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_deadline, "time", types.SimpleNamespace(monotonic=lambda: now))
        patch.setattr(_h11, "_BACKEND", types.SimpleNamespace(connect_tcp=connect))
        patch.setattr(_h11, "_addresses", lambda *_: list(map(str, range(len(addresses)))))
        limit = limit_of(seconds)
        try:
            found: object = _h11._dial(urllib.parse.urlsplit("http://dcs.example:8080"), limit)
        except httpcore.ConnectError:
            found = "refused"
        except httpcore.ConnectTimeout:
            found = "timeout"
        except ApiTimeoutError as error:
            found = "arrived" if error.may_have_arrived else "late"
    assert [each[:2] for each in tried] == [each[:2] for each in expected]
    assert [each[2] for each in tried] == pytest.approx([each[2] for each in expected])
    assert found == outcome


@pytest.mark.parametrize(("url", "port"), [("http://h", 80), ("https://h", 443), ("http://h:8", 8)])
def test_port_is_that_of_the_url_or_of_its_scheme(
    monkeypatch: pytest.MonkeyPatch, url: str, port: int
) -> None:
    asked: list[tuple[object, ...]] = []

    def addresses(*arguments: object) -> list[str]:
        asked.append(arguments[:2])
        return ["127.0.0.1"]

    backend = types.SimpleNamespace(connect_tcp=lambda *arguments: asked.append(arguments[:2]))
    monkeypatch.setattr(_h11, "_BACKEND", backend)
    monkeypatch.setattr(_h11, "_addresses", addresses)
    _h11._dial(urllib.parse.urlsplit(url), limit_of(5.0))
    assert asked == [("h", port), ("127.0.0.1", port)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%eth0"])
def test_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it is an address"))
    assert _h11._addresses(host, 80, limit_of(5.0)) == [host]


def test_each_address_of_a_host_is_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def look_up(*arguments: object, type: object) -> list[Any]:  # noqa: A002 - as socket has it
        asked.append((*arguments, type))
        kinds = (socket.AF_INET6, socket.AF_INET)
        return [(kind, 1, 6, "", (at, 80)) for at in ("::1", "1.2.3.4", "::1") for kind in kinds]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert _h11._addresses("dcs.example", 80, limit_of(5.0)) == ["::1", "1.2.3.4"]
    assert asked == [("dcs.example", 80, socket.SOCK_STREAM)]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_host_that_cannot_be_looked_up_is_the_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(type(error)) as caught:
        _h11._addresses("dcs.example", 80, limit_of(20.0))
    assert caught.value is error


def test_resolver_that_hangs_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(60) and [])
    started = time.monotonic()
    with pytest.raises(ApiTimeoutError, match=r"no response within 0\.1 s$") as caught:
        _h11._addresses("dcs.example", 80, limit_of(0.1))
    assert time.monotonic() - started < 30
    assert not caught.value.may_have_arrived
    release.set()


LOGIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=":"), min_size=1)


@given(user=LOGIN, password=st.none() | LOGIN)
@example(user="a@b/c", password="p%20 ä")
def test_login_of_a_proxy_is_decoded_from_its_url(user: str, password: str | None) -> None:
    login = urllib.parse.quote(user, safe="")
    if password is not None:
        login += ":" + urllib.parse.quote(password, safe="")
    headers = _h11._proxy_authorization(urllib.parse.urlsplit(f"http://{login}@proxy.example:1"))
    assert headers.keys() == {"Proxy-Authorization"}
    scheme, _, encoded = headers["Proxy-Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded).decode() == f"{user}:{password or ''}"


def test_proxy_without_a_login_needs_no_header() -> None:
    assert _h11._proxy_authorization(urllib.parse.urlsplit("http://proxy.example:1")) == {}
