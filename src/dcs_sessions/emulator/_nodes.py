"""Nodes of an instance: real servers, each with one connection."""

from __future__ import annotations

import asyncio
import math
import re
import socket
import uuid
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from valkey.asyncio.connection import ConnectionPool
from valkey.exceptions import ValkeyError

from dcs_sessions.emulator._sessions import parse_client_list

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valkey.asyncio.connection import AbstractConnection

    from dcs_sessions.emulator._sessions import Session, Snapshot

# A TLS handshake counts, which takes a while on a busy machine.
_CONNECT_SECONDS = 10.0
_REPLY_SECONDS = 10.0
# ValueError: the library could not parse a reply.
_FAILURES = (ValkeyError, OSError, ValueError)

# Commands, as counted by INFO, whose effects only a restart undoes.
_SETTINGS = re.compile(
    rb"cmdstat_(config\|(?:set|resetstat)|client\|pause|acl\|(?:set|del|load)\w*|function\|\w+"
    rb"|module\|\w+|debug\S*|failover):"
)


# The client library drops or replaces what it does not understand in a URL, and could connect to
# another server than the one that is named: the URL is checked before.
_URL = re.compile(
    r"(?:redis|valkey)(?P<tls>s?)://(?:[^/?#\t\r\n\ud800-\udfff]*@)?"
    r"(?:\[[0-9a-f:.%\w]+\]|[^][:/?#@\x00-\x20]*)(?::0*[1-9][0-9]{0,4})?"
    r"(?:/[0-9]{0,4})?(?:\?(?P<options>[^#@\s\ud800-\udfff]*))?",
    re.ASCII | re.IGNORECASE,
)
# Other options of the library take objects, or change how replies are read.
_OPTIONS = ("db", "username", "password", "client_name", "socket_timeout", "socket_connect_timeout")
_TLS_OPTIONS = (
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)
_NEEDED = (
    "must be a URL such as redis://user:password@host:6379/0, with special characters "
    f"percent-encoded; its options are {', '.join(_OPTIONS)}, and with rediss:// "
    f"{', '.join(_TLS_OPTIONS)}"
)


class NodeError(Exception):
    """The server of a node cannot be reached, or refuses a command; the message says why."""


class Node:
    """A node and its stored list of sessions.

    Args:
        node_id: ID of the node in the API.
        url: URL of its server: `redis://`, `rediss://`, `valkey://` or `valkeys://`, with options
            such as `?ssl_ca_certs=ca.pem`.
        proxy: Whether it is a proxy node in the API.
        passes_through: Whether sessions have the addresses of clients.

    Attributes:
        snapshot: Result of the last successful scan; None before the first.
        scanning: Whether a scan is running. It replaces `snapshot` at its end.

    Raises:
        ValueError: The URL is invalid; the message says what is needed, without the URL.
    """

    def __init__(
        self, node_id: str, url: str, *, proxy: bool = False, passes_through: bool = True
    ) -> None:
        self.node_id = node_id
        self._proxy = proxy
        self._passes_through = passes_through
        self.snapshot: Snapshot | None = None
        self.scanning = False
        self._pool = pool = _pool(url)
        self.host = str(pool.connection_kwargs.get("host", "localhost"))
        self.port = int(pool.connection_kwargs.get("port", 6379))
        self._connection: AbstractConnection | None = None
        # One connection at a time, so that the emulator can leave out its own session.
        self._lock = asyncio.Lock()
        self._role = "master"

    async def check(self) -> None:
        """Raise an error unless the server responds and lists its sessions.

        Raises:
            NodeError: It does not.
        """
        await self.sessions()

    async def ping(self) -> None:
        """Raise an error unless the server responds.

        Raises:
            NodeError: It does not.
        """
        await self._call(("PING",))

    async def sessions(self) -> list[Session]:
        """Return all sessions except the emulator's own.

        Raises:
            NodeError: The server does not list them.
        """
        own, reply = await self._call(("CLIENT", "ID"), ("CLIENT", "LIST"))
        # Without its own ID, the emulator would list its own session.
        if not isinstance(own, int) or not isinstance(reply, bytes):
            raise NodeError(f"{self.host}:{self.port}: CLIENT LIST: not the reply of a server")
        try:
            sessions = parse_client_list(reply)
        except ValueError as error:
            raise NodeError(f"{self.host}:{self.port}: {error}") from None
        sessions = [session for session in sessions if session["id"] != str(own)]
        if not self._passes_through:
            for session in sessions:
                session["addr"] = internal_address(str(session["peer"]))
        return sessions

    async def configuration(self) -> dict[str, str]:
        """Return the configuration of the server.

        Raises:
            NodeError: The server does not return it.
        """
        (reply,) = await self._call(("CONFIG", "GET", "*"))
        items = cast("list[object]", reply) if isinstance(reply, list) else [reply]
        texts = [
            item.decode("utf-8", "backslashreplace") for item in items if isinstance(item, bytes)
        ]
        if len(texts) != len(items) or len(items) % 2:
            raise NodeError(f"{self.host}:{self.port}: CONFIG GET: not the reply of a server")
        return dict(zip(texts[::2], texts[1::2], strict=True))

    async def kill(self, addrs: Iterable[str]) -> None:
        """End the sessions with these addresses. Addresses without a session are ignored.

        Raises:
            NodeError: The server does not end them.
        """
        # Only addresses that the server has listed are sent to it, whatever the request contains. A
        # session that disconnects in between is gone, as requested.
        listed = {str(session["peer"]) for session in await self.sessions()}
        commands = [("CLIENT", "KILL", "ADDR", addr) for addr in set(addrs) & listed]
        if commands:
            await self._call(*commands)

    async def kill_all(self) -> None:
        """End all sessions except the emulator's own.

        The links between a master and its replicas are kept: they belong to the instance.

        Raises:
            NodeError: The server does not end them.
        """
        # The server ends all sessions of a type in one step.
        await self._call(
            ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
            ("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes"),
        )

    async def replicate(self, master: Node) -> None:
        """Make the server a replica of another node.

        Raises:
            NodeError: The server refuses.
        """
        (reply,) = await self._call(("REPLICAOF", master.host, str(master.port)))
        if reply != b"OK":
            raise NodeError(f"{self.host}:{self.port}: REPLICAOF: {reply}")

    async def reset(self, master: Node | None = None) -> None:
        """Reset the server: no sessions and no data.

        Args:
            master: The node that it replicates, or None.

        Raises:
            NodeError: The server cannot be reset, and must be restarted.
        """
        self.snapshot = None
        (stats,) = await self._call(("INFO", "commandstats"))
        if changed := _SETTINGS.search(stats):
            raise NodeError(f"{self.host}:{self.port}: {changed[1].decode()} was used")
        await self.kill_all()
        if master is None:
            await self._call(("FLUSHALL",))  # which a replica refuses
        else:
            await self.replicate(master)

    async def describe(
        self, instance_id: str, group: int, *, behind: bool = False
    ) -> dict[str, Any]:
        """Return the node as in ShowNodesInformation.

        With `behind`, return the data node behind a proxy node, with its own ID. It has the same
        server, since session operations do not accept data nodes.

        Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ShowNodesInformation.html.
        """
        try:
            (role,) = await self._call(("ROLE",))
            self._role = "slave" if isinstance(role, list) and b"slave" in role[:1] else "master"
            status = "Active"
        except NodeError:
            status = "Inactive"  # with its last known role
        host = await _address(self.host)
        proxy = self._proxy and not behind
        kind = "proxy" if proxy else self._role
        node_id = uuid.uuid5(uuid.NAMESPACE_OID, self.node_id).hex if behind else self.node_id
        return {
            # Another ID, so that mixing up the two fails.
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
                # Wait for it: closing TLS takes a round trip, and the loop may be stopped next.
                await connection.disconnect()

    async def _call(self, *commands: tuple[str, ...]) -> list[Any]:
        """Run commands over the same connection, and return the replies unparsed."""
        async with self._lock:
            # An old connection may have ended with a server that was restarted since: retry once
            # with a new one.
            if self._connection is not None:
                with suppress(*_FAILURES):
                    return await self._exchange(self._connection, commands)
            # Not from the pool, which reconnects by its own rules.
            connection: Any = self._pool.make_connection()
            self._connection = connection
            try:
                await connection.connect()
                return await self._exchange(connection, commands)
            except _FAILURES as error:
                await self.close()
                raise NodeError(f"{self.host}:{self.port}: {error}") from error

    async def _exchange(
        self, connection: AbstractConnection, commands: tuple[tuple[str, ...], ...]
    ) -> list[Any]:
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            return [await connection.read_response(disable_decoding=True) for _ in commands]
        except BaseException:
            # Unread replies must not be read as those of the next command.
            await self.close()
            raise


def _pool(url: str) -> Any:
    """Return a pool for the connections to a server.

    Raises:
        ValueError: The URL is invalid.
    """
    match = _URL.fullmatch(url)
    allowed = {*_OPTIONS, *(_TLS_OPTIONS if match and match["tls"] else ())}
    if match is None or not allowed.issuperset(
        name for name, _ in parse_qsl(match["options"] or "", keep_blank_values=True)
    ):
        raise ValueError(_NEEDED)
    # The client library has incomplete types.
    pools: Any = ConnectionPool
    try:
        pool = pools.from_url(
            url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_REPLY_SECONDS, protocol=2
        )
        pool.make_connection()  # it is not opened; some values are checked only here
    except (ValueError, ValkeyError):  # whose message could contain a part of the password
        raise ValueError(_NEEDED) from None
    # The library takes any number, and NaN would end the event loop.
    for name in ("socket_timeout", "socket_connect_timeout"):
        if not 0 < pool.connection_kwargs[name] < math.inf:
            raise ValueError(f"{name} must be a number of seconds greater than 0")
    return pool


def internal_address(peer: str) -> str:
    """Return the address of a session without pass-through, the same one for the same host."""
    host, _, port = peer.rpartition(":")
    digest = zlib.crc32(host.encode())
    return f"198.19.{digest >> 8 & 255}.{digest & 255}:{port}"


async def _address(host: str) -> str:
    """Return the IP address of a host, or its name if it cannot be resolved."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return host
    return str(found[0][4][0])


def masked(url: str) -> str:
    """Return the URL of a server, or a malformed one, without credentials and options."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    login, at, address = rest.rpartition("@")
    # The `@` may be in the value of an option, whose rest is a part of a secret.
    if "=" in login.partition("?")[2]:
        return f"{scheme}{separator}***"
    return f"{scheme}{separator}{'***@' if at else ''}{address.partition('?')[0]}"
