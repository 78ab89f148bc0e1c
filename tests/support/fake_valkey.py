"""A fake Valkey whose sessions a test defines.

It speaks as much of the protocol as the emulator uses, over real sockets, and ends sessions by the
rules of `CLIENT KILL`. A real Valkey cannot have 3,000 sessions from IPv6 addresses, or delay or
falsify its answers.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Any, Self

# Letters in `flags` of a replica's and a master's connection, and of a subscriber.
_KINDS = (("S", "replica"), ("M", "master"), ("P", "pubsub"))


@dataclass(kw_only=True, eq=False)
class Row:
    """A session as `CLIENT LIST` shows it: https://valkey.io/commands/client-list/."""

    id: int = 0
    addr: str
    laddr: str = "10.0.0.250:6379"
    fd: str = "8"
    name: str = ""
    age: int = 0
    idle: int = 0
    flags: str = "N"
    db: str = "0"
    sub: int = 0
    psub: int = 0
    multi: int = -1
    qbuf: int = 0
    qbuf_free: int = 0
    obl: int = 0
    oll: int = 0
    omem: int = 0
    events: str = "r"
    cmd: str = "get"
    user: str = "default"

    @property
    def kind(self) -> str:
        """Name of its type in `CLIENT KILL TYPE`."""
        return next((kind for letter, kind in _KINDS if letter in self.flags), "normal")

    def line(self) -> str:
        """The line of `CLIENT LIST`, with fields between that the service does not show."""
        return (
            f"id={self.id} addr={self.addr} laddr={self.laddr} fd={self.fd} name={self.name} "
            f"age={self.age} idle={self.idle} flags={self.flags} capa= db={self.db} sub={self.sub} "
            f"psub={self.psub} ssub=3 multi={self.multi} watch=0 qbuf={self.qbuf} "
            f"qbuf-free={self.qbuf_free} argv-mem=10 multi-mem=0 rbs=16384 rbp=0 obl={self.obl} "
            f"oll={self.oll} omem={self.omem} tot-mem=17000 events={self.events} cmd={self.cmd} "
            f"user={self.user} redir=-1 resp=2 lib-name= lib-ver= tot-net-in=1 tot-net-out=2"
        )


@dataclass
class _Gate:
    """Commands that wait for an answer."""

    opened: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0


class FakeValkey:
    """A server on loopback. It runs from `start` or `with` to `stop`."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self._lock = threading.RLock()
        self._connections: dict[int, socket.socket] = {}
        self._set_up()
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                fake._serve(self.request, self.rfile)

        class Server(socketserver.ThreadingTCPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """Ignore broken connections."""

        self._server = Server((host, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def clear(self) -> None:
        """Return to the state after the start, without sessions."""
        with self._lock:
            for gate in self._gates.values():
                gate.opened.set()
            self._set_up()

    def _set_up(self) -> None:
        for connection in self._connections.values():
            _close(connection)
        self._connections = {}
        self._gates: dict[str, _Gate] = {}
        self.rows: list[Row] = []
        # The emulator's own connections.
        self.own: list[Row] = []
        self.next_id = 1
        self.is_down = False
        self.role = "master"
        self.configuration = {"timeout": "0", "maxclients": "10000"}
        # Command -> what it is answered with instead; the start of an error reply, say.
        self.replies: dict[str, bytes] = {}
        self.commands: list[tuple[str, ...]] = []

    def close(self) -> None:
        """Close the socket of a server that was not started."""
        self._server.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Port of the server."""
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        """URL of the server for the emulator."""
        return (
            f"redis://[{self.host}]:{self.port}"
            if ":" in self.host
            else (f"redis://{self.host}:{self.port}")
        )

    def arrive(self, **fields: Any) -> Row:
        """Let a client connect."""
        with self._lock:
            row = Row(**{"id": self.next_id, **fields})
            self.next_id = row.id + 1
            self.rows.append(row)
            return row

    def restart(self) -> None:
        """End all sessions, and count IDs from 1 again."""
        with self._lock:
            self.rows.clear()
            self.next_id = 1
            self._drop()

    def fall(self) -> None:
        """Close all connections, and refuse new ones."""
        with self._lock:
            self.is_down = True
            self.restart()

    def rise(self) -> None:
        """Accept connections again."""
        self.is_down = False

    def hold(self, command: str) -> None:
        """Delay the answer to a command until `release`."""
        self._gates[command] = _Gate()

    def release(self, command: str) -> None:
        """Answer waiting commands, and delay no more of them."""
        self._gates.pop(command).opened.set()

    @property
    def held(self) -> list[str]:
        """Commands that wait for `release`."""
        return list(self._gates)

    def is_asked(self, command: str) -> bool:
        """Return whether a command waits for its answer."""
        gate = self._gates.get(command)
        return gate is not None and gate.waiting > 0

    def _drop(self) -> None:
        self.own.clear()
        for connection in self._connections.values():
            _close(connection)
        self._connections = {}

    def _serve(self, connection: socket.socket, stream: BufferedIOBase) -> None:
        if self.is_down:
            return
        host, port = connection.getpeername()[:2]
        addr = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        with self._lock:
            own = Row(id=self.next_id, addr=addr, cmd="client|list")
            self.next_id += 1
            self.own.append(own)
            self._connections[own.id] = connection
        try:
            while (arguments := _read(stream)) is not None:
                reply = self._answer(own, arguments)
                if self._connections.get(own.id) is not connection:
                    return
                connection.sendall(reply)
        finally:
            with self._lock:
                # After a restart, the ID may be another connection's.
                if self._connections.get(own.id) is connection:
                    del self._connections[own.id]
                if own in self.own:
                    self.own.remove(own)

    def _answer(self, own: Row, arguments: tuple[str, ...]) -> bytes:
        gate = self._gates.get(_name(arguments))
        if gate is not None:
            gate.waiting += 1
            gate.opened.wait(60)
        return self.reply(own, arguments)

    def reply(self, own: Row, arguments: tuple[str, ...]) -> bytes:
        """Return the reply to a command of a connection, without waiting."""
        command = _name(arguments)
        with self._lock:
            self.commands.append(arguments)
            if command in self.replies:
                return self.replies[command]
            return self._run(own, command, arguments)

    def _run(self, own: Row, command: str, arguments: tuple[str, ...]) -> bytes:
        if command == "PING":
            return b"+PONG\r\n"
        if command == "CLIENT ID":
            return b":%d\r\n" % own.id
        if command == "CLIENT LIST":
            lines = [row.line() for row in [*self.rows, *self.own]]
            return _bulk("\n".join([*lines, ""]))
        if command == "CLIENT KILL":
            return self._kill(own, arguments[2:])
        if command == "CONFIG GET":
            pairs = [text for pair in self.configuration.items() for text in pair]
            return b"*%d\r\n" % len(pairs) + b"".join(_bulk(text) for text in pairs)
        if command == "ROLE":
            return b"*1\r\n" + _bulk(self.role)
        if command in {"AUTH", "CLIENT SETINFO", "SELECT"}:
            return b"+OK\r\n"
        return b"-ERR unknown command\r\n"

    def _kill(self, own: Row, words: tuple[str, ...]) -> bytes:
        """End the sessions that match all filters: https://valkey.io/commands/client-kill/."""
        is_old = len(words) == 1
        pairs = (
            [("ADDR", words[0]), ("SKIPME", "no")]
            if is_old
            else list(zip(words[::2], words[1::2], strict=True))
        )
        filters = {name.upper(): value for name, value in pairs}
        spares_own = filters.pop("SKIPME", "yes").lower() == "yes"
        shown: dict[str, Callable[[Row], str]] = {
            "ADDR": lambda row: row.addr,
            "LADDR": lambda row: row.laddr,
            "ID": lambda row: str(row.id),
            "USER": lambda row: row.user,
            "TYPE": lambda row: row.kind,
        }
        if not shown.keys() >= filters.keys():
            return b"-ERR syntax error\r\n"
        victims = [
            row
            for row in [*self.rows, *self.own]
            if all(shown[name](row) == value for name, value in filters.items())
            and not (spares_own and row is own)
        ]
        self.rows = [row for row in self.rows if row not in victims]
        for row in self.own:
            if row in victims:
                _close(self._connections[row.id])
        if is_old:
            return b"+OK\r\n" if victims else b"-ERR No such client\r\n"
        return b":%d\r\n" % len(victims)


def _name(arguments: tuple[str, ...]) -> str:
    command = arguments[0].upper()
    return f"{command} {arguments[1].upper()}" if command in {"CLIENT", "CONFIG"} else command


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _bulk(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    return b"$%d\r\n%s\r\n" % (len(raw), raw)


def _read(stream: BufferedIOBase) -> tuple[str, ...] | None:
    """Read a command; None at the end."""
    with contextlib.suppress(OSError):
        if head := stream.readline():
            texts = [stream.read(int(stream.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
            return tuple(text.decode("utf-8", "surrogateescape") for text in texts)
    return None
