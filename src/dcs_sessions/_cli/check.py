"""``dcs-sessions check``."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from dcs_sessions import _endpoints
from dcs_sessions._cli import _console
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._printable import printable
from dcs_sessions._errors import (
    ApiConnectionError,
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DcsSessionsError,
    NotFoundError,
    PermissionDeniedError,
)

if TYPE_CHECKING:
    from dcs_sessions import Client
    from dcs_sessions._cli._connection import Connection
    from dcs_sessions._credentials import Found

# No job has this ID. That the service says so proves that it answers, and whom it knows.
_NO_JOB = "0" * 32
_GATEWAY = "APIGW."
_SECONDS = 10.0


@command("check")
@click.argument("instance_id", metavar="[INSTANCE]", required=False)
def check(connection: Connection, instance_id: str | None) -> None:
    """Check the connection: where each value is from, who answers, and who you are to it.

    Secrets are shown as ***. With INSTANCE, also whether it is there and which nodes it has.
    Nothing is changed, and nothing is tried twice: five wrong logins lock a key.

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
            said = _ask(client, instance_id, connection.timeout or _SECONDS)
    except DcsSessionsError as error:
        _line("Result", _problem(error))
        sys.stdout.flush()
        raise
    for name, value in said:
        _line(name, value)
    _line("Result", "good")


def _show_values(connection: Connection, found: Found) -> None:
    _line("Credentials", f"{_kind(found)} ***", found.source)
    _line("Region", connection.region or "-", _source("region"))
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
    if connection.project_id is not None:
        _line("Project", connection.project_id, _source("project_id"))
    elif found.project_id is not None:
        _line("Project", found.project_id, found.project_source)
    else:
        _line("Project", "is looked up by the region", None)


def _ask(client: Client, instance_id: str | None, seconds: float) -> list[tuple[str, str]]:
    """Ask for what changes nothing, and tell what the answer proves."""
    try:
        if instance_id is not None:
            nodes = client.list_nodes(instance_id, timeout=seconds)
            known = f"{instance_id}, {len(nodes)} nodes"
            return [("Answers", "yes"), ("Accepted", "yes"), ("Instance", known)]
        client.get_job(_NO_JOB, timeout=seconds)
    except (AuthenticationError, PermissionDeniedError):
        raise
    except ApiError as error:
        of_gateway = (error.error_code or _GATEWAY).startswith(_GATEWAY)
        if instance_id is not None or error.status not in {400, 404} or of_gateway:
            raise
    return [("Answers", "yes"), ("Accepted", "yes")]


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


def _kind(found: Found) -> str:
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
    click.echo(f"{name + ':':<13}{printable(value)}{origin}")
