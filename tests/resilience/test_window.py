"""The time between reading the list and the end of the sessions.

A client that takes over an address in that time is ended. `make resilience` prints the figures.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

import dcs_sessions
from dcs_sessions import Session
from dcs_sessions._sync._ending import Ending
from dcs_sessions.emulator import Emulator, Fault


class Victim:
    """A connection that notes when the server ends it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.connection = socket.create_connection((str(parts.hostname), parts.port or 0))
        self.connection.sendall(b"CLIENT SETNAME victim\r\n")
        assert self.connection.recv(100) == b"+OK\r\n"
        self.ended_at = 0.0
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        select.select([self.connection], [], [])
        self.ended_at = time.time()

    def end(self) -> float:
        self._thread.join(30)
        self.connection.close()
        return self.ended_at


def is_victim(session: Session) -> bool:
    return session.name == "victim"


def window(listed: str | None, victim: Victim) -> float:
    assert listed is not None
    return victim.end() - datetime.fromisoformat(listed).timestamp()


@pytest.mark.parametrize("latency", [0.0, 0.05], ids=["loopback", "50 ms a call"])
def test_time_between_query_and_kill_is_measured(
    latency: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str | None] = []
    look = Ending._look

    def noted(self: Any, query: Any) -> Any:
        found = look(self, query)
        looks.append(found.time)
        return found

    monkeypatch.setattr(Ending, "_look", noted)
    faults = [Fault(latency=latency)] if latency else []
    windows: dict[str, list[float]] = {"end_sessions": [], "kill_sessions": []}
    with (
        Emulator(faults=faults) as dcs,
        dcs_sessions.Client(
            endpoint=dcs.endpoint, project_id=dcs.project_id, auth=dcs_sessions.TokenAuth(dcs.token)
        ) as client,
    ):
        for _ in range(5):
            victim = Victim(dcs.redis_urls[0])
            chosen = client.query_sessions(dcs.instance_id).where(is_victim)
            (outcome,) = client.end_sessions(dcs.instance_id, chosen, is_victim)
            assert outcome.result == "ended"
            windows["end_sessions"].append(window(looks[-1], victim))
            victim = Victim(dcs.redis_urls[0])
            (node,) = client.query_sessions(dcs.instance_id).where(is_victim).nodes
            client.kill_sessions(dcs.instance_id, node.node_id, [str(node.sessions[0].peer)])
            windows["kill_sessions"].append(window(node.time, victim))
    for name, seconds in windows.items():
        shown = ", ".join(f"{1000 * one:.0f}" for one in sorted(seconds))
        print(f"{latency * 1000:.0f} ms a call: from list to end by {name}: {shown} ms")
        # The job is seen, a page is read, the end is sent: each takes a call, and a pause is short.
        assert min(seconds) < 3 * latency + 1
