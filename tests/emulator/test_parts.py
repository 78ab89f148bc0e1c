"""Parts of the emulator by themselves: reading bodies, faults, signatures, jobs and nodes."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import pytest

from dcs_sessions import _signing
from dcs_sessions.emulator import Fault, _app
from dcs_sessions.emulator._faults import Faults, Nothing
from dcs_sessions.emulator._jobs import Jobs
from dcs_sessions.emulator._nodes import Node, NodeError, internal_address
from emulator.direct import Direct
from emulator.world import KEYS, PROJECT
from support.fake_valkey import FakeValkey


@pytest.fixture
def world() -> Iterator[Direct]:
    with Direct() as world:
        yield world


JSON = {"Content-Type": "application/json"}


def header(start: Any, name: str) -> str | None:
    found = [value.decode() for key, value in start["headers"] if key.decode() == name.lower()]
    assert len(found) <= 1
    return found[0] if found else None


def body_of(sent: Sequence[Any]) -> bytes:
    return b"".join(message["body"] for message in sent if message["type"].endswith(".body"))


# Bodies that are read

LENGTHS = (None, "true", "0", "10", "11", "9" * 30, "-1", "x", "", "1_0", "\u00b2")


def test_body_is_read_up_to_its_limit_whatever_the_chunks(
    world: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_app, "MAX_BODY", 10)
    target, headers = world.request(world.call("clients", "POST"))
    dice = random.Random(1)
    for length in LENGTHS * 30:
        chunks = [b" " * dice.randint(0, 12) for _ in range(dice.randint(1, 4))]
        total = sum(map(len, chunks))
        declared = str(total) if length == "true" else length
        more = {} if declared is None else {"Content-Length": declared}
        sent = world.loop.run(world.serve("POST", target, headers | JSON | more, chunks))
        start, *rest = sent
        says_too_much = declared is not None and declared.isdecimal() and int(declared) > 10
        is_large = says_too_much or total > 10
        assert start["status"] == 400
        assert (b"APIGW.0201" in body_of(sent)) is is_large
        assert (b"DCS.4004" in body_of(sent)) is not is_large
        assert header(start, "Connection") == ("close" if is_large else None)
        if is_large:
            assert b'"error_msg":"Bad request: the request body is too large"' in body_of(sent)
            # All is read before the connection is closed, so that the client gets to the answer.
            assert world.received == len(chunks)
            assert [message.get("more_body", False) for message in rest] == [True, False]
            assert rest[-1]["body"] == b""
        assert world.hang_ups == 0


def test_sender_without_an_end_is_answered_and_left(
    world: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_app, "MAX_BODY", 10)
    target, headers = world.request(world.call("clients", "POST"))

    def serve(*chunks: bytes | None) -> list[Any]:
        return world.loop.run(world.serve("POST", target, headers | JSON, chunks))

    # As many bytes are read as are allowed for that, and no more.
    monkeypatch.setattr(_app, "_DRAIN_BYTES", 40)
    for size in (1, 7, 40, 100):
        sent = serve(b" " * 11, *[b" " * size] * 200)
        assert sent[0]["status"] == 400
        assert world.received == 1 + -(-40 // size)
    # One who sends no more is waited for, for a while.
    monkeypatch.setattr(_app, "_DRAIN_SECONDS", 0.1)
    began = time.monotonic()
    sent = serve(b" " * 11, b" ", None)
    assert 0.1 <= time.monotonic() - began < 10
    assert (sent[0]["status"], sent[-1]) == (400, {"type": "http.response.body", "body": b""})
    # The same before the limit.
    monkeypatch.setattr(_app, "_BODY_SECONDS", 0.1)
    began = time.monotonic()
    sent = serve(b" ", None)
    assert 0.1 <= time.monotonic() - began < 10
    assert b'"error_msg":"Bad request: the request body is too slow"' in body_of(sent)
    assert header(sent[0], "Connection") == "close"


def test_caller_who_goes_is_not_answered(world: Direct) -> None:
    target, headers = world.request(world.call("clients", "POST"))
    assert world.loop.run(world.serve("POST", target, headers, [])) == []
    assert world.hang_ups == 0


def test_limits_of_requests_are_those_of_ordinary_servers() -> None:
    assert _app.MAX_BODY == 2**20
    # A client that is at its limit can send the rest before the connection is closed.
    assert _app._DRAIN_BYTES > 8 * _app.MAX_BODY
    assert 5 <= _app._BODY_SECONDS <= 120
    assert 0.5 <= _app._DRAIN_SECONDS <= 10


def test_error_of_the_emulator_is_answered_and_logged_with_its_id(
    world: Direct, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(_app.State, "instance", broken)
    got = world.plain(world.call("instance"))
    assert (got.status, got.body["error_code"]) == (500, "DCS.5000")
    (record,) = caplog.records
    assert record.getMessage() == f"request {got.headers['x-request-id']} failed"
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


def test_request_that_is_aborted_ends_its_connection(world: Direct) -> None:
    world.dcs.faults = [Fault(latency=3600)]
    target, headers = world.request(world.call("instance"))

    async def main() -> list[Any]:
        task = asyncio.create_task(world.serve("GET", target, headers, [b""]))
        await asyncio.sleep(0.05)
        task.cancel()
        return await task

    assert world.loop.run(main()) == []
    assert world.hang_ups == 1


# Faults


@pytest.mark.parametrize(
    "fault", [Fault(drop="before"), Fault(drop="after"), Fault(truncate=True)], ids=str
)
def test_faults_of_every_operation(world: Direct, fault: Fault) -> None:
    node = world.nodes[0]
    _, answer = world.check(world.scan(node))
    assert answer.job
    body: dict[str, Any] = {"node_id": node.node_id}
    wrong = {"node_id": "no such node"}
    for call in (
        *(world.scan(node), world.read(node), world.job(answer.job), world.call("instances")),
        *(world.call(name) for name in ("instance", "configs", "logical-nodes")),
        world.call("kill-all", "POST", node, body=body),
        *(world.call(name, "POST", node, body=wrong) for name in ("clients", "kill-all")),
        world.call("job", job_id="0" * 32),
        *(
            world.call("kill", "POST", node, body={**body, "client_addrs": addrs})
            for addrs in (["10.0.0.1:1"], [])
        ),
    ):
        node.server.rows.clear()
        victim = node.server.arrive(addr="10.0.0.1:1")
        whole = world.plain(call)
        ends = victim not in node.server.rows
        victim = node.server.arrive(addr="10.0.0.1:1")
        world.dcs.faults = [fault]
        target, headers = world.request(call)
        sent = world.loop.run(world.serve(call.method, target, headers, [call.body, b"", b""]))
        world.dcs.faults = []
        assert (victim not in node.server.rows) is (ends and fault.drop != "before")
        assert world.hang_ups == 1
        # What the client still sends is read until the connection has ended.
        assert world.received == 3
        if not fault.truncate or not whole.raw:
            assert sent == []
            continue
        start, half = sent
        assert start["type"] == "http.response.start"
        assert start["status"] == whole.status
        assert header(start, "Content-Type") == "application/json"
        assert re.fullmatch("[0-9a-f]{32}", header(start, "X-Request-Id") or "")
        size = int(header(start, "Content-Length") or 0)
        assert len(half["body"]) == size // 2 > 0
        assert half["body"][:1] == b"{"
        assert half == {"type": "http.response.body", "body": half["body"], "more_body": True}


def test_order_of_the_faults_decides_and_removing_one_restores_the_rest() -> None:
    ends = [Fault(status=500), Fault(drop="before"), Fault(truncate=True), Fault(status=503)]
    for some in itertools.permutations(ends, 3):
        faults = Faults(some)
        assert faults.draw("x") == (0.0, some[0])
        faults.set([Fault(latency=1, operation="y"), *some[1:]])
        assert faults.draw("x") == (0.0, some[1])
        assert faults.draw("y") == (1.0, some[1])


@pytest.mark.parametrize("probability", [0.05, 0.5, 1.0])
def test_fault_with_a_probability_affects_its_operation_alone(probability: float) -> None:
    some = [
        Fault(status=500, operation="ScanClients", probability=probability),
        Fault(latency=1, operation="ListClients", probability=probability),
    ]
    alone, together = (Faults(some, seed=1) for _ in range(2))
    ends, delays = [], []
    for _ in range(200):
        ends.append(together.draw("ScanClients"))
        assert together.draw("ShowInstance") == (0.0, None)
        delays.append(together.draw("ListClients"))
    assert set(ends) == {(0.0, some[0])} | ({(0.0, None)} if probability < 1 else set())
    assert set(delays) == {(1.0, None)} | ({(0.0, None)} if probability < 1 else set())
    # Requests of other operations change nothing of that.
    assert [alone.draw("ScanClients") for _ in range(200)] == ends


@pytest.mark.parametrize("name", ["latency", "probability", "status"])
def test_bounds_of_faults(name: str) -> None:
    bounds: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {
        "latency": ((0.0001, 1, 3600), (-0.0001, 3600.1, float("nan"), float("inf"))),
        "probability": ((0.0001, 0.5, 1), (0, -1, 1.0001, float("nan"))),
        "status": ((400, 401, 500, 598, 599), (399, 600, 200, 0, -400)),
    }
    more: dict[str, Any] = {"truncate": True} if name == "probability" else {}
    for value in bounds[name][0]:
        assert getattr(Fault(**{name: value}, **more), name) == value
    for value in bounds[name][1]:
        with pytest.raises(ValueError, match=f"^{name}: "):
            Fault(**{name: value}, **more)
    assert Fault(latency=0, status=500).latency == 0


def test_answer_without_a_body_is_nothing() -> None:
    assert Nothing().body == b""


# Signatures


def test_refused_signature_is_explained_line_by_line_in_the_log(
    world: Direct, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call = world.call("instances", query=[("name", "100%s %d"), ("status", "x")], login="none")
    target, headers = world.request(call)
    access_key, secret_key, token = KEYS["temporary"]
    more = {"X-Project-Id": PROJECT, "X-Auth-Token": "", "X-Trace": "é%s"}
    signed = world.sign(call, target, headers | more, access_key, f"{secret_key}x", token)
    got = world.send("GET", target, signed)
    assert (got.status, got.body["error_code"]) == (401, "APIGW.0301")
    assert got.body["error_msg"].endswith(": verify aksk signature fail")
    shown = {
        name.lower(): "***" if name in ("X-Security-Token", "X-Auth-Token") else value
        for name, value in signed.items()
        if name != "Authorization"
    }
    expected = _signing.canonical_request("GET", target, shown, b"")
    assert unquote(got.headers["x-canonical-request"]) == expected
    logged = [record.getMessage() for record in caplog.records if "auth" in record.name]
    assert logged == ["refused signature; the canonical request is", *expected.split("\n")]
    assert {record.levelname for record in caplog.records if "auth" in record.name} == {"DEBUG"}


# What a caller with a signature of its own must be told.
MALFORMED = "verify aksk signature fail, it is malformed"
RANGE = "verify aksk signature fail, X-Sdk-Date is out of range"


@pytest.mark.parametrize("name", KEYS)
def test_reasons_of_refused_signatures(world: Direct, name: str) -> None:
    call = world.call("logical-nodes", login="none")
    target, headers = world.request(call)
    access_key, secret_key, token = KEYS[name]
    good = world.sign(call, target, headers, access_key, secret_key, token)
    assert world.send("GET", target, good).status == 200

    def reason(**changed: str) -> str:
        changes = {key.replace("_", "-"): value for key, value in changed.items()}
        sent = {key: value for key, value in {**good, **changes}.items() if value != "-"}
        got = world.send("GET", target, sent)
        assert (got.status, got.body["error_code"]) == (401, "APIGW.0301")
        start, _, text = got.body["error_msg"].partition(": ")
        assert start == "Incorrect IAM authentication information"
        return str(text)

    own = good["Authorization"]
    for value in (
        *(
            own.partition(" ")[0],
            own[:-70],
            own.replace("Access=", "Ac="),
            "Bearer x",
            "Basic eDp5",
        ),
        *(
            own.replace("SignedHeaders=", "SignedHeaders=x-not-there;"),
            "x",
            "SDK-hmac-SHA256 x",
            "A",
        ),
        own.replace("x-sdk-date", "host"),
    ):
        assert reason(Authorization=value) == MALFORMED, value
    for date in ("-", "yesterday", "20260101", "20261301T000000Z", "20260101T000000", ""):
        assert reason(X_Sdk_Date=date) == MALFORMED, date
    assert reason(X_Sdk_Date="20200101T000000Z") == RANGE
    assert reason(X_Sdk_Date="20990101T000000Z") == RANGE
    wrong = own[:-1] + ("0" if own[-1] != "0" else "1")
    assert reason(Authorization=wrong) == "verify aksk signature fail"
    assert reason(Authorization=own.replace(access_key, "NOBODY")) == (
        "Get secretKey failed,ak:NOBODY,err:ak not exist"
    )
    for algorithm in ("SDK-HMAC-SM3", "V11-HMAC-SHA256", "A-B", "SDK-HMAC-SHA256-1"):
        assert reason(Authorization=f"{algorithm} Access=x") == (
            f"the emulator supports SDK-HMAC-SHA256, and not {algorithm}"
        )
    if token is None:
        assert reason(X_Security_Token="x") == "a permanent access key has no X-Security-Token"
        assert reason(X_Security_Token="") == "a permanent access key has no X-Security-Token"
    else:
        assert reason(X_Security_Token="-") == MALFORMED  # it was signed
        for changed in ("", token[:-1], token.upper()):
            assert reason(X_Security_Token=changed) == (
                "X-Security-Token does not match the temporary access key"
            )


def test_signed_header_may_have_any_bytes(world: Direct, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    call = world.call("logical-nodes", login="none")
    target, headers = world.request(call)
    for value in ("é", "\udcff", "a\udc80b", "", " ", "☃"):
        signed = world.sign(call, target, headers | {"X-Trace": value}, *KEYS["key"])
        assert world.send("GET", target, signed).status == 200, value
        other = world.send("GET", target, signed | {"X-Trace": f"{value}x"})
        assert other.body["error_msg"].endswith(": verify aksk signature fail")
    assert "x-trace:a\\udc80bx" in caplog.text
    assert caplog.text.encode(), "it can be written to any file"


# Jobs


def test_jobs_that_are_cancelled_are_gone_and_others_come_after() -> None:
    async def forever(started: list[int]) -> None:
        started.append(1)
        await asyncio.Event().wait()

    async def main() -> None:
        jobs, started = Jobs(), list[int]()
        for reset in (False, True):
            some = [jobs.start("t", forever(started)) for _ in range(3)]
            await asyncio.sleep(0)
            assert [jobs.find(job.job_id) for job in some] == some
            assert {job.status for job in some} == {"RUNNING"}
            late = jobs.start("late", forever(started))
            await (jobs.reset() if reset else jobs.close())
            assert not jobs._running
            for job in (*some, late):
                assert (jobs.find(job.job_id) is None) is reset
                assert job.describe().keys() == {
                    *("job_id", "job_type", "status", "begin_time", "fail_reason")
                }
        assert len(asyncio.all_tasks()) == 1
        assert len(started) == 8

    asyncio.run(main())


def test_error_of_a_job_is_logged_with_its_id(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    async def unreachable() -> None:
        raise NodeError("h:1: down")

    async def main() -> None:
        jobs = Jobs()
        one, other = jobs.start("a", broken()), jobs.start("b", unreachable())
        await jobs.close()
        assert (one.fail_reason, other.fail_reason) == ("Internal service error.", "h:1: down")
        assert (one.job_type, other.job_type) == ("a", "b")
        (record,) = caplog.records
        assert record.getMessage() == f"job {one.job_id} failed"
        assert record.exc_info

    asyncio.run(main())


# Nodes


def test_internal_addresses_tell_hosts_apart() -> None:
    hosts = [f"10.{high}.{low}.1" for high in range(20) for low in range(50)] + ["[::1]", "[::2]"]
    found = {host: internal_address(f"{host}:{port}") for port, host in enumerate(hosts)}
    for port, host in enumerate(hosts):
        start, _, own = found[host].rpartition(":")
        assert own == str(port)
        assert re.fullmatch(r"198\.19\.\d{1,3}\.\d{1,3}", start)
        assert all(int(part) <= 255 for part in start.split("."))
        assert internal_address(f"{host}:65535") == f"{start}:65535"
    parts = [address.partition(":")[0].split(".")[2:] for address in found.values()]
    assert len({tuple(part) for part in parts}) > 980
    # Both parts have all values.
    assert all(len({part[at] for part in parts}) > 230 for at in (0, 1))


STATS = "# Commandstats\r\ncmdstat_{}:calls=1,usec=3,usec_per_call=3.00\r\ncmdstat_ping:calls=1\r\n"
UNDONE = ("ping", "client|list", "config|get", "acl|list", "set", "client|kill", "client|setname")
KEPT = (
    *("config|set", "config|resetstat", "client|pause", "acl|setuser", "acl|deluser", "acl|load"),
    *("function|load", "function|flush", "module|load", "module|unload", "debug", "failover"),
)


@pytest.mark.parametrize("command", [*UNDONE, *KEPT])
@pytest.mark.parametrize("is_replica", [False, True])
def test_node_is_reset_unless_a_command_has_changed_its_settings(
    command: str, is_replica: bool
) -> None:
    async def main() -> None:
        with FakeValkey() as server, FakeValkey() as first:
            stats = STATS.format(command).encode()
            server.replies["INFO"] = b"$%d\r\n%s\r\n" % (len(stats), stats)
            server.replies["FLUSHALL"] = server.replies["REPLICAOF"] = b"+OK\r\n"
            master = Node("m", first.url) if is_replica else None
            node = Node("n", server.url)
            for flags in ("N", "P", "b", "S", "M"):
                server.arrive(addr=f"10.0.0.1:{len(server.rows)}", flags=flags)
            node.snapshot = object()  # type: ignore[assignment]
            error = None
            try:
                await node.reset(master)
            except NodeError as caught:
                error = str(caught)
            assert node.snapshot is None
            if command in KEPT:
                assert error == f"127.0.0.1:{server.port}: {command} was used"
                assert len(server.rows) == 5
            else:
                assert error is None
                # Those between a master and its replicas are part of the instance.
                assert [row.flags for row in server.rows] == ["S", "M"]
                words = ("REPLICAOF", "127.0.0.1", str(first.port))
                assert server.commands[-1] == (words if is_replica else ("FLUSHALL",))
            assert ("INFO", "commandstats") in server.commands
            await node.close()
            # Closing twice is allowed, and a later call opens another connection.
            await node.close()
            await node.ping()
            await node.close()

    asyncio.run(main())


@pytest.mark.parametrize("reply", [b"-ERR no\r\n", b"+Background\r\n", b":1\r\n"])
def test_server_that_becomes_no_replica_is_an_error(reply: bytes) -> None:
    async def main() -> None:
        with FakeValkey() as server:
            server.replies["REPLICAOF"] = reply
            node = Node("n", server.url)
            with pytest.raises(NodeError, match=rf"^127.0.0.1:{server.port}: (?!None|XX)."):
                await node.replicate(node)
            await node.close()

    asyncio.run(main())
