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


def test_a_span_for_each_call(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
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
    server.steps = [answer(503), answer(200, {"job_id": "j", "status": "SUCCESS"})]
    both(endpoint=server.endpoint).get_job("j")
    assert seen == ["dcs_sessions", ("dcs_sessions.ShowJobInfo", "ShowJobInfo"), "end"]


def test_no_import_of_opentelemetry(both: Both, server: ScriptedServer) -> None:
    server.steps = [answer(200, {"job_id": "j", "status": "SUCCESS"})]
    both(endpoint=server.endpoint).get_job("j")
    assert "opentelemetry" not in sys.modules
