"""When a credential is used, fetched and renewed, compared with a model, on a clock of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import logging
import math
import threading
import time
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dcs_sessions import (
    ApiConnectionError,
    Auth,
    ConfigurationError,
    EcsMetadataAuth,
    PasswordAuth,
    ServerError,
    TokenAuth,
    _renewal,
)
from dcs_sessions._renewal import Renewal, Renewed, Tools
from support.both import Both
from support.logs import messages_here
from support.scripted import ScriptedServer, answer

JOB = answer(200, {"job_id": "j", "status": "SUCCESS"})
PROBLEM = "no credential"


def no_send(_: object) -> Any:
    pytest.fail("nothing is to be sent")


class Clock:
    """The time of day, which somebody may set, and the ticks of the machine, which nobody may."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.ticks = 0.0

    def move(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds


class Credential(NamedTuple):
    number: int
    expires: float


# The message of an error, and the type of its cause.
Problem = tuple[str, type]


class Failure(NamedTuple):
    """How a fetch fails, and the error of a call that waits for it: message, and type of cause."""

    error: BaseException
    message: str = ""
    cause: type[BaseException] | None = None


FAILURES: dict[str, Callable[[], Failure]] = {
    "no answer": lambda: Failure(ApiConnectionError("lost"), "lost", ApiConnectionError),
    "503": lambda: Failure(ServerError("busy"), "busy", ServerError),
    "useless": lambda: Failure(ConfigurationError("no file"), "no file"),
    "bug": lambda: Failure(LookupError("?"), "the function raised LookupError", LookupError),
    "exit": lambda: Failure(SystemExit(1), "the function raised SystemExit", SystemExit),
}
EXPIRED = (
    "the credential has expired or expires within a minute, by this machine's clock",
    type(None),
)


class Model:
    """The rules, as documented.

    A credential is used until a minute before it expires. It is renewed by the first call in the
    last quarter of its lifetime, or in the last 40 minutes of a long one, and no call waits for
    that. If that fails, calls try again after 5, 10, 20, ... 300 seconds. Without a usable
    credential, calls wait for one fetch together, and fail with it.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.held: Credential | None = None
        self.renew_at = -math.inf
        self.fetching = False
        self.failures = 0
        self.quiet_until = 0.0

    def turn(self, awaited: Problem | None) -> tuple[Any, bool]:
        """Return what a call gets, or None if it waits; and whether it starts a fetch.

        Args:
            awaited: Failure of the fetch that it waited for.
        """
        held, now = self.held, self.clock.wall
        if held is not None and now < held.expires - 60:
            due = now >= self.renew_at and self.clock.ticks >= self.quiet_until
            starts = due and not self.fetching
            self.fetching = self.fetching or starts
            return held, starts
        if awaited is not None:
            return awaited, False
        starts, self.fetching = not self.fetching, True
        return None, starts

    def fetched(self, credential: Credential) -> Problem | None:
        left = credential.expires - self.clock.wall
        if left <= 60:
            return self.failed(*EXPIRED)
        self.held, self.fetching, self.failures = credential, False, 0
        self.renew_at = credential.expires - min(40 * 60, left / 4)
        return None

    def failed(self, message: str, cause: type) -> Problem:
        self.fetching = False
        self.quiet_until = self.clock.ticks + min(300, 5 * 2**self.failures)
        self.failures += 1
        return f"{PROBLEM}: {message}", cause

    def moments(self) -> dict[str, float]:
        """Return the seconds until something changes."""
        expires = -math.inf if self.held is None else self.held.expires
        return {
            "renewal": self.renew_at - self.clock.wall,
            "end": expires - 60 - self.clock.wall,
            "next try": self.quiet_until - self.clock.ticks,
        }


class Call:
    """A call, driven as the clients do: it starts what it yields to start, and waits."""

    def __init__(self, flow: Generator[Any, Any, Credential]) -> None:
        self.flow = flow
        self.started: list[Renewal] = []
        self.waits_for: concurrent.futures.Future[None] | None = None

    def go_on(self) -> Any:
        """Return the credential, or message and type of cause of the error, or None if it waits."""
        self.waits_for, self.started = None, []
        while self.waits_for is None or self.waits_for.done():
            try:
                step = next(self.flow)
            except StopIteration as end:
                return end.value
            except ConfigurationError as error:
                return str(error), type(error.__cause__)
            if isinstance(step, Renewal):
                self.started.append(step)
            else:
                self.waits_for = step
        return None


class World:
    """A source of credentials with its calls, beside the model."""

    def __init__(self, clock: Clock) -> None:
        self.model = Model(clock)
        self.clock = clock
        self.result: Callable[[], Credential] = lambda: Credential(0, 0.0)
        self.source: Renewed[Credential] = Renewed(PROBLEM, lambda _: self.result())
        self.given: list[Credential] = []
        # The fetch that runs, what came of those that have ended, and the calls that wait.
        self.running: Renewal | None = None
        self.outcomes: dict[concurrent.futures.Future[None], Problem | None] = {}
        self.calls: list[Call] = []

    def call(self) -> None:
        self.go_on(Call(self.source.get()), None)

    def wake(self, number: int) -> None:
        """Let a call go on whose fetch has ended."""
        ready = [call for call in self.calls if call.waits_for and call.waits_for.done()]
        if ready:
            call = ready[number % len(ready)]
            self.calls.remove(call)
            assert call.waits_for
            self.go_on(call, self.outcomes[call.waits_for])

    def go_on(self, call: Call, awaited: Problem | None) -> None:
        expected, starts = self.model.turn(awaited)
        found = call.go_on()
        assert found == expected
        if isinstance(found, Credential):
            assert self.clock.wall < found.expires - 60, "it is never used in its last minute"
        assert len(call.started) == starts
        for renewal in call.started:
            assert self.running is None, "there is one fetch at a time"
            self.running = renewal
        if found is None:
            assert self.running is not None
            assert call.waits_for is self.running.done
            self.calls.append(call)

    def fetch(self, outcome: float | str) -> None:
        """End the fetch that runs: with a credential that lasts for seconds, or with a failure."""
        running, self.running = self.running, None
        if running is None:
            return
        if isinstance(outcome, str):
            error, awaited = self.fail(outcome)

            def result() -> Credential:
                raise error
        else:
            credential = Credential(len(self.given), self.clock.wall + outcome)
            self.given.append(credential)
            awaited = self.model.fetched(credential)

            def result() -> Credential:
                return credential

        self.result = result
        running.run(Tools(no_send, None))
        assert running.done.done()
        self.outcomes[running.done] = awaited

    def fail(self, outcome: str) -> tuple[BaseException, Problem | None]:
        if outcome == "cancelled":  # which is nobody's failure
            self.model.fetching = False
            return concurrent.futures.CancelledError(), None
        failure = FAILURES[outcome]()
        return failure.error, self.model.failed(failure.message, failure.cause or type(None))

    def refuse(self, number: int) -> None:
        """Discard the newest credential, or the one before it and so on, as one that is refused."""
        if number < len(self.given):
            refused = self.given[-1 - number]
            self.source.discard(refused)
            if self.model.held is refused:
                self.model.held = None

    def wait(self, moment: str, by: float) -> None:
        """Wait until a moment, or just before or after it."""
        seconds = self.model.moments()[moment] + by
        if 0 < seconds < math.inf:
            self.clock.move(seconds)


LIFETIMES = (-60.0, 60.0, 60.5, 90.0, 600.0, 3600.0, 9600.0, 9601.0, 86400.0, math.inf)
STEPS = st.one_of(
    st.tuples(st.just("call")),
    st.tuples(st.just("call")),
    st.tuples(st.just("wake"), st.integers(0, 3)),
    st.tuples(st.just("fetch"), st.sampled_from(LIFETIMES)),
    st.tuples(st.just("fetch"), st.sampled_from((*FAILURES, "cancelled"))),
    st.tuples(st.just("refuse"), st.integers(0, 1)),
    st.tuples(
        st.just("wait"),
        st.sampled_from(("renewal", "end", "next try")),
        st.sampled_from((-0.5, 0.0, 0.5)),
    ),
    st.tuples(st.just("set the clock"), st.sampled_from((-7200.0, -30.0, 30.0, 7200.0))),
)
# Renewing fails again and again: calls try no earlier than after the pause, and then at once.
TRIES: list[tuple[Any, ...]] = [
    *[("wait", "next try", -0.5), ("call",)],
    *[("wait", "next try", 0.0), ("call",), ("fetch", "503")],
]
HOLDS_OUT: list[tuple[Any, ...]] = [
    *[("call",), ("fetch", 86400.0), ("wake", 0), ("wait", "renewal", 0.0), ("call",)],
    *[("fetch", "503"), *TRIES * 7],
    *[("wait", "end", -0.5), ("call",), ("wait", "end", 0.0), ("call",), ("fetch", "bug")],
    *[("wake", 0), ("call",), ("fetch", 600.0), ("wake", 0), ("wait", "renewal", 0.0), ("call",)],
    *[("fetch", "503"), *TRIES],
]


@given(steps=st.lists(STEPS, max_size=40))
@example(steps=HOLDS_OUT)
@example(
    steps=[
        ("call",),
        ("fetch", 90.0),
        ("wait", "end", -0.5),
        ("call",),
        ("wait", "end", 0.0),
        ("call",),
    ]
)
@example(steps=[("call",), ("fetch", 600.0), ("set the clock", 480.0), ("call",)])
# Another call has fetched a credential by the time that this one was refused.
@example(
    steps=[
        *[("call",), ("fetch", 600.0), ("refuse", 0), ("call",), ("fetch", 600.0)],
        *[("refuse", 1), ("call",)],
    ]
)
@settings(max_examples=300)
def test_credential_is_used_fetched_and_renewed_as_by_the_model(
    steps: list[tuple[Any, ...]],
) -> None:
    clock = Clock()
    reads = types.SimpleNamespace(time=lambda: clock.wall, monotonic=lambda: clock.ticks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_renewal, "time", reads)
        world = World(clock)
        for name, *arguments in steps:
            if name == "set the clock":
                clock.wall += arguments[0]
            else:
                getattr(world, name)(*arguments)
        # No call is lost: with a fetch that succeeds, all of them get a credential or their error.
        for _ in range(2 * len(world.calls)):
            world.fetch(600.0)
            world.wake(0)
        assert not world.calls


def test_failure_is_logged_and_keeps_nothing_that_may_hold_a_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dcs_sessions")

    def fetch(_: Tools) -> Any:
        secret = "canary"
        raise LookupError("sealed") from ValueError(secret)

    source: Renewed[Any] = Renewed("no token", fetch)
    flow = source.get()
    renewal = next(flow)
    assert isinstance(renewal, Renewal)
    renewal.run(Tools(no_send, None))
    assert messages_here(caplog) == ["no token: the function raised LookupError"]
    link: BaseException | None = renewal.failure
    assert isinstance(link, ConfigurationError)
    while link is not None:
        assert link.__traceback__ is None
        link = link.__cause__


def test_child_of_a_fork_waits_for_nothing_of_its_parent() -> None:
    sources = [Renewed(PROBLEM, lambda _: Credential(1, math.inf)) for _ in range(2)]
    for source in sources:
        next(source.get())  # a fetch, whose thread the child does not have
        source._lock.acquire()
    _renewal._after_fork()
    for source in sources:
        call = Call(source.get())
        assert call.go_on() is None
        call.started[0].run(Tools(no_send, None))
        assert call.go_on() == Credential(1, math.inf)


# What a fetch may call


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


def test_async_function_that_never_returns_is_cancelled_at_the_limit(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_renewal, "FETCH_SECONDS", 0.1)
    cancelled = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        Tools(no_send, loop).call(hang)
    assert time.monotonic() - started < 30
    assert cancelled.wait(20)


async def waits_for_a_cancelled_task() -> None:
    login = asyncio.ensure_future(asyncio.sleep(60))
    login.cancel()
    await asyncio.shield(login)


async def reads_a_cancelled_future() -> None:
    is_cancelled()


def is_cancelled() -> None:
    login: concurrent.futures.Future[None] = concurrent.futures.Future()
    login.cancel()
    login.result()


@pytest.mark.parametrize(
    "function", [waits_for_a_cancelled_task, reads_a_cancelled_future, is_cancelled]
)
def test_function_whose_work_was_cancelled_fails_once(
    loop: asyncio.AbstractEventLoop, function: Callable[[], Any]
) -> None:
    source: Renewed[Any] = Renewed("no token", lambda tools: tools.call(function))
    flow = source.get()
    renewal = next(flow)
    assert isinstance(renewal, Renewal)
    renewal.run(Tools(no_send, loop))
    assert next(flow) is renewal.done
    with pytest.raises(ConfigurationError, match=r"^no token: what .* waits for was can"):
        next(flow)


def test_event_loop_that_is_being_closed_fails_no_fetch_of_others() -> None:
    started = threading.Event()
    caught: list[BaseException] = []

    async def hang() -> None:
        started.set()
        await asyncio.sleep(60)

    def call(loop: asyncio.AbstractEventLoop) -> None:
        try:
            Tools(no_send, loop).call(hang)
        except BaseException as error:  # noqa: BLE001 - it is compared below
            caught.append(error)

    async def main() -> threading.Thread:
        thread = threading.Thread(target=call, args=(asyncio.get_running_loop(),))
        thread.start()
        while not started.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return thread

    asyncio.run(main()).join()
    assert [type(error) for error in caught] == [concurrent.futures.CancelledError]


@pytest.mark.parametrize("kind", ["coroutine", "awaitable"])
def test_async_function_runs_on_the_event_loop_of_its_client(
    loop: asyncio.AbstractEventLoop, kind: str
) -> None:
    async def found() -> object:
        return asyncio.get_running_loop()

    class Awaitable:
        def __await__(self) -> Generator[Any, Any, object]:
            return found().__await__()

    assert Tools(no_send, loop).call(found if kind == "coroutine" else Awaitable) is loop


@pytest.mark.parametrize("kind", ["coroutine", "awaitable"])
@pytest.mark.parametrize("where", ["no event loop", "a closed event loop"])
def test_async_function_without_an_event_loop_is_never_run(where: str, kind: str) -> None:
    async def found() -> None:
        pytest.fail("it must not run")

    class Awaitable:
        def __await__(self) -> Generator[Any, Any, None]:
            pytest.fail("it must not run")

    closed = asyncio.new_event_loop()
    closed.close()
    tools = Tools(no_send, None if where == "no event loop" else closed)
    made = found() if kind == "coroutine" else Awaitable()
    with pytest.raises((ConfigurationError, concurrent.futures.CancelledError)) as caught:
        tools.call(lambda: made)
    if inspect.iscoroutine(made):
        # Python would report one that was left behind.
        assert inspect.getcoroutinestate(made) == inspect.CORO_CLOSED
    if where == "no event loop":
        assert str(caught.value) == "the function is async: use an AsyncClient"
    else:
        assert caught.type is concurrent.futures.CancelledError


@pytest.mark.parametrize("kind", ["function", "metadata", "password"])
def test_fetch_for_which_there_is_no_thread_fails_at_once(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    class NoThread:
        def __init__(self, **_: object) -> None:
            pass

        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    called: list[int] = []

    def function() -> str:
        called.append(1)
        return "a-token"

    server.steps = [JOB]
    makes: dict[str, Callable[[], Auth]] = {
        # It might take its time, and there is nothing that could stop it at the timeout.
        "function": lambda: TokenAuth(function),
        "metadata": EcsMetadataAuth,
        "password": lambda: PasswordAuth("d", "u", "p"),
    }
    client = both(endpoint=server.endpoint, auth=makes[kind]())
    with monkeypatch.context() as patch:
        patch.setattr(
            "dcs_sessions._transports._fetching.threading", types.SimpleNamespace(Thread=NoThread)
        )
        with pytest.raises(ConfigurationError, match=r"^no .*: can't start new thread$"):
            client.get_job("j")
    assert called == []
    assert server.received == []
    if kind == "function":
        client.get_job("j")
        assert called == [1]
