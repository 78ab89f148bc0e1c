"""Queries compared with a model, whatever the service answers, and however long it takes.

`make fuzz` runs longer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import AsyncClient, DcsSessionsError, NodeSessions, Outcome, Retry, Session
from support.endings import EndingModel, EndingService, choose
from support.queries import (
    ACCEPTED_JOB,
    CLOSE,
    Draw,
    ExpectedError,
    Found,
    Model,
    NodeModel,
    Sent,
    Service,
    Settings,
)
from support.virtual import Clock, Loop

IS_LONG = settings().max_examples > 1000
# Each run is dozens of requests, and several short tests are more easily repeated than a long one.
RUNS = settings(
    max_examples=2_000 if IS_LONG else 10,
    phases=tuple(Phase) if IS_LONG else (Phase.generate,),
    report_multiple_bugs=False,
)
PARTS = pytest.mark.parametrize("part", range(10))

NODES = ["n0", "n1", "n2"]
SETTINGS = st.builds(
    Settings,
    fresh=st.sampled_from((True, True, False)),
    timeout=st.sampled_from((0.37, 2.5, 3.3, 23.0, 23.0, 300.0)),
    call_timeout=st.sampled_from((1.9, 60.0)),
    concurrency=st.sampled_from((1, 2, 3, 4, 8, 32)),
    retry=st.builds(
        Retry,
        attempts=st.sampled_from((1, 2, 4)),
        wait_initial=st.just(0.21),
        wait_max=st.just(0.6),
        wait_jitter=st.just(0.0),
    ),
)
ROLES = st.sampled_from(("redis-server", "redis-server", "redis-server", "redis-proxy", "other"))


START = 1000.0
# When the call begins that is compared.
BEGIN = 1100.0


@dataclass
class Run:
    """Requests of a call, its result, and its end."""

    sent: list[Sent]
    found: Any
    error: BaseException | None
    ended_at: float


class Scene:
    """A service, and what the caller has set: the same for the model and for the client."""

    def __init__(
        self, draw: Draw, kind: type[Service] = Service, *, may_be_empty: bool = True, **fixed: Any
    ) -> None:
        self.clock = Clock()
        self.settings: Settings = replace(draw(SETTINGS), **fixed)
        nodes = NODES[: draw(st.sampled_from((1, 1, 2, 3, 3, 0 if may_be_empty else 3)))]
        roles = {node: draw(ROLES) for node in nodes}
        trouble = draw(st.sampled_from((0, 5, 10, 10, 30)))
        self.service = kind(draw, self.clock, roles, trouble)
        self.named: list[str] | None = None
        if draw(st.booleans()):
            self.named = draw(st.permutations(nodes)) + nodes[: draw(st.integers(0, 1))]
        # How long ago the credentials were accepted.
        self.accepted_ago: float | None = draw(st.sampled_from((None, 59.0, 61.0)))

    @property
    def how(self) -> dict[str, Any]:
        return {"fresh": self.settings.fresh, "timeout": self.settings.timeout}

    def model(self) -> Model:
        until = -math.inf if self.accepted_ago is None else BEGIN - self.accepted_ago + 60
        return Model(self.service, self.settings, self.named, until, BEGIN + self.settings.timeout)

    def check_description(self, found: NodeSessions) -> None:
        """Nodes that the caller has named are not described."""
        if self.named is not None:
            assert found.node is None
        else:
            assert found.node is not None
            assert found.node.node_id == found.node_id
            assert found.node.node_role == self.service.nodes[found.node_id]

    @contextmanager
    def client(self, timeout: float | None = None) -> Iterator[AsyncClient]:
        with mock.patch("time.monotonic", self.clock.monotonic):
            yield AsyncClient(
                endpoint="http://127.0.0.1",
                project_id="p",
                auth=dcs_sessions.TokenAuth("t"),
                timeout=timeout or self.settings.call_timeout,
                retry=self.settings.retry,
                concurrency=self.settings.concurrency,
                transport=self.service,
            )

    def run(self, call: Callable[[], Awaitable[Any]], client: AsyncClient | None = None) -> Run:
        async def timed() -> Run:
            if client is not None and self.accepted_ago is not None:
                await asyncio.sleep(BEGIN - self.accepted_ago - self.clock.now)
                await client.get_job(ACCEPTED_JOB)
            await asyncio.sleep(BEGIN - self.clock.now)
            self.clock.now = BEGIN
            found, error = None, None
            try:
                found = await call()
            except (ExpectedError, DcsSessionsError) as raised:
                error = raised
            return Run(self.service.sent, found, error, self.clock.now)

        self.clock.now = START
        self.service.begin()
        with asyncio.Runner(loop_factory=lambda: Loop(self.clock)) as runner:
            return runner.run(timed())


def compare(expected: Run, actual: Run) -> None:
    """Compare requests, end and error."""
    assert len(actual.sent) == len(expected.sent), (expected.sent, actual.sent)
    for one, other in zip(actual.sent, expected.sent, strict=True):
        assert (one.node, one.request) == (other.node, other.request)
        assert one.at == pytest.approx(other.at, abs=CLOSE)
        assert one.timeout == pytest.approx(other.timeout, abs=CLOSE)
    assert actual.ended_at == pytest.approx(expected.ended_at, abs=CLOSE)
    if expected.error is None:
        assert actual.error is None, actual.error
    else:
        assert isinstance(expected.error, ExpectedError)
        assert expected.error.fits(actual.error), (expected.error, actual.error)


@PARTS
@pytest.mark.parametrize("reads", [True, False], ids=["query", "refresh"])
@RUNS
@given(data=st.data())
def test_nodes_are_queried_as_the_model_does(
    part: int, *, reads: bool, data: st.DataObject
) -> None:
    scene = Scene(data.draw)
    model = scene.model()
    expected = scene.run(lambda: model.query(reads=reads))
    with scene.client() as client:
        method = client.query_sessions if reads else client.refresh_sessions
        actual = scene.run(
            lambda: method("i", scene.named, headers={"X-Mine": "1"}, **scene.how), client
        )
    compare(expected, actual)
    assert scene.service.most_at_a_time <= scene.settings.concurrency
    assert all(headers["X-Mine"] == "1" for headers in scene.service.headers)
    if actual.error is None:
        assert len(actual.found.nodes) == len(expected.found)
        for node, found in zip(actual.found.nodes, expected.found, strict=True):
            found.check(node)
            scene.check_description(node)


class Caller:
    """Takes pages, and takes some time for each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.pages: list[Any] = []

    async def take(self, page: Found | NodeSessions) -> None:
        self.pages.append(page)
        await asyncio.sleep(self._seconds)

    async def take_all(self, pages: AsyncIterable[NodeSessions]) -> None:
        async for page in pages:
            await self.take(page)


@PARTS
@RUNS
@given(data=st.data(), seconds=st.sampled_from((0.0, 0.0, 0.03, 0.5)))
def test_pages_arrive_as_in_the_model(part: int, data: st.DataObject, seconds: float) -> None:
    scene = Scene(data.draw)
    model = scene.model()
    expected, actual = Caller(seconds), Caller(seconds)
    run = scene.run(lambda: model.pages(expected.take))
    with scene.client() as client:
        pages = client.query_pages("i", scene.named, headers={"X-Mine": "1"}, **scene.how)
        compare(run, scene.run(lambda: actual.take_all(pages), client))
    assert len(actual.pages) == len(expected.pages)
    for page, found in zip(actual.pages, expected.pages, strict=True):
        found.check(page)
        scene.check_description(page)
    assert scene.service.most_at_a_time <= scene.settings.concurrency
    assert all(headers["X-Mine"] == "1" for headers in scene.service.headers)


@PARTS
@RUNS
@given(
    data=st.data(),
    page_size=st.sampled_from((1, 2, 3, 1000)),
    chosen=st.dictionaries(
        st.sampled_from(("addr", "sort", "order")), st.sampled_from(("asc", "desc"))
    ),
    reading=st.sampled_from((0.0, 0.05, 2.0)),
)
def test_sessions_are_read_as_in_the_model(
    part: int, data: st.DataObject, page_size: int, chosen: dict[str, Any], reading: float
) -> None:
    scene = Scene(data.draw, may_be_empty=False, timeout=math.inf)
    model = scene.model()
    expected: list[Any] = []
    actual: list[Any] = []

    async def read_model() -> None:
        node = NodeModel(model, "n0", page_size, chosen)
        async for _, rows in node.read(lambda: 1):
            for row in rows:
                expected.append(row["id"])
                await asyncio.sleep(reading)

    async def read_client(client: AsyncClient) -> None:
        timeout = scene.settings.call_timeout
        async for session in client.iter_sessions(
            "i", "n0", page_size=page_size, timeout=timeout, headers={"X-Mine": "1"}, **chosen
        ):
            actual.append(session.id)
            await asyncio.sleep(reading)

    run = scene.run(read_model)
    with scene.client(timeout=5000.0) as client:
        compare(run, scene.run(lambda: read_client(client), client))
    assert actual == expected
    assert all(headers["X-Mine"] == "1" for headers in scene.service.headers)


@PARTS
@RUNS
@given(data=st.data(), interval=st.sampled_from((0.01, 0.5, 2.0, 60.0)))
def test_jobs_are_polled_as_in_the_model(part: int, data: st.DataObject, interval: float) -> None:
    scene = Scene(data.draw)
    model = scene.model()
    run = scene.run(lambda: model.wait_for_job("n0-7", interval))
    with scene.client() as client:
        timeout = scene.settings.timeout
        actual = scene.run(
            lambda: client.wait_for_job(
                "n0-7", timeout=timeout, interval=interval, headers={"X-Mine": "1"}
            ),
            client,
        )
    compare(run, actual)
    assert actual.error is not None or actual.found.status == "SUCCESS"
    assert getattr(actual.error, "job_id", "n0-7") == "n0-7"
    assert all(headers["X-Mine"] == "1" for headers in scene.service.headers)


@PARTS
@RUNS
@given(data=st.data(), name=st.sampled_from((None, "shop", "SHOP", "")), exact=st.booleans())
def test_instances_are_listed_as_in_the_model(
    part: int, data: st.DataObject, name: str | None, *, exact: bool
) -> None:
    scene = Scene(data.draw)
    scene.settings = replace(scene.settings, call_timeout=scene.settings.timeout)
    model = scene.model()
    run = scene.run(lambda: model.list_instances(name, exact=exact))
    own = data.draw(st.booleans())
    with scene.client(timeout=None if own else 1234.0) as client:
        timeout = None if own else scene.settings.timeout
        actual = scene.run(
            lambda: client.list_instances(
                name, exact=exact, timeout=timeout, headers={"X-Mine": "1"}
            ),
            client,
        )
    compare(run, actual)
    if run.error is None:
        assert [instance.instance_id for instance in actual.found] == run.found
    assert all(headers["X-Mine"] == "1" for headers in scene.service.headers)


@PARTS
@RUNS
@given(
    data=st.data(),
    most=st.sampled_from((1, 2, 3, 1000)),
    slow=st.sampled_from((0.0, 0.0, 0.2, 0.55, 1.5)),
)
def test_sessions_are_ended_as_in_the_model(
    part: int, data: st.DataObject, most: int, slow: float
) -> None:
    scene = Scene(data.draw, EndingService, fresh=True)
    service = scene.service
    assert isinstance(service, EndingService)
    chosen, choices = choose(service, list(service.nodes), BEGIN - 50)
    usual = scene.model()
    model = EndingModel(
        service, usual.settings, None, usual.accepted_until, usual.ends_at, most=most, slow=slow
    )
    run = scene.run(lambda: model.end(choices))
    told: list[Outcome] = []

    def fits(session: Session) -> bool:
        scene.clock.now += slow
        return session.cmd == "get"

    with scene.client() as client, mock.patch("dcs_sessions._async._ending._BATCH", most):
        actual = scene.run(
            lambda: client.end_sessions(
                "i",
                chosen,
                fits,
                on_outcome=told.append,
                timeout=scene.settings.timeout,
                headers={"X-Mine": "1"},
            ),
            client,
        )
    compare(run, actual)
    assert len(actual.found) == len(choices)
    for outcome, choice in zip(actual.found, choices, strict=True):
        choice.check(outcome, told)
    assert service.most_at_a_time <= scene.settings.concurrency
    assert all(headers["X-Mine"] == "1" for headers in service.headers)


@dataclass(frozen=True)
class Step:
    """One of several calls: what is requested, and how by the model and by a client."""

    node: str
    request: tuple[Any, ...]
    call: Callable[[AsyncClient], Awaitable[Any]]

    @property
    def is_repeatable(self) -> bool:
        return not self.request[0].startswith("kill")


STEPS = st.sampled_from(
    (
        Step("", ("nodes",), lambda client: client.list_nodes("i")),
        Step("n0", ("job", "n0-1"), lambda client: client.get_job("n0-1")),
        Step("n0", ("scan", False), lambda client: client.scan_sessions("i", "n0")),
        Step("n0", ("list", 0, 10), lambda client: client.list_sessions("i", "n0")),
        Step("n0", ("kill", "1.2.3.4:5"), lambda one: one.kill_sessions("i", "n0", ["1.2.3.4:5"])),
        Step("n0", ("kill-all", False), lambda client: client.kill_all_sessions("i", "n0")),
        Step("", ("kill-all", True), lambda one: one.kill_all_sessions("i", all_nodes=True)),
    )
)
# Each of them, and the seconds after which the next one begins, whether it has ended or not.
CALLS = st.lists(
    st.tuples(STEPS, st.sampled_from((0.0013, 0.0013, 0.31, 7.3))), min_size=1, max_size=8
)


async def by_and_by(calls: list[tuple[Callable[[], Awaitable[Any]], float]]) -> list[Any]:
    """Make calls one after the other, without waiting for their ends; return results and errors."""

    async def attempt(call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await call()
        except (ExpectedError, DcsSessionsError) as error:
            return error

    running: list[asyncio.Task[Any]] = []
    for call, seconds in calls:
        running.append(asyncio.create_task(attempt(call)))
        await asyncio.sleep(seconds)
    return await asyncio.gather(*running)


@PARTS
@RUNS
@given(data=st.data(), calls=CALLS)
def test_calls_are_repeated_as_in_the_model(
    part: int, data: st.DataObject, calls: list[tuple[Step, float]]
) -> None:
    scene = Scene(data.draw, may_be_empty=False, timeout=math.inf)
    model = scene.model()

    def by_model(step: Step) -> Callable[[], Awaitable[Any]]:
        return lambda: model.call(step.node, *step.request, repeatable=step.is_repeatable)

    run = scene.run(lambda: by_and_by([(by_model(step), pause) for step, pause in calls]))
    with scene.client() as client:

        def by_client(step: Step) -> Callable[[], Awaitable[Any]]:
            # Copies share the pace.
            one = client.with_options(headers={"X-Mine": "1"}) if step.node else client
            return lambda: step.call(one)

        actual = scene.run(
            lambda: by_and_by([(by_client(step), pause) for step, pause in calls]), client
        )
    compare(run, actual)
    for expected, found in zip(run.found, actual.found, strict=True):
        if isinstance(expected, ExpectedError):
            assert expected.fits(found), (expected, found)
        else:
            assert not isinstance(found, Exception), found
