"""The nodes of the instance: real servers, asked over one connection each."""

from __future__ import annotations

import asyncio
import re
import socket
import uuid
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from valkey.asyncio.connection import Connection, ConnectionPool
from valkey.exceptions import ValkeyError

from dcs_sessions.emulator._sessions import parse_client_list

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valkey.asyncio.connection import AbstractConnection

    from dcs_sessions.emulator._sessions import Session, Snapshot

_CONNECT_SECONDS = 1.0
_REPLY_SECONDS = 10.0

# What changes a server in ways that only another start undoes, as INFO counts it.
_SETTINGS = re.compile(
    rb"cmdstat_(config\|(?:set|resetstat)|client\|pause|acl\|(?:set|del|load)\w*|function\|\w+"
    rb"|module\|\w+|debug\S*|failover):"
)
_REPLICATION = re.compile(rb"cmdstat_(?:replicaof|slaveof):")


class NodeError(Exception):
    """The node's server cannot be reached, or does not do what it is asked; the text says why."""


class Node:
    """A node, and the list of sessions stored for it.

    Args:
        node_id: Its id in the API.
        url: Its server: ``redis://``, ``rediss://``, ``valkey://`` or ``valkeys://``.
        proxy: Whether it is shown as a proxy.
        passes_through: Whether the addresses of clients are shown as they are.

    Attributes:
        snapshot: What the last successful scan found; None before the first.
        scanning: Whether a scan runs now. While it does, `snapshot` stays what it was.

    Raises:
        ValueError: If the URL is none of these.
    """

    def __init__(
        self, node_id: str, url: str, *, proxy: bool = False, passes_through: bool = True
    ) -> None:
        self.node_id = node_id
        self._proxy = proxy
        self._passes_through = passes_through
        self.snapshot: Snapshot | None = None
        self.scanning = False
        # The client library is only half typed.
        pools: Any = ConnectionPool
        pool = pools.from_url(
            url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_REPLY_SECONDS, protocol=2
        )
        if not issubclass(pool.connection_class, Connection):
            raise ValueError("a URL with a host and a port is needed")
        self._pool: Any = pool
        self.host = str(pool.connection_kwargs.get("host", "localhost"))
        self.port = int(pool.connection_kwargs.get("port", 6379))
        self._connection: AbstractConnection | None = None
        # One connection at a time, so that the emulator knows its own among the sessions.
        self._lock = asyncio.Lock()
        self._role = "master"

    async def check(self) -> None:
        """Make sure that the server is there and lets its sessions be seen.

        Raises:
            NodeError: If not.
        """
        await self.sessions()

    async def ping(self) -> None:
        """Make sure that the server is there.

        Raises:
            NodeError: If not.
        """
        await self._call(("PING",))

    async def sessions(self) -> list[Session]:
        """All sessions but the emulator's own.

        Raises:
            NodeError: If the server does not list them.
        """
        own, reply = await self._call(("CLIENT", "ID"), ("CLIENT", "LIST"))
        try:
            sessions = parse_client_list(reply)
        except ValueError as error:
            raise NodeError(str(error)) from None
        sessions = [session for session in sessions if session["id"] != str(own)]
        if not self._passes_through:
            for session in sessions:
                session["addr"] = internal_address(str(session["peer"]))
        return sessions

    async def configuration(self) -> dict[str, str]:
        """The server's configuration.

        Raises:
            NodeError: If the server does not say.
        """
        (reply,) = await self._call(("CONFIG", "GET", "*"))
        if not isinstance(reply, list):
            raise NodeError(f"{self.host}:{self.port}: CONFIG GET: {reply}")
        texts = [item.decode("utf-8", "backslashreplace") for item in cast("list[bytes]", reply)]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    async def kill(self, addrs: Iterable[str]) -> None:
        """End the sessions of these addresses; those that are gone already need no ending.

        Raises:
            NodeError: If the server does not end them.
        """
        # Whatever text a request holds, only an address that the server itself has listed goes
        # back to it. Whoever disconnects in between is gone, as was asked.
        listed = {str(session["peer"]) for session in await self.sessions()}
        commands = [("CLIENT", "KILL", "ADDR", addr) for addr in set(addrs) & listed]
        if commands:
            await self._call(*commands)

    async def kill_all(self) -> None:
        """End all sessions but the emulator's own.

        The links between a master and its replicas stay: they are the instance's, no user's.

        Raises:
            NodeError: If the server does not end them.
        """
        # The server ends all of a kind in one step, so that no newcomer slips through.
        await self._call(
            ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
            ("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes"),
        )

    async def replicate(self, master: Node) -> None:
        """Make the server a replica of another node's.

        Raises:
            NodeError: If it refuses.
        """
        (reply,) = await self._call(("REPLICAOF", master.host, str(master.port)))
        if reply != b"OK":
            raise NodeError(f"{self.host}:{self.port}: REPLICAOF: {reply}")

    async def reset(self, master: Node | None = None) -> None:
        """Make the server as it was: no sessions and no data.

        Args:
            master: The node of which it is a replica.

        Raises:
            NodeError: If that is not enough, so that the server has to be started again.
        """
        self.snapshot = None
        self.scanning = False
        (stats,) = await self._call(("INFO", "commandstats"))
        if changed := _SETTINGS.search(stats):
            raise NodeError(f"{self.host}:{self.port}: {changed[1].decode()} was used")
        if master is None and _REPLICATION.search(stats):
            raise NodeError(f"{self.host}:{self.port}: it was made a replica")
        await self.kill_all()
        if master is None:
            await self._call(("FLUSHALL",))
        else:
            await self.replicate(master)

    async def describe(
        self, instance_id: str, group: int, *, behind: bool = False
    ) -> dict[str, Any]:
        """The node as ShowNodesInformation shows it.

        With `behind`, as the data node that stands behind a proxy, with an ID of its own. It is the
        same server, since no session operation takes such a node.

        Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ShowNodesInformation.html.
        """
        try:
            (role,) = await self._call(("ROLE",))
            self._role = "slave" if role[0] == b"slave" else "master"
            status = "Active"
        except NodeError:
            status = "Inactive"  # and its last known role
        host = await _address(self.host)
        proxy = self._proxy and not behind
        kind = "proxy" if proxy else self._role
        node_id = uuid.uuid5(uuid.NAMESPACE_OID, self.node_id).hex if behind else self.node_id
        return {
            # Another id on purpose: whoever mixes the two up finds out here.
            "logical_node_id": node_id[::-1],
            "name": f"({'replica' if kind == 'slave' else kind}){host}",
            "status": status,
            "az_code": "emulator-1a",
            "node_role": "redis-proxy" if proxy else "redis-server",
            "node_type": kind,
            "node_ip": host,
            "node_port": str(self.port),
            "node_id": node_id,
            "priority_weight": 100,
            "is_access": True,
            "is_remove_ip": False,
            "group_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{instance_id} {group}")),
            "group_name": f"group-{group}",
            "replication_id": None,
            "dimensions": [
                {"name": "dcs_instance_id", "value": instance_id},
                {"name": "dcs_cluster_redis_node", "value": node_id[::-1]},
            ],
        }

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(ValkeyError, OSError):
                # With waiting: the end of TLS takes a round trip, and the loop may stop next.
                await connection.disconnect()

    async def _call(self, *commands: tuple[str, ...]) -> list[Any]:
        """Run commands over the same connection; replies as they are on the wire."""
        async with self._lock:
            # A connection that was good once may have ended with its server: that says nothing
            # about the server of now. A fresh one does.
            if self._connection is not None:
                with suppress(ValkeyError, OSError):
                    return await self._exchange(self._connection, commands)
            # Not through the pool: it decides itself when to connect, and how often.
            connection: Any = self._pool.make_connection()
            self._connection = connection
            try:
                await connection.connect()
                return await self._exchange(connection, commands)
            except (ValkeyError, OSError) as error:
                await self.close()
                raise NodeError(f"{self.host}:{self.port}: {error}") from error

    async def _exchange(
        self, connection: AbstractConnection, commands: tuple[tuple[str, ...], ...]
    ) -> list[Any]:
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            return [await connection.read_response(disable_decoding=True) for _ in commands]
        except BaseException:
            # Replies may be left unread: they must not be taken for those of the next command.
            await self.close()
            raise


def internal_address(peer: str) -> str:
    """The address that a session has without pass-through: the same one for the same host."""
    host, _, port = peer.rpartition(":")
    digest = zlib.crc32(host.encode())
    return f"198.19.{digest >> 8 & 255}.{digest & 255}:{port}"


async def _address(host: str) -> str:
    """The IP address of a host, or its name if it has none at the moment."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return host
    return str(found[0][4][0])


def masked(url: str) -> str:
    """A server's URL without login and options, to be shown; also one that is malformed."""
    scheme, separator, rest = url.partition("://")
    _, at, address = rest.rpartition("@")
    return f"{scheme}{separator}{'***@' if at else ''}{address.partition('?')[0]}"
