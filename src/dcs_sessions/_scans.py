"""How far the queries of nodes have come. What happens between is in the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from dcs_sessions._results import NodeSessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcs_sessions._errors import DcsSessionsError
    from dcs_sessions_api.models import Node, Session


@attrs.define(eq=False)
class Scan:
    """The query of one node.

    Attributes:
        instance_id: ID of the instance.
        node_id: ID of the node.
        node: What the service says of the node, or None.
        fresh: Whether a list that was saved before will not do.
        reads: Whether the sessions are to be read, or left with the service.
        before: Time of the list that was saved before, or None.
        started: Whether the service has been asked to query the node.
        job_id: The job, or None as long as another query of the node is running.
        by_time: Whether the list has to be watched, since the job is not shown.
        ready: Whether the list is there to be read.
        sessions: What has been read.
        time: Time of the list that has been read, or None.
        over: Whether there is nothing left to do.
    """

    instance_id: str
    node_id: str
    node: Node | None
    fresh: bool
    reads: bool = True
    before: str | None = None
    started: bool = False
    job_id: str | None = None
    by_time: bool = False
    ready: bool = False
    sessions: list[Session] = attrs.field(factory=list["Session"])
    time: str | None = None
    over: bool = False
    _error: DcsSessionsError | None = None

    @property
    def error(self) -> DcsSessionsError | None:
        """Why the query has failed, or None."""
        return self._error

    @error.setter
    def error(self, error: DcsSessionsError) -> None:
        self._error = error
        self.over = True

    def is_good(self, time: str | None) -> bool:
        """Tell whether the list of that time is the one that was asked for."""
        return time is not None and (time != self.before or not self.fresh)

    def outcome(self) -> NodeSessions:
        """Give the result, once the query is over. Half a list is none."""
        if self.error is not None:
            return NodeSessions(self.node_id, self.node, None, [], self.error)
        return NodeSessions(self.node_id, self.node, self.time, self.sessions)


def nodes_with_sessions(nodes: list[Node]) -> list[Node]:
    """Choose the nodes that hold the sessions of an instance: its proxies, or else its servers.

    See https://support.huaweicloud.com/intl/en-us/api-dcs/ListClients.html.
    """
    proxies = [node for node in nodes if node.node_role == "redis-proxy"]
    return proxies or [node for node in nodes if node.node_role == "redis-server"] or nodes


def pauses(longest: float) -> Iterator[float]:
    """Give the seconds between looks at a job: soon at first, for most are done in no time."""
    pause = 0.05
    while True:
        yield min(pause, longest)
        pause = min(pause * 1.6, longest)
