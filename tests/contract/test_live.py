"""`make contract-live` against an emulator with other IDs and credentials, like a real DCS."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tools import contract, spec
from tools.contract_api import KILLS
from tools.contract_emulator import emulator
from tools.contract_live import live_settings

pytestmark = pytest.mark.timeout(180)

TOKEN = "canary-token"
SK = "canary-secret-key"
LOGINS = {"token": TOKEN, "ak": "SOMEACCESSKEY", "sk": SK}
MINE = re.compile(r"DCS_SESSIONS_|HUAWEICLOUD_SDK_")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    logins = tmp_path_factory.mktemp("logins") / "logins.json"
    logins.write_text(json.dumps(LOGINS))
    logins.chmod(0o600)
    options = ["--project-id", "p-1", "--instance-id", "i-1", "--node-id", "n-1"]
    with emulator(contract.EMULATOR, *options, "--credentials", str(logins)) as facts:
        yield facts


def live(
    variables: dict[str, str], reports: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    others = {name: value for name, value in os.environ.items() if not MINE.match(name)}
    return subprocess.run(
        [
            *(sys.executable, "-m", "tools.contract", "--live", "--reports", str(reports)),
            # As fast as it goes: this is no service that others need.
            *("--rate", "1000/s", "--max-examples", "3", *options),
        ],
        cwd=spec.ROOT,
        env={**others, **variables},
        capture_output=True,
        text=True,
        timeout=170,
    )


def target(service: dict[str, Any], **login: str) -> dict[str, str]:
    return {
        "DCS_SESSIONS_ENDPOINT": service["endpoint"],
        "HUAWEICLOUD_SDK_PROJECT_ID": "p-1",
        "DCS_SESSIONS_INSTANCE": "i-1",
        "DCS_SESSIONS_NODE": "n-1",
        **login,
    }


@pytest.mark.parametrize(
    "login",
    [
        {"DCS_SESSIONS_TOKEN": TOKEN},
        {"HUAWEICLOUD_SDK_AK": LOGINS["ak"], "HUAWEICLOUD_SDK_SK": SK},
    ],
    ids=["token", "signature"],
)
def test_live_test_reads_and_scans_only(
    login: dict[str, str], service: dict[str, Any], tmp_path: Path
) -> None:
    server = urlsplit(service["redis_urls"][0])
    with socket.create_connection((server.hostname or "", server.port or 0), 10) as session:
        result = live(target(service, **login), tmp_path)

        assert result.returncode == 0, result.stdout + result.stderr
        assert "no session is ended" in result.stdout
        session.sendall(b"PING\r\n")
        assert session.recv(64) == b"+PONG\r\n", "it was never ended"
    rows = {
        cells[0]: cells[1:]
        for line in result.stdout.splitlines()
        if (cells := line.replace("│", " ").split()) and line.startswith("│")
    }
    for operation in ("ScanClients", "ListClients", "ShowNodesInformation", "ShowJobInfo"):
        assert int(rows[operation][0]) > 0, "it has succeeded"
    for operation in KILLS:
        assert not [cell for cell in rows[operation] if cell.isdigit()], "it was never called"
    shown = result.stdout + result.stderr + (tmp_path / "html" / "index.html").read_text()
    assert "canary" not in shown + (tmp_path / "junit.xml").read_text()


def test_live_test_kills_if_allowed(service: dict[str, Any], tmp_path: Path) -> None:
    server = urlsplit(service["redis_urls"][0])
    variables = target(service, DCS_SESSIONS_TOKEN=TOKEN, DCS_SESSIONS_ALLOW_KILL="1")
    with socket.create_connection((server.hostname or "", server.port or 0), 10) as session:
        result = live(variables, tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "WILL BE ENDED" in result.stdout
        assert session.recv(64) == b"", "it was ended"


def test_kill_is_not_sent_unless_allowed(service: dict[str, Any], tmp_path: Path) -> None:
    variables = target(service, DCS_SESSIONS_TOKEN=TOKEN)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **variables,
            "DCS_SESSIONS_ALLOW_KILL": "0",
            "DCS_SESSIONS_SEEN": str(tmp_path / "seen"),
        }.items():
            patch.setenv(name, value)
        program = (
            "import os, requests; from tools.contract_hooks import LOGIN;"
            "requests.post(os.environ['DCS_SESSIONS_ENDPOINT'] + '/v2/p-1/instances/i-1"
            "/clients/kill-all', json={'node_id': 'n-1'}, auth=LOGIN)"
        )
        result = subprocess.run(
            [sys.executable, "-c", program], cwd=spec.ROOT, capture_output=True, text=True
        )
    assert result.stderr.endswith("a request that ends sessions was about to go out\n")


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("DCS_SESSIONS_ENDPOINT", "DCS_SESSIONS_ENDPOINT (or DCS_SESSIONS_REGION)"),
        ("HUAWEICLOUD_SDK_PROJECT_ID", "HUAWEICLOUD_SDK_PROJECT_ID"),
        ("DCS_SESSIONS_INSTANCE", "DCS_SESSIONS_INSTANCE"),
        ("DCS_SESSIONS_NODE", "DCS_SESSIONS_NODE"),
        ("DCS_SESSIONS_TOKEN", "DCS_SESSIONS_TOKEN (or HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK)"),
    ],
)
def test_missing_settings_are_named(missing: str, named: str, tmp_path: Path) -> None:
    variables = target({"endpoint": "http://127.0.0.1:9"}, DCS_SESSIONS_TOKEN="x")
    del variables[missing]
    result = live(variables, tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"Error: missing in the environment: {named}\n"


def test_region_sets_the_endpoint() -> None:
    variables = target({"endpoint": ""}, DCS_SESSIONS_TOKEN="x", DCS_SESSIONS_REGION="cn-north-4")
    settings = live_settings(variables)
    assert settings["endpoint"] == "https://dcs.cn-north-4.myhuaweicloud.com"


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "nonsense", "http://[::1"])
def test_unreachable_endpoint_is_an_error(endpoint: str, tmp_path: Path) -> None:
    result = live(target({"endpoint": endpoint}, DCS_SESSIONS_TOKEN="x"), tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {endpoint} does not answer: ")
    assert result.stderr.count("\n") == 1
