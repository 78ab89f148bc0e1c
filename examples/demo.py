"""The main job from end to end: real sessions of a real Valkey, listed and ended.

Run it with `make demo`. It needs nothing but the package with its extra: the local DCS brings a
Valkey of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import valkey

import dcs_sessions


@contextlib.contextmanager
def local_dcs() -> Iterator[dict[str, Any]]:
    """Start a local DCS as a process of its own, and give what it says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = ["emulator", "--port", "0", "--ready-file", str(ready)]
        process = subprocess.Popen(
            [sys.executable, "-m", "dcs_sessions", *command],
            stdout=subprocess.DEVNULL,
        )
        try:
            for _ in range(300):
                if ready.exists():
                    break
                if process.poll() is not None:
                    sys.exit(f"the local DCS ended at once, with {process.returncode}")
                time.sleep(0.1)
            yield json.loads(ready.read_text())
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def some_sessions(url: str) -> Iterator[dict[str, valkey.Connection]]:
    """Open connections as an application would have them, by name."""
    doing: dict[str, list[tuple[str, ...]]] = {
        "reports-idle": [("PING",)],
        "news-subscriber": [("SUBSCRIBE", "news")],
        "checkout-in-multi": [("MULTI",), ("SET", "cart", "3"), ("INCR", "orders")],
        "worker-blocked": [("BLPOP", "jobs", "0")],
        "dashboard-db-3": [("SELECT", "3"), ("GET", "visits")],
    }
    pool = valkey.ConnectionPool.from_url(url)
    connections: dict[str, valkey.Connection] = {}
    for name, commands in doing.items():
        connection = pool.get_connection("demo")
        connection.send_command("CLIENT", "SETNAME", name)
        connection.read_response()
        for command in commands:
            connection.send_command(*command)
            if command[0] != "BLPOP":
                connection.read_response()
        connections[name] = connection
    yield connections
    pool.disconnect()


def run(title: str, command: list[str], environment: dict[str, str]) -> None:
    """Run a command of the package as a person would."""
    print(f"\n{title}\n$ dcs-sessions {' '.join(command)}", flush=True)
    subprocess.run(
        [sys.executable, "-m", "dcs_sessions", *command],
        env={**os.environ, **environment},
        check=True,
    )


def main() -> None:
    """List the sessions, end one of them, list them again."""
    with local_dcs() as dcs, some_sessions(dcs["redis_urls"][0]) as connections:
        print(f"A local DCS answers at {dcs['endpoint']}, with a Valkey at {dcs['redis_urls'][0]}")
        environment = {
            "DCS_SESSIONS_ENDPOINT": dcs["endpoint"],
            "DCS_SESSIONS_TOKEN": dcs["token"],
            "HUAWEICLOUD_SDK_PROJECT_ID": dcs["project_id"],
        }
        query = ["query", dcs["instance_id"], "--node", dcs["node_ids"][0]]
        run("Who is connected?", query, environment)

        victim = "worker-blocked"
        # Its server will say that the connection is gone: that is the proof.
        gone = threading.Event()
        watcher = threading.Thread(target=wait_for_end, args=(connections[victim], gone))
        watcher.start()
        with dcs_sessions.Client(
            endpoint=dcs["endpoint"],
            project_id=dcs["project_id"],
            auth=dcs_sessions.TokenAuth(dcs["token"]),
        ) as client:
            found = client.query_sessions(dcs["instance_id"], dcs["node_ids"][0])
            chosen = found.where(lambda session: session.name == victim)
            print(f"\nEnding {victim}, which is {chosen.sessions[0].peer}.")
            client.end_sessions(dcs["instance_id"], chosen)
        watcher.join(timeout=10)
        if not gone.is_set():
            sys.exit(f"{victim} is still connected")
        print(f"{victim} was disconnected.")
        run("Who is connected now?", query, environment)


def wait_for_end(connection: valkey.Connection, gone: threading.Event) -> None:
    """Return when the other side has closed a connection."""
    try:
        connection.read_response()
    except valkey.ConnectionError:
        gone.set()


if __name__ == "__main__":
    main()
