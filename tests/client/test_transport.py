"""A custom transport carries all requests, and cannot break the client's guarantees."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import Reply, Request, Retry, TokenAuth
from dcs_sessions._deadline import Deadline
from dcs_sessions._transports._own import HttpxTransport
from dcs_sessions.testing import INSTANCE_ID, Failure, Stub
from support.both import AnyClient, Both
from support.waiting import expired

ENDPOINT = "https://dcs.example"
SECRET = "canary-token-0123"
JOB = b'{"job_id": "j", "status": "SUCCESS"}'
Send = Callable[[Request, float], Any]


class Sync:
    def __init__(self, send: Send) -> None:
        self.requests: list[Request] = []
        self._send = send

    def send(self, request: Request, timeout: float) -> Any:
        self.requests.append(request)
        return self._send(request, timeout)


class Async(Sync):
    async def send(self, request: Request, timeout: float) -> Any:  # noqa: ASYNC109
        self.requests.append(request)
        return self._send(request, timeout)


def client_of(both: Both, send: Send, **options: Any) -> tuple[AnyClient, Sync]:
    transport = {"sync": Sync, "async": Async}[both.kind](send)
    options.setdefault("auth", TokenAuth(SECRET))
    return both(endpoint=ENDPOINT, transport=transport, **options), transport


def stub_client(both: Both, stub: Stub, **options: Any) -> AnyClient:
    made: Any = stub.client if both.kind == "sync" else stub.async_client
    return both.adopt(made(**options))


def test_requests_go_over_the_transport(both: Both) -> None:
    client, transport = client_of(both, lambda *_: Reply(200, {"X-Request-Id": "r"}, JOB))
    answer = client.raw.get_job("j")
    assert (answer.parsed.job_id, answer.request_id) == ("j", "r")
    (request,) = transport.requests
    assert (request.method, request.url) == ("GET", f"{ENDPOINT}/v2/a-project/jobs/j")
    assert request.headers["X-Auth-Token"] == SECRET
    assert SECRET not in repr(request)


def test_transport_receives_the_time_that_is_left(both: Both) -> None:
    left: list[float] = []

    def send(_: Request, timeout: float) -> Reply:
        left.append(timeout)
        return Reply(200, {}, JOB)

    client_of(both, send)[0].get_job("j", timeout=7)
    assert 6 < left[0] <= 7


class Hostile(BaseException):
    """An object whose methods raise an unexpected error."""


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def hostile_answers() -> st.SearchStrategy[Any]:
    junk = st.none() | st.text() | st.binary() | st.integers() | st.lists(st.integers())
    return junk | st.builds(
        Reply,
        st.integers() | junk,
        junk | st.dictionaries(st.text(), st.text() | st.integers()),
        junk,
    )


def hostile_errors() -> st.SearchStrategy[BaseException]:
    said = st.sampled_from(["", SECRET, f"sent X-Auth-Token: {SECRET}\n", "x" * 5000])
    kinds = st.sampled_from(
        [
            *(
                ValueError,
                OSError,
                TimeoutError,
                RuntimeError,
                StopIteration,
                Hostile,
                GeneratorExit,
            ),
            *(asyncio.CancelledError, UnprintableError, httpx.ReadError, httpx.ConnectError),
            *(dcs_sessions.ThrottledError, dcs_sessions.ServerError, dcs_sessions.ApiTimeoutError),
            *(dcs_sessions.ApiConnectionError, dcs_sessions.InvalidArgumentError),
        ]
    )
    return st.builds(lambda kind, text: kind(text), kinds, said)


def chain(error: BaseException | None) -> str:
    shown = ""
    while error is not None:
        shown += f"{error!r} {error} {error.__dict__}"
        error = error.__cause__ or error.__context__
    return shown


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(outcome=hostile_answers() | hostile_errors())
def test_hostile_transport_ends_nothing_twice_and_leaks_no_secret(both: Both, outcome: Any) -> None:
    def send(*_: object) -> Any:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    retry = Retry(wait_initial=0, wait_jitter=0)
    client, transport = client_of(both, send, retry=retry, timeout=5)
    with pytest.raises(dcs_sessions.DcsSessionsError) as raised:
        client.kill_sessions("i", "n", ["1.2.3.4:5"])
    assert SECRET not in chain(raised.value)
    arrived = getattr(raised.value, "may_have_arrived", True)
    # Only what cannot have arrived, and a real 429, may be sent again.
    if arrived and getattr(raised.value, "status", 0) != 429:
        assert len(transport.requests) == 1


@pytest.mark.parametrize("hangs", [True, False])
def test_hanging_transport_does_not_make_a_call_late(both: Both, hangs: bool) -> None:
    sent, woken = threading.Event(), threading.Event()

    class Hanging:
        def send(self, _: Request, timeout: float) -> Any:
            sent.set()
            woken.wait(timeout * 20)

    class AsyncHanging:
        async def send(self, _: Request, timeout: float) -> Any:  # noqa: ASYNC109
            sent.set()
            try:
                await asyncio.sleep(timeout * 20)
            except asyncio.CancelledError:
                if hangs:
                    await asyncio.sleep(timeout * 20)  # and it does not even end
                raise

    transport = {"sync": Hanging, "async": AsyncHanging}[both.kind]()
    client = both(endpoint=ENDPOINT, transport=transport, retry=None)

    def kill(seconds: float) -> None:
        started = time.monotonic()
        try:
            client.kill_sessions("i", "n", ["1.2.3.4:5"], timeout=seconds)
        finally:
            assert time.monotonic() - started < seconds * 15

    assert expired(dcs_sessions.ApiTimeoutError, kill, sent.is_set).may_have_arrived
    woken.set()


def test_what_a_transport_does_to_a_request_changes_no_other(both: Both) -> None:
    seen: list[dict[str, str]] = []

    def send(request: Request, _: float) -> Reply:
        seen.append(dict(request.headers))
        request.headers.clear()
        request.body = b"{}"
        return Reply(503, {}, b"") if len(seen) == 1 else Reply(200, {}, JOB)

    client_of(both, send, retry=Retry(wait_initial=0, wait_jitter=0))[0].get_job("j")
    assert seen[0] == seen[1]


def test_one_reply_for_all_requests_is_not_shared(both: Both) -> None:
    shared = Reply(404, {}, b"")
    client, _ = client_of(both, lambda *_: shared)
    with pytest.raises(dcs_sessions.NotFoundError):
        client.get_job("j")
    assert shared.request is None


def test_closed_client_sends_nothing_and_leaves_the_transport_open(both: Both) -> None:
    client, transport = client_of(both, lambda *_: Reply(200, {}, JOB))
    client.close()
    with pytest.raises(dcs_sessions.ConfigurationError, match="closed"):
        client.get_job("j")
    assert transport.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transport": object()}, "transport must have a method send"),
        ({"transport": Sync}, "transport must have a method send"),
        ({"http_client": object()}, "http_client must be an httpx."),
        ({"http_client": "https://x"}, "http_client must be an httpx."),
        ({"transport": Sync(print), "http_client": httpx.Client()}, "pass either"),
    ],
)
def test_what_cannot_send_is_refused(both: Both, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(dcs_sessions.ConfigurationError, match=message):
        both(endpoint=ENDPOINT, **arguments)


def test_client_of_the_other_kind_is_refused(both: Both) -> None:
    other = httpx.AsyncClient() if both.kind == "sync" else httpx.Client()
    with pytest.raises(dcs_sessions.ConfigurationError, match="http_client must be"):
        both(endpoint=ENDPOINT, http_client=other)


# httpx


def httpx_client(both: Both, **options: Any) -> Any:
    return {"sync": httpx.Client, "async": httpx.AsyncClient}[both.kind](**options)


def test_respx_reaches_both_clients(both: Both) -> None:
    with respx.mock(base_url=ENDPOINT) as router:
        route = router.get("/v2/a-project/jobs/j").respond(
            200, json={"job_id": "j", "status": "SUCCESS"}
        )
        both(endpoint=ENDPOINT, http_client=httpx_client(both)).get_job("j")
        assert route.call_count == 1


def test_nothing_of_the_httpx_client_is_sent_but_its_connections_are_used(both: Both) -> None:
    theirs = httpx_client(
        both,
        headers={"X-Theirs": "1", "User-Agent": "theirs"},
        cookies={"session": "theirs"},
        auth=("user", "password"),
        params={"theirs": "1"},
        follow_redirects=True,
        base_url="https://elsewhere.example",
    )
    with respx.mock(assert_all_called=False) as router:
        route = router.get(f"{ENDPOINT}/v2/a-project/jobs/j").respond(
            302, headers={"Location": "https://evil.example/"}
        )
        evil = router.get("https://evil.example/").respond(200)
        client = both(endpoint=ENDPOINT, http_client=theirs)
        with pytest.raises(dcs_sessions.UnexpectedResponseError):
            client.get_job("j")
        sent = route.calls.last.request
        assert not evil.called
    assert "x-theirs" not in sent.headers
    assert "cookie" not in sent.headers
    assert "authorization" not in sent.headers
    assert sent.headers["user-agent"].startswith("dcs-sessions/")
    assert sent.url.query == b""


def test_addresses_of_a_list_do_not_wait_for_the_pool_of_an_httpx_client() -> None:
    transport = HttpxTransport(httpx.Client())
    for fresh, most in ((Deadline(2), 2.0), (Deadline(0), 0.0), (None, 50.0)):
        request = Request("POST", ENDPOINT, "/", {}, fresh=fresh)
        limits = transport._outgoing(request, 50.0).extensions["timeout"]
        assert max(0.0, most - 1) <= limits["pool"] <= most
        assert limits["connect"] == limits["pool"]
        assert (limits["read"], limits["write"]) == (50.0, 50.0)


@pytest.mark.parametrize(
    ("error", "arrived", "kind"),
    [
        (httpx.ConnectError, False, dcs_sessions.ApiConnectionError),
        (httpx.ConnectTimeout, False, dcs_sessions.ApiTimeoutError),
        (httpx.ReadTimeout, True, dcs_sessions.ApiTimeoutError),
        (httpx.ReadError, True, dcs_sessions.ApiConnectionError),
        (httpx.RemoteProtocolError, True, dcs_sessions.ApiConnectionError),
    ],
)
def test_errors_of_httpx_are_ours(
    both: Both, error: type[Exception], arrived: bool, kind: type[Exception]
) -> None:
    with respx.mock() as router:
        route = router.post(url__startswith=ENDPOINT).mock(side_effect=error(f"with {SECRET}"))
        client = both(
            endpoint=ENDPOINT,
            http_client=httpx_client(both),
            auth=TokenAuth(SECRET),
            retry=Retry(attempts=2, wait_initial=0, wait_jitter=0),
        )
        with pytest.raises(kind) as raised:
            client.kill_sessions("i", "n", ["1.2.3.4:5"])
        assert route.call_count == (1 if arrived else 2)
    assert getattr(raised.value, "may_have_arrived", None) is arrived
    assert SECRET not in chain(raised.value)


# The stub


def test_stub_answers_a_whole_query(both: Both) -> None:
    many = [{"addr": f"10.0.0.5:{port}", "name": "worker"} for port in range(2500)]
    stub = Stub({"n1": many, "n2": [{"name": "web", "age": 5}]})
    client = stub_client(both, stub)
    result = client.query_sessions(INSTANCE_ID)
    assert len(result) == 2501
    assert {session.node_id for session in result} == {"n1", "n2"}
    assert [node.node_id for node in client.list_nodes(INSTANCE_ID)] == ["n1", "n2"]
    assert client.list_instances("stub")[0].instance_id == INSTANCE_ID
    assert client.get_instance(INSTANCE_ID).name == "stub"
    found = list(client.iter_sessions(INSTANCE_ID, "n1", addr="10.0.0.5:7"))
    assert [session.addr for session in found] == ["10.0.0.5:7"]


def test_stub_ends_the_chosen_sessions(both: Both) -> None:
    stub = Stub({"n1": [{"name": "worker"}, {"name": "web"}], "n2": [{"name": "worker"}]})
    client = stub_client(both, stub)
    chosen = client.query_sessions(INSTANCE_ID).where(lambda session: session.name == "worker")
    outcomes = client.end_sessions(INSTANCE_ID, chosen)
    assert [outcome.result for outcome in outcomes] == ["ended", "ended"]
    assert [row["name"] for rows in stub.sessions.values() for row in rows] == ["web"]
    job = client.kill_all_sessions(INSTANCE_ID, all_nodes=True)
    assert client.wait_for_job(job).status == "SUCCESS"
    assert list(client.query_sessions(INSTANCE_ID)) == []


def test_stub_spares_a_client_that_took_over_an_address(both: Both) -> None:
    stub = Stub({"n1": [{"addr": "10.0.0.5:1"}]})
    client = stub_client(both, stub)
    chosen = client.query_sessions(INSTANCE_ID)
    stub.sessions["n1"] = [{"addr": "10.0.0.5:1", "age": 0}]
    (outcome,) = client.end_sessions(INSTANCE_ID, chosen)
    assert outcome.result == "spared"
    assert len(stub.sessions["n1"]) == 1


def test_stub_raises_the_chosen_errors(both: Both) -> None:
    stub = Stub({"n1": []})
    client = stub_client(both, stub, retry=None)
    stub.failures["ShowNodesInformation"] = Failure(429, "APIGW.0308", {"Retry-After": "3"})
    with pytest.raises(dcs_sessions.ThrottledError) as raised:
        client.list_nodes(INSTANCE_ID)
    assert raised.value.retry_after == 3
    stub.failures["ShowNodesInformation"] = Failure(None)
    with pytest.raises(dcs_sessions.ApiConnectionError):
        client.list_nodes(INSTANCE_ID)
    del stub.failures["ShowNodesInformation"]
    assert len(client.list_nodes(INSTANCE_ID)) == 1
    assert stub.operations == ["ShowNodesInformation"] * 3
    with pytest.raises(dcs_sessions.NotFoundError):
        client.list_nodes("another")
    with pytest.raises(dcs_sessions.ServerError):
        client.list_sessions(INSTANCE_ID, "n1")
