"""Spans are made where the program uses OpenTelemetry; nothing is imported where it does not."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from support.both import Both
from support.scripted import ScriptedServer, answer

NO_NODES: dict[str, Any] = {"instance_id": "i", "total": 0, "nodes": []}
JOB = {"job_id": "j", "status": "SUCCESS"}


@pytest.mark.parametrize(
    ("operation", "method", "arguments", "body"),
    [
        ("ShowNodesInformation", "list_nodes", ("i",), NO_NODES),
        ("ScanClients", "scan_sessions", ("i", "n"), JOB),
        ("ShowJobInfo", "get_job", ("j",), JOB),
        ("ListClients", "list_sessions", ("i", "n"), {"time": "t", "count": 0, "clients": []}),
        ("HangUpClients", "kill_sessions", ("i", "n", ["1.2.3.4:5"]), None),
        ("HangUpKillAllClients", "kill_all_sessions", ("i", "n"), JOB),
    ],
)
def test_each_call_has_a_span(
    both: Both,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    method: str,
    arguments: tuple[object, ...],
    body: object,
) -> None:
    seen: list[object] = []

    class Tracer:
        @contextlib.contextmanager
        def start_as_current_span(self, name: str, attributes: dict[str, Any]) -> Iterator[None]:
            seen.append((name, attributes["rpc.method"]))
            yield
            seen.append("end")

    def get_tracer(name: str) -> Tracer:
        seen.append(name)
        return Tracer()

    trace: Any = ModuleType("opentelemetry.trace")
    trace.get_tracer = get_tracer
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", trace)
    # 429 is the one failure that is tried again whatever the operation.
    server.steps = [answer(429), answer(204 if body is None else 200, body)]
    getattr(both(endpoint=server.endpoint), method)(*arguments)
    assert len(server.received) == 2
    assert seen == ["dcs_sessions", (f"dcs_sessions.{operation}", operation), "end"]


def test_opentelemetry_is_not_imported_if_unused(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, JOB)]
    both(endpoint=server.endpoint).get_job("j")
    assert "opentelemetry" not in sys.modules
