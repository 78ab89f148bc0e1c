"""Bytes after a response are never read as the response to another call."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dcs_sessions
from support.both import Both
from support.scripted import Received, ScriptedServer, Step, answer

KILLED = b"HTTP/1.1 204 No Content\r\n\r\n"
OTHER_JOB = b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"job_id": "other", "status": "SUCCESS"}'
# A broken response is retried, with short waits.
AT_ONCE = dcs_sessions.Retry(wait_initial=0.001, wait_jitter=0)
REFUSED = answer(403, {"error_code": "DCS.2003", "error_msg": "no"})


def job(connection: socket.socket, request: Received) -> None:
    name = request.path.rpartition("/")[2]
    answer(200, {"job_id": name, "status": "SUCCESS"})(connection, request)


def with_leftovers(raw: bytes, seconds: float | None) -> Step:
    """Answer a job, and send more bytes with it, or later."""

    def step(connection: socket.socket, request: Received) -> None:
        if "/jobs/" not in request.path:
            REFUSED(connection, request)
            return
        if seconds is None:
            name = request.path.rpartition("/")[2]
            body = b'{"job_id": "%s", "status": "SUCCESS"}' % name.encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body + raw)
            return
        job(connection, request)
        threading.Timer(seconds, _send, [connection, raw]).start()

    return step


def _send(connection: socket.socket, raw: bytes) -> None:
    with contextlib.suppress(OSError):  # the client has closed it, as it should
        connection.sendall(raw)


@pytest.mark.parametrize("seconds", [None, 0.0, 0.05], ids=["with it", "at once", "later"])
@pytest.mark.parametrize("raw", [KILLED, OTHER_JOB, KILLED * 3, b"x"])
def test_next_call_gets_its_own_answer(
    both: Both, server: ScriptedServer, seconds: float | None, raw: bytes
) -> None:
    server.steps = [with_leftovers(raw, seconds)]
    client = both(endpoint=server.endpoint, retry=AT_ONCE)
    for number in range(4):
        # With bytes that are no HTTP right behind it, an answer may count as broken.
        with contextlib.suppress(dcs_sessions.ApiConnectionError):
            assert client.get_job(f"j{number}").job_id == f"j{number}"
        time.sleep(0 if seconds is None else seconds + 0.05)
        with pytest.raises(dcs_sessions.PermissionDeniedError):
            client.kill_sessions("i", "n", ["1.2.3.4:5"])


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    raw=st.one_of(st.binary(min_size=1, max_size=50), st.sampled_from([KILLED, OTHER_JOB])),
    seconds=st.sampled_from([None, 0.0]),
)
def test_kill_never_takes_what_was_left_over(
    both: Both, server: ScriptedServer, raw: bytes, seconds: float | None
) -> None:
    server.steps = [with_leftovers(raw, seconds)]
    client = both(endpoint=server.endpoint, retry=AT_ONCE)
    with contextlib.suppress(dcs_sessions.ApiConnectionError):
        assert client.get_job("j").job_id == "j"
    with pytest.raises(dcs_sessions.PermissionDeniedError):
        client.kill_sessions("i", "n", ["1.2.3.4:5"])
    with pytest.raises(dcs_sessions.PermissionDeniedError):
        client.kill_all_sessions("i", "n")


def test_calls_that_end_sessions_open_a_connection_of_their_own(both: Both) -> None:
    connections: set[int] = set()

    def step(connection: socket.socket, request: Received) -> None:
        connections.add(connection.getpeername()[1])
        (answer(204) if request.method == "POST" else job)(connection, request)

    with ScriptedServer([step]) as server:
        client = both(endpoint=server.endpoint, retry=AT_ONCE)
        for _ in range(3):
            client.get_job("j")
        assert len(connections) == 1
        for _ in range(3):
            client.kill_sessions("i", "n", ["1.2.3.4:5"])
        assert len(connections) == 4
