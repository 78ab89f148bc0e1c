"""`make clients` on a machine without a language's tools."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools import clients, spec


def run(*arguments: str, ci: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.clients", *arguments],
        cwd=spec.ROOT,
        env={"PATH": "/nothing", "CI": ci},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_missing_tools_of_a_language_are_named(ci: str, code: int) -> None:
    done = run("go", "rust", ci=ci)
    assert done.returncode == code
    assert done.stdout == (
        "go: left out, for this machine has no go\n"
        "rust: left out, for this machine has no cargo and no java and no mvn\n"
    )


def test_unknown_language_is_refused() -> None:
    done = run("cobol", ci="")
    assert done.returncode == 2
    assert "there is no example for cobol" in done.stderr


def test_every_example_has_a_program_that_runs() -> None:
    examples = {path.name for path in (spec.ROOT / "examples").iterdir() if path.is_dir()}
    # The programs in Python use the package, and nothing is generated for them.
    assert examples - {"python"} == {name for name, client in clients.CLIENTS.items() if client.run}
