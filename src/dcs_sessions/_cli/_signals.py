"""Signals that end a command that must still report its work."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

# Windows has no SIGHUP.
_ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Terminated(KeyboardInterrupt):
    """A signal other than SIGINT ended the command.

    Attributes:
        number: Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _raise(number: int, _: FrameType | None) -> None:
    raise Terminated(number)


@contextlib.contextmanager
def raised() -> Generator[None]:
    """Raise `Terminated` for SIGTERM and SIGHUP during the block.

    A signal that is ignored stays ignored: `nohup` ignores SIGHUP.
    """
    with _handled(_raise, _ENDING):
        yield


@contextlib.contextmanager
def ignored() -> Generator[None]:
    """Ignore SIGINT, SIGTERM and SIGHUP during the block, so that a report is not cut off."""
    with _handled(signal.SIG_IGN, (*_ENDING, signal.SIGINT)):
        yield


@contextlib.contextmanager
def _handled(handler: Any, numbers: tuple[signal.Signals, ...]) -> Generator[None]:
    before = {number: signal.getsignal(number) for number in numbers}
    changed = [number for number in numbers if before[number] is not signal.SIG_IGN]
    for number in changed:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])
