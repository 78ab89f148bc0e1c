"""Several instances: found by name, of different types, each with its own nodes and sessions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import valkey

from dcs_sessions import emulator
from dcs_sessions.emulator import Emulator, EmulatorError, Fault, Instance
from emulator.conftest import Api
from emulator.model import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emulator.conftest import Connect

INSTANCES = [
    Instance(name="billing-prod", cache_mode="proxy", transparent_client_ip=False, nodes=2),
    Instance(name="billing-old", status="DELETED", tags={"team": "billing", "stage": "prod"}),
    Instance(name="broken", status="CREATEFAILED"),
    Instance(name="reports", cache_mode="ha_rw_split", instance_id="an-id", node_ids=["a-node"]),
    Instance(name="standby", cache_mode="ha", nodes=2, description="of carts"),
]


class Project(Api):
    """The API for any instance of the project."""

    def of(self, name: str) -> Project:
        """Return the API for another instance."""
        found = next(found for found in self.dcs.instances if found["name"] == name)
        other = Project(self.dcs)
        other.http.close()
        other.http = self.http
        other.instance = f"{self.project}/instances/{found['instance_id']}"
        other.clients = f"{other.instance}/clients"
        return other

    def names(self, **query: object) -> list[str]:
        """Return the names of the listed instances."""
        return [found["name"] for found in self.instances(**query)["instances"]]

    def instances(self, **query: object) -> dict[str, Any]:
        """Return the answer of ListInstances."""
        params: Any = {"include_delete": "true", "include_failure": "true", **query}
        response = self.http.get(f"{self.project}/instances", params=params)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def shown(self) -> dict[str, Any]:
        """Return the answer of ShowInstance."""
        answer: dict[str, Any] = self.http.get(self.instance).json()
        return answer

    def configurations(self) -> dict[str, str]:
        """Return the values of ListConfigurations."""
        answer = self.http.get(f"{self.instance}/configs").json()
        return {one["param_name"]: one["param_value"] for one in answer["redis_config"]}


@pytest.fixture(scope="module")
def several() -> Iterator[Emulator]:
    with Emulator(instance_name="checkout-prod", nodes=3, instances=INSTANCES) as dcs:
        yield dcs


@pytest.fixture
def project(several: Emulator) -> Iterator[Project]:
    with Project(several) as found:
        yield found


def test_instances_have_ids_and_nodes_of_their_own(several: Emulator) -> None:
    assert [found["name"] for found in several.instances] == [
        *("checkout-prod", "billing-prod", "billing-old", "broken", "reports", "standby")
    ]
    ids = [found["instance_id"] for found in several.instances]
    assert ids[:2] == [emulator.instance_id(0), emulator.instance_id(1)]
    assert ids[4] == "an-id"
    nodes = [node for found in several.instances for node in found["node_ids"]]
    assert nodes[:5] == [emulator.node_id(index) for index in range(5)]
    urls = [url for found in several.instances for url in found["redis_urls"]]
    assert len(set(ids)) == 6
    assert len(set(nodes)) == len(set(urls)) == len(nodes) == 10
    assert list(several.redis_urls) == several.instances[0]["redis_urls"]
    assert list(several.node_ids) == several.instances[0]["node_ids"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"name": "billing"}, ["billing-prod", "billing-old"]),
        ({"name": "Billing"}, []),
        ({"name": "billing-prod", "name_equal": "true"}, ["billing-prod"]),
        ({"name": "billing", "name_equal": "true"}, []),
        ({"name": "billing", "name_equal": "false"}, ["billing-prod", "billing-old"]),
        ({"name_equal": "billing-prod"}, ["billing-prod"]),
        ({"instance_id": "an-id"}, ["reports"]),
        ({"instance_id": "an"}, []),
        ({"status": "DELETED"}, ["billing-old"]),
        ({"include_delete": "false", "name": "billing"}, ["billing-prod"]),
        ({"include_failure": "no", "name": "bro"}, []),
        ({"tags": "team=billing"}, ["billing-old"]),
        ({"tags": "team=billing,stage=prod"}, ["billing-old"]),
        ({"tags": "team=billing,stage=test"}, []),
        ({"ip": "127.0.0.1", "limit": 1}, ["checkout-prod"]),
        ({"ip": "127.0.0"}, []),
        ({"capacity": "0.125", "limit": 1}, ["checkout-prod"]),
        ({"capacity": "4"}, []),
        ({"is_recycle": "true"}, []),
        ({"offset": 1, "limit": 2}, ["billing-prod", "billing-old"]),
        ({"offset": 5}, ["standby"]),
        ({"offset": 6}, []),
    ],
)
def test_instances_are_filtered_by_query(
    project: Project, query: dict[str, object], names: list[str]
) -> None:
    assert project.names(**query) == names


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1", "is_recycle=yes"])
def test_wrong_queries_of_instances_are_refused(project: Project, query: str) -> None:
    response = project.http.get(f"{project.project}/instances?{query}")
    assert (response.status_code, response.json()["error_code"]) == (400, "DCS.4800")
    assert query.partition("=")[0] in response.json()["error_msg"]


def test_types_in_the_list_differ_as_in_the_examples(project: Project) -> None:
    listed, shown = project.instances()["instances"][0], project.shown()
    assert (listed["no_password_access"], shown["no_password_access"]) == (True, "true")
    assert (listed["enterprise_project_id"], shown["enterprise_project_id"]) == (0, "0")
    assert listed.keys() < shown.keys()
    assert "cache_mode" not in listed


@pytest.mark.parametrize(
    ("name", "mode", "code", "shards", "replicas", "passes"),
    [
        ("checkout-prod", "cluster", "redis.cluster.", 3, 1, True),
        ("billing-prod", "proxy", "redis.proxy.", 1, 1, False),
        ("broken", "single", "redis.single.", 1, 1, True),
        ("reports", "ha_rw_split", "redis.ha.xu1.large.p", 1, 1, True),
        ("standby", "ha", "redis.ha.xu1.large.r", 1, 2, True),
    ],
)
def test_each_instance_shows_its_type(
    project: Project, name: str, mode: str, code: str, shards: int, replicas: int, *, passes: bool
) -> None:
    shown = project.of(name).shown()
    assert (shown["name"], shown["cache_mode"]) == (name, mode)
    assert shown["spec_code"].startswith(code)
    assert (shown["sharding_count"], shown["replica_count"]) == (shards, replicas)
    assert shown["transparent_client_ip_enable"] is passes


def test_unknown_instance_is_404(project: Project) -> None:
    for path in ("", "/configs", "/logical-nodes"):
        response = project.http.get(f"{project.project}/instances/none{path}")
        assert (response.status_code, response.json()["error_code"]) == (404, "DCS.3022")


def test_connection_limit_is_that_of_the_server(several: Emulator, project: Project) -> None:
    with valkey.Valkey.from_url(several.redis_urls[0]) as server:
        server.config_set("maxclients", 1234)
    assert project.configurations()["maxclients"] == "1234"
    assert "maxclients" in project.of("billing-prod").configurations()


def test_read_write_splitting_shows_no_connection_limit(project: Project) -> None:
    assert project.of("reports").configurations() == {"timeout": "0"}


def test_sessions_are_those_of_the_instance(
    several: Emulator, project: Project, connect: Connect
) -> None:
    connect(several.instances[0]["redis_urls"][0], "of-checkout")
    standby = several.instances[5]
    connect(standby["redis_urls"][0], "of-standby")

    def names(api: Project, node_id: str) -> list[str]:
        started = api.http.post(api.clients, json={"node_id": node_id, "clean_cache": True})
        assert api.done(started)["status"] == "SUCCESS"
        answer = api.http.get(api.clients, params={"node_id": node_id}).json()
        # A replica is connected as well, without a name.
        return [session["name"] for session in answer["clients"] if session["name"]]

    assert names(project, several.node_ids[0]) == ["of-checkout"]
    assert names(project.of("standby"), standby["node_ids"][0]) == ["of-standby"]
    response = project.http.post(project.clients, json={"node_id": standby["node_ids"][0]})
    assert response.json()["error_code"] == "DCS.3053"


def test_sessions_of_a_proxy_instance_are_on_its_proxies(
    several: Emulator, project: Project
) -> None:
    billing, known = project.of("billing-prod"), several.instances[1]["node_ids"]
    nodes = billing.nodes().json()["nodes"]
    assert [node["node_id"] for node in nodes if node["node_role"] == "redis-proxy"] == known
    (data,) = [node for node in nodes if node["node_role"] == "redis-server"]
    assert {node["node_type"] for node in nodes} == {"proxy", "master"}
    response = project.http.post(billing.clients, json={"node_id": data["node_id"]})
    assert (response.status_code, response.json()["error_code"]) == (400, "DCS.3053")


def test_standby_is_a_real_replica(project: Project) -> None:
    nodes = project.of("standby").nodes().json()["nodes"]
    assert [node["node_type"] for node in nodes] == ["master", "slave"]


def test_addresses_are_internal_without_pass_through(
    several: Emulator, project: Project, connect: Connect
) -> None:
    billing, instance = project.of("billing-prod"), several.instances[1]
    victims = [connect(instance["redis_urls"][0], name) for name in ("one", "two")]
    node_id = instance["node_ids"][0]

    def sessions(**params: str) -> list[dict[str, Any]]:
        started = billing.http.post(billing.clients, json={"node_id": node_id, "clean_cache": True})
        billing.done(started)
        params = {"node_id": node_id, "sort": "name", "order": "asc", **params}
        found: list[dict[str, Any]] = billing.http.get(billing.clients, params=params).json()[
            "clients"
        ]
        return found

    one, two = sessions()
    assert one["addr"].startswith("198.19.")
    assert one["addr"].rpartition(":")[0] == two["addr"].rpartition(":")[0]
    assert one["addr"].rpartition(":")[2] == one["peer"].rpartition(":")[2]
    assert one["peer"] == victims[0].addr
    # Another scan, by which time its age may be another.
    assert [found["id"] for found in sessions(addr=one["addr"])] == [one["id"]]
    # Only the peer is what the service takes.
    for address in (one["addr"], two["peer"]):
        body = {"node_id": node_id, "client_addrs": [address]}
        assert billing.http.post(f"{billing.clients}/kill", json=body).status_code == 204
    assert victims[0].is_alive()
    assert victims[1].sees_end()


def test_caller_without_rights_sees_no_instance(several: Emulator) -> None:
    paths = ("", f"/{several.instance_id}", f"/{several.instance_id}/configs")
    for path in paths:
        response = httpx.get(
            f"{several.endpoint}/v2/{several.project_id}/instances{path}",
            headers={"X-Auth-Token": several.noaccess_token},
            trust_env=False,
            verify=False,
        )
        assert response.status_code == 403


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"instance_name": "abc"}, "instance_name"),
        ({"instance_name": "-abc"}, "instance_name"),
        ({"instance_name": "a" * 65}, "instance_name"),
        ({"cache_mode": "clustered"}, "cache_mode"),
        ({"cache_mode": "single", "nodes": 2}, "cache_mode"),
        ({"instances": [Instance(name="same-id", instance_id=emulator.INSTANCE_ID)]}, "instances"),
        ({"instances": [Instance(name="same-node", node_ids=[emulator.node_id(0)])]}, "instances"),
    ],
)
def test_invalid_instances_are_refused(arguments: dict[str, Any], argument: str) -> None:
    with pytest.raises(EmulatorError) as caught:
        Emulator(**arguments)
    assert caught.value.argument == argument
    assert not re.search("None|XX", caught.value.reason)
    assert len(caught.value.reason) > 10, "a reason in words"


@pytest.mark.parametrize(
    ("refuse", "values"),
    [
        (
            lambda: Instance(name="name", cache_mode="x"),
            ["single", "ha", "ha_rw_split", "cluster", "proxy"],
        ),
        (
            lambda: Fault.parse("x"),
            ["latency", "status", "drop", "truncate", "operation", "probability"],
        ),
        (lambda: Emulator(faults=[Fault(status=500, operation="x")]), sorted(ACTIONS)),
    ],
    ids=["cache_mode", "name of a fault", "operation of a fault"],
)
def test_error_lists_the_values_that_are_accepted(
    refuse: Callable[[], object], values: list[str]
) -> None:
    with pytest.raises((ValueError, EmulatorError)) as caught:
        refuse()
    assert str(caught.value).endswith(f" must be one of {', '.join(values)}")
