"""Fixtures for tests of the emulator, over plain HTTP and plain sockets."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

import httpx
import pytest

from dcs_sessions.emulator import Emulator
from dcs_sessions.emulator._valkey import EmbeddedValkey
from support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Api:
    """The emulator's API as plain HTTP."""

    def __init__(self, dcs: Emulator, token: str | None = None) -> None:
        self.dcs = dcs
        self.http = httpx.Client(
            base_url=dcs.endpoint,
            headers={"X-Auth-Token": token or dcs.token},
            trust_env=False,
            verify=False,  # there is no TLS, and certificates take long to load
        )
        self.project = f"/v2/{dcs.project_id}"
        self.instance = f"{self.project}/instances/{dcs.instance_id}"
        self.clients = f"{self.instance}/clients"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def scan(self, node: int = 0, **body: Any) -> httpx.Response:
        return self.http.post(self.clients, json={"node_id": self.dcs.node_ids[node], **body})

    def listed(self, node: int = 0, **params: Any) -> httpx.Response:
        return self.http.get(self.clients, params={"node_id": self.dcs.node_ids[node], **params})

    def kill(self, addrs: list[str], node: int = 0) -> httpx.Response:
        body = {"node_id": self.dcs.node_ids[node], "client_addrs": addrs}
        return self.http.post(f"{self.clients}/kill", json=body)

    def kill_all(self, **body: Any) -> httpx.Response:
        return self.http.post(f"{self.clients}/kill-all", json=body)

    def job(self, job_id: str) -> httpx.Response:
        return self.http.get(f"{self.project}/jobs/{job_id}")

    def nodes(self) -> httpx.Response:
        return self.http.get(f"{self.instance}/logical-nodes")

    def done(self, started: httpx.Response) -> dict[str, Any]:
        """Wait for the job that an answer names to end."""
        assert started.status_code == 200, started.text
        job_id = started.json()["job_id"]
        wait_until(lambda: self.job(job_id).json()["status"] in ("SUCCESS", "FAIL"))
        job: dict[str, Any] = self.job(job_id).json()
        return job

    def sessions(self, node: int = 0, **params: Any) -> list[dict[str, Any]]:
        """Scan again, and return the first 1,000 sessions."""
        assert self.done(self.scan(node, clean_cache=True))["status"] == "SUCCESS"
        sessions: list[dict[str, Any]] = self.listed(node, **{"limit": 1000, **params}).json()[
            "clients"
        ]
        return sessions


class Peer:
    """A minimal client of a Redis server."""

    def __init__(self, url: str, name: str = "") -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port or 6379), timeout=10)
        if parts.password:
            assert self.command("AUTH", parts.password) == b"+OK\r\n"
        if name:
            assert self.command("CLIENT", "SETNAME", name) == b"+OK\r\n"
        else:
            # A busy server may know of the connection only once it has answered.
            self.command("PING")

    @property
    def addr(self) -> str:
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    def send(self, *arguments: str) -> None:
        parts = [argument.encode() for argument in arguments]
        packed = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self.socket.sendall(b"*%d\r\n%s" % (len(parts), packed))

    def command(self, *arguments: str) -> bytes:
        """Run a command whose reply is short or a bulk string."""
        self.send(*arguments)
        reply = self.socket.recv(65536)
        if reply.startswith(b"$"):
            length = int(reply[1 : reply.index(b"\r\n")])
            reply = reply[reply.index(b"\r\n") + 2 :]
            while len(reply) < length + 2:
                reply += self.socket.recv(65536)
            reply = reply[:length]
        return reply

    def is_alive(self) -> bool:
        try:
            return self.command("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def sees_end(self) -> bool:
        """Return whether the server closes the connection within the socket's timeout."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True


class MakeDcs(Protocol):
    def __call__(self, **arguments: Any) -> Emulator: ...


class MakeValkey(Protocol):
    def __call__(self, port: int = 0) -> EmbeddedValkey: ...


class Connect(Protocol):
    def __call__(self, url: str, name: str = "") -> Peer: ...


class MakeApi(Protocol):
    def __call__(self, dcs: Emulator, token: str | None = None) -> Api: ...


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def make_dcs(stack: ExitStack) -> MakeDcs:
    def make(**arguments: Any) -> Emulator:
        return stack.enter_context(Emulator(**arguments))

    return make


@pytest.fixture
def make_valkey(stack: ExitStack) -> MakeValkey:
    def make(port: int = 0) -> EmbeddedValkey:
        server = EmbeddedValkey(port)
        stack.callback(server.kill)
        return server

    return make


@pytest.fixture
def connect(stack: ExitStack) -> Connect:
    def connect(url: str, name: str = "") -> Peer:
        peer = Peer(url, name)
        stack.callback(peer.socket.close)
        return peer

    return connect


@pytest.fixture
def make_api(stack: ExitStack) -> MakeApi:
    def make(dcs: Emulator, token: str | None = None) -> Api:
        return stack.enter_context(Api(dcs, token))

    return make


@pytest.fixture
def fresh(make_dcs: MakeDcs) -> Emulator:
    """An emulator with two nodes, for one test."""
    return make_dcs(nodes=2)


@pytest.fixture
def api(fresh: Emulator, make_api: MakeApi) -> Api:
    """The API of `fresh`."""
    return make_api(fresh)


@pytest.fixture
def shared(dcs: Emulator, make_api: MakeApi) -> Api:
    """The API of the shared emulator."""
    return make_api(dcs)
