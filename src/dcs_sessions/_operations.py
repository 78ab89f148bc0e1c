"""The operations of the contract: how each request is built and each answer read.

Nothing here sends requests, so the sync and the async client share it.
"""

# pyright: reportPrivateUsage=false
# (The generator has no public function that builds a request without sending it.)
from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast
from urllib.parse import quote

import attrs
import orjson

from dcs_sessions._errors import (
    SET_PROJECT_ID,
    ConfigurationError,
    InvalidArgumentError,
    UnexpectedResponseError,
    error_from,
    without_frames,
)
from dcs_sessions._options import checked_flag
from dcs_sessions._results import Response
from dcs_sessions_api import models
from dcs_sessions_api.types import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcs_sessions._wire import Reply

T = TypeVar("T")

_EMPTY: Final[Mapping[str, Any]] = {}
# Maximum of `limit`, and so of the entries of a page.
_PAGE_LIMIT: Final = 1000
# No instance has as many nodes or parameters.
_MOST_ENTRIES: Final = 10_000


@attrs.frozen
class Call(Generic[T]):
    """One call of one operation.

    Attributes:
        operation: The operation, as the vendor spells it.
        method: HTTP method.
        target: Path and query, percent-encoded.
        body: Body, or empty.
        read: Parses the body of a successful response.
        status: Documented status of success.
        repeatable: Whether it may be sent twice.
        project_id: Project ID, or None for the identity service, which looks it up.
    """

    operation: str
    method: str
    target: str
    body: bytes
    read: Callable[[Reply], T]
    status: int = 200
    repeatable: bool = True
    project_id: str | None = None

    @without_frames
    def response(self, reply: Reply) -> Response[T]:
        """Return the result of a reply.

        Raises:
            ApiError: The reply is not a documented success.
        """
        if reply.status != self.status:
            raise error_from(reply)
        return Response(self.read(reply), reply.status, reply.headers, reply.request_id, reply.body)


# Operations are imported when they are called: no program calls all of them.


def scan_sessions(
    project_id: str, instance_id: str, node_id: str, *, clean_cache: bool = False
) -> Call[models.ScanStarted]:
    """Build ScanClients."""
    from dcs_sessions_api.api.sessions import scan_clients

    _check_id("node_id", node_id)
    body = models.ScanRequest(node_id=node_id, clean_cache=checked_flag("clean_cache", clean_cache))
    kwargs = scan_clients._get_kwargs(*_instance(project_id, instance_id), body=body)
    return _call("ScanClients", project_id, kwargs, _read_scan_started)


def list_sessions(
    project_id: str,
    instance_id: str,
    node_id: str,
    *,
    offset: int = 0,
    limit: int = 10,
    addr: str | None = None,
    sort: str | None = None,
    order: str | None = None,
) -> Call[models.SessionPage]:
    """Build ListClients."""
    from dcs_sessions_api.api.sessions import list_clients

    _check_id("node_id", node_id)
    _check_range("offset", offset, 0, 2**31 - 1)
    _check_range("limit", limit, 1, _PAGE_LIMIT)
    if order is not None and _text("order", order) not in {"asc", "desc"}:
        raise InvalidArgumentError(f"order {order!r} must be 'asc' or 'desc'")
    kwargs = list_clients._get_kwargs(
        *_instance(project_id, instance_id),
        node_id=node_id,
        offset=offset,
        limit=limit,
        addr=UNSET if addr is None else _text("addr", addr),
        sort=UNSET if sort is None else _text("sort", sort),
        order=UNSET if order is None else cast("models.ListClientsOrder", order),
    )
    return _call("ListClients", project_id, kwargs, functools.partial(_read_session_page, node_id))


def kill_sessions(
    project_id: str, instance_id: str, node_id: str, addresses: Iterable[str]
) -> Call[None]:
    """Build HangUpClients."""
    from dcs_sessions_api.api.sessions import hang_up_clients

    _check_id("node_id", node_id)
    named = checked_ids("addresses", addresses)
    if not named:
        raise InvalidArgumentError("addresses is empty: pass the peer of each session to end")
    body = models.KillRequest(node_id=node_id, client_addrs=named)
    kwargs = hang_up_clients._get_kwargs(*_instance(project_id, instance_id), body=body)
    return _call("HangUpClients", project_id, kwargs, _read_nothing, status=204, repeatable=False)


def kill_all_sessions(
    project_id: str, instance_id: str, node_id: str | None = None, *, all_nodes: bool = False
) -> Call[models.KillAllStarted]:
    """Build HangUpKillAllClients."""
    from dcs_sessions_api.api.sessions import hang_up_kill_all_clients

    if (node_id is None) != checked_flag("all_nodes", all_nodes):
        raise InvalidArgumentError(
            "pass either node_id, or all_nodes=True to end the sessions of the whole instance"
        )
    if node_id is not None:
        _check_id("node_id", node_id)
    body = models.KillAllRequest(
        node_id=UNSET if node_id is None else node_id, kill_all_nodes=all_nodes
    )
    kwargs = hang_up_kill_all_clients._get_kwargs(*_instance(project_id, instance_id), body=body)
    return _call(
        "HangUpKillAllClients", project_id, kwargs, _read_kill_all_started, repeatable=False
    )


def get_job(project_id: str, job_id: str) -> Call[models.Job]:
    """Build ShowJobInfo."""
    from dcs_sessions_api.api.jobs import show_job_info

    _check_id("project_id", project_id)
    _check_id("job_id", job_id)
    return _call(
        "ShowJobInfo", project_id, show_job_info._get_kwargs(project_id, job_id), _read_job
    )


def list_nodes(project_id: str, instance_id: str) -> Call[models.NodeList]:
    """Build ShowNodesInformation."""
    from dcs_sessions_api.api.nodes import show_nodes_information

    kwargs = show_nodes_information._get_kwargs(*_instance(project_id, instance_id))
    return _call("ShowNodesInformation", project_id, kwargs, _read_node_list)


def list_instances(
    project_id: str, *, offset: int = 0, limit: int = 10, **filters: str | bool | None
) -> Call[models.InstanceList]:
    """Build ListInstances."""
    from dcs_sessions_api.api.instances import list_instances as operation

    _check_id("project_id", project_id)
    _check_range("offset", offset, 0, 2**31 - 1)
    _check_range("limit", limit, 1, _PAGE_LIMIT)
    # Only filters that are set are sent, since not every edition of the API has every filter.
    given: dict[str, Any] = dict.fromkeys(
        ("is_recycle", "include_failure", "include_delete"), UNSET
    )
    given |= {
        name: checked_flag(name, value) if name == "is_recycle" else _text(name, value)
        for name, value in filters.items()
        if value is not None
    }
    kwargs = operation._get_kwargs(project_id, offset=offset, limit=limit, **given)
    return _call("ListInstances", project_id, kwargs, _read_instance_list)


def get_instance(project_id: str, instance_id: str) -> Call[models.Instance]:
    """Build ShowInstance."""
    from dcs_sessions_api.api.instances import show_instance

    kwargs = show_instance._get_kwargs(*_instance(project_id, instance_id))
    return _call("ShowInstance", project_id, kwargs, _read_instance)


def list_configurations(project_id: str, instance_id: str) -> Call[models.ConfigurationList]:
    """Build ListConfigurations."""
    from dcs_sessions_api.api.instances import list_configurations as operation

    kwargs = operation._get_kwargs(*_instance(project_id, instance_id))
    return _call("ListConfigurations", project_id, kwargs, _read_configuration_list)


def find_project(region: str) -> Call[str]:
    """Build the look-up of a region's project ID, an operation of the identity service.

    See https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html.
    """

    def read(reply: Reply) -> str:
        try:
            found = [str(project["id"]) for project in _object(reply)["projects"]]
        except (KeyError, TypeError):
            raise UnexpectedResponseError(reply, problem="no list of projects") from None
        if len(found) != 1:
            ids = ", ".join(found) or "none"
            raise ConfigurationError(
                f"region {region} must have one project, found {ids}", advice=SET_PROJECT_ID
            )
        return found[0]

    target = f"/v3/projects?name={quote(region, safe='~')}"
    return Call("KeystoneListProjects", "GET", target, b"", read)


def _call(
    operation: str,
    project_id: str,
    kwargs: dict[str, Any],
    read: Callable[[Reply], T],
    *,
    status: int = 200,
    repeatable: bool = True,
) -> Call[T]:
    """Convert the arguments that the generated code passes to httpx into a call."""
    query = "&".join(
        f"{quote(name, safe='~')}={quote(_in_query(value), safe='~')}"
        for name, value in sorted(kwargs.get("params", _EMPTY).items())
    )
    target = f"{kwargs['url']}?{query}" if query else kwargs["url"]
    body = orjson.dumps(kwargs["json"]) if "json" in kwargs else b""
    method = kwargs["method"].upper()
    return Call(operation, method, target, body, read, status, repeatable, project_id)


def _in_query(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def checked_ids(name: str, values: object) -> list[str]:
    """Return IDs or addresses as a list, if all are valid. A single string is refused."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidArgumentError(f"{name} must be a list of strings, not {values!r}")
    found = list(cast("Iterable[str]", values))
    for value in found:
        _check_id(name, value)
    return found


def _instance(project_id: str, instance_id: str) -> tuple[str, str]:
    _check_id("project_id", project_id)
    _check_id("instance_id", instance_id)
    return project_id, instance_id


def _check_id(name: str, value: object) -> None:
    """Raise an error for an invalid ID, such as one that changes the path."""
    if _text(name, value) in {"", ".", ".."}:
        raise InvalidArgumentError(f"{name} {value!r} is empty or a path")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be a string, not {type(value).__name__}")
    # Longer ones are mistakes, for which servers have no clear error.
    if len(value) > 1024:
        raise InvalidArgumentError(f"{name} has {len(value)} characters, the maximum is 1024")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"{name} {value!r} cannot be encoded as UTF-8") from None
    return value


def _check_range(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidArgumentError(f"{name} {value!r} must be an integer from {least} to {most}")


def _read_scan_started(reply: Reply) -> models.ScanStarted:
    return _model(reply, models.ScanStarted.from_dict, job_id=str)


def _read_kill_all_started(reply: Reply) -> models.KillAllStarted:
    return _model(reply, models.KillAllStarted.from_dict, job_id=str)


def _read_job(reply: Reply) -> models.Job:
    return _model(reply, models.Job.from_dict, job_id=str, status=str)


def _read_node_list(reply: Reply) -> models.NodeList:
    return _model(reply, models.NodeList.from_dict, "node_id", nodes=list)


def _read_instance_list(reply: Reply) -> models.InstanceList:
    return _model(reply, models.InstanceList.from_dict, "instance_id", instances=list)


def _read_instance(reply: Reply) -> models.Instance:
    return _model(reply, models.Instance.from_dict, instance_id=str)


def _read_configuration_list(reply: Reply) -> models.ConfigurationList:
    return _model(reply, models.ConfigurationList.from_dict, redis_config=list)


def _read_session_page(node_id: str, reply: Reply) -> models.SessionPage:
    def page(fields: Mapping[str, Any]) -> models.SessionPage:
        # A small compressed response can have millions, which would take minutes and gigabytes.
        if len(fields["clients"]) > _PAGE_LIMIT:
            raise ValueError(f"{len(fields['clients'])} sessions, more than a page can have")
        made = models.SessionPage.from_dict({**fields, "clients": []})
        made.clients = [_session(session, node_id) for session in fields["clients"]]
        return made

    return _model(reply, page, time=str, clients=list, count=int)


def _read_nothing(reply: Reply) -> None:
    del reply


def _object(reply: Reply) -> dict[str, Any]:
    try:
        found = orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise UnexpectedResponseError(reply, problem=f"not JSON: {error}") from None
    if not isinstance(found, dict):
        problem = f"expected an object, got {type(found).__name__}"
        raise UnexpectedResponseError(reply, problem=problem)
    return cast("dict[str, Any]", found)


def _model(
    reply: Reply,
    make: Callable[[Mapping[str, Any]], T],
    entry_id: str | None = None,
    **required: type,
) -> T:
    """Return the model; raise an error if a field is not as the contract requires.

    The generated code does not check types, and raises KeyError for a missing field. Entries of a
    list are found by the field `entry_id`, so it must be a string in each.
    """
    fields = _object(reply)
    for name, kind in required.items():
        if not isinstance(fields.get(name), kind):
            state = "of another type" if name in fields else "missing"
            raise UnexpectedResponseError(reply, problem=f"field {name} is {state}")
        if kind is list and len(fields[name]) > _MOST_ENTRIES:
            # A small compressed response can have millions, which would take minutes.
            problem = f"{len(fields[name])} entries in {name}, more than there can be"
            raise UnexpectedResponseError(reply, problem=problem)
    try:
        for name in required if entry_id is not None else ():
            if not all(isinstance(entry[entry_id], str) for entry in fields[name]):
                raise TypeError(f"{entry_id} must be a string")
        return make(fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"not as the contract says: {type(error).__name__} {error}"
        raise UnexpectedResponseError(reply, problem=problem) from error


# A page has up to 1,000 sessions with the same 21 fields. Reading them by position takes half the
# time of from_dict; a session with other fields is read by from_dict, with the same result.
_SESSION_FIELDS: Final = tuple(field.name for field in attrs.fields(models.Session) if field.init)
_session_values: Final = operator.itemgetter(*_SESSION_FIELDS)


def _session(fields: dict[str, Any], node_id: str) -> models.Session:
    if type(fields) is not dict:
        raise TypeError(f"a session must be an object, not {type(fields).__name__}")
    fields["node_id"] = node_id
    if len(fields) == len(_SESSION_FIELDS):
        try:
            return models.Session(*_session_values(fields))
        except KeyError:
            pass
    return models.Session.from_dict(fields)
