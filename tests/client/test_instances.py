"""Instances: found by name, shown, and their connection limits."""

from __future__ import annotations

from typing import Any

import pytest
import valkey

import dcs_sessions
from dcs_sessions import ConnectionLimit, InvalidArgumentError, NotFoundError
from dcs_sessions.emulator import Emulator, Instance
from support.both import Both
from support.scripted import ScriptedServer, answer


def rows(*names: str) -> dict[str, Any]:
    """A page of instances with these names, whose IDs are made of them."""
    return {
        "instance_num": len(names),
        "instances": [{"instance_id": f"id-of-{name}", "name": name} for name in names],
    }


def test_list_instances_reads_every_page(both: Both, server: ScriptedServer) -> None:
    names = [f"shop-{number:02}" for number in range(25)]
    server.steps = [
        answer(200, rows(*names[:10])),
        answer(200, rows(*names[10:20])),
        answer(200, rows(*names[20:])),
    ]
    found = both(endpoint=server.endpoint).list_instances(headers={"X-A": "b"})
    assert [instance.name for instance in found] == names
    assert [request.query for request in server.received] == [
        {"offset": str(offset), "limit": "1000"} for offset in (0, 10, 20)
    ]
    assert {request.path for request in server.received} == {"/v2/a-project/instances"}
    assert all(request.headers["x-a"] == "b" for request in server.received)


def test_list_instances_ends_where_the_offset_is_ignored(
    both: Both, server: ScriptedServer
) -> None:
    server.steps = [answer(200, rows(*(f"shop-{number}" for number in range(10))))]
    assert len(both(endpoint=server.endpoint).list_instances()) == 10
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("name", "exact", "names"),
    [
        ("shop", False, ["shop", "web-SHOP", "shop-2"]),
        ("shop", True, ["shop"]),
        ("SHOP", True, []),
        ("", False, ["shop", "web-SHOP", "shop-2", "other"]),
        ("*", False, []),
    ],
)
def test_names_are_compared_by_the_client(
    both: Both, server: ScriptedServer, name: str, names: list[str], *, exact: bool
) -> None:
    # The service may take the name for a pattern, a part, or a whole.
    server.steps = [answer(200, rows("shop", "web-SHOP", "shop-2", "other"))]
    found = both(endpoint=server.endpoint).list_instances(name, exact=exact)
    assert [instance.name for instance in found] == names
    assert server.received[0].query.get("name") == (name if exact else None)


def test_list_instances_takes_the_values_of_every_documented_example(
    both: Both, server: ScriptedServer
) -> None:
    odd: dict[str, Any] = {
        "instance_id": "i",
        "name": None,
        "capacity_minor": 0.125,
        "domain_name": None,
        "no_password_access": True,
        "publicip_id": {},
        "enterprise_project_id": 0,
        "tags": [{"key": 1, "value": "DCS"}],
        "az_codes": [{"az_code": "a"}],
    }
    server.steps = [answer(200, {"instances": [odd]})]
    client = both(endpoint=server.endpoint)
    (found,) = client.list_instances()
    assert found.to_dict() == odd
    assert client.list_instances("x") == []


def test_deadline_spans_all_pages(both: Both, server: ScriptedServer) -> None:
    pages = iter(range(10_000))

    def endless(connection: Any, request: Any) -> None:
        start = 10 * next(pages)
        names = [f"shop-{number}" for number in range(start, start + 10)]
        answer(200, rows(*names))(connection, request)

    server.steps = [endless]
    with pytest.raises(dcs_sessions.ApiTimeoutError):
        both(endpoint=server.endpoint, retry=None).list_instances(timeout=0.3)


def test_name_must_be_a_string(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, rows("shop"))]
    for exact in (True, False):
        with pytest.raises(InvalidArgumentError, match=r"^name must be a string, not int$"):
            both(endpoint=server.endpoint).list_instances(7, exact=exact)  # type: ignore[arg-type]


def test_list_instances_sends_every_filter(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, rows())]
    filters: dict[str, Any] = {
        "instance_id": "i",
        "name": "n",
        "name_equal": "false",
        "status": "RUNNING",
        "ip": "10.0.0.1",
        "tags": "a=b,c=d",
        "capacity": "4",
        "include_failure": "true",
        "include_delete": "true",
    }
    raw = both(endpoint=server.endpoint).raw
    raw.list_instances(**filters, is_recycle=True, offset=3, limit=7)
    (request,) = server.received
    assert request.query == {**filters, "is_recycle": "true", "offset": "3", "limit": "7"}
    mistakes: list[dict[str, Any]] = [
        {"limit": 0},
        {"limit": 1001},
        {"offset": -1},
        {"is_recycle": "no"},
        {"ip": 1},
    ]
    for wrong in mistakes:
        with pytest.raises(InvalidArgumentError, match=f"^{next(iter(wrong))} "):
            raw.list_instances(**wrong)
    assert len(server.received) == 1


def test_get_instance_returns_the_instance(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"instance_id": "i", "cache_mode": "new", "other": [1]})]
    found = both(endpoint=server.endpoint).get_instance("i")
    assert (found.cache_mode, found.name, found["other"]) == ("new", dcs_sessions.UNSET, [1])
    assert server.received[0].target == "/v2/a-project/instances/i"


def test_list_configurations_returns_the_parameters(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"redis_config": [{"param_name": "timeout"}]})]
    (found,) = both(endpoint=server.endpoint).list_configurations("i")
    assert found.param_name == "timeout"
    assert server.received[0].target == "/v2/a-project/instances/i/configs"


@pytest.mark.parametrize(
    ("instance", "value", "limit"),
    [
        ({"cache_mode": "single"}, "10000", (10000, 10000)),
        ({"cache_mode": "ha", "replica_count": 2}, "10000", (10000, 10000)),
        ({"cache_mode": "cluster", "sharding_count": 3}, "10000", (30000, 10000)),
        ({"cache_mode": "cluster"}, "10000", (None, 10000)),
        ({"cache_mode": "proxy", "sharding_count": 3}, "10000", (None, None)),
        ({"cache_mode": "ha_rw_split"}, None, (None, None)),
        ({}, "10000", (None, None)),
        ({"cache_mode": "single"}, "many", (None, None)),
        ({"cache_mode": "single"}, "", (None, None)),
        ({"cache_mode": "single"}, 500, (500, 500)),
        ({"cache_mode": "single"}, "9" * 18, (10**18 - 1, 10**18 - 1)),
        ({"cache_mode": "single"}, "9" * 19, (None, None)),
        ({"cache_mode": "single"}, "٣", (None, None)),
        ({"cache_mode": "cluster", "sharding_count": 1}, "500", (500, 500)),
        ({"cache_mode": "cluster", "sharding_count": 0}, "500", (None, 500)),
    ],
)
def test_connection_limit_depends_on_the_type(
    both: Both,
    server: ScriptedServer,
    instance: dict[str, object],
    value: object,
    limit: tuple[int | None, int | None],
) -> None:
    other = {"param_name": "timeout", "param_value": "7"}
    maxclients = [] if value is None else [{"param_name": "maxclients", "param_value": value}]
    server.steps = [
        answer(200, {"instance_id": "i", **instance}),
        answer(200, {"redis_config": [other, *maxclients]}),
    ]
    found = both(endpoint=server.endpoint).get_connection_limit("i")
    assert found == ConnectionLimit(*limit)


def test_client_reads_instances_of_the_emulator(both: Both) -> None:
    further = [Instance(name="shop-prod"), Instance(name="shop-test"), Instance(name="shop-test")]
    with Emulator(nodes=2, instance_name="checkout-prod", instances=further) as dcs:
        client = both(
            endpoint=dcs.endpoint,
            project_id=dcs.project_id,
            auth=dcs_sessions.TokenAuth(dcs.token),
        )
        (found,) = client.list_instances("checkout-prod", exact=True)
        assert found.instance_id == dcs.instance_id
        assert len(client.list_instances("shop-test", exact=True)) == 2
        assert client.list_instances("checkout", exact=True) == []
        assert [one.name for one in client.list_instances("CHECK")] == ["checkout-prod"]
        with valkey.Valkey.from_url(dcs.redis_urls[0]) as redis:
            redis.config_set("maxclients", 1500)
        assert client.get_connection_limit(dcs.instance_id) == ConnectionLimit(3000, 1500)
        with pytest.raises(NotFoundError):
            client.get_instance("another")
