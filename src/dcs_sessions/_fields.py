"""Fields of sessions as strings and numbers, whatever type the service sent."""

from __future__ import annotations

import re


def is_missing(value: object) -> bool:
    """Return whether a field has no value: null, or not sent.

    The type of a missing value is compared by name, since importing it would take too long.
    """
    return value is None or type(value).__name__ == "Unset"


def text_of(value: object) -> str:
    """Return a field as a string, empty if it has no value."""
    return "" if is_missing(value) else str(value)


def number_of(value: object) -> float | None:
    """Return a field as a number, or None. The vendor sometimes sends numbers as strings."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        return int(value)
    return None
