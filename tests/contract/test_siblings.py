"""The operations besides ScanClients say what their sources say: one row a fact.

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
    "ListInstances": ("get", "/v2/{project_id}/instances", "200", "dcs:instance:list"),
    "ShowInstance": ("get", INSTANCE, "200", "dcs:instance:get"),
    "ListConfigurations": ("get", f"{INSTANCE}/configs", "200", "dcs:instance:getConfiguration"),
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

# Those of ListInstances, which ShowInstance has as well; capacity_minor may be of any type.
INSTANCE_FIELDS = {
    **dict.fromkeys(
        (
            "instance_id", "name", "description", "engine", "engine_version", "spec_code", "status",
            "sub_status", "ip", "created_at",
        ),
        "string",
    ),
    **dict.fromkeys(("port", "capacity", "max_memory", "used_memory"), "integer"),
    **{name: ["string", "null"] for name in ("domain_name", "readonly_domain_name")},
}  # fmt: skip
SHOWN_FIELDS = {
    "cache_mode": "string",
    "transparent_client_ip_enable": "boolean",
    "replica_count": "integer",
    "sharding_count": "integer",
    "db_number": "integer",
}
CONFIGURATION_FIELDS = (
    "param_id", "param_name", "param_value", "default_value", "value_range", "value_type",
    "description",
)  # fmt: skip
INSTANCE_FILTERS = (
    "instance_id", "name", "name_equal", "status", "ip", "tags", "capacity", "include_failure",
    "include_delete",
)  # fmt: skip

LIST = "ListClients"
PAGE = f"{LIST}.responses.200.body"
SESSION = f"{PAGE}.properties.clients.items.properties"
KILL = "HangUpClients.requestBody"
KILL_ALL = "HangUpKillAllClients.requestBody"
JOB = "ShowJobInfo.responses.200.body"
NODES = "ShowNodesInformation.responses.200.body"
NODE = f"{NODES}.properties.nodes.items"
INSTANCES = "ListInstances.responses.200.body"
LISTED = f"{INSTANCES}.properties.instances.items"
SHOWN = "ShowInstance.responses.200.body"
CONFIGURATIONS = "ListConfigurations.responses.200.body"
CONFIGURATION = f"{CONFIGURATIONS}.properties.redis_config.items"


def query(name: str, *, of: str = LIST, **facts: object) -> list[Fact]:
    """The facts of a query parameter."""
    at = f"{of}.parameters.{name}"
    return [
        Fact(f"{of} {name} is in the query", f"{at}.in", "query"),
        *(Fact(f"{of} {name}: {k} {v}", f"{at}.schema.{k}", v) for k, v in facts.items()),
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
    Fact("multi, as in the row of the vendor", f"{SESSION}.multi.examples", [1]),
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
    # ListInstances
    *(fact for name in INSTANCE_FILTERS for fact in query(name, of="ListInstances", type="string")),
    *query("is_recycle", of="ListInstances", type="boolean", default=False),
    *query("include_failure", of="ListInstances", default="false"),
    *query("include_delete", of="ListInstances", default="false"),
    *query("offset", of="ListInstances", type="integer", format="int32", minimum=0, default=0),
    *query(
        "limit",
        of="ListInstances",
        type="integer",
        format="int32",
        minimum=1,
        maximum=1000,
        default=10,
    ),
    Fact(
        "name_equal: a flag in some editions, the name in others",
        "ListInstances.parameters.name_equal.x-source-note",
        re.compile("(?s).*describe a flag, .* describe the exact name itself"),
    ),
    Fact(
        "the name is matched in part",
        "ListInstances.parameters.name.description",
        re.compile("(?s).*documents the match as fuzzy"),
    ),
    Fact("instance_num is a number", f"{INSTANCES}.properties.instance_num.type", "integer"),
    Fact("instance_num has 32 bits", f"{INSTANCES}.properties.instance_num.format", "int32"),
    Fact("instances is a list", f"{INSTANCES}.properties.instances.type", "array"),
    *(
        Fact(f"{where} has {name}: {kind}", f"{place}.properties.{name}.type", kind)
        for where, place in (("a listed instance", LISTED), ("a shown instance", SHOWN))
        for name, kind in INSTANCE_FIELDS.items()
    ),
    Fact(
        "capacity_minor is a text or a number",
        f"{LISTED}.properties.capacity_minor.examples",
        [".125", 0.125],
    ),
    Fact(
        "only RUNNING serves clients",
        f"{LISTED}.properties.status.description",
        re.compile("(?s).*Only RUNNING serves clients"),
    ),
    Fact(
        "the example of the vendor's page",
        "ListInstances.responses.200.content.application/json.examples.instances.value.instances.0.name",
        "dcs-lpvo0829",
    ),
    # ShowInstance
    *(
        Fact(f"a shown instance has {name}: {kind}", f"{SHOWN}.properties.{name}.type", kind)
        for name, kind in SHOWN_FIELDS.items()
    ),
    Fact(
        "the types of instances",
        f"{SHOWN}.properties.cache_mode.description",
        re.compile("(?s).*single, ha .* ha_rw_split .* cluster .* proxy"),
    ),
    Fact(
        "without pass-through, addresses are internal ones",
        f"{SHOWN}.properties.transparent_client_ip_enable.description",
        re.compile(r"(?s).*198\.19\.x\.x"),
    ),
    # ListConfigurations
    *(
        Fact(
            f"a list of configurations has {name}", f"{CONFIGURATIONS}.properties.{name}.type", kind
        )
        for name, kind in {
            **dict.fromkeys(("instance_id", "status", "config_status", "config_time"), "string"),
            "redis_config": "array",
        }.items()
    ),
    *(
        Fact(f"a configuration has {name}", f"{CONFIGURATION}.properties.{name}.type", "string")
        for name in CONFIGURATION_FIELDS
    ),
    Fact(
        "maxclients is the limit of a node, and missing with read/write splitting",
        "ListConfigurations.description",
        re.compile("(?s).*of one node.*read/write splitting do not have it"),
    ),
    Fact(
        "the example has the vendor's spelling",
        "ListConfigurations.responses.200.content.application/json.examples.configurations.value"
        ".redis_config.0.value_type",
        "Interger",
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


def test_list_instances_has_these_query_parameters_and_no_other() -> None:
    found = [p["name"] for p in spec.at(spec.load(), "ListInstances.parameters")]
    filters = {*INSTANCE_FILTERS, "is_recycle", "offset", "limit"}
    assert set(found) == {"project_id", *filters}
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", ["ShowInstance", "ListConfigurations"])
def test_instance_is_all_that_is_asked_for(name: str) -> None:
    found = [p["name"] for p in spec.at(spec.load(), f"{name}.parameters")]
    assert found == ["project_id", "instance_id"]


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
        (f"{INSTANCES}.properties", {"instance_num", "instances"}),
        (f"{LISTED}.properties", {*INSTANCE_FIELDS, "capacity_minor"}),
        (f"{SHOWN}.properties", {*INSTANCE_FIELDS, *SHOWN_FIELDS, "capacity_minor"}),
        (
            f"{CONFIGURATIONS}.properties",
            {"instance_id", "status", "config_status", "config_time", "redis_config"},
        ),
        (f"{CONFIGURATION}.properties", set(CONFIGURATION_FIELDS)),
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
        f"{LISTED}.properties.status",
        f"{LISTED}.properties.capacity_minor",
        f"{SHOWN}.properties.cache_mode",
        f"{CONFIGURATIONS}.properties.config_status",
        f"{CONFIGURATION}.properties.value_type",
        "ListInstances.parameters.status.schema",
        "ListInstances.parameters.name_equal.schema",
    ],
)
def test_any_text_may_come(values: str) -> None:
    assert set(spec.at(spec.load(), values)) <= {"type", "description", "examples", "x-source-note"}


# What a reader cannot do without, and what every example of the vendor has.
REQUIRED = {
    "ScanStarted": ["job_id"],
    "KillAllStarted": ["job_id"],
    "SessionPage": ["time", "clients", "count"],
    "Session": [],
    "Job": ["job_id", "status"],
    "NodeList": ["instance_id", "total", "nodes"],
    "Node": ["node_id"],
    "NodeDimension": [],
    "InstanceList": ["instances"],
    "ListedInstance": ["instance_id"],
    "Instance": ["instance_id"],
    "ConfigurationList": ["redis_config"],
    "Configuration": [],
    "ErrorBody": ["error_code", "error_msg"],
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
