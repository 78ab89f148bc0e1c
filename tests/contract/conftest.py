"""Skip tests of the contract that need Node.js where it is missing, but never in CI."""

from __future__ import annotations

import os

import pytest

from tools import spec


def pytest_runtest_setup(item: pytest.Item) -> None:
    installed = (spec.ROOT / "tools" / "node_modules" / ".ready").exists()
    if item.get_closest_marker("node") and not installed:
        reason = "the tools that need Node.js are not installed: run `make tools`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
