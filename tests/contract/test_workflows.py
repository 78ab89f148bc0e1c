"""The Arazzo document, run by Redocly Respect against the emulator, does what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import valkey

from dcs_sessions.emulator import Emulator
from tools import editions, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.spec import Node

pytestmark = pytest.mark.node

WORKFLOWS = spec.load(editions.WORKFLOWS)
RESPECT = str(spec.ROOT / "tools" / "node_modules" / ".bin" / "redocly")
NAMES = ("worker", "a", "b", "c", "d")


@pytest.fixture
def dcs() -> Iterator[Emulator]:
    with Emulator() as dcs:
        yield dcs


@pytest.fixture
def sessions(dcs: Emulator) -> Iterator[list[valkey.Connection]]:
    """Five sessions of the node, the worker first."""
    pools = [valkey.ConnectionPool.from_url(dcs.redis_urls[0], client_name=name) for name in NAMES]
    yield [pool.get_connection("PING") for pool in pools]
    for pool in pools:
        pool.disconnect()


def respect(
    dcs: Emulator, folder: Path, *workflows: str, **inputs: object
) -> tuple[bool, Counter[bool], list[str]]:
    """Run workflows of the files in a folder.

    Returns:
        Whether all went well, how many checks passed and failed, and the steps that were run.
    """
    values = {
        "token": dcs.token,
        "project_id": dcs.project_id,
        "instance_id": dcs.instance_id,
        "node_id": dcs.node_ids[0],
        **inputs,
    }
    command = [RESPECT, "respect", editions.WORKFLOWS.name, f"--server=dcs={dcs.endpoint}"]
    command += [f"--workflow={name}" for name in workflows]
    (folder / "redocly.yaml").write_text("telemetry: 'off'\n")
    run = subprocess.run(
        [*command, "--json-output=report.json"],
        cwd=folder,
        env={**os.environ, "REDOCLY_CLI_RESPECT_INPUT": json.dumps(values)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    report = json.loads((folder / "report.json").read_text())
    (file,) = report["files"].values()
    assert dcs.token not in run.stdout + run.stderr + json.dumps(report)
    done = list(steps(file["executedWorkflows"]))
    checks = Counter(check["passed"] for step in done for check in step["checks"])
    succeeded = report["status"] == "success"
    assert succeeded == (run.returncode == 0), run.stdout
    return succeeded, checks, [step["stepId"] for step in done]


def steps(workflows: Any) -> Iterator[Node]:
    """Return every step that sent a request, of workflows within workflows as well."""
    for workflow in workflows:
        for step in workflow["executedSteps"]:
            if "executedSteps" in step:
                yield from steps([step])
            elif "checks" in step:
                yield step


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what is needed of a release."""
    for file in (spec.SPEC, editions.WORKFLOWS):
        shutil.copy(file, tmp_path)
    return tmp_path


def address(connection: valkey.Connection) -> str:
    assert connection._sock is not None
    host, port = connection._sock.getsockname()[:2]
    return f"{host}:{port}"


def alive(connection: valkey.Connection) -> bool:
    try:
        connection.send_command("PING")
        connection.read_response()
    except valkey.ConnectionError:
        return False
    return True


def test_all_workflows_pass_with_every_check(
    dcs: Emulator, sessions: list[valkey.Connection], folder: Path
) -> None:
    succeeded, checks, done = respect(
        dcs,
        folder,
        address=address(sessions[0]),
        end_all_on_node=dcs.node_ids[0],
        page_size=2,
        second_page=2,
        third_page=4,
    )
    assert succeeded
    own = [
        step["stepId"]
        for workflow in WORKFLOWS["workflows"]
        for step in workflow["steps"]
        if "operationId" in step
    ]
    assert set(done) == set(own)
    # Of each step its own, and three of the contract's: status, content type and schema.
    assert checks[True] >= 90
    assert not any(map(alive, sessions))


def test_one_session_ends_and_no_other(
    dcs: Emulator, sessions: list[valkey.Connection], folder: Path
) -> None:
    succeeded, _, _ = respect(dcs, folder, "end-session", address=address(sessions[0]))
    assert succeeded
    assert [alive(session) for session in sessions] == [False, True, True, True, True]


def test_nobody_ends_without_the_inputs_that_name_them(
    dcs: Emulator, sessions: list[valkey.Connection], folder: Path
) -> None:
    succeeded, _, done = respect(dcs, folder)
    assert not succeeded
    assert "end" not in done
    assert all(map(alive, sessions))


def test_nobody_ends_for_an_address_that_nobody_has(
    dcs: Emulator, sessions: list[valkey.Connection], folder: Path
) -> None:
    succeeded, _, done = respect(dcs, folder, "end-session", address="127.0.0.1:1")
    assert not succeeded
    assert "end" not in done
    assert all(map(alive, sessions))


def test_list_with_more_sessions_than_pages_fails(
    dcs: Emulator, sessions: list[valkey.Connection], folder: Path
) -> None:
    pages = {"page_size": 1, "second_page": 1, "third_page": 2, "most_sessions": 3}
    succeeded, checks, _ = respect(dcs, folder, "read-sessions", **pages)
    assert not succeeded
    assert checks[False] == 1


def test_query_is_waited_for_and_a_short_list_read_once(folder: Path) -> None:
    with Emulator(scan_delay=0.5) as dcs:
        succeeded, _, done = respect(dcs, folder, "read-sessions")
    assert succeeded
    assert done.count("wait") > 1
    assert done.count("first-page") == 1
    assert "second-page" not in done


def test_every_operation_is_one_of_the_contract() -> None:
    known = spec.operations(spec.load()).keys()
    used = {step.get("operationId") for w in WORKFLOWS["workflows"] for step in w["steps"]}
    assert used - {None} <= known
    assert {"ScanClients", "ListClients", "HangUpClients", "HangUpKillAllClients"} <= used


def test_released_file_is_the_one_of_the_repository(tmp_path: Path) -> None:
    editions.make(tmp_path)
    assert (tmp_path / "dcs.arazzo.yaml").read_bytes() == editions.WORKFLOWS.read_bytes()
