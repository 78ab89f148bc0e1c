"""Queries of several nodes: what runs at the same time, what fails alone, and what stops all."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dcs_sessions
from dcs_sessions import Client, Retry, TokenAuth
from support.both import AnyClient, Both
from support.fake import FakeDcs, Rows
from support.scripted import Received, ScriptedServer, Step, answer, silence

# More than any test takes, and less than what a call may take that nothing stops.
LONG = 30.0
NODES = [f"n{number}" for number in range(8)]
DENIED = answer(401, {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication"})
THROTTLED = answer(429, {"error_code": "APIGW.0308", "error_msg": "too many"})


def rows(node: str, count: int = 1) -> Rows:
    return [{"id": f"{node}-{number}"} for number in range(count)]


def fake_with(nodes: list[str], count: int = 1) -> FakeDcs:
    return FakeDcs(**{node: [rows(node, count)] for node in nodes})


def node_of(request: Received) -> str | None:
    return request.json["node_id"] if request.body else request.query.get("node_id")


class Meeting:
    """Answers a kind of request only when a number of them have arrived."""

    def __init__(self, fake: FakeDcs, many: int, meets: Callable[[Received], bool]) -> None:
        self._fake = fake
        self._meets = meets
        self._barrier = threading.Barrier(many, timeout=LONG)
        fake.first = self.step

    def step(self, request: Received) -> Step | None:
        if self._meets(request):
            self._barrier.wait()
        return None


class InFlight:
    """Counts the requests that are being answered at the same time."""

    def __init__(self, fake: FakeDcs) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        fake.first = self.step

    def step(self, _: Received) -> Step | None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.01)
        with self._lock:
            self._now -= 1
        return None


def is_scan(request: Received) -> bool:
    return request.method == "POST" and request.path.endswith("/clients")


def is_later_page(request: Received) -> bool:
    return request.query.get("offset", "0") != "0"


Query = Callable[[AnyClient], object]
QUERIES: dict[str, Query] = {
    "query": lambda client: client.query_sessions("i"),
    "query of named nodes": lambda client: client.query_sessions("i", NODES),
    "refresh": lambda client: client.refresh_sessions("i"),
    "refresh of named nodes": lambda client: client.refresh_sessions("i", NODES),
    "pages": lambda client: list(client.query_pages("i")),
    "pages of named nodes": lambda client: list(client.query_pages("i", NODES)),
}
every_query = pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())


# At the same time


@every_query
def test_all_nodes_are_scanned_at_the_same_time(both: Both, query: Query) -> None:
    with fake_with(NODES) as fake:
        Meeting(fake, len(NODES), is_scan)
        query(both(endpoint=fake.endpoint))
        assert sorted(fake.scans.values()) == [1] * len(NODES)


def test_pages_of_a_long_list_are_read_at_the_same_time(both: Both) -> None:
    with fake_with(["n0"], 9_500) as fake:
        Meeting(fake, 9, is_later_page)
        result = both(endpoint=fake.endpoint).query_sessions("i")
        assert [session.id for session in result.sessions] == [f"n0-{n}" for n in range(9_500)]


@every_query
def test_concurrency_limits_simultaneous_calls(both: Both, query: Query) -> None:
    with fake_with(NODES, 2_500) as fake:
        seen = InFlight(fake)
        query(both(endpoint=fake.endpoint, concurrency=3))
        assert seen.most <= 3


def test_query_of_one_node_takes_four_calls(both: Both) -> None:
    with fake_with(["n0"]) as fake:
        both(endpoint=fake.endpoint).query_sessions("i", "n0")
        assert len(fake.received) == 4


@pytest.mark.parametrize("named", [False, True], ids=["all", "named"])
def test_query_takes_four_calls_for_each_node(both: Both, named: bool) -> None:
    with fake_with(NODES) as fake:
        both(endpoint=fake.endpoint).query_sessions("i", NODES if named else None)
        assert len(fake.received) == 4 * len(NODES) + (not named)


def test_results_are_in_the_order_of_the_nodes(both: Both) -> None:
    delays = {node: 0.01 * (len(NODES) - number) for number, node in enumerate(NODES)}
    with fake_with(NODES) as fake:

        def slow(request: Received) -> Step | None:
            time.sleep(delays.get(node_of(request) or "", 0))
            return None

        fake.first = slow
        client = both(endpoint=fake.endpoint)
        assert [node.node_id for node in client.query_sessions("i").nodes] == NODES
        named = list(reversed(NODES))
        assert [node.node_id for node in client.query_sessions("i", named).nodes] == named


def test_node_that_is_named_twice_is_queried_once(both: Both) -> None:
    with fake_with(["n0", "n1"]) as fake:
        result = both(endpoint=fake.endpoint).query_sessions("i", ["n0", "n1", "n0"])
        assert [node.node_id for node in result.nodes] == ["n0", "n1"]
        assert fake.scans == {"n0": 1, "n1": 1}


def test_no_node_gives_an_empty_result(both: Both) -> None:
    with fake_with(["n0"]) as fake:
        assert both(endpoint=fake.endpoint).query_sessions("i", []).nodes == []
        assert fake.received == []


@pytest.mark.parametrize("wrong", [b"n0", 7, ["n0", ""], ["n0", None]])
def test_wrong_node_ids_are_refused_before_anything_is_sent(both: Both, wrong: Any) -> None:
    with fake_with(["n0"]) as fake:
        client = both(endpoint=fake.endpoint)
        with pytest.raises(dcs_sessions.InvalidArgumentError, match=r"^node_id "):
            client.query_sessions("i", wrong)
        assert fake.received == []


@pytest.mark.parametrize("wrong", [0, -1, 101, 2.5, True, "8"])
def test_wrong_concurrency_is_refused(both: Both, wrong: Any) -> None:
    with pytest.raises(dcs_sessions.ConfigurationError, match=r"^concurrency .*1 to max_conn"):
        both(endpoint="http://127.0.0.1:1", concurrency=wrong)


def test_concurrency_is_never_more_than_there_are_connections(both: Both) -> None:
    with fake_with(NODES) as fake:
        seen = InFlight(fake)
        both(endpoint=fake.endpoint, max_connections=2).query_sessions("i")
        assert seen.most <= 2


# Nodes that do not answer


def test_node_that_never_answers_does_not_hide_others(both: Both) -> None:
    with fake_with(NODES) as fake:
        fake.first = lambda request: silence if node_of(request) == "n7" else None
        result = both(endpoint=fake.endpoint).query_sessions("i", timeout=2)
        assert [session.id for session in result.sessions] == [f"n{n}-0" for n in range(7)]
        (failed,) = result.failed
        assert failed.node_id == "n7"
        assert isinstance(failed.error, TimeoutError)


def test_pages_of_other_nodes_come_before_a_slow_node_has_answered(both: Both) -> None:
    release = threading.Event()
    with fake_with(NODES) as fake:

        def slow(request: Received) -> Step | None:
            if is_scan(request) and node_of(request) == "n0":
                release.wait(LONG)
            return None

        fake.first = slow
        pages = both(endpoint=fake.endpoint).query_pages("i")
        first = [next(pages).node_id for _ in range(7)]
        release.set()
        assert sorted(first) == NODES[1:]
        assert [page.node_id for page in pages] == ["n0"]


def test_pages_of_one_node_come_in_order(both: Both) -> None:
    with fake_with(["n0", "n1"], 3_500) as fake:
        found: dict[str, list[object]] = {"n0": [], "n1": []}
        for page in both(endpoint=fake.endpoint).query_pages("i"):
            assert page.error is None
            found[page.node_id] += [session.id for session in page.sessions]
        assert found == {node: [f"{node}-{n}" for n in range(3_500)] for node in found}


def test_list_that_cannot_be_read_further_says_so_after_its_pages(both: Both) -> None:
    dead = answer(500, {"error_code": "DCS.5053"})
    with fake_with(["n0"], 3_500) as fake:
        fake.first = lambda request: dead if request.query.get("offset") == "2000" else None
        pages = list(both(endpoint=fake.endpoint).query_pages("i"))
        assert [len(page.sessions) for page in pages] == [1000, 1000, 0]
        assert isinstance(pages[-1].error, dcs_sessions.ServerError)


# What stops all


@every_query
def test_refused_credentials_are_sent_once(both: Both, query: Query) -> None:
    with fake_with(NODES) as fake:
        fake.first = lambda _: DENIED
        with pytest.raises(dcs_sessions.AuthenticationError):
            query(both(endpoint=fake.endpoint, retry=Retry(attempts=3)))
        assert len(fake.received) == 1


@pytest.mark.parametrize("other", [False, True], ids=["same credentials", "others"])
def test_one_node_is_asked_first_unless_the_credentials_were_accepted(
    both: Both, other: bool
) -> None:
    with fake_with(NODES) as fake:
        client = both(endpoint=fake.endpoint)
        client.query_sessions("i", NODES)
        if other:
            client = client.with_options(auth=TokenAuth("another"))
        fake.first = lambda request: DENIED if other else None
        if not other:
            # All ask for the time of their list at once.
            Meeting(fake, len(NODES), lambda request: request.query.get("limit") == "1")
            client.query_sessions("i", NODES)
            return
        before = len(fake.received)
        with pytest.raises(dcs_sessions.AuthenticationError):
            client.query_sessions("i", NODES)
        assert len(fake.received) == before + 1


def test_credentials_of_a_copy_are_not_kept_alive(both: Both) -> None:
    with fake_with(["n0"]) as fake:
        client = both(endpoint=fake.endpoint)
        auth = TokenAuth("of one user")
        client.with_options(auth=auth).list_nodes("i")
        kept = weakref.ref(auth)
        del auth
        gc.collect()
        assert kept() is None


def test_credentials_need_not_be_hashable(both: Both) -> None:
    class Mine(TokenAuth):
        __hash__ = None  # type: ignore[assignment]

    with fake_with(NODES) as fake:
        client = both(endpoint=fake.endpoint, auth=Mine("t"))
        assert len(client.query_sessions("i", NODES).nodes) == len(NODES)


@every_query
def test_refused_credentials_stop_calls_to_all_other_nodes(both: Both, query: Query) -> None:
    with fake_with(NODES) as fake:

        def step(request: Received) -> Step | None:
            if not is_scan(request):
                return None
            if node_of(request) != "n5":
                return silence
            time.sleep(0.1)
            return DENIED

        fake.first = step
        started = time.monotonic()
        with pytest.raises(dcs_sessions.AuthenticationError):
            query(both(endpoint=fake.endpoint))
        assert time.monotonic() - started < LONG, "the others may take a minute"


@pytest.fixture
def _interrupts() -> Iterator[None]:
    """Take SIGINT, which what a shell runs in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupts")
@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal for one thread")
def test_ctrl_c_stops_all_threads() -> None:
    main = threading.get_ident()
    arrived = itertools.count(1)

    def step(request: Received) -> Step | None:
        if not is_scan(request):
            return None
        if next(arrived) == len(NODES):
            # A signal for the process could reach another thread if the machine is busy.
            signal.pthread_kill(main, signal.SIGINT)
        return silence

    with fake_with(NODES) as fake:
        fake.first = step
        auth = TokenAuth("t")
        before = set(threading.enumerate())  # threads of other tests may still fetch credentials
        with Client(endpoint=fake.endpoint, project_id="p", auth=auth) as client:
            started = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                client.query_sessions("i")
            assert time.monotonic() - started < LONG
            left = set(threading.enumerate()) - before
            assert [thread for thread in left if thread.name.startswith("dcs-sessions")] == []


def test_leaving_a_stream_early_stops_what_is_under_way(both: Both) -> None:
    with fake_with(NODES, 2_500) as fake:
        client = both(endpoint=fake.endpoint)
        pages = client.query_pages("i")
        next(pages)
        pages.close()
        time.sleep(0.1)
        count = len(fake.received)
        time.sleep(0.3)
        assert len(fake.received) == count


# 429


def test_service_that_allows_few_calls_a_second_is_still_queried_whole(both: Both) -> None:
    """Ten calls are allowed every fifth of a second, and 33 are made at first."""
    nodes = [f"n{number}" for number in range(24)]
    window: list[float] = [0.0, 0]
    lock = threading.Lock()
    refused = 0
    with fake_with(nodes) as fake:

        def limit(_: Received) -> Step | None:
            nonlocal refused
            with lock:
                now = time.monotonic()
                if now - window[0] > 0.2:
                    window[:] = [now, 0]
                window[1] += 1
                if window[1] <= 10:
                    return None
                refused += 1
                return THROTTLED

        fake.first = limit
        result = both(endpoint=fake.endpoint, retry=Retry(attempts=6)).query_sessions("i")
        assert result.failed == []
        assert len(result.sessions) == len(nodes)
        assert refused < 4 * len(nodes), "the calls that were not refused are slowed down as well"


def test_429_holds_back_other_calls_of_the_same_client(both: Both) -> None:
    arrived: list[float] = []
    with fake_with(NODES) as fake:

        def step(request: Received) -> Step | None:
            if not is_scan(request):
                return None
            arrived.append(time.monotonic())
            if len(arrived) == 1:
                return answer(429, {"error_code": "APIGW.0308"}, {"Retry-After": "0.5"})
            return None

        fake.first = step
        client = both(endpoint=fake.endpoint, concurrency=1)
        assert client.query_sessions("i").failed == []
        assert arrived[1] - arrived[0] >= 0.45


# Lists that contradict themselves


def listing(*pages: dict[str, Any]) -> Callable[[Received], Step | None]:
    """Answer the pages of a list; the last one again and again."""
    left = list(pages)

    def step(request: Received) -> Step | None:
        if request.method != "GET" or "offset" not in request.query or _is_probe(request):
            return None
        return answer(200, left.pop(0) if len(left) > 1 else left[0])

    return step


def _is_probe(request: Received) -> bool:
    return request.query["limit"] == "1"


def page(count: int, *ids: object, time: str = "t1") -> dict[str, Any]:
    return {"time": time, "count": count, "clients": [{"id": str(name)} for name in ids]}


def test_more_sessions_than_the_service_counts_are_an_error(both: Both) -> None:
    with fake_with(["n0"]) as fake:
        fake.first = listing(page(1, 1, 2))
        client = both(endpoint=fake.endpoint)
        with pytest.raises(dcs_sessions.SessionListError, match="more sessions than the 1"):
            client.query_sessions("i")
        with pytest.raises(dcs_sessions.SessionListError, match="more sessions than the 1"):
            list(client.iter_sessions("i", "n0"))


def test_fewer_sessions_than_the_service_counts_are_not_passed_as_whole(both: Both) -> None:
    with fake_with(["n0"]) as fake:
        fake.first = listing(page(500, 1, 2, 3), page(500))
        result = both(endpoint=fake.endpoint).query_sessions("i")
        assert [session.id for session in result.sessions] == ["1", "2", "3"]
        (failed,) = result.failed
        assert "3 of the 500 sessions" in str(failed.error)


@pytest.mark.parametrize("count", [10**12, -1])
def test_count_that_no_node_can_have_is_an_error(both: Both, count: int) -> None:
    with fake_with(["n0"]) as fake:
        fake.first = listing(page(count, 1))
        with pytest.raises(dcs_sessions.SessionListError, match=f"cannot have {count} sessions"):
            both(endpoint=fake.endpoint).query_sessions("i")


def test_ten_million_sessions_are_believed(both: Both) -> None:
    with fake_with(["n0"]) as fake:
        fake.first = listing(page(10**7, 1))
        sessions = both(endpoint=fake.endpoint).iter_sessions("i", "n0")
        assert next(sessions).id == "1"
        sessions.close()


def test_list_that_grows_with_each_page_is_an_error(both: Both) -> None:
    count = 2

    def grow(request: Received) -> Step | None:
        nonlocal count
        if request.method != "GET" or "offset" not in request.query or _is_probe(request):
            return None
        count += 1
        return answer(200, page(count, count))

    with fake_with(["n0"]) as fake:
        fake.first = grow
        with pytest.raises(dcs_sessions.SessionListChangedError, match="sessions now"):
            both(endpoint=fake.endpoint).query_sessions("i")
        firsts = [one for one in fake.received if one.query.get("offset") == "0"]
        assert sum(not _is_probe(one) for one in firsts) == 5, "it is read five times"
        assert len(fake.received) < 100


@pytest.mark.parametrize("endless", [page(9_000_000, 1, 2), page(20, 1)], ids=["huge", "honest"])
def test_list_that_takes_too_long_ends_at_the_deadline(both: Both, endless: dict[str, Any]) -> None:
    def slow(connection: socket.socket, request: Received) -> None:
        time.sleep(0.2)
        answer(200, endless)(connection, request)

    with fake_with(["n0"]) as fake:
        fake.first = lambda request: (
            slow if "offset" in request.query and not _is_probe(request) else None
        )
        started = time.monotonic()
        with pytest.raises((dcs_sessions.ApiTimeoutError, dcs_sessions.WaitTimeoutError)):
            both(endpoint=fake.endpoint, concurrency=1).query_sessions("i", timeout=1)
        assert time.monotonic() - started < LONG


def test_timeout_of_a_query_covers_reading(both: Both, server: ScriptedServer) -> None:
    server.steps = [silence]
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        both(endpoint=server.endpoint).query_sessions("i", timeout=0.5)
    assert time.monotonic() - started < LONG
