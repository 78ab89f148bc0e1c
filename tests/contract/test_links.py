"""Each link of the contract reaches, in the emulator, what its description names.

Links are followed as OpenAPI describes it: the values of a link are read from a request and its
answer, and sent in the request that the link names. There are two instances, and the first has two
nodes, each with sessions of its own, so that a link to the wrong one arrives somewhere else.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
import valkey

from contract import checks
from dcs_sessions.emulator import Emulator, Instance
from support.waiting import wait_until
from tools import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.spec import Node

API = spec.load()
OPERATIONS = spec.operations(API)
NAMES = ("a", "b", "c")


class Call(NamedTuple):
    """A request and its answer."""

    path: dict[str, str]
    query: dict[str, str]
    body: Node
    answer: httpx.Response


class World:
    """The service, and the sessions of each node of the first instance by their names."""

    def __init__(self, dcs: Emulator, http: httpx.Client) -> None:
        self.dcs = dcs
        self._http = http
        self.sessions: list[dict[str, valkey.Connection]] = []
        for number, url in enumerate(dcs.redis_urls):
            pools = {
                f"{name}{number}": valkey.ConnectionPool.from_url(
                    url, client_name=f"{name}{number}"
                )
                for name in NAMES
            }
            self.sessions.append(
                {name: pool.get_connection("PING") for name, pool in pools.items()}
            )

    def call(self, name: str, body: Node = None, **values: str) -> Call:
        """Call an operation; values that are not in its path go into the query."""
        operation = OPERATIONS[name]
        places = {p["name"]: p["in"] for p in operation.parameters}
        path = {n: v for n, v in values.items() if places[n] == "path"}
        query = {n: v for n, v in values.items() if places[n] == "query"}
        path.setdefault("project_id", self.dcs.project_id)
        if "instance_id" in places and places["instance_id"] == "path":
            path.setdefault("instance_id", self.dcs.instance_id)
        answer = self._http.request(
            operation.method, operation.path.format_map(path), params=query, json=body
        )
        assert answer.is_success, answer.text
        return Call(path, query, body, answer)

    def follow(self, start: str, title: str, call: Call, **known: str) -> Call:
        """Follow a link of an answer; `known` has the values that the link does not."""
        responses = OPERATIONS[start].definition["responses"]
        link = spec.resolve(API, responses[str(call.answer.status_code)]["links"][title])
        values = {
            place.partition(".")[2]: read(expression, call)
            for place, expression in link["parameters"].items()
        }
        body = filled(link["requestBody"], call) if "requestBody" in link else None
        return self.call(link["operationId"], body, **values, **known)

    def ended(self, call: Call) -> dict[str, Any]:
        """Wait until the job that an answer names has ended."""
        job_id = call.answer.json()["job_id"]

        def ended() -> bool:
            job = self.call("ShowJobInfo", job_id=job_id).answer.json()
            return job["status"] in ("SUCCESS", "FAIL")

        wait_until(ended)
        job: dict[str, Any] = self.call("ShowJobInfo", job_id=job_id).answer.json()
        return job

    def scanned(self, node: int) -> Call:
        """Scan a node of the first instance to the end."""
        call = self.call("ScanClients", {"node_id": self.dcs.node_ids[node], "clean_cache": True})
        assert self.ended(call)["status"] == "SUCCESS"
        return call


def read(expression: str, call: Call) -> Any:
    """Return the value of a runtime expression of OpenAPI."""
    source, _, pointer = expression.partition("#")
    if source in ("$response.body", "$request.body"):
        value = call.answer.json() if source == "$response.body" else call.body
        for step in pointer.split("/")[1:]:
            value = value[int(step)] if isinstance(value, list) else value[step]
        return value
    _, place, name = source.split(".")
    return {"path": call.path, "query": call.query}[place][name]


def filled(node: Node, call: Call) -> Node:
    """Return a body with the values of its expressions."""
    if isinstance(node, dict):
        return {name: filled(value, call) for name, value in node.items()}
    if isinstance(node, list):
        return [filled(value, call) for value in node]
    return read(node, call) if isinstance(node, str) and node.startswith("$") else node


def names(page: Call) -> set[str]:
    """Return the names of this test's sessions on a page."""
    found = {session["name"] for session in page.answer.json()["clients"]}
    return {name for name in found if name[:1] in NAMES and name[1:].isdigit()}


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        second = Instance(name="dcs-second")
        dcs = stack.enter_context(Emulator(nodes=2, instances=[second]))
        headers = {"X-Auth-Token": dcs.token}
        http = stack.enter_context(
            httpx.Client(base_url=dcs.endpoint, headers=headers, trust_env=False, verify=False)
        )
        world = World(dcs, http)
        yield world
        for sessions in world.sessions:
            for connection in sessions.values():
                connection.disconnect()


def test_link_shows_the_first_instance(world: World) -> None:
    listed = world.call("ListInstances")
    first, second = listed.answer.json()["instances"]
    assert first["instance_id"] != second["instance_id"]
    shown = world.follow("ListInstances", "instance", listed)
    assert shown.answer.json()["instance_id"] == first["instance_id"]


def test_link_lists_the_nodes_of_the_first_instance(world: World) -> None:
    listed = world.call("ListInstances")
    nodes = world.follow("ListInstances", "nodes", listed).answer.json()
    assert nodes["instance_id"] == listed.answer.json()["instances"][0]["instance_id"]


def test_link_reads_the_configuration_of_the_shown_instance(world: World) -> None:
    for instance in world.call("ListInstances").answer.json()["instances"]:
        shown = world.call("ShowInstance", instance_id=instance["instance_id"])
        configurations = world.follow("ShowInstance", "configurations", shown).answer.json()
        assert configurations["instance_id"] == instance["instance_id"]
        # "which contains the connection limit"
        assert "maxclients" in [each["param_name"] for each in configurations["redis_config"]]


def test_link_queries_the_sessions_of_the_first_node(world: World) -> None:
    nodes = world.call("ShowNodesInformation")
    scan = world.follow("ShowNodesInformation", "scan", nodes)
    assert scan.body["node_id"] == nodes.answer.json()["nodes"][0]["node_id"]
    assert world.ended(scan)["status"] == "SUCCESS"
    page = world.call("ListClients", node_id=world.dcs.node_ids[0])
    assert names(page) == set(world.sessions[0])
    # A second scan is one as well: `clean_cache` is true.
    world.sessions[0].popitem()[1].disconnect()
    wait_until(lambda: _count(world, 0) == len(world.sessions[0]))
    assert world.ended(world.follow("ShowNodesInformation", "scan", nodes))["status"] == "SUCCESS"
    assert names(world.call("ListClients", node_id=world.dcs.node_ids[0])) == set(world.sessions[0])


def _count(world: World, node: int) -> int:
    with valkey.Valkey.from_url(world.dcs.redis_urls[node]) as client:
        return sum(each["name"][:1] in NAMES for each in client.client_list() if each["name"])


@pytest.mark.parametrize("node", [0, 1])
def test_link_reads_the_list_that_the_job_has_saved(node: int, world: World) -> None:
    # Both have a list, so that the wrong one would be read too.
    world.scanned(1 - node)
    scan = world.scanned(node)
    page = world.follow("ScanClients", "sessions", scan)
    assert names(page) == set(world.sessions[node])


@pytest.mark.parametrize("start", ["ScanClients", "HangUpKillAllClients"])
def test_link_reads_the_job_that_was_started(start: str, world: World) -> None:
    other = world.scanned(0).answer.json()["job_id"]
    call = world.call(start, {"node_id": world.dcs.node_ids[1]})
    job = world.follow(start, "job", call).answer.json()
    assert job["job_id"] == call.answer.json()["job_id"] != other


def test_link_ends_the_first_session_on_the_page(world: World) -> None:
    for node in (0, 1):
        world.scanned(node)
    for offset in ("0", "1"):
        world.scanned(1)
        page = world.call(
            "ListClients", node_id=world.dcs.node_ids[1], sort="name", order="desc", offset=offset
        )
        first = page.answer.json()["clients"][0]
        world.follow("ListClients", "kill", page)
        connection = world.sessions[1].pop(first["name"])
        with pytest.raises(valkey.exceptions.ConnectionError):
            connection.read_response()
    for connection in [c for sessions in world.sessions for c in sessions.values()]:
        connection.send_command("PING")
        assert connection.read_response() in (b"PONG", "PONG")


def test_link_reads_the_list_of_a_job_with_known_ids(world: World) -> None:
    for node, node_id in enumerate(world.dcs.node_ids):
        job = world.call("ShowJobInfo", job_id=world.scanned(node).answer.json()["job_id"])
        # "The instance and the node are those of the ScanClients call"
        page = world.follow(
            "ShowJobInfo", "sessions", job, instance_id=world.dcs.instance_id, node_id=node_id
        )
        assert names(page) == set(world.sessions[node])
        assert world.dcs.instance_id not in json.dumps(job.answer.json())


def test_every_link_is_followed() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for link in checks.FACTS["links"]:
        start, title = link.split()
        assert f'"{start}"' in source
        assert f'"{title}"' in source
