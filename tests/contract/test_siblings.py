"""The five other operations say what their sources say: one row a fact.

The sources are the vendor's pages, its API definitions and its SDK; where they disagree, an
`x-source-note` in the contract says which one it follows.
"""

from __future__ import annotations

import re

import pytest
from huaweicloudsdkdcs.v2.region.dcs_region import DcsRegion

from contract.facts import Fact, garble, states
from tools import spec

INSTANCE = "/v2/{project_id}/instances/{instance_id}"
PAGES = "https://support.huaweicloud.com/intl/en-us/api-dcs"
ERRORS = ("400", "401", "403", "404", "500")

# operationId: method, path, success, permission
OPERATIONS = {
    "ListClients": ("get", f"{INSTANCE}/clients", "200", "dcs:clients:list"),
    "HangUpClients": ("post", f"{INSTANCE}/clients/kill", "204", "dcs:clients:kill"),
    "HangUpKillAllClients": ("post", f"{INSTANCE}/clients/kill-all", "200", "dcs:clients:kill"),
    "ShowJobInfo": ("get", "/v2/{project_id}/jobs/{job_id}", "200", "dcs:job:get"),
    "ShowNodesInformation": ("get", f"{INSTANCE}/logical-nodes", "200", None),
}
SESSION_TEXTS = (
    "id",
    "addr",
    "fd",
    "name",
    "cmd",
    "db",
    "flags",
    "events",
    "network",
    "peer",
    "user",
)
SESSION_NUMBERS = (
    "age", "idle", "sub", "psub", "multi", "qbuf", "qbuf_free", "obl", "oll", "omem",
)  # fmt: skip
NODE_FIELDS = {
    **dict.fromkeys(
        (
            "node_id", "logical_node_id", "name", "status", "az_code", "node_role", "node_type",
            "node_ip", "node_port", "group_id", "group_name",
        ),
        "string",
    ),
    "priority_weight": "integer",
    "is_access": "boolean",
    "is_remove_ip": "boolean",
    "dimensions": "array",
}  # fmt: skip

LIST = "ListClients"
PAGE = f"{LIST}.responses.200.body"
SESSION = f"{PAGE}.properties.clients.items.properties"
KILL = "HangUpClients.requestBody"
KILL_ALL = "HangUpKillAllClients.requestBody"
JOB = "ShowJobInfo.responses.200.body"
NODES = "ShowNodesInformation.responses.200.body"
NODE = f"{NODES}.properties.nodes.items"


def query(name: str, **facts: object) -> list[Fact]:
    """The facts of a query parameter of ListClients."""
    at = f"{LIST}.parameters.{name}"
    return [
        Fact(f"{LIST} {name} is in the query", f"{at}.in", "query"),
        *(Fact(f"{LIST} {name}: {k} {v}", f"{at}.schema.{k}", v) for k, v in facts.items()),
    ]


FACTS = [
    *(
        fact
        for name, (method, path, success, permission) in OPERATIONS.items()
        for fact in (
            Fact(f"{name}: {method}", f"{name}.method", method),
            Fact(f"{name}: {path}", f"{name}.path", path),
            Fact(
                f"{name}: success is {success}",
                f"{name}.responses.{success}.description",
                "Successful",
            ),
            Fact(f"{name}: its page", f"{name}.externalDocs.url", f"{PAGES}/{name}.html"),
            *(
                [
                    Fact(
                        f"{name}: {permission}",
                        f"{name}.description",
                        re.compile(f"(?s).*{permission}\\."),
                    )
                ]
                if permission
                else []
            ),
            *(
                fact
                for parameter in re.findall(r"{(\w+)}", path)
                for at in [f"{name}.parameters.{parameter}"]
                for fact in (
                    Fact(f"{name} {parameter} is in the path", f"{at}.in", "path"),
                    Fact(f"{name} {parameter} is mandatory", f"{at}.required", True),
                    Fact(f"{name} {parameter} is a string", f"{at}.schema.type", "string"),
                )
            ),
        )
    ),
    # ListClients
    Fact(f"{LIST} node_id is mandatory", f"{LIST}.parameters.node_id.required", True),
    *query("node_id", type="string"),
    *query("offset", type="integer", format="int32", minimum=0, default=0),
    *query("limit", type="integer", format="int32", minimum=1, maximum=1000, default=10),
    *query("addr", type="string"),
    *query("sort", type="string"),
    *query("order", type="string", enum=["asc", "desc"], default="desc"),
    Fact(
        "ListClients wants a scan first, and answers 500 without one",
        f"{LIST}.description",
        re.compile(r"(?s).*ScanClients has to be called first.*never been queried answers 500"),
    ),
    Fact("ListClients time is plain text", f"{PAGE}.properties.time.type", "string"),
    Fact("ListClients count is a number", f"{PAGE}.properties.count.type", "integer"),
    Fact("count may exceed 32 bits", f"{PAGE}.properties.count.format", "int64"),
    Fact("ListClients clients is a list", f"{PAGE}.properties.clients.type", "array"),
    *(
        Fact(f"a session has {name}, text", f"{SESSION}.{name}.type", "string")
        for name in SESSION_TEXTS
    ),
    *(
        fact
        for name in SESSION_NUMBERS
        for fact in (
            Fact(f"a session has {name}, a number", f"{SESSION}.{name}.type", "integer"),
            Fact(f"{name} may exceed 32 bits", f"{SESSION}.{name}.format", "int64"),
        )
    ),
    Fact("multi is -1 outside of MULTI", f"{SESSION}.multi.examples", [-1]),
    # HangUpClients
    Fact("the body of HangUpClients is mandatory", f"{KILL}.required", True),
    Fact(
        "node_id and client_addrs are mandatory",
        f"{KILL}.body.required",
        ["node_id", "client_addrs"],
    ),
    Fact("node_id is text", f"{KILL}.body.properties.node_id.type", "string"),
    Fact("client_addrs is a list", f"{KILL}.body.properties.client_addrs.type", "array"),
    Fact("client_addrs holds text", f"{KILL}.body.properties.client_addrs.items.type", "string"),
    Fact(
        "client_addrs are the peers of sessions",
        f"{KILL}.body.properties.client_addrs.description",
        re.compile(".* each the `peer` of a listed session"),
    ),
    Fact(
        "the example of the vendor's page",
        f"{KILL}.content.application/json.examples.kill.value.client_addrs",
        ["10.63.238.158:2048", "10.63.238.159:3058"],
    ),
    # HangUpKillAllClients
    Fact("the body of HangUpKillAllClients is mandatory", f"{KILL_ALL}.required", True),
    Fact("node_id is text for kill-all too", f"{KILL_ALL}.body.properties.node_id.type", "string"),
    Fact(
        "kill_all_nodes is a boolean", f"{KILL_ALL}.body.properties.kill_all_nodes.type", "boolean"
    ),
    Fact(
        "kill_all_nodes: default false", f"{KILL_ALL}.body.properties.kill_all_nodes.default", False
    ),
    Fact("node_id is mandatory unless ...", f"{KILL_ALL}.body.else.required", ["node_id"]),
    Fact(
        "... kill_all_nodes is true",
        f"{KILL_ALL}.body.if",
        {"properties": {"kill_all_nodes": {"const": True}}, "required": ["kill_all_nodes"]},
    ),
    Fact(
        "kill-all answers with a job",
        "HangUpKillAllClients.responses.200.body.properties.job_id.type",
        "string",
    ),
    # ShowJobInfo
    *(
        Fact(f"a job has {name}", f"{JOB}.properties.{name}.type", "string")
        for name in ("job_id", "job_type", "status", "begin_time")
    ),
    *(
        Fact(f"a job has {name}, or null", f"{JOB}.properties.{name}.type", ["string", "null"])
        for name in ("end_time", "fail_reason")
    ),
    Fact(
        "the states of a job",
        f"{JOB}.properties.status.description",
        re.compile("INIT .* RUNNING, .* SUCCESS or FAIL"),
    ),
    # ShowNodesInformation
    Fact("the list of nodes names the instance", f"{NODES}.properties.instance_id.type", "string"),
    Fact("total is a number", f"{NODES}.properties.total.type", "integer"),
    Fact("total has 32 bits", f"{NODES}.properties.total.format", "int32"),
    *(
        Fact(f"a node has {n}: {t}", f"{NODE}.properties.{n}.type", t)
        for n, t in NODE_FIELDS.items()
    ),
    Fact(
        "replication_id may be null", f"{NODE}.properties.replication_id.type", ["string", "null"]
    ),
    Fact(
        "the roles of a node",
        f"{NODE}.properties.node_role.description",
        re.compile("redis-server for a data node, redis-proxy for a proxy"),
    ),
    Fact(
        "the states of a node",
        f"{NODE}.properties.status.description",
        re.compile("Creating, Active, Inactive, Deleting or AddSharding"),
    ),
    *(
        Fact(
            f"a dimension has {name}",
            f"{NODE}.properties.dimensions.items.properties.{name}.type",
            "string",
        )
        for name in ("name", "value")
    ),
]


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_contract_states(fact: Fact) -> None:
    states(spec.load(), fact)


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_row_can_fail(fact: Fact) -> None:
    with pytest.raises((AssertionError, KeyError)):
        states(garble(spec.load()), fact)


def test_there_are_these_operations_and_no_other() -> None:
    assert set(spec.operations(spec.load())) == {"ScanClients", *OPERATIONS}


@pytest.mark.parametrize("name", OPERATIONS)
def test_statuses(name: str) -> None:
    success = OPERATIONS[name][2]
    assert set(spec.at(spec.load(), f"{name}.responses")) == {success, *ERRORS, "429"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_errors_are_those_of_scan_clients(name: str) -> None:
    api = spec.load()
    for status in (*ERRORS, "429"):
        ours = spec.at(api, f"{name}.responses.{status}")
        assert ours == spec.at(api, f"ScanClients.responses.{status}"), status


def test_a_killed_session_answers_without_a_body() -> None:
    assert "content" not in spec.at(spec.load(), "HangUpClients.responses.204")


def test_list_clients_has_these_query_parameters_and_no_other() -> None:
    found = {
        p["name"]: p.get("required", False) for p in spec.at(spec.load(), "ListClients.parameters")
    }
    assert found == {
        "project_id": True,
        "instance_id": True,
        "node_id": True,
        "offset": False,
        "limit": False,
        "addr": False,
        "sort": False,
        "order": False,
    }


@pytest.mark.parametrize(
    ("schema", "fields"),
    [
        (f"{PAGE}.properties", {"time", "clients", "count"}),
        (SESSION, {*SESSION_TEXTS, *SESSION_NUMBERS}),
        (
            f"{JOB}.properties",
            {"job_id", "job_type", "status", "begin_time", "end_time", "fail_reason"},
        ),
        (f"{NODES}.properties", {"instance_id", "total", "nodes"}),
        (f"{NODE}.properties", {*NODE_FIELDS, "replication_id"}),
    ],
)
def test_schema_has_these_fields_and_no_other(schema: str, fields: set[str]) -> None:
    assert set(spec.at(spec.load(), schema)) == fields


@pytest.mark.parametrize(
    "values",
    [
        f"{PAGE}.properties.time",
        f"{SESSION}.events",
        f"{JOB}.properties.status",
        f"{JOB}.properties.job_type",
        f"{NODE}.properties.status",
        f"{NODE}.properties.node_role",
        f"{NODE}.properties.node_type",
        "ListClients.responses.400.body.properties.error_code",
    ],
)
def test_any_text_may_come(values: str) -> None:
    assert set(spec.at(spec.load(), values)) <= {"type", "description", "examples", "x-source-note"}


# What every example of the vendor has, and so what a reader may count on.
REQUIRED = {
    "ScanStarted": ["job_id"],
    "KillAllStarted": ["job_id"],
    "SessionPage": ["time", "clients", "count"],
    "Session": [],
    "Job": ["job_id", "status"],
    "NodeList": ["instance_id", "total", "nodes"],
    "Node": ["node_id"],
    "NodeDimension": [],
    "Error": ["error_code", "error_msg"],
    "GatewayError": ["error_code", "error_msg", "request_id"],
}


@pytest.mark.parametrize("schema", REQUIRED)
def test_an_answer_surely_has(schema: str) -> None:
    definition = spec.load()["components"]["schemas"][schema]
    assert definition.get("required", []) == REQUIRED[schema]


def test_regions_are_those_of_the_vendor() -> None:
    server = spec.load()["servers"][0]
    assert {
        region: [server["url"].replace("{region}", region)]
        for region in server["variables"]["region"]["enum"]
    } == {region.id: region.endpoints for region in DcsRegion.static_fields.values()}
