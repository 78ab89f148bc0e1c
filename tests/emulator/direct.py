"""The world without sockets and threads: the application is called in this process.

So each call takes part of a millisecond, and a test can make thousands of them. What a server does
over its connection is left out: `world.py` is for that.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

from dcs_sessions.emulator._app import App, State
from dcs_sessions.emulator._auth import KeyLock
from dcs_sessions.emulator._instances import Served
from dcs_sessions.emulator._nodes import Node, NodeError
from emulator.world import World
from support.fake_valkey import FakeValkey, Row


class DirectNode(Node):
    """A node whose commands go to a fake server by a call."""

    def __init__(self, node_id: str, server: FakeValkey, **settings: bool) -> None:
        super().__init__(node_id, server.url, **settings)
        self.server = server
        self._own = Row(addr="127.0.0.1:1", cmd="client|list")

    async def _call(self, *commands: tuple[str, ...]) -> list[Any]:
        server, where = self.server, f"{self.host}:{self.port}"
        if self._own not in server.own and not server.is_down:
            # It has started since, with this as its newest connection.
            self._own.id = server.next_id
            server.next_id += 1
            server.own.append(self._own)
        replies: list[Any] = []
        for command in commands:
            while any(" ".join(command).startswith(name) for name in server.held):  # noqa: ASYNC110
                await asyncio.sleep(0)
            if server.is_down:
                raise NodeError(f"{where}: it is down")
            reply = parsed(server.reply(self._own, command))[0]
            if isinstance(reply, Exception):
                raise NodeError(f"{where}: {reply}")
            replies.append(reply)
        return replies


def parsed(reply: bytes) -> tuple[Any, bytes]:
    """Return a reply as the client library does, and the rest.

    `b"*2\\r\\n:1\\r\\n+OK\\r\\n"` -> `([1, b"OK"], b"")`
    """
    head, _, rest = reply.partition(b"\r\n")
    kind, text = head[:1], head[1:]
    if kind == b"-":
        return ValueError(text.decode()), rest
    if kind == b"+":
        return text, rest
    if kind == b":":
        return int(text), rest
    size = int(text)
    if kind == b"$":
        return rest[:size], rest[size + 2 :]
    items: list[Any] = []
    for _ in range(size):
        item, rest = parsed(rest)
        items.append(item)
    return items, rest


class Direct(World):
    """A world in this process."""

    def _server(self, host: str) -> FakeValkey:
        server = FakeValkey(host)
        self._stack.callback(server.close)
        return server

    def _start(self, servers: Sequence[FakeValkey]) -> None:
        dcs = self.dcs
        dcs.endpoint = "http://127.0.0.1:1"
        self.loop = self._stack.enter_context(asyncio.Runner())
        at = iter(servers)
        self.state = State(
            project_id=dcs.project_id,
            instances=tuple(
                Served(
                    spec=spec,
                    instance_id=str(spec.instance_id),
                    nodes=tuple(
                        DirectNode(
                            node_id,
                            next(at),
                            proxy=spec.is_proxied,
                            passes_through=spec.transparent_client_ip,
                        )
                        for node_id in spec.node_ids or ()
                    ),
                )
                for spec in dcs._specs
            ),
            credentials=dcs._credentials,
            lock=KeyLock(),
            faults=dcs._faults,
        )
        self.app = App(self.state)
        self._stack.callback(lambda: self.loop.run(self.state.jobs.close()))

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that is not used."""
        return http.client.HTTPConnection("localhost")

    def _exchange(
        self,
        _: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        return self.loop.run(self._answer(method, target, headers, body))

    async def _answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        sent = await self.serve(method, target, headers, [body])
        start, *rest = sent
        pairs = [(name.decode(), value.decode()) for name, value in start["headers"]]
        raw = b"".join(message.get("body", b"") for message in rest)
        return start["status"], [*pairs, ("date", formatdate(usegmt=True))], raw

    async def serve(
        self, method: str, target: str, headers: Mapping[str, str], chunks: Sequence[bytes | None]
    ) -> list[Any]:
        """Return the messages with which the application answers.

        Of the chunks of the body, None stands for a wait without an end. `hang_ups` counts how
        often the connection was closed without an end of the answer, and `received` what was read.
        """
        path, _, query = target.partition("?")
        sent: list[Any] = []
        rest = list(chunks)
        self.hang_ups = self.received = 0

        async def receive() -> Any:
            if not rest:
                return {"type": "http.disconnect"}
            body = rest.pop(0)
            if body is None:
                await asyncio.Event().wait()
            self.received += 1
            return {"type": "http.request", "body": body, "more_body": bool(rest)}

        async def send(message: Any) -> None:
            sent.append(message)

        def hang_up() -> None:
            self.hang_ups += 1

        scope: Any = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                (name.lower().encode(), value.encode("utf-8", "surrogateescape"))
                for name, value in headers.items()
            ],
            "client": ("127.0.0.1", 1),
            "state": {"hang_up": hang_up, "abort": lambda: None},
        }
        await self.app(scope, receive, send)
        for _ in range(5):  # jobs get on between requests
            await asyncio.sleep(0)
        return sent
