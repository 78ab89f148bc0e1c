"""The tests are collected with the dependencies that they need, always by the same names."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.spec import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COLLECT = """
import sys
import pytest
sys.modules.update(dict.fromkeys(sys.argv[1:]))
options = ["--collect-only", "-q", "-p", "no:cacheprovider", "--ignore=tests/package"]
sys.exit(pytest.main([*options, "tests"]))
"""


def listed(group: str) -> list[str]:
    """Return the requirements of a group, and of the groups that it includes."""
    rows: list[str] = []
    for row in PROJECT["dependency-groups"][group]:
        rows += [row] if isinstance(row, str) else listed(row["include-group"])
    return rows


def needed(rows: list[str]) -> set[str]:
    """Return the names of all distributions that requirements bring in."""
    seen: set[tuple[str, str]] = set()
    while rows:
        requirement = Requirement(rows.pop())
        name = str(canonicalize_name(requirement.name))
        for extra in {"", *requirement.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            try:
                found = map(Requirement, requires(name) or [])
            except PackageNotFoundError:  # of another system or Python
                continue
            rows += [
                str(one)
                for one in found
                if one.marker is None or one.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in seen}


def test_tests_are_collected_with_the_group_test_alone() -> None:
    # `make test-lowest` installs no other.
    kept = needed(["dcs-sessions[emulator]", "pip", *listed("test")])
    modules = [
        module
        for module, distributions in packages_distributions().items()
        if not kept & {canonicalize_name(one) for one in distributions}
    ]
    assert "mutmut" in modules
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # The name of a test with the address of an object differs from process to process.
    assert [line for line in done.stdout.splitlines() if " at 0x" in line] == []
