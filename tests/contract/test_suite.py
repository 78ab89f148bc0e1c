"""A short `make contract`: schemathesis and every status, against an emulator on a socket."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import spec

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
    result = contract("--max-examples", "50", "--reports", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("The contract holds.\n")
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in result.stdout
    assert (tmp_path / "junit.xml").stat().st_size > 0
    assert (tmp_path / "html" / "index.html").stat().st_size > 0


def test_fuzzing_ends_after_the_seconds(tmp_path: Path) -> None:
    result = contract("--seconds", "8", "--reports", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr


def test_emulator_that_does_not_start_is_an_error() -> None:
    result = contract("--emulator", f"{sys.executable} -m dcs_sessions emulator --redis nonsense")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: the emulator does not start: Error: --redis: ")
    assert result.stderr.count("\n") == 1
