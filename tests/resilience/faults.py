"""Result of each fault of network and server, as in the table of docs/faults.md."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time

import dcs_sessions
from support.scripted import Step, answer, drip, hang_up, reset, reset_after, send, silence

OK = {"job_id": "j", "status": "SUCCESS"}
BUSY = {"error_code": "APIGW.0308", "error_msg": "throttled", "request_id": "r"}

Outcome = type[dcs_sessions.DcsSessionsError] | None

Connection = dcs_sessions.ApiConnectionError
Timeout = dcs_sessions.ApiTimeoutError
Server = dcs_sessions.ServerError
Throttled = dcs_sessions.ThrottledError
Unexpected = dcs_sessions.UnexpectedResponseError


@dataclass(frozen=True)
class Fault:
    """A fault that stays, met with three attempts.

    Attributes:
        name: The fault, in the words of the documentation.
        steps: What the server does.
        read: What a call that reads raises; None if it succeeds.
        tries: How often that call is sent.
        kill: What a call that ends sessions raises.
        kill_tries: How often that call is sent.
        unread: Whether the server does so before it has read the request.
    """

    name: str
    steps: list[Step] = field(repr=False)
    read: Outcome
    tries: int
    kill: Outcome
    kill_tries: int
    unread: bool = False


def page(value: str) -> bytes:
    return b'{"job_id": "j", "status": "SUCCESS", "x": ' + value.encode("latin-1") + b"}"


def head(lines: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()


def moved(status: int, to: str) -> list[Step]:
    return [answer(status, b"", {"Location": to})]


def throttled(retry_after: str) -> list[Step]:
    return [answer(429, BUSY, {"Retry-After": retry_after})]


BODY = b'{"job_id": "j", "status": "SUCCESS"}'
# The tests lower the limit of 64 MiB, to be quick.
LIMIT = 2**20
BOMB = gzip.compress(b" " * (LIMIT + 1))
CHUNK = b"100000\r\n" + b" " * LIMIT + b"\r\n"
HALF = send(head("Content-Length: 99\r\n") + b"{}", close=True)
DRIP = drip(head("Content-Length: 999\r\n") + b" " * 999, 0.02)
HUGE = send(head("Transfer-Encoding: chunked\r\n") + CHUNK * 2, close=True)
EARLY = send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + head("Content-Length: 36\r\n") + BODY)
PAST = formatdate(time() - 60, usegmt=True)

FAULTS = [
    Fault("reset in the request", [reset_after(10)], Connection, 3, Connection, 1, unread=True),
    Fault("reset instead of an answer", [reset], Connection, 3, Connection, 1),
    Fault("closed instead of an answer", [hang_up], Connection, 3, Connection, 1),
    Fault("closed in the middle of an answer", [HALF], Connection, 3, Connection, 1),
    Fault("no answer", [silence], Timeout, 1, Timeout, 1),
    Fault("an answer that never ends, byte by byte", [DRIP], Timeout, 1, Timeout, 1),
    Fault("no HTTP", [send(b"\x16\x03\r\n\r\n", close=True)], Connection, 3, Connection, 1),
    Fault("a truncated JSON", [answer(200, BODY[:20])], Unexpected, 1, Unexpected, 1),
    Fault("nothing where JSON was due", [answer(200)], Unexpected, 1, Unexpected, 1),
    Fault("HTML where JSON was due", [answer(200, b"<html>")], Unexpected, 1, Unexpected, 1),
    Fault("a list where an object was due", [answer(200, [OK])], Unexpected, 1, Unexpected, 1),
    Fault("a field that is missing", [answer(200, {"job_id": "j"})], Unexpected, 1, Unexpected, 1),
    Fault("204 where JSON was due", [answer(204)], Unexpected, 1, None, 1),
    Fault("JSON where 204 was due", [answer(200, OK)], None, 1, Unexpected, 1),
    Fault("text that is not UTF-8", [answer(200, page('"\xff"'))], Unexpected, 1, Unexpected, 1),
    Fault("NaN", [answer(200, page("NaN"))], Unexpected, 1, Unexpected, 1),
    Fault(
        "a number of 5,000 digits", [answer(200, page("9" * 5000))], Unexpected, 1, Unexpected, 1
    ),
    Fault("deep nesting", [answer(200, page("[" * 5000))], Unexpected, 1, Unexpected, 1),
    Fault(
        "another content type",
        [answer(200, OK, {"Content-Type": "text/html"})],
        *(None, 1, Unexpected, 1),
    ),
    Fault(
        "a gzip bomb",
        [answer(200, BOMB, {"Content-Encoding": "gzip"})],
        *(Connection, 3, Connection, 1),
    ),
    Fault("an answer of more than 64 MiB", [HUGE], Connection, 3, Connection, 1),
    Fault("103 before the answer", [EARLY], None, 1, Unexpected, 1),
    Fault("301 to the same host", moved(301, "/x"), Unexpected, 1, Unexpected, 1),
    Fault("307 to another host", moved(307, "http://127.0.0.1:1/"), Unexpected, 1, Unexpected, 1),
    Fault("299", [answer(299, OK)], Unexpected, 1, Unexpected, 1),
    Fault("418", [answer(418, OK)], Unexpected, 1, Unexpected, 1),
    Fault("599", [answer(599, OK)], Server, 1, Server, 1),
    Fault("500, empty", [answer(500)], Server, 1, Server, 1),
    Fault("502 with HTML", [answer(502, b"<html>Bad Gateway</html>")], Server, 3, Server, 1),
    Fault("503", [answer(503)], Server, 3, Server, 1),
    Fault("504", [answer(504)], Server, 3, Server, 1),
    Fault("429", [answer(429, BUSY)], Throttled, 3, Throttled, 3),
    Fault("429, to come back in 0 s", throttled("0"), Throttled, 3, Throttled, 3),
    Fault("429, to come back in an hour", throttled("3600"), Throttled, 1, Throttled, 1),
    Fault("429, to come back at a time that is past", throttled(PAST), Throttled, 3, Throttled, 3),
    Fault("429, to come back in -5 s", throttled("-5"), Throttled, 3, Throttled, 3),
    Fault("429, to come back soon", throttled("soon"), Throttled, 3, Throttled, 3),
]
