"""Untrusted text, made safe to display. It imports little: the command line loads it."""

import json
import re
from collections.abc import Iterable

from dcs_sessions._fields import is_missing

# Characters of a message or a name from elsewhere. Longer text says no more to a person.
LONGEST = 2000
# The user and the password of a URL. Greedy, for a password may hold "@" and "/".
_LOGIN = re.compile(r"(?<=//)[^\s\"'<>]*@")
# Where a string is cut, the rest of a URL may be a password.
_CUT_URL = re.compile(r"(?<=//)[^\s\"'<>]*\Z")

# No secret is shorter, and masking short strings would hide the message.
_SHORTEST_SECRET = 6
# Names of characters in HTML.
_NAMES = {'"': "quot", "'": "apos", "&": "amp", "<": "lt", ">": "gt"}


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
    text = printable(without_logins(text))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def without_logins(text: str) -> str:
    """Return the beginning of a string, up to `2 * LONGEST` characters, with logins masked."""
    if len(text) > 2 * LONGEST:
        text = _CUT_URL.sub("***…", text[: 2 * LONGEST])
    return _LOGIN.sub("***@", text)


_RUN = re.compile("[0-9A-Za-z]+")


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a string with every secret of at least six characters replaced by `***`.

    A secret is also found where it is encoded for JSON, a URL, HTML or Python, or for two of them.
    """
    # The longest first, since one may be part of another.
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) < _SHORTEST_SECRET:
            break
        # No encoding makes it shorter, and texts as short as a request ID are masked at each call.
        if len(secret) > len(text):
            continue
        text = text.replace(secret, "***")
        # No encoding changes letters and digits. The pattern is slow to make, and rarely needed.
        if all(run in text for run in _RUN.findall(secret)):
            pattern = re.sub(r"\\+|[^0-9A-Za-z]", lambda found: _encoded(found[0]), secret)
            text = re.sub(pattern, "***", text)
    return text


# How often something is encoded again. Without a limit, or if backslashes were tried in every way,
# a pattern would take minutes for a long row of the same characters.
_AGAIN = "{0,4}"


def _mark(char: str, names: str = "") -> str:
    """Return a pattern of a character that encodings use, which may be encoded itself."""
    code = ord(char)
    return (
        rf"(?:%(?:25){_AGAIN}{code:02x}|\\{{0,8}}+u00{code:02x}"
        rf"|&(?:amp;){_AGAIN}#(?:0{_AGAIN}{code}|x0{_AGAIN}{code:x});|{re.escape(char)}{names})"
    )


_BACKSLASH = _mark("\\")
_BACKSLASHES = f"{_BACKSLASH}{{0,8}}+"
# Only one way to read each text: two ways would double the time with each character.
_PERCENT = (
    rf"(?:%(?:25){{0,9}}|\\{{0,8}}+u0025(?:25){_AGAIN}"
    rf"|&(?:amp;){_AGAIN}#(?:0{_AGAIN}37|x0{_AGAIN}25);(?:25){_AGAIN})"
)
_AMPERSAND = _mark("&", f"(?:amp;){_AGAIN}")
# What stands for a character in forms, and after a backslash.
_OTHERS = {" ": _mark("+"), "\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r"}


def _encoded(text: str) -> str:
    """Return a pattern of the ways in which a character, or backslashes, may be written."""
    char, count = text[0], len(text)
    code, octets = ord(char), char.encode("utf-8", "surrogatepass")
    units = char.encode("utf-16-be", "surrogatepass").hex()
    names = f"{_NAMES[char]}|" if char in _NAMES else ""
    ways = [
        "".join(f"{_PERCENT}{octet:02x}" for octet in octets),
        f"{_AMPERSAND}(?:{names}{_mark('#')}(?:0{_AGAIN}{code}|x0{_AGAIN}{code:x})){_mark(';')}",
        f"[xu]0{{0,6}}{code:x}",
        re.escape(char),
    ]
    if code > 0x7F:
        ways.append(_BACKSLASHES.join(f"x{octet:02x}" for octet in octets))
        ways.append(_BACKSLASHES.join(f"u{units[at : at + 4]}" for at in range(0, len(units), 4)))
    if char in _OTHERS:
        ways.append(_OTHERS[char])
    if char == "\\":
        return f"(?i:(?:{_BACKSLASH}|{'|'.join(ways)}){{{count},{8 * count}}}+)"
    # Of these two, the next characters of the secret may be part of what is read.
    group = "?:" if char in "%&" else "?>"
    return f"(?i:{_BACKSLASHES}({group}{'|'.join(ways)}))"
