"""Another repository with a contract of its own runs our checks on it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.clone import Clone
from tools import breaking, spec

pytestmark = pytest.mark.node


def test_a_fork_is_told_what_it_breaks(clone: Clone, tmp_path: Path) -> None:
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
    assert told[0] == "### 1 breaking change from 0.1.0 to 0.1.0"
    assert told[2:4] == ["| what | breaks | of |", "|---|---|---|"]
    assert told[4].endswith(" | callers | ListClients |")
    assert "**info.version has to be 0.2.0 or higher for that.**" in told


def test_what_others_wrote_stays_text() -> None:
    told = breaking.markdown("1 | 2", [("a|b<script>", "callers", "X")], "")
    assert "| a&#124;b&lt;script&gt; | callers | X |" in told
