"""Measure the client against its peers, side by side in one run: `make bench`.

Every figure is a ratio between two programs that did the same work at the same time on the same
machine, and each contender runs in turns with the others. The exit code is 1 when a figure is worse
than its floor.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

# The vendor's SDK writes a file of its own into the home folder when it is imported.
os.environ["HOME"] = tempfile.mkdtemp(prefix="dcs-sessions-bench-")

import aiohttp
import httpx
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkdcs.v2 import (
    DcsAsyncClient,
    DcsClient,
    HangUpClientsRequest,
    HangUpClientsRequestBody,
    ListClientsRequest,
    ScanClientsRequest,
    ScanClientsRequestBody,
    ShowJobInfoRequest,
    ShowNodesInformationRequest,
)

import dcs_sessions

AK, SK, PROJECT, INSTANCE = (
    "bench-access-key",
    "bench-secret-key",
    "bench-project",
    "bench-instance",
)
NODE = "8f7ee181-88e2-49b7-a4bf-81f18f93a135"
PATH = f"/v2/{PROJECT}/instances/{INSTANCE}/clients"
IN_FLIGHT = 64


@dataclass(frozen=True)
class Figure:
    """A ratio with its floor and its goal. With `at_least`, larger is better."""

    work: str
    value: float
    floor: float
    goal: float
    unit: str
    at_least: bool

    @property
    def verdict(self) -> str:
        def reached(mark: float) -> bool:
            return self.value >= mark if self.at_least else self.value <= mark

        return "goal" if reached(self.goal) else "floor" if reached(self.floor) else "MISSED"


@contextmanager
def server() -> Iterator[str]:
    script = Path(__file__).with_name("server.py")
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class Turns:
    """Contenders that run in turns, once to warm up and then in many short rounds.

    They are compared round by round, and the middle of these comparisons counts: what else the
    machine is doing then strikes all of them, or a round that does not count.
    """

    def __init__(self, rounds: int, **contenders: Callable[[], float]) -> None:
        self.times: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds + 1):
            for name, run in contenders.items():
                seconds = run()
                if number:
                    self.times[name].append(seconds)

    def ratio(self, one: str, other: str) -> float:
        """Return the ratio of two contenders' times."""
        pairs = zip(self.times[one], self.times[other], strict=True)
        return statistics.median(a / b for a, b in pairs)

    def middle(self, name: str) -> float:
        """Return the middle of all rounds of one contender."""
        return statistics.median(self.times[name])


def each(count: int, call: Callable[[], object]) -> Callable[[], float]:
    """Call this many times, one after the other, and return the median of the seconds."""

    def run() -> float:
        times = []
        for _ in range(count):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    return run


def seconds_of(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return run


def vendor(kind: Any, endpoint: str, project: str = PROJECT) -> Any:
    credentials = BasicCredentials(AK, SK, project)
    return kind.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()


def vendor_scan() -> Any:
    body = ScanClientsRequestBody(node_id=NODE, clean_cache=True)
    return ScanClientsRequest(instance_id=INSTANCE, body=body)


def client(endpoint: str) -> dcs_sessions.Client:
    auth = dcs_sessions.AkSkAuth(AK, SK)
    return dcs_sessions.Client(endpoint=endpoint, project_id=PROJECT, auth=auth)


def one_at_a_time(endpoint: str) -> Iterator[Figure]:
    body = {"node_id": NODE, "clean_cache": True}
    theirs = vendor(DcsClient, endpoint)
    with client(endpoint) as ours, httpx.Client(base_url=endpoint) as raw:

        def ours_scan() -> None:
            assert ours.scan_sessions(INSTANCE, NODE, clean_cache=True)

        def raw_scan() -> None:
            assert raw.post(PATH, json=body).raise_for_status().json()["job_id"]

        scan = Turns(
            25,
            ours=each(40, ours_scan),
            raw=each(40, raw_scan),
            vendor=each(40, lambda: theirs.scan_clients(vendor_scan())),
        )
        yield Figure(
            "scan, signed, sync: rate against the vendor's",
            scan.ratio("vendor", "ours"),
            1.3,
            1.6,
            "x",
            True,
        )
        yield Figure(
            "scan, signed, sync: time against an unsigned httpx POST",
            scan.ratio("ours", "raw"),
            1.05,
            0.8,
            "x",
            False,
        )

        def ours_page() -> None:
            assert len(ours.list_sessions(INSTANCE, "1000", limit=1000).clients) == 1000

        def raw_page() -> None:
            query = {"node_id": "1000", "limit": "1000"}
            assert len(raw.get(PATH, params=query).raise_for_status().json()["clients"]) == 1000

        request = ListClientsRequest(instance_id=INSTANCE, node_id="1000", limit=1000)
        page = Turns(
            20,
            ours=each(8, ours_page),
            raw=each(8, raw_page),
            vendor=each(4, lambda: theirs.list_clients(request)),
        )
        yield Figure(
            "page of 1,000 sessions to models: rate against the vendor's",
            page.ratio("vendor", "ours"),
            6.5,
            8,
            "x",
            True,
        )
        yield Figure(
            "page of 1,000 sessions to models: time against httpx .json()",
            page.ratio("ours", "raw"),
            1.2,
            0.9,
            "x",
            False,
        )


async def many_at_once(count: int, call: Callable[[], Awaitable[object]]) -> None:
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one() -> None:
        async with gate:
            await call()

    await asyncio.gather(*(one() for _ in range(count)))


def concurrent(endpoint: str) -> Iterator[Figure]:
    count = 1000
    body = {"node_id": NODE, "clean_cache": True}

    async def ours() -> None:
        auth = dcs_sessions.AkSkAuth(AK, SK)
        async with dcs_sessions.AsyncClient(
            endpoint=endpoint, project_id=PROJECT, auth=auth
        ) as made:
            await many_at_once(count, lambda: made.scan_sessions(INSTANCE, NODE, clean_cache=True))

    async def raw() -> None:
        async with aiohttp.ClientSession() as session:

            async def scan() -> None:
                async with session.post(endpoint + PATH, json=body) as response:
                    response.raise_for_status()
                    assert (await response.json())["job_id"]

            await many_at_once(count, scan)

    def theirs() -> None:
        made = vendor(DcsAsyncClient, endpoint)
        answers = [made.scan_clients_async(vendor_scan()) for _ in range(count)]
        assert all(answer.result().body["job_id"] for answer in answers)

    found = Turns(
        15,
        ours=seconds_of(lambda: asyncio.run(ours())),
        raw=seconds_of(lambda: asyncio.run(raw())),
        vendor=seconds_of(theirs),
    )
    what = f"{count:,} scans, {IN_FLIGHT} in flight, async, signed: rate against"
    yield Figure(f"{what} the vendor's", found.ratio("vendor", "ours"), 3, 5, "x", True)
    yield Figure(f"{what} raw aiohttp", found.ratio("raw", "ours"), 0.6, 0.9, "x", True)


def threads(endpoint: str) -> Iterator[Figure]:
    count = 20

    def spread(call: Callable[[], object]) -> None:
        def work() -> None:
            for _ in range(count):
                call()

        with ThreadPoolExecutor(16) as pool:
            for done in [pool.submit(work) for _ in range(16)]:
                done.result()

    theirs = vendor(DcsClient, endpoint)
    with client(endpoint) as ours:
        found = Turns(
            15,
            ours=seconds_of(
                lambda: spread(lambda: ours.scan_sessions(INSTANCE, NODE, clean_cache=True))
            ),
            vendor=seconds_of(lambda: spread(lambda: theirs.scan_clients(vendor_scan()))),
        )
    yield Figure(
        "one client shared by 16 threads: rate against the vendor's",
        found.ratio("vendor", "ours"),
        2,
        2.5,
        "x",
        True,
    )


LATENCY = 0.05
# One call for the nodes, and time, scan, job and page of a node: none can begin before the one
# before it has been answered.
STEPS = 5


def many_nodes(endpoint: str) -> Iterator[Figure]:
    """Queries of an instance at 50 ms a call, which is what a region away takes."""
    auth = dcs_sessions.TokenAuth("bench-token")
    counts = {"one": 1, "some": 16, "many": 64}
    options: Any = {
        "endpoint": endpoint,
        "project_id": f"ms-{LATENCY * 1000:.0f}",
        "auth": auth,
        "concurrency": 64,
    }
    theirs = vendor(DcsClient, endpoint, options["project_id"])

    def vendor_query(count: int) -> None:
        instance = f"{count}-nodes"
        nodes = theirs.show_nodes_information(
            ShowNodesInformationRequest(instance_id=instance)
        ).nodes

        def query(node: str) -> int:
            body = ScanClientsRequestBody(node_id=node, clean_cache=True)
            theirs.list_clients(ListClientsRequest(instance_id=instance, node_id=node, limit=1))
            started = theirs.scan_clients(ScanClientsRequest(instance_id=instance, body=body))
            theirs.show_job_info(ShowJobInfoRequest(job_id=started.body["job_id"]))
            request = ListClientsRequest(instance_id=instance, node_id=node, limit=1000)
            return len(theirs.list_clients(request).clients)

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(query, [node.node_id for node in nodes])) == 10 * count

    with dcs_sessions.Client(**options) as client, asyncio.Runner() as runner:
        other = dcs_sessions.AsyncClient(**options)

        def query(count: int) -> None:
            assert len(client.query_sessions(f"{count}-nodes").sessions) == 10 * count

        def query_async(count: int) -> None:
            found = runner.run(other.query_sessions(f"{count}-nodes"))
            assert len(found.sessions) == 10 * count

        for kind, ours in (("sync", query), ("async", query_async)):
            found = Turns(
                9,
                **{name: seconds_of(partial(ours, count)) for name, count in counts.items()},
                vendor_some=seconds_of(lambda: vendor_query(16)),
                vendor_many=seconds_of(lambda: vendor_query(64)),
            )
            unavoidable = STEPS * LATENCY
            yield Figure(
                f"query of 1 node, 50 ms a call, {kind}: time against {STEPS} calls",
                found.middle("one") / unavoidable,
                1.3,
                1.15,
                "x",
                False,
            )
            for name in ("some", "many"):
                work = f"query of {counts[name]} nodes, 50 ms a call, {kind}"
                yield Figure(
                    f"{work}: time against that of 1",
                    found.ratio(name, "one"),
                    1.5,
                    1.2,
                    "x",
                    False,
                )
                yield Figure(
                    f"{work}: rate against the vendor's, 16 threads",
                    found.ratio(f"vendor_{name}", name),
                    1,
                    1.05,
                    "x",
                    True,
                )
        runner.run(other.close())


def many_pages(endpoint: str) -> Iterator[Figure]:
    """A list of 100 pages at 50 ms a call."""
    auth = dcs_sessions.TokenAuth("bench-token")
    project = f"ms-{LATENCY * 1000:.0f}"
    theirs = vendor(DcsClient, endpoint, project)
    options: Any = {"endpoint": endpoint, "project_id": project, "auth": auth}

    def vendor_pages() -> None:
        def read(offset: int) -> int:
            request = ListClientsRequest(
                instance_id=INSTANCE, node_id="100000", limit=1000, offset=offset
            )
            return len(theirs.list_clients(request).clients)

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(read, range(0, 100_000, 1000))) == 100_000

    with dcs_sessions.Client(**options) as client, asyncio.Runner() as runner:
        other = dcs_sessions.AsyncClient(**options)

        def one_by_one() -> None:
            for offset in range(0, 100_000, 1000):
                client.list_sessions(INSTANCE, "100000", offset=offset, limit=1000)

        def query() -> None:
            assert len(client.query_sessions(INSTANCE, "100000").sessions) == 100_000

        def query_async() -> None:
            found = runner.run(other.query_sessions(INSTANCE, "100000"))
            assert len(found.sessions) == 100_000

        found = Turns(
            3,
            serial=seconds_of(one_by_one),
            vendor=seconds_of(vendor_pages),
            sync=seconds_of(query),
            **{"async": seconds_of(query_async)},
        )
        for kind in ("sync", "async"):
            work = f"query of a list of 100 pages, 50 ms a call, {kind}: rate against"
            yield Figure(f"{work} one by one", found.ratio("serial", kind), 4, 6, "x", True)
            yield Figure(
                f"{work} the vendor's, 16 threads", found.ratio("vendor", kind), 1, 2.5, "x", True
            )
        runner.run(other.close())


def kills(endpoint: str) -> Iterator[Figure]:
    """Choose 1,000 sessions of each node, and end them, at 50 ms a call."""
    project = f"ms-{LATENCY * 1000:.0f}"
    auth = dcs_sessions.TokenAuth("bench-token")
    theirs = vendor(DcsClient, endpoint, project)
    options: Any = {"endpoint": endpoint, "project_id": project, "auth": auth}
    four = [f"1000-{number}" for number in range(4)]

    def vendor_kill() -> None:
        def look(node: str) -> list[str]:
            theirs.list_clients(ListClientsRequest(instance_id=INSTANCE, node_id=node, limit=1))
            body = ScanClientsRequestBody(node_id=node, clean_cache=True)
            started = theirs.scan_clients(ScanClientsRequest(instance_id=INSTANCE, body=body))
            theirs.show_job_info(ShowJobInfoRequest(job_id=started.body["job_id"]))
            request = ListClientsRequest(instance_id=INSTANCE, node_id=node, limit=1000)
            return [client.peer for client in theirs.list_clients(request).clients]

        def end(node: str) -> None:
            chosen, found = look(node), look(node)
            addresses = [address for address in chosen if address in set(found)]
            body = HangUpClientsRequestBody(node_id=node, client_addrs=addresses)
            theirs.hang_up_clients(HangUpClientsRequest(instance_id=INSTANCE, body=body))

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(end, four))

    with dcs_sessions.Client(**options) as client, asyncio.Runner() as runner:
        other = dcs_sessions.AsyncClient(**options)

        def kill(nodes: list[str]) -> None:
            chosen = client.query_sessions(INSTANCE, nodes)
            assert {one.result for one in client.end_sessions(INSTANCE, chosen)} == {"ended"}

        async def kill_async(nodes: list[str]) -> None:
            chosen = await other.query_sessions(INSTANCE, nodes)
            assert {one.result for one in await other.end_sessions(INSTANCE, chosen)} == {"ended"}

        found = Turns(
            9,
            vendor=seconds_of(vendor_kill),
            sync_one=seconds_of(lambda: kill(four[:1])),
            sync_four=seconds_of(lambda: kill(four)),
            async_one=seconds_of(lambda: runner.run(kill_async(four[:1]))),
            async_four=seconds_of(lambda: runner.run(kill_async(four))),
        )
        for kind in ("sync", "async"):
            work = f"end 1,000 sessions on each of 4 nodes, 50 ms a call, {kind}"
            ratio = found.ratio(f"{kind}_four", f"{kind}_one")
            yield Figure(f"{work}: time against 1 node", ratio, 1.5, 1.2, "x", False)
            ratio = found.ratio("vendor", f"{kind}_four")
            yield Figure(f"{work}: rate against the vendor's", ratio, 1, 1.2, "x", True)
        runner.run(other.close())


_MEMORY = """
import resource, sys, dcs_sessions
auth = dcs_sessions.AkSkAuth("ak", "sk")
with dcs_sessions.Client(endpoint=sys.argv[1], project_id="p", auth=auth) as client:
    count = sum(1 for session in client.iter_sessions("i", sys.argv[2]))
assert count == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(endpoint: str) -> Iterator[Figure]:
    def peak(sessions: int) -> Callable[[], float]:
        command = [sys.executable, "-c", _MEMORY, endpoint, str(sessions)]
        return lambda: int(subprocess.check_output(command)) / 1024

    found = Turns(3, few=peak(2_000), many=peak(200_000))
    yield Figure(
        "200,000 sessions through iter_sessions: peak memory over that of 2,000",
        found.middle("many") - found.middle("few"),
        10,
        2,
        " MiB",
        False,
    )


def imports() -> Iterator[Figure]:
    def start(code: str) -> Callable[[], float]:
        command = [sys.executable, "-c", code]
        return seconds_of(lambda: subprocess.run(command, check=True))

    found = Turns(
        15,
        ours=start("import dcs_sessions"),
        client=start("from dcs_sessions import Client"),
        httpx=start("import httpx"),
        vendor=start("from huaweicloudsdkdcs.v2 import DcsClient"),
    )
    # The package imports its parts as they are used. What that defers is in the second row.
    print(f"import dcs_sessions.Client: {found.ratio('client', 'httpx'):.2f}x of import httpx")
    yield Figure(
        "import dcs_sessions: time against import httpx",
        found.ratio("ours", "httpx"),
        1.15,
        1.0,
        "x",
        False,
    )
    yield Figure(
        "import dcs_sessions: time against the vendor's client",
        found.ratio("ours", "vendor"),
        0.65,
        0.5,
        "x",
        False,
    )


def starts() -> Iterator[Figure]:
    def start(*arguments: str) -> Callable[[], float]:
        command = [sys.executable, *arguments]
        quiet = subprocess.DEVNULL
        return seconds_of(lambda: subprocess.run(command, check=True, stdout=quiet))

    found = Turns(
        25,
        bare=start("-c", "pass"),
        version=start("-m", "dcs_sessions", "--version"),
        help=start("-m", "dcs_sessions", "--help"),
    )
    for name in ("version", "help"):
        work = f"dcs-sessions --{name}: time against a bare interpreter"
        yield Figure(work, found.ratio(name, "bare"), 3, 2, "x", False)


_QUERY = """
import resource, subprocess, sys
query = ["query", "i", "--node", sys.argv[1], "-o", "jsonl", "--quiet"]
command = [sys.executable, "-m", "dcs_sessions", *query]
with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
    count = sum(1 for line in process.stdout)
assert (process.returncode, count) == (0, int(sys.argv[1])), (process.returncode, count)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def streaming(endpoint: str) -> Iterator[Figure]:
    environment = {
        **os.environ,
        "DCS_SESSIONS_ENDPOINT": endpoint,
        "DCS_SESSIONS_TOKEN": "bench-token",
        "HUAWEICLOUD_SDK_PROJECT_ID": PROJECT,
    }

    def peak(sessions: int) -> Callable[[], float]:
        command = [sys.executable, "-c", _QUERY, str(sessions)]
        return lambda: int(subprocess.check_output(command, env=environment)) / 1024

    found = Turns(3, few=peak(2_000), many=peak(200_000))
    yield Figure(
        "200,000 sessions through query -o jsonl: peak memory over that of 2,000",
        found.middle("many") - found.middle("few"),
        10,
        2,
        " MiB",
        False,
    )


def main() -> int:
    with server() as endpoint:
        figures = [
            *one_at_a_time(endpoint),
            *concurrent(endpoint),
            *threads(endpoint),
            *many_nodes(endpoint),
            *many_pages(endpoint),
            *kills(endpoint),
            *memory(endpoint),
            *imports(),
            *starts(),
            *streaming(endpoint),
        ]
    print(f"{'work':75} {'figure':>10} {'floor':>9} {'goal':>9}")
    for figure in figures:
        sign = ">=" if figure.at_least else "<="
        print(
            f"{figure.work:75} {figure.value:>6.2f}{figure.unit:4}"
            f" {sign}{figure.floor:<7g} {sign}{figure.goal:<7g} {figure.verdict}"
        )
    if len(sys.argv) > 1:
        rows = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
        Path(sys.argv[1]).write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(figure.verdict == "MISSED" for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
