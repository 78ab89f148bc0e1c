"""Published to a real package index on loopback, installed from it, and upgraded.

Dependencies come from the index that pip is configured with, so this is `make test-publish`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clone import Clone
from support.served import served
from tools import spec

pytestmark = [pytest.mark.index, pytest.mark.timeout(1800)]

NEXT = "9999.0.0"
# What a user writes, with types.
QUERY = """
import dcs_sessions
from dcs_sessions.emulator import Emulator


def names(sessions: list[dcs_sessions.Session]) -> list[str]:
    return [str(session.name) for session in sessions]


with Emulator() as dcs, dcs_sessions.Client(
    endpoint=dcs.endpoint, project_id=dcs.project_id, auth=dcs_sessions.TokenAuth(dcs.token)
) as client:
    result = client.query_sessions(dcs.instance_id)
    print(names(result.sessions), result.failed)
"""
ANSWER = "[] []\n"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an empty index that lets everybody upload."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "index").mkdir()
    command: list[str | Path] = [
        *(sys.executable, "-m", "pypiserver", "run", "--interface=127.0.0.1", f"--port={port}"),
        *("--authenticate=.", "--passwords=.", "--disable-fallback", tmp_path / "index"),
    ]
    url = f"http://127.0.0.1:{port}"
    with served(command, url, tmp_path):
        yield url


class User:
    """A user with an empty Python environment."""

    def __init__(self, folder: Path, index: str) -> None:
        self.bin = folder / "bin"
        self.index = index
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)

    def run(self, program: str, *arguments: str | Path) -> str:
        run = subprocess.run(
            [self.bin / program, *arguments],
            cwd=self.bin,
            env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def install(self, *what: str) -> None:
        constraints = f"--constraint={spec.ROOT / 'constraints.txt'}"
        index = f"--extra-index-url={self.index}/simple/"
        self.run("python", "-m", "pip", "install", "--quiet", index, constraints, *what)

    def packages(self) -> set[str]:
        found = json.loads(self.run("python", "-m", "pip", "list", "--format=json"))
        return {package["name"] for package in found}


def make(target: str, clone: Clone, index: str = "") -> subprocess.CompletedProcess[str]:
    """Run a target in the existing environment."""
    # Older than the environment of the tests, which make would otherwise rebuild.
    for name in ("pyproject.toml", "constraints.txt"):
        os.utime(clone.root / name, (0, 0))
    return clone.run("make", target, env=login(index))


def prepare(clone: Clone, version: str) -> None:
    """Commit everything that a release of a version needs, including generated files."""
    clone.prepare(version)
    run = make("generate", clone)
    assert run.returncode == 0, run.stdout + run.stderr
    clone.commit("Generate")


def login(index: str) -> dict[str, str]:
    return {"TWINE_REPOSITORY_URL": index, "TWINE_USERNAME": "any", "TWINE_PASSWORD": "any"}


@pytest.fixture
def action(tmp_path: Path) -> Path:
    """The version of twine in the publish action, with its version of packaging."""
    folder = tmp_path / "action"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pins = spec.ROOT / "tools" / "publish-action.txt"
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", pins)
    subprocess.run(pip, check=True)
    return folder / "bin" / "twine"


@pytest.fixture
def ready(clone: Clone) -> Clone:
    """A clone in which `make publish` works."""
    for name in (".venv", "tools/node_modules"):
        if not (spec.ROOT / name / ".ready").exists():
            pytest.skip("needs `make setup tools`")
        (clone.root / name).symlink_to(spec.ROOT / name)
    return clone


def test_publish_action_accepts_the_packages(
    clone: Clone, index: str, action: Path, tmp_path: Path
) -> None:
    clone.prepare("9998.0.0")
    clone.build(tmp_path / "dist")
    files = sorted((tmp_path / "dist").iterdir())
    for command in (["check", "--strict"], ["upload", "--non-interactive"]):
        run = subprocess.run(
            [action, *command, *files],
            env={**os.environ, **login(index)},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stdout + run.stderr
    user = User(tmp_path / "user", index)
    user.install("dcs-sessions[emulator]", "mypy")
    program = tmp_path / "program.py"
    program.write_text(QUERY)
    assert "Success" in user.run("python", "-m", "mypy", "--strict", program)
    assert user.run("python", program) == ANSWER


def test_models_of_another_contract_are_refused(ready: Clone, index: str) -> None:
    prepare(ready, "9998.0.0")
    ready.edit("generated/dcs_sessions_api/models/session.py", "class Session", "class  Session")
    ready.commit("A change by hand")
    run = make("publish", ready, index)
    assert run.returncode != 0
    assert "generated/dcs_sessions_api" in run.stderr
    assert "commit the difference" in run.stderr
    assert not list((ready.root / "dist").glob("*"))


def test_upgrade_from_the_first_version_to_the_next(
    ready: Clone, index: str, tmp_path: Path
) -> None:
    clone = ready
    version = "9998.0.0"
    prepare(clone, version)
    clone.git("tag", f"v{version}")
    run = make("publish", clone, index)
    assert run.returncode == 0, run.stdout + run.stderr

    # The tag is on this commit, so only the index can say that it has this version.
    again = make("publish", clone, index)
    assert again.returncode != 0
    assert f"Refused: the index has {version} already." in again.stderr, again.stdout

    user = User(tmp_path / "user", index)
    user.install("dcs-sessions")
    assert not {"valkey", "click"} & user.packages()
    assert (
        user.run("python", "-c", "import dcs_sessions_api, dcs_sessions; dcs_sessions.Client") == ""
    )
    user.install("dcs-sessions[emulator]")
    assert user.run("dcs-sessions", "--version") == f"dcs-sessions, version {version}\n"
    assert user.run("python", "-c", QUERY) == ANSWER

    clone.edit("README.md", "dcs-sessions", "the same")
    clone.commit("A change")
    refused = make("publish", clone, index)
    assert refused.returncode != 0
    assert f"Refused: {version} was released as v{version}" in refused.stderr

    prepare(clone, NEXT)
    run = make("publish", clone, index)
    assert run.returncode == 0, run.stdout + run.stderr
    user.install("--upgrade", "dcs-sessions[emulator]")
    assert user.run("dcs-sessions", "--version") == f"dcs-sessions, version {NEXT}\n"
    assert user.run("python", "-c", QUERY) == ANSWER
