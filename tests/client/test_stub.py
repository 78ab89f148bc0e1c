"""The stub for the tests of users, compared with a model: any calls in any order."""

from __future__ import annotations

import datetime
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import testing
from dcs_sessions.testing import INSTANCE_ID, Failure, Stub

Row = dict[str, Any]
NODES = ("n1", "n2", "no-such-node")
ADDRESSES = ("10.0.0.5:1", "10.0.0.5:2", "10.0.0.1:40001", "10.0.0.1:40002", "10.0.0.1:40003")
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 9).map(str),
        "addr": st.sampled_from(ADDRESSES),
        "peer": st.sampled_from((*ADDRESSES, "", None)),
        "name": st.sampled_from(("worker", "web", "")),
        "user": st.just("ops"),
        "age": st.sampled_from((0, 7, 5000, "7")),
        "node_id": st.just("of the node"),
        "new": st.just([1]),
    },
)
STEPS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from((0.4, 1.0, 700.0))),
    st.tuples(st.just("scan"), st.sampled_from(NODES), st.booleans()),
    st.tuples(
        st.just("list"),
        st.sampled_from(NODES),
        st.integers(0, 2),
        st.sampled_from((1, 2, 10)),
        st.sampled_from((None, None, *ADDRESSES)),
        st.sampled_from((None, "age", "name", "new", "no such field")),
        st.sampled_from((None, "asc", "desc")),
    ),
    st.tuples(
        st.just("kill"), st.sampled_from(NODES), st.lists(st.sampled_from(ADDRESSES), min_size=1)
    ),
    st.tuples(st.just("kill all"), st.sampled_from((*NODES, None))),
    st.tuples(st.just("nodes")),
)


class Model:
    """The prepared sessions, as the documentation of `Stub` describes them."""

    def __init__(self, sessions: dict[str, list[Row]]) -> None:
        self.sessions = {node: [dict(row) for row in rows] for node, rows in sessions.items()}
        self.lists: dict[str, tuple[float, list[Row]]] = {}
        self.next_number = 1
        self.elapsed = 0.0

    def complete(self, row: Row) -> None:
        """Fill in what is missing. Who has no ID gets the next number, and an address of it."""
        if "id" not in row:
            row["id"] = str(self.next_number)
            self.next_number += 1
        own = f"10.0.0.1:{40000 + int(row['id'])}"
        address = row.get("peer") or row.get("addr") or own
        for name, value in (("addr", address), ("peer", address), ("name", "")):
            row.setdefault(name, value)
        row.setdefault("user", "default")
        row.setdefault("age", 3600)

    def scan(self, node: str, *, is_fresh: bool) -> str | None:
        if node not in self.sessions:
            return "DCS.3053"
        if is_fresh or node not in self.lists:
            rows: list[Row] = []
            for row in self.sessions[node]:
                self.complete(row)
                shown = {**row, "node_id": node}
                if isinstance(row["age"], int):
                    shown["age"] = row["age"] + int(self.elapsed)
                rows.append(shown)
            self.lists[node] = (self.elapsed, rows)
        return None

    def page(
        self,
        node: str,
        offset: int,
        limit: int,
        addr: str | None,
        sort: str | None,
        order: str | None,
    ) -> str | tuple[float, int, list[Row]]:
        if node not in self.sessions:
            return "DCS.3053"
        if node not in self.lists:
            return "DCS.5000"
        at, rows = self.lists[node]
        rows = [row for row in rows if addr is None or row["addr"] == addr]
        if sort is not None:
            # Numbers before strings; who has no such field comes by the name of its type.
            rows = sorted(
                rows,
                key=lambda row: (type(row.get(sort)).__name__, row.get(sort)),
                reverse=order == "desc",
            )
        return at, len(rows), rows[offset : offset + limit]

    def kill(self, node: str, addresses: list[str]) -> None:
        rows = self.sessions.get(node, [])
        for row in rows:
            self.complete(row)
        rows[:] = [row for row in rows if (row["peer"] or row["addr"]) not in addresses]

    def kill_all(self, node: str | None) -> None:
        for one, rows in self.sessions.items():
            if node is None or node == one:
                rows.clear()


@pytest.fixture(scope="module")
def clock() -> Iterator[types.SimpleNamespace]:
    now = types.SimpleNamespace(now=1000.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "time", types.SimpleNamespace(monotonic=lambda: now.now))
        yield now


@settings(max_examples=40)
@given(
    sessions=st.fixed_dictionaries(
        {"n1": st.lists(ROWS, max_size=4)}, optional={"n2": st.lists(ROWS, max_size=4)}
    ),
    steps=st.lists(STEPS, max_size=12),
)
def test_stub_answers_as_the_model(
    clock: types.SimpleNamespace, sessions: dict[str, list[Row]], steps: list[tuple[Any, ...]]
) -> None:
    stub, model = Stub(sessions), Model(sessions)
    began = datetime.datetime.now(datetime.UTC)
    with stub.client(retry=None) as client:
        for what, *arguments in steps:
            if what == "wait":
                clock.now += arguments[0]
                model.elapsed += arguments[0]
            elif what == "scan":
                node, is_fresh = arguments
                expected = model.scan(node, is_fresh=is_fresh)
                if expected is None:
                    job = client.scan_sessions(INSTANCE_ID, node, clean_cache=is_fresh)
                    assert client.get_job(job).status == "SUCCESS"
                else:
                    with pytest.raises(dcs_sessions.BadRequestError) as caught:
                        client.scan_sessions(INSTANCE_ID, node, clean_cache=is_fresh)
                    assert caught.value.error_code == expected
            elif what == "list":
                node, offset, limit, addr, sort, order = arguments
                page = model.page(node, offset, limit, addr, sort, order)
                options = {"offset": offset, "limit": limit, "addr": addr, "sort": sort}
                if isinstance(page, str):
                    with pytest.raises(dcs_sessions.ApiError) as failed:
                        client.list_sessions(INSTANCE_ID, node, order=order, **options)
                    assert failed.value.error_code == page
                    continue
                found = client.list_sessions(INSTANCE_ID, node, order=order, **options)
                at, count, rows = page
                assert [session.to_dict() for session in found.clients] == rows
                assert found.count == count
                assert found.time.endswith("Z")
                assert found.time_utc is not None
                assert abs((found.time_utc - began).total_seconds() - at) < 60
            elif what == "kill":
                model.kill(*arguments)
                client.kill_sessions(INSTANCE_ID, *arguments)
            elif what == "kill all":
                model.kill_all(arguments[0])
                job = client.kill_all_sessions(
                    INSTANCE_ID, arguments[0], all_nodes=arguments[0] is None
                )
                assert client.wait_for_job(job).job_id == job
            else:
                nodes = client.list_nodes(INSTANCE_ID)
                assert [node.node_id for node in nodes] == list(sessions)
                assert {node.node_role for node in nodes} <= {"redis-server"}
    assert stub.sessions == model.sessions


@pytest.mark.parametrize("peer", ["", None])
def test_session_without_a_peer_is_ended_by_its_address(peer: str | None) -> None:
    stub = Stub({"n1": [{"addr": "10.0.0.5:1", "peer": peer}]})
    with stub.client() as client:
        (outcome,) = client.end_sessions(INSTANCE_ID, client.query_sessions(INSTANCE_ID))
    assert (outcome.result, outcome.address) == ("ended", "10.0.0.5:1")
    assert stub.sessions == {"n1": []}


def test_session_whose_id_is_no_number_gets_an_address() -> None:
    stub = Stub({"n1": [{"id": "abc"}]})
    with stub.client() as client:
        (session,) = client.query_sessions(INSTANCE_ID).sessions
    assert (session.id, session.addr) == ("abc", "10.0.0.1:40001")


OPERATIONS: dict[str, Callable[[dcs_sessions.Client], object]] = {
    "ListInstances": lambda client: client.list_instances(),
    "ShowInstance": lambda client: client.get_instance(INSTANCE_ID),
    "ListConfigurations": lambda client: client.list_configurations(INSTANCE_ID),
    "ShowNodesInformation": lambda client: client.list_nodes(INSTANCE_ID),
    "ScanClients": lambda client: client.scan_sessions(INSTANCE_ID, "n1"),
    "ListClients": lambda client: client.list_sessions(INSTANCE_ID, "n1"),
    "HangUpClients": lambda client: client.kill_sessions(INSTANCE_ID, "n1", ["a"]),
    "HangUpKillAllClients": lambda client: client.kill_all_sessions(INSTANCE_ID, "n1"),
    "ShowJobInfo": lambda client: client.get_job("job"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_stub_fails_as_it_is_told(operation: str) -> None:
    stub = Stub({"n1": []})
    with stub.client(retry=None) as client:
        client.scan_sessions(INSTANCE_ID, "n1")
        stub.operations.clear()
        OPERATIONS[operation](client)
        for failure in (Failure(), Failure(429, "APIGW.0308", {"Retry-After": "0.01"})):
            stub.failures = {operation: failure}
            with pytest.raises(
                dcs_sessions.ApiError, match="This failure was configured"
            ) as caught:
                OPERATIONS[operation](client)
            assert caught.value.status == failure.status
            assert caught.value.error_code == failure.error_code
            assert caught.value.retry_after == (0.01 if failure.headers else None)
            assert caught.value.request_id == "stub"
        stub.failures = {operation: Failure(None)}
        with pytest.raises(dcs_sessions.ApiConnectionError, match="the stub broke the connection"):
            OPERATIONS[operation](client)
        stub.failures = {}
        OPERATIONS[operation](client)
    assert stub.operations == [operation] * 5


def test_stub_has_one_instance() -> None:
    for nodes, mode in ((1, "single"), (2, "cluster")):
        stub = Stub({f"n{number}": [] for number in range(nodes)}, instance_id="mine")
        with stub.client(retry=None) as client:
            (listed,) = client.list_instances()
            shown = client.get_instance("mine")
            for found in (listed, shown):
                assert (found.instance_id, found.name) == ("mine", "stub")
                assert (found["status"], found["cache_mode"]) == ("RUNNING", mode)
            assert client.raw.list_instances(offset=1).parsed.instances == []
            assert client.raw.list_instances().parsed.instance_num == 1
            assert client.list_configurations("mine") == []
            assert client.raw.list_nodes("mine").parsed.total == nodes
            with pytest.raises(dcs_sessions.NotFoundError) as caught:
                client.list_nodes(INSTANCE_ID)
            assert caught.value.error_code == "DCS.3022"


def test_stub_has_only_the_operations_of_the_client() -> None:
    stub = Stub({"n1": []})
    for method, target in (("GET", "/v2/p"), ("PUT", f"/v2/p/instances/{INSTANCE_ID}/clients")):
        request = dcs_sessions.Request(method, "https://x", target, {})
        assert stub.answer(request).status == 404
    assert stub.operations == []
