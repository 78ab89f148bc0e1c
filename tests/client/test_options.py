"""Options of a call apply to all of its requests."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import InvalidArgumentError, NodeSessions, PasswordAuth, QueryResult, Session
from dcs_sessions._sync._raw import RawClient
from support.both import Both
from support.fake import FakeDcs
from support.scripted import ScriptedServer, answer, silence

REFUSED = answer(404, {"error_code": "DCS.3022", "error_msg": "no"})
CHOSEN = QueryResult([NodeSessions("n1", None, "t1", [Session(addr="1.2.3.4:5")])])
CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("list_instances", ()),
    ("get_instance", ("i",)),
    ("list_configurations", ("i",)),
    ("get_connection_limit", ("i",)),
    ("list_nodes", ("i",)),
    ("scan_sessions", ("i", "n1")),
    ("get_job", ("j",)),
    ("wait_for_job", ("j",)),
    ("list_sessions", ("i", "n1")),
    ("iter_sessions", ("i", "n1")),
    ("query_sessions", ("i",)),
    ("query_sessions", ("i", "n1")),
    ("query_pages", ("i",)),
    ("refresh_sessions", ("i",)),
    ("end_sessions", ("i", CHOSEN)),
    ("kill_sessions", ("i", "n1", ["1.2.3.4:5"])),
    ("kill_all_sessions", ("i", "n1")),
    ("raw.list_instances", ()),
    ("raw.get_instance", ("i",)),
    ("raw.list_configurations", ("i",)),
    ("raw.list_nodes", ("i",)),
    ("raw.scan_sessions", ("i", "n1")),
    ("raw.get_job", ("j",)),
    ("raw.list_sessions", ("i", "n1")),
    ("raw.kill_sessions", ("i", "n1", ["1.2.3.4:5"])),
    ("raw.kill_all_sessions", ("i", "n1")),
]
every_call = pytest.mark.parametrize(("method", "arguments"), CALLS)


def call(client: Any, method: str, arguments: tuple[Any, ...], **options: Any) -> None:
    where = client.raw if method.startswith("raw.") else client
    result = getattr(where, method.removeprefix("raw."))(*arguments, **options)
    if inspect.isgenerator(result):
        list(result)
    if method == "end_sessions" and result[0].error is not None:
        raise result[0].error


def test_every_method_with_a_timeout_is_tested() -> None:
    kinds = {"": dcs_sessions.Client, "raw.": RawClient}
    timed = {
        f"{prefix}{name}"
        for prefix, kind in kinds.items()
        for name, method in inspect.getmembers(kind, callable)
        if name[0] != "_" and (prefix or "timeout" in inspect.signature(method).parameters)
    }
    assert timed - {"with_options", "from_env"} == {method for method, _ in CALLS}


@every_call
def test_headers_of_a_call_are_sent(both: Both, method: str, arguments: tuple[Any, ...]) -> None:
    with FakeDcs(n1=[[]]) as fake:
        client = both(endpoint=fake.endpoint)
        client.query_sessions("i")
        before = len(fake.received)
        call(client, method, arguments, headers={"X-Mine": "yes"})
        seen = [request.headers.get("x-mine") for request in fake.received[before:]]
        assert seen
        assert set(seen) == {"yes"}


# What a call may wait for: arguments of a client, and an identity service that never answers.
WAITS: dict[str, Callable[[], dict[str, Any]]] = {
    "the service": dict,
    "the project": lambda: {"region": "cn-north-4"},
    "a token": lambda: {"auth": PasswordAuth("domain", "user", "password")},
    "a token and the project": lambda: {
        "auth": PasswordAuth("domain", "user", "password"),
        "region": "cn-north-4",
    },
}


@every_call
@pytest.mark.parametrize("waits", WAITS.values(), ids=WAITS.keys())
def test_timeout_of_a_call_is_honoured(
    both: Both,
    server: ScriptedServer,
    method: str,
    arguments: tuple[Any, ...],
    waits: Callable[[], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.steps = [silence]
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.endpoint)
    client = both(endpoint=server.endpoint, **waits())
    started = time.monotonic()
    with pytest.raises((dcs_sessions.ApiTimeoutError, dcs_sessions.WaitTimeoutError)):
        call(client, method, arguments, timeout=0.05)
    assert time.monotonic() - started < 10, "the usual timeout is 60 seconds and more"
    with pytest.raises(InvalidArgumentError, match=r"^timeout "):
        call(client, method, arguments, timeout=-1)


def refusal(call: Callable[[], object]) -> str:
    """Return the error of a call with a wrong argument, or an empty string."""
    try:
        call()
    except dcs_sessions.DcsSessionsError as error:
        return str(error)
    return ""


anything = st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(anything)
@example(math.inf)
@example(5e-324)
@example(10**400)
@example(True)
def test_timeout_is_a_finite_number_above_0(value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    client = dcs_sessions.Client(
        endpoint="http://127.0.0.1:1", project_id="p", auth=dcs_sessions.TokenAuth("t")
    )
    for change in (client.with_options, partial(client.get_job, "")):
        # Whatever the timeout, there is no job with an empty ID.
        refused = refusal(partial(change, timeout=value)).startswith("timeout ")
        assert refused is not (number and 0 < value < math.inf)


@pytest.mark.parametrize("seconds", [1e7, 1e10, 1e18, 1.7e308, 10**400])
def test_timeout_may_be_longer_than_any_system_can_wait(
    both: Both, server: ScriptedServer, seconds: float
) -> None:
    server.steps = [
        answer(429),
        answer(200, {"job_id": "j", "status": "RUNNING"}),
        answer(200, {"job_id": "j", "status": "SUCCESS"}),
    ]
    retry = dcs_sessions.Retry(wait_initial=0, wait_jitter=0)
    client = both(endpoint=server.endpoint, timeout=seconds, retry=retry)
    client.wait_for_job("j", timeout=seconds, interval=0.001)
    assert len(server.received) == 3
    with FakeDcs(n1=[[]]) as fake:
        both(endpoint=fake.endpoint).query_sessions("i", timeout=seconds)


@given(st.integers(1, 200), st.none() | anything | st.integers(0, 201))
def test_concurrency_is_an_integer_from_1_to_the_number_of_connections(
    connections: int, value: Any
) -> None:
    limits: dict[str, Any] = {"concurrency": value, "max_connections": connections}
    for kind in (dcs_sessions.Client, dcs_sessions.AsyncClient):
        arguments = {"endpoint": "http://127.0.0.1:1", "project_id": "p"} | limits
        refused = refusal(partial(kind, auth=dcs_sessions.TokenAuth("t"), **arguments))
        allowed = value is None or (type(value) is int and 1 <= value <= connections)
        assert refused.startswith("concurrency ") is not allowed


@pytest.mark.parametrize("wrong", ["a-token", None, 5, {"token": "a-token"}])
def test_wrong_credentials_are_refused_without_being_shown(wrong: Any) -> None:
    with pytest.raises(dcs_sessions.ConfigurationError) as caught:
        dcs_sessions.Client(endpoint="http://127.0.0.1:1", project_id="p", auth=wrong)
    assert str(caught.value) == (
        "auth must be TokenAuth(...), AkSkAuth(...), PasswordAuth(...) or EcsMetadataAuth()"
    )


async def coroutine_function() -> None: ...


@pytest.mark.parametrize("wrong", [coroutine_function, 5, "function"])
@pytest.mark.parametrize("name", ["fits", "on_outcome"])
def test_async_functions_are_refused(both: Both, wrong: Any, name: str) -> None:
    functions: dict[str, Any] = {name: wrong}
    client = both(endpoint="http://127.0.0.1:1")
    with pytest.raises(InvalidArgumentError, match=f"^{name} must be a function that is not async"):
        client.end_sessions("i", CHOSEN, **functions)


@pytest.mark.parametrize("raw", [False, True], ids=["client", "raw"])
def test_only_one_node_is_ended_unless_all_are_named(
    both: Both, server: ScriptedServer, raw: bool
) -> None:
    server.steps = [answer(200, {"job_id": "j"})]
    client: Any = both(endpoint=server.endpoint)
    (client.raw if raw else client).kill_all_sessions("i", "n1")
    body = server.received[0].json
    assert body["node_id"] == "n1"
    assert not body.get("kill_all_nodes", False)


def test_filter_reaches_every_page(both: Both, server: ScriptedServer) -> None:
    row = {"id": "1"}
    server.steps = [
        answer(200, {"time": "t", "count": 2, "clients": [row]}),
        answer(200, {"time": "t", "count": 2, "clients": [row]}),
    ]
    client = both(endpoint=server.endpoint)
    found = list(client.iter_sessions("i", "n1", addr="1.2.3.4", sort="idle", order="asc"))
    assert len(found) == 2
    for request in server.received:
        asked = {name: request.query[name] for name in ("addr", "sort", "order")}
        assert asked == {"addr": "1.2.3.4", "sort": "idle", "order": "asc"}


@pytest.mark.parametrize("given", [False, True], ids=["variable", "argument"])
def test_region_of_a_copy_sets_its_endpoint(
    both: Both, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    monkeypatch.setenv("DCS_SESSIONS_TOKEN", "a-token")
    monkeypatch.delenv("DCS_SESSIONS_ENDPOINT", raising=False)
    monkeypatch.setenv("DCS_SESSIONS_REGION", "eu-west-101" if given else "cn-north-4")
    options = {"region": "cn-north-4"} if given else {}
    client = both.adopt(both.cls.from_env(project_id="p", **options))  # type: ignore[arg-type]
    assert "https://dcs.cn-north-4.myhuaweicloud.com" in repr(client)
