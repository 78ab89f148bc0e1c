"""The emulator as a whole: its nodes, its HTTP server, and the thread both live in."""

from __future__ import annotations

import asyncio
import atexit
import dataclasses
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
_RESET_SECONDS = 1.0  # for a server that does not answer any more
_KEEP_ALIVE_SECONDS = 75  # of a pooled connection; nginx has the same
_HEAD_SECONDS = 30.0  # for a request up to its body


class EmulatorError(Exception):
    """The emulator cannot start.

    Attributes:
        argument: Which argument of `Emulator` is to blame.
        reason: Why, in one line and without secrets.
    """

    def __init__(self, argument: str, reason: str) -> None:
        self.argument = argument
        self.reason = reason
        super().__init__(f"{argument}: {reason}")


class Emulator:
    """A local DCS: instances whose nodes are real servers, behind the documented API.

    It runs in a thread of this process, and embedded nodes are Valkey processes that end with it::

        with Emulator() as dcs:
            print(dcs.endpoint, dcs.node_ids, dcs.redis_urls)

    Several may run at once. Nothing is kept when one ends.

    Source of what it does: https://support.huaweicloud.com/intl/en-us/api-dcs/.

    Args:
        host: The address to listen at. Anything but loopback lets others in.
        port: The TCP port to listen at; 0 takes a free one.
        nodes: How many Valkey servers to start, each a node; not used with `redis`.
        redis: URLs of servers of one's own, each a node: Valkey, or Redis 6.2 and later.
        project_id: The project of the instances.
        instance_id: The first instance, whose nodes these are.
        instance_name: Its name.
        cache_mode: Its type: single, ha, ha_rw_split, cluster or proxy. By default single with one
            node, and cluster with more.
        transparent_client_ip: Whether its client IP pass-through is on. If not, the `addr` of a
            session is an internal address, 198.19.x.x.
        node_ids: Ids of the nodes in order, instead of the constant ones.
        instances: Further instances.
        credentials: The logins to take, instead of the constant ones.
        scan_delay: Seconds that a scan takes at least.
        rate_limit: Requests, and the seconds within which each caller may make so many.
        key_lock: Seconds for which an access key is locked after more than five refused signatures
            in a row. The service has 300; 0 for never, so that one test's failures are not the
            next one's.
        allowed_hosts: Host names that requests may be for while it listens on loopback, besides
            `localhost` and loopback addresses. All others are refused, for a web page may have its
            name resolve to loopback.
        faults: What goes wrong on purpose, to see how a program takes it.
        seed: What chance starts from where a fault strikes a part of the requests only: with the
            same seed, the same ones. Another one each time by default.

    Attributes:
        endpoint: The URL of the API, without a path. This one and the next two are known once it
            runs.
        node_ids: The ids of the nodes of the first instance that hold its sessions.
        redis_urls: The nodes' servers, in the same order; passwords included.
        project_id: The project of the instances.
        instance_id: The first instance.
        instance_name: Its name.
        token: A token that may do everything.
        readonly_token: A token that may not kill.
        noaccess_token: A token that may do nothing.
        ak: The access key.
        sk: The secret key.
        seed: The seed of the faults.

    Raises:
        EmulatorError: If an argument makes no sense.
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
        # Nodes without an ID of their own are counted through, over all instances.
        numbers = itertools.count()
        self._specs = [
            dataclasses.replace(
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
                raise EmulatorError("instances", "each needs an id, and nodes, of its own")
        if not 0 <= port <= 65535:
            raise EmulatorError("port", f"{port} is no port")
        if not scan_delay >= 0:
            raise EmulatorError("scan_delay", "a scan cannot take less than no time")
        if rate_limit is not None and min(rate_limit) < 1:
            raise EmulatorError("rate_limit", "both numbers must be at least 1")
        if not 0 <= key_lock < math.inf:
            raise EmulatorError("key_lock", "a number of seconds, 0 or more, is needed")
        if not all(re.fullmatch(r"[A-Za-z0-9._:-]+", name) for name in allowed_hosts):
            raise EmulatorError("allowed_hosts", "names without a port are needed")
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
        """The nodes' servers without their passwords, to be shown."""
        return tuple(masked(url) for url in self.redis_urls)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong on purpose; it can be replaced while the emulator runs.

        A request that has been struck already stays so.

        Raises:
            EmulatorError: If a fault names no operation of the API.
        """
        return self._faults.current

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        _check_faults(faults)
        self._faults.set(faults)

    @contextmanager
    def fault(self, fault: Fault) -> Generator[None]:
        """Let one more thing go wrong for the length of a `with` block.

        `with dcs.fault(Fault(status=503, operation="ListClients")): ...`

        Raises:
            EmulatorError: If the fault names no operation of the API.
        """
        _check_faults([fault])
        remove = self._faults.add(fault)
        try:
            yield
        finally:
            remove()

    def reset(self) -> None:
        """Make everything as it was at the start, which takes less time than another start.

        Requests that are being answered are cut off. Stored lists, tasks, counted requests and
        locked keys are forgotten, and the faults are those that were given. Embedded servers lose
        their sessions, data and changed settings, and one that has ended is started again at the
        same address. Servers of your own (`redis`) are not touched.

        Raises:
            EmulatorError: If an embedded server cannot be started again.
            RuntimeError: If it does not run.
        """
        if self._loop is None or self._ended.is_set():
            raise RuntimeError("the emulator does not run: start it first")
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result()

    def start(self) -> None:
        """Start it; once this returns, it serves.

        Raises:
            EmulatorError: If it cannot: the port is taken, a server is not there, ...
            RuntimeError: If it runs already.
        """
        if self._thread is not None:
            raise RuntimeError("the emulator runs already")
        listener = _listen(self._host, self._port)
        serving: Future[None] = Future()
        self._ended.clear()
        # A thread of its own also for embedded servers, which end with the thread that made them.
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
        """End it, and its embedded servers. Doing so twice does no harm."""
        atexit.unregister(self.stop)
        if self._server is not None and self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._server.end)
        if self._thread is not None:
            self._thread.join()
        self._thread = self._server = self._state = self._loop = None
        self.endpoint = ""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it ends by itself, which it should not, or for so many seconds.

        Returns:
            Whether it has ended.
        """
        return self._ended.wait(timeout)

    def write_ready_file(self, path: Path) -> None:
        """Write all that a client needs to a JSON file that only its owner can read.

        The file appears whole or not at all; one that is there already is replaced.

        Raises:
            OSError: If it cannot be written.
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
                # A factory, because uvicorn calls anything else to find out whether it is one.
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
            raise RuntimeError("the emulator is ending")
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
    """A server that says when it has started, and ends without waiting for anybody."""

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
            counter = (counter + 1) % 864000  # as in uvicorn, whose ticks tell the time
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), 0.1)

    async def cut_off(self) -> None:
        """End all requests that are being answered."""
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
        # What has been written already is for the system to send; what has not, nobody reads.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # Each leaves the set when the loop has told it, which takes one or two turns.
        while self.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)


class _Protocol(H11Protocol):
    """HTTP/1.1, whose own refusals look like all others, and which does not wait for ever."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "hang_up": transport.close}
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._calm()
        elif self._patience is None:  # the first part of a next request
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._patience = self.loop.call_later(_HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        if self.conn.trailing_data[0]:
            self.send_400_response("the request head is too slow")
        else:  # nothing was asked yet
            self.timeout_keep_alive_handler()

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _unsupported_upgrade_warning(self) -> None:
        """Java offers HTTP/2 in every request, which is no reason to warn."""

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
    # Not create_server(): it leaves the protocol open, and asyncio switches Nagle's algorithm off
    # only where it reads TCP. An answer would take 40 ms.
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
    if address.is_unspecified:  # all addresses, of which this one always works
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def _start_valkeys(stack: AsyncExitStack, specs: Sequence[Instance]) -> dict[str, EmbeddedValkey]:
    """Start all embedded servers at the same time; they end with the stack."""
    servers: list[EmbeddedValkey] = []
    stack.callback(_end_valkeys, servers)
    try:
        count = sum(spec.nodes for spec in specs if not spec.redis)
        # One by one, so that each is in the list, and ends, whatever happens to the next.
        for _ in range(count):
            servers.append(EmbeddedValkey(wait=False))  # noqa: PERF401
        for server in servers:
            server.wait()
    except ValkeyStartError as error:
        raise EmulatorError("nodes", str(error)) from None
    return {server.url: server for server in servers}


def _end_valkeys(servers: Sequence[EmbeddedValkey]) -> None:
    # All are told to end before the first is waited for.
    for wait in (False, True):
        for server in servers:
            server.kill(wait=wait)


async def _reset_node(node: Node, master: Node | None, server: EmbeddedValkey) -> None:
    """Make a node as it was; if its server does not do that, by starting it again."""
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
        reason = f"operation: it is one of {', '.join(sorted(OPERATIONS))}"
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
    except ValueError:  # its text could hold a part of the password
        reason = "no URL like redis://user:password@host:6379/0"
        raise EmulatorError("redis", f"{masked(url)}: {reason}") from None
    except NodeError as error:
        raise EmulatorError("redis", f"{masked(url)}: {error}") from None
    return node
