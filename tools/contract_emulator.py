"""The emulator as the server of `make contract`, and the statuses that schemathesis cannot reach.

They are provoked by tokens without permissions, IDs that do not exist, a body that is too large, a
throttled emulator and one whose Valkey is down. A few answers have no cause in the emulator:
`--fault` injects them, and the run prints which. The vendor documents 500 as an internal error,
which no caller can cause, and 404 also where a path names nothing that could be missing.
tests/emulator/test_faults.py compares injected errors with those that have a cause.
"""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dcs_sessions import TokenAuth
from tools import spec
from tools.contract_api import KILLS, Api, ContractError, Facts, Seen, prepare
from tools.contract_schemathesis import (
    FOUND,
    counted,
    environment,
    read,
    schemathesis_run,
    unidentified,
    untried,
    verdict,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence


# Operations that succeed also while a node is down. Their 500 is injected.
STORED = ("ListInstances", "ShowInstance", "ShowJobInfo", "ShowNodesInformation")

_START_SECONDS = 60.0
_END_SECONDS = 10.0
_CROWD = 3


@contextmanager
def emulator(command: str, *options: str) -> Iterator[Facts]:
    """Run an emulator in a process of its own; yield the content of its ready file."""
    with tempfile.TemporaryDirectory() as folder:
        ready, errors = Path(folder, "ready.json"), Path(folder, "errors")
        line = [*shlex.split(command), "--port", "0", "--ready-file", str(ready), *options]
        with errors.open("w") as stderr:
            process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    why = errors.read_text().strip().splitlines() or ["no reason given"]
                    raise ContractError(f"the emulator does not start: {why[-1]}")
                time.sleep(0.02)
            yield json.loads(ready.read_text())
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def crowd(urls: Sequence[str]) -> Iterator[None]:
    """Keep sessions open on each server, which reconnect when they are ended."""
    leaving = threading.Event()

    def visit(url: str) -> None:
        address = urlsplit(url)
        while not leaving.is_set():
            try:
                server = (address.hostname or "", address.port or 6379)
                with socket.create_connection(server, 5) as visitor:
                    visitor.settimeout(0.2)
                    visitor.sendall(b"CLIENT SETNAME visitor\r\n")
                    while not leaving.is_set():
                        try:
                            if not visitor.recv(64):
                                break
                        except TimeoutError:
                            continue
            except OSError:
                leaving.wait(0.2)

    visitors = [threading.Thread(target=visit, args=(url,)) for url in urls for _ in range(_CROWD)]
    for visitor in visitors:
        visitor.start()
    try:
        yield
    finally:
        leaving.set()
        for visitor in visitors:
            visitor.join()


def provoke_refusals(api: Api, facts: Facts) -> None:
    """Provoke 400, 401, 403 and 404 of every operation.

    Where a path names nothing that could be missing, `against_emulator` does it instead.
    """
    for name in spec.operations(spec.load()):
        call = api.valid(name)
        api.expect(name, 400, api.spoiled(name))
        api.expect(name, 401, call._replace(auth=None))
        api.expect(name, 403, call._replace(auth=TokenAuth(facts["noaccess_token"])))
        nowhere = {**call.ids, "instance_id": "00000000-0000-4000-8000-000000000000"}
        if not api.names_nothing(name):
            api.expect(name, 404, call._replace(ids=nowhere))
    for name in KILLS:
        api.expect(name, 403, api.valid(name)._replace(auth=TokenAuth(facts["readonly_token"])))


def provoke_throttling(api: Api) -> None:
    """Provoke 429 of every operation, from an emulator that accepts one request."""
    api.send("ShowNodesInformation", api.valid("ShowNodesInformation"))
    for name in spec.operations(spec.load()):
        api.expect(name, 429, api.valid(name))


def provoke_failures(api: Api, facts: Facts) -> None:
    """Provoke 500 of every operation, from an emulator whose Valkey is down.

    ListClients has no list to return, and others need the node. Those of `STORED` succeed without
    it, so the emulator has faults for them.
    """
    address = urlsplit(facts["redis_urls"][0])
    with socket.create_connection((address.hostname or "", address.port or 6379), 5) as server:
        server.sendall(b"SHUTDOWN NOSAVE\r\n")
        while server.recv(64):
            pass
    for name in spec.operations(spec.load()):
        api.expect(name, 500, api.valid(name))


def against_emulator(arguments: argparse.Namespace) -> list[str]:
    """Test the emulator, and return the faults."""
    amiss: list[str] = []
    seen: Seen = Counter()
    injected: dict[int, Sequence[str]] = {}
    with ExitStack() as stack:
        facts = stack.enter_context(emulator(arguments.emulator, "--nodes", "2"))
        stack.enter_context(crowd(facts["redis_urls"]))
        noted = Path(stack.enter_context(tempfile.TemporaryDirectory()), "seen")
        api = Api(facts, seen)
        job_id = prepare(api)
        if job_id is None:
            raise ContractError("ShowJobInfo does not know the job of a scan")
        variables = environment(
            {
                "HUAWEICLOUD_SDK_PROJECT_ID": facts["project_id"],
                "DCS_SESSIONS_INSTANCE": facts["instance_id"],
                "DCS_SESSIONS_NODE": facts["node_ids"][0],
                "DCS_SESSIONS_TOKEN": facts["token"],
                "HUAWEICLOUD_SDK_AK": facts["ak"],
                "HUAWEICLOUD_SDK_SK": facts["sk"],
                "HUAWEICLOUD_SDK_SECURITY_TOKEN": "",
                "DCS_SESSIONS_JOB": job_id,
            },
            noted,
            may_kill=True,
        )
        if arguments.seconds:
            # Not `st fuzz`: that of 4.32.5 breaks off where ignored_auth sends requests of its own.
            # The seed is another one each time: schemathesis names it in the end.
            seed = str(time.time_ns() % 2**32)
            bound: tuple[str, ...] = ("--max-time", str(arguments.seconds), "--seed", seed)
        else:
            bound = ("--max-examples", str(arguments.max_examples))
        options = (*bound, *arguments.options)
        if not schemathesis_run(facts["endpoint"], variables, arguments.reports, *options):
            amiss.append(FOUND)
        answers = read(noted)
        amiss += unidentified(answers) + untried(answers)
        seen += counted(answers)
        try:
            provoke_refusals(api, facts)
            with emulator(arguments.emulator, "--rate-limit", "1/3600") as throttled:
                provoke_throttling(Api(throttled, seen))
            faults = [f"--fault=status=500,operation={name}" for name in STORED]
            with emulator(arguments.emulator, *faults) as broken:
                provoke_failures(Api(broken, seen), broken)
            with emulator(arguments.emulator, "--fault=status=404") as lost:
                away = Api(lost, seen)
                nameless = list(filter(away.names_nothing, spec.operations(spec.load())))
                for name in nameless:
                    away.expect(name, 404, away.valid(name))
                injected = {500: STORED, 404: nameless}
        except ContractError as error:
            amiss.append(str(error))
    amiss += verdict(seen)
    for status, names in injected.items():
        print(f"Injected, since the emulator has no cause for it: {status} of {', '.join(names)}")
    return amiss
