"""The emulator under load: full size with `make resilience`, small with `make test`."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import dcs_sessions
from dcs_sessions import AsyncClient, Client, TokenAuth
from dcs_sessions.emulator import Emulator
from dcs_sessions.emulator._valkey import EmbeddedValkey

FULL = os.environ.get("DCS_SESSIONS_LOAD") == "full"
CONNECTIONS = 10_000 if FULL else 500
SECONDS = 60 if FULL else 2
REQUESTS = 100_000 if FULL else 2_000
AT_ONCE = 64

pytestmark = pytest.mark.timeout(900 if FULL else 120)


@pytest.fixture
def dcs() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@contextmanager
def connections(url: str, count: int) -> Iterator[dict[str, socket.socket]]:
    """Real connections to a node, by their address there."""
    address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 0))
    made: dict[str, socket.socket] = {}
    try:
        for number in range(count):
            connection = socket.create_connection(address)
            host, port = connection.getsockname()
            made[f"{host}:{port}"] = connection
            connection.sendall(b"CLIENT SETNAME worker-%d\r\n" % number)
        for connection in made.values():
            assert connection.recv(100) == b"+OK\r\n"
        yield made
    finally:
        for connection in made.values():
            connection.close()


def ended(made: dict[str, socket.socket]) -> set[str]:
    """The connections that their server has closed."""
    poll = select.poll()
    names = {connection.fileno(): name for name, connection in made.items()}
    for number in names:
        poll.register(number, select.POLLIN | select.POLLHUP)
    return {names[number] for number, _ in poll.poll(0)}


def client_of(dcs: Emulator) -> Client:
    return Client(endpoint=dcs.endpoint, project_id=dcs.project_id, auth=TokenAuth(dcs.token))


def test_ten_thousand_connections_are_listed_and_half_are_ended(dcs: Emulator) -> None:
    with connections(dcs.redis_urls[0], CONNECTIONS) as made, client_of(dcs) as client:
        started = time.monotonic()
        result = client.query_sessions(dcs.instance_id)
        took = time.monotonic() - started
        listed = {str(session.peer): session for session in result.sessions}
        assert listed.keys() == made.keys()
        assert {session.name for session in listed.values()} == {
            f"worker-{number}" for number in range(CONNECTIONS)
        }
        node_id = dcs.node_ids[0]
        one = next(iter(made))
        page = client.list_sessions(dcs.instance_id, node_id, addr=one)
        assert [session.peer for session in page.clients] == [one]

        victims = sorted(made)[::2]
        for first in range(0, len(victims), 500):
            client.kill_sessions(dcs.instance_id, node_id, victims[first : first + 500])
        deadline = time.monotonic() + 10
        while ended(made) != set(victims) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert ended(made) == set(victims)
        left = client.query_sessions(dcs.instance_id)
        assert {str(session.peer) for session in left.sessions} == made.keys() - set(victims)
    print(f"{CONNECTIONS} connections queried and read in {took:.2f} s")


def test_many_clients_query_at_once(dcs: Emulator) -> None:
    times: list[float] = []

    async def work(client: AsyncClient, until: float) -> None:
        while time.monotonic() < until:
            started = time.monotonic()
            result = await client.query_sessions(dcs.instance_id, timeout=30)
            times.append(time.monotonic() - started)
            assert {session.name for session in result.sessions} >= {"worker-0", "worker-49"}

    async def everybody() -> None:
        async with AsyncClient(
            endpoint=dcs.endpoint, project_id=dcs.project_id, auth=TokenAuth(dcs.token)
        ) as client:
            until = time.monotonic() + SECONDS
            await asyncio.gather(*(work(client, until) for _ in range(AT_ONCE)))

    with connections(dcs.redis_urls[0], 50):
        asyncio.run(everybody())
    assert len(times) >= AT_ONCE
    print(
        f"{len(times)} queries by {AT_ONCE} clients in {SECONDS} s, "
        f"median {statistics.median(times):.2f} s, longest {max(times):.2f} s"
    )


def test_valkey_is_killed_in_the_middle_of_scans_and_comes_back() -> None:
    """Requests fail with an error meanwhile, and succeed afterwards without a restart."""
    before = EmbeddedValkey(0)
    again: EmbeddedValkey | None = None
    failures: Counter[str] = Counter()
    done = 0
    one_done, one_failed, back = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(client: AsyncClient, dcs: Emulator) -> None:
        nonlocal done
        was_back = False
        while not was_back:
            # Looked at first: a query that started before may still fail after.
            was_back = back.is_set()
            try:
                await client.query_sessions(dcs.instance_id, timeout=30)
            except dcs_sessions.DcsSessionsError as error:
                if was_back:
                    raise
                failures[type(error).__name__] += 1
                one_failed.set()
                await asyncio.sleep(0.01)
            else:
                done += 1
                one_done.set()

    async def everybody(dcs: Emulator) -> None:
        nonlocal again
        async with (
            AsyncClient(
                endpoint=dcs.endpoint,
                project_id=dcs.project_id,
                auth=TokenAuth(dcs.token),
                retry=dcs_sessions.Retry(attempts=1),
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(AT_ONCE):
                group.create_task(work(client, dcs))
            await one_done.wait()
            before.kill()
            await one_failed.wait()
            await asyncio.sleep(SECONDS / 10)
            again = EmbeddedValkey(before.port)
            back.set()

    try:
        with (
            connections(before.url, CONNECTIONS // 10),
            Emulator(redis=[before.url], scan_delay=0.05) as dcs,
        ):
            asyncio.run(asyncio.wait_for(everybody(dcs), 60 + SECONDS))
    finally:
        before.kill()
        if again is not None:
            again.kill()
    assert failures.keys() <= {"ServerError", "JobFailedError"}
    assert done >= AT_ONCE  # each once it was back
    print(f"{done} queries done, and while Valkey was gone: {dict(failures)}")


def resident(pid: int) -> int:
    """Memory of a process in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_memory_does_not_grow(tmp_path: Path) -> None:
    """In a process of its own, so that only the emulator's memory counts."""
    import json
    import subprocess
    import sys

    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "dcs_sessions", "emulator", "--port", "0"]
    process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        facts = json.loads(ready.read_text())
        instance, node = facts["instance_id"], facts["node_ids"][0]

        async def burst(count: int) -> None:
            async with AsyncClient(
                endpoint=facts["endpoint"],
                project_id=facts["project_id"],
                auth=TokenAuth(facts["token"]),
            ) as client:
                gate = asyncio.Semaphore(AT_ONCE)

                async def one(number: int) -> None:
                    async with gate:
                        if number % 10 == 0:
                            await client.scan_sessions(instance, node)
                        else:
                            await client.list_sessions(instance, node)

                await client.query_sessions(instance)
                await asyncio.gather(*(one(number) for number in range(count)))

        # Enough for the jobs that are remembered to reach their full number, where it is tested.
        asyncio.run(burst(REQUESTS // 2))
        before = resident(process.pid)
        asyncio.run(burst(REQUESTS // 2))
        grown = resident(process.pid) - before
        assert grown < 8 * 2**20
        print(f"{REQUESTS} requests: {before / 2**20:.0f} MiB, then {grown / 2**20:+.1f} MiB")
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_slow_senders_do_not_keep_others_waiting(dcs: Emulator) -> None:
    address = (str(urlsplit(dcs.endpoint).hostname), int(urlsplit(dcs.endpoint).port or 0))
    senders = [socket.create_connection(address) for _ in range(200)]
    try:
        for number, sender in enumerate(senders):
            head = b"POST /v2/p/instances/i/clients HTTP/1.1\r\nHost: x\r\n"
            sender.sendall(head if number % 2 else head + b"Content-Length: 900000\r\n\r\n{")
        with client_of(dcs) as client:
            assert client.query_sessions(dcs.instance_id, timeout=30).nodes
        for sender in senders:
            sender.sendall(b"X")
        with client_of(dcs) as client:
            assert client.query_sessions(dcs.instance_id, timeout=30).nodes
    finally:
        for sender in senders:
            sender.close()


def test_request_that_is_too_large_is_an_error_of_ours(dcs: Emulator) -> None:
    with client_of(dcs) as client:
        addresses = [f"10.0.0.{number % 250}:{number}" for number in range(100_000)]
        with pytest.raises(dcs_sessions.BadRequestError, match="too large"):
            client.kill_sessions(dcs.instance_id, dcs.node_ids[0], addresses)
        assert client.query_sessions(dcs.instance_id).nodes
