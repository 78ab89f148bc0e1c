"""The tests need no more than the group of dependencies that they are run with."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.spec import ROOT

# `make test-lowest` installs the group `test` only.
COLLECT = """
import sys
import pytest
*modules, = sys.argv[1:]
sys.modules.update(dict.fromkeys(modules))
options = ["--collect-only", "-qq", "-p", "no:cacheprovider", "--ignore=tests/package"]
sys.exit(pytest.main([*options, "tests"]))
"""


def names(group: str) -> set[str]:
    """Return the distributions that a group adds to others."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rows = groups["dependency-groups"][group]
    return {canonicalize_name(Requirement(row).name) for row in rows if isinstance(row, str)}


def test_tests_are_collected_without_the_groups_dev_and_release() -> None:
    left_out = (names("dev") | names("release")) - names("test")
    modules = {
        module
        for module, distributions in packages_distributions().items()
        if any(canonicalize_name(one) in left_out for one in distributions)
    }
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
