"""What is said besides the data: remarks and progress, all on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dcs_sessions._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

F = TypeVar("F", bound="Callable[..., Any]")

_QUIET = "dcs_sessions.quiet"
_DEBUG = "dcs_sessions.debug"


class CommonOption(click.Option):
    """An option that every command has. It stands in a section of its own in the help."""


def output_options(command: F) -> F:
    """Add --quiet and --debug, which stand before or after the name of a command."""
    for name, key, what in (
        (("--debug",), _DEBUG, "Show requests, and the traceback of an error, on stderr."),
        (("-q", "--quiet"), _QUIET, "No progress and no remarks on stderr, errors apart."),
    ):
        option = click.option(
            *name,
            cls=CommonOption,
            is_flag=True,
            expose_value=False,
            callback=_remember(key),
            help=what,
        )
        command = option(command)
    return command


def _remember(key: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[key] = True
            if key == _DEBUG:
                _log_to_stderr()

    return callback


def is_quiet() -> bool:
    """Tell whether nothing but errors is to be said."""
    return bool(click.get_current_context().meta.get(_QUIET))


def is_debug() -> bool:
    """Tell whether tracebacks are to be shown."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_DEBUG))


def prepare() -> None:
    """Set the streams up so that nothing that is printed can fail for its characters."""
    import io
    import warnings

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Say what Python would show with the line of the source that it came from."""
    warn(str(message))


def note(text: str) -> None:
    """Say something that is good to know."""
    if not is_quiet():
        _say(printable(text))


def warn(text: str) -> None:
    """Say something that should not be missed."""
    _say(f"Warning: {printable(text)}")


def _say(line: str) -> None:
    width = None
    if sys.stderr.isatty():
        import shutil

        width = shutil.get_terminal_size().columns
    # What a command does, and its exit code, must not depend on somebody reading its remarks.
    with contextlib.suppress(BrokenPipeError):
        click.echo(wrapped(line, width), err=True)


def wrapped(text: str, width: int | None) -> str:
    """Break a line between words where a terminal would break it in the middle of one.

    Args:
        text: The line.
        width: Width of the terminal, or None for none.
    """
    if width is None or len(text) <= width:
        return text
    import textwrap

    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


@contextlib.contextmanager
def progress(text: str, *, shown: bool = True) -> Generator[Callable[[str], None]]:
    """Show that something goes on, where somebody is looking; gives a function to change the text.

    It is gone without a trace afterwards.
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
    """Go on when the other end of a pipe is closed: what is printed from then on is lost."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()


def close_stdout() -> None:
    """Keep Python from complaining, at its end, of a pipe that nobody reads."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
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
