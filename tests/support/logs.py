"""Log messages of a test."""

from __future__ import annotations

import threading

import pytest


def messages_here(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the messages of this thread. A client of another test may still renew a token."""
    here = threading.get_ident()
    return [
        record.getMessage()
        for record in caplog.records
        if record.thread == here and record.name == "dcs_sessions"
    ]
