"""A server with fixed answers, so that what differs between two clients is the clients."""

from __future__ import annotations

import json
import socket
from typing import Any

import uvicorn

_ROW = {
    "id": "11677",
    "addr": "198.19.131.14:1637",
    "fd": "16",
    "name": "dcs",
    "cmd": "info",
    "age": 376,
    "idle": 376,
    "db": "0",
    "flags": "N",
    "sub": 0,
    "psub": 0,
    "multi": -1,
    "qbuf": 0,
    "qbuf_free": 4,
    "obl": 0,
    "oll": 0,
    "omem": 0,
    "events": "r",
    "network": "vpc",
    "peer": "198.198.0.121:4058",
    "user": "dcs",
}
_ROWS = json.dumps([{**_ROW, "id": str(n), "peer": f"10.0.0.1:{n}"} for n in range(1000)]).encode()
_SCAN = b'{"job_id": "8abf6e1e824e204401824e3e621b0042"}'
_JOB = b'{"job_id": "8abf6e1e824e204401824e3e621b0042", "status": "SUCCESS"}'


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Start a job on POST; on GET give a page of a list with as many sessions as node_id says.

    Jobs have succeeded as soon as somebody looks.
    """
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = _SCAN
    if "/jobs/" in scope["path"]:
        body = _JOB
    elif scope["method"] == "GET":
        count = scope["query_string"].partition(b"node_id=")[2].partition(b"&")[0] or b"1000"
        body = b'{"time": "2023-06-15T03:10:01.332Z", "count": %s, "clients": %s}' % (count, _ROWS)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", b"c50637a0e1f2b3d4a5968778695a4b3c"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve on a free port, which is printed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    # asyncio does so only for the sockets that it makes itself; without it, every answer is late.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
