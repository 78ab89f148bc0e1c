"""The emulator: nodes, HTTP server, and the thread of both."""

from __future__ import annotations

import asyncio
import atexit
import ipaddress
import itertools
import json
import math
import os
import re
import secrets
import socket
import tempfile
import threading
import uuid
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs
import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dcs_sessions.emulator import _constants
from dcs_sessions.emulator._app import OPERATIONS, App, State
from dcs_sessions.emulator._auth import Credentials, KeyLock, Throttle
from dcs_sessions.emulator._errors import ApiError
from dcs_sessions.emulator._faults import Faults
from dcs_sessions.emulator._instances import Instance, Served
from dcs_sessions.emulator._nodes import Node, NodeError, masked
from dcs_sessions.emulator._valkey import EmbeddedValkey, ValkeyStartError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from dcs_sessions.emulator._faults import Fault

_BACKLOG = 2048
_RESET_SECONDS = 1.0  # of a server that does not respond any more
_KEEP_ALIVE_SECONDS = 75  # of an idle connection, as in nginx
_HEAD_SECONDS = 30.0  # of a request head


class EmulatorError(Exception):
    """The emulator cannot start.

    Attributes:
        argument: Name of the argument of `Emulator` that is the cause.
        reason: Reason in one line, without secrets.
    """

    def __init__(self, argument: str, reason: str) -> None:
        self.argument = argument
        self.reason = reason
        super().__init__(f"{argument}: {reason}")


class Emulator:
    """A local DCS: instances whose nodes are real servers, with the documented API.

    It runs in a thread of this process. Embedded nodes are Valkey processes that end with it.

    ```python
    with Emulator() as dcs:
        print(dcs.endpoint, dcs.node_ids, dcs.redis_urls)
    ```

    Several can run at once. Nothing is kept after the end.

    See https://support.huaweicloud.com/intl/en-us/api-dcs/.

    Args:
        host: Address to listen on. Other machines can connect unless it is loopback.
        port: TCP port to listen on; 0 picks a free one.
        nodes: Number of nodes, each an embedded Valkey server; ignored with `redis`.
        redis: URLs of your own servers, each a node: Valkey, or Redis 6.2 and later.
        project_id: Project ID of the instances.
        instance_id: ID of the first instance, which has these nodes.
        instance_name: Name of the first instance.
        cache_mode: Type of the first instance: single, ha, ha_rw_split, cluster or proxy. Default:
            single with one node, cluster with more.
        transparent_client_ip: Whether client IP pass-through of the first instance is on. If not,
            the `addr` of a session is an internal address, 198.19.x.x.
        node_ids: IDs of the nodes in order; None for defaults.
        instances: Further instances.
        credentials: Accepted credentials; None for the defaults.
        scan_delay: Minimum duration of a scan in seconds.
        rate_limit: Number of requests of each caller, and the seconds of the window; None for no
            limit.
        key_lock: Seconds for which an access key is locked after more than five consecutive refused
            signatures. The service has 300; 0 means never, so that tests do not affect each other.
        allowed_hosts: Host names that requests may have, besides `localhost` and loopback
            addresses, while it listens on loopback. Others are refused, since a web page may make
            its own name resolve to loopback.
        faults: Faults to inject.
        seed: Seed of faults with a probability: the same seed affects the same requests. Default: a
            random one.

    Attributes:
        endpoint: URL of the API, without a path. It and the next two attributes are set by the
            start.
        node_ids: IDs of the nodes of the first instance that hold its sessions.
        redis_urls: URLs of the servers of these nodes, in the same order, with passwords.
        project_id: Project ID of the instances.
        instance_id: ID of the first instance.
        instance_name: Name of the first instance.
        token: A token with all permissions.
        readonly_token: A token without the permission to end sessions.
        noaccess_token: A token without permissions.
        ak: Access key.
        sk: Secret key.
        seed: The seed of the faults.

    Raises:
        EmulatorError: An argument is invalid.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        nodes: int = 1,
        redis: Sequence[str] = (),
        project_id: str = _constants.PROJECT_ID,
        instance_id: str = _constants.INSTANCE_ID,
        instance_name: str = _constants.INSTANCE_NAME,
        cache_mode: str | None = None,
        transparent_client_ip: bool = True,
        node_ids: Sequence[str] | None = None,
        instances: Sequence[Instance] = (),
        credentials: Credentials | None = None,
        scan_delay: float = 0.0,
        rate_limit: tuple[int, int] | None = None,
        key_lock: float = 0.0,
        allowed_hosts: Sequence[str] = (),
        faults: Sequence[Fault] = (),
        seed: int | None = None,
    ) -> None:
        try:
            first = Instance(
                name=instance_name,
                instance_id=instance_id,
                cache_mode=cache_mode,
                nodes=nodes,
                redis=redis,
                node_ids=node_ids,
                transparent_client_ip=transparent_client_ip,
            )
        except ValueError as error:
            argument, _, reason = str(error).partition(": ")
            raise EmulatorError({"name": "instance_name"}.get(argument, argument), reason) from None
        # Default IDs of nodes are counted over all instances.
        numbers = itertools.count()
        self._specs = [
            attrs.evolve(
                spec,
                instance_id=spec.instance_id or _constants.instance_id(index),
                node_ids=tuple(spec.node_ids or _next_ids(numbers, spec.node_count)),
            )
            for index, spec in enumerate((first, *instances))
        ]
        for ids in (
            [spec.instance_id for spec in self._specs],
            [node_id for spec in self._specs for node_id in spec.node_ids or ()],
        ):
            if len(set(ids)) != len(ids):
                raise EmulatorError("instances", "each must have its own ID and nodes")
        if not 0 <= port <= 65535:
            raise EmulatorError("port", f"{port} must be a port from 0 to 65535")
        if not scan_delay >= 0:
            raise EmulatorError("scan_delay", "must be at least 0")
        if rate_limit is not None and min(rate_limit) < 1:
            raise EmulatorError("rate_limit", "both numbers must be at least 1")
        if not 0 <= key_lock < math.inf:
            raise EmulatorError("key_lock", "must be a number of seconds, at least 0")
        if not all(re.fullmatch(r"[A-Za-z0-9._:-]+", name) for name in allowed_hosts):
            raise EmulatorError("allowed_hosts", "must be host names without a port")
        _check_faults(faults)
        self._credentials = credentials or Credentials()
        self.project_id = project_id
        self.instance_id = instance_id
        self.instance_name = instance_name
        self.node_ids: tuple[str, ...] = tuple(self._specs[0].node_ids or ())
        self.redis_urls: tuple[str, ...] = tuple(redis)
        self.token: str = self._credentials.token
        self.readonly_token: str = self._credentials.readonly_token
        self.noaccess_token: str = self._credentials.noaccess_token
        self.ak: str = self._credentials.ak
        self.sk: str = self._credentials.sk
        self.endpoint: str = ""
        self.seed: int = secrets.randbelow(2**32) if seed is None else seed

        self._host = host
        self._port = port
        self._urls: list[tuple[str, ...]] = [tuple(spec.redis) for spec in self._specs]
        self._scan_delay = scan_delay
        self._rate_limit = rate_limit
        self._key_lock = key_lock
        self._allowed_hosts = frozenset(name.rstrip(".").lower() for name in allowed_hosts)
        self._first_faults = tuple(faults)
        self._faults = Faults(faults, self.seed)
        self._valkeys: dict[str, EmbeddedValkey] = {}
        self._state: State | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: _Server | None = None
        self._ended = threading.Event()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.endpoint or 'not running'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def instances(self) -> list[dict[str, Any]]:
        """All instances: `instance_id`, `name`, `node_ids` and `redis_urls` of each."""
        return [
            {
                "instance_id": spec.instance_id,
                "name": spec.name,
                "node_ids": list(spec.node_ids or ()),
                "redis_urls": list(urls),
            }
            for spec, urls in zip(self._specs, self._urls, strict=True)
        ]

    @property
    def masked_redis_urls(self) -> tuple[str, ...]:
        """URLs of the servers without passwords."""
        return tuple(masked(url) for url in self.redis_urls)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Injected faults, which can be replaced while the emulator runs.

        Requests that are affected already are not changed.

        Raises:
            EmulatorError: A fault names an unknown operation.
        """
        return self._faults.current

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        _check_faults(faults)
        self._faults.set(faults)

    @contextmanager
    def fault(self, fault: Fault) -> Generator[None]:
        """Inject one more fault during a `with` block.

        `with dcs.fault(Fault(status=503, operation="ListClients")): ...`

        Raises:
            EmulatorError: The fault names an unknown operation.
        """
        _check_faults([fault])
        remove = self._faults.add(fault)
        try:
            yield
        finally:
            remove()

    def reset(self) -> None:
        """Restore the state after the start, faster than a restart.

        Running requests are aborted. Stored lists, jobs, request counts and key locks are removed,
        and the faults are those passed to the constructor. Embedded servers lose their sessions,
        data and changed settings, and a server that has ended is restarted at the same address.
        Your own servers (`redis`) are not changed.

        Raises:
            EmulatorError: An embedded server cannot be restarted.
            RuntimeError: It is not running.
        """
        if self._loop is None or self._ended.is_set():
            raise RuntimeError("the emulator is not running: start it first")
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result()

    def start(self) -> None:
        """Start the emulator. It serves once this returns.

        Raises:
            EmulatorError: It cannot start: the port is taken, a server does not respond, ...
            RuntimeError: It is running already.
        """
        if self._thread is not None:
            raise RuntimeError("the emulator is running already")
        listener = _listen(self._host, self._port)
        serving: Future[None] = Future()
        self._ended.clear()
        # One thread also for embedded servers, which end with the thread that started them.
        self._thread = threading.Thread(
            target=self._run, args=(listener, serving), name="dcs-emulator", daemon=True
        )
        self._thread.start()
        atexit.register(self.stop)
        try:
            serving.result()
        except BaseException:
            self.stop()
            raise
        self.endpoint = _endpoint(listener)

    def stop(self) -> None:
        """Stop the emulator and its embedded servers. It may be called twice."""
        atexit.unregister(self.stop)
        if self._server is not None and self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._server.end)
        if self._thread is not None:
            self._thread.join()
        self._thread = self._server = self._state = self._loop = None
        self.endpoint = ""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the emulator ends unexpectedly, for at most a number of seconds.

        Returns:
            Whether it has ended.
        """
        return self._ended.wait(timeout)

    def write_ready_file(self, path: Path) -> None:
        """Write addresses, IDs and credentials to a JSON file that only its owner can read.

        The file is replaced atomically.

        Raises:
            OSError: The file cannot be written.
        """
        facts = {
            "endpoint": self.endpoint,
            "project_id": self.project_id,
            "instance_id": self.instance_id,
            "node_ids": self.node_ids,
            "redis_urls": self.redis_urls,
            "token": self.token,
            "readonly_token": self.readonly_token,
            "noaccess_token": self.noaccess_token,
            "ak": self.ak,
            "sk": self.sk,
            "temporary_ak": self._credentials.temporary_ak,
            "temporary_sk": self._credentials.temporary_sk,
            "security_token": self._credentials.security_token,
            "instance_name": self.instance_name,
            "instances": self.instances,
        }
        # mkstemp makes a file of mode 0600.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(facts, file, indent=2)
                file.write("\n")
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _run(self, listener: socket.socket, serving: Future[None]) -> None:
        try:
            with listener:
                asyncio.run(self._serve(listener, serving))
        except BaseException as error:
            if serving.done():
                raise
            serving.set_exception(error)
        finally:
            self._ended.set()

    async def _serve(self, listener: socket.socket, serving: Future[None]) -> None:
        async with AsyncExitStack() as stack:
            self._valkeys = _start_valkeys(stack, self._specs)
            embedded = iter(self._valkeys)
            self._urls = [
                tuple(spec.redis or itertools.islice(embedded, spec.nodes)) for spec in self._specs
            ]
            self.redis_urls = self._urls[0]
            self._faults.set(self._faults.current)
            self._loop = asyncio.get_running_loop()
            self._state = state = State(
                project_id=self.project_id,
                instances=tuple(
                    [
                        await _open_instance(stack, spec, urls)
                        for spec, urls in zip(self._specs, self._urls, strict=True)
                    ]
                ),
                credentials=self._credentials,
                scan_delay=self._scan_delay,
                throttle=Throttle(*self._rate_limit) if self._rate_limit else None,
                lock=KeyLock(self._key_lock),
                hosts=self._allowed_hosts if _is_loopback(listener) else None,
                faults=self._faults,
            )
            stack.push_async_callback(state.jobs.close)
            config = uvicorn.Config(
                # A factory, since uvicorn calls any other object to find out whether it is one.
                lambda: App(state),
                factory=True,
                interface="asgi3",
                http=_Protocol,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            )
            self._server = _Server(config, serving)
            await self._server.serve(sockets=[listener])

    async def _reset(self) -> None:
        state, server = self._state, self._server
        if state is None or server is None:
            raise RuntimeError("the emulator is stopping")
        await server.cut_off()
        await state.jobs.reset()
        if state.throttle is not None:
            state.throttle.reset()
        state.lock.reset()
        self._faults.set(self._first_faults)
        for instance, urls in zip(state.instances, self._urls, strict=True):
            for node, url in zip(instance.nodes, urls, strict=True):
                replica = instance.spec.mode == "ha" and node is not instance.nodes[0]
                master = instance.nodes[0] if replica else None
                if url in self._valkeys:
                    await _reset_node(node, master, self._valkeys[url])
                else:
                    node.snapshot = None


class _Server(uvicorn.Server):
    """A server that reports its start, and stops without waiting for requests."""

    def __init__(self, config: uvicorn.Config, serving: Future[None]) -> None:
        super().__init__(config)
        self._serving = serving
        self._ending = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._ending.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._serving.set_result(None)

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864000  # as in uvicorn, whose ticks update the Date header
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), 0.1)

    async def cut_off(self) -> None:
        """Abort all running requests."""
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self.cut_off()
        # The system sends what has been written already; the rest is dropped.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # Each leaves the set after one or two turns of the loop.
        while self.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)


class _Protocol(H11Protocol):
    """HTTP/1.1 with error responses of the API, and with a timeout of request heads."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        closing = {"hang_up": transport.close, "abort": transport.abort}
        self.app_state = {**self.app_state, **closing}
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._calm()
        elif self._patience is None:  # the beginning of the next request
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._patience = self.loop.call_later(_HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        if self.conn.trailing_data[0]:
            self.send_400_response("the request head is too slow")
        else:  # no request has started
            self.timeout_keep_alive_handler()

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _unsupported_upgrade_warning(self) -> None:
        """Do not warn about the HTTP/2 upgrade that Java offers in every request."""

    def send_400_response(self, msg: str) -> None:
        request_id = uuid.uuid4().hex
        answer = ApiError("APIGW.0201", msg).response(request_id)
        headers = [*answer.raw_headers, (b"x-request-id", request_id.encode())]
        head = h11.Response(status_code=400, headers=[*headers, (b"connection", b"close")])
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        ((family, *_, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EmulatorError("host", f"{host}: {error.strerror}") from None
    # Not create_server(), which leaves the protocol open: asyncio turns off Nagle's algorithm only
    # for TCP sockets, and a response would take 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        argument = "host" if port == 0 else "port"
        raise EmulatorError(argument, f"{host}:{port}: {error.strerror}") from None
    return listener


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _endpoint(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:  # all addresses, of which loopback always works
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def _start_valkeys(stack: AsyncExitStack, specs: Sequence[Instance]) -> dict[str, EmbeddedValkey]:
    """Start all embedded servers at the same time. They end with the stack."""
    servers: list[EmbeddedValkey] = []
    stack.callback(_end_valkeys, servers)
    try:
        count = sum(spec.nodes for spec in specs if not spec.redis)
        # One by one, so that each is stopped if the next one fails.
        for _ in range(count):
            servers.append(EmbeddedValkey(wait=False))  # noqa: PERF401
        for server in servers:
            server.wait()
    except ValkeyStartError as error:
        raise EmulatorError("nodes", str(error)) from None
    return {server.url: server for server in servers}


def _end_valkeys(servers: Sequence[EmbeddedValkey]) -> None:
    # Stop all before waiting for the first.
    for wait in (False, True):
        for server in servers:
            server.kill(wait=wait)


async def _reset_node(node: Node, master: Node | None, server: EmbeddedValkey) -> None:
    """Reset a node, or restart its server if it cannot be reset."""
    try:
        async with asyncio.timeout(_RESET_SECONDS):
            await node.reset(master)
    except (NodeError, TimeoutError):
        await node.close()
        try:
            server.restart()
            await node.reset(master)
        except (ValkeyStartError, NodeError) as error:
            raise EmulatorError("nodes", str(error)) from None


def _check_faults(faults: Sequence[Fault]) -> None:
    if not OPERATIONS.issuperset(fault.operation for fault in faults if fault.operation):
        reason = f"operation: must be one of {', '.join(sorted(OPERATIONS))}"
        raise EmulatorError("faults", reason)


def _next_ids(numbers: Iterator[int], count: int) -> list[str]:
    return [_constants.node_id(next(numbers)) for _ in range(count)]


async def _open_instance(stack: AsyncExitStack, spec: Instance, urls: Sequence[str]) -> Served:
    nodes = [
        await _open_node(
            stack,
            node_id,
            url,
            proxy=spec.is_proxied,
            passes_through=spec.transparent_client_ip,
        )
        for node_id, url in zip(spec.node_ids or (), urls, strict=True)
    ]
    if spec.mode == "ha" and not spec.redis:
        for node in nodes[1:]:
            await node.replicate(nodes[0])
    return Served(spec=spec, instance_id=spec.instance_id or "", nodes=tuple(nodes))


async def _open_node(stack: AsyncExitStack, node_id: str, url: str, **settings: bool) -> Node:
    try:
        node = Node(node_id, url, **settings)
        stack.push_async_callback(node.close)
        await node.check()
    except (ValueError, NodeError) as error:
        raise EmulatorError("redis", f"{masked(url)}: {error}") from None
    return node
