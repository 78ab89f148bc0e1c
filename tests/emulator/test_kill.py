"""Kills end the requested connections, and no others."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dcs_sessions.emulator import Emulator
    from emulator.conftest import Api, Connect, MakeApi, MakeDcs, MakeValkey


def test_killed_session_sees_its_end_and_the_others_live(
    api: Api, fresh: Emulator, connect: Connect
) -> None:
    url = fresh.redis_urls[0]
    victim, bystander = connect(url, "victim"), connect(url, "bystander")
    peers = {s["name"]: s["peer"] for s in api.sessions()}
    assert peers["victim"] == victim.addr

    response = api.kill([peers["victim"]])

    assert (response.status_code, response.content) == (204, b"")
    assert victim.sees_end()
    assert bystander.is_alive()
    assert api.listed().json()["count"] == 2, "the stored list is of before"
    assert [s["name"] for s in api.sessions()] == ["bystander"]


def test_sessions_doing_something_are_killed_all_the_same(
    api: Api, fresh: Emulator, connect: Connect
) -> None:
    url = fresh.redis_urls[0]
    subscribed, blocked, transaction = connect(url, "s"), connect(url, "b"), connect(url, "t")
    subscribed.command("SUBSCRIBE", "news")
    blocked.send("BLPOP", "nothing", "0")
    transaction.command("MULTI")
    victims = [subscribed, blocked, transaction]
    assert api.kill([victim.addr for victim in victims]).status_code == 204
    assert all(victim.sees_end() for victim in victims)


def test_kill_of_a_gone_address_succeeds(api: Api, fresh: Emulator, connect: Connect) -> None:
    victim = connect(fresh.redis_urls[0])
    for _ in range(2):
        assert api.kill([victim.addr, victim.addr]).status_code == 204
    assert victim.sees_end()


@pytest.mark.parametrize(
    "addr",
    [
        "10.0.0.1:5",
        "127.0.0.1",
        "",
        "ID",
        "x y",
        "1 SKIPME no",
        "\r\nFLUSHALL\r\n",
        "\0",
        "é",
        "\udc00",
    ],
)
def test_malformed_address_kills_nobody(
    addr: str, api: Api, fresh: Emulator, connect: Connect
) -> None:
    bystander = connect(fresh.redis_urls[0])
    body = '{"node_id": "%s", "client_addrs": [%s]}'
    response = api.http.post(
        f"{api.clients}/kill",
        content=body % (fresh.node_ids[0], json.dumps(addr)),
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 204
    assert bystander.is_alive()


def test_no_address_kills_nobody(api: Api, fresh: Emulator, connect: Connect) -> None:
    bystander = connect(fresh.redis_urls[0])
    assert api.kill([]).status_code == 204
    assert bystander.is_alive()


def test_address_of_another_node_is_not_touched(
    api: Api, fresh: Emulator, connect: Connect
) -> None:
    other = connect(fresh.redis_urls[1])
    assert api.kill([other.addr], node=0).status_code == 204
    assert other.is_alive()


def test_emulators_own_connection_cannot_be_killed(
    api: Api, fresh: Emulator, connect: Connect
) -> None:
    observer = connect(fresh.redis_urls[0], "observer")
    api.sessions()
    lines = observer.command("CLIENT", "LIST").decode().splitlines()
    (own,) = [line for line in lines if "name=observer" not in line]
    fields = dict(item.split("=", 1) for item in own.split(" "))
    assert api.kill([fields["addr"]]).status_code == 204
    assert api.kill_all(kill_all_nodes=True).status_code == 200
    assert api.done(api.kill_all(kill_all_nodes=True))["status"] == "SUCCESS"
    assert observer.sees_end()
    later = connect(fresh.redis_urls[0])
    assert f" addr={fields['addr']} " in later.command("CLIENT", "LIST").decode()


def test_kill_all_of_one_node_ends_its_sessions_only(
    api: Api, fresh: Emulator, connect: Connect
) -> None:
    here = [connect(fresh.redis_urls[0], f"c{number}") for number in range(3)]
    here[0].command("SUBSCRIBE", "news")
    there = connect(fresh.redis_urls[1])

    job = api.done(api.kill_all(node_id=fresh.node_ids[0]))

    assert job["status"] == "SUCCESS"
    assert all(victim.sees_end() for victim in here)
    assert there.is_alive()
    assert api.sessions() == []


def test_kill_all_of_all_nodes_ends_every_session(
    api: Api, fresh: Emulator, connect: Connect
) -> None:
    victims = [connect(url) for url in fresh.redis_urls]
    # The node has no effect when all are meant.
    assert api.done(api.kill_all(kill_all_nodes=True, node_id="whatever"))["status"] == "SUCCESS"
    assert all(victim.sees_end() for victim in victims)


def test_kill_all_spares_the_link_to_a_replica(
    make_valkey: MakeValkey, make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    master, replica = make_valkey(), make_valkey()
    connect(replica.url).command("REPLICAOF", "127.0.0.1", str(master.port))
    observer = connect(master.url)
    deadline = time.monotonic() + 20
    while b"state=online" not in observer.command("INFO", "replication"):
        assert time.monotonic() < deadline
    api = make_api(make_dcs(redis=[master.url, replica.url]))
    link = [s["id"] for s in api.sessions() if "S" in s["flags"]]
    assert len(link) == 1

    assert api.done(api.kill_all(kill_all_nodes=True))["status"] == "SUCCESS"

    assert observer.sees_end()
    assert [s["id"] for s in api.sessions()] == link
    assert [node["node_type"] for node in api.nodes().json()["nodes"]] == ["master", "slave"]
    assert api.nodes().json()["nodes"][1]["name"] == "(replica)127.0.0.1"
