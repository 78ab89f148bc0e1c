# Made from _async/_client.py by `make generate`: do not edit.
"""The public client.

Edited in `_async/_client.py`; `_sync/_client.py` is made from it by `make generate`.
"""

from __future__ import annotations

import copy
import math
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, Unpack

import attrs

from dcs_sessions import _endpoints
from dcs_sessions._deadline import Deadline
from dcs_sessions._defaults import CALL_SECONDS, MAX_CONNECTIONS, WAIT_SECONDS
from dcs_sessions._errors import (
    REFUSALS,
    ApiTimeoutError,
    ConfigurationError,
    DcsSessionsError,
    InvalidArgumentError,
    without_frames,
)
from dcs_sessions._instances import connection_limit, is_called
from dcs_sessions._operations import checked_ids
from dcs_sessions._options import (
    NOT_GIVEN,
    Options,
    Retry,
    checked_concurrency,
    checked_function,
    checked_headers,
    checked_seconds,
)
from dcs_sessions._results import NodeSessions, QueryResult, nodes_with_sessions
from dcs_sessions._sync import _query
from dcs_sessions._sync._ending import Ending
from dcs_sessions._sync._raw import RawClient
from dcs_sessions._sync._sending import Sender
from dcs_sessions._tracing import Span, span
from dcs_sessions._transports._exchange import TransportConfig, checked_trust
from dcs_sessions._transports._threads import SideBySide

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import Callable, Generator, Iterable, Mapping
    from types import TracebackType

    import httpx

    from dcs_sessions._auth import Auth
    from dcs_sessions._ending import Outcome
    from dcs_sessions._results import ConnectionLimit
    from dcs_sessions._transports._own import SyncSends, Transport
    from dcs_sessions._transports._threads import Work
    from dcs_sessions_api.models import (
        ConfigurationParameter,
        Instance,
        Job,
        ListedInstance,
        Node,
        Session,
        SessionPage,
    )

_INSTANCES_PAGE: Final = 1000
# Minimum number of instances of a page, unless it is the last one: the documented default.
_SMALLEST_PAGE: Final = 10
_NO_RETRY: Final = Retry(attempts=1)


def _sending_by(config: TransportConfig, transport: object, http_client: object) -> SyncSends:
    """Return what sends the requests of a client."""
    # What these import takes longer than all else.
    if transport is None and http_client is None:
        from dcs_sessions._transports._h11 import SyncConnections

        return SyncConnections(config)
    from dcs_sessions._transports._own import OwnTransport, chosen_transport

    return OwnTransport(chosen_transport(transport, http_client, "Client"), config)


class ClientOptions(TypedDict, total=False):
    """Arguments that both constructors of a client share."""

    timeout: float
    retry: Retry | None
    headers: Mapping[str, str] | None
    verify: bool | str | os.PathLike[str] | ssl.SSLContext
    proxy: str | None
    max_connections: int
    concurrency: int | None
    allow_http: bool
    transport: Transport | None
    http_client: httpx.Client | None


class Client:
    """A client of DCS session management.

    Use it as a context manager, or call `close()` when done. The sync client can be shared between
    threads, the async client between the tasks of one event loop.

    Every method raises `InvalidArgumentError` before anything is sent, `ApiError` (with a class for
    each status) when the service refuses, and `ApiConnectionError` when it cannot be reached; they
    all derive from `DcsSessionsError`.

    Args:
        endpoint: URL of the service, such as `https://dcs.cn-north-4.myhuaweicloud.com`.
        region: ID of the region, such as `cn-north-4`. It sets the endpoint, unless that is passed
            too.
        project_id: ID of the project of the instances. Default: the region's project, looked up
            once.
        auth: Credentials: `TokenAuth`, `PasswordAuth`, `AkSkAuth` or `EcsMetadataAuth`.
        timeout: Timeout of one call in seconds, retries included. Methods that wait for jobs have
            a longer one of their own.
        retry: Retry policy; None for no retries.
        headers: Headers of every request.
        verify: False to trust any certificate, or the path of a file or directory of CA
            certificates, or an SSL context. True reads `SSL_CERT_FILE` and similar variables; see
            `docs/environment.md`.
        proxy: URL of a proxy; default: from the environment.
        max_connections: Maximum number of connections.
        concurrency: Maximum number of nodes and pages that a query requests at a time; default: 32,
            or `max_connections` if less.
        allow_http: Whether credentials may be sent over plain HTTP to another machine.
        transport: Sends the requests, in place of connections of the client. It is yours to close.
            Credentials that are fetched still come over connections of the client.
        http_client: Sends the requests, like `transport`: a client of `httpx`, of which only the
            connections are used, not its headers, cookies, credentials or redirects.

    Raises:
        ConfigurationError: The arguments are inconsistent.
    """

    @without_frames
    def __init__(
        self,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        project_id: str | None = None,
        auth: Auth,
        timeout: float = CALL_SECONDS,
        retry: Retry | None = Retry(),  # noqa: B008 - frozen
        headers: Mapping[str, str] | None = None,
        verify: bool | str | os.PathLike[str] | ssl.SSLContext = True,
        proxy: str | None = None,
        max_connections: int = MAX_CONNECTIONS,
        concurrency: int | None = None,
        allow_http: bool = False,
        transport: Transport | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        if endpoint is None:
            if region is None:
                raise ConfigurationError("pass endpoint= or region=")
            endpoint = _endpoints.service_endpoint(region)
        elif region is None and project_id is None:
            raise ConfigurationError("pass project_id=, or region= to look it up")
        config = TransportConfig(checked_trust(verify), proxy, max_connections)
        options = Options(
            origin=_endpoints.checked_origin("endpoint", endpoint, allow_http=allow_http),
            identity_origin=_endpoints.identity_origin(region, allow_http=allow_http),
            region=region,
            project_id=project_id,
            auth=auth,
            timeout=checked_seconds("timeout", timeout),
            retry=retry or _NO_RETRY,
            headers=checked_headers(headers or {}),
            concurrency=checked_concurrency(concurrency, max_connections),
        )
        self._sender = Sender(options, _sending_by(config, transport, http_client))

    @classmethod
    def from_env(
        cls,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        project_id: str | None = None,
        **options: Unpack[ClientOptions],
    ) -> Self:
        """Return a client configured by the environment, with the variables of the vendor's SDK.

        Credentials are the first of `DCS_SESSIONS_TOKEN`; `DCS_SESSIONS_DOMAIN`,
        `DCS_SESSIONS_USER` and `DCS_SESSIONS_PASSWORD`; an ID token (`HUAWEICLOUD_OIDC_*`, then
        `HUAWEICLOUD_SDK_IDP_ID` and `HUAWEICLOUD_SDK_ID_TOKEN_FILE`); `HUAWEICLOUD_SDK_AK` and
        `HUAWEICLOUD_SDK_SK` (with `HUAWEICLOUD_SDK_SECURITY_TOKEN`); the file
        `~/.huaweicloud/credentials`; the metadata service of an ECS server; and the identity of a
        CCE pod. Project, endpoint and region default to `HUAWEICLOUD_SDK_PROJECT_ID`,
        `DCS_SESSIONS_ENDPOINT` and `DCS_SESSIONS_REGION`.

        Args:
            endpoint: URL of the service.
            region: ID of the region.
            project_id: ID of the project.
            **options: The other arguments of the client.

        Raises:
            ConfigurationError: A value is missing, or values are inconsistent.
        """
        from dcs_sessions import _credentials  # it imports httpx

        found = _credentials.find_credentials()
        return cls(
            endpoint=endpoint or _credentials.env("DCS_SESSIONS_ENDPOINT"),
            region=region or _credentials.env("DCS_SESSIONS_REGION"),
            project_id=project_id or found.project_id,
            auth=found.auth,
            **options,
        )

    def __repr__(self) -> str:
        """Return a representation without secrets."""
        options = self._sender.options
        return f"<{type(self).__name__} {options.origin} project={options.project_id}>"

    def __enter__(self) -> Self:
        """Return self."""
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
        """Close the connections, which copies by `with_options` share."""
        self._sender.transport.close()

    @without_frames
    def with_options(
        self,
        *,
        timeout: float = NOT_GIVEN,
        retry: Retry | None = NOT_GIVEN,
        headers: Mapping[str, str] = NOT_GIVEN,
        auth: Auth = NOT_GIVEN,
        project_id: str = NOT_GIVEN,
    ) -> Self:
        """Return a copy with other options, which shares the connections of this client.

        Args:
            timeout: Timeout of one call in seconds, retries included.
            retry: Retry policy; None for no retries.
            headers: Headers of every request, in addition to the current ones.
            auth: Credentials.
            project_id: ID of the project.
        """
        options = self._sender.options
        changes: dict[str, Any] = {}
        if timeout is not NOT_GIVEN:
            changes["timeout"] = checked_seconds("timeout", timeout)
        if retry is not NOT_GIVEN:
            changes["retry"] = retry or _NO_RETRY
        if headers is not NOT_GIVEN:
            changes["headers"] = options.headers | checked_headers(headers)
        if auth is not NOT_GIVEN:
            changes["auth"] = auth
        if project_id is not NOT_GIVEN:
            changes["project_id"] = project_id
        other = copy.copy(self)
        other._sender = self._sender.with_options(attrs.evolve(options, **changes))  # noqa: SLF001
        return other

    @property
    def raw(self) -> RawClient:
        """The operations, each returning status, headers, request ID and body as well."""
        return RawClient(self._sender)

    # Instances

    def list_instances(
        self,
        name: str | None = None,
        *,
        exact: bool = False,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[ListedInstance]:
        """Return all instances of the project.

        Names are compared locally, since the documents of the service contradict each other on its
        comparison. Names need not be unique.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ListInstances.html.

        Args:
            name: Only instances whose name contains this string, case-insensitive.
            exact: Whether the name must be exactly this string.
            timeout: Timeout of all pages in seconds, retries included.
            headers: Additional headers.

        Returns:
            The instances, in the order of the service.

        Raises:
            InvalidArgumentError: The name is not a string.
            ApiTimeoutError: The last page did not arrive in time.
        """
        seconds = self._sender.options.timeout if timeout is None else timeout
        deadline = Deadline(checked_seconds("timeout", seconds))
        found: dict[str, ListedInstance] = {}
        while (left := deadline.remaining()) > 0:
            page = self.raw.list_instances(
                name=name if exact else None,
                offset=len(found),
                limit=_INSTANCES_PAGE,
                timeout=left,
                headers=headers,
            )
            rows = page.parsed.instances
            known = len(found)
            found.update((row.instance_id, row) for row in rows)
            # The meaning of the total is not documented. A page with fewer instances than the
            # default is the last one, and so is one without new instances.
            if len(rows) < _SMALLEST_PAGE or len(found) == known:
                return [row for row in found.values() if is_called(row, name, exact=exact)]
        raise ApiTimeoutError(
            f"ListInstances: no time left of {deadline}, {len(found)} instances read",
            may_have_arrived=True,
        )

    def get_instance(
        self,
        instance_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Instance:
        """Return an instance: its name, its type, whether client IP pass-through is on, and more.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ShowInstance.html.

        Args:
            instance_id: ID of the instance.
            timeout: Timeout of the call in seconds, retries included.
            headers: Additional headers.

        Returns:
            The instance.

        Raises:
            NotFoundError: The project has no such instance.
        """
        found = self.raw.get_instance(instance_id, timeout=timeout, headers=headers)
        return found.parsed

    def list_configurations(
        self,
        instance_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[ConfigurationParameter]:
        """Return the configuration parameters of an instance.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ListConfigurations.html.

        Args:
            instance_id: ID of the instance.
            timeout: Timeout of the call in seconds, retries included.
            headers: Additional headers.

        Returns:
            The parameters, whose values are strings.

        Raises:
            NotFoundError: The project has no such instance.
        """
        found = self.raw.list_configurations(instance_id, timeout=timeout, headers=headers)
        return found.parsed.redis_config

    def get_connection_limit(
        self,
        instance_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ConnectionLimit:
        """Return the connection limits of an instance and of its nodes.

        It takes two calls: ShowInstance for the type, ListConfigurations for `maxclients`.

        Args:
            instance_id: ID of the instance.
            timeout: Timeout of each call in seconds, retries included.
            headers: Additional headers.

        Returns:
            The limits; None for a limit that is not known.

        Raises:
            NotFoundError: The project has no such instance.
        """
        instance = self.get_instance(instance_id, timeout=timeout, headers=headers)
        found = self.list_configurations(instance_id, timeout=timeout, headers=headers)
        return connection_limit(instance, found)

    # Nodes

    def list_nodes(
        self,
        instance_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[Node]:
        """Return the nodes of an instance.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ShowNodesInformation.html.

        Args:
            instance_id: ID of the instance.
            timeout: Timeout of the call in seconds, retries included.
            headers: Additional headers.

        Returns:
            The nodes; empty while the instance is being created.
        """
        found = self.raw.list_nodes(instance_id, timeout=timeout, headers=headers)
        return found.parsed.nodes

    # Jobs

    def get_job(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Job:
        """Return the state of a job.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/ShowJobInfo.html.

        Args:
            job_id: ID of the job, from `scan_sessions` or `kill_all_sessions`.
            timeout: Timeout of the call in seconds, retries included.
            headers: Additional headers.

        Returns:
            The job, whose status is INIT, RUNNING, SUCCESS or FAIL.
        """
        found = self.raw.get_job(job_id, timeout=timeout, headers=headers)
        return found.parsed

    def wait_for_job(
        self,
        job_id: str,
        *,
        timeout: float = WAIT_SECONDS,
        interval: float = _query.POLL_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> Job:
        """Wait until a job has succeeded.

        Args:
            job_id: ID of the job, from `scan_sessions` or `kill_all_sessions`.
            timeout: Maximum seconds to wait.
            interval: Seconds between two polls; the first ones are shorter.
            headers: Additional headers.

        Returns:
            The job, whose status is SUCCESS.

        Raises:
            JobFailedError: The job has failed.
            WaitTimeoutError: The job did not end in time.
        """
        limits = self._limits(timeout, headers)
        return _query.wait_for_job(self.raw, job_id, limits, checked_seconds("interval", interval))

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
            clean_cache: True to query the node again; False to reuse a saved list, if there is one.
            timeout: Timeout of the call in seconds, retries included.
            headers: Additional headers.

        Returns:
            ID of the job.

        Raises:
            BadRequestError: Another query of the node is running (`error_code` DCS.4957).
        """
        started = self.raw.scan_sessions(
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
            offset: Number of sessions to skip.
            limit: Maximum number of sessions, 1 to 1000.
            addr: Only sessions with this client address, `ip:port`.
            sort: Name of the session field to sort by.
            order: `asc` or `desc`.
            timeout: Timeout of the call in seconds, retries included.
            headers: Additional headers.

        Returns:
            The page, with the time of the list and the number of all sessions that match.

        Raises:
            ServerError: The node has never been queried: call `scan_sessions` first.
        """
        found = self.raw.list_sessions(
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
        page_size: int = _query.PAGE_SIZE,
        addr: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Session, None]:
        """Iterate over the saved list of a node, reading pages on demand.

        The next page is read ahead, so two pages are in memory.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node, from `list_nodes`.
            page_size: Number of sessions of one request, 1 to 1000.
            addr: Only sessions with this client address, `ip:port`.
            sort: Name of the session field to sort by.
            order: `asc` or `desc`.
            timeout: Timeout of each request in seconds, retries included.
            headers: Additional headers.

        Yields:
            The sessions, in the order of the list.

        Raises:
            SessionListChangedError: The node was queried again in the meantime.
            SessionListError: The pages are inconsistent, or sessions are missing.
            ServerError: The node has never been queried: call `scan_sessions` first.
        """
        call = self._sender.options.timeout if timeout is None else timeout
        query = _query.NodeQuery(
            self.raw,
            instance_id,
            node_id,
            _query.Limits(Deadline(math.inf), checked_seconds("timeout", call), headers),
            page_size=page_size,
            chosen={"addr": addr, "sort": sort, "order": order},
        )
        with closing(query.pages()) as pages:
            for _, sessions in pages:
                for session in sessions:
                    yield session

    def query_sessions(
        self,
        instance_id: str,
        node_id: str | Iterable[str] | None = None,
        *,
        fresh: bool = True,
        timeout: float = WAIT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> QueryResult:
        """Query one node, several, or the whole instance, and return all sessions.

        Nodes are queried concurrently: scan, wait, read all pages. Without a node ID, the nodes
        that hold the sessions of the instance are queried: its proxy nodes if it has any, else its
        data nodes. A node that fails or times out does not affect the others. If another query of a
        node is running, the method waits for it.

        Args:
            instance_id: ID of the instance.
            node_id: ID of a node, several IDs, or None for all nodes that hold sessions.
            fresh: True to query again; False to reuse saved lists, if there are any.
            timeout: Timeout of the whole operation in seconds.
            headers: Additional headers.

        Returns:
            The sessions of each node, with the time of its list, and the nodes that failed.

        Raises:
            DcsSessionsError: Every node failed; the error is that of the first node, such as
                `JobFailedError` or `WaitTimeoutError`.
        """
        limits = self._limits(timeout, headers)
        unfinished = 0
        concurrency = self._sender.options.concurrency

        def collect(query: _query.NodeQuery) -> NodeSessions:
            nonlocal unfinished
            try:
                return query.collect(lambda: max(1, concurrency // unfinished))
            finally:
                unfinished -= 1

        with span("query_sessions", instance_id):
            queries = self._queries(instance_id, node_id, limits, fresh=fresh)
            unfinished = len(queries)
            return self._gather(queries, collect)

    def query_pages(
        self,
        instance_id: str,
        node_id: str | Iterable[str] | None = None,
        *,
        fresh: bool = True,
        timeout: float = WAIT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[NodeSessions, None]:
        """Query as `query_sessions` does, and yield the sessions page by page, as they arrive.

        Use it to start before the slowest node has finished, or for lists that do not fit in
        memory. Pages of one node are in order; those of several nodes are mixed.

        Args:
            instance_id: ID of the instance.
            node_id: ID of a node, several IDs, or None for all nodes that hold sessions.
            fresh: True to query again; False to reuse saved lists, if there are any.
            timeout: Timeout of the whole operation in seconds.
            headers: Additional headers.

        Yields:
            Up to 1,000 sessions of one node, or the error for which the rest of the node cannot be
            read.

        Raises:
            AuthenticationError: The credentials are not accepted.
            PermissionDeniedError: The permission is missing.
        """
        limits = self._limits(timeout, headers)
        opened = Span("query_pages", instance_id)
        try:
            with opened.current():
                queries = self._queries(instance_id, node_id, limits, fresh=fresh)
            streams = [query.stream(eager=len(queries) == 1) for query in queries]
            with closing(_query.merged(streams, self._sender.options.concurrency)) as pages:
                while True:
                    # What the caller does between two pages is no part of the query.
                    with opened.current():
                        page = next(pages, None)
                    if page is None:
                        break
                    yield page
        except BaseException as error:
            opened.end(error)
            raise
        opened.end()

    def refresh_sessions(
        self,
        instance_id: str,
        node_id: str | Iterable[str] | None = None,
        *,
        fresh: bool = True,
        timeout: float = WAIT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> QueryResult:
        """Query as `query_sessions` does, but do not read the lists.

        Read them with `iter_sessions` or `list_sessions`.

        Args:
            instance_id: ID of the instance.
            node_id: ID of a node, several IDs, or None for all nodes that hold sessions.
            fresh: True to query again; False to reuse saved lists, if there are any.
            timeout: Timeout of the whole operation in seconds.
            headers: Additional headers.

        Returns:
            The nodes with the time of each list, those that failed, and no sessions.

        Raises:
            DcsSessionsError: Every node failed; the error is that of the first node, such as
                `JobFailedError` or `WaitTimeoutError`.
        """
        limits = self._limits(timeout, headers)
        with span("refresh_sessions", instance_id):
            queries = self._queries(instance_id, node_id, limits, fresh=fresh)
            return self._gather(queries, _query.NodeQuery.read_time)

    def end_sessions(
        self,
        instance_id: str,
        chosen: QueryResult,
        fits: Callable[[Session], bool] | None = None,
        *,
        on_outcome: Callable[[Outcome], None] | None = None,
        timeout: float = WAIT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> list[Outcome]:
        """End sessions that were chosen from a query, and no others.

        Each node is queried right before each request that ends its sessions. A session is ended
        only if it is certainly the one that was chosen: address, ID, name and user are the same,
        and its age has grown by the time between the two lists. The request is never retried as it
        is: after a 429, or if it cannot have arrived, the node is queried again first. After any
        other error, the remaining sessions of the node are not ended. Errors of nodes are not
        raised: each outcome has its own.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/HangUpClients.html.

        Args:
            instance_id: ID of the instance.
            chosen: The sessions to end: a result of `query_sessions`, reduced by `where`.
            fits: Returns whether a session still matches, called right before it is ended. None for
                any that is the same. It must not be async.
            on_outcome: Called when the outcome of a session changes; the last call has its result.
                The result is `unknown` while a request to end it is running. The sync client calls
                it from several threads, one at a time. It must not be async, and should be quick: a
                request waits for it, and a slow one makes smaller and more requests.
            timeout: Timeout of the whole operation in seconds.
            headers: Additional headers.

        Returns:
            The outcome of each session, in the order of `chosen`.
        """
        if not isinstance(chosen, QueryResult):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgumentError(
                f"chosen must be what query_sessions returned, not {type(chosen).__name__}"
            )
        checked_ids("instance_id", [instance_id])
        checked_headers(headers or {})
        if fits is not None:
            checked_function("fits", fits)
        if on_outcome is not None:
            checked_function("on_outcome", on_outcome)
        limits = self._limits(timeout, headers)
        ending = Ending(self._sender, instance_id, chosen, fits, on_outcome, limits)
        with span("end_sessions", instance_id):
            return ending.run()

    def kill_sessions(
        self,
        instance_id: str,
        node_id: str,
        addresses: Iterable[str],
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """End the sessions with these addresses on a node. They have ended when this returns.

        Another client may have taken over an address since it was listed. This method cannot check
        that; `end_sessions` does. After a 429, with a new token in place of one that has expired,
        or if the request cannot have arrived, the same addresses are sent again;
        `client.with_options(retry=None).kill_sessions(...)` does not retry. After any other error,
        the sessions may have ended or not: query again.

        See https://support.huaweicloud.com/intl/en-us/api-dcs/HangUpClients.html.

        Args:
            instance_id: ID of the instance.
            node_id: ID of the node that the sessions are on.
            addresses: The `peer` of each session. If empty, nothing is sent.
            timeout: Timeout of the call in seconds, retries included.
            headers: Additional headers.
        """
        named = checked_ids("addresses", addresses)
        if named:
            self.raw.kill_sessions(instance_id, node_id, named, timeout=timeout, headers=headers)

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
            all_nodes: True, without a node ID, to end the sessions of every node.
            timeout: Timeout of the call in seconds, retries included.
            headers: Additional headers.

        Returns:
            ID of the job, for `wait_for_job`.
        """
        started = self.raw.kill_all_sessions(
            instance_id, node_id, all_nodes=all_nodes, timeout=timeout, headers=headers
        )
        return started.parsed.job_id

    # Queries

    def _limits(self, timeout: float, headers: Mapping[str, str] | None) -> _query.Limits:
        deadline = Deadline(checked_seconds("timeout", timeout))
        return _query.Limits(deadline, self._sender.options.timeout, headers)

    def _queries(
        self,
        instance_id: str,
        node_id: str | Iterable[str] | None,
        limits: _query.Limits,
        *,
        fresh: bool,
    ) -> list[_query.NodeQuery]:
        """Return the query of each node.

        One call is made before all nodes are queried, so that wrong credentials are refused once,
        not once for each node: five failures lock a key.
        """
        if node_id is None:
            nodes = nodes_with_sessions(self.list_nodes(instance_id, **limits.options()))
            # The service may list a node twice, whose sessions must not be counted twice.
            once = {node.node_id: node for node in nodes}
            return [
                _query.NodeQuery(self.raw, instance_id, name, limits, node, fresh)
                for name, node in once.items()
            ]
        node_ids = checked_ids("node_id", [node_id] if isinstance(node_id, str) else node_id)
        queries = [
            _query.NodeQuery(self.raw, instance_id, name, limits, fresh=fresh)
            for name in dict.fromkeys(node_ids)
        ]
        if len(queries) > 1 and not self._sender.is_accepted():
            try:
                queries[0].look()
            except REFUSALS:
                raise
            except DcsSessionsError:
                pass  # it is checked again before its request
        return queries

    def _gather(
        self,
        queries: list[_query.NodeQuery],
        work: Work[_query.NodeQuery, NodeSessions],
    ) -> QueryResult:
        """Query all nodes concurrently. A slow or dead node must not stop the others."""

        def attempt(query: _query.NodeQuery) -> NodeSessions:
            try:
                return work(query)
            except REFUSALS:
                raise  # every node would fail the same way
            except DcsSessionsError as error:
                return NodeSessions(query.node_id, query.node, None, [], error)

        if len(queries) == 1:
            results = {queries[0].node_id: attempt(queries[0])}
        else:
            concurrency = self._sender.options.concurrency
            with SideBySide(attempt, iter(queries), lambda: concurrency) as done:
                results = {query.node_id: result for query, result in done}
        nodes = [results[query.node_id] for query in queries]
        failures = [node.error for node in nodes if node.error is not None and not node.sessions]
        if failures and len(failures) == len(nodes):
            raise failures[0]
        return QueryResult(nodes)
