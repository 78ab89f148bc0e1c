"""How a fetch of credentials is started, and how long a call waits for it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from dcs_sessions import ApiConnectionError, ApiTimeoutError, Reply, Request
from dcs_sessions._deadline import Deadline
from dcs_sessions._renewal import Renewal, Tools
from dcs_sessions._transports import _fetching, _tasks, _threads
from dcs_sessions._transports._exchange import TransportConfig
from support.scripted import ScriptedServer, answer, hang_up, silence
from support.waiting import wait_until

Step = Renewal | concurrent.futures.Future[None]
Settle = Callable[[Step, float], None]


def settle_in_thread(step: Step, seconds: float) -> None:
    _threads.settle(step, TransportConfig(), Deadline(seconds))


def settle_in_task(step: Step, seconds: float) -> None:
    asyncio.run(_tasks.settle(step, TransportConfig(), Deadline(seconds)))


both_kinds = pytest.mark.parametrize("settle", [settle_in_thread, settle_in_task])


@both_kinds
def test_call_waits_for_credentials_no_longer_than_its_deadline(settle: Settle) -> None:
    step = Renewal(lambda _: None).done
    started = time.monotonic()
    with pytest.raises(ApiTimeoutError) as caught:
        settle(step, 0.1)
    assert 0.1 <= time.monotonic() - started < 30
    assert str(caught.value) == "no credentials within 0.1 s"
    assert not caught.value.may_have_arrived
    assert not step.cancelled(), "others may wait for it"


@both_kinds
def test_call_goes_on_as_soon_as_the_fetch_has_ended(settle: Settle) -> None:
    step = Renewal(lambda _: None).done
    timer = threading.Timer(0.1, step.set_result, [None])
    timer.start()
    started = time.monotonic()
    settle(step, 60)
    settle(step, 60)
    assert time.monotonic() - started < 30
    timer.join()


def test_cancelled_task_does_not_cancel_the_fetch() -> None:
    step = Renewal(lambda _: None).done

    async def main() -> None:
        waiting = asyncio.create_task(_tasks.settle(step, TransportConfig(), Deadline(60)))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert not step.cancelled()
    step.set_result(None)


def test_thread_that_is_not_needed_stops_waiting() -> None:
    step = Renewal(lambda _: None).done
    outcome: list[type] = []

    def wait(_: int) -> None:
        try:
            settle_in_thread(step, 60)
        except BaseException as error:
            outcome.append(type(error))
            raise

    with _threads.SideBySide(wait, [1], lambda: 1) as calls:
        calls.start()
    wait_until(lambda: outcome == [_threads.Stopped])


@both_kinds
def test_fetch_receives_the_event_loop_of_its_client(settle: Settle) -> None:
    received: list[Tools] = []
    here: list[str] = []

    def work(tools: Any) -> None:
        received.append(tools)
        here.append(threading.current_thread().name)

    renewal = Renewal(work)
    settle(renewal, 60)
    renewal.done.result(20)
    (tools,) = received
    assert (tools.loop is None) == (settle is settle_in_thread)
    assert here == ["dcs-sessions-credentials"], "it runs on a thread of its own"


def fetch(send: Callable[[Tools], Reply], config: TransportConfig | None = None) -> Any:
    """Return what a fetch returns or raises."""
    found: list[Any] = []

    def work(tools: Any) -> None:
        try:
            found.append(send(tools))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found.append(error)

    renewal = Renewal(work)
    _fetching.start(renewal, config or TransportConfig(), None)
    renewal.done.result(60)
    return found[0]


def request_to(server: ScriptedServer, **more: Any) -> Request:
    return Request("POST", server.endpoint, "/x", {"X-Secret": "canary-7f3a"}, b"{}", **more)


def test_reply_of_a_fetch_knows_its_request(server: ScriptedServer) -> None:
    server.steps = [answer(418, {"a": "b"})]
    request = request_to(server)
    reply = fetch(lambda tools: tools.send(request))
    assert (reply.status, reply.body) == (418, b'{"a": "b"}')
    assert reply.request is request


def test_connection_of_a_fetch_is_closed(server: ScriptedServer) -> None:
    ended = threading.Event()

    def step(connection: Any, request: Any) -> None:
        answer(200, {})(connection, request)
        connection.settimeout(60)
        if connection.recv(1) == b"":
            ended.set()

    server.steps = [step]
    fetch(lambda tools: tools.send(request_to(server)))
    assert ended.wait(20)


@pytest.mark.parametrize(
    ("step", "kind"), [(hang_up, ApiConnectionError), (silence, ApiTimeoutError)]
)
def test_request_of_a_fetch_that_fails_keeps_no_secret(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, step: Any, kind: type
) -> None:
    monkeypatch.setattr(_fetching, "FETCH_SECONDS", 0.3 if step is silence else 20.0)
    server.steps = [step]
    started = time.monotonic()
    error = fetch(lambda tools: tools.send(request_to(server)))
    assert time.monotonic() - started < 15
    assert isinstance(error, ApiConnectionError)
    assert type(error) is kind
    assert error.__context__ is None
    frames = error.__traceback__
    while frames is not None:
        if "dcs_sessions" in frames.tb_frame.f_code.co_filename:
            assert "canary" not in repr(frames.tb_frame.f_locals)
        frames = frames.tb_next


def test_all_requests_of_a_fetch_share_one_limit(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_fetching, "FETCH_SECONDS", 2.0)
    server.steps = [answer(200, {})]
    received = []

    def send(tools: Tools) -> Reply:
        tools.send(request_to(server))
        received.append(len(server.received))
        time.sleep(2.1)
        return tools.send(request_to(server))

    error = fetch(send)
    assert received == [1]
    assert isinstance(error, ApiTimeoutError)
    assert "no time left of 2 s" in str(error)


def test_fetch_uses_the_proxy_of_its_client(server: ScriptedServer) -> None:
    server.steps = [answer(200, {})]
    config = TransportConfig(proxy=server.endpoint)
    request = Request("GET", "http://dcs.example", "/x", {})
    assert fetch(lambda tools: tools.send(request), config).status == 200
    assert server.received[0].target == "http://dcs.example/x"
