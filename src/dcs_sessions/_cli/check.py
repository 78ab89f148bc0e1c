"""`dcs-sessions check`."""

from __future__ import annotations

import functools
import os
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

# Errors for a node that does not exist, from a caller with the permission.
_WRONG_NODE = ("DCS.3053", "DCS.5053")
# An address reserved for documentation, which no client has.
_NO_CLIENT = "192.0.2.1:1"
# No job and no node has this ID: the refusal proves that the service accepts the credentials.
_NO_JOB = "0" * 32
_GATEWAY = "APIGW."
_NOT_ALLOWED = "not allowed"
_SECONDS = 10.0


@command("check")
@functools.partial(instance_argument, required=False)
def check(connection: Connection, instance_id: str | None) -> None:
    """Check the connection: where each value is from, and whether the service accepts it.

    Secrets are printed as ***. With INSTANCE, the command also checks that the instance exists,
    that its nodes are active, and that you may end sessions: it sends a request to end a session of
    a node that does not exist, and reads the permission from the refusal. Nothing is changed, and
    no request is retried, since five failed logins lock a key. The exit code is 6 if some nodes are
    not active.

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
    _line("Result", "good" if may_end else "good for listing; ending sessions is not allowed")


def _show_values(connection: Connection, found: FoundCredentials) -> None:
    if isinstance(found.auth, ServerAuth):
        _line("Credentials", "none in the environment, nor in ~/.huaweicloud/credentials")
        _line(
            "",
            "this server is asked for them, as an ECS with an agency or a pod with an identity",
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
    # A URL with credentials is refused later; mask them here.
    _line("Endpoint", _failures.without_login(endpoint), source)
    proxy = _failures.proxy_of(endpoint) if endpoint != "-" else None
    if proxy is not None:
        _line("Proxy", proxy, "the environment")
    if connection.project_id is not None:
        _line("Project", connection.project_id, _source("project_id"))
    elif found.project_id is not None:
        _line("Project", found.project_id, found.project_source)
    else:
        _line("Project", "looked up by the region", None)


def _ask(
    client: Client, instance_id: str | None, seconds: float
) -> tuple[list[tuple[str, str]], int]:
    """Return what read-only calls prove, and the number of nodes that are not active."""
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
    """Return whether sessions may be ended, from a request that can end none."""
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
    """Return the problem in a few words. The error itself is printed after it."""
    if isinstance(error, ConfigurationError):
        return "a value is missing or invalid"
    if isinstance(error, ApiConnectionError):
        return "the endpoint does not respond"
    if isinstance(error, AuthenticationError):
        return "it responds, but does not accept the credentials"
    if isinstance(error, PermissionDeniedError):
        return "it accepts the credentials, but they lack the permission"
    if isinstance(error, NotFoundError) and not (error.error_code or _GATEWAY).startswith(_GATEWAY):
        return "it accepts the credentials, but has no such instance"
    return "the response is not what DCS sends"


def _kind(found: FoundCredentials) -> str:
    names = {"TokenAuth": "token", "AkSkAuth": "access key", "PasswordAuth": "password"}
    return names.get(type(found.auth).__name__, "temporary access key")


def _source(name: str) -> str | None:
    """Return where the value of an option is from."""
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
