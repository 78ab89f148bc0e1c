"""A short `make contract`: schemathesis and every status, against an emulator on a socket."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dcs_sessions.emulator import Emulator
from support.fake_valkey import FakeValkey
from tools import spec
from tools.contract_api import Api
from tools.contract_emulator import STORED

pytestmark = pytest.mark.timeout(180)


def contract(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the contract test, in the environment of this process by default."""
    return subprocess.run(
        [sys.executable, "-m", "tools.contract", *options],
        cwd=spec.ROOT,
        env=environment or None,
        capture_output=True,
        text=True,
        timeout=170,
    )


def test_emulator_passes_the_contract_test(tmp_path: Path) -> None:
    result = contract("--max-examples", "25", "--reports", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("The contract holds.\n")
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in result.stdout
    assert (tmp_path / "junit.xml").stat().st_size > 0
    assert (tmp_path / "html" / "index.html").stat().st_size > 0
    assert result.stdout.count("Injected, since the emulator has no cause for it: ") == 2
    assert f"500 of {', '.join(STORED)}\n" in result.stdout
    assert "404 of ListInstances\n" in result.stdout


def test_500_is_injected_only_where_a_node_that_is_down_causes_none() -> None:
    with FakeValkey() as server, Emulator(redis=[server.url]) as dcs:
        names: dict[str, Any] = {"endpoint": dcs.endpoint, "token": dcs.token}
        names |= {"project_id": dcs.project_id, "instance_id": dcs.instance_id}
        api = Api({**names, "node_ids": list(dcs.node_ids)}, Counter())
        job_id = api.send("HangUpKillAllClients", api.valid("HangUpKillAllClients")).json()[
            "job_id"
        ]
        server.fall()
        statuses = {
            name: api.send(name, api.valid(name, job_id)).status_code
            for name in spec.operations(spec.load())
        }
        api.close()
    assert {name for name, status in statuses.items() if status != 500} == set(STORED)
    assert {statuses[name] for name in STORED} == {200}


def test_fuzzing_ends_after_the_seconds(tmp_path: Path) -> None:
    result = contract("--seconds", "3", "--reports", str(tmp_path))
    # A busy machine does not try every operation with both logins in so short a time.
    faults = [line for line in result.stdout.splitlines() if line.startswith("FAULT: ")]
    assert all(" never succeeded with a " in fault for fault in faults), result.stdout
    assert result.returncode == bool(faults), result.stdout + result.stderr
    assert "✅ Fuzzing" in result.stdout


def test_emulator_that_does_not_start_is_an_error() -> None:
    result = contract("--emulator", f"{sys.executable} -m dcs_sessions emulator --redis nonsense")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: the emulator does not start: Error: --redis: ")
    assert result.stderr.count("\n") == 1
