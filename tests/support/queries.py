"""A model of queries, and a service in virtual time whose answers are drawn at random.

The model knows the answers as the client does: it states which calls follow from them, and when,
and what comes of it in the end. Both get the same answers.
"""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import strategies as st

from dcs_sessions import ApiConnectionError, DcsSessionsError, NodeSessions, Retry
from dcs_sessions._wire import Reply, Request
from support.pacing import Pace
from support.virtual import Clock

Draw = Callable[[st.SearchStrategy[Any]], Any]
Row = dict[str, Any]

# What rounding may do to a moment.
CLOSE = 1e-5
MOST_SESSIONS = 10_000_000
# A job whose state can always be read, so that the credentials are accepted.
ACCEPTED_JOB = "accepted"
READS = 5


# Errors and answers


class ExpectedError(Exception):
    """An error as the model expects it: its class, and a part of its message."""

    def __init__(
        self, kind: str, says: str, code: str = "", *, arrived: bool = True, status: int = 0
    ) -> None:
        super().__init__(kind, says)
        self.kind = kind
        self.says = says
        self.code = code
        self.arrived = arrived
        self.status = status
        self.retry_after: float | None = None

    @property
    def is_connection(self) -> bool:
        return self.kind in {"ApiConnectionError", "ApiTimeoutError"}

    @property
    def is_refusal(self) -> bool:
        return self.kind in {"AuthenticationError", "PermissionDeniedError"}

    @property
    def is_busy(self) -> bool:
        return self.kind == "BadRequestError" and self.code == "DCS.4957"

    def fits(self, error: BaseException | None) -> bool:
        return (
            isinstance(error, DcsSessionsError)
            and type(error).__name__ == self.kind
            and self.says in str(error)
            and getattr(error, "may_have_arrived", self.arrived) == self.arrived
        )


_KINDS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "ThrottledError",
}


@dataclass(frozen=True)
class Answer:
    """An answer of the service: a status and a body, or a connection that breaks."""

    seconds: float
    body: dict[str, Any]
    status: int = 200
    retry_after: float | None = None
    # "lost" if the request has arrived, "unsent" if not.
    broken: str = ""

    @property
    def fault(self) -> ExpectedError | None:
        if self.broken:
            return ExpectedError("ApiConnectionError", self.broken, arrived=self.broken != "unsent")
        if self.status in {200, 204}:
            return None
        kind = _KINDS.get(self.status, "ServerError")
        if self.status == 413:
            kind = "UnexpectedResponseError"
        says, code = self.body["error_msg"], self.body["error_code"]
        return ExpectedError(kind, says, code, status=self.status)


@dataclass(frozen=True)
class Sent:
    """A request: which one, and its timeout."""

    at: float
    node: str
    request: tuple[Any, ...]
    timeout: float


class Service:
    """A service whose answers are drawn, but are the same for the same request of a node.

    Args:
        draw: Decides everything that is left open.
        nodes: Their roles, by ID.
        trouble: How many of hundred answers are errors.
    """

    def __init__(self, draw: Draw, clock: Clock, nodes: dict[str, str], trouble: int) -> None:
        self.draw = draw
        self.clock = clock
        self.nodes = nodes
        self.trouble = trouble
        # How many of ten scans find a query of another caller.
        self.busy: int = draw(st.sampled_from((0, 0, 0, 4)))
        # Number of requests after which the credentials are refused.
        self.allowed: int = draw(st.sampled_from((10**9,) * 9 + (0, 1, 5, 12)))
        self.shows_jobs: bool = draw(st.integers(0, 3)) > 0
        # In how many of ten moments another query has made a new list.
        self.restless: int = draw(st.sampled_from((0, 1, 1, 2, 8)))
        self.most_rows: int = draw(st.sampled_from((1, 2, 3, 1000)))
        # By node: number of the current list, and its rows.
        self.lists = {node: (0, self.rows(node, 0)) for node in nodes}
        # Several pages of instances, some of them listed twice, or the same page again and again.
        names = st.sampled_from(("shop", "Shop-2", "web", "", None))
        self.instances: list[Row] = [
            {"instance_id": f"i{draw(st.integers(0, 40))}", "name": draw(names)}
            for _ in range(draw(st.integers(0, 35)))
        ]
        self.knows_offsets: bool = draw(st.integers(0, 3)) > 0
        self.most_instances: int = draw(st.sampled_from((9, 10, 12, 1000)))
        self.sent: list[Sent] = []
        self.most_at_a_time = 0
        self.headers: list[dict[str, str]] = []
        self._now_running = 0
        self._answers: dict[tuple[Any, ...], Answer] = {}
        self._times: collections.Counter[tuple[Any, ...]] = collections.Counter()
        self._serial = itertools.count(1)

    def begin(self) -> None:
        """Forget what was sent, but not the answers."""
        self.sent = []
        self.headers = []
        self.most_at_a_time = 0
        self._times.clear()

    async def ask(self, node: str, request: tuple[Any, ...], timeout: float) -> Answer | None:  # noqa: ASYNC109
        """Answer a request; None if the answer does not come within the timeout."""
        self.sent.append(Sent(self.clock.now, node, request, timeout))
        self._times[node, request] += 1
        key = (node, request, self._times[node, request])
        if key not in self._answers:
            self._answers[key] = self._decide(node, request)
        answer = self._answers[key]
        self._now_running += 1
        self.most_at_a_time = max(self.most_at_a_time, self._now_running)
        try:
            await asyncio.sleep(min(answer.seconds, timeout))
        finally:
            self._now_running -= 1
        return answer if answer.seconds < timeout else None

    async def send(self, request: Request, timeout: float) -> Reply:  # noqa: ASYNC109
        """Answer a request of the client, as its transport."""
        if request.target.endswith(f"/{ACCEPTED_JOB}"):
            return Reply(200, {}, json.dumps({"job_id": "x", "status": "SUCCESS"}).encode())
        self.headers.append(dict(request.headers))
        answer = await self.ask(*read(request), timeout)
        if answer is None:
            await asyncio.sleep(1e6)
        assert answer is not None
        if answer.broken:
            raise ApiConnectionError(answer.broken, may_have_arrived=answer.broken != "unsent")
        headers = {} if answer.retry_after is None else {"retry-after": str(answer.retry_after)}
        body = b"" if answer.status == 204 else json.dumps(answer.body).encode()
        return Reply(answer.status, headers, body)

    # Answers

    def rows(self, node: str, number: int) -> list[Row]:
        """Return the sessions of a new list."""
        count = self.draw(st.integers(3 if self.restless > 2 else 0, 7))
        return [{"id": f"{node}-{number}-{row}"} for row in range(count)]

    def shown(self, row: Row) -> Row:
        """Return a session as it is listed now."""
        return row

    def _decide(self, node: str, request: tuple[Any, ...]) -> Answer:
        number = next(self._serial)
        # No two answers take as long, nor come together by chance: an odd part for each.
        odd = number**0.7 % 1 / 100
        seconds = odd + self.draw(st.sampled_from((0.01, 0.01, 0.01, 0.1, 0.7, 4.0)))
        if number > self.allowed:
            status = self.draw(st.sampled_from((401, 403)))
            return failure(seconds, status, "DCS.2007", f"problem {number} ")
        if self.draw(st.integers(0, 99)) < self.trouble:
            return self._trouble(seconds, f"problem {number} ", request[0])
        if request[0] == "nodes":
            nodes = [{"node_id": one, "node_role": role} for one, role in self.nodes.items()]
            return Answer(seconds, {"instance_id": "i", "total": len(nodes), "nodes": nodes})
        if request[0] == "scan" and self.draw(st.integers(0, 9)) < self.busy:
            return failure(seconds, 400, "DCS.4957", f"problem {number} ")
        if request[0] in {"scan", "kill-all"}:
            return Answer(seconds, {"job_id": f"{node}-{number}"})
        if request[0] == "job":
            if not self.shows_jobs:
                status = self.draw(st.sampled_from((404, 404, 400)))
                return failure(seconds, status, "DCS.4001", f"problem {number} ")
            status = self.draw(st.sampled_from(("INIT", "RUNNING", "SUCCESS", "SUCCESS", "ODD")))
            if not self.draw(st.integers(0, 30)):
                status = "FAIL"
            return Answer(seconds, {"job_id": request[1], "status": status, "fail_reason": "full"})
        if request[0] == "kill":
            return self.kill(seconds, f"problem {number} ", request[1:])
        if request[0] == "instances":
            first = request[2] if self.knows_offsets else 0
            return Answer(
                seconds, {"instances": self.instances[first : first + self.most_instances]}
            )
        return Answer(seconds, self._page(node, *request[1:3]))

    def kill(self, seconds: float, says: str, addresses: tuple[str, ...]) -> Answer:
        """End sessions."""
        return Answer(seconds, {}, 204)

    def _trouble(self, seconds: float, says: str, kind: str) -> Answer:
        what = self.draw(st.sampled_from(_KILL_TROUBLES if kind.startswith("kill") else _TROUBLES))
        if what == "late":
            return Answer(1e4, {})
        if isinstance(what, str):
            return Answer(seconds, {}, broken=what)
        status, code = what
        if status in {401, 403} and self.draw(st.integers(0, 3)):
            status, code = 503, "DCS.5000"
        after = self.draw(st.sampled_from((None, None, 0.3, 2.5))) if status in {429, 503} else None
        return failure(seconds, status, code, says, after)

    def _page(self, node: str, offset: int, limit: int) -> dict[str, Any]:
        number, rows = self.lists[node]
        if self.draw(st.integers(0, 9)) < self.restless + (offset == 0):
            number, rows = number + 1, self.rows(node, number + 1)
            self.lists[node] = number, rows
        count = len(rows)
        few = max(0, min(self.most_rows, limit, count - offset))
        odd = self.draw(st.integers(0, 40))
        if odd == 0:
            few = 0
        elif odd == 1:
            few += 1
        elif odd == 2:
            count = self.draw(st.sampled_from((count + 1, count + 1, 10**7, 10**7 + 1, -1)))
        page = [self.shown(row) for row in rows[offset : offset + few]]
        page += [{"id": f"too many {row}"} for row in range(few - len(page))]
        return {"time": f"time {number}", "count": count, "clients": page}


_TROUBLES: tuple[Any, ...] = (
    *((503, "DCS.5000"), (503, "DCS.5000"), (502, "APIGW.0201"), (500, "DCS.5000")),
    *((400, "DCS.4957"), (400, "DCS.4957"), (400, "DCS.4957"), (400, "DCS.3053")),
    *((429, "APIGW.0308"), (429, "APIGW.0308"), (404, "DCS.3022"), (401, "DCS.1001")),
    *((403, "DCS.2007"), "lost", "unsent", "late", "late"),
)
_KILL_TROUBLES: tuple[Any, ...] = (
    *_TROUBLES,
    *((413, "APIGW.0201"), (413, "DCS.4800"), (400, "DCS.4062"), (400, "DCS.4063")),
    *((400, "DCS.4800"), (400, "APIGW.0201"), (404, "DCS.4800")),
)


def failure(
    seconds: float, status: int, code: str, says: str, retry_after: float | None = None
) -> Answer:
    return Answer(seconds, {"error_code": code, "error_msg": says}, status, retry_after)


def read(request: Request) -> tuple[str, tuple[Any, ...]]:
    """Return the node of a request, and what it requests."""
    target = urlsplit(request.target)
    query = dict(parse_qsl(target.query, keep_blank_values=True))
    body = json.loads(request.body) if request.body else {}
    last = target.path.removeprefix("/v2/p/").split("/")
    if last[0] == "jobs":
        return read_node(last[1]), ("job", last[1])
    if last == ["instances"]:
        assert query["limit"] == "1000"
        assert set(query) <= {"limit", "offset", "name"}
        return "", ("instances", query.get("name"), int(query["offset"]))
    if last[2] == "logical-nodes":
        return "", ("nodes",)
    if last[-1] == "kill-all":
        return body.get("node_id", ""), ("kill-all", body["kill_all_nodes"])
    if last[-1] == "kill":
        assert set(body) == {"node_id", "client_addrs"}
        return body["node_id"], ("kill", *body["client_addrs"])
    assert last == ["instances", "i", "clients"]
    if request.method == "POST":
        assert set(body) == {"node_id", "clean_cache"}
        return body["node_id"], ("scan", body["clean_cache"])
    more = {name: query[name] for name in sorted(query) if name in {"addr", "sort", "order"}}
    assert set(query) - set(more) == {"node_id", "offset", "limit"}
    page = int(query["offset"]), int(query["limit"])
    return query["node_id"], ("list", *page, *more.items())


def read_node(job: str) -> str:
    """Return the node of a job."""
    return job.partition("-")[0]


# The model


@dataclass(frozen=True)
class Settings:
    """Arguments of the caller."""

    fresh: bool
    timeout: float
    call_timeout: float
    concurrency: int
    retry: Retry


@dataclass(frozen=True)
class Found:
    """The list of a node or a page of it, or the error in its place."""

    node: str
    time: str | None
    rows: list[Row]
    fault: ExpectedError | None = None
    asked_at: float | None = None
    read_at: float | None = None

    def check(self, actual: NodeSessions) -> None:
        """Check what the client has returned."""
        assert actual.node_id == self.node
        assert [session.id for session in actual.sessions] == [row["id"] for row in self.rows]
        assert all(session.node_id == self.node for session in actual.sessions)
        assert actual.time == self.time
        if self.fault is None:
            assert actual.error is None
        else:
            assert self.fault.fits(actual.error), (self.fault, actual.error)
        for name in ("asked_at", "read_at"):
            expected = getattr(self, name)
            assert expected is None or abs(getattr(actual, name) - expected) < CLOSE, name


def pauses(longest: float = 2.0) -> Iterator[float]:
    """Yield the pauses between polls: from 50 ms, each 60 % longer, up to the longest."""
    for number in itertools.count():
        yield min(longest, 0.05 * 1.6 ** min(number, 50))


@dataclass
class Model:
    """One call of the client."""

    service: Service
    settings: Settings
    nodes: list[str] | None
    # Until when nobody expects the credentials to be refused.
    accepted_until: float
    ends_at: float = 0.0
    pace: Pace = field(default_factory=Pace)
    unfinished: int = 0

    @property
    def now(self) -> float:
        return self.service.clock.now

    @property
    def left(self) -> float:
        return self.ends_at - self.now

    async def call(
        self, node: str, *request: Any, repeatable: bool = True, attempts: int | None = None
    ) -> dict[str, Any]:
        """Make a call, with its retries."""
        if self.left < CLOSE:
            says = f"no time left of {self.settings.timeout:g} s"
            raise ExpectedError("ApiTimeoutError", says, arrived=False)
        ends_at = self.now + min(self.left, self.settings.call_timeout)
        for attempt in itertools.count(1):
            # What ends sessions is not held back: its list is from just now.
            turn = self.pace.turn(self.now) if repeatable else 0.0
            if 0 < turn < ends_at - self.now:
                await asyncio.sleep(turn)
            answer = await self.service.ask(node, request, ends_at - self.now)
            fault = (
                ExpectedError("ApiTimeoutError", "no response") if answer is None else answer.fault
            )
            if answer is not None and fault is None:
                self.pace.answered()
                self.accepted_until = self.now + 60
                return answer.body
            assert fault is not None
            after = None if answer is None else answer.retry_after
            pause = self.pause_after(fault, attempt, attempts, after, repeatable=repeatable)
            if fault.status == 429:
                self.pace.throttled(self.now, pause or after or 0.0)
            if pause is None or pause >= ends_at - self.now:
                fault.retry_after = after
                raise fault
            await asyncio.sleep(pause)
        raise AssertionError

    def pause_after(
        self,
        fault: ExpectedError,
        attempt: int,
        attempts: int | None,
        retry_after: float | None,
        *,
        repeatable: bool,
    ) -> float | None:
        """Return the seconds before the next attempt, or None if there must not be one."""
        retry = self.settings.retry
        if attempt >= (attempts or retry.attempts):
            return None
        if fault.is_connection:
            helps = repeatable or not fault.arrived
        else:
            helps = fault.status == 429 or (repeatable and fault.status in {502, 503, 504})
        if not helps:
            return None
        backoff = min(retry.wait_max, retry.wait_initial * 2 ** (attempt - 1))
        return backoff if retry_after is None else retry_after

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, max(0.0, self.left)))

    # Whole queries

    async def begin(self) -> list[NodeModel]:
        """Find the nodes. One of several is looked at first: credentials may be refused."""
        if self.nodes is None:
            body = await self.call("", "nodes")
            roles = {node["node_id"]: node["node_role"] for node in body["nodes"]}
            found = [node for node, role in roles.items() if role == "redis-proxy"]
            found = found or [node for node, role in roles.items() if role == "redis-server"]
            return [NodeModel(self, node) for node in found or roles]
        models = [NodeModel(self, node) for node in dict.fromkeys(self.nodes)]
        if len(models) > 1 and self.now >= self.accepted_until:
            try:
                await models[0].look()
            except ExpectedError as fault:
                if fault.is_refusal:
                    raise
        return models

    async def query(self, *, reads: bool) -> list[Found]:
        """Query nodes, and return what is found on each."""
        models = await self.begin()
        self.unfinished = len(models)
        slots = asyncio.Semaphore(1 if len(models) == 1 else self.settings.concurrency)

        async def one(model: NodeModel) -> Found:
            # The slot is not passed on if credentials are refused: nobody may be next then.
            await slots.acquire()
            try:
                found = await (model.collect() if reads else model.read_time())
            except ExpectedError as fault:
                if fault.is_refusal:
                    raise
                found = Found(model.node, None, [], fault)
            self.unfinished -= 1
            slots.release()
            return found

        found = await together([one(model) for model in models])
        faults = [each.fault for each in found if each.fault is not None and not each.rows]
        if faults and len(faults) == len(found):
            raise faults[0]
        return found

    async def wait_for_job(self, job: str, interval: float) -> None:
        """Poll a job until it has succeeded."""
        try:
            await NodeModel(self, read_node(job)).wait(job, interval)
        except ExpectedError as fault:
            if fault.kind != "ApiTimeoutError" or self.left > CLOSE:
                raise
            raise self.late(job) from None

    async def list_instances(self, name: str | None, *, exact: bool) -> list[str]:
        """Read pages, until one is shorter than any but the last, or has nothing new."""
        found: dict[str, Row] = {}
        while True:
            if self.left < CLOSE:
                says = f"ListInstances: no time left of {self.settings.timeout:g} s, "
                raise ExpectedError("ApiTimeoutError", f"{says}{len(found)} instances read")
            rows = await self.call("", "instances", name if exact else None, len(found))
            known = len(found)
            found |= {row["instance_id"]: row for row in rows["instances"]}
            if len(rows["instances"]) < 10 or len(found) == known:
                break

        def fits(row: Row) -> bool:
            own = row["name"] or ""
            return own == name if exact else (name or "").lower() in own.lower()

        return [one for one, row in found.items() if name is None or fits(row)]

    def late(self, job: str | None) -> ExpectedError:
        what = "another query of the node" if job is None else f"job {job}"
        return ExpectedError(
            "WaitTimeoutError", f"{what} did not end within {self.settings.timeout:g} s"
        )

    async def pages(self, take: Callable[[Found], Awaitable[None]]) -> None:
        """Query nodes, and pass on each page when it arrives, to a caller who takes his time.

        A node goes on while the caller is busy with its page, but not further than to the next one.
        """
        models = await self.begin()
        waiting = collections.deque(model.stream(eager=len(models) == 1) for model in models)
        running: dict[asyncio.Task[Found | None], AsyncGenerator[Found]] = {}
        arrived: asyncio.Queue[asyncio.Task[Found | None]] = asyncio.Queue()

        def start() -> None:
            while waiting and len(running) < self.settings.concurrency:
                stream = waiting.popleft()
                task = asyncio.create_task(step(stream))
                task.add_done_callback(arrived.put_nowait)
                running[task] = stream

        try:
            start()
            while running:
                task = await arrived.get()
                stream = running.pop(task)
                found = task.result()
                if found is not None:
                    waiting.append(stream)
                start()
                if found is not None:
                    await take(found)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def step(stream: AsyncGenerator[Found]) -> Found | None:
    return await anext(stream, None)


async def together(works: list[Any]) -> list[Any]:
    """Do all at the same time, and stop all when one raises an error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class NodeModel:
    """The query of one node."""

    def __init__(
        self, model: Model, node: str, page_size: int = 1000, chosen: dict[str, str] | None = None
    ) -> None:
        self.model = model
        self.node = node
        self.page_size = page_size
        # Whether the list of another query is new enough.
        self.joins = True
        self.chosen = sorted((chosen or {}).items())
        self.asked_at = model.now
        self.before: str | None = None
        self.has_looked = False
        self.time: str | None = None
        self.name = f"the list of node {node}"

    async def call(self, *request: Any) -> dict[str, Any]:
        return await self.model.call(self.node, *request)

    async def list_time(self) -> str | None:
        """Before the first query of a node, a list is 500; during a query of others, 400."""
        try:
            time: str = (await self.call("list", 0, 1))["time"]
        except ExpectedError as fault:
            if fault.kind == "ServerError" or fault.is_busy:
                return None
            raise
        return time

    async def look(self) -> None:
        if not self.has_looked:
            started = self.model.now
            self.before = await self.list_time()
            self.lag = self.model.now - started
            self.has_looked = True

    async def scan(self) -> str | None:
        try:
            job: str = (await self.call("scan", self.model.settings.fresh))["job_id"]
        except ExpectedError as fault:
            if fault.is_busy:
                return None
            raise
        return job

    async def wait(self, job: str, interval: float = 2.0) -> None:
        for pause in pauses(interval):
            self.saved_at = self.model.now
            status = (await self.call("job", job))["status"]
            if status == "FAIL":
                raise ExpectedError("JobFailedError", f"job {job} failed: full")
            if status == "SUCCESS":
                return
            await self.model.pause(pause)

    async def refresh(self) -> None:
        """Wait for a list: that of our job, or, if it is not shown, one with another time."""
        await self.look()
        self.scanned_at = self.model.now
        job = await self.scan()
        self.lag = min(self.lag, self.model.now - self.scanned_at)
        try:
            await self.new_list(job)
        except ExpectedError as fault:
            if fault.kind != "ApiTimeoutError" or self.model.left > CLOSE:
                raise
            raise self.model.late(self.job) from None

    async def new_list(self, job: str | None) -> None:
        is_shown = True
        self.job = job
        for pause in pauses():
            if self.job and is_shown:
                try:
                    await self.wait(self.job)
                except ExpectedError as fault:
                    if fault.kind not in {"NotFoundError", "BadRequestError"}:
                        raise
                    is_shown = False
                else:
                    return
            else:
                await self.model.pause(pause)
            self.saved_at = self.model.now
            time = await self.list_time()
            if self.job is None and not self.joins:
                self.before = time
            elif time is not None and (time != self.before or not self.model.settings.fresh):
                self.time = time
                return
            if not self.job:
                # Whoever has made the other query has got no list.
                self.scanned_at = self.model.now
                self.job = await self.scan()
            elif time is not None and self.model.now - self.scanned_at >= 2:
                # Two lists of the same second look the same.
                job = await self.scan()
                if job:
                    self.job, self.scanned_at = job, float("inf")

    def check(
        self, page: dict[str, Any], offset: int, received: int, first: dict[str, Any]
    ) -> list[Row]:
        """Check a page, and return its rows."""
        count = first["count"]
        problem = ""
        if page["time"] != first["time"]:
            problem = f"{self.name} is now of {page['time']}, no longer of {first['time']}"
        elif page["count"] != count:
            problem = f"{self.name} has {page['count']} sessions now, {count} before"
        if problem:
            raise ExpectedError("SessionListChangedError", problem)
        rows: list[Row] = page["clients"]
        if len(rows) > self.page_size or max(offset, received) + len(rows) > count:
            says = f"{self.name} has more sessions than the {count} that the service counts"
            raise ExpectedError("SessionListError", says)
        return rows

    async def page(self, offset: int) -> dict[str, Any]:
        return await self.call("list", offset, self.page_size, *self.chosen)

    async def read(
        self, ahead: Callable[[], int], *, eager: bool = True
    ) -> AsyncGenerator[tuple[int, list[Row]]]:
        """Read the pages, some of them ahead; if eager, before they are wanted."""
        first = await self.page(0)
        self.time = first["time"]
        count = first["count"]
        if not 0 <= count <= MOST_SESSIONS:
            raise ExpectedError("SessionListError", f"{self.name} cannot have {count} sessions")
        rows = self.check(first, 0, 0, first)
        received = len(rows)
        left = collections.deque(range(len(rows), count, len(rows)) if rows else ())
        running: dict[asyncio.Task[dict[str, Any]], int] = {}

        def start() -> None:
            while left and len(running) < ahead():
                offset = left.popleft()
                running[asyncio.ensure_future(self.page(offset))] = offset

        try:
            if eager:
                start()
            yield 0, rows
            start()
            while running:
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                task = done.pop()
                offset = running.pop(task)
                rows = self.check(task.result(), offset, received, first)
                received += len(rows)
                if not rows:
                    break
                if eager:
                    start()
                yield offset, rows
                start()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        if received < count:
            says = f"{self.name} has {received} of the {count} sessions that the service counts"
            raise ExpectedError("SessionListError", says)

    def found(self, rows: list[Row], fault: ExpectedError | None = None) -> Found:
        return Found(self.node, self.time, rows, fault, self.asked_at, self.model.now)

    async def collect(self) -> Found:
        """Query the node, and read its list; again, if another query has made a new one."""
        await self.refresh()

        def ahead() -> int:
            # Nodes that have finished leave their share to the others.
            return max(1, self.model.settings.concurrency // self.model.unfinished)

        for reads_left in reversed(range(READS)):
            pages: dict[int, list[Row]] = {}
            problem = None
            try:
                async with aclosing(self.read(ahead)) as reading:
                    async for offset, rows in reading:
                        pages[offset] = rows  # noqa: PERF403 - kept if the next one fails
            except ExpectedError as fault:
                if fault.kind == "SessionListChangedError" and reads_left:
                    continue
                if fault.kind != "SessionListError":
                    raise
                problem = fault
            return self.found([row for _, rows in sorted(pages.items()) for row in rows], problem)
        raise AssertionError

    async def read_time(self) -> Found:
        """Query the node, and do not read its list."""
        await self.refresh()
        if self.time is None:
            self.time = (await self.call("list", 0, 1))["time"]
        return Found(self.node, self.time, [])

    async def stream(self, *, eager: bool) -> AsyncGenerator[Found]:
        """Query the node, and pass on its pages in order, and last the error, if any."""
        try:
            await self.refresh()
            async with aclosing(self.read(lambda: 1, eager=eager)) as reading:
                async for _, rows in reading:
                    yield self.found(rows)
        except ExpectedError as fault:
            if fault.is_refusal:
                raise
            yield Found(self.node, None, [], fault)
