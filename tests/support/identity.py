"""All services that issue credentials, and one that accepts them, on one address.

It plays the metadata service of a server, the one that CCE names to its pods, the identity service
(IAM) and the token service (STS), each of which may fail in its own way, and the job operation of
DCS, which notes who asked.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PROJECT = "project-of-the-token"
CANARY = "canary-7f3a"


class IdentityService:
    """Gives keys and tokens that last for `seconds`, numbered in the order in which it does.

    Attributes:
        fault: What goes wrong with the services that give credentials: "hang", "close", "junk",
            "500", "503" and so on, or "" for nothing. It may be set at any time.
        broken: The services that this goes for: "metadata", "pod", "iam", "sts".
        seconds: How long what it gives lasts.
        pause: Seconds before it answers.
        given: How often each service was asked.
        used: The access keys and tokens with which DCS was asked.
        refused: Tokens that DCS reports as expired.
    """

    def __init__(self) -> None:
        self.fault = ""
        self.broken = {"metadata", "pod", "iam", "sts"}
        self.seconds = 86400.0
        self.pause = 0.0
        self.given: Counter[str] = Counter()
        self.used: list[str] = []
        self.refused: set[str] = set()
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self._released = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                service.answer(self)

            do_GET = do_PUT = do_POST = _any  # noqa: N815 - what the base class calls

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 256

            def handle_error(self, *_: object) -> None:
                """Ignore clients that have closed their connection."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        raw = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        path = request.path.partition("?")[0]
        headers = {name.lower(): value for name, value in request.headers.items()}
        if path.startswith("/v2/"):
            status, body, extra = self._dcs(headers)
        else:
            kind, give = self._source(path)
            with self._lock:
                self.given[kind] += 1
                number = self.given[kind]
                self.bodies.append(json.loads(raw) if raw else None)
                self.headers.append(headers)
            time.sleep(self.pause)
            if self.fault and kind.partition(" ")[0] in self.broken:
                if self.fault == "hang":
                    self._released.wait(60)
                if self.fault in {"hang", "close"}:
                    request.close_connection = True
                    return
                if self.fault == "junk":
                    status, body, extra = 200, f"<html>{CANARY}".encode(), {}
                else:
                    status, body, extra = int(self.fault), CANARY.encode(), {}
            else:
                status, body, extra = give(number)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **extra}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(raw)

    def _dcs(self, headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        who = (
            headers.get("x-auth-token")
            or headers.get("authorization", "").partition("Access=")[2].partition(",")[0]
        )
        with self._lock:
            self.used.append(who)
        if who in self.refused:
            return 401, {"error_code": "APIGW.0307", "error_msg": "must be updated"}, {}
        return 200, {"job_id": "j", "status": "SUCCESS"}, {}

    def _source(self, path: str) -> tuple[str, Any]:
        return {
            "/meta-data/latest/api/token": ("metadata token", lambda _: (200, b"session", {})),
            "/openstack/latest/securitykey": (
                "metadata",
                lambda number: (200, {"credential": self._keys(f"ecs-ak-{number}")}, {}),
            ),
            "/pod": (
                "pod",
                lambda number: (200, {"credential": self._keys(f"pod-ak-{number}")}, {}),
            ),
            "/v3/auth/tokens": ("iam password", self._token),
            "/v3.0/OS-AUTH/id-token/tokens": ("iam id-token", self._token),
            "/v3.0/OS-CREDENTIAL/securitytokens": (
                "iam keys",
                lambda number: (201, {"credential": self._keys(f"idp-ak-{number}")}, {}),
            ),
            "/v5/agencies/assume-with-oidc": ("sts", self._assume),
        }[path]

    def _assume(self, number: int) -> tuple[int, Any, dict[str, str]]:
        keys = self._keys(f"sts-ak-{number}")
        named = {
            "access_key_id": keys["access"],
            "secret_access_key": keys["secret"],
            "security_token": keys["securitytoken"],
            "expiration": keys["expires_at"],
        }
        return 200, {"credentials": named}, {}

    def _token(self, number: int) -> tuple[int, Any, dict[str, str]]:
        token = {"expires_at": self._end(), "project": {"id": PROJECT, "name": "cn-north-4"}}
        return 201, {"token": token}, {"X-Subject-Token": f"token-{number}"}

    def _keys(self, access: str) -> dict[str, str]:
        return {
            "access": access,
            "secret": f"{CANARY}-secret",
            "securitytoken": f"{CANARY}-security-token",
            "expires_at": self._end(),
        }

    def _end(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + self.seconds))
