"""Any value anywhere in a response leads to a result, or to an error of the package.

The service is the stub, whose responses are valid but for one value that is replaced or left out.
Every method of the client and every command that reads something is tried.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result

import dcs_sessions
from dcs_sessions import Client, Reply, Request
from dcs_sessions._cli import _overview
from dcs_sessions._cli._connection import Connection
from dcs_sessions._cli._group import main
from dcs_sessions.testing import INSTANCE_ID, PROJECT_ID, Stub
from support.session import SESSION

NODE = "n1"
# Seconds to wait for jobs that never end.
LIMIT = 0.1
ROWS = {
    NODE: [{**SESSION, "peer": "10.0.0.1:1"}, {**SESSION, "id": "7", "peer": "10.0.0.2:2"}],
    "n2": [{**SESSION, "id": "8", "peer": "10.0.0.3:3"}],
}
INSTANCE = {
    "description": "for tests",
    "engine": "Redis",
    "engine_version": "6.0",
    "spec_code": "redis.ha.xu1.large.r2.2",
    "ip": "10.0.0.9",
    "port": 6379,
    "capacity": 1,
    "max_memory": 1024,
    "used_memory": 5,
    "created_at": "2026-01-01T00:00:00.000Z",
    "sharding_count": 1,
}
# What the responses of the stub leave out: of the entries of a list, or of the whole.
MORE: dict[str, tuple[str | None, dict[str, Any]]] = {
    "ListInstances": ("instances", INSTANCE),
    "ShowInstance": (None, INSTANCE),
    "ListConfigurations": (
        "redis_config",
        {"param_id": "1", "param_name": "maxclients", "param_value": "10000"},
    ),
    "ShowNodesInformation": (
        "nodes",
        {
            "logical_node_id": "l",
            "node_name": "one",
            "node_status": "Active",
            "az_code": "az1",
            "node_type": "",
            "node_ip": "10.0.0.9",
            "node_port": "6379",
            "priority_weight": 100,
            "is_access": True,
            "group_id": "g",
            "group_name": "group",
            "is_remove_ip": False,
            "replication_id": "r",
            "dimensions": [{"name": "dcs_cluster_redis_node", "value": "v"}],
        },
    ),
    "ShowJobInfo": (
        None,
        {
            "job_type": "ScanClients",
            "begin_time": "1684191545000",
            "end_time": "1684191548248",
            "fail_reason": "",
        },
    ),
}
# One of each kind, and those that look like another.
VALUES: list[Any] = [
    None,
    True,
    -1,
    1.5,
    2**64,
    "",
    "x\n\x1b[2J",
    "\ud800",
    [],
    ["a"],
    {},
    {"a": []},
]
_REMOVED = object()


@dataclass
class Odd:
    """A change of one value in the responses of an operation.

    Attributes:
        operation: The operation.
        place: Number of the value, counted through the response.
        value: The new value, or `_REMOVED`.
        places: How many values a response has, once one has been read.
    """

    operation: str
    place: int
    value: object
    places: int = 0

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a response with the change."""
        name, more = MORE.get(self.operation, (None, {}))
        if name is None:
            body = {**more, **body}
        else:
            body[name] = [{**more, **entry} for entry in body[name] or [{}]]
        places = list(_places(body))
        self.places = max(self.places, len(places))
        if self.place < len(places):
            holder, key = places[self.place]
            if self.value is _REMOVED:
                del holder[key]
            else:
                holder[key] = self.value
        return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


class OddStub:
    """A transport to a stub, with one change."""

    def __init__(self, odd: Odd) -> None:
        self.stub = Stub(ROWS)
        self.odd = odd

    def send(self, request: Request, timeout: float) -> Reply:
        del timeout
        reply = self.stub.answer(request)
        if reply.status == 200 and self.stub.operations[-1] == self.odd.operation:
            body = self.odd(json.loads(reply.body))
            reply.body = json.dumps(body).encode()
        return reply


def _chosen(client: Client) -> object:
    found = client.query_sessions(INSTANCE_ID, timeout=LIMIT)
    return client.end_sessions(INSTANCE_ID, found, timeout=LIMIT)


METHODS: dict[str, Callable[[Client], object]] = {
    "list_instances": lambda client: client.list_instances(),
    "list_instances by name": lambda client: client.list_instances(name="stub"),
    "get_instance": lambda client: client.get_instance(INSTANCE_ID),
    "list_configurations": lambda client: client.list_configurations(INSTANCE_ID),
    "get_connection_limit": lambda client: client.get_connection_limit(INSTANCE_ID),
    "list_nodes": lambda client: client.list_nodes(INSTANCE_ID),
    "get_job": lambda client: client.get_job("job"),
    "wait_for_job": lambda client: client.wait_for_job("job", timeout=LIMIT),
    "scan_sessions": lambda client: client.scan_sessions(INSTANCE_ID, NODE),
    "list_sessions": lambda client: client.list_sessions(INSTANCE_ID, NODE),
    "iter_sessions": lambda client: list(client.iter_sessions(INSTANCE_ID, NODE, timeout=LIMIT)),
    "query_sessions": lambda client: client.query_sessions(INSTANCE_ID, timeout=LIMIT),
    "query_pages": lambda client: list(client.query_pages(INSTANCE_ID, timeout=LIMIT)),
    "refresh_sessions": lambda client: client.refresh_sessions(INSTANCE_ID, timeout=LIMIT),
    "end_sessions": _chosen,
    "kill_sessions": lambda client: client.kill_sessions(INSTANCE_ID, NODE, ["10.0.0.1:1"]),
    "kill_all_sessions": lambda client: client.kill_all_sessions(INSTANCE_ID, all_nodes=True),
}


def test_every_method_is_tried() -> None:
    public = {name for name in vars(Client) if not name.startswith("_")}
    assert public - {"close", "from_env", "with_options", "raw", "get_job"} <= set(METHODS)


def connect(odd: Odd) -> tuple[Client, OddStub]:
    transport = OddStub(odd)
    client = Client(
        endpoint="https://x.invalid",
        project_id=PROJECT_ID,
        auth=dcs_sessions.TokenAuth("token-of-test"),
        transport=transport,
        retry=dcs_sessions.Retry(attempts=1),
    )
    return client, transport


def call(name: str, odd: Odd) -> list[str]:
    """Call a method, read its result, and return the operations that it has called."""
    client, transport = connect(odd)
    with contextlib.suppress(dcs_sessions.DcsSessionsError):
        found = METHODS[name](client)
        assert repr(found)
        for one in found if isinstance(found, list) else [found]:
            if hasattr(one, "to_json"):
                json.loads(one.to_json())
            if hasattr(one, "to_dict"):
                one.to_dict()
    return transport.stub.operations


def changes(operations: list[str], run: Callable[[Odd], object]) -> Iterator[Odd]:
    """Yield every change of every response that is read by what calls these operations."""
    for operation in dict.fromkeys(operations):
        counted = Odd(operation, 10**6, None)
        run(counted)
        for place in range(counted.places):
            for value in (*VALUES, _REMOVED):
                yield Odd(operation, place, value)


@pytest.mark.parametrize("name", METHODS)
def test_any_value_in_a_response_is_read_or_raises_our_error(name: str) -> None:
    def run(odd: Odd) -> list[str]:
        return call(name, odd)

    problems = []
    # Those that read all nodes take long, and read them in the same way.
    every = (
        5 if name in {"query_pages", "query_sessions", "refresh_sessions", "end_sessions"} else 1
    )
    for odd in itertools.islice(changes(run(Odd("", 0, None)), run), 0, None, every):
        try:
            run(odd)
        except Exception as error:  # noqa: BLE001 - all of them are collected
            problems.append((odd, repr(error)))
    assert not problems


COMMANDS = [
    ["instances"],
    ["instances", "-o", "json"],
    ["nodes", "stub"],
    ["nodes", INSTANCE_ID, "-o", "csv"],
    ["query", "stub"],
    ["query", INSTANCE_ID, "-o", "jsonl"],
    ["query", INSTANCE_ID, "-o", "csv", "--sort", "age", "--min-idle", "1s", "--name", "!x"],
    ["query", INSTANCE_ID, "-o", "json", "--min-omem", "0", "--addr", "10.0.0.0/8"],
    ["summary", "stub"],
    ["summary", INSTANCE_ID, "-o", "openmetrics"],
    ["summary", INSTANCE_ID, "-o", "json", "--by", "name"],
    ["list", INSTANCE_ID, NODE],
    ["list", INSTANCE_ID, NODE, "-o", "json"],
    ["scan", INSTANCE_ID, NODE],
    ["job", "job"],
    ["job", "job", "--wait"],
    ["kill", INSTANCE_ID, "--name", "dcs", "--dry-run"],
    ["kill", "stub", "10.0.0.1:1", "--yes"],
    ["kill-all", "stub", "--yes"],
]


def test_every_command_that_reads_is_tried() -> None:
    assert {line[0] for line in COMMANDS} == {*_overview.COMMANDS} - {
        "help",
        "version",
        "completion",
        "emulator",
        "spec",
        "check",
    }


@pytest.mark.parametrize("line", COMMANDS, ids=" ".join)
def test_any_value_in_a_response_is_printed_or_reported(
    line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(odd: Odd) -> tuple[Result, OddStub]:
        client, transport = connect(odd)
        if line[0] == "list":
            with contextlib.suppress(dcs_sessions.DcsSessionsError):
                client.scan_sessions(INSTANCE_ID, NODE)
        monkeypatch.setattr(Connection, "client", lambda *_, **__: client)
        seconds = str(LIMIT) if odd.operation == "ShowJobInfo" else "30"
        return CliRunner().invoke(main, [*line, "--timeout", seconds]), transport

    done, transport = run(Odd("", 0, None))
    assert done.exit_code == 0, done.output
    problems = []
    # One or two values in each place, and over all places each of them.
    for odd in itertools.islice(changes(transport.stub.operations, run), 0, None, 11):
        done, _ = run(odd)
        text = done.stdout + done.stderr
        if (
            not all(part.isprintable() for part in text.split("\n"))
            or not (done.exit_code == 0 or done.stderr.strip())
            or "bug in dcs-sessions" in text
            or "Traceback" in text
        ):
            problems.append((odd, text))
    assert not problems
