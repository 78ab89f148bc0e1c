"""Pinned dependencies of releases, and updates for each kind of dependency."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import hashes, spec

WORKFLOWS = spec.ROOT / ".github" / "workflows"
TEXT = hashes.OUTPUT.read_text(encoding="utf-8")


def test_versions_are_those_of_the_constraints() -> None:
    found = dict(re.findall(r"^([\w.-]+)==(\S+)", TEXT, re.MULTILINE))
    assert found == hashes.pinned(), (
        "run `python -m tools.hashes` after a change of constraints.txt"
    )


def test_every_package_has_a_hash_and_nothing_an_address() -> None:
    for part in re.split(r"\n(?=[\w])", TEXT.removeprefix(hashes.HEAD)):
        assert re.fullmatch(r"[\w.-]+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+\n?", part), part
    assert "://" not in TEXT


def test_release_is_built_from_these_files_alone() -> None:
    workflow: Any = yaml.safe_load((WORKFLOWS / "release.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["build"]["steps"]
    assert "make setup-release tools" in [step.get("run") for step in steps]
    (python,) = (
        step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")
    )
    assert hashes.PYTHONS[0].startswith(f"{python}.")


def test_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "attrs-99.0.0-py3-none-any.whl"
    wheel.write_bytes(b"not what it was")
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"attrs==99.0.0 --hash=sha256:{'0' * 64}\n")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-deps"),
            *("--find-links", tmp_path, "--require-hashes", "--requirement", wanted),
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "DO NOT MATCH THE HASHES" in run.stderr


def test_every_kind_of_dependency_is_looked_after() -> None:
    text = (spec.ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    config: Any = yaml.safe_load(text)
    watched = {
        (each["package-ecosystem"], folder)
        for each in config["updates"]
        for folder in each.get("directories", [each.get("directory")])
    }
    files = subprocess.run(
        ["git", "ls-files"], cwd=spec.ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    kinds = {
        "package-lock.json": "npm",
        "go.sum": "gomod",
        "pyproject.toml": "pip",
        "Cargo.toml": "cargo",
        "pom.xml": "maven",
    }
    needed = {
        (kinds[name], f"/{folder}")
        for folder, _, name in (file.rpartition("/") for file in files)
        if name in kinds
    }
    needed |= {("github-actions", "/"), ("docker", "/")}
    missed = {
        (kind, folder)
        for kind, folder in needed
        if not any(kind == each and fnmatch(folder, pattern) for each, pattern in watched)
    }
    assert missed == set()


@pytest.mark.parametrize("file", sorted(WORKFLOWS.glob("*.yml")), ids=lambda file: file.name)
def test_every_action_is_pinned_to_a_commit(file: Path) -> None:
    for used in re.findall(r"uses: (\S+)", file.read_text(encoding="utf-8")):
        if "<" not in used and not used.startswith("./"):
            assert re.search(r"@[0-9a-f]{40}$", used), used


def test_library_is_tested_on_every_system_and_version() -> None:
    workflow: Any = yaml.safe_load((WORKFLOWS / "ci.yml").read_text(encoding="utf-8"))
    systems = workflow["jobs"]["library"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in systems["system"]} == {"windows", "macos"}
    for job in ("gate", "library"):
        pythons = workflow["jobs"][job]["strategy"]["matrix"]["python"]
        assert pythons == ["3.11", "3.12", "3.13", "3.14"]
