"""Fields of sessions as texts and numbers, whatever type the service has sent them as."""

from __future__ import annotations

import re


def is_missing(value: object) -> bool:
    """Return whether a field has no value: null, or not sent.

    Its type is known by its name: to import it takes ten times as long as `query --help` does.
    """
    return value is None or type(value).__name__ == "Unset"


def text_of(value: object) -> str:
    """Return a field as a string, empty if it has no value."""
    return "" if is_missing(value) else str(value)


def number_of(value: object) -> float | None:
    """Return a field as a number, or None. The vendor has sent numbers as strings before."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        return int(value)
    return None
