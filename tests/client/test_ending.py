"""`end_sessions`: its requests, and the result of each session."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import Outcome, Retry, Session
from dcs_sessions._wire import Reply, Request
from dcs_sessions.testing import INSTANCE_ID, Stub
from support.both import AnyClient, Both
from support.fake import FakeDcs
from support.scripted import Received, Step, answer, reset

THROTTLED = answer(429, {"error_code": "APIGW.0308"}, {"Retry-After": "0.05"})


def rows(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "peer": f"10.0.0.1:{n}", "name": "w", "age": 100, **changes}
        for n in range(1, count + 1)
    ]


@pytest.fixture
def fake() -> Iterator[FakeDcs]:
    with FakeDcs(a=[rows(3)], b=[rows(2)]) as running:
        yield running


@pytest.fixture
def client(fake: FakeDcs, both: Both) -> AnyClient:
    return both(endpoint=fake.endpoint, retry=Retry(attempts=3, wait_initial=0.01))


def is_wanted(session: Session) -> bool:
    return session.name == "w"


def results(outcomes: list[Outcome]) -> list[str]:
    return [outcome.result for outcome in outcomes]


def kills(step: Step, *, times: int = 10**9, node: str = "a") -> Any:
    """Answer the first requests to end sessions of a node with a step."""
    left = times

    def first(request: Received) -> Step | None:
        nonlocal left
        if not request.path.endswith("/kill") or request.json["node_id"] != node or not left:
            return None
        left -= 1
        return step

    return first


def test_every_node_is_queried_and_sent_one_request(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i").where(is_wanted)
    told: list[Outcome] = []
    outcomes = client.end_sessions("i", chosen, is_wanted, on_outcome=told.append)
    assert [outcome.session for outcome in outcomes] == chosen.sessions
    assert results(outcomes) == ["ended"] * 5
    assert not any(outcome.missed or outcome.reason or outcome.error for outcome in outcomes)
    assert sorted(fake.killed) == [
        ("a", ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3"]),
        ("b", ["10.0.0.1:1", "10.0.0.1:2"]),
    ]
    assert fake.scans == {"a": 2, "b": 2}
    # Before a request is sent, it is said that it may end the sessions.
    for outcome in outcomes:
        said = [each.result for each in told if each.session is outcome.session]
        assert said == ["unknown", "ended"]


def test_no_session_sends_nothing(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i").where(lambda session: False)
    fake.received.clear()
    assert client.end_sessions("i", chosen) == []
    assert fake.received == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"timeout": 0}, "timeout"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"instance_id": ".."}, "instance_id"),
        ({"chosen": ["10.0.0.1:1"]}, "chosen"),
    ],
)
def test_wrong_arguments_are_refused(
    changes: dict[str, Any], name: str, client: AnyClient, fake: FakeDcs
) -> None:
    arguments = {"instance_id": "i", "chosen": client.query_sessions("i"), **changes}
    fake.received.clear()
    with pytest.raises(dcs_sessions.InvalidArgumentError, match=name):
        client.end_sessions(**arguments)
    assert fake.received == []


def test_headers_are_sent_with_every_request(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i")
    fake.received.clear()
    client.end_sessions("i", chosen, headers={"X-Mine": "1"})
    assert {request.headers.get("x-mine") for request in fake.received} == {"1"}


def test_throttled_request_queries_the_node_again(client: AnyClient, fake: FakeDcs) -> None:
    stranger = {"id": "9", "peer": "10.0.0.1:1", "name": "w", "age": 0}
    fake.lists["a"] = [rows(2), rows(2), [stranger, rows(2)[1]]]
    chosen = client.query_sessions("i", "a")
    fake.first = kills(THROTTLED, times=1)
    assert results(client.end_sessions("i", chosen)) == ["spared", "ended"]
    assert [peers for _, peers in fake.killed] == [["10.0.0.1:1", "10.0.0.1:2"], ["10.0.0.1:2"]]


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (THROTTLED, 3),
        (answer(400, {"error_code": "DCS.4957"}), 3),
        (answer(429, {"error_code": "APIGW.0308"}, {"Retry-After": "9999"}), 1),
        (answer(400, {"error_code": "DCS.3053"}), 1),
        (answer(404, {"error_code": "DCS.3022"}), 1),
    ],
)
def test_lasting_refusal_is_reported_as_refused(
    step: Step, sent: int, client: AnyClient, fake: FakeDcs
) -> None:
    chosen = client.query_sessions("i")
    fake.first = kills(step)
    outcomes = client.end_sessions("i", chosen)
    assert results(outcomes) == ["refused"] * 3 + ["ended"] * 2
    assert all(outcome.missed and outcome.reason == str(outcome.error) for outcome in outcomes[:3])
    assert [node for node, _ in fake.killed].count("a") == sent
    assert fake.scans["a"] == 1 + sent


@pytest.mark.parametrize("step", [reset, answer(500), answer(504), answer(418), answer(200, {})])
def test_lost_response_is_reported_as_unknown_and_not_retried(
    step: Step, client: AnyClient, fake: FakeDcs
) -> None:
    chosen = client.query_sessions("i")
    fake.first = kills(step)
    outcomes = client.end_sessions("i", chosen)
    assert results(outcomes) == ["unknown"] * 3 + ["ended"] * 2
    assert [node for node, _ in fake.killed].count("a") == 1


def test_node_that_cannot_be_queried_is_left_alone(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i")
    broken = answer(500, {"error_code": "DCS.5053"})
    fake.first = lambda request: (
        broken if request.method == "POST" and request.json["node_id"] == "a" else None
    )
    outcomes = client.end_sessions("i", chosen)
    assert results(outcomes) == ["stopped"] * 3 + ["ended"] * 2
    assert outcomes[0].reason.startswith("its node could not be queried: 500 DCS.5053")
    assert [node for node, _ in fake.killed] == ["b"]


def test_incomplete_list_ends_nothing(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i", "a")
    page = {"time": "t9", "count": 4, "clients": rows(3)}
    fake.first = lambda request: (
        answer(200, page) if request.method == "GET" and "offset" in request.query else None
    )
    assert results(client.end_sessions("i", chosen)) == ["stopped"] * 3
    assert fake.killed == []


@pytest.mark.parametrize("status", [401, 403])
def test_refused_login_stops_all_nodes(status: int, client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i")
    refused = threading.Event()

    def first(request: Received) -> Step | None:
        if request.method == "GET":
            return None
        if request.json["node_id"] == "b":
            refused.wait(10)
            time.sleep(0.3)  # until the client has read the refusal
            return None
        if request.path.endswith("/kill"):
            refused.set()
            return answer(status, {"error_code": "DCS.2007"})
        return None

    fake.first = first
    outcomes = client.end_sessions("i", chosen)
    assert results(outcomes) == ["refused"] * 3 + ["stopped"] * 2
    assert [node for node, _ in fake.killed] == ["a"]


def test_credentials_that_are_refused_are_refused_once(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i")
    fake.received.clear()
    fake.first = lambda request: answer(401, {"error_code": "DCS.1002"})
    other = client.with_options(auth=dcs_sessions.TokenAuth("not accepted so far"))
    outcomes = other.end_sessions("i", chosen)
    assert results(outcomes) == ["stopped"] * 5
    assert all(isinstance(each.error, dcs_sessions.AuthenticationError) for each in outcomes)
    assert len(fake.received) == 1


def test_deadline_stops_the_rest(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i", "a")
    fake.first = lambda request: (
        answer(200, {"job_id": "j", "status": "RUNNING"}) if "/jobs/" in request.path else None
    )
    started = time.monotonic()
    outcomes = client.end_sessions("i", chosen, timeout=0.3)
    assert results(outcomes) == ["stopped"] * 3
    assert time.monotonic() - started < 10
    assert fake.killed == []


def test_list_of_another_query_is_not_enough(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i", "a")
    busy = [answer(400, {"error_code": "DCS.4957"})] * 2

    def first(request: Received) -> Step | None:
        if request.method == "POST" and request.path.endswith("/clients") and busy:
            fake.scans["a"] += 1  # theirs brings a new list
            return busy.pop()
        return None

    fake.first = first
    assert results(client.end_sessions("i", chosen)) == ["ended"] * 3
    scans = [request for request in fake.received if request.path.endswith("/clients")]
    assert sum(request.method == "POST" for request in scans) == 1 + 3


def test_nodes_are_handled_concurrently(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i")
    together = threading.Barrier(2, timeout=20)

    def wait(connection: Any, request: Received) -> None:
        together.wait()  # each node's request waits for the other's
        answer(204, headers={"Content-Length": "0"})(connection, request)

    fake.first = lambda request: wait if request.path.endswith("/kill") else None
    assert results(client.end_sessions("i", chosen)) == ["ended"] * 5


def test_batch_of_one_that_is_too_large_is_refused(client: AnyClient, fake: FakeDcs) -> None:
    chosen = client.query_sessions("i", "a")
    fake.first = kills(answer(413))
    assert results(client.end_sessions("i", chosen)) == ["refused", "stopped", "stopped"]
    assert [len(peers) for _, peers in fake.killed] == [3, 1]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.lists(st.sampled_from([0.0, 0.001, 0.02, 0.3, 1.5]), min_size=1))
@example(40, [0.3])
def test_slow_functions_of_the_caller_do_not_make_a_request_late(
    both: Both, count: int, delays: list[float]
) -> None:
    stub = Stub({"n": [{"addr": f"10.0.0.1:{port}"} for port in range(1, count + 1)]})
    clock, turn = [1000.0], itertools.cycle(delays)
    listed = [0.0]
    ended: list[str] = []
    told: list[Outcome] = []

    def now() -> float:
        return clock[0]

    def slow(_: object) -> bool:
        clock[0] += next(turn)
        return True

    def tell(outcome: Outcome) -> None:
        slow(outcome)
        told.append(outcome)

    def answer_it(request: Request) -> Reply:
        if request.target.endswith("/kill"):
            addresses = json.loads(request.body)["client_addrs"]
            assert clock[0] - listed[0] <= 1 or len(addresses) == 1
            ended.extend(addresses)
        elif request.method == "GET":
            listed[0] = clock[0]
        return Stub.answer(stub, request)

    with mock.patch.object(stub, "answer", answer_it):
        client = both.adopt(stub.client() if both.kind == "sync" else stub.async_client())
        with mock.patch("time.monotonic", now):
            chosen = client.query_sessions(INSTANCE_ID)
            outcomes = client.end_sessions(
                INSTANCE_ID, chosen, slow, on_outcome=tell, timeout=100_000
            )
    assert results(outcomes) == ["ended"] * count
    assert sorted(ended) == sorted(outcome.address for outcome in outcomes)
    assert {id(each.session): each for each in told} == {
        id(each.session): each for each in outcomes
    }


# Addresses are those of a list that was just read


def test_expired_token_leads_to_a_new_list_before_anything_is_sent_again(
    both: Both, fake: FakeDcs
) -> None:
    fake.growing = True
    tokens: list[str] = []

    def token() -> str:
        tokens.append(f"token-{len(tokens)}")
        return tokens[-1]

    client = both(
        endpoint=fake.endpoint,
        auth=dcs_sessions.TokenAuth(token),
        retry=Retry(attempts=3, wait_initial=0.01),
    )
    chosen = client.query_sessions("i", "a").where(is_wanted)
    fake.first = kills(answer(401, {"error_code": "DCS.1002"}), times=1)
    fake.received.clear()
    assert results(client.end_sessions("i", chosen)) == ["ended"] * 3
    sent = [
        (request.method, request.path.rpartition("/")[2], request.headers["x-auth-token"])
        for request in fake.received
        if "/jobs/" not in request.path
    ]
    # Each list is preceded by a look at the time of the one before it.
    look = [("GET", "clients"), ("POST", "clients"), ("GET", "clients")]
    first, again = [
        [(*step, name) for step in [*look, ("POST", "kill")]] for name in ("token-0", "token-1")
    ]
    assert sent == [*first, *again]


@pytest.mark.parametrize("attempts", [1, 3])
def test_request_that_could_not_leave_in_time_is_not_sent(
    both: Both, fake: FakeDcs, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    retry = Retry(attempts=attempts, wait_initial=0, wait_jitter=0)
    client = both(endpoint=fake.endpoint, retry=retry)
    chosen = client.query_sessions("i", "a").where(is_wanted)
    monkeypatch.setattr(f"dcs_sessions._{both.kind}._ending._SECONDS_TO_SEND", 0.0)
    outcomes = client.end_sessions("i", chosen)
    assert results(outcomes) == ["refused"] * 3
    assert "not sent, since other clients may have taken over the addresses" in outcomes[0].reason
    assert fake.killed == []
    assert fake.scans["a"] == 1 + attempts


def test_request_that_waits_for_a_connection_is_not_sent_when_its_list_is_old(
    fake: FakeDcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcs_sessions._sync._ending._SECONDS_TO_SEND", 0.2)
    slow = threading.Event()

    def first(request: Received) -> Step | None:
        if not request.path.endswith("/jobs/slow"):
            return None
        slow.set()
        return lambda _, __: time.sleep(1.0)

    with dcs_sessions.Client(
        endpoint=fake.endpoint,
        project_id="p",
        auth=dcs_sessions.TokenAuth("t"),
        max_connections=1,
        retry=None,
    ) as client:
        chosen = client.query_sessions("i", "a").where(is_wanted)
        fake.first = first

        def block(outcome: Outcome) -> None:
            """Take the only connection before the request is sent."""
            if outcome.result == "unknown" and not slow.is_set():
                thread.start()
                slow.wait(20)

        def get_job() -> None:
            with contextlib.suppress(dcs_sessions.DcsSessionsError):
                client.get_job("slow", timeout=1.5)

        thread = threading.Thread(target=get_job)
        outcomes = client.end_sessions("i", chosen, on_outcome=block)
        thread.join()
    assert results(outcomes) == ["refused"] * 3
    assert fake.killed == []
