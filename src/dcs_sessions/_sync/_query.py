# Made from _async/_query.py by `make generate`: do not edit.
"""Queries of nodes: list time, scan, wait, read.

Edited in `_async/_query.py`; `_sync/_query.py` is made from it by `make generate`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

import attrs

from dcs_sessions._errors import (
    REFUSALS,
    ApiTimeoutError,
    BadRequestError,
    DcsSessionsError,
    JobFailedError,
    NotFoundError,
    ServerError,
    SessionListChangedError,
    SessionListError,
    WaitTimeoutError,
)
from dcs_sessions._options import ListOptions
from dcs_sessions._results import NodeSessions
from dcs_sessions._tracing import expecting
from dcs_sessions._transports._threads import SideBySide, sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from typing import Self

    from dcs_sessions._deadline import Deadline
    from dcs_sessions._options import CallOptions
    from dcs_sessions._sync._raw import RawClient
    from dcs_sessions_api.models import Job, Node, Session, SessionPage

T = TypeVar("T")

PAGE_SIZE: Final = 1000
# Seconds between two polls of a job that takes long.
POLL_SECONDS: Final = 2.0
# "A job is still running": another query of the same node.
_BUSY: Final = "DCS.4957"
# No node has as many. A larger count would make the client read forever.
_MOST_SESSIONS: Final = 10_000_000
# Seconds after which the next list has another time, also where times are in full seconds.
_NEXT_TIME: Final = 2.0
# Maximum number of times a list is read again because the node was queried meanwhile.
_READS: Final = 5
_END: Final = object()


def pauses(longest: float) -> Iterator[float]:
    """Yield the seconds between polls of a job, short at first, since most jobs end soon."""
    pause = 0.05
    while True:
        yield min(pause, longest)
        pause = min(pause * 1.6, longest)


def _one() -> int:
    return 1


@attrs.frozen
class Limits:
    """Deadline and options that several calls share.

    Attributes:
        deadline: Deadline of all calls.
        call: Timeout of one call in seconds, retries included.
        headers: Additional headers of every request.
    """

    deadline: Deadline
    call: float
    headers: Mapping[str, str] | None = attrs.field(repr=False)

    def options(self) -> CallOptions:
        """Return the options of the next call.

        Raises:
            ApiTimeoutError: The deadline has passed.
        """
        left = self.deadline.remaining()
        if left <= 0:
            raise ApiTimeoutError(f"no time left of {self.deadline}", may_have_arrived=False)
        return {"timeout": min(left, self.call), "headers": self.headers}

    def pause(self, seconds: float) -> None:
        """Wait, until the deadline at the latest."""
        sleep(min(seconds, self.deadline.remaining()))


def wait_for_job(
    raw: RawClient, job_id: str, limits: Limits, interval: float = POLL_SECONDS
) -> Job:
    """Wait until a job has succeeded.

    Raises:
        JobFailedError: The job has failed.
        WaitTimeoutError: The job did not end in time.
    """
    return (_last_poll(raw, job_id, limits, interval))[0]


def _last_poll(raw: RawClient, job_id: str, limits: Limits, interval: float) -> tuple[Job, float]:
    """Wait until a job has succeeded; return it and when the poll that showed it began."""
    for pause in pauses(interval):
        started = time.monotonic()
        try:
            job = (raw.get_job(job_id, **limits.options())).parsed
        except ApiTimeoutError as error:
            if limits.deadline.remaining() > 0:
                raise
            raise WaitTimeoutError(job_id, limits.deadline.seconds) from error
        if job.status == "FAIL":
            raise JobFailedError(job)
        if job.status == "SUCCESS":
            return job, started
        limits.pause(pause)
    raise AssertionError  # the pauses are infinite


@attrs.define(eq=False)
class NodeQuery:
    """The query of one node.

    Attributes:
        raw: Client to call with.
        instance_id: ID of the instance.
        node_id: ID of the node.
        limits: Deadline and options.
        node: Description of the node, or None.
        fresh: Whether to ignore a list that was saved before.
        page_size: Number of sessions of one call.
        chosen: Filter and order of the list.
        joins: Whether the list of another caller's query is good enough. It may be older than this
            query.
        time: Time of the list, once its first page has been read.
        saved_at: When it was found that the list has been saved, by our clock.
        lag: Seconds that one call of the service takes.
    """

    raw: RawClient
    instance_id: str
    node_id: str
    limits: Limits
    node: Node | None = None
    fresh: bool = True
    page_size: int = PAGE_SIZE
    chosen: ListOptions = attrs.field(factory=lambda: ListOptions())
    joins: bool = True
    time: str | None = None
    saved_at: float = attrs.field(init=False, default=-math.inf)
    lag: float = attrs.field(init=False, default=math.inf)
    _asked_at: float = attrs.field(factory=lambda: time.monotonic())
    _before: str | None = None
    _looked: bool = False

    def collect(self, ahead: Callable[[], int]) -> NodeSessions:
        """Query the node, and return its list, read up to `ahead` pages at a time."""
        self.refresh()
        for attempt in range(_READS):
            pages: dict[int, list[Session]] = {}
            problem: SessionListError | None = None
            try:
                with closing(self.pages(ahead)) as found:
                    for offset, page in found:
                        pages[offset] = page  # noqa: PERF403 - kept if the next one fails
            except SessionListChangedError:
                if attempt == _READS - 1:
                    raise
                continue
            except SessionListError as error:
                problem = error
            sessions = [session for _, page in sorted(pages.items()) for session in page]
            return NodeSessions(
                self.node_id, self.node, self.time, sessions, problem, self._asked_at
            )
        raise AssertionError  # the last attempt returns or raises

    def stream(self, *, eager: bool) -> Generator[NodeSessions, None]:
        """Query the node, and yield its list page by page, then the error of the rest, if any.

        Args:
            eager: Whether to read the next page before it is requested.
        """
        try:
            self.refresh()
            with closing(self.pages(eager=eager)) as found:
                for _, sessions in found:
                    yield NodeSessions(
                        self.node_id, self.node, self.time, sessions, asked_at=self._asked_at
                    )
        except REFUSALS:
            raise  # every node would fail the same way
        except DcsSessionsError as error:
            yield NodeSessions(self.node_id, self.node, None, [], error)

    def refresh(self) -> None:
        """Make the service create the list, and wait for it.

        Without delays, it takes three calls: list time, scan and job. Reading takes one more for
        each page.
        """
        self.look()
        scanned_at = time.monotonic()
        job_id = self._scan()
        self.lag = min(self.lag, time.monotonic() - scanned_at)
        job_is_shown = True
        try:
            for pause in pauses(POLL_SECONDS):
                if job_id is not None and job_is_shown:
                    try:
                        _, self.saved_at = _last_poll(self.raw, job_id, self.limits, POLL_SECONDS)
                    except (NotFoundError, BadRequestError):
                        job_is_shown = False  # no source states that scan jobs are shown
                    else:
                        return
                else:
                    self.limits.pause(pause)
                self.saved_at = time.monotonic()
                listed = self._list_time()
                if job_id is None and not self.joins:
                    self._before = listed
                elif listed is not None and (listed != self._before or not self.fresh):
                    self.time = listed
                    return
                if job_id is None:
                    # The other query is still running, or has failed.
                    scanned_at = time.monotonic()
                    job_id = self._scan()
                elif listed is not None and time.monotonic() - scanned_at >= _NEXT_TIME:
                    # The new list may be of the same second as the one before, which looks the
                    # same. One more query settles it; where it is refused, ours is still running.
                    another = self._scan()
                    if another is not None:
                        job_id, scanned_at = another, math.inf
        except ApiTimeoutError as error:
            if self.limits.deadline.remaining() > 0:
                raise
            raise WaitTimeoutError(job_id, self.limits.deadline.seconds) from error

    def look(self) -> None:
        """Note the time of the saved list, whose change proves a new list if jobs are not shown."""
        if not self._looked:
            started = time.monotonic()
            self._before = self._list_time()
            self.lag = time.monotonic() - started
            self._looked = True

    def read_time(self) -> NodeSessions:
        """Query the node, and do not read the list."""
        self.refresh()
        if self.time is None:
            self.time = (self._page(0, 1)).time
        return NodeSessions(self.node_id, self.node, self.time, [])

    def _scan(self) -> str | None:
        """Start the scan, and return its job, or None if another query of the node is running."""
        try:
            started = self.raw.scan_sessions(
                self.instance_id, self.node_id, clean_cache=self.fresh, **self.limits.options()
            )
        except BadRequestError as error:
            if error.error_code != _BUSY:
                raise
            return None
        return started.parsed.job_id

    def _list_time(self) -> str | None:
        """Return the time of the saved list, or None if there is no readable one."""
        try:
            with expecting(500):
                return (self._page(0, 1)).time
        except ServerError:
            return None  # 500 before the first query
        except BadRequestError as error:
            if error.error_code != _BUSY:
                raise
            return None

    def _page(self, offset: int, limit: int) -> SessionPage:
        options: ListOptions = {**self.chosen, **self.limits.options()}
        options["offset"], options["limit"] = offset, limit
        return (self.raw.list_sessions(self.instance_id, self.node_id, **options)).parsed

    def pages(
        self, ahead: Callable[[], int] = _one, *, eager: bool = True
    ) -> Generator[tuple[int, list[Session]], None]:
        """Read the saved list, and yield the offset of each page and its sessions.

        Args:
            ahead: Returns the number of pages to read concurrently after the first; with 1, they
                are in order.
            eager: Whether to read the next pages before they are requested. With one ahead, two are
                in memory: the one that was yielded, and the next.

        Raises:
            SessionListChangedError: The node was queried again.
            SessionListError: The pages are inconsistent, or sessions are missing.
        """
        name = f"the list of node {self.node_id}"
        first = self._page(0, self.page_size)
        self.time, count, size = first.time, first.count, len(first.clients)
        if not 0 <= count <= _MOST_SESSIONS:
            raise SessionListError(f"{name} cannot have {count} sessions")
        received = 0

        def check(page: SessionPage, offset: int) -> list[Session]:
            nonlocal received
            found = len(page.clients)
            if page.time != self.time:
                raise SessionListChangedError(
                    f"{name} is now of {page.time}, no longer of {self.time}"
                )
            if page.count != count:
                raise SessionListChangedError(
                    f"{name} has {page.count} sessions now, {count} before"
                )
            # Pages overlap if the first is shorter than those after it.
            if found > self.page_size or max(offset, received) + found > count:
                raise SessionListError(
                    f"{name} has more sessions than the {count} that the service counts"
                )
            received += found
            return page.clients

        def read(offset: int) -> SessionPage:
            return self._page(offset, self.page_size)

        offsets = iter(range(size, count, size)) if size else iter(())
        with SideBySide(read, offsets, ahead) as rest:
            sessions = check(first, 0)
            if eager:
                rest.start()
            yield 0, sessions
            for offset, page in rest:
                sessions = check(page, offset)
                if not sessions:
                    break  # there are no more
                if eager:
                    rest.start()
                yield offset, sessions
        if received < count:
            raise SessionListError(
                f"{name} has {received} of the {count} sessions that the service counts"
            )


def merged(streams: Iterable[Generator[T, None]], concurrency: int) -> Generator[T, None]:
    """Iterate over several generators concurrently, and yield their values as they arrive."""
    everything = list(streams)
    waiting = _Waiting(everything)
    try:
        with SideBySide(_step, waiting, lambda: concurrency) as side_by_side:
            for stream, item in side_by_side:
                if item is not _END:
                    waiting.append(stream)
                    side_by_side.start()
                    yield cast("T", item)
    finally:
        for stream in everything:
            with suppress(ValueError):  # a thread that could not be interrupted still runs it
                stream.close()


def _step(stream: Generator[T, None]) -> T | object:
    return next(stream, _END)


class _Waiting(deque[T], Generic[T]):
    """An iterator over the current items of a queue; more may follow later."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self:
            raise StopIteration
        return self.popleft()
