"""A service whose answers a test defines, for answers that no real server gives."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from support.scripted import Received, ScriptedServer, Step, answer

Rows = Sequence[Mapping[str, Any]]


class FakeDcs(ScriptedServer):
    """Serves lists by node. Every scan takes the next one of its node; the last one stays."""

    def __init__(self, **lists: Sequence[Rows]) -> None:
        super().__init__()
        self.lists = {node: list(rows) for node, rows in lists.items()}
        self.scans = dict.fromkeys(lists, 0)
        # Times of the lists; t1, t2 and so on if empty.
        self.times: list[str] = []
        # What ShowInstance and ListConfigurations answer with, and the instances that are listed.
        self.instance: dict[str, Any] = {"instance_id": "i", "cache_mode": "cluster"}
        self.maxclients: str | None = None
        self.instances: list[dict[str, Any]] = []
        # Looked at first: gives a step for a request, or None.
        self.first: Callable[[Received], Step | None] = lambda _: None
        # Whether sessions grow older, as real ones do while a busy machine takes its time.
        self.growing = False
        self._started = time.monotonic()
        self.steps = [self._answer]

    @property
    def killed(self) -> list[tuple[str, list[str]]]:
        """The node and the addresses of every request to end sessions."""
        bodies = [request.json for request in self.received if request.path.endswith("/kill")]
        return [(body["node_id"], body["client_addrs"]) for body in bodies]

    def _answer(self, connection: socket.socket, request: Received) -> None:
        step = self.first(request) or self._usual(request)
        step(connection, request)

    def _usual(self, request: Received) -> Step:
        if request.path.endswith("/instances"):
            return answer(200, {"instances": self.instances[int(request.query["offset"]) :]})
        if request.path.endswith("/configs"):
            limit = {"param_name": "maxclients", "param_value": self.maxclients}
            return answer(200, {"redis_config": [limit] if self.maxclients else []})
        if request.path.rpartition("/")[0].endswith("/instances"):
            return answer(200, self.instance)
        if request.path.endswith("/logical-nodes"):
            nodes = [{"node_id": node, "node_role": "redis-server"} for node in self.lists]
            return answer(200, {"instance_id": "i", "total": len(nodes), "nodes": nodes})
        if "/jobs/" in request.path:
            return answer(200, {"job_id": "j", "status": "SUCCESS"})
        if request.path.endswith("/kill"):
            return answer(204, headers={"Content-Length": "0"})
        if request.path.endswith("/kill-all"):
            return answer(200, {"job_id": "j"})
        if request.method == "POST":
            self.scans[request.json["node_id"]] += 1
            return answer(200, {"job_id": "j"})
        return self._page(request)

    def _page(self, request: Received) -> Step:
        node = request.query["node_id"]
        scans = self.scans[node]
        if scans == 0:
            return answer(500, {"error_code": "DCS.5000", "error_msg": "never scanned"})
        lists = self.lists[node]
        rows = lists[min(scans, len(lists)) - 1]
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        page = list(rows[offset : offset + limit])
        if self.growing:
            grown = int(time.monotonic() - self._started)
            page = [{**row, "age": row["age"] + grown} for row in page]
        when = self.times[min(scans, len(self.times)) - 1] if self.times else f"t{scans}"
        return answer(200, {"time": when, "count": len(rows), "clients": page})
