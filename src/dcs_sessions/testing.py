"""A stub of the service, for tests that need no server.

It answers both clients from prepared sessions in the same process, without sockets and without
extras. It supports only the calls of the client; `dcs_sessions.emulator` is a whole DCS on a real
Redis.

    stub = Stub({"node-1": [{"addr": "10.0.0.5:41000", "name": "worker"}]})
    with stub.client() as client:
        ...
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

import attrs

from dcs_sessions._async._client import AsyncClient
from dcs_sessions._auth import TokenAuth
from dcs_sessions._errors import ApiConnectionError
from dcs_sessions._sync._client import Client
from dcs_sessions._wire import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Unpack

    from dcs_sessions._async._client import ClientOptions as AsyncClientOptions
    from dcs_sessions._sync._client import ClientOptions
    from dcs_sessions._wire import Request

__all__ = ["INSTANCE_ID", "PROJECT_ID", "Failure", "Stub"]

INSTANCE_ID: Final = "00000000-0000-4000-8000-000000000001"
PROJECT_ID: Final = "00000000000000000000000000000001"
_ENDPOINT: Final = "https://dcs.stub.invalid"


@attrs.frozen
class Failure:
    """A failure of an operation.

    Attributes:
        status: HTTP status; None for a broken connection.
        error_code: Error code of the service.
        headers: Additional headers, such as `Retry-After`.
    """

    status: int | None = 500
    error_code: str = "DCS.5000"
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


class Stub:
    """A service with one instance and prepared sessions.

    A session is a mapping in the format of the service, such as `{"addr": "10.0.0.5:41000"}`, or
    `dict(session)` of a `Session`. Missing `id`, `peer`, `name`, `user` and `age` are filled in,
    and ages grow, so that `end_sessions` recognizes sessions. Ended sessions are removed from
    `sessions`.

    Args:
        sessions: The sessions, by node ID.
        instance_id: ID of the instance.

    Attributes:
        sessions: The sessions, by node ID. Changes apply to the next query.
        operations: The operations that were called, in order.
        failures: Operation -> failure. Remove an entry to make the operation work again.
    """

    def __init__(
        self,
        sessions: Mapping[str, Iterable[Mapping[str, Any]]],
        *,
        instance_id: str = INSTANCE_ID,
    ) -> None:
        self.instance_id = instance_id
        self.sessions: dict[str, list[dict[str, Any]]] = {
            node_id: [dict(session) for session in rows] for node_id, rows in sessions.items()
        }
        self.operations: list[str] = []
        self.failures: dict[str, Failure] = {}
        self._lock = threading.RLock()
        self._lists: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._started = time.monotonic()
        self._now = datetime.datetime.now(datetime.UTC)
        self._numbers = itertools.count(1)
        self._answers: dict[str, Callable[[dict[str, Any]], Reply]] = {
            "ListInstances": self._list_instances,
            "ShowInstance": self._show_instance,
            "ListConfigurations": self._list_configurations,
            "ShowNodesInformation": self._list_nodes,
            "ScanClients": self._scan,
            "ListClients": self._list,
            "HangUpClients": self._kill,
            "HangUpKillAllClients": self._kill_all,
            "ShowJobInfo": self._job,
        }

    def client(self, **options: Unpack[ClientOptions]) -> Client:
        """Return a client of the stub.

        Args:
            **options: Arguments of `Client`.
        """
        options["transport"] = _Sync(self)
        return Client(endpoint=_ENDPOINT, project_id=PROJECT_ID, auth=TokenAuth("stub"), **options)

    def async_client(self, **options: Unpack[AsyncClientOptions]) -> AsyncClient:
        """Return an async client of the stub.

        Args:
            **options: Arguments of `AsyncClient`.
        """
        options["transport"] = _Async(self)
        return AsyncClient(
            endpoint=_ENDPOINT, project_id=PROJECT_ID, auth=TokenAuth("stub"), **options
        )

    def answer(self, request: Request) -> Reply:
        """Return the response to a request."""
        with self._lock:
            path, _, query = request.target.partition("?")
            for operation, (method, form) in _ROUTES.items():
                match = re.fullmatch(f"/v2/[^/]+{form}", urllib.parse.unquote(path))
                if match is None or method != request.method:
                    continue
                self.operations.append(operation)
                failure = self.failures.get(operation)
                if failure is not None:
                    return _failed(failure)
                if match.groupdict().get("instance_id", self.instance_id) != self.instance_id:
                    return _failed(Failure(404, "DCS.3022"))
                fields = dict(urllib.parse.parse_qsl(query))
                if request.body:
                    fields |= json.loads(request.body)
                return self._answers[operation]({**fields, **match.groupdict()})
            return _failed(Failure(404, "APIGW.0101"))

    def _list_instances(self, fields: dict[str, Any]) -> Reply:
        known = [] if fields.get("offset", "0") != "0" else [self._instance()]
        return _json({"instances": known, "instance_num": 1})

    def _show_instance(self, _: dict[str, Any]) -> Reply:
        return _json(self._instance())

    def _instance(self) -> dict[str, Any]:
        mode = "cluster" if len(self.sessions) > 1 else "single"
        return {
            "instance_id": self.instance_id,
            "name": "stub",
            "status": "RUNNING",
            "cache_mode": mode,
        }

    def _list_configurations(self, _: dict[str, Any]) -> Reply:
        return _json({"redis_config": []})

    def _list_nodes(self, _: dict[str, Any]) -> Reply:
        nodes = [{"node_id": node, "node_role": "redis-server"} for node in self.sessions]
        return _json({"instance_id": self.instance_id, "total": len(nodes), "nodes": nodes})

    def _scan(self, fields: dict[str, Any]) -> Reply:
        node_id = fields["node_id"]
        if node_id not in self.sessions:
            return _failed(Failure(400, "DCS.3053"))
        if fields.get("clean_cache") or node_id not in self._lists:
            elapsed = time.monotonic() - self._started
            moment = self._now + datetime.timedelta(seconds=elapsed)
            rows = [self._row(session, int(elapsed)) for session in self.sessions[node_id]]
            self._lists[node_id] = (moment.isoformat().replace("+00:00", "Z"), rows)
        return _json({"job_id": "job"})

    def _row(self, session: dict[str, Any], elapsed: int) -> dict[str, Any]:
        """Return a session as in a list."""
        number = session.get("id") or str(next(self._numbers))
        address = session.get("peer") or session.get("addr")
        if not address:
            port = int(number) if str(number).isdecimal() else next(self._numbers)
            address = f"10.0.0.1:{40000 + port}"
        usual = {"id": number, "addr": address, "peer": address, "name": "", "user": "default"}
        for name, value in {**usual, "age": 3600}.items():
            session.setdefault(name, value)
        age = session["age"]
        row = {**session, "age": age + elapsed if isinstance(age, int) else age}
        row.pop("node_id", None)
        return row

    def _job(self, fields: dict[str, Any]) -> Reply:
        return _json({"job_id": fields["job_id"], "status": "SUCCESS"})

    def _list(self, fields: dict[str, Any]) -> Reply:
        if fields["node_id"] not in self.sessions:
            return _failed(Failure(400, "DCS.3053"))
        if fields["node_id"] not in self._lists:
            return _failed(Failure(500, "DCS.5000"))
        moment, rows = self._lists[fields["node_id"]]
        found = [row for row in rows if fields.get("addr") in (None, row["addr"])]
        if fields.get("sort"):
            name = fields["sort"]
            found.sort(
                key=lambda row: (type(row.get(name)).__name__, row.get(name)),
                reverse=fields.get("order") == "desc",
            )
        start, size = int(fields.get("offset", 0)), int(fields.get("limit", 10))
        return _json({"time": moment, "count": len(found), "clients": found[start : start + size]})

    def _kill(self, fields: dict[str, Any]) -> Reply:
        addresses = set(fields["client_addrs"])
        rows = self.sessions.get(fields["node_id"], [])
        known = [(row, self._row(row, 0)) for row in rows]
        # A client, too, uses the other address if this one is empty.
        rows[:] = [row for row, shown in known if (shown["peer"] or shown["addr"]) not in addresses]
        return Reply(204, {}, b"")

    def _kill_all(self, fields: dict[str, Any]) -> Reply:
        for node_id, rows in self.sessions.items():
            if fields.get("kill_all_nodes") or node_id == fields.get("node_id"):
                rows.clear()
        return _json({"job_id": "job"})


_INSTANCE: Final = "/instances/(?P<instance_id>[^/]+)"
# Method and path of each operation.
_ROUTES: Final = {
    "ListInstances": ("GET", "/instances"),
    "ShowInstance": ("GET", _INSTANCE),
    "ListConfigurations": ("GET", f"{_INSTANCE}/configs"),
    "ShowNodesInformation": ("GET", f"{_INSTANCE}/logical-nodes"),
    "ScanClients": ("POST", f"{_INSTANCE}/clients"),
    "ListClients": ("GET", f"{_INSTANCE}/clients"),
    "HangUpClients": ("POST", f"{_INSTANCE}/clients/kill"),
    "HangUpKillAllClients": ("POST", f"{_INSTANCE}/clients/kill-all"),
    "ShowJobInfo": ("GET", "/jobs/(?P<job_id>[^/]+)"),
}


class _Sync:
    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    def send(self, request: Request, timeout: float) -> Reply:
        del timeout
        return self._stub.answer(request)


class _Async:
    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    async def send(self, request: Request, timeout: float) -> Reply:  # noqa: ASYNC109
        del timeout
        return self._stub.answer(request)


def _json(
    body: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    return Reply(status, {"x-request-id": "stub", **(headers or {})}, json.dumps(body).encode())


def _failed(failure: Failure) -> Reply:
    if failure.status is None:
        raise ApiConnectionError("the stub broke the connection")
    body = {"error_code": failure.error_code, "error_msg": "This failure was configured."}
    return _json(body, failure.status, failure.headers)
