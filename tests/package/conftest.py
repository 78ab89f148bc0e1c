"""A copy of the repository for each test that changes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.clone import Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    (tmp_path / "clone").mkdir()
    return Clone(tmp_path / "clone")
