"""An emulator on servers with sessions of the test's choice, and the model to compare it with."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode, urlsplit

from dcs_sessions import _signing, emulator
from dcs_sessions.emulator import Emulator
from emulator import model
from emulator.model import Call, Job, Learned, Node, Service, Span
from support.fake_valkey import FakeValkey
from support.waiting import wait_until

TOKENS = {
    "token": emulator.TOKEN,
    "readonly": emulator.READONLY_TOKEN,
    "noaccess": emulator.NOACCESS_TOKEN,
    "expired": emulator.EXPIRED_TOKEN,
    "other-project": emulator.OTHER_PROJECT_TOKEN,
    "wrong": "of-nobody",
}
KEYS = {
    "key": (emulator.ACCESS_KEY, emulator.SECRET_KEY, None),
    "temporary": (
        emulator.TEMPORARY_ACCESS_KEY,
        emulator.TEMPORARY_SECRET_KEY,
        emulator.SECURITY_TOKEN,
    ),
}
PROJECT = emulator.PROJECT_ID
# Instance, type, hosts of its nodes, and whether addresses are passed through.
INSTANCES: Sequence[tuple[str, str, Sequence[str], bool]] = (
    ("checkout", "cluster", ("127.0.0.1", "127.0.0.1"), True),
    ("billing-prod", "proxy", ("127.0.0.1", "127.0.0.1"), False),
    ("billing-old", "ha", ("127.0.0.1", "127.0.0.1"), True),
    ("reports", "ha_rw_split", ("127.0.0.1", "::1"), False),
    ("sixth", "single", ("::1",), True),
)
DETAILS: Mapping[str, Mapping[str, Any]] = {
    "billing-prod": {"tags": {"team": "a", "stage": "b", "note": ""}, "description": "mixed"},
    "reports": {"tags": {"team": "ab", "Team": "a"}, "status": "FROZEN"},
    "billing-old": {"status": "DELETED", "tags": {"team": "a", "stage": "b"}},
    "sixth": {"status": "CREATEFAILED", "description": "over IPv6"},
}
# Values of the parameters of ListInstances, also ones that are nearly those of an instance.
FILTER_VALUES: Mapping[str, Sequence[str]] = {
    "offset": ("0", "1", "3", "4", "5", "-1", "2147483647", "2147483648", ""),
    "limit": ("1", "2", "5", "1000", "0", "1001", "ten"),
    "instance_id": (
        *(emulator.instance_id(0), emulator.instance_id(3), emulator.instance_id(9)),
        *(emulator.instance_id(1).upper(), emulator.instance_id(0)[:-1], ""),
    ),
    "name": ("billing", "billing-old", "Billing", "reports", "REPORTS", "o", "", "*", "billing-%"),
    "name_equal": ("true", "false", "", "TRUE", "billing", "billing-old", "Reports", "checkout"),
    "status": ("RUNNING", "DELETED", "CREATEFAILED", "FROZEN", "running", "RUN", ""),
    "ip": ("127.0.0.1", "::1", "127.0.0", "127.0.0.1,::1", "localhost", ""),
    "tags": (
        *("team=a", "team=a,stage=b", "stage=b,team=a", "team=b", "team=a,stage=c", "stage=b"),
        *(
            "team",
            "team=",
            "note=",
            "=a",
            "Team=a",
            "TEAM=a",
            "team=A",
            "team=a,",
            "team=a,team=ab",
        ),
        *("team=ab", "", ",", "team=a stage=b", "team=a,stage=b,note=", "team=a,stage=b,note=x"),
    ),
    "capacity": ("0.125", ".125", "4", "0", ""),
    "include_failure": ("true", "false", "1", ""),
    "include_delete": ("true", "false", "TRUE", ""),
    "is_recycle": ("true", "false", "yes", ""),
    "unknown": ("1",),
}
_PATHS = {
    "instances": "/v2/{project}/instances",
    "instance": "/v2/{project}/instances/{instance}",
    "configs": "/v2/{project}/instances/{instance}/configs",
    "logical-nodes": "/v2/{project}/instances/{instance}/logical-nodes",
    "clients": "/v2/{project}/instances/{instance}/clients",
    "kill": "/v2/{project}/instances/{instance}/clients/kill",
    "kill-all": "/v2/{project}/instances/{instance}/clients/kill-all",
    "job": "/v2/{project}/jobs/{job}",
    "elsewhere": "/v2/{project}/instances/{instance}/sessions",
}
_NODE_IDS = ("node_id", "logical_node_id")
# What helps the author of a signer, and no document knows.
_EXTRA = {"x-canonical-request", "x-string-to-sign"}

_SENTENCE = r"[A-Z](?=.*[a-z]).*[^ ]\.|[0-9.\[\]:a-f]+:[0-9]+: .+"


class Got(NamedTuple):
    """An answer as received."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """Return the JSON of the body, or None without a body."""
        return json.loads(self.raw) if self.raw else None


class World:
    """The servers, the emulator, and the model."""

    def __init__(self, **arguments: Any) -> None:
        self._stack = ExitStack()
        self._arguments = arguments
        self.request_ids: set[str] = set()

    def __enter__(self) -> Self:
        began = time.time()
        nodes = [[self._server(host) for host in hosts] for _, _, hosts, _ in INSTANCES]
        nodes[2][1].role = "slave"
        made = [
            emulator.Instance(
                name=name,
                cache_mode=mode,
                redis=[server.url for server in servers],
                transparent_client_ip=passes,
                **DETAILS.get(name, {}),
            )
            for (name, mode, _, passes), servers in zip(INSTANCES, nodes, strict=True)
        ]
        first, *rest = made
        self.dcs = Emulator(
            instance_name=first.name,
            cache_mode=first.cache_mode,
            redis=first.redis,
            instances=rest,
            **self._arguments,
        )
        self._start([server for servers in nodes for server in servers])
        ids = [instance["node_ids"] for instance in self.dcs.instances]
        created = Span(began, time.time())
        self.service = Service(
            PROJECT,
            [
                model.Instance(
                    instance_id=shown["instance_id"],
                    name=name,
                    mode=mode,
                    nodes=[Node(*pair) for pair in zip(node_ids, servers, strict=True)],
                    passes_through=passes,
                    created=created.iso(),
                    **DETAILS.get(name, {}),
                )
                for (name, mode, _, passes), servers, node_ids, shown in zip(
                    INSTANCES, nodes, ids, self.dcs.instances, strict=True
                )
            ],
        )
        self.connection = self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        # The servers first: a command that is held would hold the emulator.
        for node in self.nodes:
            node.server.clear()
        self._stack.close()

    def _server(self, host: str) -> FakeValkey:
        return self._stack.enter_context(FakeValkey(host))

    def _start(self, _: Sequence[FakeValkey]) -> None:
        self._stack.enter_context(self.dcs)

    @property
    def nodes(self) -> list[Node]:
        """Return all nodes of all instances."""
        return [node for instance in self.service.instances for node in instance.nodes]

    def connect(self) -> http.client.HTTPConnection:
        """Open a new connection."""
        parts = urlsplit(self.dcs.endpoint)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    # Calls

    def call(
        self, resource: str, method: str = "GET", node: Node | None = None, **more: Any
    ) -> Call:
        """Make a call that goes to the instance of a node, or to the first one."""
        instances = self.service.instances
        instance = next((one for one in instances if node in one.nodes), instances[0])
        fields = {"project_id": PROJECT, "instance_id": instance.instance_id, **more}
        if isinstance(fields.get("body"), dict):
            fields["body"] = json.dumps(fields["body"]).encode()
        if fields.get("body"):
            fields.setdefault("content_type", "application/json")
        return Call(resource=resource, method=method, **fields)

    def scan(self, node: Node, **fields: Any) -> Call:
        """Make a call that queries a node."""
        return self.call("clients", "POST", node, body={"node_id": node.node_id, **fields})

    def read(self, node: Node, *query: tuple[str, str]) -> Call:
        """Make a call that reads a list."""
        return self.call("clients", "GET", node, query=[("node_id", node.node_id), *query])

    def job(self, job: Job) -> Call:
        """Make a call that reads a job."""
        return self.call("job", job_id=job.job_id.value)

    # Requests

    def request(self, call: Call) -> tuple[str, dict[str, str]]:
        """Return the target and the headers of a call."""
        target = _PATHS[call.resource].format(
            project=quote(call.project_id, safe=""),
            instance=quote(call.instance_id, safe=""),
            job=quote(call.job_id, safe=""),
        )
        if call.query:
            target += "?" + urlencode(call.query)
        headers = {"Host": urlsplit(self.dcs.endpoint).netloc}
        if call.content_type is not None:
            headers["Content-Type"] = call.content_type
        if call.project_header is not None:
            headers["X-Project-Id"] = call.project_header
        if call.login in TOKENS:
            headers["X-Auth-Token"] = TOKENS[call.login]
        if call.login in KEYS:
            headers = self.sign(call, target, headers, *KEYS[call.login])
        return target, headers

    def sign(
        self,
        call: Call,
        target: str,
        headers: Mapping[str, str],
        access_key: str,
        secret_key: str,
        security_token: str | None = None,
        *,
        off: timedelta = timedelta(),
    ) -> dict[str, str]:
        """Return the headers of a signed request."""
        now = (datetime.now(UTC) + off).strftime("%Y%m%dT%H%M%SZ")
        signed = {**headers, "X-Sdk-Date": now}
        if security_token is not None:
            signed["X-Security-Token"] = security_token
        authorization = _signing.sign(
            call.method,
            target,
            signed.items(),
            call.body,
            access_key=access_key,
            secret_key=secret_key,
        )
        return {**signed, "Authorization": authorization}

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        connection: http.client.HTTPConnection | None = None,
    ) -> Got:
        """Send a request unchanged, and check the rules for every answer."""
        status, pairs, raw = self._exchange(
            connection or self.connection, method, target, headers, body
        )
        names = [name.lower() for name, _ in pairs]
        assert len(names) == len(set(names)), names
        got = Got(status, {name.lower(): value for name, value in pairs}, raw)
        request_id = got.headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", request_id)
        assert request_id not in self.request_ids, "two answers have one ID"
        self.request_ids.add(request_id)
        if raw and got.status >= 400 and got.headers["content-type"] == "application/json":
            message, detail = got.body["error_msg"], got.body.get("error_ext_msg")
            assert detail is None or re.fullmatch(_SENTENCE, detail), detail
            assert re.fullmatch(r"(?!.*None)\S.*[^\s:]", message, re.DOTALL), "nothing is said"
            if got.body["error_code"].startswith("APIGW"):
                assert got.body["request_id"] == request_id
        return got

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection.request(method, target, body or None, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def one_of_each(self, node: Node | None = None) -> list[Call]:
        """Return one call of each operation that succeeds."""
        node = node or self.nodes[0]
        scan = self.scan(node, clean_cache=True)
        _, answer = self.check(scan)
        assert answer.job is not None
        body = {"node_id": node.node_id}
        return [
            scan,
            self.read(node, ("limit", "5")),
            self.call("kill", "POST", node, body={**body, "client_addrs": ["10.0.0.9:1"]}),
            self.call("kill-all", "POST", node, body=body),
            self.call("instances"),
            self.call("instance", node=node),
            self.call("configs", node=node),
            self.call("logical-nodes", node=node),
            self.job(answer.job),
        ]

    def plain(self, call: Call, connection: http.client.HTTPConnection | None = None) -> Got:
        """Send a call."""
        target, headers = self.request(call)
        return self.send(call.method, target, headers, call.body, connection)

    def check(self, call: Call) -> tuple[Got, model.Answer]:
        """Send a call, and compare the whole answer with the model's."""
        before = {node: list(node.server.rows) for node in self.nodes}
        began = time.time()
        got = self.plain(call)
        expected = self.service.answer(call, Span(began, time.time()))
        self.compare(call, got, expected)
        victims = {}
        if call.resource in {"kill", "kill-all"} and expected.status < 300:
            if expected.job is not None:
                self.settle(expected.job, began)
            victims = dict(self._victims(call, before))
        for node, rows in before.items():
            left = [row for row in rows if row not in victims.get(node, [])]
            assert node.server.rows == left, (call, node.node_id)
        if call.operation == "ScanClients" and expected.job is not None:
            self.settle(expected.job, began)
        return got, expected

    def _victims(self, call: Call, before: Mapping[Node, list[Any]]) -> list[tuple[Node, Any]]:
        after = {node: node.server.rows for node in before}
        try:
            for node, rows in before.items():
                node.server.rows = rows
            return self.service.ended(call)
        finally:
            for node, rows in after.items():
                node.server.rows = rows

    def compare(self, call: Call, got: Got, expected: model.Answer) -> None:
        """Compare an answer with the expected one."""
        said = (call, got)
        assert expected.status == got.status, said
        assert expected.headers == got.headers.keys() - _EXTRA, said
        if expected.allow is not None:
            assert got.headers["allow"] == expected.allow, said
        if expected.body is None:
            assert got.raw == b"", said
            return
        assert got.headers["content-type"] == "application/json", said
        assert int(got.headers["content-length"]) == len(got.raw), said
        assert expected.body == got.body, (*said, expected.body)
        if call.operation == "ShowNodesInformation" and got.status == 200:
            ids = [node[name] for node in got.body["nodes"] for name in _NODE_IDS]
            assert len(set(ids)) == len(ids), "two IDs of nodes are the same"

    def settle(self, job: Job, began: float) -> None:
        """Wait for a job to end, and compare its answer and its result with the model."""
        call = self.job(job)
        running = model.Answer(200, job.body())

        def has_ended() -> bool:
            got = self.plain(call)
            if got.body["status"] in {"SUCCESS", "FAIL"}:
                return True
            self.compare(call, got, running)
            return False

        wait_until(has_ended)
        span = Span(began, time.time())
        node = next((node for node in self.nodes if node.scanning is job), None)
        if node is None:
            job.end = span.millis()
        else:
            fails = node.server.is_down or "CLIENT LIST" in node.server.replies
            self.service.finish_scan(node, span, fails=fails)
        self.check(call)
        assert int(job.begin.value if job.begin else "0") <= int(job.end.value if job.end else "0")
        if node is not None and node.stored is not None:
            self.learn(node)
            if not job.fails:
                self._is_within(node, job)

    def _is_within(self, node: Node, job: Job) -> None:
        """Compare the time of a list with those of the scan that has made it."""
        assert job.begin
        assert job.end
        assert node.time
        made = datetime.fromisoformat(node.time.value).timestamp() * 1000
        assert int(job.begin.value) <= round(made) <= int(job.end.value), (job, node.time)

    def learn(self, node: Node) -> None:
        """Read a whole list, to learn its internal addresses."""
        for offset in range(0, len(node.stored or ()) + 1, 1000):
            page = (("limit", "1000"), ("offset", str(offset)), ("sort", "id"), ("order", "asc"))
            self.check(self.read(node, *page))
        for session in node.stored or ():
            if isinstance(session["addr"], Learned):
                session["addr"] = session["addr"].value
