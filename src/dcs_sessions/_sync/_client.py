"""The client that people import.

Edited in `_async/_client.py`; `_sync/_client.py` is made of it by `make generate`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, Unpack

import attrs

from dcs_sessions import _credentials, _endpoints, _operations
from dcs_sessions._deadline import Deadline
from dcs_sessions._errors import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    DcsSessionsError,
    JobFailedError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    SessionListChangedError,
    WaitTimeoutError,
)
from dcs_sessions._options import KEEP, Options, Retry, checked_headers, checked_seconds
from dcs_sessions._results import QueryResult
from dcs_sessions._scans import Scan, nodes_with_sessions, pauses
from dcs_sessions._sync._raw import RawClient
from dcs_sessions._transports._exchange import TransportConfig
from dcs_sessions._transports._httpx import SyncTransport, sleep
from dcs_sessions._transports._tls import trust

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from dcs_sessions._auth import Auth
    from dcs_sessions_api.models import Job, Node, Session, SessionPage

# Seconds that one call may take, and one that waits for a job.
_CALL_SECONDS: Final = 60.0
_WAIT_SECONDS: Final = 300.0
# Seconds between two looks at a job, once it has taken a while.
_POLL_SECONDS: Final = 2.0
_PAGE_SIZE: Final = 1000
# "A job is still running": another query of the same node.
_BUSY: Final = "DCS.4957"
_NO_RETRY: Final = Retry(attempts=1)


class ClientOptions(TypedDict, total=False):
    """The arguments of a client that are the same wherever it gets the rest from."""

    timeout: float
    retry: Retry | None
    headers: Mapping[str, str] | None
    verify: bool | str | ssl.SSLContext
    proxy: str | None
    max_connections: int
    allow_http: bool


class Client:
    """A client of DCS session management.

    Use it as a context manager, or call `close()` when done. It is safe to share: the sync client
    between threads, the async client between the tasks of one event loop.

    Every method raises `InvalidArgumentError` before anything is sent, `ApiError` (with a class for
    each status) when the service refuses, and `ApiConnectionError` when it cannot be reached; they
    all derive from `DcsSessionsError`.

    Args:
        endpoint: Address of the service, such as `https://dcs.cn-north-4.myhuaweicloud.com`.
        region: ID of the region, such as `cn-north-4`; gives the endpoint unless that is given too.
        project_id: ID of the project that the instances are in. Without one it is looked up by the
            region, once.
        auth: Who you are: `TokenAuth`, `AkSkAuth` or `EcsMetadataAuth`.
        timeout: Seconds that one call may take, retries included. Methods that wait for jobs have
            a longer one of their own.
        retry: When a call is tried again; None for never.
        headers: Headers that every request carries.
        verify: False to trust any certificate, or the path of a CA bundle, or an SSL context.
        proxy: Address of a proxy; without one, the environment decides.
        max_connections: How many connections there may be at once.
        allow_http: Whether credentials may go over plain HTTP to another machine.

    Raises:
        ConfigurationError: The arguments do not fit together.
    """

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        project_id: str | None = None,
        auth: Auth,
        timeout: float = _CALL_SECONDS,
        retry: Retry | None = Retry(),  # noqa: B008 - frozen
        headers: Mapping[str, str] | None = None,
        verify: bool | str | ssl.SSLContext = True,
        proxy: str | None = None,
        max_connections: int = 100,
        allow_http: bool = False,
    ) -> None:
        if endpoint is None:
            if region is None:
                msg = "give endpoint= or region="
                raise ConfigurationError(msg)
            endpoint = _endpoints.service_endpoint(region)
        elif region is None and project_id is None:
            msg = "give project_id=, or region= to look it up"
            raise ConfigurationError(msg)
        options = Options(
            origin=_endpoints.checked_origin("endpoint", endpoint, allow_http=allow_http),
            identity_origin=_endpoints.identity_origin(region, allow_http=allow_http),
            region=region,
            project_id=project_id,
            auth=auth,
            timeout=checked_seconds("timeout", timeout),
            retry=retry or _NO_RETRY,
            headers=checked_headers(headers or {}),
        )
        if not isinstance(verify, bool):
            verify = trust(verify)
        self._transport = SyncTransport(TransportConfig(verify, proxy, max_connections))
        self._raw = RawClient(options, self._transport, {})

    @classmethod
    def from_env(
        cls,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        project_id: str | None = None,
        **options: Unpack[ClientOptions],
    ) -> Self:
        """Make a client from the environment, as the vendor's SDK would.

        Credentials are taken from the first of `DCS_SESSIONS_TOKEN`, `HUAWEICLOUD_SDK_AK` and
        `HUAWEICLOUD_SDK_SK` (with `HUAWEICLOUD_SDK_SECURITY_TOKEN`), the file
        `~/.huaweicloud/credentials`, and the metadata service of an ECS server. The rest comes from
        `HUAWEICLOUD_SDK_PROJECT_ID`, `DCS_SESSIONS_ENDPOINT` and `DCS_SESSIONS_REGION` where it is
        not given.

        Args:
            endpoint: Address of the service.
            region: ID of the region.
            project_id: ID of the project.
            **options: The other arguments of the client.

        Raises:
            ConfigurationError: Something is missing or does not fit together.
        """
        found = _credentials.find_credentials()
        return cls(
            endpoint=endpoint or _credentials.env("DCS_SESSIONS_ENDPOINT"),
            region=region or _credentials.env("DCS_SESSIONS_REGION"),
            project_id=project_id or found.project_id,
            auth=found.auth,
            **options,
        )

    def __repr__(self) -> str:
        """Show where the client goes, and nothing secret."""
        options = self._raw.options
        return f"<{type(self).__name__} {options.origin} project={options.project_id}>"

    def __enter__(self) -> Self:
        """Give the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the connections, which copies made by `with_options` share."""
        self._transport.close()

    def with_options(
        self,
        *,
        timeout: float = KEEP,
        retry: Retry | None = KEEP,
        headers: Mapping[str, str] = KEEP,
        auth: Auth = KEEP,
        project_id: str = KEEP,
    ) -> Self:
        """Give a copy with other options. This client stays as it is; connections are shared.

        Args:
            timeout: Seconds that one call may take, retries included.
            retry: When a call is tried again; None for never.
            headers: Headers that every request carries, on top of those it carries now.
            auth: Who you are.
            project_id: ID of the project.
        """
        options = self._raw.options
        changes: dict[str, Any] = {}
        if timeout is not KEEP:
            changes["timeout"] = checked_seconds("timeout", timeout)
        if retry is not KEEP:
            changes["retry"] = retry or _NO_RETRY
        if headers is not KEEP:
            changes["headers"] = {**options.headers, **checked_headers(headers)}
        if auth is not KEEP:
            changes["auth"] = auth
        if project_id is not KEEP:
            changes["project_id"] = project_id
        other = copy.copy(self)
        other._raw = self._raw.with_options(attrs.evolve(options, **changes))  # noqa: SLF001 - a copy of this
        return other

    @property
    def raw(self) -> RawClient:
        """The six operations, answering with status, headers, request ID and body as well."""
        return self._raw

    # Nodes

    def list_nodes(
        self,
        instance_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[Node]:
        """List the nodes of an instance.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ShowNodesInformation.html.

        Args:
            instance_id: ID of the instance.
            timeout: Seconds that the call may take, retries included.
            headers: Further headers to send.

        Returns:
            The nodes; none while the instance is being created.
        """
        found = self._raw.list_nodes(instance_id, timeout=timeout, headers=headers)
        return found.parsed.nodes

    # Jobs

    def get_job(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Job:
        """Show the state of a job.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ShowJobInfo.html.

        Args:
            job_id: ID of the job, from `scan_sessions` or `kill_all_sessions`.
            timeout: Seconds that the call may take, retries included.
            headers: Further headers to send.

        Returns:
            The job, whose status is INIT, RUNNING, SUCCESS or FAIL.
        """
        found = self._raw.get_job(job_id, timeout=timeout, headers=headers)
        return found.parsed

    def wait_for_job(
        self,
        job_id: str,
        *,
        timeout: float = _WAIT_SECONDS,
        interval: float = _POLL_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> Job:
        """Wait until a job has succeeded.

        Args:
            job_id: ID of the job, from `scan_sessions` or `kill_all_sessions`.
            timeout: Seconds to wait at the most.
            interval: Seconds between two looks at the job; the first ones come sooner.
            headers: Further headers to send.

        Returns:
            The job, whose status is SUCCESS.

        Raises:
            JobFailedError: The job has failed.
            WaitTimeoutError: The job did not end in time.
        """
        deadline = Deadline(checked_seconds("timeout", timeout))
        for pause in pauses(interval):
            job = self._poll(job_id, deadline, headers)
            if job is not None:
                return job
            if deadline.remaining() <= 0:
                raise WaitTimeoutError(job_id, deadline.seconds)
            sleep(min(pause, deadline.remaining()))
        raise AssertionError  # the pauses have no end

    # Sessions

    def scan_sessions(
        self,
        instance_id: str,
        node_id: str,
        *,
        clean_cache: bool = False,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Start a job that queries the sessions of a node and saves the list.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ScanClients.html.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node, from `list_nodes`.
            clean_cache: True to query the node again; False to leave it at the list that is saved,
                if there is one.
            timeout: Seconds that the call may take, retries included.
            headers: Further headers to send.

        Returns:
            ID of the job.

        Raises:
            BadRequestError: With `error_code` DCS.4957 while another query of the node is running.
        """
        started = self._raw.scan_sessions(
            instance_id, node_id, clean_cache=clean_cache, timeout=timeout, headers=headers
        )
        return started.parsed.job_id

    def list_sessions(
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
    ) -> SessionPage:
        """Read one page of the saved list of a node.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ListClients.html.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node, from `list_nodes`.
            offset: How many sessions of the list to skip.
            limit: How many sessions to return at the most, 1 to 1000.
            addr: Only sessions with this client address, `ip:port`.
            sort: Name of the session field to sort by.
            order: `asc` or `desc`.
            timeout: Seconds that the call may take, retries included.
            headers: Further headers to send.

        Returns:
            The page, with the time of the list and the number of all sessions that match.

        Raises:
            ServerError: The node has never been queried: call `scan_sessions` first.
        """
        found = self._raw.list_sessions(
            instance_id,
            node_id,
            offset=offset,
            limit=limit,
            addr=addr,
            sort=sort,
            order=order,
            timeout=timeout,
            headers=headers,
        )
        return found.parsed

    def iter_sessions(
        self,
        instance_id: str,
        node_id: str,
        *,
        page_size: int = _PAGE_SIZE,
        addr: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Session]:
        """Read the whole saved list of a node, page by page, as far as it is asked for.

        No more than one page is in memory at a time.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node, from `list_nodes`.
            page_size: How many sessions to get with one request, 1 to 1000.
            addr: Only sessions with this client address, `ip:port`.
            sort: Name of the session field to sort by.
            order: `asc` or `desc`.
            timeout: Seconds that each request may take, retries included.
            headers: Further headers to send.

        Yields:
            The sessions, in the order of the list.

        Raises:
            SessionListChangedError: The node was queried again in the meantime.
            ServerError: The node has never been queried: call `scan_sessions` first.
        """
        pages = self._pages(
            instance_id,
            node_id,
            page_size,
            addr=addr,
            sort=sort,
            order=order,
            timeout=timeout,
            headers=headers,
        )
        for page in pages:
            for session in page.clients:
                yield session

    def query_sessions(
        self,
        instance_id: str,
        node_id: str | None = None,
        *,
        fresh: bool = True,
        timeout: float = _WAIT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> QueryResult:
        """Query a node, or the whole instance, and read all sessions: scan, wait, all pages.

        Without a node, those nodes are queried that hold the sessions of the instance: its proxy
        nodes if it has any, its data nodes otherwise. A node that fails does not hide the others.
        Where another query of a node is running, this waits for that one.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node, or None for all that hold sessions.
            fresh: True to query again; False to leave it at the lists that are saved, if any.
            timeout: Seconds that all of it may take.
            headers: Further headers to send.

        Returns:
            The sessions node by node, with the time of each list and the nodes that failed.

        Raises:
            DcsSessionsError: The one node that was asked for, or every node, has failed.
            JobFailedError: That node's query has failed.
            WaitTimeoutError: That node's query did not end in time.
        """
        return self._query_nodes(
            instance_id, node_id, fresh=fresh, reads=True, timeout=timeout, headers=headers
        )

    def refresh_sessions(
        self,
        instance_id: str,
        node_id: str | None = None,
        *,
        fresh: bool = True,
        timeout: float = _WAIT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> QueryResult:
        """Query a node, or the whole instance, and leave the lists with the service.

        It goes as `query_sessions` does, up to the reading. Read the lists with `iter_sessions`
        where they are too long to be held in memory.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node, or None for all that hold sessions.
            fresh: True to query again; False to leave it at the lists that are saved, if any.
            timeout: Seconds that all of it may take.
            headers: Further headers to send.

        Returns:
            The nodes with the time of each list, those that failed, and no sessions.

        Raises:
            DcsSessionsError: The one node that was asked for, or every node, has failed.
            JobFailedError: That node's query has failed.
            WaitTimeoutError: That node's query did not end in time.
        """
        return self._query_nodes(
            instance_id, node_id, fresh=fresh, reads=False, timeout=timeout, headers=headers
        )

    def kill_sessions(
        self,
        instance_id: str,
        node_id: str,
        addresses: Iterable[str],
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """End chosen sessions of a node. They have ended when this returns.

        It is sent again only after a 429 or when it cannot have arrived. After any other error,
        nobody knows whether the sessions have ended: query again.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/HangUpClients.html.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node that the sessions are on.
            addresses: The `peer` of each session. Of none, nothing is sent.
            timeout: Seconds that the call may take, retries included.
            headers: Further headers to send.
        """
        named = _operations.checked_addresses(addresses)
        if named:
            self._raw.kill_sessions(instance_id, node_id, named, timeout=timeout, headers=headers)

    def kill_all_sessions(
        self,
        instance_id: str,
        node_id: str | None = None,
        *,
        all_nodes: bool = False,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Start a job that ends all sessions of a node, or of the whole instance.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/HangUpKillAllClients.html.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node.
            all_nodes: True, and no node, to end the sessions of every node.
            timeout: Seconds that the call may take, retries included.
            headers: Further headers to send.

        Returns:
            ID of the job, for `wait_for_job`.
        """
        started = self._raw.kill_all_sessions(
            instance_id, node_id, all_nodes=all_nodes, timeout=timeout, headers=headers
        )
        return started.parsed.job_id

    # How a query goes

    def _query_nodes(
        self,
        instance_id: str,
        node_id: str | None,
        *,
        fresh: bool,
        reads: bool,
        timeout: float,
        headers: Mapping[str, str] | None,
    ) -> QueryResult:
        deadline = Deadline(checked_seconds("timeout", timeout))
        if node_id is not None:
            scans = [Scan(instance_id, node_id, None, fresh, reads)]
        else:
            nodes = self.list_nodes(instance_id, timeout=deadline.seconds, headers=headers)
            scans = [
                Scan(instance_id, node.node_id, node, fresh, reads)
                for node in nodes_with_sessions(nodes)
            ]
        return self._query(scans, deadline, headers)

    def _query(
        self, scans: list[Scan], deadline: Deadline, headers: Mapping[str, str] | None
    ) -> QueryResult:
        """Query all nodes side by side: one that is slow or dead must not keep the others."""
        waiting = list(scans)
        for pause in pauses(_POLL_SECONDS):
            for scan in waiting:
                try:
                    self._advance(scan, deadline, headers)
                except (AuthenticationError, PermissionDeniedError):
                    raise  # no node would do better, and five failures lock a key
                except DcsSessionsError as error:
                    scan.error = error
            waiting = [scan for scan in waiting if not scan.over]
            if not waiting:
                break
            if deadline.remaining() <= 0:
                for scan in waiting:
                    scan.error = WaitTimeoutError(scan.job_id, deadline.seconds)
                break
            sleep(min(pause, deadline.remaining()))
        failures = [scan.error for scan in scans if scan.error is not None]
        if failures and len(failures) == len(scans):
            raise failures[0]
        return QueryResult([scan.outcome() for scan in scans])

    def _advance(self, scan: Scan, deadline: Deadline, headers: Mapping[str, str] | None) -> None:
        """Take a query one step further, without waiting for anything but answers."""
        if not scan.started:
            scan.before = self._list_time(scan, deadline, headers)
            scan.started = True
            self._start(scan, deadline, headers)
        elif scan.job_id is None and not scan.ready:
            # Another query of the node was running. It has brought a new list, goes on, or failed.
            scan.ready = scan.is_good(self._list_time(scan, deadline, headers))
            if not scan.ready:
                self._start(scan, deadline, headers)
        if scan.job_id is not None and not scan.ready:
            scan.ready = self._has_ended(scan, scan.job_id, deadline, headers)
        if scan.ready and not scan.reads:
            scan.time = self._list_time(scan, deadline, headers)
            scan.over = True
        elif scan.ready:
            try:
                self._read(scan, deadline, headers)
                scan.over = True
            except SessionListChangedError:
                scan.sessions.clear()  # somebody queried again: the next step reads that list

    def _start(self, scan: Scan, deadline: Deadline, headers: Mapping[str, str] | None) -> None:
        try:
            scan.job_id = self.scan_sessions(
                scan.instance_id,
                scan.node_id,
                clean_cache=scan.fresh,
                timeout=self._share(deadline),
                headers=headers,
            )
        except BadRequestError as error:
            if error.error_code != _BUSY:
                raise

    def _has_ended(
        self,
        scan: Scan,
        job_id: str,
        deadline: Deadline,
        headers: Mapping[str, str] | None,
    ) -> bool:
        """Tell whether the list is there: by the job, or by the list where no job is shown."""
        if not scan.by_time:
            try:
                return self._poll(job_id, deadline, headers) is not None
            except (NotFoundError, BadRequestError):
                # No source shows that the service answers for the jobs of queries.
                scan.by_time = True
        return scan.is_good(self._list_time(scan, deadline, headers))

    def _list_time(
        self, scan: Scan, deadline: Deadline, headers: Mapping[str, str] | None
    ) -> str | None:
        """Give the time of the saved list, or None when there is no list to be read."""
        try:
            page = self.list_sessions(
                scan.instance_id,
                scan.node_id,
                limit=1,
                timeout=self._share(deadline),
                headers=headers,
            )
        except (ServerError, BadRequestError) as error:
            # 500 before the first query, and 400 with DCS.4957 while that one is running.
            if isinstance(error, BadRequestError) and error.error_code != _BUSY:
                raise
            return None
        return page.time

    def _read(self, scan: Scan, deadline: Deadline, headers: Mapping[str, str] | None) -> None:
        pages = self._pages(
            scan.instance_id,
            scan.node_id,
            _PAGE_SIZE,
            timeout=self._share(deadline),
            headers=headers,
        )
        for page in pages:
            scan.sessions.extend(page.clients)
            scan.time = page.time

    def _pages(
        self,
        instance_id: str,
        node_id: str,
        page_size: int,
        *,
        addr: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        timeout: float | None,
        headers: Mapping[str, str] | None,
    ) -> Iterator[SessionPage]:
        offset = 0
        listed: str | None = None
        while True:
            page = self.list_sessions(
                instance_id,
                node_id,
                offset=offset,
                limit=page_size,
                addr=addr,
                sort=sort,
                order=order,
                timeout=timeout,
                headers=headers,
            )
            if listed is not None and page.time != listed:
                msg = f"the list of node {node_id} is now of {page.time}, no longer of {listed}"
                raise SessionListChangedError(msg)
            listed = page.time
            yield page
            offset += len(page.clients)
            if offset >= page.count or not page.clients:
                return

    def _poll(
        self, job_id: str, deadline: Deadline, headers: Mapping[str, str] | None
    ) -> Job | None:
        """Give the job if it has succeeded, None if it has not ended."""
        job = self.get_job(job_id, timeout=self._share(deadline), headers=headers)
        if job.status == "FAIL":
            raise JobFailedError(job)
        return job if job.status == "SUCCESS" else None

    def _share(self, deadline: Deadline) -> float:
        """Give the seconds that one call may take of those that waiting has left.

        At least one, lest the last look at a job is bound to fail for want of time.
        """
        return max(1.0, min(self._raw.options.timeout, deadline.remaining()))
