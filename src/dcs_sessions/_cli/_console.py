"""Notes, warnings and progress, all on stderr."""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

F = TypeVar("F", bound="Callable[..., Any]")

_QUIET = "dcs_sessions.quiet"
_DEBUG = "dcs_sessions.debug"


class Seconds(click.FloatRange):
    """A number of seconds in a range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number. For click, NaN is in every range."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return number


class CommonOption(click.Option):
    """An option of every command, listed in a section of its own in the help."""


def output_options(command: F) -> F:
    """Add --quiet and --debug, accepted before or after the command name."""
    command = debug_option("Show requests, and the traceback of an error, on stderr.")(command)
    return _flag("-q", "--quiet", key=_QUIET, what="Print only errors on stderr.")(command)


def debug_option(what: str) -> Callable[[F], F]:
    """Return a decorator that adds --debug, accepted before or after the command name."""
    return _flag("--debug", key=_DEBUG, what=what)


def _flag(*names: str, key: str, what: str) -> Callable[[F], F]:
    return click.option(
        *names,
        cls=CommonOption,
        is_flag=True,
        expose_value=False,
        callback=_remember(key),
        help=what,
    )


def _remember(key: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[key] = True
            if key == _DEBUG:
                _log_to_stderr()

    return callback


def is_quiet() -> bool:
    """Return whether only errors are printed."""
    return bool(click.get_current_context().meta.get(_QUIET))


def is_debug() -> bool:
    """Return whether tracebacks are shown."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_DEBUG))


def prepare() -> None:
    """Set up the streams so that no character fails to print."""
    import warnings

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # pyright: ignore[reportUnknownMemberType]
    with contextlib.suppress(OSError):  # it may be no file
        sys.stderr = _Notes(sys.stderr)
    warnings.showwarning = _show_warning


class _Notes(io.TextIOWrapper):
    """Standard error that never fails.

    Where it cannot be written to, as on a full disk or a closed pipe, it changes neither what a
    command does nor its exit code.
    """

    def __init__(self, usual: TextIO) -> None:
        # The usual stream is kept, since it closes the descriptor when it is no longer used.
        self._usual = usual
        self._descriptor = usual.fileno()
        file = open(self._descriptor, "wb", closefd=False)  # noqa: SIM115
        super().__init__(file, usual.encoding, errors="backslashreplace", line_buffering=True)

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        try:
            return super().write(text)
        except OSError:
            _discard(self._descriptor)
            return len(text)

    def flush(self) -> None:
        """Write what is left, or drop it."""
        try:
            super().flush()
        except OSError:
            _discard(self._descriptor)


def print_utf8() -> None:
    """Let stdout write UTF-8, for formats that are in UTF-8 whatever the locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(  # pyright: ignore[reportUnknownMemberType]
            encoding="utf-8", errors="backslashreplace"
        )


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning without the source line that Python adds."""
    warn(str(message))


def note(text: str) -> None:
    """Print a note, unless --quiet is set."""
    if not is_quiet():
        _say(printable(text))


def warn(text: str) -> None:
    """Print a warning."""
    _say(f"Warning: {printable(text)}")


def _say(line: str) -> None:
    width = None
    if sys.stderr.isatty():
        import shutil

        width = shutil.get_terminal_size().columns
    click.echo(wrapped(line, width), err=True)


def wrapped(text: str, width: int | None) -> str:
    """Wrap a line between words to the width of a terminal.

    Args:
        text: The line.
        width: Width of the terminal, or None to leave the line as it is.
    """
    if width is None or len(text) <= width:
        return text
    import textwrap

    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


@contextlib.contextmanager
def progress(text: str, *, shown: bool = True) -> Generator[Callable[[str], None]]:
    """Show progress on a terminal. Yields a function that changes the text.

    The line is removed at the end.
    """
    if not shown or is_quiet() or is_debug() or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    with console.status(Text(printable(text))) as status:
        yield lambda changed: status.update(Text(printable(changed)))


@contextlib.contextmanager
def reader_may_leave() -> Generator[None]:
    """Ignore a closed pipe: later output is dropped."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()


def close_stdout() -> None:
    """Close stdout so that Python does not report a broken pipe at exit."""
    _discard(sys.stdout.fileno())


def _discard(descriptor: int) -> None:
    """Let a descriptor write to nowhere from now on, also what is still in a buffer."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def _log_to_stderr() -> None:
    import logging

    from dcs_sessions._cli._masking import mask

    class Masked(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return printable(mask(super().format(record)))

    logger = logging.getLogger("dcs_sessions")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(Masked("%(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
