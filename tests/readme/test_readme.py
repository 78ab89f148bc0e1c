"""Every command and every example of README.md, CONTRIBUTING.md and docs/ does what it says."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import valkey

import dcs_sessions
from dcs_sessions.emulator import Emulator

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
PAGES = ["README.md", "CONTRIBUTING.md", *DOCS]


def blocks(language: str, *files: str) -> list[str]:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in files]
    return [
        code
        for text in texts
        # That section is one long shell session, which tests/cli/test_readme.py types in.
        for found, code in FENCE.findall(
            re.sub(r"## Command line\n.*?\n(?=## )", "", text, flags=re.DOTALL)
        )
        if found == language
    ]


COMMANDS = sorted(
    {
        line
        for block in blocks("sh", *PAGES)
        for line in textwrap.dedent(block).splitlines()
        if line and not line.startswith("#")
    }
)
EXAMPLES = blocks("python", *PAGES)
TESTS = [code for code in EXAMPLES if "import pytest" in code]
PROGRAMS = [code for code in EXAMPLES if code not in TESTS]


@pytest.fixture
def environment(dcs: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody has set who reads the README: where the service is and who they are."""
    monkeypatch.setenv("DCS_SESSIONS_ENDPOINT", dcs.endpoint)
    monkeypatch.setenv("DCS_SESSIONS_TOKEN", dcs.token)
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", dcs.project_id)
    monkeypatch.setenv("INSTANCE_ID", dcs.instance_id)
    monkeypatch.setenv("NODE_ID", dcs.node_ids[0])
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    with dcs_sessions.Client.from_env() as client:
        client.query_sessions(dcs.instance_id)


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, environment: None, tmp_path: Path) -> None:
    if command.startswith("make "):
        # What each target does is tested where that is; here, that it is there.
        run = subprocess.run(
            [*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
    elif command.startswith("pip install "):
        name, _, extra = shlex.split(command)[-1].rstrip("]").partition("[")
        metadata = importlib.metadata.metadata(name)
        assert not extra or extra in (metadata.get_all("Provides-Extra") or [])
    elif command.startswith("dcs-sessions emulator"):
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while not (ready := (tmp_path / "ready.json").exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
        assert process.wait(timeout=30) == 0
        assert ready
    else:
        assert command.startswith("dcs-sessions "), "a command that no test knows how to run"
        run = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        assert run.stdout


@pytest.mark.parametrize(
    "code",
    [code for code in EXAMPLES if "import pytest" not in code],
    ids=lambda code: code.strip().splitlines()[0][:40],
)
def test_example(
    code: str, environment: None, dcs: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {
        "dcs_sessions": dcs_sessions,
        "INSTANCE_ID": dcs.instance_id,
        "NODE_ID": dcs.node_ids[0],
        "PROJECT_ID": dcs.project_id,
        "ACCESS_KEY": dcs.ak,
        "SECRET_KEY": dcs.sk,
    }
    pool = valkey.ConnectionPool.from_url(dcs.redis_urls[0])
    with dcs_sessions.Client.from_env() as client, valkey.Valkey(connection_pool=pool) as server:
        names["client"] = client
        server.client_setname("worker")
        client.query_sessions(dcs.instance_id)
        # Nobody idles for an hour here.
        code = textwrap.dedent(code).replace("LONG = 3600", "LONG = -1")
        exec(compile(code, "README.md", "exec"), names)
        if "end_sessions(INSTANCE_ID" in code:
            client.query_sessions(dcs.instance_id)
            left = client.iter_sessions(dcs.instance_id, dcs.node_ids[0])
            assert "worker" not in {session.name for session in left}
    pool.disconnect()
    for made in names.values():
        if isinstance(made, dcs_sessions.Client):
            made.close()


@pytest.mark.parametrize("code", TESTS, ids=["pytest"])
def test_example_of_a_test(code: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(code)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


def test_there_is_something_to_test() -> None:
    assert len(COMMANDS) > 8
    assert len(EXAMPLES) > 6


def test_demo() -> None:
    run = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    before, _, after = run.stdout.partition("worker-blocked was disconnected.")
    names = ["reports-idle", "news-subscriber", "checkout-in-multi", "dashboard-db-3"]
    assert all(name in before and name in after for name in names)
    assert "worker-blocked" in before
    assert "worker-blocked" not in after
