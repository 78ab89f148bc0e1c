"""No call exceeds its timeout, wherever in an answer the server becomes slow."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import ApiTimeoutError, Request, _deadline
from dcs_sessions._deadline import Deadline
from support.both import AnyClient, Both
from support.scripted import Received, ScriptedServer, Step, answer, drip, send, silence

SECONDS = 0.5
# A busy machine may be late. A server that is waited for takes a minute and more.
LATE = 10.0
PAUSE = 0.1
BODY = b'{"job_id": "j", "status": "SUCCESS"}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n"
WHOLE = {
    "sized": SIZED + BODY,
    "chunked": CHUNKED + b"24;name=value\r\n" + BODY + b"\r\n0\r\nTrailer: x\r\n\r\n",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SIZED + BODY,
}


def then_drip(before: bytes, endless: bytes) -> Step:
    """Send the beginning at once, and then one byte after the other."""
    return then(send(before), drip(endless * 1000, PAUSE))


def then(*steps: Step) -> Step:
    def step(connection: socket.socket, request: Received) -> None:
        for each in steps:
            each(connection, request)

    return step


SLOW: dict[str, Step] = {
    "nothing": silence,
    "status line": drip(b"HTTP/1.1 200 " + b"x" * 1000, PAUSE),
    "a header": then_drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": then_drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "a body of known size": then_drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
    "a body of unknown size": then_drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "a gzip body": then_drip(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n", b"\x1f"
    ),
    "a chunk": then_drip(CHUNKED + b"2000\r\n", b" "),
    "sizes of chunks": then_drip(CHUNKED, b"1\r\n \r\n"),
    "a size of a chunk": then_drip(CHUNKED, b"0"),
    "a chunk extension": then_drip(CHUNKED + b"24;", b"x"),
    "trailers": then_drip(CHUNKED + b"1\r\n \r\n0\r\n", b"X: y\r\n"),
    "informational answers": then_drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "an informational answer": then_drip(b"HTTP/1.1 103 Early Hints\r\nX: ", b"x"),
    "silence within a body": then(send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), silence),
}


def ends_in_time(client: AnyClient) -> None:
    started = time.monotonic()
    for call in (
        lambda: client.get_job("j", timeout=SECONDS),
        lambda: client.kill_sessions("i", "n", ["1.2.3.4:5"], timeout=SECONDS),
    ):
        with contextlib.suppress(dcs_sessions.ApiConnectionError):
            call()
    assert time.monotonic() - started < 2 * SECONDS + LATE


@pytest.mark.parametrize("step", SLOW.values(), ids=SLOW.keys())
def test_slow_answer_ends_at_the_timeout(both: Both, server: ScriptedServer, step: Step) -> None:
    server.steps = [step]
    ends_in_time(both(endpoint=server.endpoint, retry=None))


@pytest.mark.parametrize("step", SLOW.values(), ids=SLOW.keys())
def test_slow_answer_of_a_proxy_ends_at_the_timeout(
    both: Both, server: ScriptedServer, step: Step
) -> None:
    server.steps = [step]
    ends_in_time(both(endpoint="https://dcs.invalid", proxy=server.endpoint, retry=None))


def test_slow_tls_handshake_ends_at_the_timeout(both: Both) -> None:
    with _accepting(lambda connection: _drip_forever(connection, b"\x16\x03\x03\x7f\xff")) as port:
        ends_in_time(both(endpoint=f"https://127.0.0.1:{port}", retry=None, verify=False))


def test_server_that_reads_nothing_ends_at_the_timeout(both: Both) -> None:
    with _accepting(lambda connection: time.sleep(LATE)) as port:
        client = both(endpoint=f"http://127.0.0.1:{port}", retry=None)
        many = [f"10.0.0.1:{number}" for number in range(400_000)]
        started = time.monotonic()
        with pytest.raises(dcs_sessions.ApiTimeoutError):
            client.kill_sessions("i", "n", many, timeout=SECONDS)
        assert time.monotonic() - started < SECONDS + LATE


def test_slow_name_server_ends_at_the_timeout(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        time.sleep(2)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    started = time.monotonic()
    with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
        both(endpoint="http://slow.invalid", allow_http=True, retry=None).get_job(
            "j", timeout=SECONDS
        )
    took = time.monotonic() - started
    assert not caught.value.may_have_arrived
    assert took < 1.9, "it must not wait for the name server"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_answer_that_stops_anywhere_ends_at_the_timeout(
    both: Both, server: ScriptedServer, data: st.DataObject
) -> None:
    whole = WHOLE[data.draw(st.sampled_from(sorted(WHOLE)))]
    cut = data.draw(st.integers(0, len(whole) - 1))
    server.steps = [then_drip(whole[:cut], whole[cut:])]
    client = both(endpoint=server.endpoint, retry=None)
    started = time.monotonic()
    with contextlib.suppress(dcs_sessions.DcsSessionsError):
        client.get_job("j", timeout=0.2)
    assert time.monotonic() - started < LATE


def test_timeout_over_tls_is_kept(both: Both, tmp_path: Path) -> None:
    import ssl

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with ScriptedServer([SLOW["headers"]], tls=context) as server:
        ends_in_time(both(endpoint=server.endpoint, verify=str(bundle), retry=None))
    with ScriptedServer([answer(200, BODY)], tls=context) as server:
        client = both(endpoint=server.endpoint, verify=str(bundle))
        assert [client.get_job("j").status for _ in range(3)] == ["SUCCESS"] * 3


# Eighths of a second, which floating-point numbers have exactly.
EIGHTHS = st.integers(0, 800).map(lambda count: count / 8)


@given(
    seconds=EIGHTHS.filter(bool),
    steps=st.lists(st.tuples(EIGHTHS, EIGHTHS | st.just(math.inf)), min_size=1, max_size=8),
)
@example(seconds=5.0, steps=[(5.0, math.inf)])
@example(seconds=5.0, steps=[(4.875, math.inf), (0.125, 1.0)])
@example(seconds=5.0, steps=[(1.0, 0.5), (0.5, 0.5)])
@example(seconds=0.5, steps=[(0.0, 0.0)])
def test_time_that_is_left_is_that_of_the_call_and_of_each_request(
    seconds: float, steps: list[tuple[float, float]]
) -> None:
    """Each step lets time pass, and sends a request with a timeout within what is left."""
    now = 1000.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_deadline, "time", types.SimpleNamespace(monotonic=lambda: now))
        # A request is a deadline within that of the call, and what it needs is one within that.
        deadlines, left = [Deadline(seconds)], [seconds]
        for elapsed, timeout in steps:
            now += elapsed
            left = [max(0.0, each - elapsed) for each in left]
            assert [deadline.remaining() for deadline in deadlines] == left
            request = Request("GET", "https://dcs.example", "/v2/p/jobs/j", {}, timeout=timeout)
            if min(left[-1], timeout) > 0:
                inner = deadlines[-1].require(request)
                assert inner == min(left[-1], timeout)
                deadlines.append(Deadline(inner))
                left.append(inner)
            else:
                whole = deadlines[-1].seconds
                with pytest.raises(ApiTimeoutError) as caught:
                    deadlines[-1].require(request)
                assert str(caught.value) == (
                    f"GET https://dcs.example/v2/p/jobs/j: no time left of {whole:g} s"
                )
                assert caught.value.may_have_arrived is False, "nothing was sent"
        assert deadlines[0].seconds == seconds


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.1, "0.1 s"), (1.23456, "1.235 s"), (60.0, "60 s"), (0.0004, "0 s")]
)
def test_message_has_the_time_limit_to_the_millisecond(seconds: float, shown: str) -> None:
    assert str(Deadline(seconds)) == shown


@contextlib.contextmanager
def _accepting(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Serve each connection in a thread, without reading a request first."""
    import threading

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=run, args=(connection,), daemon=True).start()

    def run(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            serve(connection)

    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in connections:
        connection.close()


def _drip_forever(connection: socket.socket, raw: bytes) -> None:
    connection.sendall(raw)
    while True:
        connection.sendall(b"\x00")
        time.sleep(PAUSE)


def test_no_timeout_of_an_async_call_is_rounded_to_a_whole_second(server: ScriptedServer) -> None:
    server.steps = [answer(200, {"job_id": "j", "status": "SUCCESS"})]
    planned: list[float] = []

    async def call() -> None:
        loop = asyncio.get_running_loop()
        usual = loop.call_at

        def noted(when: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            # The connection that is kept afterwards may be closed at any time.
            if not server.received:
                planned.append(when)
            return usual(when, *args, **kwargs)

        setattr(loop, "call_at", noted)  # noqa: B010 - mypy lets no method be replaced
        async with dcs_sessions.AsyncClient(
            endpoint=server.endpoint,
            project_id="p",
            auth=dcs_sessions.TokenAuth("t"),
            timeout=50,
        ) as client:
            await client.get_job("j")

    asyncio.run(call())
    assert planned
    assert not any(float(when).is_integer() for when in planned)
