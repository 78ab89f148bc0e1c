"""Client configuration."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar, cast

import attrs

from dcs_sessions._defaults import CONCURRENCY
from dcs_sessions._errors import ConfigurationError, InvalidArgumentError
from dcs_sessions._wire import Scope

if TYPE_CHECKING:
    from dcs_sessions._auth import Auth

T = TypeVar("T")
R = TypeVar("R")

# Default of an argument for which None has a meaning.
NOT_GIVEN: Final[Any] = object()

# `threading.TIMEOUT_MAX` of Windows is little more. A program may pass far more for "no timeout".
_LONGEST_SECONDS: Final = 4_000_000.0

_HEADER_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER_VALUE: Final = r"(?:[!-~](?:[ -~\t]*[!-~])?)?"
# They say where a body ends, and what happens to the connection: with those of a caller, the
# service would read a request that is not the one that was sent.
_OF_THE_CONNECTION: Final = frozenset(
    {
        "Connection",
        "Content-Length",
        "Expect",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Te",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    }
)


class CallOptions(TypedDict, total=False):
    """Keyword arguments of every call."""

    timeout: float | None
    headers: Mapping[str, str] | None


class InstanceListOptions(CallOptions, total=False):
    """Keyword arguments of ListInstances. Only those that are set are sent."""

    instance_id: str | None
    name: str | None
    name_equal: str | None
    status: str | None
    ip: str | None
    tags: str | None
    capacity: str | None
    is_recycle: bool | None
    include_failure: str | None
    include_delete: str | None
    offset: int
    limit: int


class ScanOptions(CallOptions, total=False):
    """Keyword arguments of ScanClients."""

    clean_cache: bool


class ListOptions(CallOptions, total=False):
    """Keyword arguments of ListClients."""

    offset: int
    limit: int
    addr: str | None
    sort: str | None
    order: str | None


class KillAllOptions(CallOptions, total=False):
    """Keyword arguments of HangUpKillAllClients."""

    all_nodes: bool


def _check_attempts(_: object, field: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or value < 1:
        raise InvalidArgumentError(f"{field.name} {value!r} must be an integer of at least 1")


def _check_wait(_: object, field: attrs.Attribute[float], value: object) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= _LONGEST_SECONDS:
        raise InvalidArgumentError(
            f"{field.name} {value!r} must be a number of seconds from 0 to {_LONGEST_SECONDS:.0f}"
        )


def _check_auth(_: object, __: object, value: Auth) -> None:
    if not callable(getattr(value, "flow", None)):
        # The argument may be the token itself, so it is not quoted.
        raise ConfigurationError(
            "auth must be TokenAuth(...), AkSkAuth(...), PasswordAuth(...) or EcsMetadataAuth()"
        )


@attrs.frozen
class Retry:
    """Retry policy.

    Lost connections, 429, 502, 503 and 504 are retried. Calls that end sessions are retried only
    after a 429, or if the request cannot have arrived. A 401 is never retried. `Retry-After` is
    honoured; if it exceeds the remaining time of the call, the error is raised at once. After a
    429, all calls of the client wait, and are sent one by one.

    Attributes:
        attempts: Maximum number of attempts; 1 turns retries off.
        wait_initial: Seconds before the second attempt, doubled for each further one.
        wait_max: Maximum seconds between two attempts, without jitter.
        wait_jitter: Maximum random seconds added, so that clients do not retry at the same time.

    Raises:
        InvalidArgumentError: A value is out of range.
    """

    attempts: int = attrs.field(default=4, validator=_check_attempts)
    wait_initial: float = attrs.field(default=0.2, validator=_check_wait)
    wait_max: float = attrs.field(default=5.0, validator=_check_wait)
    wait_jitter: float = attrs.field(default=0.2, validator=_check_wait)


@attrs.frozen
class Options:
    """Configuration of a client, in part different for its copies.

    Attributes:
        origin: Endpoint of the service.
        identity_origin: Endpoint of the identity service.
        region: Region for the look-up of the project ID, or None.
        project_id: Project ID, or None if it must be looked up.
        auth: Credentials.
        timeout: Timeout of one call in seconds, retries included.
        retry: Retry policy.
        headers: Headers of every request.
        concurrency: Maximum number of simultaneous calls of a query of several nodes or pages.
    """

    origin: str
    identity_origin: str
    region: str | None
    project_id: str | None
    auth: Auth = attrs.field(validator=_check_auth)
    timeout: float
    retry: Retry
    headers: Headers
    concurrency: int

    @property
    def scope(self) -> Scope:
        """Return endpoints, region and project, on which credentials may depend."""
        return Scope(self.identity_origin, self.region, self.project_id)


def checked_concurrency(value: object, max_connections: int) -> int:
    """Return the maximum number of simultaneous calls; default: 32, or `max_connections` if less.

    Raises:
        ConfigurationError: The value is out of range.
    """
    if value is None:
        return min(CONCURRENCY, max_connections)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= max_connections:
        raise ConfigurationError(
            f"concurrency {value!r} must be an integer from 1 to max_connections={max_connections}"
        )
    return value


def checked_seconds(name: str, value: float) -> float:
    """Return a number of seconds, if it is valid; at most what every system can wait for."""
    number: object = value  # callers may pass any type
    if type(number) not in {int, float} or not 0 < value < math.inf:
        raise InvalidArgumentError(f"{name} {value!r} must be a number of seconds greater than 0")
    return float(min(value, _LONGEST_SECONDS))


def checked_flag(name: str, value: object) -> bool:
    """Return True or False, if it is one of them."""
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{name} must be True or False, not {value!r}")
    return value


def checked_function(name: str, function: object) -> None:
    """Raise an error for what is no function, or an async one."""
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise InvalidArgumentError(f"{name} must be a function that is not async")


def result_of(name: str, function: Callable[[T], R], argument: T) -> R:
    """Call a function of the user, and return its result.

    Raises:
        InvalidArgumentError: The result is a coroutine or a generator: the function has not run.
    """
    result = function(argument)
    found: object = result
    if isinstance(found, Awaitable | Generator | AsyncGenerator):
        if isinstance(found, Coroutine):
            found.close()
        raise InvalidArgumentError(
            f"{name} must be a function that returns its result, not a {type(result).__name__}"
        )
    return result


def is_fit(fits: Callable[[T], object], argument: T) -> bool:
    """Return whether a condition of the user is true.

    A coroutine, a generator or a method that is not called is never false: treated as a result, it
    would choose every session.

    Raises:
        InvalidArgumentError: The result is one of these.
    """
    found = result_of("fits", fits, argument)
    if callable(found):
        raise InvalidArgumentError("fits must return True or False, not a function")
    return bool(found)


class Headers(dict[str, str]):
    """Headers whose values are not shown, since a gateway may take a key from one."""

    def __repr__(self) -> str:
        """Return the names only."""
        return f"<headers {', '.join(self)}>"

    def __or__(self, other: Mapping[str, str]) -> Headers:  # type: ignore[override]
        """Return both; values of `other` replace those of the same name."""
        return Headers({**self, **other})


def checked_headers(headers: object) -> Headers:
    """Return headers, if they are valid. The message never shows a value.

    Names are returned in one spelling, the one that the client uses itself, such as `X-Auth-Token`:
    they are not case-sensitive, and the same header must not be sent twice.

    Raises:
        InvalidArgumentError: A name or a value is invalid, or the header is not for callers.
    """
    if not isinstance(headers, Mapping):
        raise InvalidArgumentError("headers must be a mapping of strings")
    checked = Headers()
    for name, value in cast("Mapping[object, object]", headers).items():
        if not isinstance(name, str) or not re.fullmatch(_HEADER_NAME, name):
            raise InvalidArgumentError(f"headers: {name!r} is not a valid header name")
        if not isinstance(value, str) or not re.fullmatch(_HEADER_VALUE, value):
            raise InvalidArgumentError(
                f"headers: the value of {name} has characters that are invalid in a header, "
                "or blanks at an end"
            )
        spelled = "-".join(part.capitalize() for part in name.split("-"))
        if spelled in _OF_THE_CONNECTION:
            raise InvalidArgumentError(f"headers: {name} is set by the client alone")
        if spelled in checked:
            raise InvalidArgumentError(f"headers: {name} is there twice")
        checked[spelled] = value
    return checked
