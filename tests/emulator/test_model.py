"""The emulator against a model of the service: any requests, in any order.

Each answer is compared as a whole with the model's. `make fuzz` runs it for longer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from emulator.direct import Direct
from emulator.model import FIELDS, METHODS, Call, Node, Span
from emulator.world import FILTER_VALUES, INSTANCES, PROJECT, World
from support.fake_valkey import Row

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Pacific/Chatham")
ADDRESSES = (
    *("10.0.0.1:5000", "10.0.0.1:5001", "10.0.0.11:500", "10.0.0.111:5000", "192.168.1.1:6379"),
    *("[2001:db8::1]:5000", "[2001:db8::1]:50", "[2001:db8::11]:5000", "[::1]:5000"),
)
NAMES = ("", "worker", "worker-1", "Worker", "a=b", "é", "id=9", "10", "9")
NUMBERS = st.sampled_from((0, 1, 9, 10, 99, 376, 2**31, 2**40))
ROWS = st.fixed_dictionaries(
    {
        "addr": st.sampled_from(ADDRESSES),
        # The address of the server's end, which may be one that a client has elsewhere.
        "laddr": st.sampled_from(ADDRESSES),
        "flags": st.sampled_from(("N", "N", "P", "b", "x", "O", "S", "M", "xb")),
        "multi": st.sampled_from((-1, 0, 1, 12)),
    },
    optional={
        "name": st.sampled_from(NAMES),
        "fd": st.sampled_from(("8", "9", "10", "100")),
        "db": st.sampled_from(("0", "9", "10", "255")),
        "user": st.sampled_from(("default", "ops", "dcs")),
        "events": st.sampled_from(("r", "w", "rw")),
        "cmd": st.sampled_from(("get", "client|list", "info", "blpop")),
        **dict.fromkeys(
            ("age", "idle", "sub", "psub", "qbuf", "qbuf_free", "obl", "oll", "omem"), NUMBERS
        ),
    },
)
NODES = st.integers(0, sum(len(hosts) for _, _, hosts, _ in INSTANCES) - 1)
LOGINS = st.sampled_from(
    (
        *("token", "token", "token", "key", "temporary", "readonly", "noaccess"),
        *("none", "wrong", "expired", "other-project"),
    )
)
PAGES = st.lists(
    st.one_of(
        st.tuples(st.just("offset"), st.sampled_from(("0", "1", "2", "5", "-1", "2147483648"))),
        st.tuples(
            st.just("limit"), st.sampled_from(("1", "2", "3", "10", "1000", "0", "1001", "x", ""))
        ),
        st.tuples(
            st.just("addr"),
            st.sampled_from((*ADDRESSES, "10.0.0.1", "[2001:db8::1]", "2001:db8::1", "10.0.0", "")),
        ),
        st.tuples(st.just("sort"), st.sampled_from((*FIELDS, "qbuf-free", "laddr", "ID"))),
        st.tuples(st.just("order"), st.sampled_from(("asc", "desc", "desc", "ASC", ""))),
        st.tuples(st.just("unknown"), st.just("1")),
    ),
    max_size=4,
    # Twice the same parameter is refused, which would hide the rest.
    unique_by=lambda pair: pair[0],
)
FILTERS = st.lists(
    st.sampled_from([(name, value) for name, values in FILTER_VALUES.items() for value in values]),
    max_size=4,
)
BODIES = st.sampled_from(
    (
        *(b"", b"  ", b"{", b"[]", b"null", b"\xff", b"{}"),
        *(b'{"node_id": null}', b'{"node_id": 1}', b'{"node_id": "x", "clean_cache": 1}'),
        *(b'{"node_id": "x", "client_addrs": "1.2.3.4:5"}', b'{"kill_all_nodes": false}'),
        b'{"kill_all_nodes": "true"}',
    )
)
CONTENT_TYPES = st.sampled_from(
    ("application/json", "application/json;charset=UTF-8", "text/plain", None)
)


@pytest.fixture(autouse=True)
def zone() -> Iterator[None]:
    """Restore the time zone after a test."""
    was = os.environ.get("TZ")
    yield
    _set_zone(was)


def _set_zone(name: str | None) -> None:
    if name is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = name
    time.tzset()


class Machine(RuleBasedStateMachine):
    """Actions of the servers' clients, of the API's callers, and of the servers."""

    kind: type[World] = World

    def __init__(self) -> None:
        super().__init__()
        self.world = self.kind()
        self.began = False

    @initialize(zone=st.sampled_from(ZONES))
    def begin(self, zone: str) -> None:
        _set_zone(zone)
        self.world.__enter__()
        self.began = True

    def teardown(self) -> None:
        if self.began:
            self.world.__exit__()

    def node(self, index: int) -> Node:
        return self.world.nodes[index]

    # What happens to the servers

    @rule(index=NODES, rows=st.lists(ROWS, min_size=1, max_size=5))
    def clients_arrive(self, index: int, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.node(index).server.arrive(**row)

    @rule(index=NODES, skip=st.sampled_from((7, 89, 900)))
    def ids_grow(self, index: int, skip: int) -> None:
        self.node(index).server.next_id += skip

    @rule(index=NODES)
    def restart(self, index: int) -> None:
        self.node(index).server.restart()

    @rule(index=NODES)
    def fall_or_rise(self, index: int) -> None:
        server = self.node(index).server
        if server.is_down:
            server.rise()
        else:
            server.fall()

    @rule(index=NODES)
    def roles_change(self, index: int) -> None:
        server = self.node(index).server
        if not server.is_down:  # of one that is down, the last role is shown
            server.role = "slave" if server.role == "master" else "master"
            self.world.check(self.world.call("logical-nodes", node=self.node(index)))

    @rule(index=NODES, limit=st.sampled_from(("1000", "20000")))
    def limits_change(self, index: int, limit: str) -> None:
        self.node(index).server.configuration["maxclients"] = limit

    # Calls that make sense

    @rule(index=NODES, body=st.sampled_from(({}, {"clean_cache": False}, {"clean_cache": True})))
    def scan(self, index: int, body: dict[str, bool]) -> None:
        self.world.check(self.world.scan(self.node(index), **body))

    @rule(index=NODES, rows=st.lists(ROWS, min_size=1, max_size=6), query=PAGES)
    def scan_and_list(
        self, index: int, rows: list[dict[str, Any]], query: list[tuple[str, str]]
    ) -> None:
        self.clients_arrive(index, rows)
        self.world.check(self.world.scan(self.node(index), clean_cache=True))
        self.world.check(self.world.read(self.node(index), *query))

    @rule(index=NODES, reply=st.sampled_from((b"-ERR no\r\n", b"$3\r\nid=\r\n", b"+OK\r\n")))
    def scan_in_vain(self, index: int, reply: bytes) -> None:
        server = self.node(index).server
        server.replies["CLIENT LIST"] = reply
        self.world.check(self.world.scan(self.node(index), clean_cache=True))
        server.replies.clear()
        self.world.check(self.world.read(self.node(index)))

    @rule(
        held=st.lists(NODES, min_size=1, max_size=2, unique=True),
        rows=ROWS,
        falls=st.sampled_from((False, False, True)),
        data=st.data(),
    )
    def scans_that_take_their_time(
        self, held: list[int], rows: dict[str, Any], falls: bool, data: st.DataObject
    ) -> None:
        """Call every operation while nodes are queried, and let the queries end in any order."""
        world = self.world
        nodes = [self.node(index) for index in held if not self.node(index).server.is_down]
        began = time.time()
        jobs = []
        for node in nodes:
            node.server.hold("CLIENT LIST")
            _, answer = self._start(world.scan(node, clean_cache=True))
            jobs.append(answer.job)
        for node, job in zip(nodes, jobs, strict=True):
            assert job is not None
            world.check(world.job(job))
            world.check(world.read(node))
            world.check(world.scan(node, clean_cache=data.draw(st.booleans())))
        for node, job in data.draw(st.permutations(list(zip(nodes, jobs, strict=True)))):
            assert job is not None
            node.server.arrive(**rows)
            if falls:
                node.server.fall()
            node.server.release("CLIENT LIST")
            world.settle(job, began)
            for other in nodes:
                world.check(world.read(other))
            node.server.rise()

    def _start(self, call: Call) -> tuple[Any, Any]:
        began = time.time()
        got = self.world.plain(call)
        expected = self.world.service.answer(call, Span(began, time.time()))
        self.world.compare(call, got, expected)
        return got, expected

    @rule(index=NODES, query=PAGES)
    def read(self, index: int, query: list[tuple[str, str]]) -> None:
        self.world.check(self.world.read(self.node(index), *query))

    @rule(index=NODES, data=st.data())
    def kill(self, index: int, data: st.DataObject) -> None:
        node = self.node(index)
        rows: list[Row] = [row for other in self.world.nodes for row in other.server.rows]
        known = [text for row in rows for text in (row.addr, row.laddr, row.addr.split(":")[0])]
        shown = [session["addr"] for session in node.stored or ()]
        own = [row.addr for row in node.server.own]
        here = [row.addr for row in node.server.rows]
        addrs = st.sampled_from((*known, *shown, *own, *here, *here, "", "10.0.0.1", "ID", "x y"))
        body = {"node_id": node.node_id, "client_addrs": data.draw(st.lists(addrs, max_size=4))}
        self.world.check(self.world.call("kill", "POST", node, body=body))

    @rule(index=NODES, every=st.sampled_from((True, False, None)), names=st.booleans())
    def kill_all(self, index: int, every: bool | None, names: bool) -> None:
        node = self.node(index)
        body: dict[str, Any] = {} if every is None else {"kill_all_nodes": every}
        if names:
            body["node_id"] = node.node_id
        self.world.check(self.world.call("kill-all", "POST", node, body=body))

    @rule(index=NODES, resource=st.sampled_from(("instance", "configs", "logical-nodes")))
    def look_at_instance(self, index: int, resource: str) -> None:
        self.world.check(self.world.call(resource, node=self.node(index)))

    @rule(query=FILTERS)
    def look_for_instances(self, query: list[tuple[str, str]]) -> None:
        self.world.check(self.world.call("instances", query=query))

    @rule(data=st.data())
    def look_at_jobs(self, data: st.DataObject) -> None:
        jobs = self.world.service.jobs
        if jobs:
            self.world.check(self.world.job(data.draw(st.sampled_from(jobs))))

    # Calls with something wrong, or nothing

    @rule(
        index=NODES,
        other=NODES,
        resource=st.sampled_from((*METHODS, "elsewhere")),
        method=st.sampled_from(("GET", "GET", "POST", "POST", "PUT", "DELETE")),
        login=LOGINS,
        data=st.data(),
    )
    def anything(
        self, index: int, other: int, resource: str, method: str, login: str, data: st.DataObject
    ) -> None:
        node, draw = self.node(index), data.draw
        named = self.node(draw(st.sampled_from((index, index, other)))).node_id
        body = {"node_id": draw(st.sampled_from((named, named, named.upper(), "")))}
        more: dict[str, Any] = {
            "login": login,
            "query": draw(PAGES),
            "job_id": draw(st.sampled_from(("0" * 32, "0" * 31, "F" * 32, named))),
            "project_header": draw(st.sampled_from((None, None, PROJECT, PROJECT[:-1], "x"))),
        }
        if draw(st.integers(0, 3)):
            more["query"] = [("node_id", named), *more["query"]]
        if draw(st.integers(0, 4)) == 0:
            more["project_id"] = draw(st.sampled_from((PROJECT.upper(), PROJECT[:-1] + "2", "x")))
        if draw(st.integers(0, 4)) == 0:
            more["instance_id"] = draw(st.sampled_from((named, "x", f"{PROJECT}/", "é")))
        if method != "GET":
            more["body"] = body | {"client_addrs": [draw(st.sampled_from(ADDRESSES))]}
            if draw(st.integers(0, 3)) == 0:
                more["body"] = draw(BODIES)
                more["content_type"] = draw(CONTENT_TYPES)
        self.world.check(self.world.call(resource, method, node, **more))

    @invariant()
    def nothing_runs(self) -> None:
        assert not self.began or all(node.scanning is None for node in self.world.nodes)


class DirectMachine(Machine):
    """The same without sockets, for which there is time for more."""

    kind = Direct


TestDirectMachine = DirectMachine.TestCase
TestDirectMachine.settings = settings(
    max_examples=5000 if settings().max_examples > 1000 else 15, stateful_step_count=25
)
TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=1500 if settings().max_examples > 1000 else 25, stateful_step_count=30
)
