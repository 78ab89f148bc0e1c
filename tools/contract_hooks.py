"""Hooks for schemathesis: credentials, IDs that exist, and waiting for scans.

Schemathesis imports this as it starts; tools/contract_schemathesis.py sets the environment.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import schemathesis
from requests.auth import AuthBase

from dcs_sessions._wire import Request
from tools import spec
from tools.contract_login import logins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemathesis import Case as AnyCase
    from schemathesis import HookContext, Response

    Case = AnyCase[Any]
SCAN_SECONDS = 60.0
# Long enough not to be made up by chance.
ID = re.compile(r"[0-9a-f]{8}|\d:\d")
_POLL_SECONDS = 0.02


class Login(AuthBase):
    """Puts a token on a request, or signs it as it goes out: path, query and body in their bytes.

    Where there are both, they take turns.

    Args:
        environment: Where the token and the keys are.
        may_kill: Whether requests that end sessions may go out.
    """

    def __init__(self, environment: Mapping[str, str], *, may_kill: bool) -> None:
        self._auths = itertools.cycle(logins(environment))
        self._may_kill = may_kill

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Complete the request."""
        if not self._may_kill and "/kill" in prepared.path_url:
            raise RuntimeError("a request that ends sessions was about to go out")
        # Generated logins would come before this one, or spoil its signature.
        for name in ("X-Auth-Token", "X-Sdk-Date", "X-Security-Token", "Authorization"):
            prepared.headers.pop(name, None)
        url = prepared.url or ""
        target = prepared.path_url
        body: Any = prepared.body or b""
        request = Request(
            prepared.method or "",
            url[: url.index("/", url.index("://") + 3)],
            target,
            {},
            body.encode() if isinstance(body, str) else body,
        )
        content_type = prepared.headers.get("Content-Type")
        if content_type is not None:
            request.headers["Content-Type"] = (
                content_type.decode("latin-1") if isinstance(content_type, bytes) else content_type
            )
        next(next(self._auths).flow(request))
        request.headers.pop("Content-Type", None)
        prepared.headers.update(request.headers)
        return prepared


class WhileSending(AuthBase):
    """Credentials that a request has only while it is sent.

    Schemathesis also prepares requests to show them, in commands that repeat a failure, and it does
    not know a login of ours for a secret.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self.sending = False

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Complete the request."""
        if self.sending:
            return self._login(prepared)
        prepared.headers["X-Auth-Token"] = "[Filtered]"
        return prepared


class Known:
    """IDs that exist: those of the configuration, and those in answers of the server."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.node = environment["DCS_SESSIONS_NODE"]
        self.job = environment.get("DCS_SESSIONS_JOB", "")
        self._given = {self.node, self.job}

    def learn(self, operation: str, answer: Any) -> None:
        """Remember all IDs in an answer."""
        if operation in ("ScanClients", "HangUpKillAllClients") and isinstance(answer, dict):
            self.job = str(answer.get("job_id"))
        self._given.update(
            value for _, value in spec.walk(answer) if isinstance(value, str) and ID.search(value)
        )

    def put(self, container: Any, name: str, known: str) -> None:
        """Replace an invented ID.

        What the server has given out stays, as something else too: a link that takes the wrong
        field of an answer is found by the answer to the request.
        """
        if isinstance(container, dict) and name in container and container[name] not in self._given:
            container[name] = known


API = spec.load()
ALLOW_KILL = os.environ["DCS_SESSIONS_ALLOW_KILL"] == "1"
LOGIN = Login(os.environ, may_kill=ALLOW_KILL)
KNOWN = Known(os.environ)
SEEN = Path(os.environ["DCS_SESSIONS_SEEN"])

SHOWN = WhileSending(LOGIN)
schemathesis.auth.set_from_requests(SHOWN)  # type: ignore[attr-defined]


def operation_id(case: Case) -> str:
    """Return the operationId of a case."""
    return str(case.operation.definition.raw["operationId"])


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Make IDs and fields valid, which only the server can know.

    Invalid requests stay as they are.
    """
    SHOWN.sending = True
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    KNOWN.put(case.query, "node_id", KNOWN.node)
    KNOWN.put(case.body, "node_id", KNOWN.node)
    if KNOWN.job:
        KNOWN.put(case.path_parameters, "job_id", KNOWN.job)
    # The names of fields are not a closed list, but a random string is not one of them.
    sort = (case.query or {}).get("sort")
    fields = spec.at(API, "components.schemas.Session.properties")
    if sort is not None and sort not in fields:
        case.query["sort"] = sorted(fields)[len(str(sort)) % len(fields)]


@schemathesis.hook
def after_call(context: HookContext, case: Case, response: Response) -> None:
    """Record the status, and wait for a scan to end before the next one."""
    SHOWN.sending = False
    if response.request.method != case.operation.method.upper():
        return  # a method that the path does not have
    operation = operation_id(case)
    headers = response.request.headers
    used = "signature" if "Authorization" in headers else "token"
    request_id = response.headers.get("x-request-id", ["-"])[0]
    with SEEN.open("a", encoding="utf-8") as file:
        file.write(f"{operation} {response.status_code} {used} {request_id}\n")
    if response.status_code != 200:
        return
    try:
        answer = response.json()
    except json.JSONDecodeError:
        return
    KNOWN.learn(operation, answer)
    if operation == "ScanClients" and isinstance(answer, dict):
        wait_for(str(response.request.url), str(answer.get("job_id")))


@schemathesis.hook
def after_network_error(
    context: HookContext, case: Case, request: requests.PreparedRequest
) -> None:
    """Remove credentials from a request without an answer, which is shown."""
    SHOWN.sending = False


def wait_for(scan_url: str, job_id: str) -> None:
    """Wait until a job has ended: a scan is refused while one runs."""
    url = f"{scan_url.partition('/instances/')[0]}/jobs/{job_id}"
    deadline = time.monotonic() + SCAN_SECONDS
    pause = _POLL_SECONDS
    while time.monotonic() < deadline:
        response = requests.get(url, auth=LOGIN, timeout=SCAN_SECONDS)
        if response.status_code != 200:
            return  # no public source shows that the service knows the jobs of scans
        if response.json().get("status") in ("SUCCESS", "FAIL"):
            return
        time.sleep(pause)
        pause = min(2 * pause, 1.0)
    raise AssertionError(f"the job of a scan has not ended within {SCAN_SECONDS:.0f} seconds")
