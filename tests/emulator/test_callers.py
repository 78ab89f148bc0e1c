"""Wrong credentials, one byte at a time, and many callers at once."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dcs_sessions.emulator import Fault
from emulator.model import FIELDS, METHODS, Call, Node, Span
from emulator.world import KEYS, PROJECT, TOKENS, Got, World
from support.waiting import wait_until


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> World:
    """A world whose servers have just started. The emulator keeps its stored lists."""
    for node in shared_world.nodes:
        node.server.clear()
    # Its connections end with that.
    shared_world.nodes[2 + 2 + 1].server.role = "slave"
    return shared_world


def others(text: str) -> Iterator[str]:
    """Return the text with each character changed, left out, or doubled, and each part of it."""
    for at, character in enumerate(text):
        changed = "0" if character != "0" else "1"
        yield text[:at] + changed + text[at + 1 :]
        yield text[:at] + text[at + 1 :]
        yield text[:at] + character + text[at:]
        if at:
            yield text[:at]
            yield text[at:]
        if character.swapcase() != character:
            yield text[:at] + character.swapcase() + text[at + 1 :]


def refused(got: Got) -> tuple[int, str]:
    return got.status, got.body["error_code"]


def test_every_operation_is_called_with_every_login(world: World) -> None:
    for call in world.one_of_each():
        for login in (*TOKENS, *KEYS, "none"):
            for project in (None, PROJECT, PROJECT[:-1], ""):
                world.check(replace(call, login=login, project_header=project))


@pytest.mark.parametrize("name", ["token", "readonly"])
def test_token_with_any_character_changed_is_refused(world: World, name: str) -> None:
    known = set(TOKENS.values())
    operations = world.one_of_each()
    for number, token in enumerate(others(TOKENS[name])):
        call = operations[number % len(operations)]
        target, headers = world.request(call)
        if token not in known:
            got = world.send(call.method, target, {**headers, "X-Auth-Token": token}, call.body)
            assert refused(got) == (401, "DCS.1001"), token


@pytest.mark.parametrize("name", KEYS)
def test_signature_with_any_character_changed_is_refused(world: World, name: str) -> None:
    operations = world.one_of_each()
    for call in operations[:2]:
        target, headers = world.request(replace(call, login="none"))
        signed = world.sign(call, target, headers | {"X-Project-Id": PROJECT}, *KEYS[name])
        assert world.send(call.method, target, signed, call.body).status < 300
        start, _, signature = signed["Authorization"].partition("Signature=")
        for changed in others(signature):
            value = f"{start}Signature={changed}"
            got = world.send(call.method, target, {**signed, "Authorization": value}, call.body)
            assert refused(got) == (401, "APIGW.0301"), changed


@pytest.mark.parametrize("name", KEYS)
def test_keys_with_any_character_changed_are_refused(world: World, name: str) -> None:
    call = world.call("logical-nodes", login="none")
    target, headers = world.request(call)
    access_key, secret_key, token = KEYS[name]
    pairs = [
        *((access_key, secret, token) for secret in others(secret_key)),
        *((access, secret_key, token) for access in others(access_key)),
        *((access_key, secret_key, changed) for changed in others(token or "")),
    ]
    for pair in pairs:
        got = world.send("GET", target, world.sign(call, target, headers, *pair))
        assert refused(got) == (401, "APIGW.0301"), pair


@pytest.mark.parametrize("name", KEYS)
def test_whatever_was_signed_cannot_be_changed(world: World, name: str) -> None:
    call = world.call("clients", "POST", body={"node_id": world.nodes[0].node_id}, login="none")
    target, headers = world.request(call)
    headers |= {"X-Project-Id": PROJECT, "X-Trace": "abc"}
    signed = world.sign(call, target, headers, *KEYS[name])

    def status(
        changed: Mapping[str, str], target: str = target, body: bytes = call.body
    ) -> tuple[int, str]:
        got = world.send("POST", target, changed, body)
        return (got.status, "") if got.status < 300 else refused(got)

    assert status(signed)[0] == 200
    for header in set(signed) - {"Authorization"}:
        without = {key: value for key, value in signed.items() if key != header}
        if header != "Host":  # without which there is no request
            assert status(without) == (401, "APIGW.0301"), header
        other = "localhost" if header == "Host" else signed[header][:-1] + "x"
        assert status({**signed, header: other}) == (401, "APIGW.0301"), header
        # It is in the request, but not said to be signed.
        names = signed["Authorization"].replace(f"{header.lower()};", "")
        names = names.replace(f";{header.lower()},", ",")
        assert names != signed["Authorization"]
        assert status({**signed, "Authorization": names}) == (401, "APIGW.0301"), header
    for body in (call.body + b" ", call.body.replace(b":", b" :"), b"{}", b""):
        assert status(signed, body=body) == (401, "APIGW.0301"), body
    for changed in (f"{target}?", f"{target}?a=b", f"{target}/kill", target.replace("v2", "%762")):
        expected = (401, "APIGW.0301") if changed != f"{target}?" else None
        got = status(signed, changed)
        assert got in ([expected] if expected else [(200, ""), (401, "APIGW.0301")]) or (
            got == (404, "APIGW.0101")
        ), changed
    # A header that was not signed may be there.
    assert status({**signed, "X-Other": "1"})[0] == 200


@pytest.mark.parametrize("seconds", [-14 * 60, 0, 14 * 60])
def test_clock_may_be_off_by_less_than_fifteen_minutes(world: World, seconds: int) -> None:
    assert _signed(world, seconds).status == 200


@pytest.mark.parametrize(
    "seconds", [-15 * 60 - 5, 15 * 60 + 30, -3600, 3600, 8 * 3600, -8 * 3600, 24 * 3600]
)
def test_clock_that_is_off_by_more_is_refused(world: World, seconds: int) -> None:
    assert refused(_signed(world, seconds)) == (401, "APIGW.0301")


def _signed(world: World, seconds: int) -> Got:
    call = world.call("logical-nodes", login="none")
    target, headers = world.request(call)
    off = timedelta(seconds=seconds)
    return world.send("GET", target, world.sign(call, target, headers, *KEYS["key"], off=off))


def test_token_counts_before_a_signature(world: World) -> None:
    call = world.call("logical-nodes", login="none")
    target, headers = world.request(call)
    signed = world.sign(call, target, headers, *KEYS["key"])
    assert world.send("GET", target, {**signed, "X-Auth-Token": TOKENS["token"]}).status == 200
    got = world.send("GET", target, {**signed, "X-Auth-Token": TOKENS["wrong"]})
    assert refused(got) == (401, "DCS.1001")


# Many at once


@contextlib.contextmanager
def connections(world: World, count: int) -> Iterator[list[http.client.HTTPConnection]]:
    with contextlib.ExitStack() as stack:
        opened = [world.connect() for _ in range(count)]
        for connection in opened:
            stack.callback(connection.close)
        yield opened


@pytest.mark.parametrize("command", ["PING", "CLIENT LIST"])
def test_one_of_many_queries_at_once_is_let_in(world: World, command: str) -> None:
    node = world.nodes[0]
    node.server.arrive(addr="10.0.0.1:1")
    began = time.time()
    scan = world.scan(node, clean_cache=True)
    target, headers = world.request(scan)
    node.server.hold(command)
    with connections(world, 8) as opened:
        for connection in opened:
            connection.request("POST", target, scan.body, headers)
        wait_until(lambda: node.server.is_asked(command))
        # By the time that these are answered, all of them have got as far as they can.
        for _ in range(3):
            world.check(world.call("instances"))
        node.server.release(command)
        answers = [connection.getresponse() for connection in opened]
        bodies = [json.loads(answer.read()) for answer in answers]
    started = [body["job_id"] for body in bodies if "job_id" in body]
    assert len(started) == 1
    assert sorted(answer.status for answer in answers) == [200, *[400] * 7]
    assert {body["error_code"] for body in bodies if "job_id" not in body} == {"DCS.4957"}
    answer = world.service.answer(scan, Span(began, time.time()))
    assert answer.job is not None
    assert answer.body == {"job_id": started[0]}
    world.settle(answer.job, began)
    lists = [arguments for arguments in node.server.commands if arguments[1:] == ("LIST",)]
    assert len(lists) == 1
    world.check(world.read(node))


@pytest.mark.parametrize("stored", [False, True], ids=["first", "again"])
def test_list_is_of_the_end_of_the_scan(stored: bool) -> None:
    delay = 0.3
    with World(scan_delay=delay) as world:
        node = world.nodes[0]
        node.server.arrive(addr="10.0.0.1:1", name="stays")
        goes = node.server.arrive(addr="10.0.0.2:1", name="goes")
        if stored:
            world.check(world.scan(node))
        node.server.hold("CLIENT LIST")
        began, clock = time.time(), time.monotonic()
        scan = world.scan(node, clean_cache=True)
        got = world.plain(scan)
        answer = world.service.answer(scan, Span(began, time.time()))
        world.compare(scan, got, answer)
        assert answer.job is not None
        briefly = node.server.arrive(addr="10.0.0.3:1", name="comes and goes")
        for _ in range(2):
            # The list of before or none, a refused scan, and a job that runs.
            for call in (world.read(node), scan, world.job(answer.job)):
                world.check(call)
            wait_until(lambda: node.server.is_asked("CLIENT LIST"))
            assert time.monotonic() - clock >= delay, "the server was asked too early"
        node.server.arrive(addr="10.0.0.4:1", name="comes")
        node.server.rows = [row for row in node.server.rows if row not in (goes, briefly)]
        changed = time.time()
        node.server.release("CLIENT LIST")
        # The times of the list and of the end of the job are after the changes.
        world.settle(answer.job, changed)
        assert [session["name"] for session in node.stored or ()] == ["stays", "comes"]


@pytest.mark.parametrize("first", [0, 1, None])
def test_nodes_that_are_queried_at_once_keep_their_own_lists(
    world: World, first: int | None
) -> None:
    nodes = world.nodes[:2]
    for node in nodes:
        for port in range(30):
            node.server.arrive(addr=f"10.0.{nodes.index(node)}.1:{port}", name=node.node_id)
        node.server.hold("CLIENT LIST")
    began = time.time()
    jobs = []
    for node in nodes:
        scan = world.scan(node, clean_cache=True)
        got = world.plain(scan)
        answer = world.service.answer(scan, Span(began, time.time()))
        world.compare(scan, got, answer)
        jobs.append((node, answer.job))
    for node in nodes:
        wait_until(lambda node=node: node.server.is_asked("CLIENT LIST"))  # type: ignore[misc]
    if first is None:  # both answer at the same time
        for node in nodes:
            node.server.release("CLIENT LIST")
    for node, job in (jobs[first or 0], jobs[1 - (first or 0)]):
        assert job is not None
        if first is not None:
            node.server.release("CLIENT LIST")
        world.settle(job, began)
        for other, _ in jobs if first is not None else ():
            world.check(world.read(other))
    for node in nodes:
        world.check(world.read(node))


def test_many_callers_get_their_own_answers(world: World) -> None:
    operations = [call for call in world.one_of_each() if call.method == "GET"]
    began = threading.Barrier(8)
    span = Span(time.time() - 60, time.time() + 60)
    expected = [world.service.answer(call, span) for call in operations]

    def ask(number: int) -> list[tuple[Call, Got, Any]]:
        connection = world.connect()
        try:
            began.wait(30)
            order = [(number + step) % len(operations) for step in range(25)]
            return [
                (operations[at], world.plain(operations[at], connection), expected[at])
                for at in order
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(ask, range(8)):
            for call, got, answer in answers:
                world.compare(call, got, answer)


def test_list_is_whole_while_it_is_replaced_again_and_again(world: World) -> None:
    node = world.nodes[0]
    ended = threading.Event()
    seen: dict[str, set[str]] = {}

    def renew(generation: int) -> None:
        node.server.rows = []
        for port in range(1200):
            node.server.arrive(addr=f"10.0.0.1:{port}", name=f"g{generation}")

    def read() -> None:
        connection = world.connect()
        try:
            while not ended.is_set():
                for offset in ("0", "1000"):
                    page = world.plain(
                        world.read(node, ("limit", "1000"), ("offset", offset)), connection
                    ).body
                    assert page["count"] == 1200
                    names = {session["name"] for session in page["clients"]}
                    assert len(page["clients"]) == (1000 if offset == "0" else 200)
                    seen.setdefault(page["time"], set()).update(names)
        finally:
            connection.close()

    renew(0)
    world.check(world.scan(node, clean_cache=True))
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for generation in range(1, 8):
                renew(generation)
                world.check(world.scan(node, clean_cache=True))
        finally:
            ended.set()
        for reader in readers:
            reader.result(60)
    assert all(len(names) == 1 for names in seen.values()), seen


def test_every_field_sorts_in_both_orders(world: World) -> None:
    node = world.nodes[0]
    for number in (9, 10, 2, 100, 33, 1):
        fields = dict.fromkeys(
            ("age", "idle", "sub", "psub", "qbuf", "qbuf_free", "obl", "oll", "omem"), number * 7
        )
        node.server.arrive(
            addr=f"10.0.0.{number}:{number}",
            fd=str(number * 3 % 101),
            db=str(number % 34),
            name=f"n{number * 5 % 13}",
            user=f"u{number % 4}",
            cmd=f"c{number % 5}",
            events="rw"[: number % 2 + 1],
            flags="Nbx"[number % 3],
            multi=number % 7 - 1,
            **{name: value % (index + 11) for index, (name, value) in enumerate(fields.items())},
        )
    world.check(world.scan(node, clean_cache=True))
    for field in FIELDS:
        for order in ("asc", "desc", None):
            query = [("sort", field), *([("order", order)] if order else [])]
            world.check(world.read(node, *query))
            world.check(world.read(node, *query, ("offset", "1"), ("limit", "3")))


def test_instances_of_every_type_are_shown_and_found_as_they_are(world: World) -> None:
    for node in world.nodes:
        for resource in ("instance", "configs", "logical-nodes"):
            world.check(world.call(resource, node=node))
    shown = ("include_failure", "true"), ("include_delete", "true")
    for ip in ("127.0.0.1", "::1", "127.0.0.2"):
        world.check(world.call("instances", query=[("ip", ip), *shown]))


def test_node_that_is_gone_keeps_its_last_role(world: World) -> None:
    for role in ("slave", "master", "slave"):
        for node in world.nodes:
            node.server.role = role
            world.check(world.call("logical-nodes", node=node))
            node.server.fall()
            for _ in range(2):
                world.check(world.call("logical-nodes", node=node))
            node.server.rise()


@pytest.mark.parametrize("sort", ["id", "name", "addr"])
def test_pages_of_three_thousand_sessions_are_the_list(world: World, sort: str) -> None:
    node = world.nodes[0]
    for number in range(3000):
        host = "[2001:db8::1]" if number % 3 else "10.0.0.1"
        node.server.arrive(addr=f"{host}:{1024 + number}", name=f"w{number % 70}")
    world.check(world.scan(node, clean_cache=True))
    for order in ("asc", "desc"):
        found: list[str] = []
        for offset in (*range(0, 3001, 1000), 2999, 999, 1001, 5000):
            query = ({"offset": str(offset), "limit": "1000", "sort": sort, "order": order}).items()
            got, _ = world.check(world.read(node, *query))
            if offset % 1000 == 0:
                found += [session["id"] for session in got.body["clients"]]
        assert len(found) == len(set(found)) == 3000
    got, _ = world.check(world.read(node, ("addr", "2001:db8::1"), ("offset", "1990")))
    assert got.body["count"] == 2000
    peers = [session["peer"] for session in got.body["clients"]]
    body = {"node_id": node.node_id, "client_addrs": peers}
    world.check(world.call("kill", "POST", node, body=body))
    assert len(node.server.rows) == 2990


def test_nobody_is_ended_when_one_of_all_nodes_is_gone(world: World) -> None:
    nodes = world.nodes[:2]
    for down in nodes:
        for node in nodes:
            node.server.clear()
            node.server.arrive(addr="10.0.0.1:1")
        down.server.fall()
        call = world.call("kill-all", "POST", nodes[0], body={"kill_all_nodes": True})
        got, _ = world.check(call)
        assert refused(got) == (500, "DCS.5053")
        down.server.rise()


def test_every_caller_has_a_limit_of_its_own_that_ends() -> None:
    with World(rate_limit=(3, 1)) as world:
        wanted = [replace(world.call("instance"), login=login) for login in ("token", "key")]

        def burst() -> tuple[list[list[int]], float]:
            """Send more requests than allowed. Return the statuses and the duration."""
            began = time.monotonic()
            got = [[world.plain(call).status for _ in range(5)] for call in wanted]
            return got, time.monotonic() - began

        for _ in range(2):
            # A machine that is too busy to ask so often within a second is asked again.
            for _ in range(10):
                statuses, took = burst()
                if took < 0.9:
                    break
                time.sleep(1.1)
            assert statuses == [[200, 200, 200, 429, 429]] * 2
            for call in wanted:
                got = world.plain(call)
                if got.status == 429:
                    assert refused(got)[1] == "APIGW.0308"
                    assert got.body["error_msg"].endswith("limit:3,time:1 second")
            time.sleep(1.1)


def test_keys_are_locked_one_by_one_and_open_again() -> None:
    with World(key_lock=1) as world:
        call = world.call("instance", login="none")
        target, headers = world.request(call)

        def status(name: str, secret_key: str | None = None) -> Got:
            access_key, right, token = KEYS[name]
            pair = (access_key, secret_key or right, token)
            return world.send("GET", target, world.sign(call, target, headers, *pair))

        for _ in range(2):
            for _ in range(5):
                assert status("key", "wrong").status == 401
            assert status("key").status == 200
            for _ in range(10):
                for _ in range(6):
                    assert status("key", "wrong").status == 401
                locked = time.monotonic()
                got = status("key")
                if time.monotonic() - locked < 0.9:
                    break
            assert "reach the limit,forbidden" in got.body["error_msg"]
            assert status("temporary").status == 200
            wait_until(lambda: status("key").status == 200, seconds=5)


def test_answers_of_every_status_have_ids_of_their_own() -> None:
    statuses = (400, 401, 403, 404, 429, 500, 502, 503, 599)
    operations = sorted(METHODS[name][method] for name in METHODS for method in METHODS[name])
    planted = dict(zip(operations, statuses, strict=True))
    faults = [Fault(status=status, operation=name) for name, status in planted.items()]
    with World(faults=faults) as world:
        node = {"node_id": world.nodes[0].node_id}
        ids = []
        for resource, methods in METHODS.items():
            for method, operation in methods.items():
                body = node if method == "POST" else {}
                call = world.call(resource, method, body=body, job_id="0" * 32)
                target, headers = world.request(call)
                for _ in range(2):
                    world.connection.request(method, target, call.body or None, headers)
                    answer = world.connection.getresponse()
                    raw = answer.read()
                    ids.append(answer.getheader("X-Request-Id"))
                    assert answer.status == planted[operation]
                    if answer.status == 429:
                        assert json.loads(raw)["request_id"] == ids[-1]
        assert None not in ids
        assert len(set(ids)) == 2 * len(statuses)


def test_every_operation_is_refused_for_what_is_not_there(world: World) -> None:
    for call in world.one_of_each():
        spoilt: list[dict[str, Any]] = [
            {"instance_id": world.dcs.instance_id.upper()},
            {"instance_id": world.service.instances[1].instance_id},
            {"project_id": PROJECT.upper()},
            {"job_id": "f" * 32},
            {"job_id": call.job_id.upper()},
            {"method": "PATCH"},
        ]
        for changes in spoilt:
            if call.job_id or "job_id" not in changes:
                world.check(replace(call, **changes))
    assert {call.operation for call in world.one_of_each()} == {
        operation for operations in METHODS.values() for operation in operations.values()
    }


def test_instances_are_found_by_every_value_of_every_filter(world: World) -> None:
    values = {
        "offset": ("0", "1", "4", "9", "-1"),
        "limit": ("1", "2", "1000", "0", "1001"),
        "name": ("billing", "billing-old", "Billing", ""),
        "name_equal": ("true", "false", "", "billing-old", "billing"),
        "status": ("RUNNING", "DELETED", "CREATEFAILED"),
        "ip": ("127.0.0.1", "::1", "127.0.0"),
        "tags": ("team=a", "team=a,stage=b", "team=a,stage=c", "team=b", ""),
        "capacity": ("0.125", ".125", "4"),
        "include_failure": ("true", "false", "1"),
        "include_delete": ("true", "false", "1"),
        "is_recycle": ("true", "false", "yes"),
        "instance_id": (world.service.instances[3].instance_id, "x"),
    }
    every = [("include_failure", "true"), ("include_delete", "true")]
    pairs = [(name, value) for name, texts in values.items() for value in texts]
    for pair in pairs:
        others = [] if pair[0].startswith("include") else every
        world.check(world.call("instances", query=[pair]))
        world.check(world.call("instances", query=[*others, pair]))
        world.check(world.call("instances", query=[pair, pair]))
    for name in values["name"]:
        for exact in values["name_equal"]:
            query = [*every, ("name", name), ("name_equal", exact)]
            world.check(world.call("instances", query=query))


@pytest.mark.parametrize("algorithm", ["SDK-HMAC-SM3", "SDK-ECDSA-P256-SHA256", "V11-HMAC-SHA256"])
def test_algorithm_that_is_not_supported_is_named(world: World, algorithm: str) -> None:
    call = world.call("logical-nodes", login="none")
    target, headers = world.request(call)
    signed = world.sign(call, target, headers, *KEYS["key"])
    value = signed["Authorization"].replace("SDK-HMAC-SHA256", algorithm)
    got = world.send("GET", target, {**signed, "Authorization": value})
    assert refused(got) == (401, "APIGW.0301")
    assert got.body["error_msg"].endswith(f"and not {algorithm}")


def test_scan_of_one_node_is_no_scan_of_another(world: World) -> None:
    def node_of(number: int) -> Node:
        return world.service.instances[number].nodes[0]

    for number in range(5):
        node_of(number).server.arrive(addr=f"10.0.{number}.1:1")
        world.check(world.scan(node_of(number), clean_cache=True))
    for number in range(5):
        world.check(world.read(node_of(number)))
