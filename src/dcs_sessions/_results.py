"""Result types that are not models of the contract."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import orjson

from dcs_sessions._options import checked_function, is_fit
from dcs_sessions_api.types import utc

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterator

    from dcs_sessions._errors import DcsSessionsError
    from dcs_sessions_api.models import Node, Session

T = TypeVar("T")


@attrs.frozen
class Response(Generic[T]):
    """A response with its status, headers and body.

    Attributes:
        parsed: The body as a model of the contract; None if it has no body.
        status: HTTP status.
        headers: Headers, names in lower case.
        request_id: Request ID, for questions to the vendor.
        body: Body, decoded from its content encoding.
    """

    parsed: T
    status: int
    headers: dict[str, str] = attrs.field(repr=False)
    request_id: str | None
    body: bytes = attrs.field(repr=False)


@attrs.frozen
class ConnectionLimit:
    """Connection limits.

    Attributes:
        instance: Maximum number of connections of the instance, or None if not known.
        node: Maximum number of connections of each node, or None if not known.
    """

    instance: int | None
    node: int | None


@attrs.frozen
class NodeSessions:
    """The sessions of one node, or the error for which they could not be read.

    Attributes:
        node_id: ID of the node.
        node: Description of the node by the service; None if the caller passed its ID.
        time: Time of the list, in the format of the service; None if there is no list.
        sessions: The sessions.
        error: Error for which the list is missing or incomplete; None if it is complete.
        asked_at: Time before the node was queried, by `time.monotonic()`.
        read_at: Time after the list was read, by the same clock.
    """

    node_id: str
    node: Node | None
    time: str | None
    sessions: list[Session] = attrs.field(repr=lambda found: f"<{len(found)} sessions>")
    error: DcsSessionsError | None = None
    asked_at: float = attrs.field(factory=lambda: time.monotonic(), eq=False, repr=False)
    read_at: float = attrs.field(factory=lambda: time.monotonic(), eq=False, repr=False)

    def __iter__(self) -> Iterator[Session]:
        """Iterate over the sessions."""
        return iter(self.sessions)

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self.sessions)

    def __bool__(self) -> bool:
        """Return True, also without sessions."""
        return True

    @property
    def time_utc(self) -> datetime.datetime | None:
        """Time of the list; None if there is no list, or its time cannot be parsed."""
        return utc(self.time)

    def to_dict(self) -> dict[str, Any]:
        """Return node ID, time of the list, error as a string or None, and sessions, for JSON."""
        return {
            "node_id": self.node_id,
            "time": self.time,
            "error": None if self.error is None else str(self.error),
            "sessions": [session.to_dict() for session in self.sessions],
        }


@attrs.frozen
class QueryResult:
    """The sessions of an instance, node by node.

    Attributes:
        nodes: One entry for each node, in the order of the instance.
    """

    nodes: list[NodeSessions]

    def __iter__(self) -> Iterator[Session]:
        """Iterate over the sessions of all nodes."""
        for node in self.nodes:
            yield from node.sessions

    def __len__(self) -> int:
        """Return the number of sessions of all nodes."""
        return sum(map(len, self.nodes))

    def __bool__(self) -> bool:
        """Return True, also without sessions."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return the nodes, each as by its `to_dict`: `{"nodes": [...]}`."""
        return {"nodes": [node.to_dict() for node in self.nodes]}

    def to_json(self) -> str:
        """Return `to_dict()` as JSON."""
        return orjson.dumps(self.to_dict()).decode()

    @property
    def sessions(self) -> list[Session]:
        """The sessions of all nodes."""
        return [session for node in self.nodes for session in node.sessions]

    @property
    def failed(self) -> list[NodeSessions]:
        """The nodes whose list is missing or incomplete, each with its error."""
        return [node for node in self.nodes if node.error is not None]

    def where(self, fits: Callable[[Session], bool]) -> QueryResult:
        """Return a copy with matching sessions only.

        Args:
            fits: Returns whether to keep a session. It must not be async.

        Raises:
            InvalidArgumentError: `fits` is not such a function.
        """
        checked_function("fits", fits)
        return QueryResult(
            [
                attrs.evolve(
                    node,
                    sessions=[session for session in node.sessions if is_fit(fits, session)],
                )
                for node in self.nodes
            ]
        )


def nodes_with_sessions(nodes: list[Node]) -> list[Node]:
    """Return the nodes that hold the sessions of an instance: proxy nodes, or else data nodes.

    See https://support.huaweicloud.com/intl/en-us/api-dcs/ListClients.html.
    """
    proxies = [node for node in nodes if node.node_role == "redis-proxy"]
    return proxies or [node for node in nodes if node.node_role == "redis-server"] or nodes
