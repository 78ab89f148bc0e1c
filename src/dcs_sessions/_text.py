"""Untrusted text, made safe to display. It imports little: the command line loads it."""

import json
import re

from dcs_sessions._fields import is_missing

# Characters of a message or a name from elsewhere. Longer text says no more to a person.
LONGEST = 2000
# The user and the password of a URL. Greedy, for a password may hold "@" and "/".
_LOGIN = re.compile(r"(?<=//)[^\s\"'<>]*@")


def printable(value: object) -> str:
    """Return a value on one line, with control characters escaped; a missing one is empty.

    What is not a string is written as JSON. Clients choose their names, and an attacker may be a
    client: nothing of theirs may reach a terminal as it is.
    """
    if is_missing(value):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def shown(text: str) -> str:
    """Return text for a message: printable, at most `LONGEST` characters, no logins in URLs."""
    text = printable(_LOGIN.sub("***@", text[: 2 * LONGEST]))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
