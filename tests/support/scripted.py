"""A server that answers by a script, byte for byte, faults included."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Received:
    """A request as received."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    # Names as they were sent, also those that were sent twice.
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


# Answers a request on its connection in whatever way.
Step = Callable[[socket.socket, Received], None]


def answer(
    status: int = 200,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    reason: str = "Whatever",
) -> Step:
    """Answer with a body: bytes unchanged, None as no body, anything else as JSON."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = {
        "Content-Type": "application/json",
        "Content-Length": str(len(raw)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return send(f"HTTP/1.1 {status} {reason}\r\n{head}\r\n".encode() + raw)


def send(raw: bytes, *, close: bool = False) -> Step:
    """Answer with these bytes, and close the connection if told to."""

    def step(connection: socket.socket, _: Received) -> None:
        connection.sendall(raw)
        if close:
            connection.shutdown(socket.SHUT_RDWR)

    return step


def reset(connection: socket.socket, _: Received) -> None:
    """Reset the connection instead of answering."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    os.close(connection.detach())


def reset_after(count: int) -> Step:
    """Reset the connection after a number of bytes of an unread request."""

    def step(connection: socket.socket, request: Received) -> None:
        # A connection from before may have been in the middle of waiting for a whole one.
        if count and request is _NOTHING:
            connection.recv(count)
        reset(connection, request)

    return step


def hang_up(connection: socket.socket, _: Received) -> None:
    """Close the connection instead of answering."""
    connection.shutdown(socket.SHUT_RDWR)


def silence(connection: socket.socket, _: Received) -> None:
    """Send nothing until the client closes the connection."""
    connection.settimeout(60)
    connection.recv(1)


def drip(raw: bytes, seconds: float) -> Step:
    """Answer one byte after the other, so that the connection is never silent."""

    def step(connection: socket.socket, _: Received) -> None:
        for byte in raw:
            connection.sendall(bytes([byte]))
            time.sleep(seconds)

    return step


@dataclass
class ScriptedServer:
    """Takes the steps one a request, in the order in which requests come; the last one stays.

    With `unread`, each connection counts as one request, of which nothing has been read.
    """

    steps: list[Step] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    unread: bool = False

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                connection.close()

    @property
    def endpoint(self) -> str:
        host, port = self._listener.getsockname()
        return f"{'http' if self.tls is None else 'https'}://{host}:{port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (request := _NOTHING if self.unread else _read(stream)) is not None:
                    with self._lock:
                        self.received.append(request)
                        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                    step(connection, request)
                    if self.unread:
                        break
        except OSError:
            pass


_NOTHING = Received("", "", {}, b"")


def _read(stream: Any) -> Received | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) < 2:
        return None  # the end, or no HTTP: after the answer to CONNECT, TLS follows
    fields: list[tuple[str, str]] = []
    while (header := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = header.partition(":")
        fields.append((name, value.strip()))
    headers = {name.lower(): value for name, value in fields}
    body = stream.read(int(headers.get("content-length", 0)))
    return Received(line[0], line[1], headers, body, tuple(fields))
