"""Programs that use OpenTelemetry get spans and metrics by the conventions for HTTP clients."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dcs_sessions
from dcs_sessions import Retry
from dcs_sessions._tracing import Exchange, expecting
from dcs_sessions._tracing import span as tracing_span
from dcs_sessions._wire import Request
from support.both import Both
from support.fake import FakeDcs
from support.scripted import ScriptedServer, answer, hang_up, silence
from support.waiting import expired

JOB = {"job_id": "j", "status": "SUCCESS"}
SCHEMA = "https://opentelemetry.io/schemas/1.29.0"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    made = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(made))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return made


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    made = InMemoryMetricReader()
    provider = MeterProvider([made], shutdown_on_exit=False)
    monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", provider)
    yield made
    provider.shutdown()


@pytest.fixture
def fake() -> Iterator[FakeDcs]:
    row = {"id": "1", "addr": "1.2.3.4:5", "peer": "1.2.3.4:5", "age": 9, "name": "a"}
    with FakeDcs(n1=[[row]]) as made:
        yield made


def spans(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    return sorted(exporter.get_finished_spans(), key=lambda span: span.start_time or 0)


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def is_error(span: ReadableSpan) -> bool:
    return span.status.status_code is trace.StatusCode.ERROR


def test_request_is_a_span_by_the_conventions(
    both: Both, server: ScriptedServer, exporter: InMemorySpanExporter
) -> None:
    server.steps = [answer(200, JOB)]
    both(endpoint=server.endpoint).get_job("j")
    (span,) = spans(exporter)
    port = int(server.endpoint.rpartition(":")[2])
    assert span.name == "GET"
    assert span.kind is trace.SpanKind.CLIENT
    assert facts(span) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.full": f"{server.endpoint}/v2/a-project/jobs/j",
        "dcs_sessions.operation": "ShowJobInfo",
    }
    scope = span.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == ("dcs_sessions", dcs_sessions.__version__)
    assert scope.schema_url == SCHEMA
    assert not is_error(span)
    assert not span.events


def test_each_attempt_is_a_span(
    both: Both, server: ScriptedServer, exporter: InMemorySpanExporter
) -> None:
    server.steps = [answer(502), answer(503), answer(200, JOB)]
    retry = Retry(wait_initial=0, wait_jitter=0)
    both(endpoint=server.endpoint, retry=retry).get_job("j")
    found = [facts(span) for span in spans(exporter)]
    assert [each.get("http.request.resend_count") for each in found] == [None, 1, 2]
    assert [each.get("http.response.status_code") for each in found] == [502, 503, 200]
    assert [each.get("error.type") for each in found] == [
        "502",
        "503",
        None,
    ]
    assert [is_error(span) for span in spans(exporter)] == [True, True, False]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (answer(404), "404"),
        (hang_up, "dcs_sessions.ApiConnectionError"),
        (silence, "dcs_sessions.ApiTimeoutError"),
    ],
)
def test_failure_is_an_error_with_its_type(
    both: Both, server: ScriptedServer, exporter: InMemorySpanExporter, step: Any, kind: str
) -> None:
    server.steps = [step]
    client = both(endpoint=server.endpoint, retry=None)

    def get_job(seconds: float) -> None:
        exporter.clear()
        client.get_job("j", timeout=seconds)

    seconds = 0.3 if step is silence else 30
    expired(dcs_sessions.DcsSessionsError, get_job, lambda: server.received, seconds)
    (span,) = spans(exporter)
    assert facts(span)["error.type"] == kind
    assert is_error(span)


@pytest.mark.parametrize("method", ["query_sessions", "query_pages", "refresh_sessions"])
def test_query_is_one_span_with_its_requests(
    both: Both, fake: FakeDcs, exporter: InMemorySpanExporter, method: str
) -> None:
    client = both(endpoint=fake.endpoint)
    with trace.get_tracer("program").start_as_current_span("program"):
        found = getattr(client, method)("i")
        if method == "query_pages":
            for _ in found:
                assert getattr(trace.get_current_span(), "name", "") == "program"
    *rest, program = sorted(spans(exporter), key=lambda span: span.name == "program")
    (query,) = [span for span in rest if span.name == f"dcs_sessions.{method}"]
    requests = [span for span in rest if span is not query]
    assert query.parent is not None
    assert query.parent.span_id == program.context.span_id
    assert query.kind is trace.SpanKind.INTERNAL
    assert facts(query) == {"dcs_sessions.instance_id": "i"}
    assert len(requests) == len(fake.received)
    assert {span.parent and span.parent.span_id for span in requests} == {query.context.span_id}


def test_query_that_fails_is_an_error(
    both: Both, server: ScriptedServer, exporter: InMemorySpanExporter
) -> None:
    server.steps = [answer(403)]
    with pytest.raises(dcs_sessions.PermissionDeniedError):
        both(endpoint=server.endpoint).query_sessions("i")
    query, request = spans(exporter)
    assert facts(query)["error.type"] == "dcs_sessions.PermissionDeniedError"
    assert is_error(query)
    assert facts(request)["error.type"] == "403"


def test_expected_500_is_not_recorded_as_an_error(
    both: Both, server: ScriptedServer, exporter: InMemorySpanExporter
) -> None:
    page = {"time": "t", "count": 0, "clients": []}
    server.steps = [answer(500), answer(200, JOB), answer(200, JOB), answer(200, page)]
    client = both(endpoint=server.endpoint, retry=None)
    client.query_sessions("i", "n")
    assert [facts(span).get("http.response.status_code") for span in spans(exporter)] == [
        *(None, 500, 200, 200, 200)
    ]
    assert not any(is_error(span) or "error.type" in facts(span) for span in spans(exporter))
    exporter.clear()
    server.steps = [answer(500)]
    with pytest.raises(dcs_sessions.ServerError):
        client.list_sessions("i", "n")
    (span,) = spans(exporter)
    assert is_error(span)


def test_ending_is_one_span(both: Both, fake: FakeDcs, exporter: InMemorySpanExporter) -> None:
    client = both(endpoint=fake.endpoint)
    chosen = client.query_sessions("i", "n1")
    exporter.clear()
    client.end_sessions("i", chosen)
    ending, *requests = spans(exporter)
    assert ending.name == "dcs_sessions.end_sessions"
    assert requests
    assert {span.parent and span.parent.span_id for span in requests} == {ending.context.span_id}


def test_nothing_secret_is_in_a_span(
    both: Both, server: ScriptedServer, exporter: InMemorySpanExporter
) -> None:
    server.steps = [answer(401, {"error_code": "DCS.1001", "error_msg": "canary-token is bad"})]
    client = both(endpoint=server.endpoint, auth=dcs_sessions.TokenAuth("canary-token"))
    with pytest.raises(dcs_sessions.AuthenticationError):
        client.query_sessions("i")
    assert spans(exporter)
    assert "canary" not in "".join(span.to_json() for span in spans(exporter))


def test_durations_are_measured(
    both: Both, server: ScriptedServer, reader: InMemoryMetricReader
) -> None:
    server.steps = [answer(200, JOB), answer(404)]
    client = both(endpoint=server.endpoint)
    client.get_job("j")
    with pytest.raises(dcs_sessions.NotFoundError):
        client.get_job("j")
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("dcs_sessions", dcs_sessions.__version__)
    (metric,) = scope.metrics
    assert (metric.name, metric.unit) == ("http.client.request.duration", "s")
    points: list[Any] = list(metric.data.data_points)
    assert [point.count for point in points] == [1, 1]
    assert points[0].explicit_bounds[:2] == (0.005, 0.01)
    assert points[0].explicit_bounds[-1] == 10
    assert [point.attributes.get("error.type") for point in points] == [None, "404"]
    assert {"http.request.method", "server.address", "server.port"} < set(points[0].attributes)


def test_opentelemetry_is_not_imported() -> None:
    code = (
        "import sys, dcs_sessions.testing as t; "
        "t.Stub({'n': []}).client().query_sessions(t.INSTANCE_ID); "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def exchange(origin: str, status: int | None = 200, error: BaseException | None = None) -> None:
    with Exchange(Request("GET", origin, "/v2/p/jobs/j", {}), "ShowJobInfo", 0) as opened:
        opened.status = status
        opened.error = error


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("measured", [False, True])
def test_program_may_use_only_spans_or_only_metrics(
    exporter: InMemorySpanExporter,
    reader: InMemoryMetricReader,
    monkeypatch: pytest.MonkeyPatch,
    traced: bool,
    measured: bool,
) -> None:
    if not traced:
        monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    if not measured:
        monkeypatch.delitem(sys.modules, "opentelemetry.metrics")
    exchange("https://a.example")
    with tracing_span("query", "i"):
        pass
    assert len(spans(exporter)) == 2 * traced
    assert (reader.get_metrics_data() is not None) is measured


@pytest.mark.parametrize(
    ("origin", "address", "port"),
    [
        ("https://dcs.example", "dcs.example", 443),
        ("http://dcs.example", "dcs.example", 80),
        ("https://dcs.example:8443", "dcs.example", 8443),
        ("http://[::1]:81", "::1", 81),
    ],
)
def test_server_of_a_span_is_that_of_the_url(
    exporter: InMemorySpanExporter, origin: str, address: str, port: int
) -> None:
    exchange(origin)
    (span,) = spans(exporter)
    found = facts(span)
    assert (found["server.address"], found["server.port"]) == (address, port)


@given(status=st.integers(100, 599), expected=st.frozensets(st.integers(400, 599), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_status_of_400_or_more_is_an_error_unless_it_is_expected(
    exporter: InMemorySpanExporter, status: int, expected: frozenset[int]
) -> None:
    exporter.clear()
    with expecting(*expected):
        exchange("https://a.example", status)
    exchange("https://a.example", status)
    for span, known in zip(spans(exporter), [expected, ()], strict=True):
        wrong = status >= 400 and status not in known
        assert is_error(span) is wrong
        assert facts(span).get("error.type") == (str(status) if wrong else None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError(), "ValueError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (dcs_sessions.ApiTimeoutError("late"), "dcs_sessions.ApiTimeoutError"),
        (subprocess.TimeoutExpired("x", 1), "subprocess.TimeoutExpired"),
        (json.JSONDecodeError("x", "", 0), "json.JSONDecodeError"),
    ],
)
def test_type_of_an_error_is_its_public_name(
    exporter: InMemorySpanExporter, error: BaseException, kind: str
) -> None:
    exchange("https://a.example", None, error)
    with pytest.raises(type(error)), tracing_span("query", "i"):
        raise error
    for span in spans(exporter):
        assert facts(span)["error.type"] == kind
        assert is_error(span)
        assert span.status.description is None
        assert not span.events


def test_span_without_the_id_of_an_instance_has_no_such_attribute(
    exporter: InMemorySpanExporter,
) -> None:
    with tracing_span("query", 5):
        pass
    (span,) = spans(exporter)
    assert facts(span) == {}


def test_duration_is_that_of_the_request(reader: InMemoryMetricReader) -> None:
    before = time.perf_counter()
    with Exchange(Request("GET", "https://a.example", "/", {}), "ShowJobInfo", 0):
        time.sleep(0.01)
    longest = time.perf_counter() - before
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    assert scope.scope.schema_url == SCHEMA
    (point,) = list(scope.metrics[0].data.data_points)
    assert isinstance(point, HistogramDataPoint)
    assert 0.01 <= point.sum <= longest


class OldMeter:
    """A meter of OpenTelemetry before 1.30, which takes no buckets.

    Attributes:
        made: Arguments of the histograms that were created.
    """

    def __init__(self) -> None:
        self.made: list[tuple[str, str, str]] = []

    def create_histogram(self, name: str, unit: str, description: str) -> OldMeter:
        self.made.append((name, unit, description))
        return self

    def record(self, seconds: float, attributes: dict[str, Any]) -> None:
        assert seconds >= 0
        assert attributes["http.request.method"] == "GET"


def test_old_version_of_opentelemetry_gets_a_histogram_without_buckets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider, meter = object(), OldMeter()
    old = SimpleNamespace(
        get_meter_provider=lambda: provider, get_meter=lambda *_, schema_url: meter
    )
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", old)
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    exchange("https://a.example")
    exchange("https://a.example")
    assert meter.made == [
        ("http.client.request.duration", "s", "Duration of HTTP client requests.")
    ], "one histogram for each provider"
