"""Injected faults, and clients that send their request too slowly."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections import Counter
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions.emulator import EXPIRED_TOKEN, Emulator, Fault
from dcs_sessions.emulator._faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.conftest import Api, Connect, MakeApi, MakeDcs


def test_latency_delays_the_answer(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    api = make_api(make_dcs(faults=[Fault(latency=0.3, operation="ScanClients")]))
    started = time.monotonic()
    assert api.scan().status_code == 200
    assert time.monotonic() - started >= 0.3


# Causes of the errors that a fault injects.


def not_scanned(dcs: Emulator, api: Api) -> httpx.Response:
    return api.listed()


def scanned_twice(dcs: Emulator, api: Api) -> httpx.Response:
    api.scan()
    return api.scan()


def expired(dcs: Emulator, api: Api) -> httpx.Response:
    return api.http.get(api.instance, headers={"X-Auth-Token": EXPIRED_TOKEN})


def not_permitted(dcs: Emulator, api: Api) -> httpx.Response:
    return api.http.get(api.instance, headers={"X-Auth-Token": dcs.noaccess_token})


def not_there(dcs: Emulator, api: Api) -> httpx.Response:
    return api.http.get(f"{api.instance}x")


def throttled(dcs: Emulator, api: Api) -> httpx.Response:
    while (response := api.nodes()).status_code == 200:
        pass
    return response


CAUSES = {
    400: ("DCS.4957", scanned_twice),
    401: ("DCS.1002", expired),
    403: ("DCS.2007", not_permitted),
    404: ("DCS.3022", not_there),
    429: ("APIGW.0308", throttled),
    500: ("DCS.5000", not_scanned),
}
# What differs between any two answers, and what a message names.
VARIABLE = re.compile(rb"[0-9a-f]{32}|(?<=does not allow ).*(?= to be)|(?<=ratelimit,)[^\"]*")


def constant(response: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return the bytes of an answer without its IDs, time, and explanation."""
    variable = ("date", "content-length", "x-request-id")
    headers = [pair for pair in response.headers.multi_items() if pair[0] not in variable]
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert response.json().get("request_id") in (None, response.headers["X-Request-Id"])
    detail = json.dumps(response.json().get("error_ext_msg")).encode()
    content = response.content.replace(b'"error_ext_msg":' + detail, b'"error_ext_msg":')
    return response.status_code, headers, VARIABLE.sub(b"", content)


@pytest.mark.parametrize("status", CAUSES)
def test_injected_error_is_the_one_that_has_a_cause(
    make_dcs: MakeDcs, make_api: MakeApi, status: int
) -> None:
    code, cause = CAUSES[status]
    dcs = make_dcs(scan_delay=3600, rate_limit=(20, 3600))
    api = make_api(dcs)
    real = cause(dcs, api)
    assert (real.status_code, real.json()["error_code"]) == (status, code)
    injecting = make_dcs(faults=[Fault(status=status)])
    for name in ("nodes", "scan", "listed"):
        injected = getattr(make_api(injecting), name)()
        assert constant(injected) == constant(real)
        explanation = injected.json().get("error_ext_msg", injected.json()["error_msg"])
        assert explanation.endswith("This fault was injected.")
        assert "None" not in injected.text


@pytest.mark.parametrize(("status", "title"), [(502, "502 Bad Gateway"), (599, "599")])
def test_other_status_is_answered_with_html_of_a_proxy(
    make_dcs: MakeDcs, make_api: MakeApi, status: int, title: str
) -> None:
    response = make_api(make_dcs(faults=[Fault(status=status)])).nodes()
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert f"<h1>{title}</h1>" in response.text


def test_status_fault_ends_no_session(
    make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    dcs = make_dcs(faults=[Fault(status=500, operation="HangUpClients")])
    peer = connect(dcs.redis_urls[0])
    api = make_api(dcs)
    assert api.kill([peer.addr]).status_code == 500
    assert peer.is_alive()


@pytest.mark.parametrize(
    ("drop", "lives"), [("before", True), ("after", False)], ids=["before", "after"]
)
def test_drop_closes_the_connection_before_or_after_the_operation(
    make_dcs: MakeDcs, make_api: MakeApi, connect: Connect, drop: str, lives: bool
) -> None:
    dcs = make_dcs(faults=[Fault(drop=drop, operation="HangUpClients")])
    peer = connect(dcs.redis_urls[0])
    api = make_api(dcs)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        api.kill([peer.addr])
    assert peer.is_alive() is lives
    assert api.nodes().status_code == 200


def test_truncate_sends_half_of_the_body(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    dcs = make_dcs(faults=[Fault(truncate=True, operation="ShowNodesInformation")])
    api = make_api(dcs)
    with api.http.stream("GET", f"{api.instance}/logical-nodes") as response:
        assert response.status_code == 200
        whole = int(response.headers["Content-Length"])
        chunks: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message"):
            chunks.extend(response.iter_raw())
    got = b"".join(chunks)
    assert len(got) == whole // 2
    assert got.startswith(b'{"instance_id"')


def test_errors_are_truncated_and_dropped_as_well(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    dcs = make_dcs(faults=[Fault(truncate=True), Fault(drop="after", operation="ListClients")])
    api = make_api(dcs)
    with api.http.stream("POST", api.clients, json={"node_id": "no-such-node"}) as response:
        assert response.status_code == 400
        chunks: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message"):
            chunks.extend(response.iter_raw())
    assert len(b"".join(chunks)) == int(response.headers["Content-Length"]) // 2
    api = make_api(make_dcs(faults=[Fault(drop="after")]))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        api.scan(node_id="no-such-node")


def test_truncated_answer_without_a_body_is_not_sent(
    make_dcs: MakeDcs, make_api: MakeApi, connect: Connect
) -> None:
    dcs = make_dcs(faults=[Fault(truncate=True)])
    peer = connect(dcs.redis_urls[0])
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        make_api(dcs).kill([peer.addr])
    assert peer.sees_end()


def test_refused_request_meets_no_fault(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    dcs = make_dcs(faults=[Fault(drop="before")])
    refused = make_api(dcs, dcs.noaccess_token).nodes()
    assert (refused.status_code, refused.json()["error_code"]) == (403, "DCS.2007")


def test_stop_does_not_wait_for_latency(
    make_api: MakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    with Emulator(faults=[Fault(latency=100, operation="ScanClients")]) as dcs:
        api = make_api(dcs)
        errors: list[Exception] = []

        def scan() -> None:
            try:
                api.scan()
            except httpx.HTTPError as error:
                errors.append(error)

        waiting = Thread(target=scan)
        waiting.start()
        time.sleep(0.3)
        started = time.monotonic()
    assert time.monotonic() - started < 20
    waiting.join(timeout=20)
    assert len(errors) == 1
    assert not [record for record in caplog.records if record.exc_info]


def fates(api: Api, count: int) -> list[int]:
    return [api.nodes().status_code for _ in range(count)]


def test_seed_repeats_random_faults(make_dcs: MakeDcs, make_api: MakeApi) -> None:
    faults = [Fault(status=503, probability=0.5)]
    first = make_dcs(faults=faults)
    seen = fates(make_api(first), 30)
    assert {200, 503} == set(seen)
    assert fates(make_api(make_dcs(faults=faults, seed=first.seed)), 30) == seen
    others = [Faults(faults, seed) for seed in range(10)]
    assert len({tuple(f.draw("x")[1] is None for _ in range(30)) for f in others}) == 10


def refused_in_every_way(dcs: Emulator, api: Api) -> None:
    """Make requests of which none is carried out."""
    nodes = f"{api.instance}/logical-nodes"
    for token in ("", "wrong", EXPIRED_TOKEN, dcs.noaccess_token):
        assert api.http.get(nodes, headers={"X-Auth-Token": token}).status_code in {401, 403}
    assert api.http.get(nodes, headers={"X-Project-Id": "other"}).status_code == 401
    signed = {"X-Auth-Token": "", "Authorization": "SDK-HMAC-SHA256 x"}
    assert api.http.get(nodes, headers=signed).status_code == 401
    assert api.http.get(f"{api.instance}x/logical-nodes").status_code == 404
    assert api.http.get(f"{api.instance}/no-such-thing").status_code == 404
    assert api.http.delete(nodes).status_code == 405


def test_refused_requests_have_no_part_in_random_faults(
    make_dcs: MakeDcs, make_api: MakeApi
) -> None:
    faults = [Fault(status=503, probability=0.5)]
    first = make_dcs(faults=faults)
    seen = fates(make_api(first), 12)
    other = make_dcs(faults=faults, seed=first.seed)
    api = make_api(other)
    found: list[int] = []
    for _ in range(12):
        refused_in_every_way(other, api)
        found += fates(api, 1)
    assert found == seen


def test_fault_occurs_with_its_probability() -> None:
    faults = Faults([Fault(truncate=True, probability=0.2)], seed=1)
    struck = sum(faults.draw("ListClients")[1] is not None for _ in range(10_000))
    assert 1_800 < struck < 2_200


def test_one_more_fault_does_not_move_the_others() -> None:
    one = Fault(status=503, probability=0.5)
    alone, together = Faults([one]), Faults([one, Fault(latency=1, probability=0.5)])
    ends = [(alone.draw("x")[1], together.draw("x")[1]) for _ in range(50)]
    assert all(mine is theirs for mine, theirs in ends)


def test_latencies_add_up_and_the_first_end_counts() -> None:
    both = [Fault(latency=1), Fault(latency=2, drop="after"), Fault(status=500)]
    assert Faults(both).draw("ScanClients") == (3.0, both[1])
    assert Faults([Fault(latency=1, operation="ListClients")]).draw("ScanClients") == (0.0, None)


def test_faults_strike_independently_of_each_other() -> None:
    faults = Faults([Fault(latency=1, probability=0.5), Fault(latency=2, probability=0.5)], seed=1)
    struck = Counter(faults.draw("ListClients")[0] for _ in range(4_000))
    assert set(struck) == {0, 1, 2, 3}
    assert all(900 < count < 1_100 for count in struck.values()), struck


# Few different ones, so that equal ones meet.
SOME = st.sampled_from([Fault(status=503, probability=0.5), Fault(latency=1), Fault(latency=2)])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), SOME),
            st.tuples(st.just("remove"), st.integers(0, 20)),
            st.tuples(st.just("set"), st.lists(SOME, max_size=3)),
        )
    )
)
def test_faults_that_come_and_go(steps: list[tuple[str, Any]]) -> None:
    faults = Faults(seed=1)
    present: list[tuple[Any, Fault]] = []
    removes: list[Callable[[], None]] = []
    for step, value in steps:
        if step == "add":
            removes.append(faults.add(value))
            present.append((removes[-1], value))
        elif step == "remove" and removes:  # of those that are gone as well
            remove = removes[value % len(removes)]
            remove()
            present = [one for one in present if one[0] is not remove]
        elif step == "set":
            faults.set(value)
            present = [(None, fault) for fault in value]
            draws = [faults.draw("ListClients") for _ in range(20)]
            again = Faults(value, seed=1)
            assert draws == [again.draw("ListClients") for _ in range(20)]
        assert faults.current == tuple(fault for _, fault in present)
        assert faults.draw("ListClients")[0] == sum(fault.latency for _, fault in present)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("latency=0.5", Fault(latency=0.5)),
        ("status=503, probability=0.1", Fault(status=503, probability=0.1)),
        ("drop", Fault(drop="before")),
        ("drop=after,operation=ScanClients", Fault(drop="after", operation="ScanClients")),
        ("truncate,latency=1", Fault(truncate=True, latency=1)),
    ],
)
def test_fault_is_parsed(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' must be one of"),
        ("jitter=1", "'jitter' must be one of latency, status, drop, truncate, operation, prob"),
        ("latency", "latency: seconds from 0 to 3600"),
        ("latency=x", "latency: seconds from 0 to 3600"),
        ("latency=nan", "latency: seconds from 0 to 3600"),
        ("latency=-1", "latency: seconds from 0 to 3600"),
        ("latency=3601", "latency: seconds from 0 to 3600"),
        ("latency=0", "set one of latency, status, drop and truncate"),
        ("status=399", "status: must be a number from 400 to 599"),
        ("status=600", "status: must be a number from 400 to 599"),
        ("drop=later", "drop: must be before or after"),
        ("status=x", "status: must be a number from 400 to 599"),
        ("truncate=1", "truncate: takes no value"),
        ("truncate,probability=0", "probability: must be a number above 0"),
        ("truncate,probability=1.1", "probability: must be a number above 0"),
        ("truncate,operation=", "operation: must be an operationId"),
        ("truncate,truncate", "truncate is set twice"),
        ("truncate,drop", "only one of status, drop and truncate"),
        ("operation=ListClients", "set one of latency, status, drop and truncate"),
    ],
)
def test_invalid_fault_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Fault.parse(text)


def test_client_succeeds_despite_faults(make_dcs: MakeDcs) -> None:
    dcs = make_dcs(
        nodes=2,
        seed=7,
        faults=[
            Fault(status=503, probability=0.3),
            Fault(drop="before", probability=0.2),
            # After each of these, the client waits for a second at least.
            Fault(status=429, probability=0.05),
        ],
    )
    with dcs_sessions.Client(
        endpoint=dcs.endpoint,
        project_id=dcs.project_id,
        auth=dcs_sessions.TokenAuth(dcs.token),
        retry=dcs_sessions.Retry(attempts=10, wait_initial=0.001, wait_jitter=0),
    ) as client:
        for _ in range(5):
            assert len(client.query_sessions(dcs.instance_id, timeout=60).nodes) == 2


def test_kill_whose_answer_is_lost_is_not_reported_done(
    make_dcs: MakeDcs, connect: Connect
) -> None:
    dcs = make_dcs(faults=[Fault(drop="after", operation="HangUpClients")])
    peer = connect(dcs.redis_urls[0])
    with dcs_sessions.Client(
        endpoint=dcs.endpoint,
        project_id=dcs.project_id,
        auth=dcs_sessions.TokenAuth(dcs.token),
    ) as client:
        with pytest.raises(dcs_sessions.ApiConnectionError) as caught:
            client.kill_sessions(dcs.instance_id, dcs.node_ids[0], [peer.addr])
        assert caught.value.may_have_arrived
    assert peer.sees_end()


def address_of(dcs: Emulator) -> tuple[str, int]:
    parts = urlsplit(dcs.endpoint)
    return str(parts.hostname), int(parts.port or 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, make_dcs: MakeDcs) -> Emulator:
    monkeypatch.setattr("dcs_sessions.emulator._server._HEAD_SECONDS", 0.5)
    return make_dcs()


def read_all(connection: socket.socket) -> bytes:
    got = b""
    while data := connection.recv(65536):
        got += data
    return got


def test_slow_request_head_is_refused(impatient: Emulator) -> None:
    with socket.create_connection(address_of(impatient), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost:")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"error_msg":"Bad request: the request head is too slow"' in answer


def test_request_head_that_arrives_byte_by_byte_has_one_timeout(impatient: Emulator) -> None:
    with socket.create_connection(address_of(impatient), timeout=0.1) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        answer = b""
        for _ in range(200):  # 20 seconds
            connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(65536)
                break
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_connection_without_a_request_is_closed(impatient: Emulator) -> None:
    with socket.create_connection(address_of(impatient), timeout=20) as connection:
        assert read_all(connection) == b""


def test_slow_second_request_head_is_refused(impatient: Emulator) -> None:
    with socket.create_connection(address_of(impatient), timeout=20) as connection:
        for _ in range(2):
            connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(1)  # between requests, a client may take longer
        connection.sendall(b"G")
        answers = read_all(connection)
    assert answers.count(b"HTTP/1.1 404 ") == 2
    assert answers.count(b"HTTP/1.1 400 ") == 1
