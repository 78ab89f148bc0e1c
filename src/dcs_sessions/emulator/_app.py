"""The API over HTTP: routes, checks in order, and operations."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import attrs
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response

from dcs_sessions.emulator import _contract as contract
from dcs_sessions.emulator._auth import Caller, Credentials, KeyLock, Throttle, authenticate
from dcs_sessions.emulator._errors import ApiError
from dcs_sessions.emulator._faults import Faults, Nothing, answer
from dcs_sessions.emulator._jobs import Jobs
from dcs_sessions.emulator._nodes import NodeError
from dcs_sessions.emulator._sessions import FIELDS, Snapshot
from dcs_sessions.emulator._validation import Body, Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Message, Receive, Scope, Send

    from dcs_sessions.emulator._instances import Served
    from dcs_sessions.emulator._nodes import Node

_log = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024
"""Maximum bytes of a body."""

_BODY_SECONDS = 30.0
_DRAIN_SECONDS = 2.0
_DRAIN_BYTES = 16 * MAX_BODY

# A page that describes and calls the API, built with the package. The emulator does not use it. It
# may load nothing from other hosts, and send nothing to them.
_PAGE = Path(__file__).with_name("page.html")
_PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_JOB_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@attrs.define(kw_only=True)
class State:
    """State of the emulator.

    Attributes:
        project_id: Project ID of the instances.
        instances: The instances, in the order of their list.
        credentials: Accepted credentials.
        scan_delay: Minimum duration of a scan in seconds.
        throttle: Limit of requests, or None.
        lock: Locks keys after refused signatures.
        hosts: Allowed values of the Host header besides loopback; None for any.
        faults: Injected faults.
        jobs: Running and finished jobs.
    """

    project_id: str
    instances: tuple[Served, ...]
    credentials: Credentials
    scan_delay: float = 0.0
    throttle: Throttle | None = None
    lock: KeyLock = attrs.field(factory=KeyLock)
    hosts: frozenset[str] | None = None
    faults: Faults = attrs.field(factory=Faults)
    jobs: Jobs = attrs.field(factory=Jobs)

    def instance(self, ids: Mapping[str, str]) -> Served:
        """Return the instance with the IDs of a path.

        Raises:
            ApiError: DCS.3022: there is no such instance.
        """
        for instance in self.instances:
            if instance.instance_id == ids["instance_id"]:
                return instance
        raise ApiError("DCS.3022")


class _Call(NamedTuple):
    """A request that passed authentication."""

    request: Request
    ids: Mapping[str, str]
    raw_body: bytes

    def body(self) -> Body:
        return Body(self.raw_body, self.request.headers.get("Content-Type", ""))

    def query(self) -> Query:
        return Query(self.request.scope["query_string"])


class _Operation(NamedTuple):
    """The operation of a method and a path, and the permission it requires."""

    name: str
    run: Callable[[State, _Call], Awaitable[Response]]
    action: str


async def _scan_clients(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/ScanClients.html."""
    body = call.body()
    node_id = body.text("node_id")
    clean_cache = body.boolean("clean_cache", default=False)
    node = state.instance(call.ids).node(node_id)
    if node.scanning:
        raise ApiError("DCS.4957")
    await _reach(node)
    if node.scanning:  # another request started a scan while the node was being checked
        raise ApiError("DCS.4957")
    # `clean_cache: false` without a stored list is not documented: make a list.
    if clean_cache or node.snapshot is None:
        node.scanning = True
        work = _scan(node, state.scan_delay)
    else:
        work = _nothing()
    # No document names the type of these jobs.
    return JSONResponse({"job_id": state.jobs.start("scanClientsJob", work).job_id})


async def _scan(node: Node, delay: float) -> None:
    try:
        await asyncio.sleep(delay)
        node.snapshot = Snapshot.of(await node.sessions())
    finally:
        node.scanning = False


async def _nothing() -> None:
    """Do nothing: the list is stored already."""


async def _list_clients(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/ListClients.html."""
    query = call.query()
    node_id = query.required("node_id")
    offset, limit = _page(query)
    addr = query.text("addr")
    # No default order is documented. Sorted by ID, the newest session is first.
    sort = query.choice("sort", default="id", of=FIELDS)
    order = query.choice("order", default="desc", of=("asc", "desc"))
    node = state.instance(call.ids).node(node_id)
    # A stored list stays readable until the next scan has succeeded.
    if node.snapshot is None:
        if node.scanning:
            raise ApiError("DCS.4957")
        raise ApiError("DCS.5000", detail="ScanClients has not stored a list for this node yet.")
    sessions, count = node.snapshot.page(
        offset=offset, limit=limit, addr=addr, sort=sort, descending=order == "desc"
    )
    return JSONResponse({"time": node.snapshot.time, "clients": sessions, "count": count})


def _page(query: Query) -> tuple[int, int]:
    """Return the offset and the limit of a list."""
    offset = query.integer("offset", default=0, least=0)
    return offset, query.integer("limit", default=10, least=1, most=1000)


async def _hang_up_clients(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/HangUpClients.html."""
    body = call.body()
    node_id = body.text("node_id")
    addrs = body.texts("client_addrs")
    node = state.instance(call.ids).node(node_id)
    try:
        await node.kill(addrs)
    except NodeError as error:
        raise ApiError("DCS.5053", detail=str(error)) from None
    # The stored list is not changed: it is a snapshot.
    return Response(status_code=204)


async def _hang_up_kill_all_clients(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/HangUpKillAllClients.html."""
    body = call.body()
    every = body.boolean("kill_all_nodes", default=False)
    node_id = body.text("node_id", required=not every)
    instance = state.instance(call.ids)
    nodes = instance.nodes if every else (instance.node(node_id),)
    # Check all nodes before any session is ended: all or nothing.
    await asyncio.gather(*(_reach(node) for node in nodes))
    job = state.jobs.start("killAllClientsJob", _kill_all(nodes))
    return JSONResponse({"job_id": job.job_id})


async def _kill_all(nodes: tuple[Node, ...]) -> None:
    for node in nodes:
        await node.kill_all()


async def _show_job_info(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/ShowJobInfo.html."""
    job_id = call.ids["job_id"]
    if not _JOB_ID.fullmatch(job_id):
        raise ApiError("DCS.4070")
    job = state.jobs.find(job_id)
    if job is None:
        raise ApiError("DCS.4001", detail="There is no such job.")
    return JSONResponse(job.describe())


async def _show_nodes_information(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/ShowNodesInformation.html."""
    instance = state.instance(call.ids)
    # A group is a shard with its replicas; only a cluster has several.
    is_sharded = instance.spec.mode == "cluster"
    shown = [
        node.describe(instance.instance_id, at if is_sharded else 0)
        for at, node in enumerate(instance.nodes)
    ]
    if instance.spec.is_proxied:
        shown.append(instance.nodes[0].describe(instance.instance_id, 0, behind=True))
    nodes = await asyncio.gather(*shown)
    return JSONResponse({"instance_id": instance.instance_id, "total": len(nodes), "nodes": nodes})


async def _list_instances(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/ListInstances.html."""
    query = call.query()
    wanted = {name: query.text(name) for name in _FILTERS}
    name_equal = query.text("name_equal") or ""
    recycled = query.choice("is_recycle", default="false", of=("true", "false")) == "true"
    # "true", or any other string for false.
    hidden = {
        status
        for name, status in (("include_failure", "CREATEFAILED"), ("include_delete", "DELETED"))
        if query.text(name) != "true"
    }
    offset, limit = _page(query)
    found = [
        instance.listed()
        for instance in state.instances
        # The emulator has no recycle bin.
        if not recycled
        and instance.spec.status not in hidden
        and instance.matches(wanted, name_equal=name_equal)
    ]
    # No document states whether the number counts the page or all instances.
    return JSONResponse({"instance_num": len(found), "instances": found[offset : offset + limit]})


async def _show_instance(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/ShowInstance.html."""
    return JSONResponse(state.instance(call.ids).shown())


async def _list_configurations(state: State, call: _Call) -> Response:
    """https://support.huaweicloud.com/intl/en-us/api-dcs/ListConfigurations.html."""
    try:
        return JSONResponse(await state.instance(call.ids).configurations())
    except NodeError as error:
        raise ApiError("DCS.5053", detail=str(error)) from None


async def _reach(node: Node) -> None:
    """Raise DCS.5053 if a node does not respond."""
    try:
        await node.ping()
    except NodeError as error:
        raise ApiError("DCS.5053", detail=str(error)) from None


_FILTERS = ("instance_id", "name", "status", "ip", "tags", "capacity")
_INSTANCES = r"/v2/(?P<project_id>[^/]+)/instances"
_INSTANCE = rf"{_INSTANCES}/(?P<instance_id>[^/]+)"
# Permissions are those of the API Reference of 2025-10. ShowNodesInformation is documented to need
# none; here it needs one like the others, so that a caller without permissions is refused.
_ROUTES: Mapping[re.Pattern[str], Mapping[str, _Operation]] = {
    re.compile(_INSTANCES): {
        "GET": _Operation("ListInstances", _list_instances, "dcs:instance:list"),
    },
    re.compile(_INSTANCE): {
        "GET": _Operation("ShowInstance", _show_instance, "dcs:instance:get"),
    },
    re.compile(f"{_INSTANCE}/configs"): {
        "GET": _Operation(
            "ListConfigurations", _list_configurations, "dcs:instance:getConfiguration"
        ),
    },
    re.compile(f"{_INSTANCE}/clients"): {
        "GET": _Operation("ListClients", _list_clients, "dcs:clients:list"),
        "POST": _Operation("ScanClients", _scan_clients, "dcs:clients:list"),
    },
    re.compile(f"{_INSTANCE}/clients/kill"): {
        "POST": _Operation("HangUpClients", _hang_up_clients, "dcs:clients:kill"),
    },
    re.compile(f"{_INSTANCE}/clients/kill-all"): {
        "POST": _Operation("HangUpKillAllClients", _hang_up_kill_all_clients, "dcs:clients:kill"),
    },
    re.compile(f"{_INSTANCE}/logical-nodes"): {
        "GET": _Operation("ShowNodesInformation", _show_nodes_information, "dcs:instance:get"),
    },
    re.compile(r"/v2/(?P<project_id>[^/]+)/jobs/(?P<job_id>[^/]+)"): {
        "GET": _Operation("ShowJobInfo", _show_job_info, "dcs:job:get"),
    },
}

OPERATIONS = frozenset(
    operation.name for operations in _ROUTES.values() for operation in operations.values()
)
"""Names of the operations."""


class App:
    """The ASGI application.

    It does not use Starlette's router, which matches decoded paths, in which an ID with `%2F` would
    be two, and does not combine the methods of a path.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, also if an error occurs."""
        try:
            await self._respond(scope, receive, send)
        except asyncio.CancelledError:  # the server is stopping, or is reset
            # A client that does not read must not stop that: close() waits until it has read all.
            scope["state"]["abort"]()
            await Nothing()(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = uuid.uuid4().hex
        request = Request(scope, receive)
        refused = False
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except ApiError as error:
            response = error.response(request_id)
            refused = error.code == "APIGW.0201"
            if error.cut is not None:
                response = error.cut(response)
        except Exception:  # noqa: BLE001 - a fault of the emulator is answered, too
            _log.exception("request %s failed", request_id)
            response = ApiError("DCS.5000").response(request_id)
        response.headers["X-Request-Id"] = request_id
        if refused:
            response.headers["Connection"] = "close"
            await _respond_and_drain(response, scope, receive, send)
        else:
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        """Check a request in order: route, credentials, parameters."""
        _check_host(request, self._state.hosts)
        path = request.scope["raw_path"].decode("latin-1")
        if path == "/" and request.method == "GET" and _PAGE.exists():
            return FileResponse(_PAGE, headers={"Content-Security-Policy": _PAGE_POLICY})
        if path in contract.PATHS:
            return await contract.answer(request)
        operations, ids = _route(path)
        operation = operations.get(request.method)
        if operation is None:
            raise ApiError("DCS.5001", headers={"Allow": ", ".join(operations)})
        # A signature covers the body, so the body is read before authentication.
        body = await _read(request)
        query = request.scope["query_string"].decode("latin-1")
        target = f"{path}?{query}" if query else path
        state = self._state
        caller = authenticate(request, target, body, state.credentials, state.lock)
        self._admit(request, caller, operation, ids)
        latency, fault = self._state.faults.draw(operation.name)
        if latency:
            await asyncio.sleep(latency)
        call = _Call(request, ids, body)
        return await answer(fault, lambda: operation.run(self._state, call))

    def _admit(
        self, request: Request, caller: Caller, operation: _Operation, ids: Mapping[str, str]
    ) -> None:
        if self._state.throttle is not None:
            self._state.throttle.count(caller)
        caller.authorize(operation.action)
        own = self._state.project_id
        if not (
            caller.own_project
            and ids["project_id"] == own
            and request.headers.get("X-Project-Id", own) == own
        ):
            raise ApiError("DCS.1004")
        if "instance_id" in ids:
            self._state.instance(ids)


def _check_host(request: Request, hosts: frozenset[str] | None) -> None:
    """Refuse a request that a web page sends under its own host name (DNS rebinding).

    Raises:
        ApiError: APIGW.0201: the Host header is not allowed.
    """
    value = request.headers.get("Host")
    if hosts is None or value is None:
        return
    host = re.sub(r":[0-9]*$", "", value).strip("[]").rstrip(".").lower()
    if host in hosts or host == "localhost" or host.endswith(".localhost"):
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise ApiError("APIGW.0201", "the Host header names another host; see --allowed-host")


def _route(path: str) -> tuple[Mapping[str, _Operation], Mapping[str, str]]:
    """Return the route of a path, and its IDs, decoded after the path has been split."""
    for pattern, operations in _ROUTES.items():
        match = pattern.fullmatch(path)
        if match is not None:
            return operations, {key: unquote(value) for key, value in match.groupdict().items()}
    raise ApiError("APIGW.0101")


async def _read(request: Request) -> bytes:
    """Return the body; raise an error if it is too large or too slow."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MAX_BODY:
        raise ApiError("APIGW.0201", "the request body is too large")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise ApiError("APIGW.0201", "the request body is too large")
    except TimeoutError:
        raise ApiError("APIGW.0201", "the request body is too slow") from None
    return bytes(body)


async def _respond_and_drain(
    response: Response, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a client that is still sending, so that it can read the answer.

    Closing at once would reset the connection, and the client would lose the answer.
    """

    async def hold(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await send(message)

    await response(scope, receive, hold)
    drained = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while drained < _DRAIN_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                if not message.get("more_body"):
                    break
    await send({"type": "http.response.body", "body": b""})
