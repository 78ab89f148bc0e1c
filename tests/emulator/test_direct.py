"""Every value of every parameter, in thousands of calls, against the model in this process."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

import pytest

from dcs_sessions.emulator import Fault
from emulator.direct import Direct
from emulator.model import FIELDS, METHODS, Node, Span
from emulator.test_model import ADDRESSES
from emulator.world import FILTER_VALUES, KEYS, PROJECT, TOKENS, Got
from support.waiting import wait_until


@pytest.fixture
def world() -> Iterator[Direct]:
    with Direct() as world:
        yield world


def fill(node: Node, count: int, *, seed: int = 0) -> None:
    """Let clients connect whose fields differ, and are equal at times."""
    dice = random.Random(seed)
    for number in range(count):
        node.server.next_id += dice.choice((0, 0, 1, 90))
        node.server.arrive(
            addr=f"10.0.{number % 7}.1:{number}"
            if number % 3
            else f"[2001:db8::{number % 9}]:{number}",
            laddr=dice.choice(ADDRESSES),
            name=dice.choice(("", "worker", "Worker", "a=b", "é", "10", "9")),
            flags=dice.choice(("N", "N", "P", "b", "x", "O", "S", "M", "xb")),
            multi=dice.choice((-1, 0, 1, 12)),
            **{field: dice.choice(("8", "9", "10", "100")) for field in ("fd", "db")},
            **{
                field: dice.choice((0, 1, 9, 10, 99, 2**31, 2**40))
                for field in (
                    "age",
                    "idle",
                    "sub",
                    "psub",
                    "qbuf",
                    "qbuf_free",
                    "obl",
                    "oll",
                    "omem",
                )
            },
            events=dice.choice(("r", "w", "rw")),
            cmd=dice.choice(("get", "client|list", "blpop")),
            user=dice.choice(("default", "ops")),
        )


def scanned(world: Direct, node: Node, count: int, *, seed: int = 0) -> None:
    fill(node, count, seed=seed)
    world.check(world.scan(node, clean_cache=True))


# Who calls


def test_every_operation_with_every_login(world: Direct) -> None:
    headers = [(header, PROJECT) for header in (None, PROJECT, PROJECT.upper(), PROJECT[:-1], "")]
    paths = [(None, project) for project in (PROJECT.upper(), PROJECT[1:], "x")]
    for call in world.one_of_each():
        for login in (*TOKENS, *KEYS, "none"):
            for header, project in (*headers, *paths, ("x", "x")):
                world.check(replace(call, login=login, project_header=header, project_id=project))


def test_every_method_of_every_path(world: Direct) -> None:
    for resource in (*METHODS, "elsewhere"):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "X"):
            for login in ("token", "none", "noaccess", "other-project"):
                world.check(world.call(resource, method, login=login, job_id="0" * 32, body={}))


# IDs


def spellings(text: str) -> Iterator[tuple[str, str]]:
    """Return how an ID can be written in a path, and what is meant by it."""
    ways = [quote(text, safe=""), "".join(f"%{ord(letter):02x}" for letter in text)]
    for at in range(0, len(text), 5):
        for code in (f"%{ord(text[at]):02x}", f"%{ord(text[at]):02X}"):
            ways.append(text[:at] + code + text[at + 1 :])
            # It is decoded once: what comes out has a percent sign in it.
            ways.append(text[:at] + quote(code, safe="") + text[at + 1 :])
        ways.append(text[:at] + text[at + 1 :])
        ways.append(text[:at] + text[at].swapcase() + text[at + 1 :])
        ways += [text[:at] + sign + text[at:] for sign in ("%20", "+", "%2F", "%00", "%", "%zz")]
    ways += [f"{text}{more}" for more in ("0", "%20", "%2Fclients", "%3Fa", ";a", ",", "%25")]
    for way in dict.fromkeys(ways):
        yield way, unquote(way)


@pytest.mark.parametrize("kind", ["project_id", "instance_id", "job_id"])
def test_ids_in_paths_are_decoded_once_and_compared_as_a_whole(world: Direct, kind: str) -> None:
    for call in world.one_of_each():
        own = getattr(call, kind)
        if not own or call.resource.startswith("kill"):
            continue
        target, headers = world.request(call)
        for way, meant in spellings(own):
            fields: dict[str, Any] = {kind: meant}
            changed = replace(call, **fields)
            began = time.time()
            got = world.send(call.method, target.replace(own, way, 1), headers, call.body)
            expected = world.service.answer(changed, Span(began, time.time()))
            world.compare(changed, got, expected)
            if expected.job is not None and call.operation == "ScanClients":
                world.settle(expected.job, began)


def test_ids_of_nodes_are_compared_as_a_whole_and_not_decoded(world: Direct) -> None:
    node = world.nodes[0]
    scanned(world, node, 3)
    for way, _ in spellings(node.node_id):
        if way == node.node_id:
            continue
        other = Node(way, node.server)
        body = {"node_id": way, "client_addrs": [row.addr for row in node.server.rows]}
        for call in (
            *(world.scan(other), world.read(other)),
            *(world.call(resource, "POST", node, body=body) for resource in ("kill", "kill-all")),
        ):
            got, _ = world.check(replace(call, instance_id=world.service.instances[0].instance_id))
            assert got.body["error_code"] == "DCS.3053"


def test_node_belongs_to_its_instance(world: Direct) -> None:
    for node in world.nodes:
        fill(node, 2)
    for instance, node in itertools.product(world.service.instances, world.nodes):
        addrs = [row.addr for one in world.nodes for row in one.server.rows][:1]
        body = {"node_id": node.node_id, "client_addrs": addrs}
        for call in (
            *(world.scan(node, clean_cache=True), world.read(node)),
            *(world.call(name, "POST", node, body=body) for name in ("kill", "kill-all")),
        ):
            world.check(replace(call, instance_id=instance.instance_id))
        fill(node, 2)


# Lists


def test_every_parameter_of_a_list_of_sessions(world: Direct) -> None:
    node = world.nodes[0]
    world.check(world.read(node))
    scanned(world, node, 40)
    addrs = [row.addr for row in node.server.rows[:4]]
    hosts = [addr.rpartition(":")[0] for addr in addrs]
    values: dict[str, Sequence[str]] = {
        "offset": ("0", "1", "9", "39", "40", "41", "-1", "", "x", "2147483647", "2147483648"),
        "limit": (
            "1",
            "10",
            "39",
            "40",
            "41",
            "1000",
            "0",
            "1001",
            "",
            " 5",
            "5.0",
            "0x5",
            "\u0665",
        ),
        "addr": (
            *addrs,
            *hosts,
            *(host.strip("[]") for host in hosts),
            "10.0",
            ":1",
            "",
            "10.0.1.1:",
        ),
        "sort": (*FIELDS, "ID", "laddr", "qbuf-free", ""),
        "order": ("asc", "desc", "ASC", "", "ascending"),
        "node_id": (node.node_id,),
        "Limit": ("5",),
    }
    pairs = [(name, value) for name, found in values.items() for value in found]
    for pair in pairs:
        world.check(world.read(node, pair))
        world.check(world.call("clients", node=node, query=[pair]))
    dice = random.Random(1)
    for _ in range(250):
        chosen = [(name, dice.choice(found)) for name, found in list(values.items())[:5]]
        query = dice.sample(chosen, dice.randint(2, 4))
        world.check(world.read(node, *query))


@pytest.mark.parametrize("passes_through", [True, False])
def test_pages_of_a_list_of_thousands(world: Direct, passes_through: bool) -> None:
    instance = next(one for one in world.service.instances if one.passes_through is passes_through)
    node = instance.nodes[-1]
    scanned(world, node, 2_345)
    for sort, order in (("id", "asc"), ("id", "desc"), ("idle", "desc"), ("addr", "asc")):
        for offset in ("0", "999", "1000", "1001", "2000", "2344", "2345", "5000"):
            page = [("offset", offset), ("limit", "1000" if order == "asc" else "7")]
            world.check(world.read(node, *page, ("sort", sort), ("order", order)))
    host = str((node.stored or [])[5]["addr"]).rpartition(":")[0]
    for offset in ("0", "1", "100", "300", "2000"):
        world.check(world.read(node, ("addr", host), ("offset", offset), ("limit", "1000")))


def test_every_filter_of_a_list_of_instances(world: Direct) -> None:
    pairs = [(name, value) for name, values in FILTER_VALUES.items() for value in values]
    shown = (("include_failure", "true"), ("include_delete", "true"), ("limit", "1000"))
    for pair in pairs:
        world.check(world.call("instances", query=[pair]))
        world.check(world.call("instances", query=[pair, pair]))
        others = [each for each in shown if each[0] != pair[0]]
        world.check(world.call("instances", query=[*others, pair]))
    for one, other in itertools.product(
        [("name", value) for value in FILTER_VALUES["name"]],
        [(name, value) for name in ("name_equal", "tags") for value in FILTER_VALUES[name]],
    ):
        world.check(world.call("instances", query=[*shown, one, other]))
    dice = random.Random(1)
    for _ in range(200):
        world.check(world.call("instances", query=dice.sample(pairs, dice.randint(2, 4))))


def test_values_of_queries_and_bodies_are_decoded_once(world: Direct) -> None:
    """A percent sign that comes out of the decoding stays."""
    node = world.nodes[0]
    scanned(world, node, 12)
    row = node.server.rows[0]
    queries: dict[str, Sequence[str]] = {
        "addr": (row.addr, row.addr.rpartition(":")[0]),
        "sort": ("idle",),
        "order": ("asc",),
        "offset": ("2",),
        "limit": ("3",),
    }
    for name, values in queries.items():
        for value in values:
            world.check(world.read(node, (name, value)))
            for changed in encoded(value):
                world.check(world.read(node, (name, changed)))
    for name, values in FILTER_VALUES.items():
        for value in values:
            for changed in encoded(value):
                world.check(world.call("instances", query=[(name, changed)]))
    body = {"node_id": node.node_id, "client_addrs": list(encoded(row.addr))}
    world.check(world.call("kill", "POST", node, body=body))


def encoded(text: str) -> Iterator[str]:
    for at in {0, len(text) // 2, len(text) - 1} if text else ():
        yield f"{text[:at]}%{ord(text[at]):02X}{text[at + 1 :]}"
        yield f"{text[:at]}+{text[at:]}"


# Bodies

NODE = object()
VALUES: Sequence[Any] = (None, True, False, 0, 1, "", "true", "x", [], {}, ["x"], [None], NODE)


def test_every_type_of_every_field_of_a_body(world: Direct) -> None:
    node = world.nodes[0]
    fill(node, 3)
    for resource in ("clients", "kill", "kill-all"):
        for name in ("node_id", "clean_cache", "client_addrs", "kill_all_nodes", "unknown"):
            for value in VALUES:
                body = {"node_id": node.node_id, "client_addrs": ["10.9.9.9:1"]}
                body[name] = node.node_id if value is NODE else value
                world.check(world.call(resource, "POST", node, body=body))
                if name != "unknown":
                    world.check(world.call(resource, "POST", node, body={name: body[name]}))


@pytest.mark.parametrize("resource", ["clients", "kill", "kill-all"])
def test_every_form_of_a_body(world: Direct, resource: str) -> None:
    node = world.nodes[0]
    good = b'{"node_id": "%s", "client_addrs": []}' % node.node_id.encode()
    forms = [
        *(b"", b" ", b"\r\n\t", b"{", b"}", b"[]", b"null", b"1", b'"x"', b"{}", b"\xff", b"{} {}"),
        *(
            good,
            b" \n" + good + b"\n ",
            good[:-1],
            good[:-1] + b", }",
            good + b"\0",
            b"[" + good + b"]",
        ),
        *(good.replace(b'"', b"'"), b"\xef\xbb\xbf" + good, good.decode().encode("utf-16")),
        *(good[:-1] + b', "a": ' + word + b"}" for word in (b"NaN", b"Infinity", b"-Infinity")),
        *(good[:-1] + b', "a": ' + word + b"}" for word in (b"1e400", b"01", b".5", b"nan", b"1")),
        good.replace(b"{", b'{"node_id": null, ', 1),
        good.replace(b"node_id", b"\\u006eode_id"),
        b'{"node_id": "\xe9"}',
        b'{"node_id": "\\ud800"}',
    ]
    types = [
        *(
            "application/json",
            "application/json;charset=UTF-8",
            " Application/JSON ; x",
            "text/json",
        ),
        *(
            "application/json, text/plain",
            "application/jsonp",
            "json",
            "",
            "application/x-json",
            ";",
        ),
    ]
    for form in forms:
        for content_type in types if form == good else types[:2]:
            call = world.call(resource, "POST", node, body=form, content_type=content_type)
            world.check(call)
    for content_type in types:
        world.check(world.call(resource, "POST", node, body=b"", content_type=content_type))


# Ends


def test_kill_ends_the_sessions_of_these_addresses_alone(world: Direct) -> None:
    dice = random.Random(1)
    for node in world.nodes:
        for one in world.nodes:
            one.server.restart()
            fill(one, 6, seed=dice.randint(0, 3))
        here = [row.addr for row in node.server.rows]
        for number in (0, 1, 1, 2, 6):
            chosen = dice.sample(here, number)
            near = [
                wrong
                for addr in chosen
                for wrong in (addr[:-1], f"{addr}0", addr.upper() + " ", addr.rpartition(":")[0])
            ]
            own = [row.addr for row in node.server.own]
            elsewhere = [
                row.addr for one in world.nodes if one is not node for row in one.server.rows
            ]
            others = [addr for addr in elsewhere if addr not in here]
            for addrs in (near, others, own, chosen):
                body = {"node_id": node.node_id, "client_addrs": addrs}
                world.check(world.call("kill", "POST", node, body=body))


@pytest.mark.parametrize("is_down", [False, True])
def test_kill_all_ends_the_sessions_of_all_its_nodes_or_of_none(
    world: Direct, is_down: bool
) -> None:
    bodies: list[dict[str, Any]] = [{}, {"kill_all_nodes": False}, {"kill_all_nodes": True}]
    for node in world.nodes:
        for body, names in itertools.product(bodies, (False, True)):
            for one in world.nodes:
                one.server.rise()
                one.server.restart()
                fill(one, 9, seed=3)
            if is_down:
                node.server.fall()
            # In the name of each node of its instance, also of one that does not answer.
            instance = next(one for one in world.service.instances if node in one.nodes)
            for named in instance.nodes:
                more = {"node_id": named.node_id} if names else {}
                world.check(world.call("kill-all", "POST", named, body={**body, **more}))


# Jobs and scans


def test_jobs_are_found_by_their_whole_id(world: Direct) -> None:
    jobs = []
    for node in world.nodes[:3]:
        _, answer = world.check(world.scan(node))
        assert answer.job is not None
        jobs.append(answer.job)
    for job in jobs:
        own = job.job_id.value
        world.check(world.job(job))
        for other in (
            *(own[:-1], own[:-1] + "g", own[:16], own[:8] * 4, own[::-1], own.upper(), own + "0"),
            *(
                own[:-1] + ("0" if own[-1] != "0" else "1"),
                ("0" if own[0] != "0" else "1") + own[1:],
            ),
            *(f" {own}", f"{own}\n", "0" * 32, "\u0660" * 32, "-".join((own[:8], own[8:]))),
        ):
            if other not in {one.job_id.value for one in jobs}:
                got, _ = world.check(world.call("job", job_id=other))
                assert got.status in {400, 404}


def test_scan_without_clean_cache_keeps_the_list(world: Direct) -> None:
    for node in world.nodes:
        for body in ({}, {"clean_cache": False}, {"clean_cache": True}, {}, {"clean_cache": True}):
            fill(node, 1)
            world.check(world.scan(node, **body))
            world.check(world.read(node))
    for node in world.nodes:
        world.check(world.read(node))


@pytest.mark.parametrize("reply", [b"-ERR no\r\n", b"$3\r\nid=\r\n", b"+OK\r\n", b":5\r\n"])
def test_scan_that_fails_keeps_the_list_and_the_next_one_succeeds(
    world: Direct, reply: bytes
) -> None:
    for node in world.nodes:
        for _ in range(2):
            node.server.replies["CLIENT LIST"] = reply
            world.check(world.scan(node, clean_cache=True))
            world.check(world.read(node))
            node.server.replies.clear()
            scanned(world, node, 2)
            world.check(world.read(node))


def test_while_a_node_is_scanned_it_alone_refuses_scans(world: Direct) -> None:
    for has_list, node in itertools.product((False, True), world.nodes):
        fill(node, 2)
        assert (node.stored is not None) is has_list
        node.server.hold("CLIENT LIST")
        began = time.time()
        scan = world.scan(node, clean_cache=True)
        got = world.plain(scan)
        answer = world.service.answer(scan, Span(began, time.time()))
        world.compare(scan, got, answer)
        assert answer.job is not None
        for one in world.nodes:
            world.check(world.read(one))
            world.check(world.scan(one) if one is node else world.job(answer.job))
        node.server.release("CLIENT LIST")
        world.settle(answer.job, began)
        world.check(world.read(node))


def test_nodes_are_described_by_what_they_are_now(world: Direct) -> None:
    for node in world.nodes:
        for role in ("slave", "master", "slave"):
            node.server.role = role
            world.check(world.call("logical-nodes", node=node))
            # Of one that is down, the last role is shown.
            node.server.fall()
            world.check(world.call("logical-nodes", node=node))
            world.check(world.call("configs", node=node))
            node.server.rise()
        node.server.configuration = {"maxclients": "123", "timeout": "7", "other": "1"}
        world.check(world.call("configs", node=node))


# Faults


class Slept:
    """Stands for `asyncio.sleep` in the application."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seen: Callable[[], object]) -> None:
        self.seconds: list[float] = []
        self.seen: list[object] = []
        self._see = seen
        self._sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", self)

    async def __call__(self, seconds: float) -> None:
        if seconds:
            self.seconds.append(seconds)
            self.seen.append(self._see())
        await self._sleep(0)


def test_latency_is_that_of_the_operation_and_comes_first(
    world: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    def done() -> object:
        """Return what can be seen of calls that were carried out."""
        servers = [node.server for node in world.nodes]
        return [len(server.commands) for server in servers], len(world.state.jobs._jobs)

    operations = world.one_of_each()
    slept = Slept(monkeypatch, done)
    for call, other in itertools.product(operations, operations):
        world.dcs.faults = [Fault(latency=7, operation=call.operation), Fault(latency=0.5)]
        slept.seconds.clear()
        slept.seen.clear()
        before = done()
        world.check(other)
        assert slept.seen[0] == before, "nothing is done before the wait"
        # More than one request is made to see how a job ends.
        expected = [7.5 if other.operation == call.operation else 0.5]
        assert slept.seconds[:1] == expected, (call.operation, other.operation)
    # The fault is drawn before anything is carried out.
    for call in operations:
        world.dcs.faults = [Fault(latency=7), Fault(status=503, operation=call.operation)]
        slept.seconds.clear()
        assert world.plain(call).status == 503
        assert slept.seconds == [7.0]


def test_fault_affects_its_operation_alone(world: Direct) -> None:
    operations = world.one_of_each()
    for call, other in itertools.product(operations, operations):
        is_same = call.operation == other.operation
        for status in (400, 401, 403, 404, 429, 500, 502, 599) if is_same else (500,):
            world.dcs.faults = [Fault(status=status, operation=call.operation)]
            got = world.plain(other)
            if is_same:
                assert got.status == status
                is_faulty(got)
            else:
                assert got.status < 300
            wait_until(lambda: nothing_runs(world))


def is_faulty(got: Got) -> None:
    """Check the answer of an injected fault: an error of the service, or a page of a proxy."""
    if got.headers["content-type"] == "application/json":
        text = got.body.get("error_ext_msg", got.body["error_msg"])
        assert text.endswith("This fault was injected.")
    else:
        assert got.headers["content-type"] == "text/html; charset=utf-8"
        assert re.fullmatch(
            rf"<html><head><title>({got.status}[ \w]*)</title></head>"
            r"<body><center><h1>\1</h1></center></body></html>\n",
            got.raw.decode(),
        )


def nothing_runs(world: Direct) -> bool:
    async def turn() -> None:
        await asyncio.sleep(0)

    world.loop.run(turn())
    return not any(node.scanning for one in world.state.instances for node in one.nodes)
