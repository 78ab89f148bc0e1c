"""A proxy of the emulator that records requests and changes answers as the service may.

What it adds is what the service may do without notice: fields and values that the contract does not
have, and the answers of the gateway in front of it.
"""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REQUEST_ID = "914a39d68c290da3e187f827f7e1b771"
HTML = "text/html"
JSON = "application/json"
# What the gateway answers for jobs of these names.
GATEWAY = {
    "gateway": (401, "APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"),
    "throttled": (429, "APIGW.0308", "The throttling threshold has been reached"),
    "unavailable": (503, None, "<html>Service unavailable</html>"),
}


class Recorded(NamedTuple):
    """A request as it was received."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def line(self) -> str:
        """Return the method and the path, without the query, which could contain a secret."""
        return f"{self.method} {self.target.partition('?')[0]}"


class Recorder:
    """The requests that a proxy has received.

    Attributes:
        endpoint: Address of the proxy.
        requests: The requests, in the order received.
    """

    def __init__(self, upstream: str, endpoint: str) -> None:
        self.endpoint = endpoint
        self.requests: list[Recorded] = []
        self._upstream = urlsplit(upstream).netloc
        self._asked: set[str] = set()

    def answer(self, request: Recorded) -> tuple[int, str, bytes]:
        """Record a request, and return the status, the content type and the body of its answer."""
        self.requests.append(request)
        path = request.target.partition("?")[0]
        job = path.rpartition("/jobs/")[2]
        if "/jobs/" in path and job in GATEWAY:
            status, code, message = GATEWAY[job]
            if code is None:
                return status, HTML, message.encode()
            refusal = {"error_msg": message, "error_code": code, "request_id": REQUEST_ID}
            return status, JSON, json.dumps(refusal).encode()
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            # With the host that was sent, which is signed.
            connection.putrequest(request.method, request.target, True, True)
            for name, value in request.headers:
                connection.putheader(name, value)
            connection.endheaders(request.body)
            response = connection.getresponse()
            status, body = response.status, response.read()
            kind = response.headers.get("Content-Type", JSON)
        finally:
            connection.close()
        if status != 200:
            return status, kind, body
        answer = json.loads(body)
        if "/jobs/" in path and job not in self._asked:
            self._asked.add(job)
            answer["status"] = "QUEUED"
        return status, kind, json.dumps(widened(answer)).encode()


def widened(node: Any) -> Any:
    """Return an answer with a field in every object that the contract does not have."""
    if isinstance(node, dict):
        return {**{key: widened(value) for key, value in node.items()}, "lib_name": "redis-py"}
    if isinstance(node, list):
        return [widened(item) for item in node]
    return node


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """Run a proxy of a server on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # a client that has ended
                self.close_connection = True

        def do(self) -> None:
            body = self.read_body()
            # The vendor's Java SDK sends chunks; the length takes their place.
            if self.headers.get_all("Transfer-Encoding"):
                del self.headers["Transfer-Encoding"]
                self.headers["Content-Length"] = str(len(body))
            headers = tuple(self.headers.items())
            status, kind, text = recorder.answer(Recorded(self.command, self.path, headers, body))
            self.send_response(status)
            self.send_header("X-Request-Id", REQUEST_ID)
            if status != 204:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if status != 204:
                self.wfile.write(text)

        def read_body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

        do_GET = do_POST = do  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        recorder = Recorder(upstream, f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


def leaks(requests: Iterable[Recorded], secrets: dict[str, str]) -> list[str]:
    """Return the places to which a secret was sent and must not be.

    Args:
        requests: What was received.
        secrets: Each secret, with the name of the only header that may carry it, or "" for none.

    Returns:
        A sentence for each place, which does not repeat the secret.
    """
    found = []
    for request in requests:
        target = unquote_plus(request.target)
        for secret, allowed in secrets.items():
            if secret in target or secret in request.target:
                found.append(f"{request.line}: a secret is in the URL")
            if secret.encode() in request.body:
                found.append(f"{request.line}: a secret is in the body")
            found += [
                f"{request.line}: a secret is in the header {name}"
                for name, value in request.headers
                if secret in value and name.lower() != allowed.lower()
            ]
    return found
