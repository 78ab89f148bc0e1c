"""A model of the service in memory, which predicts each answer.

It is written from the vendor's pages and knows nothing of the emulator. Where the pages say
nothing, a comment says "not documented". Values that only the service can know, such as IDs of
jobs, are objects that any fitting value equals once, and only the same value from then on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from support.fake_valkey import FakeValkey, Row

FIELDS = (
    *("id", "addr", "fd", "name", "cmd", "age", "idle", "db", "flags", "sub", "psub", "multi"),
    *("qbuf", "qbuf_free", "obl", "oll", "omem", "events", "network", "peer", "user"),
)
# Strings that hold numbers. They sort as numbers: not documented.
NUMERIC = {"id", "fd", "db"}
PROXIED = {"proxy", "ha_rw_split"}
ACTIONS = {
    "ListInstances": "dcs:instance:list",
    "ShowInstance": "dcs:instance:get",
    "ListConfigurations": "dcs:instance:getConfiguration",
    "ShowNodesInformation": "dcs:instance:get",
    "ScanClients": "dcs:clients:list",
    "ListClients": "dcs:clients:list",
    "HangUpClients": "dcs:clients:kill",
    "HangUpKillAllClients": "dcs:clients:kill",
    "ShowJobInfo": "dcs:job:get",
}
METHODS = {
    "instances": {"GET": "ListInstances"},
    "instance": {"GET": "ShowInstance"},
    "configs": {"GET": "ListConfigurations"},
    "logical-nodes": {"GET": "ShowNodesInformation"},
    "clients": {"GET": "ListClients", "POST": "ScanClients"},
    "kill": {"POST": "HangUpClients"},
    "kill-all": {"POST": "HangUpKillAllClients"},
    "job": {"GET": "ShowJobInfo"},
}
# https://support.huaweicloud.com/intl/en-us/api-dcs/ErrorCode.html, and for the gateway's
# https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html.
ERRORS: Mapping[str, tuple[int, str]] = {
    "APIGW.0101": (404, "API does not exist or has not been published in the environment"),
    "APIGW.0301": (401, "Incorrect IAM authentication information: {}"),
    "APIGW.0308": (429, "The throttling threshold has been reached: policy user over ratelimit,{}"),
    "DCS.1001": (401, "Invalid token."),
    "DCS.1002": (401, "Token expired."),
    "DCS.1003": (401, "No token in the request."),
    "DCS.1004": (401, "Project ID does not match the token."),
    "DCS.2007": (403, "Policy does not allow {} to be performed."),
    "DCS.3022": (404, "This DCS instance does not exist."),
    "DCS.3053": (400, "Incorrect node ID."),
    "DCS.4001": (404, "The requested URL does not exist."),
    "DCS.4004": (400, "Empty request body."),
    "DCS.4005": (400, "The message body contains invalid characters or is not in JSON format."),
    "DCS.4070": (400, "Invalid task ID format."),
    "DCS.4800": (400, "Invalid {} in the request."),
    "DCS.4957": (400, "This operation is not allowed when the task is in the current state."),
    "DCS.5000": (500, "Internal service error."),
    "DCS.5001": (405, "This request method is not allowed."),
    "DCS.5053": (500, "Instance node not found."),
}
JSON_HEADERS = {"content-length", "content-type", "date", "x-request-id"}


class Learned:
    """A value that only the service knows. It equals the first value that fits, and no other."""

    def __init__(self, fits: Callable[[Any], bool], what: str) -> None:
        self._fits = fits
        self._what = what
        self.value: Any = None

    def __eq__(self, other: object) -> bool:
        if self.value is None and other is not None and self._fits(other):
            self.value = other
        return self.value is not None and bool(self.value == other)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{self._what}: {self.value}>"


class Fitting:
    """A value that changes. It equals every value that fits."""

    def __init__(self, fits: Callable[[Any], bool], what: str) -> None:
        self._fits = fits
        self._what = what

    def __eq__(self, other: object) -> bool:
        return self._fits(other)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{self._what}>"


def hex32() -> Learned:
    """Return 32 hexadecimal digits, the form of IDs in the vendor's examples."""
    return Learned(lambda value: bool(re.fullmatch("[0-9a-f]{32}", str(value))), "32 digits")


def _explanation(code: str) -> Fitting:
    """Return what equals a valid `error_ext_msg`: null, or why, in words. Not documented."""
    if code == "DCS.5053":
        return Fitting(lambda value: re.fullmatch(r"\S+:\d+: .+", str(value)) is not None, "server")
    sentence = re.compile(r"[A-Z](?=.*[a-z]).*[^ ]\.")
    return Fitting(
        lambda value: (
            (value is None and code not in {"DCS.4001", "DCS.5000"})
            or (isinstance(value, str) and sentence.fullmatch(value) is not None)
        ),
        "a sentence or null",
    )


@dataclass
class Span:
    """The time of an event in the service: between two times here, in seconds since 1970."""

    began: float
    ended: float

    def millis(self) -> Learned:
        """Return milliseconds since 1970 as a string: `begin_time` of ShowJobInfo."""
        return Learned(
            lambda value: (
                isinstance(value, str)
                and re.fullmatch("[0-9]{13}", value) is not None
                and self._holds(int(value) / 1000)
            ),
            f"milliseconds in {self}",
        )

    def iso(self) -> Learned:
        """Return the time of ListClients: 2023-06-15T03:10:01.332Z, which is UTC."""
        form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        return Learned(
            lambda value: (
                re.fullmatch(form, value) is not None
                and self._holds(datetime.fromisoformat(value).timestamp())
            ),
            f"UTC in {self}",
        )

    def _holds(self, moment: float) -> bool:
        # Milliseconds are cut off, not rounded; and the clock may be set back a little.
        return self.began - 0.05 <= moment <= self.ended + 0.05


@dataclass(eq=False)
class Job:
    """A task."""

    kind: str
    job_id: Learned = field(default_factory=hex32)
    begin: Learned | None = None
    end: Learned | None = None
    fails: bool = False

    def body(self) -> dict[str, Any]:
        """Return the body of ShowJobInfo."""
        body: dict[str, Any] = {
            "job_id": self.job_id,
            "job_type": self.kind,
            "begin_time": self.begin,
        }
        if self.end is None:
            running = Fitting(lambda value: value in ("INIT", "RUNNING"), "INIT or RUNNING")
            return {**body, "status": running, "fail_reason": None}
        reason = Fitting(lambda value: isinstance(value, str) and value != "", "a reason")
        return {
            **body,
            "status": "FAIL" if self.fails else "SUCCESS",
            "end_time": self.end,
            "fail_reason": reason if self.fails else None,
        }


@dataclass(eq=False)
class Node:
    """A node that holds sessions."""

    node_id: str
    server: FakeValkey
    stored: list[dict[str, Any]] | None = None
    time: Learned | None = None
    scanning: Job | None = None


@dataclass(eq=False, kw_only=True)
class Instance:
    """An instance of the project."""

    instance_id: str
    name: str
    mode: str
    nodes: list[Node]
    passes_through: bool = True
    status: str = "RUNNING"
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    created: Learned | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request: its target, credentials and body."""

    resource: str
    method: str
    login: str = "token"
    # Why the gateway refuses the login, where it does.
    refusal: str = ""
    project_id: str
    project_header: str | None = None
    instance_id: str = ""
    job_id: str = ""
    query: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    content_type: str | None = None

    @property
    def operation(self) -> str:
        """The operation, if there is one."""
        return METHODS.get(self.resource, {}).get(self.method, "")


@dataclass
class Answer:
    """The expected answer."""

    status: int
    body: Any = None
    headers: set[str] = field(default_factory=lambda: set(JSON_HEADERS))
    allow: str | None = None
    job: Job | None = None


class RefusedError(Exception):
    """The request is refused."""

    def __init__(self, code: str, filling: Any = "") -> None:
        super().__init__(code)
        self.code = code
        self.filling = filling

    def answer(self) -> Answer:
        """Return the answer, in the form of the gateway or of the service."""
        status, message = ERRORS[self.code]
        if self.code == "APIGW.0301":
            start = message.format(self.filling)
            said: Any = Fitting(lambda value: str(value).startswith(start), start)
        else:
            said = message.format(self.filling)
        body = {"error_code": self.code, "error_msg": said}
        if self.code.startswith("APIGW"):
            return Answer(status, {**body, "request_id": hex32()})
        return Answer(status, {**body, "error_ext_msg": _explanation(self.code)})


class Service:
    """The service."""

    def __init__(self, project_id: str, instances: list[Instance]) -> None:
        self.project_id = project_id
        self.instances = instances
        self.jobs: list[Job] = []
        # Without pass-through, a client's host has an internal address: the same one for each of
        # its connections, or clients could not be told apart by `addr`. Not documented.
        self.internal: dict[str, Learned] = {}
        self.groups: dict[tuple[str, int], Learned] = {}

    # The order of the checks is not documented; from the outside in.

    def answer(self, call: Call, span: Span) -> Answer:
        """Return the service's answer to a request that arrives in a span of time."""
        try:
            return self._answer(call, span)
        except RefusedError as refused:
            answer = refused.answer()
            if refused.code == "DCS.5001":
                answer.allow = ", ".join(METHODS[call.resource])
                answer.headers.add("allow")
            return answer

    def _answer(self, call: Call, span: Span) -> Answer:
        if call.resource not in METHODS:
            raise RefusedError("APIGW.0101")
        if not call.operation:
            raise RefusedError("DCS.5001")
        self._admit(call)
        operation = {
            "ListInstances": self._list_instances,
            "ShowInstance": self._show_instance,
            "ListConfigurations": self._list_configurations,
            "ShowNodesInformation": self._show_nodes,
            "ScanClients": self._scan,
            "ListClients": self._list,
            "HangUpClients": self._kill,
            "HangUpKillAllClients": self._kill_all,
            "ShowJobInfo": self._show_job,
        }[call.operation]
        return operation(call, span)

    def _admit(self, call: Call) -> None:
        refusals = {
            "none": "DCS.1003",
            "wrong": "DCS.1001",
            "expired": "DCS.1002",
            "unsigned": "APIGW.0301",
        }
        if call.login in refusals:
            raise RefusedError(refusals[call.login], call.refusal)
        action = ACTIONS[call.operation]
        if call.login == "noaccess" or (call.login == "readonly" and action.endswith(":kill")):
            raise RefusedError("DCS.2007", action)
        if call.login == "other-project" or {
            call.project_id,
            self.project_id if call.project_header is None else call.project_header,
        } != {self.project_id}:
            raise RefusedError("DCS.1004")
        if call.resource not in {"instances", "job"}:
            self._instance(call)

    def _instance(self, call: Call) -> Instance:
        for instance in self.instances:
            if instance.instance_id == call.instance_id:
                return instance
        raise RefusedError("DCS.3022")

    def _node(self, call: Call, node_id: str | None) -> Node:
        # These operations do not accept a data node behind proxies.
        for node in self._instance(call).nodes:
            if node.node_id == node_id:
                return node
        raise RefusedError("DCS.3053")

    # https://support.huaweicloud.com/intl/en-us/api-dcs/ScanClients.html

    def _scan(self, call: Call, span: Span) -> Answer:
        fields = _fields(call)
        node_id = _string(fields, "node_id")
        queries_anew = _boolean(fields, "clean_cache")
        node = self._node(call, node_id)
        if node.scanning is not None:
            raise RefusedError("DCS.4957")
        if not _is_up(node):
            raise RefusedError("DCS.5053")
        job = self._begin("scanClientsJob", span)
        # Without a stored list, a query is always made: not documented.
        if queries_anew or node.stored is None:
            node.scanning = job
        return Answer(200, {"job_id": job.job_id}, job=job)

    def finish_scan(self, node: Node, span: Span, *, fails: bool) -> None:
        """End a query: store the current sessions, or change nothing."""
        job = node.scanning
        assert job is not None
        node.scanning = None
        job.end = span.millis()
        job.fails = fails
        if not fails:
            instance = next(one for one in self.instances if node in one.nodes)
            node.stored = [self._session(row, instance) for row in node.server.rows]
            node.time = span.iso()

    def _begin(self, kind: str, span: Span) -> Job:
        job = Job(kind, begin=span.millis())
        self.jobs.append(job)
        return job

    # https://support.huaweicloud.com/intl/en-us/api-dcs/ListClients.html

    def _session(self, row: Row, instance: Instance) -> dict[str, Any]:
        session: dict[str, Any] = {
            name: getattr(row, name) for name in FIELDS if name not in {"network", "peer"}
        }
        host, _, port = row.addr.rpartition(":")
        return {
            **session,
            "id": str(row.id),
            # The connection as its two ends see it; `peer` is what a kill takes.
            "peer": row.addr,
            "addr": row.addr if instance.passes_through else self._internal(host, port),
            "network": "vpc",
        }

    def _internal(self, host: str, port: str) -> Any:
        known = self.internal.setdefault(
            host, Learned(lambda value: re.fullmatch(r"198\.19\.\d+\.\d+", value) is not None, host)
        )

        def fits(value: Any) -> bool:
            internal, _, its_port = str(value).rpartition(":")
            return its_port == port and known == internal

        if known.value is not None:
            return f"{known.value}:{port}"
        return Learned(fits, f"198.19.*.*:{port}")

    def _list(self, call: Call, _: Span) -> Answer:
        query = _Query(call)
        node_id = query.one("node_id")
        if node_id is None:
            raise RefusedError("DCS.4800", "node_id")
        offset = query.number("offset", 0, 0, 2**31 - 1)
        limit = query.number("limit", 10, 1, 1000)
        addr = query.one("addr")
        sort = query.word("sort", "id", FIELDS)
        order = query.word("order", "desc", ("asc", "desc"))
        node = self._node(call, node_id)
        if node.stored is None:
            raise RefusedError("DCS.5000" if node.scanning is None else "DCS.4957")
        found = sorted(node.stored, key=lambda session: int(session["id"]))
        if addr:
            found = [session for session in found if _is_at(session, addr)]
        # Sessions that are equal in what is sorted by are in the order of their IDs.
        found.sort(key=lambda session: _rank(session, sort), reverse=order == "desc")
        page = found[offset : offset + limit]
        return Answer(200, {"time": node.time, "clients": page, "count": len(found)})

    # https://support.huaweicloud.com/intl/en-us/api-dcs/HangUpClients.html

    def _kill(self, call: Call, _: Span) -> Answer:
        fields = _fields(call)
        node_id = _string(fields, "node_id")
        addrs = fields.get("client_addrs")
        if not isinstance(addrs, list) or not all(isinstance(addr, str) for addr in addrs):
            raise RefusedError("DCS.4800", "client_addrs")
        node = self._node(call, node_id)
        if not _is_up(node):
            raise RefusedError("DCS.5053")
        return Answer(204, headers={"date", "x-request-id"})

    # https://support.huaweicloud.com/intl/en-us/api-dcs/HangUpKillAllClients.html

    def _kill_all(self, call: Call, span: Span) -> Answer:
        fields = _fields(call)
        is_every = _boolean(fields, "kill_all_nodes")
        node_id = _string(fields, "node_id", is_needed=not is_every)
        nodes = self._instance(call).nodes if is_every else [self._node(call, node_id)]
        if not all(map(_is_up, nodes)):
            raise RefusedError("DCS.5053")
        job = self._begin("killAllClientsJob", span)
        return Answer(200, {"job_id": job.job_id}, job=job)

    def ended(self, call: Call) -> list[tuple[Node, list[Row]]]:
        """Return the sessions that must have ended after a successful call, node by node."""
        fields = json.loads(call.body)
        if call.resource == "kill":
            node = self._node(call, fields["node_id"])
            return [(node, [row for row in node.server.rows if row.addr in fields["client_addrs"]])]
        nodes = (
            self._instance(call).nodes
            if fields.get("kill_all_nodes")
            else [self._node(call, fields["node_id"])]
        )
        # Links between a master and its replicas are no sessions of users.
        return [
            (node, [row for row in node.server.rows if row.kind in {"normal", "pubsub"}])
            for node in nodes
        ]

    # https://support.huaweicloud.com/intl/en-us/api-dcs/ShowJobInfo.html

    def _show_job(self, call: Call, _: Span) -> Answer:
        if not re.fullmatch("[0-9a-f]{32}", call.job_id):
            raise RefusedError("DCS.4070")
        for job in self.jobs:
            if job.job_id.value == call.job_id:
                return Answer(200, job.body(), job=job)
        raise RefusedError("DCS.4001")

    # https://support.huaweicloud.com/intl/en-us/api-dcs/ShowNodesInformation.html

    def _show_nodes(self, call: Call, _: Span) -> Answer:
        instance = self._instance(call)
        is_proxied = instance.mode in PROXIED
        shown = [
            self._described(instance, node, node.node_id, is_proxy=is_proxied)
            for node in instance.nodes
        ]
        if is_proxied:
            # The data node behind the proxies, which no session operation takes.
            shown.append(self._described(instance, instance.nodes[0], hex32(), is_proxy=False))
        body = {"instance_id": instance.instance_id, "total": len(shown), "nodes": shown}
        return Answer(200, body)

    def _described(
        self, instance: Instance, node: Node, node_id: Any, *, is_proxy: bool
    ) -> dict[str, Any]:
        role = "proxy" if is_proxy else node.server.role
        label = {"slave": "replica"}.get(role, role)
        logical = hex32()
        # The nodes of a shard have its group; only a cluster has several shards.
        group = instance.nodes.index(node) if instance.mode == "cluster" else 0
        return {
            "logical_node_id": logical,
            "name": f"({label}){node.server.host}",
            "status": "Active" if _is_up(node) else "Inactive",
            "az_code": "emulator-1a",
            "node_role": "redis-proxy" if is_proxy else "redis-server",
            "node_type": role,
            "node_ip": node.server.host,
            "node_port": str(node.server.port),
            "node_id": node_id,
            "priority_weight": 100,
            "is_access": True,
            "is_remove_ip": False,
            "group_id": self.groups.setdefault((instance.instance_id, group), self._group()),
            "group_name": f"group-{group}",
            "replication_id": None,
            "dimensions": [
                {"name": "dcs_instance_id", "value": instance.instance_id},
                {"name": "dcs_cluster_redis_node", "value": logical},
            ],
        }

    def _group(self) -> Learned:
        def fits(value: Any) -> bool:
            others = [group.value for group in self.groups.values()]
            return _UUID.fullmatch(value) is not None and value not in others

        return Learned(fits, "a UUID of its own")

    # https://support.huaweicloud.com/intl/en-us/api-dcs/ListInstances.html

    def _list_instances(self, call: Call, _: Span) -> Answer:
        query = _Query(call)
        wanted = {
            name: query.one(name)
            for name in ("instance_id", "name", "status", "ip", "tags", "capacity")
        }
        name_equal = query.one("name_equal")
        is_recycled = query.word("is_recycle", "false", ("true", "false")) == "true"
        failed, deleted = query.one("include_failure"), query.one("include_delete")
        offset = query.number("offset", 0, 0, 2**31 - 1)
        limit = query.number("limit", 10, 1, 1000)
        found = [
            instance
            for instance in self.instances
            if not is_recycled
            and (instance.status != "CREATEFAILED" or failed == "true")
            and (instance.status != "DELETED" or deleted == "true")
            and _is_wanted(instance, wanted, name_equal)
        ]
        shown = [_listed(instance) for instance in found[offset : offset + limit]]
        return Answer(200, {"instance_num": len(found), "instances": shown})

    # https://support.huaweicloud.com/intl/en-us/api-dcs/ShowInstance.html

    def _show_instance(self, call: Call, _: Span) -> Answer:
        instance = self._instance(call)
        shards = len(instance.nodes) if instance.mode == "cluster" else 1
        replicas = len(instance.nodes) if instance.mode in {"ha", "ha_rw_split"} else 1
        return Answer(
            200,
            {
                **_listed(instance),
                "no_password_access": "true",
                "enterprise_project_id": "0",
                "cache_mode": instance.mode,
                "transparent_client_ip_enable": instance.passes_through,
                "replica_count": replicas,
                "sharding_count": shards,
                "db_number": 1 if instance.mode == "cluster" else 256,
            },
        )

    # https://support.huaweicloud.com/intl/en-us/api-dcs/ListConfigurations.html

    def _list_configurations(self, call: Call, _: Span) -> Answer:
        instance = self._instance(call)
        server = instance.nodes[0].server
        if server.is_down:
            raise RefusedError("DCS.5053")
        parameters = [
            ("timeout", "1", "0-7200", "0"),
            ("maxclients", "11", "1000-50000", "10000"),
        ]
        return Answer(
            200,
            {
                "instance_id": instance.instance_id,
                "status": instance.status,
                "config_status": "SUCCESS",
                "config_time": instance.created,
                "redis_config": [
                    {
                        "param_id": number,
                        "param_name": name,
                        "param_value": server.configuration[name],
                        "value_range": values,
                        "value_type": "Integer",
                        "default_value": default,
                        "description": Fitting(lambda value: isinstance(value, str), "string"),
                    }
                    for name, number, values, default in parameters
                    # Read/write splitting has no such parameter.
                    if not (name == "maxclients" and instance.mode == "ha_rw_split")
                ],
            },
        )


_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SPECS = {
    "single": "redis.single.",
    "ha": "redis.ha.xu1.large.r",
    "ha_rw_split": "redis.ha.xu1.large.p",
    "cluster": "redis.cluster.",
    "proxy": "redis.proxy.",
}


def _listed(instance: Instance) -> dict[str, Any]:
    """Return an instance of 0.125 GB, with the types of the vendor's examples."""
    spec = _SPECS[instance.mode]
    hosts = dict.fromkeys(node.server.host for node in instance.nodes)
    return {
        "instance_id": instance.instance_id,
        "name": instance.name,
        "description": instance.description,
        "engine": "Redis",
        "engine_version": "7.0",
        "spec_code": Fitting(lambda value: str(value).startswith(spec), spec),
        "status": instance.status,
        "sub_status": "normal",
        "ip": ",".join(hosts),
        "port": instance.nodes[0].server.port,
        "domain_name": None,
        "readonly_domain_name": None,
        "capacity": 0,
        "capacity_minor": ".125",
        "max_memory": 128,
        "used_memory": 2,
        "no_password_access": True,
        "enterprise_project_id": 0,
        "publicip_id": {},
        "publicip_address": None,
        "enable_ssl": False,
        "az_codes": ["emulator-1a"],
        "tags": [{"key": key, "value": value} for key, value in instance.tags.items()],
        "features": {"support_transparent_client_ip": True, "support_acl": True},
        "created_at": instance.created,
    }


def _is_wanted(
    instance: Instance, wanted: Mapping[str, str | None], name_equal: str | None
) -> bool:
    # Its two documented meanings: a flag for `name`, or the name itself.
    if name_equal not in {None, "", "true", "false"} and instance.name != name_equal:
        return False
    name = wanted["name"]
    if name and (instance.name != name if name_equal == "true" else name not in instance.name):
        return False
    pairs = [f"{key}={value}" for key, value in instance.tags.items()]
    hosts = [node.server.host for node in instance.nodes]
    return (
        wanted["instance_id"] in {None, instance.instance_id}
        and wanted["status"] in {None, instance.status}
        and (wanted["ip"] is None or wanted["ip"] in hosts)
        and wanted["capacity"] in {None, "0.125", ".125"}
        and all(pair in pairs for pair in (wanted["tags"] or "").split(",") if wanted["tags"])
    )


class _Query:
    """The parameters of a call. One that comes twice is refused; an unknown one is not."""

    def __init__(self, call: Call) -> None:
        self._pairs = call.query

    def one(self, name: str) -> str | None:
        values = [value for key, value in self._pairs if key == name]
        if len(values) > 1:
            raise RefusedError("DCS.4800", name)
        return values[0] if values else None

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.one(name)
        if value is None:
            return default
        if not re.fullmatch("[0-9]{1,10}", value) or not least <= int(value) <= most:
            raise RefusedError("DCS.4800", name)
        return int(value)

    def word(self, name: str, default: str, words: Sequence[str]) -> str:
        value = self.one(name)
        if value is not None and value not in words:
            raise RefusedError("DCS.4800", name)
        return default if value is None else value


def _fields(call: Call) -> dict[str, Any]:
    if not call.body.strip():
        raise RefusedError("DCS.4004")
    if (call.content_type or "").split(";")[0].strip().lower() != "application/json":
        raise RefusedError("DCS.4005")
    try:
        # JSON is UTF-8, and has no NaN: https://www.rfc-editor.org/rfc/rfc8259.
        fields = json.loads(call.body.decode(), parse_constant=_refuse)
    except ValueError:
        raise RefusedError("DCS.4005") from None
    if not isinstance(fields, dict):
        raise RefusedError("DCS.4005")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _string(fields: dict[str, Any], name: str, *, is_needed: bool = True) -> str | None:
    if name not in fields and not is_needed:
        return None
    value = fields.get(name)
    if not isinstance(value, str):
        raise RefusedError("DCS.4800", name)
    return value


def _boolean(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise RefusedError("DCS.4800", name)
    return value


def _is_up(node: Node) -> bool:
    return not node.server.is_down


def _is_at(session: dict[str, Any], addr: str) -> bool:
    """Return whether `addr` is a session's address, with or without its port: not documented."""
    own = session["addr"]
    full = str(own.value if isinstance(own, Learned) else own)
    host = full.rpartition(":")[0]
    return addr in {full, host, host.removeprefix("[").removesuffix("]")}


def _rank(session: dict[str, Any], name: str) -> Any:
    value = session[name]
    if isinstance(value, Learned):
        value = value.value
    return int(value) if name in NUMERIC else value
