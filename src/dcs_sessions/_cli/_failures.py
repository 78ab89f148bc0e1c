"""Failures in two lines, what happened and what to do, and their exit codes."""

from __future__ import annotations

import re
import signal
import traceback

import click

from dcs_sessions import _errors
from dcs_sessions._cli._console import close_stdout, is_debug
from dcs_sessions._cli._masking import mask
from dcs_sessions._cli._signals import Terminated
from dcs_sessions._errors import DcsSessionsError
from dcs_sessions._text import printable

REFUSED, USAGE, NOT_AUTHORISED, NOT_FOUND, TIMED_OUT, PARTLY, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130

# Exception -> exit code, and advice for errors that have none. The first match counts.
_KINDS: tuple[tuple[type[BaseException], int, str], ...] = (
    (_errors.InvalidArgumentError, USAGE, "Correct it and try again."),
    (
        _errors.ConfigurationError,
        USAGE,
        "Show the configuration and where it is from: dcs-sessions check",
    ),
    (_errors.AuthenticationError, NOT_AUTHORISED, "Check the credentials: dcs-sessions check"),
    (_errors.PermissionDeniedError, NOT_AUTHORISED, "Ask for the permission."),
    (_errors.NotFoundError, NOT_FOUND, "Check the ID, the project and the region."),
    (
        _errors.WaitTimeoutError,
        TIMED_OUT,
        "The job may still finish. Wait longer with --timeout SECONDS.",
    ),
    (_errors.ApiTimeoutError, TIMED_OUT, "Try again, or wait longer with --timeout SECONDS."),
    (_errors.ApiConnectionError, REFUSED, "Check the endpoint and the network: dcs-sessions check"),
    (_errors.ThrottledError, REFUSED, "Wait a minute and try again."),
    (
        _errors.ServerError,
        REFUSED,
        "Try again. If it persists, contact the vendor with the request ID.",
    ),
    (
        _errors.ApiError,
        REFUSED,
        "If this is not enough, contact the vendor with the request ID.",
    ),
    (_errors.SessionListChangedError, REFUSED, "Somebody else queried the node. Try again."),
    (
        _errors.SessionListError,
        REFUSED,
        "Query the node again. If it persists, contact the vendor with the node ID.",
    ),
    (
        _errors.JobFailedError,
        REFUSED,
        "Try again. If it persists, contact the vendor with the job ID.",
    ),
)
# Error code, or advice that names an argument -> advice that names options and commands.
_ADVICE = {
    _errors.ALLOW_HTTP: "Use https, or set --allow-http.",
    _errors.SET_PROJECT_ID: "Set --project-id.",
    _errors.USE_AUTH: "Set the credentials in the environment: dcs-sessions check",
    "APIGW.0101": "The gateway knows no such API: check --region and --endpoint.",
    "DCS.1003": "No token was sent: set DCS_SESSIONS_TOKEN, or use --ask-token.",
    "DCS.3053": "Check the node ID: dcs-sessions nodes INSTANCE",
    "DCS.5053": "The node does not answer: check its state with dcs-sessions nodes INSTANCE",
}


_ABOVE = "Correct what is missing or wrong above, and run it again."


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error."""
    return next((code for kind, code, _ in _KINDS if isinstance(error, kind)), REFUSED)


def what_happened(error: BaseException) -> str:
    """Return what happened in one line, without advice."""
    text = error.reason if isinstance(error, DcsSessionsError) else str(error)
    return text or type(error).__name__


def what_to_do(error: BaseException) -> str:
    """Return what to do about an error in one line."""
    if isinstance(error, _errors.PermissionDeniedError):
        permission = re.search(r"\bdcs:\w+:\w+", error.error_msg or "", re.ASCII)
        if permission is not None:
            return f"Ask for the permission {permission[0]}."
    if isinstance(error, _errors.ApiConnectionError):
        return _about_network(str(error)) or _of_kind(error)
    if not isinstance(error, DcsSessionsError) or error.advice is None:
        return _of_kind(error)
    code = error.error_code if isinstance(error, _errors.ApiError) else None
    advice = _ADVICE.get(code or error.advice, error.advice)
    advice = advice[0].upper() + advice[1:]
    return advice if advice.endswith(".") or "dcs-sessions" in advice else f"{advice}."


def _about_network(text: str) -> str | None:
    """Return advice about a misspelt region or a proxy, if one is involved."""
    address = re.search(r"https?://[^/ ]+", text)
    if address is None:
        return None
    region = re.search(r"//dcs\.([a-z0-9-]+)\.myhuaweicloud\.com", address[0])
    close = closest_region(region[1]) if region is not None else None
    if close is not None:
        return f"Check the region: did you mean {close}?"
    proxy = proxy_of(address[0])
    if proxy is not None:
        return f"The request goes through the proxy {proxy}, set in the environment: check both."
    return None


def proxy_of(origin: str) -> str | None:
    """Return the proxy set in the environment for a URL, without credentials, or None."""
    from dcs_sessions._transports._environment import proxy_for

    try:
        proxy = proxy_for(origin)
    except DcsSessionsError:  # a proxy variable that is invalid
        return None
    return without_login(proxy) if proxy else None


def without_login(url: str) -> str:
    """Return a URL with its login masked. A password may hold any character, also `/` and `@`."""
    login, at, host = url.rpartition("@")
    if not at:
        return url
    scheme, slashes, _ = login.partition("//")
    return f"{scheme}//***@{host}" if slashes else f"***@{host}"


def closest_region(region: str) -> str | None:
    """Return the closest known region if this one is unknown, else None."""
    import difflib

    from dcs_sessions import _contract

    known = _contract.regions()
    if region in known:
        return None
    return next(iter(difflib.get_close_matches(region, known, n=1, cutoff=0.7)), None)


def _of_kind(error: BaseException) -> str:
    for kind, _, advice in _KINDS:
        if isinstance(error, kind):
            return advice
    return "This is a bug in dcs-sessions: report it with the output of --debug."


def report(error: BaseException) -> int:
    """Print why a command failed, and return its exit code."""
    if is_debug() and not isinstance(error, click.UsageError):
        lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
        for line in mask("".join(lines)).splitlines():
            click.echo(printable(line), err=True)
    if isinstance(error, click.Abort):
        # click raises Abort for Ctrl-C at a prompt as well.
        error = error.__context__ or error
    if isinstance(error, Terminated):
        click.echo(f"Ended by {signal.Signals(error.number).name}.", err=True)
        return 128 + error.number
    if isinstance(error, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    if isinstance(error, click.Abort | EOFError):
        click.echo("Nothing was done.", err=True)
        return REFUSED
    if isinstance(error, click.UsageError):
        path = "dcs-sessions" if error.ctx is None else error.ctx.command_path
        # An instance name that is not found is not a usage error, and has a code of its own.
        code = getattr(error, "code", USAGE)
        happened, advice = error.format_message(), f"Show the usage: {path} --help"
        if hasattr(error, "code"):
            advice = "List all instances: dcs-sessions instances"
    elif isinstance(error, click.ClickException):  # of the emulator, which prints one line
        error.show()
        return error.exit_code
    elif isinstance(error, _errors.DcsSessionsError):
        code = exit_code(error)
        happened, advice = what_happened(error), what_to_do(error)
    elif isinstance(error, OSError):
        # All other uses of the operating system raise errors of their own.
        close_stdout()
        code = REFUSED
        happened = f"the output cannot be written: {error.strerror or error}"
        advice = "Check where the output goes: the disk may be full."
    else:
        code = REFUSED
        happened, advice = f"{type(error).__name__}: {error}", what_to_do(error)
    for line in f"dcs-sessions: {mask(happened)}".split("\n"):
        click.echo(printable(line), err=True)
    context = click.get_current_context(silent=True)
    if context is not None and context.invoked_subcommand == "check":
        # `check` must not advise to run itself.
        advice = advice.replace(
            "Show the configuration and where it is from: dcs-sessions check", _ABOVE
        )
        advice = advice.replace(": dcs-sessions check", ".")
    click.echo(advice, err=True)
    return code
