"""The options that filter sessions, and how they match."""

from __future__ import annotations

import contextlib
import functools
import re
import shlex
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from dcs_sessions._cli._columns import host_of, key_of
from dcs_sessions._fields import is_missing, number_of, text_of
from dcs_sessions._text import printable

if TYPE_CHECKING:
    import ipaddress
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dcs_sessions._cli._columns import IPAddress
    from dcs_sessions_api.models import Session

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

F = TypeVar("F", bound="Callable[..., Any]")

# What a summary prints for an empty or missing value.
NONE = "(none)"

_TIME = re.compile(
    r"(?=[0-9])(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,12})s?)?", re.ASCII
)
_SIZE = re.compile(r"([0-9]{1,15})(\.[0-9]{1,3})?([KMGTPE]?)(?:i?B)?", re.ASCII | re.IGNORECASE)


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = _TIME.fullmatch(value.strip())
    if match is None:
        raise click.BadParameter(
            f"{value!r} must be seconds, or like 90s, 15m, 1h30m, 2d", ctx, param
        )
    return sum(
        int(number or 0) * unit
        for number, unit in zip(match.groups(), (86400, 3600, 60, 1), strict=True)
    )


def _bytes(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise click.BadParameter(
            f"{value!r} must be bytes, or like 512B, 20K, 1.5M, 2G", ctx, param
        )
    unit = 1024 ** " KMGTPE".index(match[3].upper() or " ")
    decimals = (match[2] or ".")[1:]
    parts = 10 ** len(decimals)
    # Doubled, so that half of the last decimal is an integer.
    least = 2 * int(match[1] + decimals) * unit
    if decimals and ctx.info_name != "kill":
        # A size with a decimal was rounded for printing: match all sizes that round to it.
        least -= unit
    return int(-(-least // (2 * parts)))


def _filled(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Raise an error for an empty value, such as a variable of the shell that is not set.

    `--flag ""` and `--not-addr ""` would choose every session, `--name ""` those without a name.
    """
    if not all(value.strip() for value in values):
        # A flag would read it as letters.
        hint = "" if "flag" in str(param.name) else f", or use {NONE} for sessions without a value"
        raise click.BadParameter(f"is empty: leave the option out{hint}", ctx, param)
    return values


def _networks(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Raise an error for an empty value or an invalid network."""
    for value in _filled(ctx, param, values):
        if "/" in value:
            try:
                _network(value)
            except ValueError as error:
                raise click.BadParameter(str(error), ctx, param) from None
    return values


@functools.cache
def _network(text: str) -> Network:
    import ipaddress

    return ipaddress.ip_network(text, strict=False)


@attrs.frozen(kw_only=True)
class Filters:
    """Filters of sessions. A session must match all of them.

    It matches a filter with several values if it matches one of them. A session that lacks a field
    matches no filter on that field, neither a limit nor an exclusion.

    Attributes:
        addr: Globs or networks for the address, with or without its port, or the peer.
        name: Globs for the name.
        user: Globs for the user.
        cmd: Globs for the last command, case-insensitive.
        db: Globs for the database.
        flag: Flags that a session must all have, as letters.
        not_addr: Like `addr`, but excludes matches, as all `not_` filters do.
        not_name: Like `name`.
        not_user: Like `user`.
        not_cmd: Like `cmd`.
        not_db: Like `db`.
        not_flag: Flags of which a session may have none.
        min_idle: Seconds, or None.
        max_idle: Seconds.
        min_age: Seconds.
        max_age: Seconds.
        min_omem: Bytes.
    """

    addr: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    db: tuple[str, ...] = ()
    flag: tuple[str, ...] = ()
    not_addr: tuple[str, ...] = ()
    not_name: tuple[str, ...] = ()
    not_user: tuple[str, ...] = ()
    not_cmd: tuple[str, ...] = ()
    not_db: tuple[str, ...] = ()
    not_flag: tuple[str, ...] = ()
    min_idle: int | None = None
    max_idle: int | None = None
    min_age: int | None = None
    max_age: int | None = None
    min_omem: int | None = None

    def __bool__(self) -> bool:
        """Return whether any filter is set."""
        return any(True for _ in self._given())

    def __str__(self) -> str:
        """Return the filters as command-line options."""
        words: list[str] = []
        for name, value in self._given():
            for one in value if isinstance(value, tuple) else (f"{value}",):
                words += [f"--{name.replace('_', '-')}", printable(one)]
        return shlex.join(words)

    def _given(self) -> Iterator[tuple[str, tuple[str, ...] | int]]:
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name)
            if value not in ((), None):
                yield field.name, value

    def __call__(self, session: Session) -> bool:
        """Return whether a session matches."""
        return (
            _within(session.idle, self.min_idle, self.max_idle)
            and _within(session.age, self.min_age, self.max_age)
            and _within(session.omem, self.min_omem, None)
            and _fits(self.name, self.not_name, session.name)
            and _fits(self.user, self.not_user, session.user)
            and _fits(self.db, self.not_db, session.db)
            and _fits(
                [glob.lower() for glob in self.cmd],
                [glob.lower() for glob in self.not_cmd],
                session.cmd if is_missing(session.cmd) else text_of(session.cmd).lower(),
            )
            and _is_from(self.addr, self.not_addr, session)
            and _has_flags(self.flag, self.not_flag, session.flags)
        )


def _within(value: object, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    number = number_of(value)
    return number is not None and (least or 0) <= number and (most is None or number <= most)


def _fits(globs: Sequence[str], ruled_out: Sequence[str], value: object) -> bool:
    if globs and not _matches(globs, [text_of(value)]):
        return False
    return not ruled_out or not (is_missing(value) or _matches(ruled_out, [text_of(value)]))


def _matches(globs: Iterable[str], texts: Iterable[str]) -> bool:
    # A glob also matches literally, and as the value is printed: the brackets of an IPv6 address
    # or of an escaped character would otherwise be a character class.
    return any(
        glob in (text, printable(text), text or NONE) or fnmatchcase(text, glob)
        for text in texts
        for glob in globs
    )


def _is_from(globs: Sequence[str], ruled_out: Sequence[str], session: Session) -> bool:
    if not globs and not ruled_out:
        return True
    full = [text_of(text).lower() for text in (session.addr, session.peer)]
    hosts = [host_of(text) for text in full]
    texts = [*full, *hosts, *(f"[{host}]" for host in hosts if ":" in host)]

    def any_of(values: Sequence[str]) -> bool:
        networks = [value for value in values if "/" in value]
        plain = [value.strip().lower() for value in values if "/" not in value]
        # An IPv6 address has many spellings.
        wanted = {found for found in map(_ipv6, plain) if found is not None}
        return (
            _matches(plain, texts)
            or any(_ipv6(text) in wanted for text in texts if wanted)
            or any(_is_in(host, network) for host in hosts for network in networks)
        )

    if globs and not any_of(globs):
        return False
    return not ruled_out or (any(full) and not any_of(ruled_out))


@functools.lru_cache(maxsize=4096)
def _ipv6(text: str) -> tuple[IPAddress, int | None] | None:
    """Return an IPv6 address and its port, if it has one; None for everything else."""
    import ipaddress

    with contextlib.suppress(ValueError):
        return ipaddress.IPv6Address(text.strip("[]")), None
    found = key_of(text)
    return found if found is not None and found[0].version == 6 else None


def _is_in(host: str, network: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in _network(network)
    except ValueError:
        return False


def _has_flags(wanted: Sequence[str], ruled_out: Sequence[str], flags: object) -> bool:
    text = text_of(flags)
    if not set("".join(wanted)) <= set(text):
        return False
    return not ruled_out or not (is_missing(flags) or set("".join(ruled_out)) & set(text))


def filter_options(command: F) -> F:
    """Add the filter options, passed to the command as `filters`."""

    @functools.wraps(command)
    def run(*args: Any, **rest: Any) -> Any:
        names = [field.name for field in attrs.fields(Filters)]
        filters = Filters(**{name: rest.pop(name) for name in names})
        return command(*args, filters=filters, **rest)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run  # type: ignore[return-value]  # the same command, with the filters in one argument


def _texts(
    name: str, metavar: str, what: str, callback: Any = _filled, **settings: Any
) -> Callable[[Any], Any]:
    return click.option(
        name, multiple=True, metavar=metavar, help=what, callback=callback, **settings
    )


def _number(name: str, metavar: str, what: str, callback: Any) -> Callable[[Any], Any]:
    return click.option(name, callback=callback, metavar=metavar, help=what)


_OPTIONS = (
    _texts(
        "--addr",
        "GLOB",
        "Address, as ip:port, ip, or a network such as 10.0.0.0/24. May be a glob. With several, "
        "one must match.",
        callback=_networks,
    ),
    _texts("--name", "GLOB", f"Name that the client set; {NONE} for no name."),
    _texts("--user", "GLOB", "User."),
    _texts("--cmd", "GLOB", "Last command."),
    _texts("--db", "N", "Database."),
    _texts(
        "--flag", "LETTERS", "Has all of these flags, such as b for blocked or P for a subscriber."
    ),
    _texts(
        "--not-addr",
        "GLOB",
        "Not this address. Also --not-name, --not-user, --not-cmd, --not-db, --not-flag.",
        callback=_networks,
    ),
    *(
        _texts(f"--not-{name}", "GLOB", "", hidden=True)
        for name in ("name", "user", "cmd", "db", "flag")
    ),
    _number(
        "--min-idle", "TIME", "Idle at least this long: seconds, or 90s, 15m, 1h30m, 2d.", _seconds
    ),
    _number("--max-idle", "TIME", "Idle at most this long.", _seconds),
    _number("--min-age", "TIME", "Connected at least this long.", _seconds),
    _number("--max-age", "TIME", "Connected at most this long.", _seconds),
    _number(
        "--min-omem", "SIZE", "At least this much output memory: bytes, or 512K, 1.5M.", _bytes
    ),
)
