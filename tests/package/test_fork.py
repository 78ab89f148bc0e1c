"""Another repository runs the project's checks on its own contract."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.clone import Clone
from tools import breaking, spec

pytestmark = pytest.mark.node


def test_fork_gets_a_report_of_its_breaks(clone: Clone, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    clone.edit("openapi.yaml", "maximum: 1000", "maximum: 500")
    run = subprocess.run(
        [spec.ROOT / "tools" / "check-fork", "--base", "HEAD", "openapi.yaml"],
        cwd=clone.root,
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(summary), "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    told = summary.read_text().splitlines()
    version = spec.load()["info"]["version"]
    assert told[0] == f"### 1 breaking change from {version} to {version}"
    assert told[2:4] == ["| what | breaks | of |", "|---|---|---|"]
    assert told[4].endswith(" | callers | ListInstances |")
    major, minor, _ = map(int, version.split("."))
    needed = f"{major}.{minor + 1}.0" if major == 0 else f"{major + 1}.0.0"
    assert f"**info.version must be {needed} or higher for that.**" in told


def test_text_of_a_fork_is_escaped() -> None:
    told = breaking.markdown("1 | 2", [("a|b<script>", "callers", "X")], "")
    assert "| a&#124;b&lt;script&gt; | callers | X |" in told
