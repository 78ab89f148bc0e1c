"""`Emulator` in a Python program."""

from __future__ import annotations

import itertools
import json
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from dcs_sessions import emulator
from dcs_sessions.emulator import Credentials, Emulator, EmulatorError, Fault
from dcs_sessions.emulator._valkey import EmbeddedValkey, ValkeyStartError

if TYPE_CHECKING:
    from emulator.conftest import Api, Connect, MakeApi, MakeDcs


def test_emulator_has_the_documented_constants(dcs: Emulator) -> None:
    assert dcs.endpoint.startswith("http://127.0.0.1:")
    assert dcs.project_id == emulator.PROJECT_ID
    assert dcs.instance_id == emulator.INSTANCE_ID
    assert dcs.node_ids == (emulator.node_id(0), emulator.node_id(1))
    assert dcs.token == emulator.TOKEN
    assert dcs.readonly_token == emulator.READONLY_TOKEN
    assert dcs.noaccess_token == emulator.NOACCESS_TOKEN
    assert (dcs.ak, dcs.sk) == (emulator.ACCESS_KEY, emulator.SECRET_KEY)
    assert len(dcs.redis_urls) == 2


def test_two_emulators_share_no_state(
    make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    one, two = make_dcs(), make_dcs(instance_id="other")
    assert one.endpoint != two.endpoint
    assert set(one.redis_urls).isdisjoint(two.redis_urls)
    connect(one.redis_urls[0], "here")
    assert [s["name"] for s in make_api(one).sessions()] == ["here"]
    assert make_api(two).sessions() == []


def test_emulator_can_start_again_after_stop(connect: Connect, make_api: MakeApi) -> None:
    dcs = Emulator()
    for _ in range(2):
        with dcs:
            make_api(dcs).sessions()
            with pytest.raises(RuntimeError, match="is running already"):
                dcs.start()
        assert dcs.endpoint == ""
    dcs.stop()


def test_emulator_outlives_the_thread_that_started_it(make_api: MakeApi) -> None:
    dcs = Emulator()
    starter = threading.Thread(target=dcs.start)
    starter.start()
    starter.join()
    try:
        assert make_api(dcs).sessions() == []
    finally:
        dcs.stop()


def test_emulator_starts_and_stops_quickly() -> None:
    start = time.perf_counter()
    with Emulator():
        pass
    # A tenth of it on an idle machine.
    assert time.perf_counter() - start < 5


def test_emulator_listens_on_ipv6(make_api: MakeApi) -> None:
    try:
        dcs = Emulator(host="::1")
        dcs.start()
    except EmulatorError as error:
        pytest.skip(str(error))
    try:
        assert dcs.endpoint.startswith("http://[::1]:")
        assert make_api(dcs).sessions() == []
    finally:
        dcs.stop()


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"nodes": 0}, "nodes"),
        ({"port": -1}, "port"),
        ({"scan_delay": -1}, "scan_delay"),
        ({"scan_delay": float("nan")}, "scan_delay"),
        ({"rate_limit": (0, 1)}, "rate_limit"),
        ({"key_lock": -1}, "key_lock"),
        ({"key_lock": float("inf")}, "key_lock"),
        ({"allowed_hosts": ["http://x"]}, "allowed_hosts"),
        ({"faults": [Fault(truncate=True, operation="showJobInfo")]}, "faults"),
        ({"node_ids": ["a", "a"], "nodes": 2}, "node_ids"),
        ({"redis": ["redis://127.0.0.1:1"]}, "redis"),
        ({"redis": ["unix:///x"]}, "redis"),
        ({"host": "256.1.1.1"}, "host"),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], argument: str) -> None:
    threads = threading.active_count()
    with pytest.raises(EmulatorError) as caught, Emulator(**arguments):
        pass
    assert caught.value.argument == argument
    assert re.fullmatch(r"(?!.*None)\S.{10,}\S", caught.value.reason), "a reason in words"
    assert str(caught.value) == f"{argument}: {caught.value.reason}"
    assert threading.active_count() == threads


def test_stop_leaves_no_thread_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    threads, files = threading.active_count(), len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with Emulator(nodes=2):
            pass
    assert threading.active_count() == threads
    assert len(list(Path("/dev/fd").iterdir())) <= files
    assert list(tmp_path.iterdir()) == []


def test_emulator_shares_no_code_with_the_client() -> None:
    code = """
import sys, dcs_sessions.emulator
ours = {name for name in sys.modules if name.startswith("dcs_sessions")}
print(sorted(name for name in ours if not name.startswith("dcs_sessions.emulator")))
print("httpx" in sys.modules)
"""
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert output == (
        "['dcs_sessions', 'dcs_sessions._contract', 'dcs_sessions._signing']\nFalse\n"
    )


def test_ready_file_has_all_that_a_client_needs(tmp_path: Path) -> None:
    logins = Credentials(token="t", readonly_token="r", ak="a", sk="s", security_token="st")
    path = tmp_path / "ready.json"
    with Emulator(nodes=2, instance_name="mine", credentials=logins) as dcs:
        dcs.write_ready_file(path)
        facts = json.loads(path.read_text(encoding="utf-8"))
        assert facts == {
            **{name: getattr(dcs, name) for name in ("endpoint", "project_id", "instance_id")},
            "node_ids": list(dcs.node_ids),
            "redis_urls": list(dcs.redis_urls),
            "token": "t",
            "readonly_token": "r",
            "noaccess_token": dcs.noaccess_token,
            "ak": "a",
            "sk": "s",
            "security_token": "st",
            "temporary_ak": logins.temporary_ak,
            "temporary_sk": logins.temporary_sk,
            "instance_name": "mine",
            "instances": dcs.instances,
        }
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_settings_apply_to_the_first_instance(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    settings: list[tuple[dict[str, Any], str, object]] = [
        ({"instance_name": "checkout"}, "name", "checkout"),
        ({"instance_id": "i-1"}, "instance_id", "i-1"),
        ({"cache_mode": "proxy"}, "cache_mode", "proxy"),
        ({"transparent_client_ip": False}, "transparent_client_ip_enable", False),
        ({}, "transparent_client_ip_enable", True),
        ({"nodes": 2}, "sharding_count", 2),
    ]
    for arguments, name, value in settings:
        api = make_api(make_dcs(**arguments))
        assert api.http.get(api.instance).json()[name] == value, arguments


def test_port_of_a_server_that_is_taken_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ValkeyStartError, match="Address already in use"),
    ):
        EmbeddedValkey(taken.getsockname()[1])


def test_no_operation_reads_the_contract() -> None:
    sources = {path.name: path.read_text() for path in Path(emulator.__file__).parent.glob("*.py")}
    # One module hands it out as a file.
    assert "dcs_sessions._contract" in sources.pop("_contract.py")
    for name, text in sources.items():
        assert "dcs_sessions._contract" not in text, name
        assert not re.search(r"(open|read_text|load)\(.*openapi", text), name


def test_thousands_of_sessions_are_listed_and_killed(
    fresh: Emulator, api: Api, connect: Connect
) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))
    for number in range(1500):
        connect(fresh.redis_urls[0], f"c{number}")
    assert len(api.sessions()) == 1000
    assert api.listed(offset=1000, limit=1000).json()["count"] == 1500
    addrs = [s["peer"] for s in api.listed(limit=1000, order="asc").json()["clients"]]
    assert api.kill(addrs).status_code == 204
    assert [s["name"] for s in api.sessions(order="asc", limit=1)] == ["c1000"]
    assert api.listed().json()["count"] == 500


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8635", 200),
        ("a.localhost", 200),
        ("127.0.0.1", 200),
        ("127.8.8.8:1", 200),
        ("[::1]:8635", 200),
        ("LOCALHOST.", 200),
        ("dcs.test:80", 200),
        ("evil.example", 400),
        ("evil.example:8635", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost.evil.example", 400),
        ("10.0.0.1", 400),
        ("169.254.169.254", 400),
        ("", 400),
    ],
)
def test_host_names_that_are_answered_on_loopback(
    make_dcs: MakeDcs, host: str, status: int
) -> None:
    dcs = make_dcs(allowed_hosts=["dcs.test"])
    path = f"/v2/{dcs.project_id}/instances/{dcs.instance_id}/logical-nodes"
    for target in (path, "/"):
        answer = httpx.get(
            f"{dcs.endpoint}{target}",
            headers={"Host": host, "X-Auth-Token": dcs.token},
            trust_env=False,
            verify=False,
        )
        assert answer.status_code in {status, 404 if target == "/" else status}


def test_host_names_that_resemble_those_that_are_answered(make_dcs: MakeDcs) -> None:
    dcs = make_dcs(allowed_hosts=["dcs.test"])
    names = ("localhost", "dcs.test", "127.0.0.1", "[::1]", "evil.example")
    befores = ("", "a.", "evil", "evil-", "localhost.", "127.0.0.1.", "dcs.")
    afters = ("", ".", "evil", "-evil", ".evil.example", ".localhost", ":1", ".:8635", ":1.evil")
    with httpx.Client(base_url=dcs.endpoint, trust_env=False, verify=False) as client:
        for before, name, after in itertools.product(befores, names, afters):
            host = f"{before}{name}{after}"
            bare = re.sub(r"\.?(:[0-9]+)?$", "", host)
            is_known = (
                bare == "dcs.test"
                or re.fullmatch(r"\[::1\](:[0-9]+)?", host) is not None
                or bare.split(".")[-1] == "localhost"
                or re.fullmatch(r"127\.\d+\.\d+\.\d+", bare) is not None
            )
            # Without credentials, so that 401 is the answer to whoever gets that far.
            answer = client.get(f"/v2/{dcs.project_id}/instances", headers={"Host": host})
            assert answer.status_code == (401 if is_known else 400), host


def test_every_host_name_is_answered_where_others_are_let_in(make_dcs: MakeDcs) -> None:
    dcs = make_dcs(host="0.0.0.0")
    path = f"/v2/{dcs.project_id}/instances/{dcs.instance_id}/logical-nodes"
    headers = {"Host": "dcs.example", "X-Auth-Token": dcs.token}
    assert httpx.get(
        f"{dcs.endpoint}{path}", headers=headers, trust_env=False, verify=False
    ).is_success


def test_star_import_has_every_public_name() -> None:
    public = {
        name
        for name, value in vars(emulator).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert set(emulator.__all__) == public
