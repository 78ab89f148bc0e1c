"""How credentials and whoever sends requests talk to each other.

It is apart from the credentials, whose base class belongs to `httpx`: to import that takes longer
than all else, and a client needs it only for credentials.
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
    """Tell a flow how its request went, and return what comes next, or None when nothing does."""
    try:
        return flow.throw(news) if isinstance(news, ApiConnectionError) else flow.send(news)
    except StopIteration:
        return None
