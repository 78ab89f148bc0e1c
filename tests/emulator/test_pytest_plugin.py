"""The pytest plugin, in the test suites of users."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.spec import ROOT

SUITE = """
import os
import subprocess
import sys
import dcs_sessions
import pytest
from dcs_sessions.emulator import Fault


def list_nodes(dcs):
    with dcs_sessions.Client(
        endpoint=dcs.endpoint,
        project_id=dcs.project_id,
        auth=dcs_sessions.TokenAuth(dcs.token),
        retry=None,
    ) as client:
        return client.list_nodes(dcs.instance_id)


@pytest.mark.parametrize("turn", range(4))
def test_each_starts_clean(turn, dcs_sessions_client, dcs_sessions_emulator):
    instance = dcs_sessions_emulator.instance_id
    assert dcs_sessions_client.query_sessions(instance).sessions == []
    import socket
    port = int(dcs_sessions_emulator.redis_urls[0].rpartition(":")[2])
    left = socket.create_connection(("127.0.0.1", port))
    left.sendall(b"CLIENT SETNAME left\\r\\n")
    left.recv(100)
    (session,) = dcs_sessions_client.query_sessions(instance).sessions
    assert session.name == "left"
    globals().setdefault("open_sockets", []).append(left)
    dcs_sessions_emulator.faults = [Fault(status=503)]


def test_fault_while_it_runs(dcs_sessions_emulator):
    assert list_nodes(dcs_sessions_emulator)
    with dcs_sessions_emulator.fault(Fault(status=503)):
        with pytest.raises(dcs_sessions.ServerError):
            list_nodes(dcs_sessions_emulator)
    assert list_nodes(dcs_sessions_emulator)


def test_environment_leads_to_it(dcs_sessions_environment, dcs_sessions_emulator):
    with dcs_sessions.Client.from_env() as client:
        assert len(client.list_nodes(os.environ["DCS_SESSIONS_INSTANCE"])) == 2
    run = subprocess.run(
        [sys.executable, "-m", "dcs_sessions", "nodes"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert dcs_sessions_emulator.node_ids[1] in run.stdout


def test_it_is_one_for_the_session(dcs_sessions_server, dcs_sessions_emulator, record_server):
    assert dcs_sessions_server is dcs_sessions_emulator
"""
CONFTEST = """
from pathlib import Path
import pytest

@pytest.fixture(scope="session")
def dcs_sessions_options():
    return {"nodes": 2}

@pytest.fixture(autouse=True)
def record_server(dcs_sessions_server, worker_id="master"):
    with Path("endpoints.txt").open("a") as file:
        file.write(dcs_sessions_server.endpoint + "\\n")
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    return subprocess.run(
        # Schemathesis takes long to import, and users of the plugin need not have it.
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "no:schemathesis", *arguments),
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("options", "servers"), [((), 1), (("-n2", "--dist=each"), 2)])
def test_suite_with_the_plugin_passes(
    options: tuple[str, ...], servers: int, tmp_path: Path
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(SUITE)
    run = run_pytest(tmp_path, *options)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{7 * servers} passed" in run.stdout
    assert len(set((tmp_path / "endpoints.txt").read_text().split())) == servers


def test_fixtures_are_listed_with_what_they_are(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, "--fixtures")
    for name in ("options", "server", "emulator", "client", "environment"):
        _, found, text = run.stdout.partition(f"\ndcs_sessions_{name} ")
        assert found
        assert "no docstring" not in text.splitlines()[1]


def test_nothing_is_imported_before_a_fixture_is_used(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    ours = {name for name in sys.modules if name.startswith('dcs_sessions')}\n"
        "    assert ours == {'dcs_sessions', 'dcs_sessions.pytest_plugin'}\n"
    )
    run = run_pytest(tmp_path)
    assert run.returncode == 0, run.stdout


def test_plugin_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(dcs_sessions_server): pass\n")
    run = run_pytest(tmp_path, "-p", "no:dcs_sessions")
    assert "fixture 'dcs_sessions_server' not found" in run.stdout


def test_example_of_the_documentation_passes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "emulator.md").read_text(encoding="utf-8")
    (tmp_path / "test_it.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    run = run_pytest(tmp_path)
    assert "2 passed" in run.stdout, run.stdout
