"""The page on versions, platforms and extras says what pyproject.toml says."""

from __future__ import annotations

import re
import tomllib

from tools.spec import ROOT

PAGE = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_extra_is_listed() -> None:
    listed = re.findall(r"^\| `dcs-sessions\[([\w-]+)\]`", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(PROJECT["optional-dependencies"])


def test_versions_of_python_are_those_of_the_classifiers() -> None:
    prefix = "Programming Language :: Python :: 3."
    minors = sorted(
        int(each.removeprefix(prefix)) for each in PROJECT["classifiers"] if prefix in each
    )
    assert f"Python 3.{minors[0]} to 3.{minors[-1]}." in PAGE
    assert PROJECT["requires-python"] == f">=3.{minors[0]}"
