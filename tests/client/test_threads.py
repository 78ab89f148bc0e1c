"""Threads of the client, and the TLS settings that they share."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest

from dcs_sessions import ConfigurationError, Reply, Request
from dcs_sessions._deadline import Deadline
from dcs_sessions._renewal import Renewal
from dcs_sessions._transports import _fetching, _h11, _own, _tasks, _threads, _tls
from dcs_sessions._transports._exchange import TransportConfig, checked_trust
from support.waiting import wait_until

REQUEST = Request("GET", "http://dcs.example", "/x", {})


def side_by_side(work: Callable[[], None]) -> None:
    with _threads.SideBySide(lambda _: work(), iter([1]), lambda: 1) as calls:
        list(calls)


def fetch(work: Callable[[], None]) -> None:
    renewal = Renewal(lambda _: work())
    _fetching.start(renewal, TransportConfig(), None)
    renewal.done.result(20)


def transport(work: Callable[[], None]) -> None:
    class Own:
        def send(self, request: Request, timeout: float) -> Reply:
            work()
            return Reply(200, {}, b"")

    _own.OwnTransport(Own(), TransportConfig()).send(REQUEST, Deadline(20))


def resolver(work: Callable[[], None]) -> None:
    def look_up(*_: object, **__: object) -> list[Any]:
        work()
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        _h11._addresses("dcs.example", 80, _h11._Limit(REQUEST, Deadline(20)))


@pytest.mark.parametrize("start", [side_by_side, fetch, transport, resolver])
def test_no_thread_keeps_a_program_from_ending(start: Callable[[Any], None]) -> None:
    seen: list[threading.Thread] = []
    start(lambda: seen.append(threading.current_thread()))
    (thread,) = seen
    assert thread is not threading.current_thread()
    assert thread.daemon
    if start is not resolver:
        assert thread.name.startswith("dcs-sessions")
    wait_until(lambda: not thread.is_alive())


def test_sleeping_thread_ends_when_its_result_is_not_needed_any_more() -> None:
    seen: list[threading.Thread] = []

    def work(_: int) -> None:
        seen.append(threading.current_thread())
        _threads.sleep(60)

    with _threads.SideBySide(work, iter([1]), lambda: 1) as calls:
        calls.start()
        wait_until(lambda: bool(seen))
    wait_until(lambda: not seen[0].is_alive())


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_calls_run_than_the_limit_allows(limit: int) -> None:
    release = threading.Event()
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        release.wait(60)
        return item

    with _threads.SideBySide(work, iter(range(5)), lambda: limit) as calls:
        for _ in range(3):
            calls.start()
        wait_until(lambda: len(begun) == limit)
        release.set()
        assert sorted(calls) == [(item, item) for item in range(5)]


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_tasks_run_than_the_limit_allows(limit: int) -> None:
    begun: list[int] = []

    async def main() -> None:
        release = asyncio.Event()

        async def work(item: int) -> int:
            begun.append(item)
            await release.wait()
            return item

        async with _tasks.AsyncSideBySide(work, iter(range(5)), lambda: limit) as calls:
            for _ in range(3):
                calls.start()
                await asyncio.sleep(0)
            assert len(begun) == limit
            release.set()
            assert sorted([each async for each in calls]) == [(item, item) for item in range(5)]

    asyncio.run(main())


# Certificates


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Arguments with which TLS contexts are made."""
    found: list[dict[str, Any]] = []
    make = ssl.create_default_context

    def record(**arguments: Any) -> ssl.SSLContext:
        found.append(arguments)
        return make()

    monkeypatch.setattr(ssl, "create_default_context", record)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    return found


def test_certificates_are_those_of_the_argument_or_else_of_certifi(
    made: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    contexts = [_tls.trust(verify) for verify in (True, tmp_path, str(tmp_path), file, str(file))]
    folder, bundle = {"capath": str(tmp_path)}, {"cafile": str(file)}
    assert made == [{"cafile": certifi.where()}, folder, folder, bundle, bundle]
    for context in contexts:
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path))
    _tls.trust(True)
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    _tls.trust(True)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    _tls.trust(True)
    assert made[5:] == [folder, folder, bundle]


def test_any_certificate_is_trusted_only_if_told_to(made: list[dict[str, Any]]) -> None:
    context = _tls.trust(False)
    assert not context.check_hostname
    assert context.verify_mode is ssl.CERT_NONE
    assert made == [{}]
    for value in (0, None, 5, b"x"):
        with pytest.raises(ConfigurationError, match=r"^verify: "):
            _tls.trust(value)
    assert _tls.trust(context) is context


def test_certificates_of_the_caller_are_read_at_once(made: list[dict[str, Any]]) -> None:
    assert checked_trust(True) is True
    assert checked_trust(False) is False
    assert made == []
    context = _tls.trust(False)
    assert checked_trust(context) is context
    assert isinstance(checked_trust("/some/file"), ssl.SSLContext)
    assert made[1:] == [{"cafile": "/some/file"}]


@pytest.mark.parametrize(
    ("error", "why"),
    [(OSError(2, "gone"), "gone"), (OSError("odd"), "odd"), (ValueError("embedded"), "embedded")],
)
def test_reason_for_unreadable_certificates_is_in_the_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    monkeypatch.setattr(ssl, "create_default_context", fail)
    for path in ("/", "/no/such/file"):
        with pytest.raises(ConfigurationError) as caught:
            _tls.trust(path)
        assert str(caught.value) == f"verify: {path}: cannot be read as CA certificates: {why}"
