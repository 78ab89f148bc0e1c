"""Drives the authentication of a request without a network, and writes down what it sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dcs_sessions import Auth, Reply, Request
from dcs_sessions._renewal import Renewal, Tools
from dcs_sessions._wire import Scope

SCOPE = Scope("https://iam.example", "cn-north-4", "a-project")
FAR = "2999-01-01T00:00:00.000000Z"
KEYS = {"access": "new-ak", "secret": "new-sk-canary", "securitytoken": "new-st", "expires_at": FAR}
TOKEN = {"token": {"expires_at": FAR, "project": {"id": "project-of-the-token"}}}

Service = Callable[[Request], Reply]


def services(request: Request) -> Reply:
    """Answer as all services that issue credentials do."""
    target = request.target.partition("?")[0]
    if target in {"/v3/auth/tokens", "/v3.0/OS-AUTH/id-token/tokens"}:
        return Reply(201, {"x-subject-token": "new-token"}, json.dumps(TOKEN).encode())
    if target == "/meta-data/latest/api/token":
        return Reply(200, {}, b"a-session\n")
    return Reply(200, {}, json.dumps({"credential": KEYS}).encode())


def described(request: Request) -> dict[str, Any]:
    """Return all of a request."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": request.headers,
        "body": json.loads(request.body) if request.body else None,
        "timeout": request.timeout,
        "direct": request.direct,
        "secrets": set(request.secrets),
    }


def authenticate(
    auth: Auth, service: Service = services, scope: Scope | None = SCOPE
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Authenticate a request.

    Returns:
        The requests for credentials, and the headers that the request gets.
    """
    sent: list[dict[str, Any]] = []

    def send(request: Request) -> Reply:
        sent.append(described(request))
        reply = service(request)
        reply.request = request
        return reply

    request = Request("GET", "https://dcs.example", "/v2/p/jobs/j", {}, scope=scope)
    for step in auth.flow(request):
        if isinstance(step, Renewal):
            step.run(Tools(send, None))
        elif isinstance(step, Request):
            break
    return sent, request.headers
