"""`dcs-sessions emulator` as a process: it starts, reports its address, and cleans up."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest
from click.testing import CliRunner

from dcs_sessions import _signing
from dcs_sessions._cli.emulator import emulator as command
from dcs_sessions.emulator import TOKEN, Fault
from dcs_sessions.emulator._faults import Faults
from support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.conftest import Connect, MakeValkey


def is_running(pid: int) -> bool:
    try:
        # A zombie has ended.
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class Process:
    def __init__(self, directory: Path, *options: str, **environment: str) -> None:
        self.ready_file = directory / "ready.json"
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dcs_sessions", "emulator", "--port", "0"),
                *("--ready-file", str(self.ready_file), *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "TMPDIR": str(self.temporary)},
        )

    def facts(self) -> dict[str, Any]:
        wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
        # It appears whole, and only then.
        facts: dict[str, Any] = json.loads(self.ready_file.read_text())
        return facts

    def valkeys(self) -> list[int]:
        pids = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = stat.read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == self.process.pid:
                pids.append(int(stat.parent.name))
        return pids

    def end(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


class Start(Protocol):
    def __call__(self, *options: str, **environment: str) -> Process: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def start(*options: str, **environment: str) -> Process:
        process = Process(tmp_path, *options, **environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.process.kill()
        process.process.communicate()


def nodes(facts: dict[str, Any]) -> httpx.Response:
    path = f"/v2/{facts['project_id']}/instances/{facts['instance_id']}/logical-nodes"
    headers = {"X-Auth-Token": facts["token"]}
    return httpx.get(facts["endpoint"] + path, headers=headers, trust_env=False, verify=False)


ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_process_writes_its_ready_file_and_cleans_up(start: Start, number: int) -> None:
    process = start("--nodes", "2")
    facts = process.facts()
    assert facts.keys() == {
        *("endpoint", "project_id", "instance_id", "node_ids", "redis_urls", "token"),
        *("temporary_ak", "temporary_sk", "security_token"),
        *("readonly_token", "noaccess_token", "ak", "sk", "instance_name", "instances"),
    }
    assert process.ready_file.stat().st_mode & 0o777 == 0o600
    assert len(facts["node_ids"]) == len(facts["redis_urls"]) == 2
    assert [node["node_id"] for node in nodes(facts).json()["nodes"]] == facts["node_ids"]
    valkeys = process.valkeys()
    assert len(valkeys) == 2

    status, out, err = process.end(number)

    assert (status, err) == (0, "")
    assert facts["endpoint"] in out
    assert TOKEN in out
    assert not any(map(is_running, valkeys))
    assert list(process.temporary.iterdir()) == []
    assert list(process.ready_file.parent.iterdir()) == [process.temporary]


def test_old_ready_file_is_removed(start: Start, tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text("{}")
    process = start("--port", "1", "--host", "256.0.0.1")
    process.process.communicate(timeout=20)
    assert not process.ready_file.exists()


def test_other_host_names_are_allowed_by_option(start: Start) -> None:
    process = start("--allowed-host", "dcs.test")
    endpoint = process.facts()["endpoint"]
    found = [
        httpx.get(endpoint, headers={"Host": host}, trust_env=False, verify=False).status_code
        for host in ("dcs.test", "dcs.test:1", "evil.example")
    ]
    assert found[0] == found[1] != 400
    assert found[2] == 400


def test_host_beyond_loopback_gives_a_warning(start: Start) -> None:
    process = start("--host", "0.0.0.0")
    assert process.facts()["endpoint"].startswith("http://127.0.0.1:")
    assert "Warning: anyone who can reach 0.0.0.0" in process.end(signal.SIGTERM)[2]


@linux
def test_valkey_ends_when_the_emulator_is_killed(start: Start) -> None:
    process = start()
    process.facts()
    (valkey,) = process.valkeys()
    assert process.end(signal.SIGKILL)[0] == -signal.SIGKILL
    wait_until(lambda: not is_running(valkey))
    assert list(process.temporary.iterdir()) == []


def test_ids_and_credentials_come_from_options(start: Start, tmp_path: Path) -> None:
    logins = tmp_path / "logins.json"
    logins.write_text(json.dumps({"token": "canary-1", "ak": "canary-2", "sk": "canary-3"}))
    logins.chmod(0o600)
    process = start(
        *("--project-id", "p", "--instance-id", "i", "--node-id", "n"),
        *("--credentials", str(logins), "--rate-limit", "5/60", "--scan-delay", "0.1"),
    )
    facts = process.facts()
    assert (facts["project_id"], facts["instance_id"], facts["node_ids"]) == ("p", "i", ["n"])
    assert (facts["token"], facts["ak"], facts["sk"]) == ("canary-1", "canary-2", "canary-3")
    path = "/v2/p/instances/i/logical-nodes"
    headers = {"X-Auth-Token": "canary-1"}
    statuses = [
        httpx.get(
            facts["endpoint"] + path, headers=headers, trust_env=False, verify=False
        ).status_code
        for _ in range(6)
    ]
    assert statuses == [200] * 5 + [429]
    status, out, err = process.end(signal.SIGTERM)
    assert status == 0
    assert "canary" not in out + err


def test_redis_option_accepts_a_password(
    start: Start, make_valkey: MakeValkey, connect: Connect
) -> None:
    server = make_valkey()
    connect(server.url).command("CONFIG", "SET", "requirepass", "canary")
    url = f"redis://:canary@127.0.0.1:{server.port}"
    process = start(DCS_SESSIONS_EMULATOR_REDIS=url)
    assert process.facts()["redis_urls"] == [url]
    status, out, err = process.end(signal.SIGTERM)
    assert status == 0
    assert "canary" not in out + err
    assert f"redis://***@127.0.0.1:{server.port}" in out
    assert connect(url).is_alive(), "it is not the emulator's to end"


def test_loose_permissions_of_credentials_give_a_warning(tmp_path: Path, start: Start) -> None:
    logins = tmp_path / "logins.json"
    logins.write_text("{}")
    logins.chmod(0o644)
    process = start("--credentials", str(logins))
    process.facts()
    assert "can be read by others" in process.end(signal.SIGTERM)[2]


@pytest.mark.parametrize("debug", [True, False])
def test_debug_shows_what_was_to_be_signed_and_never_a_key(start: Start, debug: bool) -> None:
    process = start(*["--debug"] * debug)
    facts = process.facts()
    path = f"/v2/{facts['project_id']}/instances/{facts['instance_id']}/clients/"
    login = _signing.Authorization(facts["ak"], ("host", "x-sdk-date"), "0" * 64)
    headers = {
        "Authorization": str(login),
        "X-Sdk-Date": datetime.now(UTC).strftime(_signing.DATE_FORMAT),
    }
    url = f"{facts['endpoint']}{path[:-1]}?offset=0&limit=5"
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 401
    _, _, err = process.end(signal.SIGTERM)
    shown = [line.partition(": ")[2] for line in err.splitlines() if "emulator._auth: " in line]
    expected = ["refused signature; the canonical request is", "GET", path, "limit=5&offset=0"]
    assert shown[:4] == (expected if debug else [])
    for secret in ("sk", "temporary_sk", "token", "security_token"):
        assert facts[secret] not in err


def test_faults_are_shown_with_their_seed(start: Start) -> None:
    process = start("--fault", "status=503,probability=0.5", "--seed", "7")
    seen = [nodes(process.facts()).status_code for _ in range(20)]
    drawn = Faults([Fault(status=503, probability=0.5)], seed=7)
    assert seen == [200 if drawn.draw("ShowNodesInformation")[1] is None else 503 for _ in seen]
    status, out, err = process.end(signal.SIGTERM)
    assert status == 0
    assert "Fault:        status=503,probability=0.5\nSeed:         7\nCtrl-C ends it.\n" in out
    assert err == ""


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--port", "65536"], 2, "--port"),
        (["--port", "x"], 2, "--port"),
        (["--nodes", "0"], 2, "--nodes"),
        (["--scan-delay", "-1"], 2, "--scan-delay"),
        (["--rate-limit", "5"], 2, "--rate-limit"),
        (["--rate-limit", "0/5"], 2, "--rate-limit"),
        (["--credentials", "/does/not/exist"], 2, "--credentials"),
        (["--credentials", __file__], 2, "--credentials"),
        (["--host", "256.0.0.1"], 1, "--host"),
        (["--fault", "status=200"], 2, "--fault: status: must be a number from 400 to 599"),
        (["--fault", "slow"], 2, "--fault: 'slow' must be one of latency, status, drop"),
        (["--fault", "truncate,operation=ShowJob"], 1, "--fault: operation: must be one of Hang"),
        (["--seed", "x"], 2, "--seed"),
        (["--redis", "nonsense"], 1, "--redis"),
        (["--redis", "redis://:canary@127.0.0.1:1"], 1, "--redis: redis://***@127.0.0.1:1"),
        (["--redis", "redis://u:canary#@127.0.0.1:1"], 1, "--redis: redis://***@127.0.0.1:1"),
        (["--node-id", "a", "--node-id", "b"], 1, "--node-id"),
        (["--ready-file", "/does/not/exist"], 1, "--ready-file"),
        (["--ready-file", "/dev/null/x"], 1, "--ready-file"),
    ],
)
def test_invalid_options_are_refused(options: list[str], status: int, words: str) -> None:
    before = [signal.getsignal(number) for number in ENDS]
    try:
        # Its usual port may be taken by another emulator, which would be the error to report.
        result = CliRunner().invoke(command, ["--port", "0", *options])
    finally:
        for number, handler in zip(ENDS, before, strict=True):
            signal.signal(number, handler)
    assert result.exit_code == status
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert words in last
    assert "canary" not in result.output


def test_occupied_port_is_an_error(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        _, err = process.process.communicate(timeout=20)
    assert process.process.returncode == 1
    assert err == f"Error: --port: 127.0.0.1:{port}: Address already in use\n"
    assert not process.ready_file.exists()
    assert list(process.temporary.iterdir()) == []


def test_wrong_password_is_an_error_without_the_password(
    make_valkey: MakeValkey, connect: Connect
) -> None:
    server = make_valkey()
    connect(server.url).command("CONFIG", "SET", "requirepass", "right")
    url = f"redis://:canary@127.0.0.1:{server.port}"
    result = CliRunner().invoke(command, ["--port", "0", "--redis", url])
    assert result.exit_code == 1
    assert f"--redis: redis://***@127.0.0.1:{server.port}: " in result.stderr
    assert "canary" not in result.output
