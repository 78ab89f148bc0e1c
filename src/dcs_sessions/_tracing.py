"""OpenTelemetry spans, for programs that use it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_NOTHING: Final[AbstractContextManager[Any]] = contextlib.nullcontext()


def span(operation: str) -> AbstractContextManager[Any]:
    """Give a span for one call. Costs a look-up where the program does not use OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return _NOTHING
    tracer = trace.get_tracer("dcs_sessions")
    opened: AbstractContextManager[Any] = tracer.start_as_current_span(
        f"dcs_sessions.{operation}", attributes={"rpc.system": "http", "rpc.method": operation}
    )
    return opened
