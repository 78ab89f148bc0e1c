"""Every command and every example of README.md, CONTRIBUTING.md and docs/ works as described.

The pages whose output is compared have tests of their own: test_tutorial.py and test_alert.py.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
import valkey

import dcs_sessions
from dcs_sessions.emulator import Emulator

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
PAGES = ["README.md", "CONTRIBUTING.md", *DOCS]
PAGES.remove("docs/tutorial.md")


def blocks(language: str) -> list[str]:
    return [
        textwrap.dedent(code)
        for name in PAGES
        for found, code in FENCE.findall((ROOT / name).read_text(encoding="utf-8"))
        if found == language
    ]


SHELL = blocks("sh")
# A block of the command line is one script; of other blocks, each line is a command.
SCRIPTS = sorted({block for block in SHELL if re.search(r"(?m)^dcs-sessions (?!em)", block)})
COMMANDS = sorted(
    {line for block in SHELL if block not in SCRIPTS for line in block.splitlines() if line}
)
EXAMPLES = blocks("python")
TESTS = [code for code in EXAMPLES if "import pytest" in code]
PROGRAMS = [code for code in EXAMPLES if code not in TESTS]


@pytest.fixture(scope="module")
def checkout() -> Iterator[Emulator]:
    """The instance of the pages."""
    with Emulator(nodes=2, instance_name="checkout-prod") as emulator:
        yield emulator


@pytest.fixture
def environment(checkout: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set the variables of a reader: the endpoint and credentials."""
    monkeypatch.setenv("DCS_SESSIONS_ENDPOINT", checkout.endpoint)
    monkeypatch.setenv("DCS_SESSIONS_TOKEN", checkout.token)
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", checkout.project_id)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_of_a_page_runs(
    script: str, checkout: Emulator, environment: None, tmp_path: Path
) -> None:
    with valkey.Valkey.from_url(checkout.redis_urls[0], client_name="cart-worker") as server:
        server.ping()
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True
        )
    assert run.returncode == 0, run.stderr
    files = [path for path in tmp_path.iterdir() if path.stat().st_size]
    assert run.stdout or files


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_a_page_runs(command: str, environment: None, tmp_path: Path) -> None:
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
    else:
        assert command.startswith("dcs-sessions emulator"), "no test knows how to run this command"
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not (ready := (tmp_path / "ready.json").exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
        assert process.wait(timeout=30) == 0
        assert ready


@pytest.mark.parametrize("code", PROGRAMS, ids=lambda code: code.strip().splitlines()[0][:40])
def test_python_example_of_a_page_runs(
    code: str, checkout: Emulator, environment: None, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {
        "dcs_sessions": dcs_sessions,
        "ENDPOINT": checkout.endpoint,
        "TOKEN": checkout.token,
        "INSTANCE_ID": checkout.instance_id,
        "NODE_ID": checkout.node_ids[0],
        "PROJECT_ID": checkout.project_id,
        "ACCESS_KEY": checkout.ak,
        "SECRET_KEY": checkout.sk,
        "CA_FILE": certifi.where(),
    }
    before = set(names)
    victim = "cart-worker" if "cart-worker" in code else "worker"
    pool = valkey.ConnectionPool.from_url(checkout.redis_urls[0])
    with dcs_sessions.Client.from_env() as client, valkey.Valkey(connection_pool=pool) as server:
        names["client"] = client
        server.client_setname(victim)
        # Nobody idles for an hour here.
        code = code.replace("LONG = 3600", "LONG = -1")
        exec(compile(code, "<example>", "exec"), names)
        if "end_sessions(" in code:
            left = client.query_sessions(checkout.instance_id).sessions
            assert victim not in {session.name for session in left}
    pool.disconnect()
    for name, made in names.items():
        if name not in before and isinstance(made, dcs_sessions.Client):
            made.close()


def test_example_of_the_readme_is_type_checked() -> None:
    """mypy and pyright read everything in tests/typing/, strictly."""
    checked = (ROOT / "tests" / "typing" / "readme_example.py").read_text("utf-8")
    (program,) = (code for code in PROGRAMS if "list_instances" in code)
    assert checked.partition("\n\n")[2] == program


@pytest.mark.parametrize("code", TESTS, ids=["pytest"])
def test_pytest_example_of_a_page_passes(code: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(code)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


def test_pages_have_blocks_to_test() -> None:
    assert len(SCRIPTS) > 3
    assert len(COMMANDS) > 8
    assert len(EXAMPLES) > 20


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 125


def test_demo_lists_sessions_and_ends_one() -> None:
    run = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    before, _, after = run.stdout.partition("worker-blocked was disconnected.")
    names = ["reports-idle", "news-subscriber", "checkout-in-multi", "dashboard-db-3"]
    assert all(name in before and name in after for name in names)
    assert "worker-blocked" in before
    assert "worker-blocked" not in after
