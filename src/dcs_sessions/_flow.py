"""Protocol between credentials and senders of requests.

It is separate from the credentials, whose base class is that of `httpx`, which is slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from dcs_sessions._errors import ApiConnectionError, without_frames

if TYPE_CHECKING:
    from collections.abc import Generator

    from dcs_sessions._renewal import Step
    from dcs_sessions._wire import Reply, Request

Flow: TypeAlias = "Generator[Request | Step, Any, None]"


@without_frames
def advance(flow: Flow, news: Reply | ApiConnectionError | None) -> Request | Step | None:
    """Send a flow the result of its request; return what it yields next, or None at its end."""
    try:
        return flow.throw(news) if isinstance(news, ApiConnectionError) else flow.send(news)
    except StopIteration:
        return None
