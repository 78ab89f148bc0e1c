"""``dcs-sessions check``."""

from __future__ import annotations

import functools
import os
import re
import sys
from typing import TYPE_CHECKING

import click

from dcs_sessions import _endpoints
from dcs_sessions._auth._server import ServerAuth
from dcs_sessions._cli import _console, _failures
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._instance import find_instance, instance_argument
from dcs_sessions._errors import (
    ApiConnectionError,
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DcsSessionsError,
    NotFoundError,
    PermissionDeniedError,
)
from dcs_sessions._text import printable
from dcs_sessions_api.types import UNSET

if TYPE_CHECKING:
    from dcs_sessions import Client
    from dcs_sessions._cli._connection import Connection
    from dcs_sessions._credentials import FoundCredentials

# What the service says to a node that does not exist, once it has seen who asks.
_WRONG_NODE = ("DCS.3053", "DCS.5053")
# An address for documentation, which no client has.
_NO_CLIENT = "192.0.2.1:1"
# No job and no node has this ID. That the service says so proves that it answers, and whom it
# knows.
_NO_JOB = "0" * 32
_GATEWAY = "APIGW."
_NOT_ALLOWED = "not allowed"
_SECONDS = 10.0


@command("check")
@functools.partial(instance_argument, required=False)
def check(connection: Connection, instance_id: str | None) -> None:
    """Check the connection: where each value is from, who answers, and who you are to it.

    Secrets are shown as ***. With INSTANCE, also whether it is there, how its nodes are, and
    whether you may end sessions: the service is asked to end one of a node that does not exist, and
    refuses for one reason or the other. Nothing is changed, and nothing is tried twice: five wrong
    logins lock a key. The exit code is 6 where all is well but some nodes are not active.

    \b
    Example:
      dcs-sessions check --region cn-north-4
    """  # noqa: D301 - click wants the character
    try:
        found = connection.credentials()
        _show_values(connection, found)
        with (
            connection.client(retry=False, found=found) as client,
            _console.progress("Asking the service"),
        ):
            said, inactive = _ask(client, instance_id, connection.timeout or _SECONDS)
    except DcsSessionsError as error:
        _line("Result", _problem(error))
        sys.stdout.flush()
        raise
    for name, value in said:
        _line(name, value)
    if inactive:
        _line("Result", f"{inactive} nodes are not active: their sessions cannot be seen or ended")
        raise click.exceptions.Exit(_failures.PARTLY)
    may_end = not any(value.startswith(_NOT_ALLOWED) for _, value in said)
    _line("Result", "good" if may_end else "good for looking; ending sessions is not allowed")


def _show_values(connection: Connection, found: FoundCredentials) -> None:
    if isinstance(found.auth, ServerAuth):
        _line("Credentials", "none in the environment, nor in ~/.huaweicloud/credentials")
        _line(
            "",
            "this server is asked, in case it is an ECS with an agency or a pod with an identity",
        )
    else:
        _line("Credentials", f"{_kind(found)} ***", found.source)
    _line("Region", connection.region or "-", _source("region"))
    close = _failures.closest_region(connection.region) if connection.region else None
    if close is not None:
        _line("", f"not in the list of regions; did you mean {close}?")
    if connection.endpoint is not None:
        endpoint, source = connection.endpoint, _source("endpoint")
    elif connection.region is not None:
        endpoint = _endpoints.service_endpoint(connection.region)
        variable = _endpoints.endpoint_variable(connection.region)
        source = variable if os.environ.get(variable) else "the region"
    else:
        endpoint, source = "-", None
    # A login does not belong there, and is refused; until then it is not shown.
    _line("Endpoint", re.sub(r"//[^/]*@", "//***@", endpoint), source)
    proxy = _failures.proxy_of(endpoint) if endpoint != "-" else None
    if proxy is not None:
        _line("Proxy", proxy, "the environment")
    if connection.project_id is not None:
        _line("Project", connection.project_id, _source("project_id"))
    elif found.project_id is not None:
        _line("Project", found.project_id, found.project_source)
    else:
        _line("Project", "is looked up by the region", None)


def _ask(
    client: Client, instance_id: str | None, seconds: float
) -> tuple[list[tuple[str, str]], int]:
    """Ask for what changes nothing; return what the answers prove, and how many nodes are down."""
    said = [("Answers", "yes"), ("Accepted", "yes")]
    try:
        if instance_id is not None:
            instance_id = find_instance(client, instance_id)
            nodes = client.list_nodes(instance_id, timeout=seconds)
            down = [node for node in nodes if node.status not in ("Active", UNSET, None)]
            said.append(("Instance", f"{instance_id}, {len(nodes)} nodes"))
            said += [("", f"node {node.node_id} is {printable(node.status)}") for node in down]
            said.append(("Ending", _may_end(client, instance_id, seconds)))
            return said, len(down)
        client.get_job(_NO_JOB, timeout=seconds)
    except (AuthenticationError, PermissionDeniedError):
        raise
    except ApiError as error:
        of_gateway = (error.error_code or _GATEWAY).startswith(_GATEWAY)
        if instance_id is not None or error.status not in {400, 404} or of_gateway:
            raise
    return said, 0


def _may_end(client: Client, instance_id: str, seconds: float) -> str:
    """Return whether sessions may be ended, by a request that can end none: no node has this ID."""
    try:
        client.kill_sessions(instance_id, _NO_JOB, [_NO_CLIENT], timeout=seconds)
    except PermissionDeniedError as error:
        return f"{_NOT_ALLOWED}: {_failures.what_happened(error)}"
    except ApiError as error:
        if error.error_code in _WRONG_NODE:
            return "allowed"
    except ApiConnectionError:
        pass
    return "not known"


def _problem(error: DcsSessionsError) -> str:
    """Say in a few words what is wrong. The error itself is shown after it."""
    if isinstance(error, ConfigurationError):
        return "something is missing or does not fit"
    if isinstance(error, ApiConnectionError):
        return "the endpoint does not answer"
    if isinstance(error, AuthenticationError):
        return "it answers, and does not accept the credentials"
    if isinstance(error, PermissionDeniedError):
        return "it answers and accepts the credentials, which lack the permission"
    if isinstance(error, NotFoundError) and not (error.error_code or _GATEWAY).startswith(_GATEWAY):
        return "it answers and accepts the credentials, and does not have the instance"
    return "what answers there is not what was expected"


def _kind(found: FoundCredentials) -> str:
    names = {"TokenAuth": "token", "AkSkAuth": "access key", "PasswordAuth": "password"}
    return names.get(type(found.auth).__name__, "temporary access key")


def _source(name: str) -> str | None:
    """Tell where the value of an option is from."""
    context = click.get_current_context()
    source = context.get_parameter_source(name)
    if source is click.core.ParameterSource.COMMANDLINE:
        return f"--{name.replace('_', '-')}"
    if source is click.core.ParameterSource.ENVIRONMENT:
        params = {param.name: param for param in context.command.params}
        return str(params[name].envvar)
    return None


def _line(name: str, value: str, source: str | None = None) -> None:
    origin = f"  (from {printable(source)})" if source else ""
    title = f"{name}:" if name else ""
    click.echo(f"{title:<13}{printable(value)}{origin}")
