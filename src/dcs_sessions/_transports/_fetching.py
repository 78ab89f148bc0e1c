"""Fetches credentials on a thread of its own, for both clients."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dcs_sessions._deadline import Deadline
from dcs_sessions._errors import ApiConnectionError, ApiTimeoutError, bare
from dcs_sessions._renewal import FETCH_SECONDS, Tools

if TYPE_CHECKING:
    import asyncio

    from dcs_sessions._renewal import Renewal
    from dcs_sessions._transports._exchange import TransportConfig
    from dcs_sessions._wire import Reply, Request


def start(
    renewal: Renewal, config: TransportConfig, loop: asyncio.AbstractEventLoop | None
) -> None:
    """Start a fetch. It always finishes, also if no thread can be started."""

    def send(request: Request) -> Reply:
        # It imports this module, and the async client needs it only here.
        from dcs_sessions._transports._h11 import SyncConnections

        try:
            transport = SyncConnections(config)
            try:
                reply = transport.send(request, deadline)
            finally:
                transport.close()
        except ApiConnectionError as error:
            failure = bare(error)
        else:
            reply.request = request
            return reply
        raise failure

    deadline = Deadline(FETCH_SECONDS)
    thread = threading.Thread(
        target=renewal.run, args=(Tools(send, loop),), name="dcs-sessions-credentials", daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:
        renewal.give_up(str(error))


def too_late(deadline: Deadline) -> ApiTimeoutError:
    """Return the error of credentials that did not arrive in time."""
    msg = f"no credentials within {deadline}"
    return ApiTimeoutError(msg, may_have_arrived=False)
