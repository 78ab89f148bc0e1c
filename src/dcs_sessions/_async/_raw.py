"""The six operations of the contract, and how a call goes over the wire.

Edited in `_async/_raw.py`; `_sync/_raw.py` is made of it by `make generate`.
"""

from __future__ import annotations

import functools
import logging
import platform
import time
from typing import TYPE_CHECKING, Final, Self, TypeVar

from dcs_sessions import _contract, _operations
from dcs_sessions._auth import advance
from dcs_sessions._deadline import Deadline
from dcs_sessions._errors import (
    ApiConnectionError,
    ConfigurationError,
    ServerError,
    ThrottledError,
)
from dcs_sessions._options import Options, checked_headers, checked_seconds
from dcs_sessions._tracing import span
from dcs_sessions._wire import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dcs_sessions._operations import Call
    from dcs_sessions._results import Response
    from dcs_sessions._transports._aiohttp import AsyncTransport
    from dcs_sessions_api.models import (
        Job,
        KillAllStarted,
        NodeList,
        ScanStarted,
        SessionPage,
    )

T = TypeVar("T")

_log: Final = logging.getLogger("dcs_sessions")


@functools.cache
def _user_agent() -> str:
    """Give what requests say they are from."""
    return f"dcs-sessions/{_contract.version()} python/{platform.python_version()}"


class AsyncRawClient:
    """The six operations, each answering with status, headers, request ID and body as well.

    It is the `raw` of a client. Names, arguments and errors are those of the client's methods.
    """

    def __init__(
        self, options: Options, transport: AsyncTransport, projects: dict[str, str]
    ) -> None:
        self.options = options
        self._transport = transport
        # What was looked up, by region. Copies of a client share it.
        self._projects = projects

    def with_options(self, options: Options) -> Self:
        """Give a copy with other options. Connections are shared."""
        return type(self)(options, self._transport, self._projects)

    async def list_nodes(
        self,
        instance_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response[NodeList]:
        """List the nodes of an instance: ShowNodesInformation."""
        project_id = self.options.project_id or await self._find_project()
        call = _operations.list_nodes(project_id, instance_id)
        return await self._call(call, timeout, headers)

    async def get_job(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response[Job]:
        """Show the state of a job: ShowJobInfo."""
        project_id = self.options.project_id or await self._find_project()
        return await self._call(_operations.get_job(project_id, job_id), timeout, headers)

    async def scan_sessions(
        self,
        instance_id: str,
        node_id: str,
        *,
        clean_cache: bool = False,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response[ScanStarted]:
        """Start a job that queries the sessions of a node: ScanClients."""
        project_id = self.options.project_id or await self._find_project()
        call = _operations.scan_sessions(project_id, instance_id, node_id, clean_cache=clean_cache)
        return await self._call(call, timeout, headers)

    async def list_sessions(
        self,
        instance_id: str,
        node_id: str,
        *,
        offset: int = 0,
        limit: int = 10,
        addr: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response[SessionPage]:
        """Read one page of the saved list of a node: ListClients."""
        project_id = self.options.project_id or await self._find_project()
        call = _operations.list_sessions(
            project_id,
            instance_id,
            node_id,
            offset=offset,
            limit=limit,
            addr=addr,
            sort=sort,
            order=order,
        )
        return await self._call(call, timeout, headers)

    async def kill_sessions(
        self,
        instance_id: str,
        node_id: str,
        addresses: Iterable[str],
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response[None]:
        """End chosen sessions of a node: HangUpClients."""
        project_id = self.options.project_id or await self._find_project()
        call = _operations.kill_sessions(project_id, instance_id, node_id, addresses)
        return await self._call(call, timeout, headers)

    async def kill_all_sessions(
        self,
        instance_id: str,
        node_id: str | None = None,
        *,
        all_nodes: bool = False,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response[KillAllStarted]:
        """Start a job that ends all sessions of a node or an instance: HangUpKillAllClients."""
        project_id = self.options.project_id or await self._find_project()
        call = _operations.kill_all_sessions(project_id, instance_id, node_id, all_nodes=all_nodes)
        return await self._call(call, timeout, headers)

    async def _find_project(self) -> str:
        """Look the project ID up, the first time."""
        region = self.options.region
        if region is None:
            msg = "give project_id=, or region= to look it up"
            raise ConfigurationError(msg)
        found = self._projects.get(region)
        if found is None:
            call = _operations.find_project(region)
            found = (await self._call(call, None, None)).parsed
            self._projects[region] = found
        return found

    async def _call(
        self, call: Call[T], timeout: float | None, headers: Mapping[str, str] | None
    ) -> Response[T]:
        """Send a call, again where that may help, and read the answer."""
        options = self.options
        seconds = options.timeout if timeout is None else checked_seconds("timeout", timeout)
        deadline = Deadline(seconds)
        sent = {**options.headers, **checked_headers(headers)} if headers else options.headers
        with span(call.operation):
            try:
                return call.response(await self._exchange(call, deadline, sent))
            except (ApiConnectionError, ServerError, ThrottledError) as error:
                failure = error
            return await self._again(call, deadline, sent, failure)

    async def _again(
        self, call: Call[T], deadline: Deadline, headers: Mapping[str, str], failure: Exception
    ) -> Response[T]:
        """Go on after a failure. Not where calls that succeed come by: it costs a third of one."""
        from tenacity import AsyncRetrying, stop_after_attempt

        from dcs_sessions._retry import RetryDecision

        retry = self.options.retry
        decision = RetryDecision(retry, deadline, repeatable=call.repeatable)
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(retry.attempts),
            retry=decision.again,
            wait=decision.pause,
            before_sleep=decision.announce,
            reraise=True,
        ):
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise failure
                return call.response(await self._exchange(call, deadline, headers))
        raise AssertionError  # the last attempt returns or raises

    async def _exchange(
        self, call: Call[T], deadline: Deadline, headers: Mapping[str, str]
    ) -> Reply:
        """Send one request and what its authentication takes, and give the answer to it."""
        options = self.options
        request = Request(
            call.method,
            (options.identity_origin if call.project_id is None else options.origin) or "",
            call.target,
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": _user_agent(),
                **headers,
            },
            call.body,
        )
        if call.body:
            request.headers["Content-Type"] = "application/json"
        if call.project_id is not None:
            request.headers["X-Project-Id"] = call.project_id
        flow = options.auth.flow(request)
        outgoing = next(flow)
        while True:
            started = time.perf_counter()
            news: Reply | ApiConnectionError
            try:
                news = await self._transport.send(outgoing, deadline)
            except ApiConnectionError as error:
                _log.info("%s", error)
                news = error
            else:
                if _log.isEnabledFor(logging.DEBUG):
                    milliseconds = (time.perf_counter() - started) * 1000
                    _log.debug(
                        "%s %s -> %d in %.0f ms, request %s",
                        outgoing.method,
                        outgoing.url,
                        news.status,
                        milliseconds,
                        news.request_id,
                    )
            following = advance(flow, news)
            if following is not None:
                outgoing = following
            elif isinstance(news, Reply):
                return news
            else:
                raise news  # the authentication has nothing to say to it
