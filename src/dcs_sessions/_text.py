"""Text of somebody else, made fit to be shown. It imports little: the command line loads it."""

import re

# Characters of a message or a name from elsewhere. Longer text says no more to a person.
LONGEST = 2000
# The user and the password of a URL. Greedy, for a password may hold "@" and "/".
_LOGIN = re.compile(r"(?<=//)[^\s\"'<>]*@")


def printable(text: str) -> str:
    """Return a text on one line, and so that it cannot do anything to a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def shown(text: str) -> str:
    """Return a text as it may be in a message: printable, at most `LONGEST`, without logins."""
    text = printable(_LOGIN.sub("***@", text[: 2 * LONGEST]))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
