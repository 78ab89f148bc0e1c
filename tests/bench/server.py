"""A server with fixed answers, so that only the clients differ."""

from __future__ import annotations

import asyncio
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


_FEW = json.dumps([_ROW] * 10).encode()
_PAGE = b'{"time": "2023-06-15T03:10:01.332Z", "count": %d, "clients": %s}'


def answer(path: str, method: str, query: bytes) -> bytes | None:
    """Return the body of an answer; None for 204.

    The instance in the path says how many nodes there are. A node is named by the number of its
    sessions, and by a number of its own where there are several: `10-3`. Jobs have succeeded as
    soon as somebody looks.
    """
    if "/jobs/" in path:
        return _JOB
    if path.endswith("/kill"):
        return None
    if path.endswith("/logical-nodes"):
        count = int(path.split("/")[-2].partition("-")[0])
        nodes = [{"node_id": f"10-{n}", "node_role": "redis-server"} for n in range(count)]
        return json.dumps({"instance_id": "i", "total": count, "nodes": nodes}).encode()
    if method == "POST":
        return _SCAN
    node = query.partition(b"node_id=")[2].partition(b"&")[0] or b"1000"
    count = int(node.partition(b"-")[0])
    return _PAGE % (count, _FEW if count == 10 else _ROWS)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer after the latency that the project in the path names, `ms-50`, if it does."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    path = scope["path"]
    project = path.split("/")[2]
    if project.startswith("ms-"):
        await asyncio.sleep(int(project.removeprefix("ms-")) / 1000)
    body = answer(path, scope["method"], scope["query_string"])
    headers = [(b"x-request-id", b"c50637a0e1f2b3d4a5968778695a4b3c")]
    if body is None:
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    headers += [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
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
