"""What may be shown on a terminal. Clients choose their names, and an attacker may be a client."""

from __future__ import annotations

import json
from typing import Any

from dcs_sessions import _text
from dcs_sessions._fields import is_missing as is_missing


def printable(value: object) -> str:
    """Write a value on one line, so that it cannot do anything to a terminal."""
    if is_missing(value):
        return ""
    return _text.printable(value if isinstance(value, str) else _write(value))


def _write(value: Any) -> str:
    """Write what is not text as JSON does, which a field of an unknown type came as."""
    return json.dumps(value, default=str)
