"""Options of a call apply to all of its requests."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest

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


def test_timeout_of_a_copy_is_checked(both: Both) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^timeout "):
        both(endpoint="http://127.0.0.1:1").with_options(timeout=-1)


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
