"""Calls of a server for `make contract`, checked against openapi.yaml.

`Seen` counts the statuses of the answers by operation.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, NamedTuple

import httpx
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup

from dcs_sessions import Auth, TokenAuth
from tools import spec

KILLS = ("HangUpClients", "HangUpKillAllClients")

Facts = dict[str, Any]
Seen = Counter[tuple[str, str]]

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.5
_TOO_LARGE = 1024 * 1024 + 1


class ContractError(Exception):
    """The test cannot be run; the message is one line with the reason."""


class Call(NamedTuple):
    """A valid request of an operation."""

    ids: dict[str, str]
    auth: Auth | None
    query: dict[str, str]
    body: Any = None
    content: bytes | None = None


class Api:
    """Calls operations of a server, and checks the answers against the contract."""

    def __init__(self, facts: Facts, seen: Seen, auth: Auth | None = None) -> None:
        self._operations = spec.operations(spec.load())
        # Without schemathesis.toml, whose variables are those of another process.
        self._schema = schemathesis.openapi.from_path(spec.SPEC, config=SchemathesisConfig())
        self._http = httpx.Client(base_url=facts["endpoint"], trust_env=False, timeout=60)
        self._facts = facts
        self._auth = auth or TokenAuth(facts["token"])
        self._seen = seen
        self._ids: set[str] = set()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def valid(self, name: str, job_id: str = "0" * 32) -> Call:
        """Return a valid call on the first node: the example and the required parameters."""
        definition = self._operations[name].definition
        node = {"node_id": self._facts["node_ids"][0]}
        body = None
        if "requestBody" in definition:
            examples = definition["requestBody"]["content"]["application/json"]["examples"]
            body = {**next(iter(examples.values()))["value"], **node}
        required = [p for p in self._operations[name].parameters if p.get("required")]
        return Call(
            {
                "project_id": self._facts["project_id"],
                "instance_id": self._facts["instance_id"],
                "job_id": job_id,
            },
            self._auth,
            {p["name"]: node[p["name"]] for p in required if p["in"] == "query"},
            body,
        )

    def spoiled(self, name: str) -> Call:
        """Return a call that must be answered with 400."""
        call, parameters = self.valid(name), self._operations[name].parameters
        if call.body is not None:
            return call._replace(body={})
        if call.query:
            return call._replace(query={})
        if any("minimum" in parameter["schema"] for parameter in parameters):
            return call._replace(query={"limit": "0"})
        if any(parameter["name"] == "job_id" for parameter in parameters):
            return call._replace(ids={**call.ids, "job_id": "x"})
        # It has nothing that could be wrong, so that only the gateway can find fault with it.
        return call._replace(content=b"x" * _TOO_LARGE)

    def names_nothing(self, name: str) -> bool:
        """Return whether the path of an operation names neither an instance nor a job."""
        return "{instance_id}" not in (path := self._operations[name].path) and (
            "{job_id}" not in path
        )

    def send(self, name: str, call: Call) -> httpx.Response:
        """Send a request, count the status, and check the answer against the contract."""
        operation = self._operations[name]
        response = self._http.request(
            operation.method,
            operation.path.format_map(call.ids),
            params=call.query,
            auth=call.auth,
            json=call.body,
            content=call.content,
        )
        status = str(response.status_code)
        self._seen[name, status] += 1
        request_id = response.headers.get("X-Request-Id", "")
        if not request_id or request_id in self._ids:
            raise ContractError(f"{name} answers {status} with the request ID {request_id!r}")
        self._ids.add(request_id)
        if status in operation.definition["responses"]:
            try:
                self._schema[operation.path][operation.method.upper()].validate_response(response)
            except (Failure, FailureGroup) as error:
                failures = error.exceptions if isinstance(error, FailureGroup) else (error,)
                reasons = "; ".join(sorted({failure.title for failure in failures}))
                raise ContractError(f"{name} answers {status}, but: {reasons}") from None
        return response

    def expect(self, name: str, status: int, call: Call) -> httpx.Response:
        """Send a request that must be answered with this status."""
        response = self.send(name, call)
        if response.status_code != status:
            raise ContractError(
                f"{name} answers {response.status_code} where {status} is due: {response.text[:60]}"
            )
        return response


def prepare(api: Api) -> str | None:
    """Store a list, so that it can be read, and return the ID of a job that has ended.

    Return None if the server does not know the jobs of scans: no public source shows that the
    service does.
    """
    job_id: str = api.expect("ScanClients", 200, api.valid("ScanClients")).json()["job_id"]
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        response = api.send("ShowJobInfo", api.valid("ShowJobInfo", job_id))
        known = response.status_code == 200
        if known and response.json()["status"] == "SUCCESS":
            return job_id
        if known and response.json()["status"] == "FAIL":
            break
        listed = api.send("ListClients", api.valid("ListClients"))
        if not known and listed.status_code == 200:
            return None
        time.sleep(_POLL_SECONDS)
    raise ContractError(f"the first scan does not succeed within {_READY_SECONDS:.0f} seconds")
