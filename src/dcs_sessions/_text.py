"""Text of somebody else, made fit to be shown. It imports nothing, for the command line's sake."""


def printable(text: str) -> str:
    """Write a text on one line, and so that it cannot do anything to a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
