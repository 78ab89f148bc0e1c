"""Client configuration."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

import attrs

from dcs_sessions._defaults import CONCURRENCY
from dcs_sessions._errors import ConfigurationError, InvalidArgumentError
from dcs_sessions._wire import Scope

if TYPE_CHECKING:
    from dcs_sessions._auth import Auth

# The default of an argument where None means something else.
NOT_GIVEN: Final[Any] = object()

_HEADER_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


class CallOptions(TypedDict, total=False):
    """Keyword arguments of every call."""

    timeout: float | None
    headers: Mapping[str, str] | None


class InstanceListOptions(CallOptions, total=False):
    """Keyword arguments of ListInstances. Those that are not given are not sent."""

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
        msg = f"{field.name} {value!r} has to be a whole number of at least 1"
        raise InvalidArgumentError(msg)


def _check_wait(_: object, field: attrs.Attribute[float], value: object) -> None:
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        msg = f"{field.name} {value!r} has to be a number of seconds, 0 or more"
        raise InvalidArgumentError(msg)


def _check_auth(_: object, __: object, value: Auth) -> None:
    if not callable(getattr(value, "flow", None)):
        # What was passed may be the token itself.
        msg = "auth must be TokenAuth(...), AkSkAuth(...), PasswordAuth(...) or EcsMetadataAuth()"
        raise ConfigurationError(msg)


@attrs.frozen
class Retry:
    """When a call is tried again, and how long it waits.

    Lost connections, 429, 502, 503 and 504 are tried again. Calls that end sessions are tried again
    only after a 429, or when the request cannot have arrived. Nothing is tried again after a 401. A
    `Retry-After` of the service is honoured; if it exceeds the time that the call has left, the
    error is raised at once. After a 429, all calls of the client wait, and are sent one by one.

    Attributes:
        attempts: How often a call is sent at the most; 1 switches retries off.
        wait_initial: Seconds before the second attempt; they double with each one after.
        wait_max: Seconds between two attempts at the most, jitter apart.
        wait_jitter: Up to so many seconds are added at random, lest all clients come at once.

    Raises:
        InvalidArgumentError: One of them cannot be.
    """

    attempts: int = attrs.field(default=4, validator=_check_attempts)
    wait_initial: float = attrs.field(default=0.2, validator=_check_wait)
    wait_max: float = attrs.field(default=5.0, validator=_check_wait)
    wait_jitter: float = attrs.field(default=0.2, validator=_check_wait)


@attrs.frozen
class Options:
    """What a client keeps to itself; a copy of a client differs in some of it.

    Attributes:
        origin: Endpoint of the service.
        identity_origin: Endpoint of the identity service.
        region: Region that a project ID may be looked up for, or None.
        project_id: Project ID, or None when it has to be looked up.
        auth: Who the caller is.
        timeout: Seconds that one call may take, retries included.
        retry: When a call is tried again.
        headers: Headers that every request carries.
        concurrency: How many calls a query of several nodes or pages makes at a time.
    """

    origin: str
    identity_origin: str
    region: str | None
    project_id: str | None
    auth: Auth = attrs.field(validator=_check_auth)
    timeout: float
    retry: Retry
    headers: Mapping[str, str]
    concurrency: int

    @property
    def scope(self) -> Scope:
        """Return what calls are for, by which some credentials differ."""
        return Scope(self.identity_origin, self.region, self.project_id)


def checked_concurrency(value: object, max_connections: int) -> int:
    """Return how many calls may be made at a time; by default 32, or `max_connections` if less.

    Raises:
        ConfigurationError: The value is out of range.
    """
    if value is None:
        return min(CONCURRENCY, max_connections)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= max_connections:
        msg = (
            f"concurrency {value!r} must be an integer from 1 to max_connections={max_connections}"
        )
        raise ConfigurationError(msg)
    return value


def checked_seconds(name: str, value: float) -> float:
    """Give a number of seconds back if it is one."""
    number: object = value  # whatever a caller without a type checker passes
    if type(number) not in {int, float} or not 0 < value < math.inf:
        msg = f"{name} {value!r} has to be a number of seconds above 0"
        raise InvalidArgumentError(msg)
    return float(value)


def checked_headers(headers: object) -> dict[str, str]:
    """Give headers back if they can be sent. The message never shows a value."""
    if not isinstance(headers, Mapping):
        msg = "headers has to be a mapping of names to texts"
        raise InvalidArgumentError(msg)
    for name, value in cast("Mapping[object, object]", headers).items():
        if not isinstance(name, str) or not re.fullmatch(_HEADER_NAME, name):
            msg = f"headers: {name!r} is no name of a header"
            raise InvalidArgumentError(msg)
        if not isinstance(value, str) or not re.fullmatch(r"[\x20-\x7e\t]*", value):
            msg = f"headers: the value of {name} holds characters that no header can carry"
            raise InvalidArgumentError(msg)
    return dict(cast("Mapping[str, str]", headers))
