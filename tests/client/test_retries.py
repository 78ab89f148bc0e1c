"""Retries: of which failures, how often and when."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import pytest

import dcs_sessions
from dcs_sessions import Retry
from support.both import AnyClient, Both
from support.logs import messages_here
from support.scripted import ScriptedServer, Step, answer, hang_up, reset
from support.waiting import expired

FAST = Retry(attempts=3, wait_initial=0.01, wait_jitter=0)
JOB = answer(200, {"job_id": "j", "status": "SUCCESS"})
KILLED = answer(204)


def throttled(seconds: str | None = None) -> Step:
    body = {"error_code": "APIGW.0308", "error_msg": "limit:5", "request_id": "r"}
    return answer(429, body, {} if seconds is None else {"Retry-After": seconds})


def kill(client: AnyClient) -> None:
    client.kill_sessions("i", "n", ["1.2.3.4:5"])


@pytest.mark.parametrize(
    "fault",
    [reset, hang_up, throttled(), throttled("0.01"), answer(502), answer(503), answer(504)],
    ids=["reset", "hang-up", "429", "429 and when", "502", "503", "504"],
)
def test_passing_failure_is_retried(both: Both, server: ScriptedServer, fault: Step) -> None:
    server.steps = [fault, fault, JOB]
    assert both(endpoint=server.endpoint, retry=FAST).get_job("j").status == "SUCCESS"
    assert len(server.received) >= 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 501, 418, 302])
def test_lasting_failure_is_not_retried(both: Both, server: ScriptedServer, status: int) -> None:
    server.steps = [answer(status, {}), JOB]
    with pytest.raises(dcs_sessions.ApiError):
        both(endpoint=server.endpoint, retry=FAST).get_job("j")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "fault", [reset, hang_up, answer(502), answer(503), answer(504), answer(500)]
)
@pytest.mark.parametrize("call", ["kill_sessions", "kill_all_sessions"])
def test_kill_that_may_have_arrived_is_never_sent_again(
    both: Both, server: ScriptedServer, fault: Step, call: str
) -> None:
    server.steps = [fault, KILLED]
    client = both(endpoint=server.endpoint, retry=FAST)
    arguments = ("i", "n", ["1.2.3.4:5"]) if call == "kill_sessions" else ("i", "n")
    with pytest.raises(dcs_sessions.DcsSessionsError):
        getattr(client, call)(*arguments)
    assert len(server.received) == 1


def test_kill_is_sent_again_after_a_429(both: Both, server: ScriptedServer) -> None:
    server.steps = [throttled(), KILLED]
    kill(both(endpoint=server.endpoint, retry=FAST))
    assert len(server.received) == 2


def test_kill_is_sent_again_when_it_cannot_have_arrived(
    both: Both, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dcs_sessions")
    with pytest.raises(dcs_sessions.ApiConnectionError):
        kill(both(endpoint="http://127.0.0.1:1", retry=FAST))
    attempts = [message for message in messages_here(caplog) if "attempt" in message]
    assert [message.partition(" in ")[0] for message in attempts] == ["attempt 2", "attempt 3"]


def test_attempts_are_counted(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(503)]
    with pytest.raises(dcs_sessions.ServerError):
        both(endpoint=server.endpoint, retry=FAST).get_job("j")
    assert len(server.received) == 3


@pytest.mark.parametrize("retry", [None, Retry(attempts=1)])
def test_retries_can_be_switched_off(
    both: Both, server: ScriptedServer, retry: Retry | None
) -> None:
    server.steps = [answer(503), JOB]
    with pytest.raises(dcs_sessions.ServerError):
        both(endpoint=server.endpoint).with_options(retry=retry).get_job("j")
    assert len(server.received) == 1


def test_retry_after_is_honoured(both: Both, server: ScriptedServer) -> None:
    server.steps = [throttled("0.3"), JOB]
    started = time.monotonic()
    both(endpoint=server.endpoint, retry=FAST).get_job("j")
    assert time.monotonic() - started >= 0.3


def test_retry_after_beyond_the_timeout_is_an_error_at_once(
    both: Both, server: ScriptedServer
) -> None:
    server.steps = [throttled("3600"), JOB]
    started = time.monotonic()
    with pytest.raises(dcs_sessions.ThrottledError, match="retry in 3600 s"):
        both(endpoint=server.endpoint, retry=FAST).get_job("j", timeout=5)
    assert time.monotonic() - started < 4
    assert len(server.received) == 1


def test_timeout_covers_all_attempts(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(503)]
    retry = Retry(attempts=100, wait_initial=0.1, wait_max=0.1)
    client = both(endpoint=server.endpoint, retry=retry)

    def get_job(seconds: float) -> None:
        server.received.clear()
        started = time.monotonic()
        try:
            client.get_job("j", timeout=seconds)
        finally:
            assert time.monotonic() - started < seconds + 5
            assert len(server.received) <= seconds / 0.1 + 1

    # The last attempt may itself run out of time.
    error = expired(dcs_sessions.DcsSessionsError, get_job, lambda: len(server.received) > 1, 0.5)
    assert isinstance(error, dcs_sessions.ServerError | dcs_sessions.ApiTimeoutError)


def test_waits_double_up_to_the_maximum(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dcs_sessions")
    retry = Retry(attempts=5, wait_initial=0.1, wait_max=0.2, wait_jitter=0)
    with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
        both(endpoint="http://127.0.0.1:1", retry=retry).get_job("j")
    said = [
        message.split(": ", 1) for message in messages_here(caplog) if message.startswith("attempt")
    ]
    assert {why for _, why in said} == {str(caught.value)}
    assert [wait for wait, _ in said] == [
        "attempt 2 in 0.1 s",
        "attempt 3 in 0.2 s",
        "attempt 4 in 0.2 s",
        "attempt 5 in 0.2 s",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"attempts": 0},
        {"attempts": 2.5},
        {"wait_initial": -1},
        {"wait_initial": math.nan},
        {"wait_max": -1},
        {"wait_max": "5"},
        {"wait_jitter": -1},
        {"wait_jitter": math.inf},
    ],
)
def test_invalid_policy_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(dcs_sessions.InvalidArgumentError, match=f"^{next(iter(arguments))} "):
        Retry(**arguments)
