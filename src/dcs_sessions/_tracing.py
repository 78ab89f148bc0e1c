"""OpenTelemetry: spans, and the duration of requests.

Names and attributes are those of the semantic conventions for HTTP clients. OpenTelemetry is used
only if the program has imported it.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import time
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from dcs_sessions._contract import version
from dcs_sessions._text import shown

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from dcs_sessions._wire import Request

_SCOPE: Final = "dcs_sessions"
_SCHEMA: Final = "https://opentelemetry.io/schemas/1.29.0"
# Buckets in seconds, as recommended by the conventions.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_NOTHING: Final[AbstractContextManager[Any]] = contextlib.nullcontext()

# Statuses that are not errors of the current call.
_expected: Final = contextvars.ContextVar[frozenset[int]]("expected", default=frozenset())
# The histogram of the last provider.
_histogram: tuple[Any, Any] = (None, None)


@contextlib.contextmanager
def expecting(*statuses: int) -> Generator[None]:
    """Do not mark these statuses as errors in the block."""
    token = _expected.set(frozenset(statuses))
    try:
        yield
    finally:
        _expected.reset(token)


class Span:
    """A span, or nothing if the program does not use OpenTelemetry.

    Args:
        name: Name of the method.
        instance_id: ID of the instance.
    """

    def __init__(self, name: str, instance_id: object) -> None:
        self._trace = sys.modules.get("opentelemetry.trace")
        self._span: Any = None
        if self._trace is not None:
            attributes = {"dcs_sessions.instance_id": instance_id}
            self._span = _tracer(self._trace).start_span(
                f"dcs_sessions.{name}",
                attributes=attributes if isinstance(instance_id, str) else {},
            )

    def current(self) -> AbstractContextManager[Any]:
        """Make it the parent of spans started in the block."""
        if self._trace is None:
            return _NOTHING
        used: AbstractContextManager[Any] = self._trace.use_span(
            self._span, record_exception=False, set_status_on_exception=False
        )
        return used

    def end(self, error: BaseException | None = None) -> None:
        """End the span."""
        if self._trace is not None:
            if error is not None and not isinstance(error, GeneratorExit):
                _fail(self._trace, self._span, _type_of(error))
            self._span.end()


@contextlib.contextmanager
def span(name: str, instance_id: object) -> Generator[None]:
    """Return a span of a block, the parent of its requests."""
    opened = Span(name, instance_id)
    try:
        with opened.current():
            yield
    except BaseException as error:
        opened.end(error)
        raise
    opened.end()


class Exchange:
    """Span and duration of one request.

    Attributes:
        status: Status of the response, set by the caller.
        error: Error without a response, set by the caller.
    """

    def __init__(self, request: Request, operation: str, resends: int) -> None:
        self.status: int | None = None
        self.error: BaseException | None = None
        self._metrics = sys.modules.get("opentelemetry.metrics")
        self._trace = sys.modules.get("opentelemetry.trace")
        self._span: Any = None
        self._started = time.perf_counter()
        if self._trace is None and self._metrics is None:
            return
        server = urllib.parse.urlsplit(request.origin)
        self._attributes: dict[str, Any] = {
            "http.request.method": request.method,
            "server.address": server.hostname or "",
            "server.port": server.port or (443 if server.scheme == "https" else 80),
        }
        if self._trace is not None:
            more: dict[str, Any] = {
                "url.full": shown(request.url),
                "dcs_sessions.operation": operation,
            }
            if resends:
                more["http.request.resend_count"] = resends
            self._span = _tracer(self._trace).start_span(
                request.method,
                kind=self._trace.SpanKind.CLIENT,
                attributes={**self._attributes, **more},
            )

    def __enter__(self) -> Exchange:
        """Return self."""
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """End the span, and record the duration."""
        if self._trace is None and self._metrics is None:
            return
        error = error or self.error
        outcome: dict[str, Any] = {}
        if self.status is not None:
            outcome["http.response.status_code"] = self.status
        if error is not None:
            outcome["error.type"] = _type_of(error)
        elif self.status is not None and self.status >= 400 and self.status not in _expected.get():
            outcome["error.type"] = str(self.status)
        if self._trace is not None:
            self._span.set_attributes(outcome)
            if "error.type" in outcome:
                _fail(self._trace, self._span, outcome["error.type"])
            self._span.end()
        if self._metrics is not None:
            seconds = time.perf_counter() - self._started
            _duration(self._metrics).record(seconds, {**self._attributes, **outcome})


def _tracer(trace: Any) -> Any:
    return trace.get_tracer(_SCOPE, version(), schema_url=_SCHEMA)


def _duration(metrics: Any) -> Any:
    """Return the histogram, created once for each provider."""
    global _histogram
    provider = metrics.get_meter_provider()
    if _histogram[0] is not provider:
        meter = metrics.get_meter(_SCOPE, version(), schema_url=_SCHEMA)
        facts = {"unit": "s", "description": "Duration of HTTP client requests."}
        name = "http.client.request.duration"
        try:
            made = meter.create_histogram(
                name, explicit_bucket_boundaries_advisory=_BUCKETS, **facts
            )
        except TypeError:  # before version 1.30 of OpenTelemetry
            made = meter.create_histogram(name, **facts)
        _histogram = (provider, made)
    return _histogram[1]


def _fail(trace: Any, opened: Any, kind: str) -> None:
    opened.set_attribute("error.type", kind)
    opened.set_status(trace.Status(trace.StatusCode.ERROR))


def _type_of(error: BaseException) -> str:
    kind = type(error)
    home = kind.__module__.partition(".")[0]
    return kind.__qualname__ if home == "builtins" else f"{home}.{kind.__qualname__}"
