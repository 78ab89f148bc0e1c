"""A client works in the parent and in the child after a fork."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from client.test_leftovers import job
from support.scripted import Received, ScriptedServer

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no fork")

# In a process of its own, since a test runner has threads, which do not go well with a fork.
PROGRAM = """
import asyncio, concurrent.futures, json, os, sys, warnings
import dcs_sessions

kind, endpoint, bundle, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
warnings.simplefilter("error")
options = dict(
    endpoint=endpoint, project_id="p", auth=dcs_sessions.TokenAuth("t"), verify=bundle or True
)


def wrong_sync(client, name):
    def wrong(n):
        return client.get_job(f"{name}-{n}").job_id != f"{name}-{n}"

    if name != "child":
        return sum(map(wrong, range(count)))
    # The first calls of the child come from several threads at once.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return sum(pool.map(wrong, range(count)))


async def wrong_async(client, name):
    return sum(
        [(await client.get_job(f"{name}-{n}")).job_id != f"{name}-{n}" for n in range(count)]
    )


if kind == "sync":
    client = dcs_sessions.Client(**options)
    use = lambda name: wrong_sync(client, name)
else:
    client = dcs_sessions.AsyncClient(**options)
    runner = asyncio.Runner()
    use = lambda name: runner.run(wrong_async(client, name))

found = {"before": use("before")}
reads, writes = os.pipe()
child = os.fork()
if child == 0:
    if kind == "async":
        runner = asyncio.Runner()
    os.write(writes, b"%d" % use("child"))
    if os.environ.get("LEAVES") == "exit":
        sys.exit(0)
    os._exit(0)
found["parent"] = use("parent")
found["child"] = int(os.read(reads, 10))
_, status = os.waitpid(child, 0)
found["status"] = status
found["after"] = use("after")
print(json.dumps(found))
if kind == "async":
    runner.run(client.close())
    runner.close()
else:
    client.close()
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("leaves", ["_exit", "exit"])
def test_parent_and_child_get_their_own_answers(
    tmp_path: Path, kind: str, tls: bool, leaves: str
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    used: dict[str, set[int]] = {}

    def step(connection: ssl.SSLSocket, request: Received) -> None:
        name = request.path.rpartition("/")[2].partition("-")[0]
        used.setdefault(name, set()).add(connection.getpeername()[1])
        job(connection, request)

    with ScriptedServer([step], tls=context if tls else None) as server:  # type: ignore[list-item]
        run = subprocess.run(
            [
                *(sys.executable, "-c", PROGRAM, kind, server.endpoint),
                *(str(bundle) if tls else "", "100"),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            env={"LEAVES": leaves},
            check=False,
        )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found == {"before": 0, "parent": 0, "child": 0, "after": 0, "status": 0}, run.stderr
    # The child said goodbye on none of the connections that the parent goes on using.
    assert used["before"] == used["parent"] == used["after"]
    assert used["child"].isdisjoint(used["parent"])


# The child ends the client that it inherited, and the parent goes on using it.
ENDING = """
import asyncio, gc, os, sys
import dcs_sessions

how, endpoint = sys.argv[1:]
options = dict(endpoint=endpoint, project_id="p", auth=dcs_sessions.TokenAuth("t"), retry=None)
client = dcs_sessions.AsyncClient(**options)
runner = asyncio.Runner()
runner.run(client.get_job("before"))
child = os.fork()
if child == 0:
    if how == "close":
        asyncio.run(client.close())
    else:
        del client
        gc.collect()
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
runner.run(client.get_job("after", timeout=10))
runner.run(client.close())
runner.close()
"""


@pytest.mark.parametrize("how", ["close", "drop"])
def test_child_that_ends_an_async_client_leaves_the_connections_of_the_parent(how: str) -> None:
    used: list[int] = []

    def step(connection: socket.socket, request: Received) -> None:
        used.append(connection.getpeername()[1])
        job(connection, request)

    with ScriptedServer([step]) as server:
        run = subprocess.run(
            [sys.executable, "-c", ENDING, how, server.endpoint],
            capture_output=True,
            text=True,
            timeout=60,
            env={},
            check=False,
        )
    assert run.returncode == 0, run.stderr
    assert len(used) == 2
    assert used[0] == used[1]
