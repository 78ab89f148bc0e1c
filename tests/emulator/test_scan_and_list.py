"""Scans, jobs and lists, against a real Valkey."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dcs_sessions.emulator import Emulator

if TYPE_CHECKING:
    from emulator.conftest import Api, Connect, MakeApi, MakeDcs, MakeValkey

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# They move between two looks at the same connection.
MOVING = {"age", "idle", "qbuf", "qbuf_free"}


def test_list_is_what_client_list_says(api: Api, fresh: Emulator, connect: Connect) -> None:
    url = fresh.redis_urls[0]
    connect(url, "idle")
    connect(url, "subscribed").command("SUBSCRIBE", "news")
    transaction = connect(url, "in-multi")
    transaction.command("MULTI")
    transaction.command("PING")
    blocked = connect(url, "blocked")
    blocked.send("BLPOP", "nothing", "0")
    connect(url, "db-3").command("SELECT", "3")
    observer = connect(url, "observer")

    listed = api.sessions(sort="id", order="asc")
    reply = observer.command("CLIENT", "LIST").decode()

    rows = [dict(item.split("=", 1) for item in line.split(" ")) for line in reply.splitlines()]
    # The emulator's own connection has no name; the server keeps to no order.
    rows = sorted((row for row in rows if row["name"]), key=lambda row: int(row["id"]))
    assert [row["name"] for row in rows] == [
        *("idle", "subscribed", "in-multi", "blocked", "db-3", "observer")
    ]
    assert len(listed) == len(rows)
    for session, row in zip(listed, rows, strict=True):
        assert len(session) == 21
        for field, value in session.items():
            if field == "network":
                assert value == "vpc"
            elif field == "peer":
                assert value == row["addr"]
            elif field in MOVING or (field == "cmd" and row["name"] == "observer"):
                assert type(value) in (int, str)
            else:
                assert str(value) == row[field.replace("_", "-")], field
    numbers = {name for name, value in listed[0].items() if type(value) is int}
    assert numbers == {
        *("age", "idle", "sub", "psub", "multi", "qbuf", "qbuf_free", "obl", "oll", "omem")
    }
    assert {s["name"]: s["multi"] for s in listed}["in-multi"] == 1
    assert {s["name"]: s["multi"] for s in listed}["idle"] == -1
    assert {s["name"]: s["sub"] for s in listed}["subscribed"] == 1
    assert {s["name"]: s["flags"] for s in listed}["blocked"] == "b"
    assert {s["name"]: s["db"] for s in listed}["db-3"] == "3"


def test_scan_starts_a_job_that_stores_the_list(api: Api) -> None:
    before = int(time.time() * 1000)
    scan = api.scan()
    job_id = scan.json()["job_id"]
    assert scan.json() == {"job_id": job_id}
    assert re.fullmatch("[0-9a-f]{32}", job_id)

    job = api.done(scan)
    assert job["job_id"] == job_id
    assert job["status"] == "SUCCESS"
    assert job["fail_reason"] is None
    assert job["begin_time"].isdigit()
    assert before <= int(job["begin_time"]) <= int(job["end_time"]) <= time.time() * 1000

    listed = api.listed().json()
    assert listed == {"time": listed["time"], "clients": [], "count": 0}
    assert TIME.fullmatch(listed["time"])


def test_default_page_is_the_ten_newest(api: Api, fresh: Emulator, connect: Connect) -> None:
    for number in range(12):
        connect(fresh.redis_urls[0], f"c{number}")
    api.sessions()
    page = api.listed().json()
    assert page["count"] == 12
    assert [s["name"] for s in page["clients"]] == [f"c{number}" for number in range(11, 1, -1)]
    rest = api.listed(offset=10, limit=5).json()
    assert [s["name"] for s in rest["clients"]] == ["c1", "c0"]
    assert rest["count"] == 12


def test_addr_filters_the_list(api: Api, fresh: Emulator, connect: Connect) -> None:
    one, _ = connect(fresh.redis_urls[0], "one"), connect(fresh.redis_urls[0], "two")
    api.sessions()
    found = api.listed(addr=one.addr).json()
    assert ([s["name"] for s in found["clients"]], found["count"]) == (["one"], 1)
    assert api.listed(addr="127.0.0.1").json()["count"] == 2
    assert api.listed(addr="10.9.8.7").json()["count"] == 0


def test_list_before_any_scan_is_a_server_error(api: Api) -> None:
    response = api.listed()
    assert response.status_code == 500
    assert response.json()["error_code"] == "DCS.5000"


def test_without_clean_cache_a_stored_list_stays(
    api: Api, fresh: Emulator, connect: Connect
) -> None:
    assert api.done(api.scan())["status"] == "SUCCESS"  # the first scan always queries
    first = api.listed().json()
    connect(fresh.redis_urls[0], "newcomer")

    for body in ({}, {"clean_cache": False}):
        assert api.done(api.scan(**body))["status"] == "SUCCESS"
        assert api.listed().json() == first

    assert api.done(api.scan(clean_cache=True))["status"] == "SUCCESS"
    assert api.listed().json()["count"] == 1
    assert api.listed().json()["time"] > first["time"]


def test_nodes_have_lists_of_their_own(api: Api, fresh: Emulator, connect: Connect) -> None:
    connect(fresh.redis_urls[1], "second")
    api.sessions(0)
    assert api.listed(1).status_code == 500
    assert [s["name"] for s in api.sessions(1)] == ["second"]
    assert api.listed(0).json()["count"] == 0


def test_scan_and_list_are_refused_while_a_scan_runs(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    # It ends with the test; how long it would take does not matter.
    dcs = make_dcs(nodes=2, scan_delay=3600)
    api = make_api(dcs)
    job_id = api.scan().json()["job_id"]

    assert api.job(job_id).json()["status"] == "RUNNING"
    assert "end_time" not in api.job(job_id).json()
    for refused in (api.scan(), api.scan(clean_cache=True), api.listed()):
        assert refused.status_code == 400
        assert refused.json() == {
            "error_code": "DCS.4957",
            "error_msg": "This operation is not allowed when the task is in the current state.",
            "error_ext_msg": None,
        }
    assert api.scan(1).status_code == 200, "another node is not concerned"


def test_concurrent_scans_succeed_or_are_refused(
    api: Api, fresh: Emulator, connect: Connect
) -> None:
    connect(fresh.redis_urls[0], "only")
    with ThreadPoolExecutor(16) as pool:
        scans = list(pool.map(lambda _: api.scan(clean_cache=True), range(200)))
    started = [scan for scan in scans if scan.status_code == 200]
    assert {scan.json()["error_code"] for scan in scans if scan not in started} <= {"DCS.4957"}
    assert started
    assert {api.done(scan)["status"] for scan in started} == {"SUCCESS"}
    assert [s["name"] for s in api.sessions()] == ["only"]


def test_stored_list_is_served_while_the_next_scan_runs(
    make_valkey: MakeValkey, make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    server = make_valkey()
    api = make_api(make_dcs(redis=[server.url], scan_delay=0.5))
    api.sessions()
    connect(server.url, "newcomer")
    scan = api.scan(clean_cache=True)
    os.kill(server.pid, signal.SIGSTOP)  # the scan does not get on until the server does
    try:
        assert api.scan().json()["error_code"] == "DCS.4957"
        assert api.listed().json()["count"] == 0
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert api.done(scan)["status"] == "SUCCESS"
    assert api.listed().json()["count"] == 1


@pytest.mark.parametrize("method", ["scan", "kill", "kill_all"])
def test_dead_server_is_an_error_until_it_returns(
    method: str, make_valkey: MakeValkey, make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    server = make_valkey()
    dcs = make_dcs(redis=[server.url])
    api = make_api(dcs)
    assert api.done(api.scan())["status"] == "SUCCESS"

    server.kill()
    response = {
        "scan": lambda: api.scan(),
        "kill": lambda: api.kill(["1.2.3.4:5"]),
        "kill_all": lambda: api.kill_all(kill_all_nodes=True),
    }[method]()
    assert response.status_code == 500
    assert response.json()["error_code"] == "DCS.5053"
    assert response.json()["error_msg"] == "Instance node not found."
    assert api.nodes().json()["nodes"][0]["status"] == "Inactive"
    assert api.listed().json()["count"] == 0, "the stored list is still there"

    again = make_valkey(server.port)
    connect(again.url, "back")
    assert [s["name"] for s in api.sessions()] == ["back"]
    assert api.nodes().json()["nodes"][0]["status"] == "Active"


def test_scan_fails_if_the_server_dies(
    make_valkey: MakeValkey, make_dcs: MakeDcs, make_api: MakeApi
) -> None:
    server = make_valkey()
    api = make_api(make_dcs(redis=[server.url], scan_delay=0.5))
    scan = api.scan()
    server.kill()
    job = api.done(scan)
    assert job["status"] == "FAIL"
    assert f"127.0.0.1:{server.port}" in job["fail_reason"]
    assert "end_time" in job
    assert api.listed().status_code == 500
    make_valkey(server.port)
    assert api.done(api.scan())["status"] == "SUCCESS"


def test_server_with_a_password_is_scanned(
    make_valkey: MakeValkey, make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    server = make_valkey()
    connect(server.url).command("CONFIG", "SET", "requirepass", "s3cr@t")
    dcs = make_dcs(redis=[f"redis://:s3cr%40t@127.0.0.1:{server.port}"])
    assert dcs.masked_redis_urls == (f"redis://***@127.0.0.1:{server.port}",)
    # The connection from before the password is still there, and no other.
    assert len(make_api(dcs).sessions()) == 1


def _tls_in_front_of(port: int, listener: socket.socket) -> None:
    """Take one TLS connection and pass it on to a server on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with (
        context.wrap_socket(listener.accept()[0], server_side=True) as outer,
        socket.create_connection(("127.0.0.1", port)) as inner,
    ):

        def back() -> None:
            while data := inner.recv(65536):
                outer.sendall(data)

        thread = threading.Thread(target=back)
        thread.start()
        while data := outer.recv(65536):
            inner.sendall(data)
        inner.shutdown(socket.SHUT_RDWR)
        thread.join()


# For this test only; the file holds key and certificate.
CERTIFICATE = Path(__file__).parent.parent / "data" / "localhost.pem"


def test_server_behind_tls_is_scanned(
    make_valkey: MakeValkey, make_api: MakeApi, connect: Connect
) -> None:
    server = make_valkey()
    connect(server.url, "plain")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = threading.Thread(target=_tls_in_front_of, args=(server.port, listener))
        proxy.start()
        url = f"rediss://127.0.0.1:{listener.getsockname()[1]}?ssl_ca_certs={CERTIFICATE}"
        with Emulator(redis=[url]) as dcs:
            assert [s["name"] for s in make_api(dcs).sessions()] == ["plain"]
        proxy.join(timeout=20)
        assert not proxy.is_alive()
    gc.collect()  # warns of a connection that was left open, which is an error here
