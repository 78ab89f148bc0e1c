"""Requests of each method, and how it reads the response."""

from __future__ import annotations

import contextlib

import pytest

import dcs_sessions
from dcs_sessions import InvalidArgumentError
from support.both import Both
from support.scripted import ScriptedServer, answer
from support.session import SESSION

ROW = {**SESSION, "omem": 2**40}


def page(*rows: object, count: int | None = None, time: str = "t1") -> dict[str, object]:
    return {"time": time, "count": len(rows) if count is None else count, "clients": list(rows)}


def test_scan_sessions_sends_the_node_and_returns_the_job(
    both: Both, server: ScriptedServer
) -> None:
    server.steps = [answer(200, {"job_id": "j"})]
    assert both(endpoint=server.endpoint).scan_sessions("i", "n", clean_cache=True) == "j"
    (request,) = server.received
    assert (request.method, request.target) == ("POST", "/v2/a-project/instances/i/clients")
    assert request.json == {"node_id": "n", "clean_cache": True}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-auth-token"] == "a-token"
    assert request.headers["x-project-id"] == "a-project"
    assert request.headers["user-agent"].startswith(f"dcs-sessions/{dcs_sessions.__version__} ")


def test_list_sessions_sends_its_arguments_and_returns_a_page(
    both: Both, server: ScriptedServer
) -> None:
    server.steps = [answer(200, page(ROW, count=7))]
    found = both(endpoint=server.endpoint).list_sessions(
        "i", "n", offset=3, limit=1, addr="1.2.3.4:5 &x", sort="idle", order="asc"
    )
    assert found.count == 7
    assert found.clients[0].to_dict() == {**ROW, "node_id": "n"}
    (request,) = server.received
    assert (request.method, request.path) == ("GET", "/v2/a-project/instances/i/clients")
    assert request.query == {
        "node_id": "n",
        "offset": "3",
        "limit": "1",
        "addr": "1.2.3.4:5 &x",
        "sort": "idle",
        "order": "asc",
    }
    assert request.body == b""


def test_query_parameters_are_percent_encoded(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, page())]
    both(endpoint=server.endpoint).list_sessions("i", "a/b~c", addr="1.2.3.4/8")
    query = server.received[0].target.partition("?")[2]
    assert {"node_id=a%2Fb~c", "addr=1.2.3.4%2F8"} <= set(query.split("&"))


@pytest.mark.parametrize(("length", "sent"), [(1024, 1), (1025, 0)])
def test_id_of_1024_characters_is_the_longest(
    both: Both, server: ScriptedServer, length: int, sent: int
) -> None:
    server.steps = [answer(200, {"job_id": "j", "status": "SUCCESS"})]
    wrong = pytest.raises(InvalidArgumentError, match=r"^job_id has 1025 characters, the maximum")
    with contextlib.nullcontext() if sent else wrong:
        both(endpoint=server.endpoint).get_job("x" * length)
    assert len(server.received) == sent


def test_kill_sessions_sends_node_and_addresses(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(204)]
    both(endpoint=server.endpoint).kill_sessions("i", "n", (a for a in ["1.2.3.4:5", "6.7.8.9:10"]))
    (request,) = server.received
    assert (request.method, request.target) == ("POST", "/v2/a-project/instances/i/clients/kill")
    assert request.json == {"node_id": "n", "client_addrs": ["1.2.3.4:5", "6.7.8.9:10"]}


def test_many_sessions_are_ended_in_one_request(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(204)]
    addresses = [f"10.0.0.1:{number}" for number in range(100_000)]
    both(endpoint=server.endpoint).kill_sessions("i", "n", addresses)
    (request,) = server.received
    assert len(request.body) > 2**20
    assert request.headers["content-length"] == str(len(request.body))
    assert request.headers["content-type"] == "application/json"
    assert request.json["client_addrs"] == addresses


def test_ending_no_sessions_sends_nothing(both: Both, server: ScriptedServer) -> None:
    client = both(endpoint=server.endpoint)
    client.kill_sessions("i", "n", iter([]))
    with pytest.raises(InvalidArgumentError, match=r"^addresses is empty: pass the peer"):
        client.raw.kill_sessions("i", "n", [])
    assert server.received == []


def test_kill_all_sessions_returns_the_job(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"job_id": "j"})]
    client = both(endpoint=server.endpoint)
    assert client.kill_all_sessions("i", "n") == "j"
    assert client.kill_all_sessions("i", all_nodes=True) == "j"
    one, every = server.received
    assert one.target == "/v2/a-project/instances/i/clients/kill-all"
    assert one.json == {"node_id": "n", "kill_all_nodes": False}
    assert every.json == {"kill_all_nodes": True}


def test_get_job_returns_the_job(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"job_id": "j", "status": "NEW-STATE", "fail_reason": None})]
    job = both(endpoint=server.endpoint).get_job("j")
    assert (job.status, job.fail_reason, job.end_time) == ("NEW-STATE", None, dcs_sessions.UNSET)
    assert server.received[0].target == "/v2/a-project/jobs/j"


def test_list_nodes_returns_the_nodes(both: Both, server: ScriptedServer) -> None:
    node = {"node_id": "n", "node_role": "redis-server", "new_field": [1]}
    server.steps = [answer(200, {"instance_id": "i", "total": 1, "nodes": [node]})]
    (found,) = both(endpoint=server.endpoint).list_nodes("i")
    assert (found.node_id, found["new_field"]) == ("n", [1])
    assert server.received[0].target == "/v2/a-project/instances/i/logical-nodes"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {**ROW, "new": {"deep": 1}},
        {key: value for key, value in ROW.items() if key != "peer"},
        {**{key: value for key, value in ROW.items() if key != "peer"}, "new": 1},
        {**ROW, "name": None, "age": "376"},
        {**ROW, "additional_properties": 5},
    ],
    ids=["empty", "one more", "one less", "one other", "odd values", "a field of ours"],
)
def test_session_keeps_what_is_missing_null_and_unknown(
    both: Both, server: ScriptedServer, row: dict[str, object]
) -> None:
    server.steps = [answer(200, page(row))]
    (session,) = both(endpoint=server.endpoint).list_sessions("i", "n").clients
    assert session.to_dict() == {**row, "node_id": "n"}


def test_limits_of_list_sessions_arguments_are_accepted(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, page())]
    client = both(endpoint=server.endpoint)
    client.list_sessions("i", "n", offset=2**31 - 1, limit=1000, order="desc")
    query = server.received[0].query
    assert (query["offset"], query["limit"], query["order"]) == ("2147483647", "1000", "desc")
    client.list_sessions("i", "n", offset=0, limit=1)


def test_ids_never_lead_to_another_path(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"job_id": "j", "status": "SUCCESS"})]
    odd = "a/../b?c#d%2F é\n"
    both(endpoint=server.endpoint).get_job(odd)
    expected = "/v2/a-project/jobs/a%2F..%2Fb%3Fc%23d%252F%20%C3%A9%0A"
    assert server.received[0].target == expected


@pytest.mark.parametrize(
    ("method", "arguments", "named"),
    [
        ("get_job", ("",), "job_id"),
        ("get_job", ("..",), "job_id"),
        ("get_job", (5,), "job_id"),
        ("get_job", ("\ud800",), "job_id"),
        ("get_job", ("x" * 100_000,), "job_id"),
        ("list_nodes", (".",), "instance_id"),
        ("scan_sessions", ("i", ""), "node_id"),
        ("scan_sessions", ("i", None), "node_id"),
        ("list_sessions", ("i", ""), "node_id"),
        ("kill_sessions", ("i", "", ["1.2.3.4:5"]), "node_id"),
        ("kill_sessions", ("i", "n", "1.2.3.4:5"), "addresses"),
        ("kill_sessions", ("i", "n", [5]), "addresses"),
        ("kill_sessions", ("i", "n", None), "addresses"),
        ("kill_sessions", ("i", "n", b"1.2.3.4:5"), "addresses"),
        ("kill_all_sessions", ("i",), "pass either node_id, or all_nodes=True"),
    ],
)
def test_wrong_argument_is_named_and_nothing_is_sent(
    both: Both, server: ScriptedServer, method: str, arguments: tuple[object, ...], named: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"^{named}\b"):
        getattr(both(endpoint=server.endpoint), method)(*arguments)
    assert server.received == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("limit", 1001),
        ("limit", True),
        ("limit", "10"),
        ("offset", -1),
        ("offset", 2**31),
        ("order", "up"),
        ("sort", 5),
        ("addr", b"x"),
        ("timeout", 0),
        ("timeout", float("inf")),
        ("timeout", "5"),
        ("headers", {"bad name": "x"}),
        ("headers", {"X-Good": 5}),
        ("headers", {5: "x"}),
        ("headers", ["x"]),
        ("headers", {"X-Good": "bad\r\nX-Evil: 1"}),
    ],
)
def test_wrong_option_is_named_and_nothing_is_sent(
    both: Both, server: ScriptedServer, name: str, value: object
) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"^{name}\b"):
        both(endpoint=server.endpoint).list_sessions("i", "n", **{name: value})  # type: ignore[arg-type]
    assert server.received == []


def test_wrong_project_is_named(both: Both) -> None:
    client = both(endpoint="http://127.0.0.1:1", project_id="..")
    for call in (client.list_nodes, client.get_job):
        with pytest.raises(InvalidArgumentError, match=r"^project_id "):
            call("x")


def test_kill_of_a_node_and_of_all_at_once_is_refused(both: Both) -> None:
    with pytest.raises(InvalidArgumentError, match="either node_id, or all_nodes=True"):
        both(endpoint="http://127.0.0.1:1").kill_all_sessions("i", "n", all_nodes=True)


def test_kill_all_arguments_are_checked(both: Both) -> None:
    client = both(endpoint="http://127.0.0.1:1")
    with pytest.raises(InvalidArgumentError, match=r"^all_nodes must be True or False"):
        client.kill_all_sessions("i", "n", all_nodes="no")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"^node_id "):
        client.kill_all_sessions("i", "")


def test_clean_cache_must_be_a_boolean(both: Both) -> None:
    with pytest.raises(InvalidArgumentError, match="clean_cache must be True or False"):
        both(endpoint="http://127.0.0.1:1").scan_sessions("i", "n", clean_cache="no")  # type: ignore[arg-type]


def test_iter_sessions_reads_one_page_ahead(both: Both, server: ScriptedServer) -> None:
    rows = [{"id": str(number)} for number in range(7)]
    server.steps = [
        answer(200, page(*rows[number : number + 2], count=7)) for number in (0, 2, 4, 6)
    ]
    sessions = both(endpoint=server.endpoint).iter_sessions("i", "n", page_size=2, sort="id")
    assert server.received == []
    assert next(sessions).id == "0"
    assert next(sessions).id == "1"
    assert len(server.received) <= 2
    assert next(sessions).id == "2"
    assert len(server.received) <= 3
    assert [session.id for session in sessions] == ["3", "4", "5", "6"]
    assert [request.query["offset"] for request in server.received] == ["0", "2", "4", "6"]
    assert {request.query["limit"] for request in server.received} == {"2"}
    assert {request.query["sort"] for request in server.received} == {"id"}


def test_iter_sessions_raises_at_an_empty_page_that_should_not_be(
    both: Both, server: ScriptedServer
) -> None:
    server.steps = [answer(200, page({"id": "1"}, count=9)), answer(200, page(count=9))]
    sessions = both(endpoint=server.endpoint).iter_sessions("i", "n", page_size=1)
    assert next(sessions).id == "1"
    with pytest.raises(dcs_sessions.SessionListError, match="1 of the 9 sessions"):
        next(sessions)
    assert len(server.received) <= 3


def test_iter_sessions_raises_if_the_list_was_replaced(both: Both, server: ScriptedServer) -> None:
    server.steps = [
        answer(200, page({"id": "1"}, count=2, time="t1")),
        answer(200, page({"id": "1"}, count=2, time="t2")),
    ]
    sessions = both(endpoint=server.endpoint).iter_sessions("i", "n", page_size=1)
    next(sessions)
    with pytest.raises(dcs_sessions.SessionListChangedError, match="now of t2, no longer of t1"):
        next(sessions)


def test_raw_returns_status_headers_and_body(both: Both, server: ScriptedServer) -> None:
    headers = {"X-Request-Id": "r-1", "X-Other": "o"}
    server.steps = [answer(200, {"job_id": "j", "more": 1}, headers)]
    found = both(endpoint=server.endpoint).raw.scan_sessions("i", "n")
    assert (found.status, found.request_id, found.headers["x-other"]) == (200, "r-1", "o")
    assert (found.parsed.job_id, found.parsed["more"]) == ("j", 1)
    assert found.body == b'{"job_id": "j", "more": 1}'


def test_raw_response_without_a_body_has_none(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(204, headers={"X-Request-Id": "r-2"})]
    raw = both(endpoint=server.endpoint).raw
    found = raw.kill_sessions("i", "n", ["1.2.3.4:5"])
    assert (found.parsed, found.status, found.request_id) == (None, 204, "r-2")


def test_headers_of_client_copy_and_call_are_merged(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"job_id": "j", "status": "SUCCESS"})]
    client = both(endpoint=server.endpoint, headers={"X-One": "1", "X-Two": "1"})
    copy = client.with_options(headers={"X-Two": "2", "X-Three": "2"})
    copy.get_job("j", headers={"X-Three": "3"})
    client.get_job("j")
    of_copy, of_client = (
        {name: value for name, value in request.headers.items() if name[:3] in {"x-o", "x-t"}}
        for request in server.received
    )
    assert of_copy == {"x-one": "1", "x-two": "2", "x-three": "3"}
    assert of_client == {"x-one": "1", "x-two": "1"}


def test_with_options_leaves_the_original_alone(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"job_id": "j", "status": "SUCCESS"})]
    client = both(endpoint=server.endpoint)
    copy = client.with_options(project_id="other", auth=dcs_sessions.TokenAuth("other-token"))
    copy.get_job("j")
    client.get_job("j")
    assert [request.path.split("/")[2] for request in server.received] == ["other", "a-project"]
    tokens = [request.headers["x-auth-token"] for request in server.received]
    assert tokens == ["other-token", "a-token"]


@pytest.mark.parametrize("used", [True, False])
def test_closed_clients_raise_a_clear_error(both: Both, server: ScriptedServer, used: bool) -> None:
    server.steps = [answer(200, {"job_id": "j", "status": "SUCCESS"})]
    client = both(endpoint=server.endpoint)
    if used:
        client.get_job("j")
    client.close()
    client.close()
    with pytest.raises(dcs_sessions.ConfigurationError, match="this client is closed"):
        client.get_job("j")


def test_cookies_are_not_sent_back(both: Both, server: ScriptedServer) -> None:
    job = {"job_id": "j", "status": "SUCCESS"}
    server.steps = [answer(200, job, {"Set-Cookie": "a=b; Path=/"})]
    client = both(endpoint=server.endpoint)
    client.get_job("j")
    client.get_job("j")
    assert "cookie" not in server.received[1].headers
