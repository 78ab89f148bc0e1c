"""`Emulator` in a Python program."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dcs_sessions import emulator
from dcs_sessions.emulator import Emulator, EmulatorError, Fault

if TYPE_CHECKING:
    from emulator.conftest import Api, Connect, MakeApi, MakeDcs


def test_it_has_the_documented_constants(dcs: Emulator) -> None:
    assert dcs.endpoint.startswith("http://127.0.0.1:")
    assert dcs.project_id == emulator.PROJECT_ID
    assert dcs.instance_id == emulator.INSTANCE_ID
    assert dcs.node_ids == (emulator.node_id(0), emulator.node_id(1))
    assert dcs.token == emulator.TOKEN
    assert dcs.readonly_token == emulator.READONLY_TOKEN
    assert dcs.noaccess_token == emulator.NOACCESS_TOKEN
    assert (dcs.ak, dcs.sk) == (emulator.ACCESS_KEY, emulator.SECRET_KEY)
    assert len(dcs.redis_urls) == 2


def test_two_at_once_know_nothing_of_each_other(
    make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    one, two = make_dcs(), make_dcs(instance_id="other")
    assert one.endpoint != two.endpoint
    assert set(one.redis_urls).isdisjoint(two.redis_urls)
    connect(one.redis_urls[0], "here")
    assert [s["name"] for s in make_api(one).sessions()] == ["here"]
    assert make_api(two).sessions() == []


def test_it_can_start_again(connect: Connect, make_api: MakeApi) -> None:
    dcs = Emulator()
    for _ in range(2):
        with dcs:
            make_api(dcs).sessions()
            with pytest.raises(RuntimeError, match="runs already"):
                dcs.start()
        assert dcs.endpoint == ""
    dcs.stop()


def test_it_lives_on_when_the_thread_that_started_it_ends(make_api: MakeApi) -> None:
    dcs = Emulator()
    starter = threading.Thread(target=dcs.start)
    starter.start()
    starter.join()
    try:
        assert make_api(dcs).sessions() == []
    finally:
        dcs.stop()


def test_it_starts_and_stops_quickly() -> None:
    start = time.perf_counter()
    with Emulator():
        pass
    # A tenth of it on an idle machine.
    assert time.perf_counter() - start < 5


def test_it_listens_on_ipv6(make_api: MakeApi) -> None:
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
        ({"faults": [Fault(truncate=True, operation="showJobInfo")]}, "faults"),
        ({"node_ids": ["a", "a"], "nodes": 2}, "node_ids"),
        ({"redis": ["redis://127.0.0.1:1"]}, "redis"),
        ({"redis": ["unix:///x"]}, "redis"),
        ({"host": "256.1.1.1"}, "host"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], argument: str) -> None:
    threads = threading.active_count()
    with pytest.raises(EmulatorError) as caught, Emulator(**arguments):
        pass
    assert caught.value.argument == argument
    assert threading.active_count() == threads


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    threads, files = threading.active_count(), len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with Emulator(nodes=2):
            pass
    assert threading.active_count() == threads
    assert len(list(Path("/dev/fd").iterdir())) <= files
    assert list(tmp_path.iterdir()) == []


def test_it_shares_no_code_with_the_client() -> None:
    code = """
import sys, dcs_sessions.emulator
ours = {name for name in sys.modules if name.startswith("dcs_sessions")}
print(sorted(name for name in ours if not name.startswith("dcs_sessions.emulator")))
print("httpx" in sys.modules)
"""
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert output == "['dcs_sessions', 'dcs_sessions._signing']\nFalse\n"


def test_it_does_not_read_the_contract() -> None:
    for source in Path(emulator.__file__).parent.glob("*.py"):
        assert "openapi" not in source.read_text()


def test_thousands_of_sessions(fresh: Emulator, api: Api, connect: Connect) -> None:
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
