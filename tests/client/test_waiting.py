"""Scan, wait and read: tasks of more than one call."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dcs_sessions
from dcs_sessions import Retry
from dcs_sessions._async._query import pauses
from support.both import Both
from support.scripted import Received, ScriptedServer, Step, answer, silence
from support.waiting import expired

STARTED = answer(200, {"job_id": "j"})
BUSY = answer(400, {"error_code": "DCS.4957", "error_msg": "not in this state"})
NEVER = answer(500, {"error_code": "DCS.5000", "error_msg": "Internal service error."})
DEAD = answer(500, {"error_code": "DCS.5053", "error_msg": "Instance node not found."})
NO_JOB = answer(404, {"error_code": "DCS.4001", "error_msg": "does not exist"})
REFUSED = answer(401, {"error_code": "DCS.1001", "error_msg": "Invalid token."})


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as often, but not as long."""

    def pauses(longest: float) -> Iterator[float]:
        while True:
            yield min(0.01, longest)

    for kind in ("_async", "_sync"):
        monkeypatch.setattr(f"dcs_sessions.{kind}._query.pauses", pauses)


def expired_query(both: Both, server: ScriptedServer, arrived: Callable[[], bool]) -> TimeoutError:
    client = both(endpoint=server.endpoint)

    def query(seconds: float) -> None:
        client.query_sessions("i", "n", timeout=seconds)

    return expired(TimeoutError, query, arrived)


def job(status: str, **more: object) -> Step:
    return answer(200, {"job_id": "j", "status": status, **more})


def page(time: str, *ids: str, count: int | None = None) -> Step:
    clients = [{"id": name} for name in ids]
    return answer(
        200, {"time": time, "count": len(ids) if count is None else count, "clients": clients}
    )


def nodes(*roles: str) -> Step:
    found = [{"node_id": f"n{number}", "node_role": role} for number, role in enumerate(roles)]
    return answer(200, {"instance_id": "i", "total": len(found), "nodes": found})


class Script:
    """Answers each kind of request from a list of its own, and each node by itself."""

    def __init__(self, server: ScriptedServer, **lists: list[Step]) -> None:
        self.lists = lists
        self.did: list[str] = []
        server.steps = [self.step]

    def step(self, connection: Any, request: Received) -> None:
        last = request.path.rpartition("/")[2]
        if last == "clients":
            node = request.json["node_id"] if request.body else request.query["node_id"]
            kind = "scan" if request.method == "POST" else "list"
            kind = f"{kind}_{node}" if f"{kind}_{node}" in self.lists else kind
        else:
            kind = "nodes" if last == "logical-nodes" else "job"
        self.did.append(kind)
        steps = self.lists[kind]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        step(connection, request)


# Waiting for a job


def test_wait_for_job_returns_the_finished_job(both: Both, server: ScriptedServer) -> None:
    server.steps = [job("INIT"), job("RUNNING"), job("SOMETHING-NEW"), job("SUCCESS")]
    assert both(endpoint=server.endpoint).wait_for_job("j").status == "SUCCESS"
    assert len(server.received) == 4


def test_failed_job_raises_its_reason(both: Both, server: ScriptedServer) -> None:
    server.steps = [job("RUNNING"), job("FAIL", fail_reason="disk full")]
    with pytest.raises(dcs_sessions.JobFailedError, match="job j failed: disk full") as caught:
        both(endpoint=server.endpoint).wait_for_job("j")
    assert caught.value.job.status == "FAIL"


def test_failed_job_without_a_reason_raises(both: Both, server: ScriptedServer) -> None:
    server.steps = [job("FAIL", fail_reason=None)]
    with pytest.raises(dcs_sessions.JobFailedError, match="job j failed: no reason given"):
        both(endpoint=server.endpoint).wait_for_job("j")


def test_unfinished_job_raises_after_the_timeout(both: Both, server: ScriptedServer) -> None:
    server.steps = [job("RUNNING")]
    started = time.monotonic()
    with pytest.raises(
        dcs_sessions.WaitTimeoutError, match=r"job j did not end within 0\.2 s"
    ) as e:
        both(endpoint=server.endpoint).wait_for_job("j", timeout=0.2, interval=0.02)
    assert e.value.job_id == "j"
    assert 0.2 <= time.monotonic() - started < 20


# Querying one node


def test_first_query_of_a_node_succeeds(both: Both, server: ScriptedServer) -> None:
    script = Script(
        server,
        list=[NEVER, page("t1", "1", "2")],
        scan=[STARTED],
        job=[job("INIT"), job("SUCCESS")],
    )
    result = both(endpoint=server.endpoint).query_sessions("i", "n")
    assert [session.id for session in result.sessions] == ["1", "2"]
    (node,) = result.nodes
    assert (node.node_id, node.node, node.time, node.error) == ("n", None, "t1", None)
    assert script.did == ["list", "scan", "job", "job", "list"]
    assert server.received[1].json == {"node_id": "n", "clean_cache": True}
    assert server.received[4].query["limit"] == "1000"


def test_list_is_not_read_if_not_wanted(both: Both, server: ScriptedServer) -> None:
    script = Script(server, list=[NEVER, page("t1", "1")], scan=[STARTED], job=[job("SUCCESS")])
    (node,) = both(endpoint=server.endpoint).refresh_sessions("i", "n").nodes
    assert (node.node_id, node.time, node.sessions, node.error) == ("n", "t1", [], None)
    assert script.did == ["list", "scan", "job", "list"]
    assert server.received[-1].query["limit"] == "1"


def test_saved_list_is_used_without_fresh(both: Both, server: ScriptedServer) -> None:
    Script(server, list=[page("t1", "1")], scan=[STARTED], job=[job("SUCCESS")])
    result = both(endpoint=server.endpoint).query_sessions("i", "n", fresh=False)
    assert [session.id for session in result.sessions] == ["1"]
    assert server.received[1].json["clean_cache"] is False


@pytest.mark.parametrize("refusal", [NO_JOB, answer(400, {"error_code": "DCS.4070"})])
def test_time_of_the_list_proves_the_scan_if_jobs_are_not_shown(
    both: Both, server: ScriptedServer, refusal: Step
) -> None:
    old, new = page("t1", "1"), page("t2", "2")
    script = Script(server, list=[old, old, BUSY, NEVER, new, new], scan=[STARTED], job=[refusal])
    result = both(endpoint=server.endpoint).query_sessions("i", "n")
    assert [session.id for session in result.sessions] == ["2"]
    assert script.did.count("job") == 1


@pytest.mark.parametrize("refused", [0, 1])
def test_list_of_the_same_second_is_replaced_by_another_query_if_jobs_are_not_shown(
    both: Both, server: ScriptedServer, refused: int
) -> None:
    script = Script(
        server,
        list=[lambda *args: page(f"t{script.did.count('scan') > 1 + refused}", "1")(*args)],
        scan=[STARTED, *refused * [BUSY], STARTED],
        job=[NO_JOB],
    )
    both(endpoint=server.endpoint).query_sessions("i", "n", timeout=60)
    assert script.did.count("scan") == 2 + refused
    assert script.did.count("job") == 1


def test_list_whose_time_stays_the_same_is_not_requested_again_and_again(
    both: Both, server: ScriptedServer
) -> None:
    script = Script(server, list=[page("t1", "1")], scan=[STARTED], job=[NO_JOB])
    with pytest.raises(dcs_sessions.WaitTimeoutError):
        both(endpoint=server.endpoint).query_sessions("i", "n", timeout=4)
    assert script.did.count("scan") == 2


def test_saved_list_is_enough_if_jobs_are_not_shown(both: Both, server: ScriptedServer) -> None:
    Script(server, list=[page("t1", "1")], scan=[STARTED], job=[NO_JOB])
    result = both(endpoint=server.endpoint).query_sessions("i", "n", fresh=False)
    assert [session.id for session in result.sessions] == ["1"]


def test_query_of_another_caller_is_waited_for(both: Both, server: ScriptedServer) -> None:
    old, new = page("t1", "1"), page("t2", "2")
    script = Script(server, list=[old, old, new, new], scan=[BUSY], job=[])
    result = both(endpoint=server.endpoint).query_sessions("i", "n")
    assert [session.id for session in result.sessions] == ["2"]
    assert script.did == ["list", "scan", "list", "scan", "list", "list"]


def test_failed_query_of_another_caller_is_repeated(both: Both, server: ScriptedServer) -> None:
    script = Script(
        server,
        list=[NEVER, NEVER, page("t1", "1")],
        scan=[BUSY, STARTED],
        job=[job("RUNNING"), job("SUCCESS")],
    )
    result = both(endpoint=server.endpoint).query_sessions("i", "n")
    assert [session.id for session in result.sessions] == ["1"]
    assert script.did == ["list", "scan", "list", "scan", "job", "job", "list"]


def test_endless_query_of_another_caller_times_out(both: Both, server: ScriptedServer) -> None:
    script = Script(server, list=[NEVER], scan=[BUSY], job=[])
    error = expired_query(both, server, lambda: script.did.count("scan") > 1)
    assert isinstance(error, dcs_sessions.WaitTimeoutError)
    assert "another query of the node" in str(error)
    assert error.job_id is None


def test_scan_without_an_answer_is_not_taken_for_another_query(
    both: Both, server: ScriptedServer
) -> None:
    script = Script(server, list=[NEVER], scan=[silence], job=[])
    error = expired_query(both, server, lambda: "scan" in script.did)
    assert isinstance(error, dcs_sessions.ApiTimeoutError)
    assert re.search(r"POST .*/clients: no response", str(error))


def test_endless_query_times_out(both: Both, server: ScriptedServer) -> None:
    script = Script(server, list=[NEVER], scan=[STARTED], job=[job("RUNNING")])
    error = expired_query(both, server, lambda: "job" in script.did)
    assert isinstance(error, dcs_sessions.WaitTimeoutError)
    assert error.job_id == "j"


def test_list_made_anew_while_it_is_read_is_read_again(both: Both, server: ScriptedServer) -> None:
    Script(
        server,
        list=[
            page("t0"),
            page("t1", "1", count=2),
            page("t2", "8", count=2),
            page("t2", "7", count=2),
            page("t2", "8", count=2),
        ],
        scan=[STARTED],
        job=[job("SUCCESS")],
    )
    result = both(endpoint=server.endpoint).query_sessions("i", "n")
    assert [session.id for session in result.sessions] == ["7", "8"]
    assert result.nodes[0].time == "t2"


@pytest.mark.parametrize(
    ("lists", "kind"),
    [
        ({"list": [REFUSED]}, dcs_sessions.AuthenticationError),
        ({"list": [NEVER], "scan": [DEAD]}, dcs_sessions.ServerError),
        (
            {"list": [NEVER], "scan": [STARTED], "job": [job("FAIL")]},
            dcs_sessions.JobFailedError,
        ),
        (
            {"list": [answer(400, {"error_code": "DCS.3053"})]},
            dcs_sessions.BadRequestError,
        ),
    ],
    ids=["401", "dead node", "failed job", "wrong node"],
)
def test_one_node_that_fails_is_an_error(
    both: Both, server: ScriptedServer, lists: dict[str, list[Step]], kind: type[Exception]
) -> None:
    Script(server, **{name: list(steps) for name, steps in lists.items()})
    with pytest.raises(kind):
        both(endpoint=server.endpoint).query_sessions("i", "n")


def test_pages_that_overlap_contradict_the_count(both: Both, server: ScriptedServer) -> None:
    rows = [{"id": str(number)} for number in range(4)]

    def overlapping(connection: Any, request: Received) -> None:
        offset, limit = (int(request.query[name]) for name in ("offset", "limit"))
        found = rows[offset : offset + (limit if offset else 1)]  # the first page is short
        answer(200, {"time": "t1", "count": 4, "clients": found})(connection, request)

    Script(server, list=[NEVER, overlapping], scan=[STARTED], job=[job("SUCCESS")])
    result = both(endpoint=server.endpoint).query_sessions("i", "n")
    (node,) = result.nodes
    assert isinstance(node.error, dcs_sessions.SessionListError)
    assert "has more sessions than the 4 that the service counts" in str(node.error)
    assert len(node.sessions) <= 4


# Querying an instance


def test_query_of_an_instance_asks_its_servers(both: Both, server: ScriptedServer) -> None:
    script = Script(
        server,
        nodes=[nodes("redis-server", "redis-server", "monitor")],
        list_n0=[NEVER, page("t1", "1")],
        list_n1=[NEVER, page("t2", "2", "3")],
        scan=[STARTED],
        job=[job("SUCCESS")],
    )
    result = both(endpoint=server.endpoint).query_sessions("i")
    assert [node.node_id for node in result.nodes] == ["n0", "n1"]
    assert [session.id for session in result.sessions] == ["1", "2", "3"]
    assert [node.time for node in result.nodes] == ["t1", "t2"]
    assert result.nodes[1].node is not None
    assert result.nodes[1].node.node_role == "redis-server"
    assert result.failed == []
    assert script.did[0] == "nodes"


def test_query_of_an_instance_with_proxies_asks_those(both: Both, server: ScriptedServer) -> None:
    Script(
        server,
        nodes=[nodes("redis-server", "redis-proxy")],
        list=[NEVER, page("t1", "1")],
        scan=[STARTED],
        job=[job("SUCCESS")],
    )
    result = both(endpoint=server.endpoint).query_sessions("i")
    assert [node.node_id for node in result.nodes] == ["n1"]


def test_node_that_is_listed_twice_is_queried_once(both: Both, server: ScriptedServer) -> None:
    twice = [{"node_id": name, "node_role": "redis-server"} for name in ("n0", "n1", "n0")]
    script = Script(
        server,
        nodes=[answer(200, {"instance_id": "i", "total": 3, "nodes": twice})],
        list_n0=[NEVER, page("t1", "1")],
        list_n1=[NEVER, page("t2", "2")],
        scan=[STARTED],
        job=[job("SUCCESS")],
    )
    client = both(endpoint=server.endpoint)
    result = client.query_sessions("i")
    assert [node.node_id for node in result.nodes] == ["n0", "n1"]
    assert [session.id for session in result.sessions] == ["1", "2"]
    assert script.did.count("scan") == 2
    script.lists.update(list_n0=[NEVER, page("t3", "1")], list_n1=[NEVER, page("t4", "2")])
    assert len(list(client.query_pages("i"))) == 2


def test_dead_node_does_not_hide_the_others(both: Both, server: ScriptedServer) -> None:
    Script(
        server,
        nodes=[nodes("redis-server", "redis-server")],
        list_n0=[NEVER],
        scan_n0=[DEAD],
        list_n1=[NEVER, page("t1", "1")],
        scan_n1=[STARTED],
        job=[job("SUCCESS")],
    )
    result = both(endpoint=server.endpoint).query_sessions("i")
    assert [session.id for session in result.sessions] == ["1"]
    (failed,) = result.failed
    assert (failed.node_id, failed.time, failed.sessions) == ("n0", None, [])
    assert failed.node is not None
    assert failed.node.node_id == "n0"
    assert isinstance(failed.error, dcs_sessions.ServerError)


def test_slow_node_does_not_delay_others(both: Both, server: ScriptedServer) -> None:
    Script(
        server,
        nodes=[nodes("redis-server", "redis-server")],
        list_n0=[NEVER],
        scan_n0=[BUSY],
        list_n1=[NEVER, page("t1", "1")],
        scan_n1=[STARTED],
        job=[job("SUCCESS")],
    )
    client = both(endpoint=server.endpoint)
    found: list[object] = []
    for seconds in (0.5, 2, 8):  # on a busy machine, the first is too short for both nodes
        with contextlib.suppress(dcs_sessions.ApiTimeoutError):
            result = client.query_sessions("i", timeout=seconds)
            found = [session.id for session in result.sessions]
        if found:
            break
    assert found == ["1"]
    assert isinstance(result.failed[0].error, dcs_sessions.WaitTimeoutError)


def test_node_that_fails_half_read_gives_nothing(both: Both, server: ScriptedServer) -> None:
    Script(
        server,
        nodes=[nodes("redis-server", "redis-server")],
        list_n0=[NEVER, page("t1", "1", count=2), DEAD],
        list_n1=[NEVER, page("t1", "1")],
        scan=[STARTED],
        job=[job("SUCCESS")],
    )
    result = both(endpoint=server.endpoint).query_sessions("i")
    assert [len(node.sessions) for node in result.nodes] == [0, 1]


def test_when_every_node_fails_the_first_error_is_raised(
    both: Both, server: ScriptedServer
) -> None:
    Script(server, nodes=[nodes("redis-server", "redis-server")], list=[NEVER], scan=[DEAD], job=[])
    with pytest.raises(dcs_sessions.ServerError, match=r"DCS\.5053"):
        both(endpoint=server.endpoint).query_sessions("i")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_not_tried_on_every_named_node(
    both: Both, server: ScriptedServer, status: int
) -> None:
    script = Script(server, list=[answer(status, {"error_code": "X", "error_msg": "no"})])
    client = both(endpoint=server.endpoint, retry=Retry(attempts=3))
    with pytest.raises(dcs_sessions.ApiError):
        client.query_sessions("i", ["n0", "n1", "n2"])
    assert script.did == ["list"]


def test_instance_without_nodes_has_no_sessions(both: Both, server: ScriptedServer) -> None:
    Script(server, nodes=[nodes()])
    result = both(endpoint=server.endpoint).query_sessions("i")
    assert (result.nodes, result.sessions, result.failed) == ([], [], [])


def test_pauses_between_polls_grow_up_to_the_maximum() -> None:
    seen = list(itertools.islice(pauses(0.2), 6))
    assert seen == pytest.approx([0.05, 0.08, 0.128, 0.2, 0.2, 0.2])
    assert next(pauses(0.01)) == 0.01
